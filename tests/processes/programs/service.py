"""A small FastAPI service, as a user writes it; served by uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import perdure
import perdure._api.app
from perdure import lifespan
from tests.processes.ledger import note
from tests.processes.programs.functions import ahold, hold, may_end, two

perdure._api.app._default = perdure.Perdure(shutdown_seconds=0.5)  # the default instance, which waits less for bodies


@asynccontextmanager
async def existing(_: FastAPI) -> AsyncIterator[dict[str, str]]:
    """The application's own lifespan."""
    note("existing begins")
    yield {"greeting": "hello"}
    note("existing ends")


app = FastAPI(lifespan=lifespan(existing))


@app.post("/submit/{name}")
def submit(name: str) -> str:
    """Work in the background."""
    two.with_options(id=name).submit(hold, name)
    return name


@app.get("/state/{name}")
async def state(name: str) -> bool:
    """Whether it has ended."""
    return await asyncio.to_thread(lambda: perdure.handle(name).done())


@app.get("/wait/{name}")
async def wait(name: str) -> str:
    """The client may hang up while this waits."""
    if name != "hung-up":
        handle = await asyncio.to_thread(perdure.handle, name)
    else:
        handle = await perdure.with_options(id=name).astart(ahold, name)
    note("waiting", name)
    value: str = await handle
    return value


@app.get("/call/{name}")
async def call(name: str) -> str:
    """The same, called directly."""
    return await ahold(name)


@app.post("/let/{name}")
def let(name: str) -> str:
    """The body of this name may end."""
    may_end[name].set()
    return name
