"""An MCP server over HTTP whose tools are runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

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


@dataclass
class Address:
    """Where it goes."""

    street: str
    floor: int = 0


@perdure.workflow(name="mcp.deliver")
async def deliver(item: str) -> dict[str, str]:
    """Asks where to, then whether."""
    address = await perdure.hook(Address, question=f"Where shall the {item} go?")
    try:
        is_sure = await perdure.hook(bool)
    except perdure.HookRejectedError as error:
        return {"told": str(error)}
    return {"told": f"{item} to {address.street}, floor {address.floor}: {is_sure}"}


@perdure.step(name="mcp.pack_slowly")
def pack_slowly(item: str) -> str:
    """Says how far it has come."""
    perdure.progress(1, 2, note="wrapping")
    return pack(item)


@perdure.workflow(name="mcp.ship")
def ship(item: str) -> str:
    """Asks, then packs slowly."""
    is_sure = perdure.hook(bool, question=f"Ship the {item}?").wait()
    return f"{is_sure}: {pack_slowly(item)}"


class Buyer(BaseModel):
    """Who the client's user is."""

    name: str


def who() -> Elicit[Buyer]:
    """Asked by the SDK before the run begins."""
    return Elicit("Who are you?", Buyer)


@perdure.workflow(name="mcp.sell")
async def sell(item: str, buyer: Annotated[Buyer, Resolve(who)]) -> dict[str, str]:
    """Sells, to whom there is."""
    return {"sold": f"{item} to {buyer.name}"}


tasks = PerdureTasks(order, refuse, deliver, pack_slowly, ship, required=[sell], poll_seconds=0.05)
server = MCPServer("orders", extensions=[tasks], middleware=[tasks.listen])


@server.tool()
def plain() -> str:
    """Not durable."""
    return "plain"


perdure.launch(poll_seconds=0.1)
app = server.streamable_http_app()
