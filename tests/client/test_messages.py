"""A client sends to runs that others execute."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import perdure
from perdure import Client, Message, RunEndedError, RunNotFoundError, UsageError


@perdure.workflow
def collects(count: int) -> list[Any]:
    """The messages, in their order."""
    return [perdure.recv("to you") for _ in range(count)]


def test_a_client_sends(client: Client, store_url: str) -> None:
    """Before anybody works, by id and by handle, several at once, from an event loop; under a key once."""

    async def main(run_id: str) -> None:
        await client.asend(run_id, 3, topic="to you")
        await client.asend_many([(run_id, 4, "to you"), Message(run_id, 5, "to you", "k")])
        await perdure.send(client.handle(run_id), 6, topic="to you")

    handle = client.submit(collects, 6)
    client.send(handle, 1, topic="to you")
    client.send(handle.run_id, 2, topic="to you", key="k2")
    client.send(handle.run_id, 2, topic="to you", key="k2")
    asyncio.run(main(handle.run_id))
    with perdure.running(store_url):
        assert handle.result(20) == [1, 2, 3, 4, 5, 6]


def test_one_that_waits_elsewhere_is_woken(client: Client, store_url: str) -> None:
    """A message reaches a run that has left memory, and one that is held."""
    with perdure.running(store_url, park_after_seconds=0.0):
        handle = client.submit(collects, 3)
        for number in range(3):
            perdure.send(handle, number, topic="to you")  # the handle's own door
        assert handle.result(20) == [0, 1, 2]


def test_who_cannot_be_reached_is_told(client: Client, store_url: str) -> None:
    """As `perdure.send` tells it; and a workflow that would say it at each replay is refused."""
    with pytest.raises(RunNotFoundError, match="nobody"):
        client.send("nobody", 1)
    with perdure.running(store_url):
        handle = client.submit(collects, 0)
        assert handle.result(20) == []
        with pytest.raises(RunEndedError):
            client.send(handle, 1, topic="to you")
        other = client.submit(collects, 1)
        with pytest.raises(ExceptionGroup) as caught:
            client.send_many([("nobody", 1, "to you"), (handle, 1, "to you"), (other, 7, "to you")])
        assert [type(error) for error in caught.value.exceptions] == [RunNotFoundError, RunEndedError]
        assert other.result(20) == [7]

        @perdure.workflow(name="client in a workflow")
        def sends() -> None:
            client.send("nobody", 1)

        with pytest.raises(UsageError, match="in a workflow would be given again"):
            sends()
    for wrong in ("text", [1], [("a",)]):
        with pytest.raises(UsageError, match="send_many"):
            client.send_many(wrong)  # type: ignore[arg-type]  # that is the mistake
