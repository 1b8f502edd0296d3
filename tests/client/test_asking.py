"""A client asks runs: without their code, while they are held, parked, and when they have ended."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import perdure
from perdure import (
    Client,
    QueryNotFoundError,
    RunEndedError,
    RunNotFoundError,
    UpdateRefusedError,
    UsageError,
    WaitTimeoutError,
    on_query,
    on_update,
    recv,
    workflow,
)

PATIENCE_SECONDS = 20


def refuse_bad(word: str) -> None:
    """Refuses one thing."""
    if word == "bad":
        raise ValueError("bad")


@workflow
def listens() -> list[str]:
    """Takes words until it is told to end."""
    words: list[str] = []

    def add(word: str) -> int:
        words.append(word)
        return len(words)

    on_query("words", lambda: list(words))
    on_query("wrong", lambda: recv())
    on_update("add", add, validate=refuse_bad)
    recv("end")
    return words


@workflow
async def alistens() -> list[str]:
    """The same, async."""
    words: list[str] = []

    async def add(word: str) -> int:
        await perdure.sleep(0.001)
        words.append(word)
        return len(words)

    on_query("words", lambda: list(words))
    on_query("wrong", lambda: recv())
    on_update("add", add, validate=refuse_bad)
    await recv("end")
    return words


def until_state(client: Client, run_id: str, state: str) -> None:
    """Wait for it; nobody signals it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while client.handle(run_id).status() != state:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("function", [listens, alistens], ids=["sync", "async"])
@pytest.mark.parametrize("park_after", [0.0, 60.0], ids=["parked", "held"])
def test_a_client_asks_and_has_things_done(client: Client, store_url: str, function: Any, park_after: float) -> None:
    """By a worker: of a held run by whoever holds it, of any other by a replay."""
    with perdure.running(store_url, park_after_seconds=park_after, poll_seconds=0.2):
        handle = client.handle(client.submit(function).run_id)
        assert handle.update("add", "one", key="k") == 1
        if not park_after:
            until_state(client, handle.run_id, "parked")
        assert handle.query("words") == ["one"]
        assert asyncio.run(handle.aquery("words")) == ["one"]
        with pytest.raises(UpdateRefusedError):
            handle.update("add", "bad")
        with pytest.raises(QueryNotFoundError):
            handle.query("others")
        with pytest.raises(UsageError, match="made a durable call"):
            handle.query("wrong")
        assert asyncio.run(handle.aupdate("add", "two")) == 2
        perdure.send(handle.run_id, "end", topic="end")
        assert handle.result(PATIENCE_SECONDS) == ["one", "two"]
        assert handle.query("words") == ["one", "two"]
        assert handle.update("add", "one", key="k") == 1
        with pytest.raises(RunEndedError):
            handle.update("add", "late")
    assert client.opened().store.said.replies(["01a22498-2b8e-7af7-ac34-1b38b26b9dec"])[0].answer is None


def test_a_question_that_nobody_can_answer_is_taken_back(client: Client, store_url: str) -> None:
    """No worker is there; nothing of it is left."""
    handle = client.submit(listens)
    with pytest.raises(WaitTimeoutError, match="no worker has its code"):
        handle.query("words", timeout=0.1)
    with pytest.raises(WaitTimeoutError, match="not accepted"):
        handle.update("add", "one", timeout=0.1, key="k")
    with pytest.raises(RunNotFoundError):
        client.handle("nobody").query("words")
    with pytest.raises(RunNotFoundError):
        client.handle("nobody").update("add", "one")
    assert client.opened().store.questions.open("01a22498-2b8e-7af7-ac34-1b38b26b9dec", [], 10) == []
    with perdure.running(store_url, park_after_seconds=0.0, poll_seconds=0.2):
        assert handle.update("add", "one", key="k") == 1
        handle.cancel()


def test_another_worker_asks_whoever_holds_the_run(store_url: str) -> None:
    """Two instances work on one database; the one that does not hold the run has its code, and asks the holder."""
    settings = {"park_after_seconds": 60.0, "poll_seconds": 0.2}
    with perdure.running(store_url, **settings):
        handle = perdure.start(listens)
        assert handle.update("add", "one") == 1
        other = perdure.Perdure(store_url, **settings)
        with other.running():
            theirs = perdure.Handle[list[str]](other._launched(), handle.run_id)
            assert theirs.query("words") == ["one"]
            assert theirs.update("add", "two") == 2
            assert theirs.query("words") == ["one", "two"]
        handle.cancel()
