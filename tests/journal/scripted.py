"""A store that keeps entries in memory and fails as the test's script says: it drives the journal into every corner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from perdure._core.run import Run
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._engine.journal.journal import Journal
from perdure._entries import Accepted, Entry, Refused, RunCreated, StepRecorded, Stored, Verdict

NOTHING = Stored("json", "null")
Step = Callable[[], None]
"""What happens at one call of `apply`, instead of or after the commit: it raises, or blocks."""


class ScriptedStore:
    """Commits batches, each entry once, however often it is sent.

    `before` and `after` hold what happens at the next calls, before anything is written and after all of it is.
    `refuse` says which entries the database would not take, and how; `is_void` of which the verdict is `Refused`.
    """

    def __init__(self) -> None:
        self.sent: list[list[Entry]] = []
        self.batches: list[list[Entry]] = []
        self.committed: list[Entry] = []
        self.effects: dict[tuple[str, str], int] = {}
        self.before: list[Step] = []
        self.after: list[Step] = []
        self.refuse: Callable[[Entry], Exception | None] = lambda entry: None
        self.is_void: Callable[[Entry], bool] = lambda entry: False
        self.can_begin = False
        self.answer = Accepted()
        """The verdict on what is written."""

    def at_once(self, waiting: int) -> int:
        """All of them, or nothing."""
        return waiting if self.can_begin else 0

    def begin(self, worker_id: str, entries: Sequence[Entry]) -> SentEntries:
        """Send; what `apply` would say is the answer."""
        return SentEntries(lambda: self.apply(worker_id, entries))

    def apply(self, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
        """One transaction."""
        self.sent.append(list(entries))
        if self.before:
            self.before.pop(0)()
        for entry in entries:
            if (error := self.refuse(entry)) is not None:
                raise error
        verdicts = [self._write(entry) for entry in entries]
        self.batches.append(list(entries))
        if self.after:
            self.after.pop(0)()
        return verdicts

    def _write(self, entry: Entry) -> Verdict:
        if self.is_void(entry):
            return Refused("the claim has ended")
        name = (entry.run_id, getattr(entry, "entry_id", type(entry).__name__))
        if name not in self.effects:
            self.effects[name] = 0
            self.committed.append(entry)
        self.effects[name] += 1
        return self.answer


class SentEntries:
    """A batch whose answer the test holds back until `is_there`; whoever cannot wait for it blocks on `wait`."""

    connection = 1
    is_sent = True

    def __init__(self, apply: Callable[[], list[Verdict]]) -> None:
        self._apply = apply
        self.is_there = True

    def fileno(self) -> int:
        """No socket is watched here."""
        return -1

    def is_answered(self) -> bool:
        """As the test says."""
        return self.is_there

    def wait(self, seconds: float | None = None) -> bool:
        """It comes as soon as somebody waits for it."""
        self.is_there = True
        return True

    def verdicts(self) -> list[Verdict]:
        """What `apply` says."""
        self.wait()
        return self._apply()


class Told:
    """What the journal tells the runtime."""

    def __init__(self) -> None:
        self.lost: dict[str, BaseException] = {}
        self.fenced = 0
        self.unknown = 0

    def note_lost(self, run: Run, error: BaseException) -> None:
        """As `on_lost`."""
        self.lost.setdefault(run.run_id, error)

    def note_fenced(self) -> None:
        """As `on_fenced`."""
        self.fenced += 1

    def note_unknown(self) -> None:
        """As `on_unknown`."""
        self.unknown += 1


def journal_on(store: ScriptedStore, told: Told | None = None) -> Journal:
    """A journal without its writer thread: what is committed is what the test's own threads commit."""
    told = told or Told()
    return Journal(
        store,  # type: ignore[arg-type]  # of a store the journal needs no more
        worker_id=lambda: "worker",
        on_fenced=told.note_fenced,
        on_lost=told.note_lost,
        on_unknown=told.note_unknown,
    )


SERIALIZER = Serializer(TypeRegistry())
_numbers = count()
_held: list[Run] = []
"""A lane does not keep its run: in a process, the register of what it holds does."""


def run(name: str) -> Run:
    """A run that is held under a claim of its own."""
    held = Run(
        name, f"claim of {name}", kind="workflow", name="app:work", queue="", attempts=1, parent_id=None,
        serializer=SERIALIZER,
    )  # fmt: skip
    _held.append(held)
    return held


def recorded(name: str, *, size: int = 0) -> StepRecorded:
    """A checkpoint of that run."""
    key = str(next(_numbers))
    outcome = Stored("json", '"' + "x" * size + '"')
    return StepRecorded(name, f"claim of {name}", key, key, "step", "app:fetch", "f", False, outcome)


def created(name: str, *, claim: str | None = None, held_as: str | None = None) -> RunCreated:
    """A run's creation, from outside unless under a claim."""
    return RunCreated(name, "workflow", "app:work", "f", NOTHING, f"created {name}", claim, held_as=held_as)
