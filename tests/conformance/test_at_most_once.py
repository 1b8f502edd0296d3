"""A step by itself that may run at most once, and workers that end while they hold it."""

from __future__ import annotations

import functools
import uuid

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals
from tests.conformance.test_lives import wake
from tests.inside.stores import ClaimRequest, open_store
from tests.stores.entries import worker

running = functools.partial(perdure.running, **SETTINGS)


@step(at_most_once=True)
def once(name: str) -> str:
    """Never repeated."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


def test_a_step_that_may_run_at_most_once_runs_although_its_first_worker_died_before_it_began(url: str) -> None:
    """To be held is not to have run: only a recorded beginning rules out another."""
    with running(url) as app:
        assert app._runtime is not None
        perdure.with_options(id="r", delay=3600).start(once, "alone")
    wake(url)
    die_holding_it(url)
    signals["alone"].set()
    with running(url):
        assert perdure.handle("r").result(20) == "alone"
    assert ran == ["alone"]


def test_a_step_by_itself_that_may_run_at_most_once_is_not_begun_twice(url: str) -> None:
    """Its process left while the body ran: whether it took effect is not known, and it says so."""
    with running(url) as app:
        perdure.with_options(id="r").start(once, "alone")
        await_signal("alone began")
        app.shutdown(0)
    signals["alone"].set()
    with running(url), pytest.raises(perdure.StepInterruptedError, match="at most once") as raised:
        perdure.handle("r").result(20)
    assert (raised.value.run_id, raised.value.step) == ("r", once.__perdure__.name)  # type: ignore[attr-defined]
    assert ran == ["alone"]


@workflow
def handles_the_unknown() -> str:
    """It looks whether the step took effect, and goes on."""
    try:
        return once("inside")
    except perdure.StepInterruptedError as error:
        perdure.sleep(0.1)
        return f"asked about {error.step}"


def test_a_step_that_was_cut_off_in_a_workflow_is_an_outcome_of_its_own(url: str) -> None:
    """The workflow can tell it from all other errors, and does at every replay."""
    with running(url) as app:
        perdure.with_options(id="w").start(handles_the_unknown)
        await_signal("inside began")
        app.shutdown(0)
    signals["inside"].set()
    with running(url):
        assert perdure.handle("w").result(20) == f"asked about {once.__perdure__.name}"  # type: ignore[attr-defined]
    assert ran == ["inside"]


def die_holding_it(url: str) -> None:
    """A worker claims the run and is never heard of again."""
    store = open_store(url)
    store.migrate()
    mortal, heir = str(uuid.uuid4()), str(uuid.uuid4())
    for worker_id in (mortal, heir):
        store.workers.join(worker(worker_id), 30.0)
    (claimed,) = store.claim(mortal, ClaimRequest({"": 1}, [once.__perdure__.name]), [str(uuid.uuid4())]).runs  # type: ignore[attr-defined]
    assert claimed.run_id == "r"
    assert store.workers.take_over(mortal) == ["r"]
    store.workers.leave(heir)
    store.close()
