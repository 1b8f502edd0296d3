"""`runs.pause`, `resume`, `retry`, `restart`, `fork` and `delete`: in the launched process and through a client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import perdure
from tests.client.steered_programs import (
    asks_beside,
    asks_people,
    asteers,
    broken,
    child,
    gated,
    gates,
    gathers,
    insists,
    maps,
    parent,
    patient,
    ran,
    receives,
    saga,
    sends,
    steers,
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


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    looked = threading.Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return
        looked.wait(0.01)
    raise AssertionError("it never came to be so")


def stopped(client: perdure.Client, handle: perdure.Handle[Any]) -> str | None:
    """Why the run does not go on."""
    return client.runs.get(handle.run_id).run.stopped


def failed(handle: perdure.Handle[Any]) -> perdure.Handle[Any]:
    """The run, when it has failed; by a handle of its own."""
    assert handle.exception(PATIENCE) is not None
    ran.clear()
    broken.clear()
    return handle


def again(handle: perdure.Handle[Any]) -> Any:
    """What the run gives in its next life."""
    return perdure.handle(handle.run_id).result(PATIENCE)


def test_a_run_that_executes_stops_at_its_next_durable_call(client: perdure.Client, app: perdure.Perdure) -> None:
    """What its body does is recorded; when it is resumed it goes on after that."""
    handle = perdure.start(gated)
    assert gates["gate began"].wait(PATIENCE)
    assert client.runs.pause(handle.run_id, why="too early", by="alice") is True
    assert app._runtime is not None
    active = app._runtime.held.active
    until(lambda: active[handle.run_id].interruption == "paused")
    gates["gate"].set()
    until(lambda: stopped(client, handle) == "paused")
    assert ran == ["gate"]
    assert client.runs.resume(handle.run_id) is True
    assert handle.result(PATIENCE) == ["GATE", "AFTER"]
    assert ran == ["gate", "after"]
    [pause, resume] = client.runs.get(handle.run_id).steered
    assert (pause.who, pause.action, pause.detail) == ("alice", "pause", "too early")
    assert (resume.action, resume.detail) == ("resume", None)
    assert client.runs.pause(handle.run_id) is False
    assert client.runs.resume(handle.run_id) is False


@pytest.mark.usefixtures("app")
def test_a_run_that_waits_is_paused_in_memory_or_parked(client: perdure.Client) -> None:
    """In this process and through a client, by id and by filter; a cancel ends it."""
    handles = [perdure.start(patient, name) for name in ("one", "two")]
    until(lambda: all(client.runs.get(handle.run_id).run.due_at is not None for handle in handles))
    assert perdure.runs.pause(workflow=patient, dry_run=True).count == 2
    assert perdure.runs.pause(workflow=patient).count == 2
    until(lambda: all(stopped(client, handle) == "paused" for handle in handles))
    assert perdure.runs.resume(workflow=patient, dry_run=True).count == 2
    assert client.runs.resume(workflow=patient).count == 2
    client.runs.cancel(workflow=patient)
    assert all(isinstance(handle.exception(PATIENCE), perdure.RunCancelledError) for handle in handles)


@pytest.mark.usefixtures("app")
def test_a_failed_run_goes_on_from_the_step_that_it_failed_by(client: perdure.Client) -> None:
    """What worked is not done again; one that has succeeded has nothing to retry."""
    broken.add("b")
    handle = failed(perdure.start(three))
    assert client.runs.retry(handle.run_id) is True
    assert again(handle) == ["A", "B", "C"]
    assert ran == ["b", "c"]
    assert client.runs.retry(handle.run_id) is False
    assert client.handle(handle.run_id).result(PATIENCE) == ["A", "B", "C"]


@pytest.mark.usefixtures("app")
def test_children_that_a_run_failed_by_are_retried_with_it(client: perdure.Client) -> None:
    """All of them go on from where they failed, sync and async."""
    for workflow in (parent, gathers):
        broken.update(("x", "y"))
        handle = perdure.start(workflow)
        until(lambda: len(client.runs.list(workflow=child, status="failed")) == 2)
        failed(handle)
        assert client.runs.retry(handle.run_id) is True
        assert again(handle) == ["X", "Y"]
        assert sorted(ran) == ["x", "y"]


@pytest.mark.usefixtures("app")
def test_a_child_that_was_retried_by_itself_fits_its_parent(client: perdure.Client) -> None:
    """Whoever retries the parent afterwards finds what the child gives now."""
    broken.add("x")
    handle = perdure.start(gathers)
    until(lambda: len(client.runs.list(workflow=child, status="failed")) == 1)
    failed(handle)
    [lone] = client.runs.list(workflow=child, status="failed")
    assert client.runs.retry(lone.run_id) is True
    assert perdure.handle(lone.run_id).result(PATIENCE) == "X"
    assert client.runs.retry(handle.run_id) is True
    assert again(handle) == ["X", "Y"]


@pytest.mark.usefixtures("app")
def test_a_cancelled_run_goes_on_where_it_stopped(client: perdure.Client) -> None:
    """With its cancelled children."""
    handle = perdure.start(gated)
    assert gates["gate began"].wait(PATIENCE)
    assert client.runs.cancel(handle.run_id, why="wrong order", by="bob") is True
    gates["gate"].set()
    assert isinstance(handle.exception(PATIENCE), perdure.RunCancelledError)
    assert client.runs.retry(handle.run_id) is True
    assert again(handle) == ["GATE", "AFTER"]
    assert ran.count("after") == 1
    [cancel, retry] = client.runs.get(handle.run_id).steered
    assert (cancel.who, cancel.action, cancel.detail) == ("bob", "cancel", "wrong order")
    assert (retry.action, retry.detail) == ("retry", "it was cancelled")


@pytest.mark.usefixtures("app")
def test_a_run_starts_anew_from_a_step(client: perdure.Client) -> None:
    """By name or key; what was recorded before stays; from the beginning nothing does."""
    handle = perdure.start(three)
    assert handle.result(PATIENCE) == ["A", "B", "C"]
    keys = [step.key for step in client.runs.get(handle.run_id).steps]
    ran.clear()
    client.runs.restart(handle.run_id, keys[1])
    assert again(handle) == ["A", "B", "C"]
    assert ran == ["b", "c"]
    perdure.runs.restart(handle.run_id)
    assert again(handle) == ["A", "B", "C"]
    assert ran == ["b", "c", "a", "b", "c"]


@pytest.mark.usefixtures("app")
def test_what_was_received_after_the_step_is_received_again(client: perdure.Client) -> None:
    """A message that was consumed waits for the new life; a send is sent anew."""
    handle = perdure.start(receives)
    perdure.start(sends, handle.run_id).result(PATIENCE)
    assert handle.result(PATIENCE) == ["A", "HELLO", "B"]
    ran.clear()
    client.runs.restart(handle.run_id)
    assert again(handle) == ["A", "HELLO", "B"]
    assert ran == ["a", "b"]


@pytest.mark.usefixtures("app")
def test_a_restarted_run_expects_no_branches_of_its_former_life(client: perdure.Client) -> None:
    """The children that were made there are there, and nobody asks for them."""
    handle = perdure.start(maps)
    assert handle.result(PATIENCE) == ["A", "X", "Y"]
    for step in (None, "work"):
        client.runs.restart(handle.run_id, step)
        assert perdure.handle(handle.run_id).result(PATIENCE) == ["A", "X", "Y"]


@pytest.mark.usefixtures("app")
def test_a_restarted_parent_makes_children_of_its_own(client: perdure.Client) -> None:
    """Those of its former life are none of it."""
    handle = perdure.start(parent)
    assert handle.result(PATIENCE) == ["X", "Y"]
    former = {run.run_id for run in client.runs.list(parent=handle.run_id)}
    ran.clear()
    client.runs.restart(handle.run_id)
    assert again(handle) == ["X", "Y"]
    assert sorted(ran) == ["before x", "before y", "begin", "x", "y"]
    assert len(client.runs.list(parent=handle.run_id)) == len(former) + 2
    ran.clear()
    client.runs.restart(handle.run_id, "0")
    assert again(handle) == ["X", "Y"]
    assert sorted(ran) == ["before x", "before y", "begin", "x", "y"]


@pytest.mark.usefixtures("app")
def test_what_was_undone_is_done_again(client: perdure.Client) -> None:
    """A retry begins before the first effect that was undone; a new failure undoes it once more."""
    broken.add("shipped")
    handle = perdure.start(saga)
    assert handle.exception(PATIENCE) is not None
    perdure.handle(f"{handle.run_id}:undo").result(PATIENCE)
    assert ran == ["paid", "shipped", "undo paid"]
    with pytest.raises(perdure.SteeringError, match="was undone"):
        client.runs.restart(handle.run_id, "work")
    client.runs.retry(handle.run_id)
    assert isinstance(perdure.handle(handle.run_id).exception(PATIENCE), OSError)
    assert perdure.handle(f"{handle.run_id}:undo:1").result(PATIENCE)
    assert ran == ["paid", "shipped", "undo paid"] * 2
    broken.clear()
    client.runs.retry(handle.run_id)
    assert again(handle) == "SHIPPED"
    assert ran[-2:] == ["paid", "shipped"]


@pytest.mark.usefixtures("app")
def test_what_is_in_the_way_is_said(client: perdure.Client) -> None:
    """Runs that are not there, are held, have no such step, or whose parent goes by them; nothing half done."""
    handle = perdure.start(gated)
    assert gates["gate began"].wait(PATIENCE)
    for steer in (client.runs.pause, client.runs.resume, client.runs.retry, client.runs.restart, client.runs.delete):
        with pytest.raises(perdure.RunNotFoundError):
            steer("nobody")
        with pytest.raises(perdure.UsageError, match="give one"):
            steer()
        with pytest.raises(perdure.UsageError, match="not both"):
            steer(handle.run_id, dry_run=True)  # type: ignore[call-overload]
    with pytest.raises(perdure.SteeringError, match="is held by worker"):
        client.runs.restart(handle.run_id)
    affected = client.runs.restart(workflow=gated, status="held")
    assert (affected.count, affected.refused) == (0, {})
    gates["gate"].set()
    handle.result(PATIENCE)
    with pytest.raises(perdure.SteeringError, match=r"recorded nothing that is called 'nothing'.* --json` has them"):
        client.runs.restart(handle.run_id, "nothing")
    lines = perdure.start(three)
    lines.result(PATIENCE)
    with pytest.raises(
        perdure.SteeringError, match=r"3 times: give the key of one of them, which .* --json` has: 0, 1, 2"
    ):
        client.runs.fork(lines.run_id, "work")


@pytest.mark.usefixtures("app")
def test_many_are_retried_by_a_filter(client: perdure.Client) -> None:
    """Children with their parents, however they are found; a preview does nothing."""
    broken.update(("x", "b"))
    handles: list[perdure.Handle[Any]] = [perdure.start(workflow) for workflow in (parent, three, gathers)]
    for handle in handles:
        assert handle.exception(PATIENCE) is not None
    broken.clear()
    until(lambda: len(client.runs.list(workflow=child, status="failed")) == 2)
    preview = client.runs.retry(id_prefix="0", dry_run=True)
    assert (preview.count, preview.dry_run) == (5, True)
    assert client.runs.retry(id_prefix="0").count > 2
    assert [again(handle) for handle in handles] == [["X", "Y"], ["A", "B", "C"], ["X", "Y"]]


@pytest.mark.usefixtures("app")
def test_a_workflow_steers_runs() -> None:
    """Recorded, as a step is."""
    target = perdure.start(three)
    target.result(PATIENCE)
    assert perdure.start(steers, target.run_id).result(PATIENCE) == [False, False, 0, ["A", "B", "C"]]
    assert perdure.start(asteers, target.run_id).result(PATIENCE) == [False, False]


@pytest.mark.usefixtures("app")
def test_a_run_whose_retries_are_used_up_asks_people(client: perdure.Client) -> None:
    """Again and again; once that is mended it goes on, and its attempts are all kept."""
    for workflow in (asks_people, asks_beside, insists):
        broken.add("b")
        handle = perdure.start(workflow) if workflow is not insists else perdure.start(insists, "b")  # type: ignore[call-overload]
        assert isinstance(handle.exception(PATIENCE), perdure.RunStuckError)
        run = client.runs.get(handle.run_id).run
        assert (run.status, run.stopped, run.needs_mend) == ("parked", "retries", False)
        assert "has failed 2 times" in str(run.reason)
        assert client.runs.resume(handle.run_id) is True
        until(lambda run_id=handle.run_id: "has failed 4 times" in str(client.runs.get(run_id).run.reason))  # type: ignore[misc]
        broken.clear()
        assert client.runs.resume(handle.run_id) is True
        assert again(handle) == ("B" if workflow is insists else ["A", "B", "C"])
        assert ran.count("b") == 5
        ran.clear()
