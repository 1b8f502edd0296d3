"""Call sites of Celery on a Perdure queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import perdure
from perdure.integrations.celery import Result, shared_task, task


@shared_task
def add(a: int, b: int = 0) -> int:
    """A sum."""
    return a + b


@task(queue="celery-mail", retries=1, name="celery.fail")
def fail(word: str) -> None:
    """Fails."""
    raise LookupError(word)


@perdure.workflow
def both() -> int:
    """Calls a task as a step."""
    return add(1) + add.step(2)


@pytest.mark.usefixtures("launched")
def test_delay_and_apply_async_are_runs() -> None:
    """Their results have what call sites ask for."""
    result = add.delay(1, b=2)
    assert (result.get(timeout=20), result.state, result.status, result.ready()) == (3, "SUCCESS", "SUCCESS", True)
    assert (result.successful(), result.failed()) == (True, False)
    assert add(1, 2) == 3
    assert both() == 3
    past = datetime.now(UTC) - timedelta(hours=1)
    for made in (
        add.apply_async((1,), {"b": 2}, countdown=0.05),
        add.apply_async([1], {"b": 2}, eta=past, priority=5),
        add.apply_async(kwargs={"a": 3}),
    ):
        assert made.get(20) == 3


@pytest.mark.usefixtures("launched")
def test_an_error_is_raised_or_given() -> None:
    """As `propagate` says."""
    result = fail.delay("lost")
    with pytest.raises(LookupError, match="lost"):
        result.get(20)
    assert isinstance(result.get(20, propagate=False), LookupError)
    assert (result.state, result.failed()) == ("FAILURE", True)


@pytest.mark.usefixtures("launched")
def test_a_task_id_makes_one_run() -> None:
    """Of the same arguments; other ones are refused."""
    ids = {add.apply_async((1,), task_id="one").id for _ in range(2)}
    assert ids == {"one"}
    with pytest.raises(perdure.RunExistsError):
        add.apply_async((2,), task_id="one")


@pytest.mark.usefixtures("launched")
def test_a_task_can_be_revoked() -> None:
    """Before it runs."""
    later: Result = add.apply_async((1,), eta=datetime.now(UTC) + timedelta(hours=1))
    assert (later.state, later.ready()) == ("PENDING", False)
    later.revoke()
    with pytest.raises(perdure.RunCancelledError):
        later.get(20)
    assert later.state == "REVOKED"


def test_what_there_is_not_is_refused_and_what_is_in_its_place_is_said() -> None:
    """Where the task is defined, and where it is called."""
    with pytest.raises(perdure.UsageError, match=r"bind= \(instead: perdure\.current"):
        task(bind=True)
    with pytest.raises(perdure.UsageError, match=r"expires= \(instead"):
        add.apply_async((1,), expires=5)
    with pytest.raises(perdure.UsageError, match="with its zone"):
        add.apply_async((1,), eta=datetime(2026, 1, 1))  # that is what is refused
