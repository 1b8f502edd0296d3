"""`lifespan` for ASGI frameworks: launch when the service starts, shut down when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from .app import default_app

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def lifespan(app_or_existing: Any) -> Any:
    """`FastAPI(lifespan=lifespan)`, or `FastAPI(lifespan=lifespan(existing))` around another lifespan.

    Launches the default instance on the service's loop before it takes requests, which recovers what was left, and
    shuts it down when the service ends.
    """
    if is_application(app_or_existing):
        return _lifespan(app_or_existing, None)

    def around(app: Any) -> AbstractAsyncContextManager[Any]:
        return _lifespan(app, app_or_existing)

    return around


def is_application(candidate: Any) -> bool:
    """An application has a router or routes; an existing lifespan is a plain function of one."""
    return hasattr(candidate, "router") or hasattr(candidate, "routes") or hasattr(candidate, "state")


@asynccontextmanager
async def _lifespan(app: Any, existing: Lifespan | None) -> AsyncIterator[Any]:
    async with default_app().running():
        if existing is None:
            yield
        else:
            async with existing(app) as state:
                yield state
