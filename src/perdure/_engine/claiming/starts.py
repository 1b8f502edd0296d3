"""What is started here: its creation goes to the journal, and where a slot is free it begins here, without a claim."""

from __future__ import annotations

import time

from ..._core.serialization import Serializer
from ..._entries import Accepted, RunCreated, Verdict
from ..held_run import HeldRun
from ..ids import fresh_id
from ..journal.journal import Journal
from ..journal.lanes import Lane, OnVerdict
from ..membership.line import Line
from ..news import News
from .fresh_runs import made_run
from .held_runs import Held
from .room import Room


class Starts:
    """From any thread."""

    def __init__(
        self, *, journal: Journal, held: Held, room: Room, line: Line, serializer: Serializer, news: News
    ) -> None:
        self._journal = journal
        self._line = line
        self._held = held
        self._room = room
        self._serializer = serializer
        self._news = news

    def _expect(self, entry: RunCreated, claim: str) -> HeldRun:
        """The run, held here from now on and about to begin."""
        self._held.expect(entry.run_id, claim)
        return made_run(entry, claim, self._serializer)

    def _may_begin(self, entry: RunCreated) -> bool:
        """Whether it begins without a claim; then it has a slot. Not where the database says by when it is to be over:
        the run would see another deadline than its replay, and only a claim tells it.
        """
        return entry.due_from(0.0) is None and entry.timeout_seconds is None and self._room.take(entry)

    def submit(self, entry: RunCreated, lane: Lane, on_created: OnVerdict) -> tuple[Lane, int]:
        """Hand in the creation of a run from outside any: in which lane, and its number there.

        Where a slot is free it begins at once, in the lane of its own: before its first body it waits for its creation,
        as for everything that it records. Not under an id or a key of the caller's, which another run may have.
        """
        is_own_id = entry.run_id == entry.entry_id
        if not is_own_id or entry.dedup_key is not None or not self._may_begin(entry):
            return lane, self.create(entry, lane, on_created, leads=True)
        entry.held_as = claim = fresh_id()
        run = self._expect(entry, claim)

        def on_verdict(verdict: Verdict) -> None:
            if isinstance(verdict, Accepted) and (entry.held_as is None or verdict.state is not None):
                self._note_ready(entry)  # made again after the fence, or let go of: for anybody
            on_created(verdict)

        try:
            number = self._journal.append(run.lane, entry, on_verdict, leads=True)
        except BaseException:
            self._held.forget(claim)
            self._room.free(entry)
            raise
        self._news.made(run, entry.input)
        return run.lane, number

    def create(self, entry: RunCreated, lane: Lane, on_created: OnVerdict | None = None, *, leads: bool = False) -> int:
        """Hand the run's creation to the journal; it starts here if a slot is free, once it is durable."""
        took = self._may_begin(entry)
        if took:
            entry.held_as = fresh_id()

        def give_back() -> None:
            nonlocal took
            if took:
                took = False
                self._room.free(entry)

        parent = lane.run
        siblings = {} if parent is None else self._held.children_of(parent).open
        if on_created is None:  # else its id may be that of somebody else's run
            siblings[entry.run_id] = None

        def on_verdict(verdict: Verdict) -> None:
            try:
                if on_created is not None and isinstance(verdict, Accepted) and type(entry) is RunCreated:
                    siblings[entry.run_id] = None
                if isinstance(verdict, Accepted) and entry.held_as is not None and verdict.state is None:
                    self._news.made(self._expect(entry, entry.held_as), entry.input)
                    return
                give_back()
                if isinstance(verdict, Accepted):
                    self._note_ready(entry)
            finally:
                if on_created is not None:
                    on_created(verdict)

        try:
            return self._journal.append(lane, entry, on_verdict, leads=leads)
        except BaseException:
            give_back()
            raise

    def _note_ready(self, entry: RunCreated) -> None:
        if (due_at := entry.due_from(time.time())) is not None:
            self._news.due(due_at)
            return
        self._line.say([entry.queue])
        self._room.note_ready(entry)
