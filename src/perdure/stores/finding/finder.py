"""Reads pages of runs, and one run with all that is recorded of it, by the named queries of a store.

A page costs the same however many runs there are: it goes on where the last one ended, by a number that an index keeps
in order, never by counting from the beginning. What no index knows is sifted from so many runs and no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..._entries import HookRow, Stored, Wait
from ...typing import RunId
from .found import FoundRun, MessageRow, Page, ProgressRow, QueueSeen, RunRecord, StepRow, StuckSeen, WorkerSeen
from .wanted import Wanted

Ask = Callable[[str, Mapping[str, object]], Sequence[Sequence[Any]]]
"""The rows of a named query; lists of texts go through `texts`."""

LOOKED: Final = 5_000
"""So many runs a page looks at, at most: no page takes more than some milliseconds, however few it finds."""
LOOKED_INTO: Final = 250
"""The same where they are those that an index has found, which lie far from each other: each is a page of the file that
is read.
"""
LOOKED_THROUGH: Final = 150
"""The same where a text is to be found in their values."""
SKEW_SECONDS: Final = 60.0
"""So far the order in which runs are numbered may be from that of their times: batches of two processes, or a clock
that was set.
"""
_END: Final = 1 << 62
_LAST: Final = "\U0010ffff"


class Finder:
    """`texts` makes one parameter of a list of texts, as the store takes it."""

    def __init__(self, ask: Ask, texts: Callable[[Sequence[str]], str]) -> None:
        self._ask = ask
        self._texts = texts

    def page(self, wanted: Wanted, limit: int, cursor: str | None = None) -> Page:
        """The newest `limit` of the runs that are wanted, after those of the page that ended with this cursor."""
        by_id = wanted.by == "id"
        prefix = wanted.id_prefix or ""
        before: int | str = cursor if cursor is not None and by_id else prefix + _LAST if by_id else int(cursor or _END)
        floor: int | str = prefix if by_id else 0
        if not by_id:
            before, floor = self._span(wanted, int(before))
        goes_on, parameters = None, self._parameters(wanted)
        if wanted.is_sifted:
            goes_on = self._where_to_stop(wanted, parameters, before, floor)
            floor = floor if goes_on is None else goes_on
        rows = self._ask(f"runs_by_{wanted.by}", {**parameters, "before": before, "floor": floor, "most": limit + 1})
        found = [_found(row) for row in rows]
        if len(found) > limit:
            last = found[limit - 1]
            goes_on = last.run_id if by_id else last.seq
        return Page(found[:limit], None if goes_on is None else str(goes_on))

    def _span(self, wanted: Wanted, before: int) -> tuple[int, int]:
        """The numbers between which the runs of that time are."""
        floor = 0
        if wanted.until is not None and (after := self._seq_at(wanted.until + SKEW_SECONDS)) is not None:
            before = min(before, after)
        if wanted.since is not None:
            since = self._seq_at(wanted.since - SKEW_SECONDS)
            floor = before if since is None else since
        return before, floor

    def _seq_at(self, moment: float) -> int | None:
        for (seq,) in self._ask("seq_at", {"moment": moment}):
            return None if seq is None else int(seq)
        return None

    def _where_to_stop(
        self, wanted: Wanted, parameters: Mapping[str, object], before: int | str, floor: int | str
    ) -> int | str | None:
        """Where this page ends and the next begins, if there is more to look at."""
        looked = LOOKED if wanted.by == "seq" else LOOKED_INTO
        looked = looked if wanted.text is None else LOOKED_THROUGH
        asked = {**parameters, "before": before, "floor": floor, "looked": looked - 1}
        rows = self._ask(f"floor_by_{wanted.by}", asked)
        if not rows or rows[0][0] is None:
            return None
        stop: int | str = rows[0][0]
        if isinstance(stop, int) and isinstance(floor, int):
            if wanted.by == "seq":
                stop = stop + 1 - looked
            return stop if stop > floor else None
        return stop

    def _parameters(self, wanted: Wanted) -> dict[str, object]:
        name, value = next(iter(wanted.attributes.items()), (None, None))
        return {
            "states": None if wanted.states is None else self._texts(wanted.states),
            "name": wanted.name,
            "queue": wanted.queue,
            "parent_id": wanted.parent_id,
            "since": wanted.since,
            "until": wanted.until,
            "id_prefix": wanted.id_prefix,
            "attributes": json.dumps(dict(wanted.attributes)) if len(wanted.attributes) > 1 else None,
            "attribute": name,
            "value": value,
            "text": wanted.text,
        }

    def workers(self) -> list[WorkerSeen]:
        """Who works, in the order of their joining."""
        seen = [WorkerSeen(*row) for row in self._ask("workers_seen", {})]
        return sorted(seen, key=lambda worker: worker.joined_at)

    def queues(self) -> list[QueueSeen]:
        """The queues that have something to do, by name."""
        return sorted((QueueSeen(*row) for row in self._ask("queues_seen", {})), key=lambda queue: queue.name)

    def stuck(self) -> list[StuckSeen]:
        """What waits for a mend, by function."""
        return [StuckSeen(*row) for row in self._ask("stuck_seen", {})]

    def hook(self, token: str) -> HookRow | None:
        """The hook that has this token, or None."""
        for row in self._ask("hook", {"token": token}):
            return HookRow(*row)
        return None

    def hooks(self, most: int) -> list[HookRow]:
        """What waits for an answer, the oldest first."""
        return sorted((HookRow(*row) for row in self._ask("open_hooks", {"most": most})), key=lambda row: row.opened_at)

    def progress(self, run_ids: Sequence[RunId]) -> list[ProgressRow]:
        """How far the steps of these runs have come that have no outcome, in one statement."""
        rows = self._ask("progress", {"run_ids": self._texts(run_ids)}) if run_ids else ()
        return sorted((ProgressRow(*row) for row in rows), key=lambda row: (row.run_id, row.at, row.key))

    def unknown(self) -> list[StuckSeen]:
        """What is ready and no worker that has looked knows, by function."""
        return [StuckSeen(*row) for row in self._ask("unknown_seen", {})]

    def health(self) -> dict[str, str]:
        """What the database says of itself."""
        return {what: value for what, value in self._ask("health", {}) if value is not None}

    def explained(self, run_id: RunId, dead: Sequence[str]) -> dict[str, Any] | None:
        """What is known of why the run stands where it does, or None. `dead`: workers that do not live, as is known."""
        for (facts,) in self._ask("explained", {"run_id": run_id, "dead": self._texts(dead)}):
            return dict(facts)
        return None

    def record(self, run_id: RunId, most: int) -> RunRecord | None:
        """The run, or None; of its steps and children at most so many: the first steps, the newest children."""
        asked = {"run_id": run_id, "most": most}
        for row in self._ask("run_shown", asked):
            waits_for, *values = row[18:]
            steps = [_step(step) for step in self._ask("steps_of", asked)]
            return RunRecord(
                _found(row),
                None if values[0] is None else Stored(*values[:2]),
                None if values[2] is None else Stored(*values[2:]),
                [Wait(wait["kind"], wait["what"], wait["seen"]) for wait in waits_for or ()],
                steps,
                self.page(Wanted(parent_id=run_id), most).runs,
                [MessageRow(*message) for message in self._ask("messages_of", asked)],
                {str(name): str(value) for name, value in self._ask("attributes_of", asked)},
                sorted((HookRow(*hook) for hook in self._ask("hooks_of", asked)), key=lambda hook: hook.opened_at),
                self.progress([run_id]),
            )
        return None


def _found(row: Sequence[Any]) -> FoundRun:
    columns: list[Any] = [*row[:18]]
    return FoundRun(*columns)


def _step(row: Sequence[Any]) -> StepRow:
    key, kind, name, is_error, *columns, codec, body = row
    attempts, started_at, recorded_at, arguments = columns
    outcome = Stored(codec, body)
    return StepRow(key, kind, name, bool(is_error), attempts, started_at, recorded_at, arguments, outcome)
