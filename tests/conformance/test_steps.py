"""What a step promises to the workflow that calls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import ran, replay

pytestmark = pytest.mark.usefixtures("app")


@step
def echo(value: Any) -> Any:
    """Give the value back, and leave a line."""
    ran.append("echo")
    return value


@workflow
def echoes(value: Any) -> Any:
    """One step, seen at the first execution and at the replay."""
    ran.append("workflow")
    seen = echo(value)
    replay()
    return seen


@pytest.mark.parametrize(
    "value",
    [None, 0, "", False, [], {}, "\N{SNOWMAN} \U0001f600 e\u0301", "a\0b", "\ud800", {"a": [1, {"b": None}]}, 2**200],
    ids=repr,
)
def test_what_a_step_returned_is_replayed_and_its_body_not_run_again(value: Any) -> None:
    """DBOS, Temporal, Restate; a recorded None or falsy value is an outcome (LangGraph and Absurd had to learn it)."""
    assert echoes(value) == value
    assert ran == ["workflow", "echo", "workflow"]


def test_a_large_value_is_kept_whole() -> None:
    """AWS durable functions checkpoint large results in another way: here five megabytes are a value like any other."""
    text = "0123456789é" * 500_000
    assert echoes(text) == text


@workflow
def loops(times: int) -> list[int]:
    """The same step with the same and with other arguments, in every shape of a loop."""
    seen = [echo(number) for number in range(times)]
    seen += list(map(echo, range(times)))
    seen += list(echo(number) for number in range(times))  # noqa: C400  # a generator expression is meant
    for _ in range(times):
        seen.append(echo(7))
    while len(seen) < 5 * times:
        seen.append(echo(len(seen)))
    replay()
    return seen


def test_a_step_in_a_loop_has_an_outcome_for_every_turn() -> None:
    """Inngest and Absurd number repeated names by themselves; LangGraph matches tasks by their place."""
    assert loops(3) == [0, 1, 2, 0, 1, 2, 0, 1, 2, 7, 7, 7, 12, 13, 14]
    assert ran.count("echo") == 15


def plain(depth: int) -> int:
    """A function that nobody decorated, calling itself and a step."""
    return 0 if depth == 0 else echo(depth) + plain(depth - 1)


@workflow
def nests(depth: int) -> int:
    """Steps far down in plain code."""
    total = plain(depth)
    replay()
    return total


def test_a_step_may_be_called_from_functions_that_are_not_durable() -> None:
    """DBOS and Resonate find the run by its context: no object has to be handed down."""
    assert nests(50) == 1275
    assert ran.count("echo") == 50


@step
def outer(value: int) -> int:
    """A step that calls a step and a workflow."""
    ran.append("outer")
    return echo(value) + inner_workflow(value)


@workflow
def inner_workflow(value: int) -> int:
    """Called in a step it is a plain function."""
    ran.append("inner")
    return value


@workflow
def nested_steps(value: int) -> int:
    """A step in a step."""
    total = outer(value)
    replay()
    return total


def test_a_step_inside_a_step_is_a_part_of_it() -> None:
    """DBOS; Inngest (inngest-py#223) and Restate refuse it, here the outer one is what is recorded."""
    assert nested_steps(2) == 4
    assert ran == ["outer", "echo", "inner"]


def test_outside_a_run_a_step_is_a_plain_call() -> None:
    """DBOS: a step may be tested and used without a workflow."""
    unstorable = object()
    assert echo(unstorable) is unstorable


@step
def signature(first: int, /, second: int = 2, *rest: int, key: str = "k", **others: int) -> list[Any]:
    """Every kind of parameter."""
    ran.append("signature")
    return [first, second, rest, key, others]


@workflow
def signatures() -> list[Any]:
    """Every way to pass them."""
    seen = [signature(1), signature(1, second=3), signature(1, 3, 4, 5), signature(1, key="x", extra=6)]
    replay()
    return seen


def test_every_kind_of_parameter_can_be_passed() -> None:
    """Temporal takes positional arguments only; a Python decorator should take what the function takes."""
    assert signatures() == [
        [1, 2, (), "k", {}],
        [1, 3, (), "k", {}],
        [1, 3, (4, 5), "k", {}],
        [1, 2, (), "x", {"extra": 6}],
    ]
    assert ran.count("signature") == 4


def test_wrong_arguments_are_a_type_error_and_run_nothing() -> None:
    """Plain Python, before anything is recorded."""
    with pytest.raises(TypeError, match="signature"):
        bad_call()
    assert ran == []


@workflow
def bad_call() -> Any:
    """It passes too little."""
    return signature()  # type: ignore[call-arg]


@step
def remembers(item: int, seen: list[int] = []) -> list[int]:  # noqa: B006  # the trap is meant
    """Python's famous default."""
    seen.append(item)
    return list(seen)


@workflow
def defaults() -> list[list[int]]:
    """Two calls that share a default in the process."""
    seen = [remembers(1), remembers(2)]
    replay()
    return seen


def test_a_mutable_default_replays_as_what_was_returned() -> None:
    """Its memory belongs to the process, the outcome to the run."""
    first = len(remembers(0))
    assert [len(seen) for seen in defaults()] == [first + 1, first + 2]


@step
def spoils(items: list[int]) -> int:
    """Change what was passed."""
    items.append(99)
    return len(items)


@workflow
def passes_a_list() -> list[int]:
    """Its own list must not depend on whether the body ran in this process."""
    items = [1, 2]
    spoils(items)
    echo(items)
    replay()
    return items


def test_what_a_step_does_to_its_argument_stays_in_the_step() -> None:
    """Restate and AWS warn of it; what is not recorded must not travel, or a replay would differ."""
    assert passes_a_list() == [1, 2]


@workflow
def changes_its_result() -> list[list[int]]:
    """The workflow changes what it was given, and asks again."""
    items = echo([1])
    items.append(2)
    again = echo([1])
    replay()
    return [items, again]


def test_what_a_workflow_does_to_a_result_is_not_recorded() -> None:
    """LangGraph (langgraph#4168) had checkpoints that changed when the state was mutated."""
    assert changes_its_result() == [[1, 2], [1]]


@workflow
def passes(kind: str) -> str:
    """Arguments that are no data."""
    values = {"generator": (n for n in range(3)), "function": len, "lambda": lambda: 1, "object": object()}
    try:
        echo({"outer": [values[kind]]})
    except perdure.SerializationError as error:
        replay()
        return f"{error.path} {error}"
    return "accepted"


@pytest.mark.parametrize("kind", ["generator", "function", "lambda", "object"])
def test_an_argument_that_is_no_data_is_refused_before_the_body(kind: str) -> None:
    """DBOS (dbos-transact-py#435): the error must say which value of which call is meant."""
    message = passes(kind)
    assert "$" in message
    assert "outer" in message
    assert "echo" in message
    assert ran == []


@step
def unstorable() -> Any:
    """A result that is no data."""
    ran.append("unstorable")
    return {"deep": [object()]}


@workflow
def gets_unstorable() -> str:
    """It outlives that."""
    try:
        unstorable()
    except perdure.SerializationError as error:
        replay()
        return str(error)
    return "accepted"


def test_a_result_that_is_no_data_is_an_error_that_is_recorded() -> None:
    """AWS and DBOS: the body has run and must not run again for this."""
    assert "unstorable" in gets_unstorable()
    assert ran == ["unstorable"]


@contextmanager
def bracket() -> Iterator[int]:
    """Steps around a block."""
    yield echo(1)
    echo(2)


@workflow
def control_flow() -> list[int]:
    """Steps in every corner of the language."""
    seen = []
    with bracket() as one:
        seen.append(one)
    try:
        seen.append(int("three"))
    except ValueError:
        seen.append(echo(3))
    finally:
        seen.append(echo(4))
    seen.extend(sorted([2, 1], key=echo))
    seen.append(echo(5) if echo(True) else echo(6))
    seen.append(partial(echo, 7)())
    replay()
    return seen


def test_a_step_may_stand_wherever_a_call_may() -> None:
    """Plain Python is the workflow language: no step lists, no graphs (Hatchet's DAGs, LangGraph's nodes)."""
    assert control_flow() == [1, 3, 4, 1, 2, 5, 7]
    assert ran.count("echo") == 9


@step(retries=perdure.Retry(attempts=3, initial_seconds=0))
def keyed() -> str:
    """Tell the key of every attempt."""
    ran.append(perdure.idempotency_key())
    if len(ran) % 3:
        raise OSError("again")
    return perdure.idempotency_key()


@workflow
def keys() -> list[str]:
    """Two calls of three attempts."""
    seen = [keyed(), keyed()]
    replay()
    return seen


def test_the_idempotency_key_is_of_the_call_and_not_of_the_attempt() -> None:
    """Temporal's advice to derive a key from run and activity id; Stripe-like services tell a repetition by it."""
    first, second = keys()
    assert first != second
    assert ran == [first] * 3 + [second] * 3
    with pytest.raises(perdure.UsageError, match="body of a step"):
        perdure.idempotency_key()


@workflow
def nothing() -> None:
    """A workflow without a step."""
    ran.append("nothing")


def test_a_workflow_without_steps_or_value_succeeds() -> None:
    """The least program of every system."""
    assert nothing() is None
    assert ran == ["nothing"]
