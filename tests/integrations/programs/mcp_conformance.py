"""An MCP server with the tools that the conformance scenarios of tasks ask for: `make mcp-conformance`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

import perdure
from perdure.integrations.mcp import PerdureTasks


@dataclass
class Confirmed:
    """Whether somebody is sure."""

    confirm: bool


@dataclass
class Named:
    """Who somebody is."""

    name: str


class User(BaseModel):
    """Who the client's user is."""

    name: str


def ask_for_the_user() -> Elicit[User]:
    """Asked before the task begins."""
    return Elicit("What is your name?", User)


@perdure.workflow(name="mcp.slow_compute")
async def slow_compute(seconds: float, label: str = "") -> str:
    """Takes so long."""
    await perdure.sleep(seconds)
    return f"{label} took {seconds} s"


@perdure.workflow(name="mcp.failing_job")
async def failing_job() -> str:
    """Fails after a second."""
    await perdure.sleep(1)
    raise ValueError("the job has failed")


@perdure.workflow(name="mcp.protocol_error_job")
async def protocol_error_job() -> str:
    """Fails as the protocol does."""
    raise MCPError(-32603, "the job cannot be done")


@perdure.workflow(name="mcp.confirm_delete")
async def confirm_delete(filename: str) -> str:
    """Asks first."""
    said = await perdure.hook(Confirmed, question=f"Delete {filename}?")
    return f"{filename} {'deleted' if said.confirm else 'kept'}"


@perdure.workflow(name="mcp.multi_input")
async def multi_input() -> str:
    """Asks two things at once."""
    sender, receiver = perdure.hook(Named, question="From whom?"), perdure.hook(Named, question="To whom?")
    return f"from {(await sender).name} to {(await receiver).name}"


@perdure.workflow(name="mcp.test_tool_with_task")
async def test_tool_with_task(user_name: Annotated[User, Resolve(ask_for_the_user)]) -> str:
    """Is told who the user is before it begins."""
    return f"Hello, {user_name.name}!"


tasks = PerdureTasks(
    slow_compute,
    protocol_error_job,
    confirm_delete,
    multi_input,
    required=[failing_job, test_tool_with_task],
    poll_seconds=0.1,
)
server = MCPServer("conformance", extensions=[tasks])


@server.tool()
def greet(name: str) -> str:
    """No task."""
    return f"Hello, {name}!"


perdure.launch(poll_seconds=0.1)
app = server.streamable_http_app()
