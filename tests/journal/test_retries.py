"""Attempts and pauses of a step: what the flow asks for, and when it is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Retry
from perdure._core.definitions import Definition
from perdure._core.flow import Attempt, AwaitTime, Chance, NoteRetry, Now, Outcome, Pause, Record, Settle
from perdure._core.flows.attempts import retry as retry_body
from perdure._core.retry import NO_RETRY
from perdure._core.step_call import StepCall
from perdure.errors import UsageError
from tests.journal.scripted import run


def answer(outcomes: list[Outcome], retry: Retry, chance: float) -> tuple[Outcome, int, list[str], list[float]]:
    """Drive the attempts of a step whose body ends so, one time after the other."""

    def body() -> None:
        """Never called: the driver answers in its place."""

    definition = Definition(body, "step", name="app:body", retry=retry)
    flow = retry_body(StepCall(run("r"), definition, "0", (), {}, "f"), outcomes[0], 1, 0.0)
    asked: list[str] = []
    pauses: list[float] = []
    reply: Any = None
    try:
        while True:
            request = flow.send(reply)
            asked.append(type(request).__name__)
            reply = None
            if isinstance(request, Attempt):
                reply = outcomes[request.number - 1]
            elif isinstance(request, Chance):
                reply = chance
            elif isinstance(request, Now):
                reply = sum(pauses)
            elif isinstance(request, Pause):
                pauses.append(request.seconds)
            elif isinstance(request, AwaitTime):
                pauses.append(request.due_at - sum(pauses))
            else:
                assert isinstance(request, Settle | Record | NoteRetry)
    except StopIteration as stop:
        outcome, number = stop.value
    return outcome, number, asked, pauses


def failed(kind: type[BaseException] = ConnectionError) -> Outcome:
    return Outcome(error=kind())


def test_a_failed_attempt_is_repeated_after_a_growing_pause() -> None:
    """Each pause is `factor` times the one before, up to `max_seconds`."""
    retry = Retry(attempts=6, initial_seconds=1.0, factor=3.0, max_seconds=20.0, jitter=False)
    outcome, number, _, pauses = answer([*[failed() for _ in range(5)], Outcome(7)], retry, 0.5)

    assert (outcome.value, number) == (7, 6)
    assert pauses == [1.0, 3.0, 9.0, 20.0, 20.0]


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_jitter_takes_between_half_of_the_pause_and_all_of_it(chance: float, share: float) -> None:
    """By the chance that the host draws."""
    retry = Retry(attempts=2, initial_seconds=8.0)
    *_, pauses = answer([failed(), Outcome(1)], retry, chance)

    assert pauses == [8.0 * share]


def test_after_the_last_attempt_the_error_is_the_outcome() -> None:
    """No pause follows it."""
    errors = [failed(), failed()]
    outcome, number, _, pauses = answer(errors, Retry(attempts=2, jitter=False), 0.0)

    assert outcome is errors[1]
    assert number == 2
    assert len(pauses) == 1


def test_no_attempt_begins_when_its_time_is_over() -> None:
    """The pause counts too: an attempt after it would begin too late."""
    retry = Retry(attempts=100, initial_seconds=10.0, factor=1.0, within_seconds=60.0, jitter=False)

    assert retry.pause_seconds(4, ConnectionError(), 0.0, 50.0) == 10.0
    assert retry.pause_seconds(4, ConnectionError(), 0.0, 51.0) is None
    assert answer([failed() for _ in range(9)], retry, 0.0)[1] == 7


def test_only_the_named_errors_are_tried_again() -> None:
    """Another kind is the outcome at once; so is what is no `Exception`."""
    retry = Retry(attempts=5, on=(ConnectionError, TimeoutError))
    assert answer([failed(TimeoutError), failed(KeyError)], retry, 0.0)[1] == 2
    assert answer([failed(KeyError)], retry, 0.0)[1] == 1
    assert answer([failed(SystemExit)], Retry(attempts=5), 0.0)[1] == 1


def test_every_attempt_is_settled_before() -> None:
    """A sibling's outcome may have travelled to it during the pause."""
    *_, asked, _ = answer([failed(), failed(), Outcome(1)], Retry(attempts=3, initial_seconds=0), 0.0)

    assert asked == ["Chance", "Now", "NoteRetry", "Pause", "Settle", "Attempt"] * 2


def test_what_was_tried_is_recorded_before_a_pause() -> None:
    """A long one is a durable wait; one that is over before a commit would be leaves nothing behind."""
    kinds = {0.01: ["Pause"], 0.5: ["Record", "Pause"], 5.0: ["Record", "AwaitTime"]}
    for seconds, expected in kinds.items():
        policy = Retry(attempts=2, initial_seconds=seconds, jitter=False)
        *_, asked, _ = answer([failed(), Outcome(1)], policy, 0.0)
        assert asked == ["Chance", "Now", "NoteRetry", *expected, "Settle", "Attempt"], seconds


def test_without_a_policy_there_is_one_attempt() -> None:
    """Retrying what may have had an effect is the user's decision."""
    assert answer([failed()], NO_RETRY, 0.0)[1] == 1


@pytest.mark.parametrize(
    "values",
    [{"attempts": 0}, {"initial_seconds": -1}, {"factor": 0}, {"max_seconds": -1}, {"on": "x"}, {"within_seconds": 0}],
)
def test_a_policy_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    """When it is written, not when it is needed."""
    with pytest.raises(UsageError):
        Retry(**values)
