"""Who resolves a hook: a run, a step, an event loop; tokens of one's own; and what is shown of what waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

import perdure
from perdure import (
    Hook,
    HookNotFoundError,
    HookResolvedError,
    HookTakenError,
    hook,
    reject,
    resolve,
    step,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay, until
from tests.conformance.test_hooks import ASKERS, Approval, ask, token_of

pytestmark = pytest.mark.usefixtures("app")


@workflow
def answers(token: str, value: Any) -> list[str]:
    """Resolves from a run, and once more on replay; then what cannot be."""
    resolve(token, value)
    told = []
    for what, said in ((token, value), ("nobody", value)):
        try:
            reject(what, ZeroDivisionError(str(said)))
        except (HookResolvedError, HookNotFoundError) as error:
            told.append(type(error).__name__)
    replay()
    return told


@workflow
async def aanswers(token: str, value: Any) -> list[str]:
    """The same, async."""
    await resolve(token, value)
    told = []
    for what, said in ((token, value), ("nobody", value)):
        try:
            await reject(what, ZeroDivisionError(str(said)))
        except (HookResolvedError, HookNotFoundError) as error:
            told.append(type(error).__name__)
    await areplay()
    return told


@pytest.mark.parametrize("answerer", [answers, aanswers], ids=["sync", "async"])
@ASKERS
def test_a_run_resolves_once_however_often_it_is_replayed(asker: Any, answerer: Any) -> None:
    """What could not be is recorded, too."""
    handle = perdure.start(asker, "dataclass")
    by = perdure.start(answerer, token_of(handle), {"approved": True})
    assert by.result(PATIENCE_SECONDS) == ["HookResolvedError", "HookNotFoundError"]
    assert handle.result(PATIENCE_SECONDS) == ["Approval", "Approval(approved=True, note='')"]


@workflow
def takes(token: str) -> str:
    """Opens a hook under a token that may be taken; and once more on replay."""
    try:
        opened: Hook[Any] = hook(token=token)
    except HookTakenError as error:
        replay()
        return f"taken: {error.token}"
    replay()
    return str(opened.wait())


def test_a_token_of_ones_own_is_one_hooks_until_that_is_over() -> None:
    """Who comes second is told so, on replay too; after the run's end it is free."""
    first = perdure.start(takes, "own token")
    until(lambda: perdure.runs.get(first.run_id).hooks)
    assert perdure.start(takes, "own token").result(PATIENCE_SECONDS) == "taken: own token"
    resolve("own token", "yes", key="k")
    assert first.result(PATIENCE_SECONDS) == "yes"
    again = perdure.start(takes, "own token")
    until(lambda: perdure.runs.get(again.run_id).hooks)
    resolve("own token", "again", key="k")  # a key of this hook, not of the other one
    assert again.result(PATIENCE_SECONDS) == "again"


@workflow
def asks_twice(token: str) -> list[str]:
    """One hook after the other, under one token."""
    return [hook(str, token=token).wait() for _ in range(2)]


@workflow
async def aasks_twice(token: str) -> list[str]:
    """The same, async."""
    return [await hook(str, token=token) for _ in range(2)]


@pytest.mark.parametrize("asker", [asks_twice, aasks_twice], ids=["sync", "async"])
def test_a_run_asks_again_under_its_token(asker: Any) -> None:
    """The token is free when its answer was received, though that is not committed yet."""
    handle = perdure.start(asker, asker.__name__)
    for answer in ("first", "second"):

        def is_answered(answer: str = answer) -> bool:
            with suppress(HookNotFoundError, HookResolvedError):
                resolve(asker.__name__, answer)
                return True
            return handle.done()

        until(is_answered)
    assert handle.result(PATIENCE_SECONDS) == ["first", "second"]


def test_hooks_are_answered_from_an_event_loop() -> None:
    """Awaited in a coroutine; a sync function that the loop calls has resolved when it returns."""
    handles = [perdure.start(ask, "bool") for _ in range(2)]
    tokens = [token_of(handle) for handle in handles]

    def from_sync_code() -> None:
        resolve(tokens[1], True)

    async def main() -> None:
        await resolve(tokens[0], False)
        from_sync_code()
        with pytest.raises(HookNotFoundError):
            await resolve("nobody", 1)
        with pytest.raises(HookResolvedError):
            await reject(tokens[0], "no")

    asyncio.run(main())
    assert [handle.result(PATIENCE_SECONDS)[1] for handle in handles] == ["False", "True"]


@step
def hands_out(token: str) -> None:
    """A body that answers by itself, as a test page would."""
    resolve(token, {"approved": True}, key=perdure.idempotency_key())
    resolve(token, {"approved": True}, key=perdure.idempotency_key())


@workflow
def answered_by_its_step() -> bool:
    """The hook is durable when the step begins."""
    asked = hook(Approval)
    hands_out(asked.token)
    return asked.wait().approved


def test_a_hook_is_durable_before_its_token_leaves() -> None:
    """Its own step can resolve it."""
    assert answered_by_its_step() is True


def test_what_waits_for_an_answer_is_shown() -> None:
    """With what it must be; the token is in no repr."""
    handle = perdure.start(ask, "dataclass")
    token = token_of(handle)
    [shown] = [one for one in perdure.runs.hooks() if one.run_id == handle.run_id]
    assert (shown.token, shown.state, shown.question, shown.due_at) == (token, "open", "Really?", None)
    assert shown.type.endswith("test_hooks:Approval")
    assert shown.schema is not None
    assert "approved" in str(shown.schema)
    handle.cancel()
    until(lambda: handle.status() == "cancelled")
    assert [one for one in perdure.runs.hooks() if one.run_id == handle.run_id] == []
