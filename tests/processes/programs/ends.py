"""A program that ends with work in flight, in the way that its first argument names."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable

import perdure
import perdure._api.app
from tests.processes.programs.functions import ahold, began, block, hold, mark, nap, two, wait_for


def submit_and_end() -> None:
    """Work of every kind is under way when the main thread ends."""
    two.with_options(id="queued").submit(hold, "queued")
    perdure.with_options(id="started").start(ahold, "started")
    perdure.with_options(id="sleeping").start(nap, "sleeping", 1.0)
    for number in range(20):
        two.with_options(id=f"waiting-{number}").submit(mark, f"waiting-{number}")
    wait_for(began["queued"])
    wait_for(began["started"])


@perdure.workflow(name="exits")
def exits(code: int) -> None:
    """A step of it wants to end the process."""
    leave(code)


@perdure.step(name="leave")
def leave(code: int) -> None:
    """End the process, the first time."""
    if os.environ.get("PERDURE_TEST_STAY") is None:
        sys.exit(code)


@perdure.workflow(name="aexits")
async def aexits(code: int) -> None:
    """The same, async."""
    await aleave(code)


@perdure.step(name="aleave")
async def aleave(code: int) -> None:
    """End the process, the first time."""
    leave(code)


def interrupted() -> None:
    """Ctrl-C while a directly called workflow executes a step, or between two."""
    threading.Thread(target=press_ctrl_c, daemon=True).start()
    hold("direct")


def press_ctrl_c() -> None:
    """As soon as the body has begun."""
    wait_for(began["direct"])
    os.kill(os.getpid(), signal.SIGINT)


def ainterrupted() -> None:
    """The same on a loop."""
    threading.Thread(target=press_ctrl_c, daemon=True).start()
    asyncio.run(adirect())


async def adirect() -> None:
    """Call an async workflow directly."""
    await ahold("direct")


def terminated() -> None:
    """SIGTERM, which the program turns into an orderly end, as servers do."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    perdure.with_options(id="busy").start(block, "busy")
    wait_for(began["busy"])
    print("busy", flush=True)
    threading.Event().wait()


WAYS: dict[str, Callable[[], None]] = {
    "submit": submit_and_end,
    "exit": lambda: exits(7),
    "aexit": lambda: asyncio.run(aexits(7)),
    "interrupt": interrupted,
    "ainterrupt": ainterrupted,
    "terminate": terminated,
    "finish": lambda: None,
}


def main() -> None:
    perdure._api.app._default = perdure.Perdure(
        shutdown_seconds=0.5
    )  # the default instance, which waits less for bodies
    WAYS[sys.argv[1]]()


if __name__ == "__main__":
    main()
