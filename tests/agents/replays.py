"""A run that lives twice in one process: the second time from its record."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import perdure
from tests.generated.looking import STEPS, ask

PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Hold:
    """What lets the first life go no further than `hold`."""

    is_held: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)


_hold = Hold()
ran: Counter[str] = Counter()
"""How often each body ran, in both lives."""


@perdure.step
async def hold() -> None:
    """In the first life: until the process ends."""
    _hold.reached.set()
    if _hold.is_held:
        await asyncio.Event().wait()


async def live_twice(url: str, workflow: Callable[..., Any], *args: Any, between: Callable[[], Any] = int) -> Any:
    """Run the workflow up to its `hold`, shut down, call `between`, and let another instance replay it to its end."""
    global _hold
    ran.clear()
    _hold = Hold(is_held=True)
    async with perdure.running(url, shutdown_seconds=0.2):
        await perdure.with_options(id="r").astart(workflow, *args)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _hold.reached.wait()
    between()
    _hold = Hold()
    async with perdure.running(url, shutdown_seconds=0.2), asyncio.timeout(PATIENCE_SECONDS):
        return await perdure.handle("r")


class Reader:
    """Who reads a run's stream while a model answers, which holds back the rest until its first piece was read."""

    def __init__(self) -> None:
        self.has_read = asyncio.Event()

    async def read(self, url: str, workflow: Callable[..., Any], *args: Any) -> tuple[list[Any], list[Any], Any]:
        """What stands in the stream `tokens` for who is there all the time, and for who comes late; and what the run
        gives. The run leaves memory before it ends, and is replayed, if it sleeps.
        """
        ran.clear()
        self.has_read.clear()
        async with perdure.running(url, park_after_seconds=0.0, poll_seconds=0.05):
            handle = await perdure.astart(workflow, *args)
            live: list[perdure.Chunk] = []
            async for item in handle.stream("tokens", timeout=PATIENCE_SECONDS).chunks():
                self.has_read.set()
                if isinstance(item, perdure.Rewound):
                    ran["rewound"] += 1
                    live = [chunk for chunk in live if chunk.offset < item.offset]
                else:
                    live.append(item)
            given = await handle
            return [chunk.value for chunk in live], [value async for value in handle.stream("tokens")], given


def step_names(url: str | Path) -> list[str]:
    """The names of the recorded steps, without what the tests add, in alphabetical order."""
    rows = ask(str(url), STEPS.replace("outcome", "name"))
    return sorted(name for _, _, kind, name in rows if kind == "step" and ":hold" not in name)


async def resolve_when_open(token: str, answer: Any) -> None:
    """What somebody says to the hook of this token, once a run waits for it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(perdure.HookNotFoundError):
                return await perdure.resolve(token, answer)
            await asyncio.sleep(0.01)
