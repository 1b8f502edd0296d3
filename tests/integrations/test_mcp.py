"""MCP tools as runs, by the official client, over HTTP, through the death of the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

pytest.importorskip("mcp")

from mcp.client import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitResult, Request, RequestParams, Result
from pydantic import ConfigDict, Field

from perdure.integrations.mcp import IDENTIFIER
from tests.integrations.conftest import Server


class TaskParams(RequestParams):
    """Which task."""

    task_id: str = Field(serialization_alias="taskId")
    input_responses: dict[str, Any] = Field(serialization_alias="inputResponses", default_factory=dict)


class TaskRequest(Request[TaskParams, str]):
    """`tasks/get` and `tasks/cancel`."""

    name_param = "taskId"


class Created(Result):
    """The handle of a task."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str


class Answered(Result):
    """A task's state."""

    model_config = ConfigDict(extra="allow")


class Tasks(ClientExtension):
    """A client that can take tasks."""

    identifier = IDENTIFIER

    def claims(self) -> Sequence[ResultClaim[Any]]:
        async def resolve(created: Created, context: ClaimContext) -> CallToolResult:
            raise NotImplementedError

        return [ResultClaim(result_type="task", model=Created, resolve=resolve)]


async def send(client: Client, method: str, task: str, **responses: Any) -> dict[str, Any]:
    """One request about a task."""
    params = TaskParams(task_id=task, input_responses=responses)
    request = TaskRequest(method=method, params=params)
    return (await client.session.send_request(request, Answered)).model_dump()


async def create(client: Client, tool: str, **arguments: Any) -> str:
    """Call the tool; the id of the task."""
    await client.list_tools()
    created = await client.session.call_tool(tool, arguments, allow_claimed=True)
    assert isinstance(created, Created)
    assert created.status == "working"
    return created.task_id


async def poll(client: Client, task: str) -> dict[str, Any]:
    """Until it has ended."""
    while True:
        answer = await send(client, "tasks/get", task)
        if answer["status"] != "working":
            return answer
        await asyncio.sleep(answer["pollIntervalMs"] / 1000)


@pytest.fixture
def server(make_server: Any, tmp_path: Path) -> Server:
    """A server, up."""
    made: Server = make_server(
        "uvicorn",
        "tests.integrations.programs.mcp_orders:app",
        "--fd",
        "{fd}",
        PERDURE_URL=str(tmp_path / "perdure.db"),
        NOTES=str(tmp_path),
    )
    wait_until_up(made)
    return made


def wait_until_up(server: Server) -> None:
    """A client that is not answered in time takes the server for one of an older protocol, which has no tasks."""
    httpx.get(f"{server.address}/", timeout=60)


def test_a_task_survives_the_death_of_its_server(server: Server, tmp_path: Path) -> None:
    """The client polls the next process for it; what was charged is not charged again."""

    async def begin() -> str:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            return await create(client, "order", item="tea")

    async def finish(task: str) -> dict[str, Any]:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            assert (await send(client, "tasks/get", task))["status"] == "working"
            (tmp_path / "may-pack-tea").touch()
            return await poll(client, task)

    task = asyncio.run(begin())
    while "packing" not in ((tmp_path / "notes").read_text() if (tmp_path / "notes").exists() else ""):
        time.sleep(0.05)
    server.kill()
    server.start()
    wait_until_up(server)

    ended = asyncio.run(finish(task))

    assert ended["status"] == "completed"
    assert ended["result"]["structuredContent"] == {"order": "7 packed tea"}
    assert ended["createdAt"] < ended["lastUpdatedAt"]
    assert (tmp_path / "notes").read_text().count("charged tea") == 1


def test_tasks_end_as_the_extension_says(server: Server, tmp_path: Path) -> None:
    """An error of the tool is a result, one of the protocol a failure; cancelled is cancelled; unknown ids are errors;
    who has not declared the extension gets results, and errors for the rest.
    """

    async def declared() -> None:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            failed = await poll(client, await create(client, "refuse", how="tool"))
            assert (failed["status"], failed["result"]["isError"]) == ("completed", True)
            assert "there is none left" in failed["result"]["content"][0]["text"]
            failed = await poll(client, await create(client, "refuse", how="protocol"))
            assert (failed["status"], failed["error"]) == (
                "failed",
                {"code": -32050, "message": "the protocol says no"},
            )
            waiting = await create(client, "order", item="cake")
            await send(client, "tasks/cancel", waiting)
            (tmp_path / "may-pack-cake").touch()
            assert (await poll(client, waiting))["status"] == "cancelled"
            for unknown in ("nobody", "mcp:order:nobody", "mcp:other:1"):
                for method in ("tasks/get", "tasks/cancel"):
                    with pytest.raises(MCPError) as error:
                        await send(client, method, unknown)
                    assert error.value.code == -32602
            assert (await client.call_tool("plain")).content[0].text == "plain"  # type: ignore[union-attr]
            wrong = await client.call_tool("order", {"thing": 1})
            assert wrong.is_error

    async def undeclared() -> None:
        (tmp_path / "may-pack-bread").touch()
        async with Client(f"{server.address}/mcp") as client:
            result = await client.call_tool("order", {"item": "bread"})
            assert result.structured_content == {"order": "7 packed bread"}
            with pytest.raises(MCPError) as error:
                await send(client, "tasks/get", "mcp:order:nobody")
            assert error.value.code == -32021

    asyncio.run(declared())
    asyncio.run(undeclared())


async def asked(client: Client, task: str) -> tuple[str, dict[str, Any]]:
    """The next question of the task."""
    state = await poll(client, task)
    assert state["status"] == "input_required"
    [(name, request)] = state["inputRequests"].items()
    assert request["method"] == "elicitation/create"
    return name, request["params"]


def test_a_task_asks_its_user(server: Server) -> None:
    """By forms, which are checked; the question is the same after the death of the server; one may be declined."""

    async def begin() -> list[str]:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            tasks = [await create(client, "deliver", item=item) for item in ("tea", "milk")]
            for task in tasks:
                name, params = await asked(client, task)
                assert set(params["requestedSchema"]["properties"]) == {"street", "floor"}
                assert params["requestedSchema"]["required"] == ["street"]
                for unfit, said in (
                    ({"action": "accept", "content": {"street": 1}}, r"\$\.street is a number"),
                    ({"action": "acept", "content": {"street": "Main"}}, "'acept'.*accept, decline, cancel"),
                    ({"content": {"street": "Main"}}, "None.*accept, decline, cancel"),
                    ("Main", "give an object with"),
                ):
                    with pytest.raises(MCPError, match=said) as error:
                        await send(client, "tasks/update", task, **{name: unfit})
                    assert error.value.code == -32602
            return tasks

    async def finish(tasks: list[str]) -> list[dict[str, Any]]:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            for task, answer in zip(
                tasks, ({"action": "accept", "content": {"answer": True}}, {"action": "decline"}), strict=True
            ):
                name, params = await asked(client, task)
                assert params["message"] in ("Where shall the tea go?", "Where shall the milk go?")
                given = {name: {"action": "accept", "content": {"street": "Main"}}, "nobody": {}}
                for _ in range(2):
                    await send(client, "tasks/update", task, **given)
                while (name := (await asked(client, task))[0]) in given:
                    pass
                await send(client, "tasks/update", task, **{name: answer})
            return [(await ended(client, task))["result"]["structuredContent"] for task in tasks]

    async def ended(client: Client, task: str) -> dict[str, Any]:
        while (state := await poll(client, task))["status"] == "input_required":
            pass
        return state

    tasks = asyncio.run(begin())
    server.kill()
    server.start()
    wait_until_up(server)
    assert asyncio.run(finish(tasks)) == [
        {"told": "tea to Main, floor 0: True"},
        {"told": "The user has said: decline"},
    ]


def test_a_task_says_how_far_it_has_come(server: Server, tmp_path: Path) -> None:
    """As its step has said."""

    async def follow() -> str:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            task = await create(client, "pack_slowly", item="tea")
            while "statusMessage" not in (state := await send(client, "tasks/get", task)):
                assert state["status"] == "working"
            (tmp_path / "may-pack-tea").touch()
            assert (await poll(client, task))["result"]["structuredContent"] == {"result": "packed tea"}
            return str(state["statusMessage"])

    assert asyncio.run(follow()) == "1 of 2: wrapping"


def test_a_tool_may_be_for_tasks_alone_and_ask_before_it_begins(server: Server) -> None:
    """Who has not declared the extension is told so; the answer to the SDK's question is an argument of the run."""

    async def buy() -> dict[str, Any]:
        async with Client(f"{server.address}/mcp") as client:
            with pytest.raises(MCPError) as error:
                await client.call_tool("sell", {"item": "tea"})
            assert error.value.code == -32021
            assert error.value.data == {"requiredCapabilities": {"extensions": {IDENTIFIER: {}}}}

        async def answer(context: Any, params: Any) -> ElicitResult:
            assert params.message == "Who are you?"
            return ElicitResult(action="accept", content={"name": "Ada"})

        async with Client(f"{server.address}/mcp", extensions=[Tasks()], elicitation_callback=answer) as client:
            await client.list_tools()
            asked = await client.session.call_tool(
                "sell", {"item": "tea"}, allow_claimed=True, allow_input_required=True
            )
            [key] = asked.input_requests or {}
            begun = await client.session.call_tool(
                "sell",
                {"item": "tea"},
                allow_claimed=True,
                input_responses={key: await answer(None, (asked.input_requests or {})[key].params)},
                request_state=asked.request_state,
            )
            assert isinstance(begun, Created)
            return await poll(client, begun.task_id)

    assert asyncio.run(buy())["result"]["structuredContent"] == {"sold": "tea to Ada"}


def test_a_header_that_names_another_task_is_refused(server: Server) -> None:
    """Or none: proxies may have sent the request to another server by it."""

    async def ask() -> str:
        async with Client(f"{server.address}/mcp", extensions=[Tasks()]) as client:
            return await create(client, "refuse", how="tool")

    task = asyncio.run(ask())
    capabilities = {"extensions": {IDENTIFIER: {}}}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": task, "_meta": meta}}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tasks/get",
    }
    codes = []
    for name in ({"mcp-name": "another"}, {}, {"mcp-name": task}):
        answer = httpx.post(f"{server.address}/mcp", json=body, headers={**headers, **name}, timeout=60).text
        codes.append("-32020" in answer)
    assert codes == [True, True, False]
