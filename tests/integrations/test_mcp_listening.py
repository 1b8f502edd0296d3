"""Clients that listen are told of their tasks, by the official client, over HTTP, through the death of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from mcp.client import Client
from mcp.client.extension import NotificationBinding
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import (
    NotificationParams,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsListenRequest,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)
from pydantic import ConfigDict

import perdure
from perdure.integrations.mcp import PerdureTasks
from tests.integrations.conftest import Server
from tests.integrations.test_mcp import Tasks, create, send, server, wait_until_up

__all__ = ["server"]  # a fixture

Told = dict[str, Any]


class Notified(NotificationParams):
    """A task's state."""

    model_config = ConfigDict(extra="allow")


class Listening(Tasks):
    """A client that can be told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Told] = asyncio.Queue()

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        async def tell(params: Notified) -> None:
            await self.told.put(params.model_dump(by_alias=True))

        return [NotificationBinding(method="notifications/tasks", params_type=Notified, handler=tell)]


class Listener:
    """A client, what it is told, and what the server has acknowledged."""

    def __init__(self, client: Client, told: asyncio.Queue[Told], acknowledged: asyncio.Queue[Told]) -> None:
        self.client = client
        self.told = told
        self.acknowledged = acknowledged
        self.open: list[asyncio.Task[Any]] = []

    async def listen(self, **notifications: Any) -> Told:
        """Open a stream; which part of it the server will serve."""
        wanted = SubscriptionFilter.model_validate(notifications)
        request = SubscriptionsListenRequest(params=SubscriptionsListenRequestParams(notifications=wanted))
        asked = asyncio.ensure_future(self.client.session.send_request(request, SubscriptionsListenResult))
        self.open.append(asked)
        answered = asyncio.ensure_future(self.acknowledged.get())
        await asyncio.wait([asked, answered], return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            answered.cancel()
            asked.result()
        return await answered

    async def until(self, status: str, message: str | None = None) -> list[tuple[str, Any]]:
        """All that comes until the task is so."""
        found = []
        while True:
            async with asyncio.timeout(30):
                state = await self.told.get()
            found.append((state["status"], state.get("statusMessage")))
            if state["status"] == status and message in (None, state.get("statusMessage")):
                self.last = state
                return found


@asynccontextmanager
async def listener(server: str | MCPServer) -> AsyncIterator[Listener]:
    """Connected, until its streams are dropped."""
    acknowledged: asyncio.Queue[Told] = asyncio.Queue()

    async def note(message: Any) -> None:
        if isinstance(message, SubscriptionsAcknowledgedNotification):
            await acknowledged.put(message.params.notifications.model_dump(by_alias=True, exclude_none=True))

    extension = Listening()
    async with Client(server, extensions=[extension], message_handler=note) as client:
        listening = Listener(client, extension.told, acknowledged)
        yield listening
        for stream in listening.open:
            stream.cancel()
        await asyncio.gather(*listening.open, return_exceptions=True)


def test_who_listens_hears_all_that_becomes_of_a_task(server: Server, tmp_path: Path) -> None:
    """Its questions, its notes and its end, of the next server, too, as `tasks/get` has them."""

    async def begin() -> str:
        async with listener(f"{server.address}/mcp") as here:
            task = await create(here.client, "ship", item="tea")
            assert await here.listen(taskIds=[task, "mcp:ship:nobody", "nobody"]) == {"taskIds": [task]}
            found = await here.until("input_required")
            assert set(found) <= {("working", None), ("input_required", None)}
            [(name, request)] = here.last["inputRequests"].items()
            assert request["params"]["message"] == "Ship the tea?"
            assert here.last["_meta"]["io.modelcontextprotocol/subscriptionId"] is not None
            assert here.last["ttlMs"] is None
            await send(here.client, "tasks/update", task, **{name: {"action": "accept", "content": {"answer": True}}})
            assert (await here.until("working", "1 of 2: wrapping"))[-1] == ("working", "1 of 2: wrapping")
            return task

    async def finish(task: str) -> Told:
        async with listener(f"{server.address}/mcp") as here:
            await here.listen(taskIds=[task])
            await here.until("working", "1 of 2: wrapping")
            (tmp_path / "may-pack-tea").touch()
            await here.until("completed")
            got = await send(here.client, "tasks/get", task)
            told = {name: value for name, value in here.last.items() if name != "_meta"}
            assert told == {name: value for name, value in got.items() if name in told}
            return here.last

    task = asyncio.run(begin())
    server.kill()
    server.start()
    wait_until_up(server)
    ended = asyncio.run(finish(task))
    assert ended["result"]["structuredContent"] == {"result": "True: packed tea"}


@pytest.fixture
def here_served(launched: str) -> MCPServer:
    """A server in this process, with a tool that asks."""
    tasks = PerdureTasks(waits, poll_seconds=0.05)
    return MCPServer("waiting", extensions=[tasks], middleware=[tasks.listen])


@perdure.workflow
async def waits(item: str) -> str:
    """For an answer."""
    return await perdure.hook(str, question=item)


def test_a_stream_is_told_what_it_asked_for(here_served: MCPServer) -> None:
    """Tasks beside what the SDK itself serves; a task that has ended says so at once; each end comes once."""

    async def listen() -> None:
        async with listener(here_served) as here:
            cancelled, other = [await create(here.client, "waits", item=item) for item in ("tea", "milk")]
            await send(here.client, "tasks/cancel", cancelled)
            honored = await here.listen(toolsListChanged=True, taskIds=[cancelled, other, other])
            assert honored == {"toolsListChanged": True, "taskIds": [cancelled, other]}
            assert (await here.until("cancelled"))[-1] == ("cancelled", None)
            await send(here.client, "tasks/cancel", other)
            await here.until("cancelled")
            assert here.last["taskId"] == other
            assert here.told.empty()
            assert not here.open[0].done()

    asyncio.run(listen())


def test_a_stream_that_cannot_be_is_refused(here_served: MCPServer) -> None:
    """Too many tasks, what is no id, and a client that has not declared the extension."""

    async def wrong() -> None:
        async with listener(here_served) as here:
            for wanted, told in (({"a": 1}, "list of strings"), ([1], "list of strings"), (["a"] * 101, "has 101")):
                with pytest.raises(MCPError, match=told) as error:
                    await here.listen(taskIds=wanted)
                assert error.value.code == -32602
            assert await here.listen(taskIds=["nobody"]) == {"taskIds": []}

        async with Client(here_served) as client:
            with pytest.raises(MCPError) as error:
                await Listener(client, asyncio.Queue(), asyncio.Queue()).listen(taskIds=[])
            assert error.value.code == -32021

    asyncio.run(wrong())
