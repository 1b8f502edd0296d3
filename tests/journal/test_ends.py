"""How a parent learns of its children's ends: those of other processes by one question for a thousand of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from perdure._core.children import Children
from perdure._core.run import Run
from perdure._engine.hosting.ends_ahead import AHEAD_BYTES, MOST_AHEAD, EndsAhead
from perdure._engine.watching import awaited_ends as register
from perdure._engine.watching.awaited_ends import Ends
from perdure._entries import ChildRow, EndedRun, HistoryRows, Stored
from perdure.stores.protocol import NothingDone
from tests.journal.scripted import run


class EndedRuns:
    """The runs of a store, some of which have ended; it counts how often it is asked."""

    def __init__(self, run_ids: Sequence[str], size: int = 4) -> None:
        self._ended = {run_id: EndedRun(run_id, "succeeded", Stored("json", "1" * size), None) for run_id in run_ids}
        self.asked: list[int] = []

    def ended(self, run_ids: Sequence[str]) -> list[EndedRun]:
        """As `Runs.ended`."""
        found = [self._ended[run_id] for run_id in run_ids if run_id in self._ended]
        self.asked.append(sum(len(end.output.text) for end in found if end.output))
        return found


def ends_of(runs: EndedRuns) -> Ends:
    return Ends(runs, {}.get, lambda: None)  # type: ignore[arg-type]  # of these `Ends` needs `ended` alone


def parent_of(number: int) -> Run:
    parent = run("parent")
    parent.children = Children()
    rows = [ChildRow(f"c{n}", str(n), "app:child", "f", "succeeded") for n in range(number)]
    parent.recall(HistoryRows([], rows, False))
    return parent


def test_a_parent_that_waits_for_one_child_learns_of_all() -> None:
    """Ten thousand children that another process executes are no ten thousand polls."""
    names = [f"c{n}" for n in range(10_000)]
    store = EndedRuns(names)
    ends = ends_of(store)
    parent = parent_of(0)
    parent.children.open.update(dict.fromkeys(names))
    heard: list[str] = []
    ends.watch("c0", lambda ended: heard.append(ended.run_id), parent=parent)

    ends.poll()

    assert heard == ["c0"]
    assert len(store.asked) == 10
    assert parent.children.ended == set(names)
    assert len(parent.children.ends) == 10_000


def test_children_that_have_not_ended_are_not_all_asked_for() -> None:
    """A parent of a million that another process executes is a thousand of them behind each look, not a million."""
    names = [f"c{n}" for n in range(10_000)]
    store = EndedRuns(names[500:700])
    ends = ends_of(store)
    parent = parent_of(0)
    parent.children.open.update(dict.fromkeys(names))
    ends.watch("c0", lambda ended: None, parent=parent)

    ends.poll()

    assert parent.children.ended == set(names[500:700])
    assert len(store.asked) == 2, "what it learned from, and one that brought nothing new"


def test_a_park_counts_the_children_whose_end_was_polled() -> None:
    """Else the database would know of more ends than the parent says it has seen, and wake it at once, for ever."""
    ends = ends_of(EndedRuns(["c0"]))
    parent = parent_of(0)
    parent.children.open.update(dict.fromkeys(["c0", "c1"]))
    ends.watch("c1", lambda ended: None, parent=parent)

    ends.poll()

    assert parent.children.ended == {"c0"}


def test_a_replayed_parent_reads_the_ends_of_its_children_together() -> None:
    """Some hundred at a time, in the order in which it will ask."""
    store = EndedRuns([f"c{n}" for n in range(10_000)])
    ends = EndsAhead(store)  # type: ignore[arg-type]
    parent = parent_of(10_000)

    for n in range(10_000):
        if parent.children.take_end(f"c{n}") is None:
            assert ends.read([(parent, f"c{n}")]) != [None]

    assert len(store.asked) <= 50


def test_large_outputs_are_read_once_and_not_all_at_once() -> None:
    """How far it reads ahead follows from how large they are."""
    size = AHEAD_BYTES // 10
    store = EndedRuns([f"c{n}" for n in range(500)], size)
    ends = EndsAhead(store)  # type: ignore[arg-type]
    parent = parent_of(500)

    for n in range(500):
        if parent.children.take_end(f"c{n}") is None:
            assert ends.read([(parent, f"c{n}")]) != [None]

    assert sum(store.asked) == 500 * size
    assert max(store.asked[1:]) <= AHEAD_BYTES + size


def test_parents_that_ask_together_share_what_is_read_ahead() -> None:
    """However many they are, no more is read at once than for one; each gets its own."""
    store = EndedRuns([f"c{n}" for n in range(1_000)])
    ends = EndsAhead(store)  # type: ignore[arg-type]
    parents = [parent_of(1_000) for _ in range(10)]

    found = ends.read([(parent, f"c{n}") for n, parent in enumerate(parents, 900)])

    assert [ended and ended.run_id for ended in found] == [f"c{n}" for n in range(900, 910)]
    assert len(store.asked) == 1
    assert sum(len(parent.children.ends) for parent in parents) <= MOST_AHEAD


def test_what_is_too_large_together_is_read_alone() -> None:
    """What a parent asks for decides whether it gets it, not what it will ask for next."""

    class Narrow(EndedRuns):
        def ended(self, run_ids: Sequence[str]) -> list[EndedRun]:
            if len(run_ids) > 2:
                raise NothingDone("too large", may_be_entry=True)
            return super().ended(run_ids)

    store = Narrow(["c0", "c1"])
    ends = EndsAhead(store)  # type: ignore[arg-type]
    found = ends.read([(parent_of(100), "c0"), (parent_of(100), "c1"), (parent_of(100), "c1")])
    assert [ended and ended.run_id for ended in found] == ["c0", "c1", "c1"]


def test_nobody_is_asked_for_who_is_not_waited_for() -> None:
    """A wait that was given up leaves nothing behind."""
    store = EndedRuns(["c0"])
    ends = ends_of(store)
    parent = parent_of(0)
    parent.children.open.update(dict.fromkeys(["c0"]))

    def on_end(ended: EndedRun) -> None:
        raise AssertionError("nobody waits")

    ends.watch("c0", on_end, parent=parent)
    ends.forget("c0", on_end)
    ends.poll()

    assert not ends._watchers
    assert store.asked == []


def test_the_latest_ends_are_remembered_and_the_earlier_ones_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks late for one of them is told at once; memory has its bounds."""
    monkeypatch.setattr(register, "RECENT_ENDS", 3)
    ends = ends_of(EndedRuns([]))
    for number in range(20):
        ends.publish(EndedRun(f"r{number}", "succeeded", Stored("json", "1"), None), None)
        known = [n for n in range(number + 1) if ends.known(f"r{n}") is not None]
        assert known == list(range(number + 1))[-len(known) :]
        assert min(number + 1, 3) <= len(known) <= 7


def test_what_all_runs_without_children_share_takes_none() -> None:
    """A child that is added to it would be everybody's."""
    fresh = run("fresh")
    assert fresh.children is run("another").children
    with pytest.raises(TypeError):
        fresh.children.open["c0"] = None
    with pytest.raises(AttributeError):
        fresh.children.note_end("c0", "succeeded")


class StuckRuns:
    """The runs of a store, one of which waits for a mend; while that is read, `meanwhile` happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    def stuck(self, run_ids: Sequence[str]) -> list[EndedRun]:
        """As `Runs.stuck`."""
        self._meanwhile()
        return [EndedRun(run_id, "parked", None, "mend it") for run_id in run_ids]


def test_who_waits_from_after_the_mend_on_is_not_told_that_the_run_is_stuck() -> None:
    """Its state was read when it was; whoever has resumed it since waits for its end."""
    heard: list[str] = []

    def mend_and_wait() -> None:
        ends.watch("r", lambda ended: heard.append(f"second: {ended.state}"), is_outside=True)

    ends = Ends(StuckRuns(mend_and_wait), {}.get, lambda: None)  # type: ignore[arg-type]  # it needs `stuck` alone
    ends.watch("r", lambda ended: heard.append(f"first: {ended.state}"), is_outside=True)

    ends.poll_stuck()

    assert heard == ["first: parked"]
    ends.publish(EndedRun("r", "succeeded", None, None), None)
    assert heard == ["first: parked", "second: succeeded"]


def test_an_end_that_comes_while_a_stuck_run_is_read_is_told_once() -> None:
    """It was mended and has ended: nobody is told afterwards that it is stuck."""
    heard: list[str] = []

    def end() -> None:
        ends.publish(EndedRun("r", "succeeded", None, None), None)

    ends = Ends(StuckRuns(end), {}.get, lambda: None)  # type: ignore[arg-type]  # it needs `stuck` alone
    ends.watch("r", lambda ended: heard.append(ended.state), is_outside=True)

    ends.poll_stuck()

    assert heard == ["succeeded"]
