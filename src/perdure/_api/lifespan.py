"""`lifespan` for ASGI frameworks: launch when the service starts, shut down when it ends."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Unpack

from .._engine.options import Settings
from ..errors import UsageError
from .app import Perdure, configured

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def lifespan(
    app_or_existing: Any = None, *, url: str | os.PathLike[str] | None = None, **settings: Unpack[Settings]
) -> Any:
    """`FastAPI(lifespan=lifespan)`, or `FastAPI(lifespan=lifespan(existing))` around another lifespan; with a database
    and settings `FastAPI(lifespan=lifespan(url="postgresql://...", poll_seconds=5))`.

    Launches the default instance on the service's loop before it takes requests, which recovers what was left, and
    shuts it down when the service ends. A URL or a value that cannot be is refused at once.
    """
    if is_application(app_or_existing):
        return _lifespan(app_or_existing, None, partial(configured, url, settings))
    if app_or_existing is not None and not callable(app_or_existing):
        raise UsageError("lifespan(existing): give another lifespan, or lifespan(url=...) the database")
    Perdure(url, **settings)  # so that what cannot be is refused here, not when the service starts

    def around(app: Any) -> AbstractAsyncContextManager[Any]:
        return _lifespan(app, app_or_existing, partial(configured, url, settings))

    return around


def is_application(candidate: Any) -> bool:
    """An application has a router or routes; an existing lifespan is a plain function of one."""
    return hasattr(candidate, "router") or hasattr(candidate, "routes") or hasattr(candidate, "state")


@asynccontextmanager
async def _lifespan(app: Any, existing: Lifespan | None, find: Callable[[], Perdure]) -> AsyncIterator[Any]:
    async with find().running():
        if existing is None:
            yield
        else:
            async with existing(app) as state:
                yield state
