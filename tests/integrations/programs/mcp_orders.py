"""An MCP server over HTTP whose tools are runs."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

import perdure
from perdure.integrations.mcp import PerdureTasks
from tests.integrations.programs.orders import charge, pack


@perdure.workflow(name="mcp.order")
def order(item: str) -> dict[str, str]:
    """Charge, then pack."""
    return {"order": f"{charge(item)} {pack(item)}"}


@perdure.workflow(name="mcp.refuse")
async def refuse(how: str) -> str:
    """Fail."""
    if how == "protocol":
        raise MCPError(-32050, "the protocol says no")
    raise ValueError("there is none left")


server = MCPServer("orders", extensions=[PerdureTasks(order, refuse, poll_seconds=0.05)])


@server.tool()
def plain() -> str:
    """Not durable."""
    return "plain"


perdure.launch(poll_seconds=0.1)
app = server.streamable_http_app()
