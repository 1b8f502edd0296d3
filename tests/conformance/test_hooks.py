"""`hook`, `resolve`, `reject`: one answer, never lost, never twice, whatever the run does meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import pydantic
import pytest

import perdure
from perdure import (
    HookAnswerError,
    HookClosedError,
    HookNotFoundError,
    HookRejectedError,
    HookResolvedError,
    Perdure,
    UsageError,
    WaitTimeoutError,
    hook,
    reject,
    resolve,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@dataclass(frozen=True)
class Approval:
    """A person's word."""

    approved: bool
    note: str = ""


class Delivery(pydantic.BaseModel):
    """A webhook's."""

    order: int = pydantic.Field(gt=0)
    tags: list[str] = []


def token_of(handle: perdure.Handle[Any]) -> str:
    """The token of the only hook that the run has open."""

    def opened() -> list[str]:
        return [one.token for one in perdure.runs.get(handle.run_id).hooks if one.state == "open"]

    until(opened)
    [token] = opened()
    return token


@workflow
def ask(tp: str) -> Any:
    """Waits for one answer, and then for all of it again on replay."""
    answer = hook(TYPES[tp], question="Really?").wait()
    replay()
    return [type(answer).__name__, repr(answer)]


@workflow
async def aask(tp: str) -> Any:
    """The same, async."""
    answer = await hook(TYPES[tp])
    await areplay()
    return [type(answer).__name__, repr(answer)]


TYPES: dict[str, Any] = {
    "dataclass": Approval,
    "model": Delivery,
    "bool": bool,
    "union": Approval | None,
    "literal": Literal["yes", "no"],
    "list": list[Approval],
    "any": Any,
}
ASKERS = pytest.mark.parametrize("asker", [ask, aask], ids=["sync", "async"])


@ASKERS
@pytest.mark.parametrize(
    ("tp", "value", "got"),
    [
        ("dataclass", {"approved": True}, Approval(True)),
        ("dataclass", Approval(False, "no"), Approval(False, "no")),
        ("model", {"order": 3}, Delivery(order=3)),
        ("bool", False, False),
        ("union", None, None),
        ("list", [{"approved": True}], [Approval(True)]),
        ("any", {"$tuple": [1]}, {"$tuple": [1]}),
    ],
)
def test_the_answer_is_of_the_type(asker: Any, tp: str, value: Any, got: Any) -> None:
    """Made of plain data, or given as it is; the same on replay."""
    handle = perdure.start(asker, tp)
    resolve(token_of(handle), value)
    assert handle.result(PATIENCE_SECONDS) == [type(got).__name__, repr(got)]


@ASKERS
def test_a_parked_run_is_woken_by_its_answer(app: Perdure, asker: Any) -> None:
    """It has left memory, and comes back for it."""
    handle = perdure.start(asker, "bool")
    until(lambda: state_of(app, handle.run_id) == "parked")
    resolve(token_of(handle), True)
    assert handle.result(PATIENCE_SECONDS) == ["bool", "True"]


@pytest.mark.parametrize(
    ("tp", "value", "told"),
    [
        ("dataclass", {"approved": 1}, r"\$\.approved is a number, not of type boolean"),
        ("dataclass", {}, r"has no 'approved'"),
        ("dataclass", "yes", r"\$ is a string"),
        ("model", {"order": 0}, r"\$\.order is not above 0"),
        ("model", {"order": 1, "tags": [1]}, r"\$\.tags\[0\] is a number"),
        ("bool", object(), "has no JSON form"),
        ("union", [], "none of what is allowed"),
        ("literal", "maybe", "none of"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_where_it_is_given(tp: str, value: Any, told: str) -> None:
    """The hook stays open, and the run knows nothing of it."""
    handle = perdure.start(ask, tp)
    token = token_of(handle)
    with pytest.raises(HookAnswerError, match=told) as caught:
        resolve(token, value)
    assert caught.value.token == token
    assert token_of(handle) == token
    handle.cancel()


@step
def work(name: str) -> None:
    """A body that the test lets end."""
    ran.append(name)
    await_signal(name)


@workflow
def busy_first() -> object:
    """It is held by a step when the answer comes, and does not wait yet."""
    asked = hook(bool, token="busy first")  # noqa: S106  # chosen, for the test
    work("busy")
    return asked.wait()


def test_an_answer_that_comes_before_anybody_waits_is_kept() -> None:
    """While the run is held, and its code is somewhere else."""
    handle = perdure.start(busy_first)
    until(lambda: "busy" in ran)
    resolve("busy first", True)
    signals["busy"].set()
    assert handle.result(PATIENCE_SECONDS) is True


def test_the_first_answer_counts() -> None:
    """The second one is told so, whether the first was received or not; the same again by its key is success."""
    handle = perdure.start(busy_first)
    until(lambda: "busy" in ran)
    resolve("busy first", False, key="delivery 1")
    resolve("busy first", True, key="delivery 1")
    with pytest.raises(HookResolvedError, match="resolved before"):
        resolve("busy first", True)
    with pytest.raises(HookResolvedError):
        reject("busy first", "no")
    signals["busy"].set()
    assert handle.result(PATIENCE_SECONDS) is False
    with pytest.raises(HookResolvedError):
        resolve("busy first", True, key="delivery 2")
    resolve("busy first", True, key="delivery 1")


def test_nobody_answers_what_is_not_there() -> None:
    """No such token; or its run has ended."""
    with pytest.raises(HookNotFoundError, match="there is no hook 'nobody'"):
        resolve("nobody", 1)
    handle = perdure.start(ask, "bool")
    token = token_of(handle)
    handle.cancel()
    until(lambda: handle.status() == "cancelled")
    with pytest.raises(HookClosedError, match="its run has ended \\(cancelled\\)"):
        resolve(token, True)
    assert perdure.runs.get(handle.run_id).hooks[0].state == "ended"


@workflow
def told_no() -> list[str]:
    """Rejected twice: by an error of a known class, and by a text."""
    told = []
    for name in ("first", "second"):
        try:
            hook(bool, token=name).wait()
        except (ZeroDivisionError, HookRejectedError) as error:
            told.append(f"{type(error).__name__}: {error}")
    replay()
    return told


@workflow
async def atold_no() -> list[str]:
    """The same, async."""
    told = []
    for name in ("first", "second"):
        try:
            await hook(bool, token=name)
        except (ZeroDivisionError, HookRejectedError) as error:
            told.append(f"{type(error).__name__}: {error}")
    await areplay()
    return told


@pytest.mark.parametrize("asker", [told_no, atold_no], ids=["sync", "async"])
def test_a_rejection_is_raised_where_the_run_waits(asker: Any) -> None:
    """And again on replay."""
    handle = perdure.start(asker)
    assert token_of(handle) == "first"
    reject("first", ZeroDivisionError("of the webhook"))
    until(lambda: [one.state for one in perdure.runs.get(handle.run_id).hooks] == ["resolved", "open"])
    reject("second", "not today")
    assert handle.result(PATIENCE_SECONDS) == [
        "ZeroDivisionError: of the webhook",
        "HookRejectedError: not today",
    ]


@workflow
def in_time() -> list[Any]:
    """Two that are too late, with and without a default; each is so again."""
    late, with_default = hook(bool, timeout=0.02), hook(bool, timeout=0.02, default="nobody")
    told = []
    for _ in range(2):
        try:
            late.wait()
        except WaitTimeoutError as error:
            told.append("too late" if "0.02 s" in str(error) else str(error))
    got = [*told, with_default.wait(), with_default.wait()]
    replay()
    return [*got, late.token]


@workflow
async def ain_time() -> list[Any]:
    """The same, async."""
    late, with_default = hook(bool, timeout=0.02), hook(bool, timeout=0.02, default="nobody")
    told = []
    for _ in range(2):
        try:
            await late
        except WaitTimeoutError as error:
            told.append("too late" if "0.02 s" in str(error) else str(error))
    got = [*told, await with_default, await with_default]
    await areplay()
    return [*got, late.token]


@pytest.mark.parametrize("asker", [in_time, ain_time], ids=["sync", "async"])
def test_after_its_timeout_a_hook_takes_no_answer(asker: Any) -> None:
    """Whoever comes then is told so; on replay it stays too late."""
    handle = perdure.start(asker)
    *told, token = handle.result(PATIENCE_SECONDS)
    assert told == ["too late", "too late", "nobody", "nobody"]
    with pytest.raises(HookClosedError):
        resolve(token, True)


@workflow
def reminded() -> list[Any]:
    """A wait that a block ends leaves the hook open; whoever waits after the answer gets it again."""
    asked = hook(str, token="reminded")  # noqa: S106  # chosen, for the test
    got: list[Any] = []
    try:
        with perdure.timeout(0.02):
            asked.wait()
    except WaitTimeoutError:
        got.append("reminded")
    replay()
    signals["now"].set()
    return [*got, asked.wait(), asked.wait()]


@workflow
async def areminded() -> list[Any]:
    """The same, async; and by the cancellation of a task."""
    asked = hook(str, token="reminded")  # noqa: S106  # chosen, for the test
    got: list[Any] = []
    given_up = asyncio.create_task(asked.wait())  # type: ignore[arg-type]  # a coroutine here
    await asyncio.sleep(0)
    given_up.cancel()
    try:
        async with perdure.timeout(0.02):
            await asked
    except WaitTimeoutError:
        got.append("reminded")
    await areplay()
    signals["now"].set()
    return [*got, await asked, await asked]


@pytest.mark.parametrize("asker", [reminded, areminded], ids=["sync", "async"])
def test_a_wait_that_is_given_up_leaves_the_hook_open(asker: Any) -> None:
    """And a later wait gets the answer."""
    handle = perdure.start(asker)
    await_signal("now")
    resolve("reminded", "done")
    assert handle.result(PATIENCE_SECONDS) == ["reminded", "done", "done"]


@workflow
async def several(count: int) -> list[int]:
    """Branches that wait for a hook each."""
    hooks = [hook(int, token=f"several {number}") for number in range(count)]
    got = await asyncio.gather(*(one.wait() for one in hooks))  # type: ignore[call-overload]  # as above
    await areplay()
    return list(got)


def test_each_branch_gets_the_answer_to_its_hook() -> None:
    """In whatever order they come."""
    handle = perdure.start(several, 4)
    until(lambda: len(perdure.runs.get(handle.run_id).hooks) == 4)
    for number in (2, 0, 3, 1):
        resolve(f"several {number}", number)
    assert handle.result(PATIENCE_SECONDS) == [0, 1, 2, 3]


@workflow
async def twice() -> str:
    """Two branches wait for one hook."""
    asked = hook(token="twice")  # noqa: S106  # chosen, for the test
    first = asyncio.create_task(asked.wait())
    await asyncio.sleep(0)
    try:
        await asked
    except UsageError as error:
        first.cancel()
        return f"{error} {asked!r}"
    return "both"


@workflow
def a_wrong_type() -> str:
    """What is no type, and what is no question."""
    told = []
    for tp, question in ((5, None), (bool, "\x00")):
        try:
            hook(tp, question=question)
        except UsageError as error:
            told.append(str(error))
    return " ".join(told)


def test_bad_input_is_refused_where_it_is_given() -> None:
    """Before anything happens."""
    with pytest.raises(UsageError, match="opened by a workflow"):
        hook(bool)
    with pytest.raises(UsageError, match="resolve: token"):
        resolve("", 1)
    with pytest.raises(UsageError, match="at most 200 characters"):
        resolve("x" * 201, 1)
    with pytest.raises(UsageError, match="reject: error"):
        reject("x", 5)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(UsageError, match="resolve: key"):
        resolve("x", 1, key="")
    with pytest.raises(UsageError, match="Perdure's own"):
        perdure.send("x", 1, topic="perdure:hook:x")
    told = perdure.start(twice).result(PATIENCE_SECONDS)
    assert "another branch of the run waits for this hook" in told
    assert "<Hook of run" in told
    told = perdure.start(a_wrong_type).result(PATIENCE_SECONDS)
    assert "give the type of the answer" in told
    assert "hook: question: give a text" in told
