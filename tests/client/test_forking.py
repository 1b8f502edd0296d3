"""`runs.fork` and `delete`, what becomes of streams, and of a run whose id is given again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import perdure
from tests.client.steered_programs import (
    broken,
    child,
    gates,
    goes_round,
    other_three,
    parent,
    patient,
    ran,
    saga,
    streams,
    streams_beside_effects,
    three,
)

PATIENCE = 60


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Nothing of an earlier test is left."""
    ran.clear()
    broken.clear()
    gates.clear()
    yield
    for gate in list(gates.values()):
        gate.set()


@pytest.fixture
def app(store_url: str, client: perdure.Client) -> Iterator[perdure.Perdure]:
    """Somebody works."""
    with perdure.running(store_url, poll_seconds=0.05, park_after_seconds=0.05, shutdown_seconds=2.0) as launched:
        yield launched


def failed(handle: perdure.Handle[Any]) -> perdure.Handle[Any]:
    """The run, when it has failed; by a handle of its own."""
    assert handle.exception(PATIENCE) is not None
    ran.clear()
    broken.clear()
    return handle


def again(handle: perdure.Handle[Any]) -> Any:
    """What the run gives in its next life."""
    return perdure.handle(handle.run_id).result(PATIENCE)


@pytest.mark.usefixtures("app")
def test_a_fork_is_a_run_of_its_own(client: perdure.Client) -> None:
    """From a step, with other arguments or code; the other run stays as it is."""
    handle = perdure.start(three)
    handle.result(PATIENCE)
    ran.clear()
    fork = client.runs.fork(handle.run_id, "2")
    assert fork.result(PATIENCE) == ["A", "B", "C"]
    assert ran == ["c"]
    assert [run.run_id for run in client.runs.list(attributes={"forked_from": handle.run_id})] == [fork.run_id]
    assert client.runs.fork(handle.run_id, args=["z"]).result(PATIENCE) == ["Z", "B", "C"]
    ran.clear()
    made = perdure.runs.fork(handle.run_id, "2", workflow=other_three, id="other")
    assert made.run_id == "other"
    assert made.result(PATIENCE) == ["A", "B", "C", "D"]
    assert ran == ["c", "d"]
    with pytest.raises(perdure.RunExistsError):
        client.runs.fork(handle.run_id, id=handle.run_id)
    assert client.runs.fork(handle.run_id, id="other").run_id == "other"  # it is that fork
    assert len(client.runs.get(handle.run_id).steps) == 3


@pytest.mark.usefixtures("app")
def test_a_fork_goes_on_in_the_round_that_the_run_was_in(client: perdure.Client) -> None:
    """What it has of the record is named by that."""
    handle = perdure.start(goes_round, 0)
    assert handle.result(PATIENCE) == ["ROUND 1", "B"]
    ran.clear()
    for step in (None, client.runs.get(handle.run_id).steps[-1].key):
        assert client.runs.fork(handle.run_id, step).result(PATIENCE) == ["ROUND 1", "B"]
    assert ran == ["round 1", "b", "b"]


@pytest.mark.usefixtures("app")
def test_a_fork_shares_the_children_that_it_keeps(client: perdure.Client) -> None:
    """It makes none anew, and finds how they ended."""
    handle = perdure.start(parent)
    handle.result(PATIENCE)
    ran.clear()
    assert client.runs.fork(handle.run_id, "2").result(PATIENCE) == ["X", "Y"]
    assert ran == ["before y", "y"]


@pytest.mark.usefixtures("app")
def test_a_forks_failure_undoes_what_it_has_done_itself(client: perdure.Client) -> None:
    """What the other one did is that one's to undo."""
    handle = perdure.start(saga)
    handle.result(PATIENCE)
    ran.clear()
    broken.add("shipped")
    kept = client.runs.fork(handle.run_id, "work")
    assert isinstance(kept.exception(PATIENCE), OSError)
    own = client.runs.fork(handle.run_id)
    assert isinstance(own.exception(PATIENCE), OSError)
    perdure.handle(f"{own.run_id}:undo").result(PATIENCE)
    assert ran == ["shipped", "paid", "shipped", "undo paid"]


@pytest.mark.usefixtures("app")
def test_a_run_is_deleted_with_its_family(client: perdure.Client) -> None:
    """When all of it has ended; who deleted it is kept."""
    handle = perdure.start(parent)
    handle.result(PATIENCE)
    waiting = perdure.start(patient, "one")
    with pytest.raises(perdure.SteeringError, match="cancel it first"):
        client.runs.delete(waiting.run_id)
    assert client.runs.delete(handle.run_id) == 3
    assert len(client.runs.list(workflow=child)) == 0
    with pytest.raises(perdure.RunNotFoundError):
        client.runs.get(handle.run_id)
    with pytest.raises(perdure.RunNotFoundError):
        client.runs.delete(handle.run_id)
    waiting.cancel()
    waiting.exception(PATIENCE)
    assert client.runs.delete(workflow=patient).count == 1
    assert client.runs.delete(workflow=patient).count == 0


@pytest.mark.usefixtures("app")
def test_an_id_that_is_free_again_gives_the_new_runs_value() -> None:
    """Not that of the deleted one, which this process remembered."""
    assert perdure.with_options(id="same").start(child, "a").result(PATIENCE) == "A"
    perdure.runs.delete("same")
    assert perdure.with_options(id="same").start(child, "b").result(PATIENCE) == "B"


@pytest.mark.usefixtures("app")
def test_a_start_says_what_becomes_of_a_run_that_has_its_id(client: perdure.Client) -> None:
    """Refused, retried, started anew; through a client, too; never other work."""
    broken.add("b")
    failed(perdure.with_options(id="same").start(three))
    same = perdure.with_options(id="same", on_existing="retry").start(three)
    assert same.run_id == "same"
    assert again(same) == ["A", "B", "C"]
    assert ran == ["b", "c"]
    client.with_options(id="same", on_existing="retry").submit(three)
    assert ran == ["b", "c"]
    client.with_options(id="same", on_existing="restart").submit(three)
    assert again(same) == ["A", "B", "C"]
    assert ran == ["b", "c", "a", "b", "c"]
    for starter in (
        perdure.with_options(id="same", on_existing="refuse").start,
        client.with_options(id="same", on_existing="refuse").submit,
    ):
        with pytest.raises(perdure.RunExistsError, match="on_existing='refuse'"):
            starter(three)  # type: ignore[operator]
    with pytest.raises(perdure.RunExistsError, match="other arguments"):
        perdure.with_options(id="same", on_existing="restart").start(three, "z")
    with pytest.raises(perdure.UsageError, match="give id="):
        perdure.with_options(on_existing="retry")
    with pytest.raises(perdure.UsageError, match="on_existing"):
        perdure.with_options(id="same", on_existing="kill")  # type: ignore[arg-type]
    assert [line.action for line in client.runs.get("same").steered] == ["retry", "restart"]


@pytest.mark.usefixtures("app")
def test_streams_are_cut_with_the_record(client: perdure.Client) -> None:
    """What was written after the step comes anew, once; a fork has what was written before."""
    handle = perdure.start(streams)
    handle.result(PATIENCE)
    whole = ["before a", "a in a step", "before b", "b in a step", "end"]
    assert list(handle.stream("s", timeout=PATIENCE)) == whole
    reader = handle.stream("s", timeout=PATIENCE).chunks()
    assert [chunk.value for chunk in reader if isinstance(chunk, perdure.Chunk)] == whole
    client.runs.restart(handle.run_id, "1")
    assert again(handle) == ["A", "B"]
    assert list(perdure.handle(handle.run_id).stream("s", timeout=PATIENCE)) == whole
    fork = client.runs.fork(handle.run_id, "1")
    assert fork.result(PATIENCE) == ["A", "B"]
    assert list(fork.stream("s", timeout=PATIENCE)) == whole
    client.runs.restart(handle.run_id)
    assert again(handle) == ["A", "B"]
    assert list(perdure.handle(handle.run_id).stream("s", timeout=PATIENCE)) == whole
    assert ran == ["a", "b", "b", "b", "a", "b"]


@pytest.mark.usefixtures("app")
def test_a_fork_has_what_was_written_behind_notes_that_are_not_its_own(client: perdure.Client) -> None:
    """That there is something to undo is for the other run, and cuts nothing."""
    handle = perdure.start(streams_beside_effects)
    assert handle.result(PATIENCE) == ["PAID", "B", "C"]
    fork = client.runs.fork(handle.run_id, client.runs.get(handle.run_id).steps[-1].key)
    assert fork.result(PATIENCE) == ["PAID", "B", "C"]
    assert list(fork.stream("s", timeout=PATIENCE)) == ["paid"]
