"""Two launches of one run: in the first its last step holds it until the process is gone, in the second it ends."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

import perdure
from tests.identity.staging import PATIENCE_SECONDS, RUN_ID, launched, look, wait_until

BODIES: Counter[str] = Counter()
"""How often each body ran."""
REACHED = threading.Event()
"""The run has come to its last step."""
_let_go = threading.Event()


@perdure.step
async def quick(tag: str) -> str:
    """A body that never suspends."""
    BODIES[tag] += 1
    return tag


@perdure.step
async def endless(tag: str) -> None:
    """A body that only a cancellation ends."""
    BODIES[tag] += 1
    await asyncio.Event().wait()


@perdure.step
async def hold(seen: Sequence[str] = ()) -> None:
    """Runs until the process ends, in the first launch of a test."""
    REACHED.set()
    await held()


async def held() -> None:
    """Return in the second launch."""
    if not is_let_go():
        await asyncio.Event().wait()


def is_let_go() -> bool:
    """Whether this is the second launch."""
    return _let_go.is_set()


def let_go() -> None:
    """What is launched from now on is held by nothing."""
    _let_go.set()


@pytest.fixture(autouse=True)
def begin_anew() -> None:
    """No bodies yet, and the first launch to come."""
    BODIES.clear()
    REACHED.clear()
    _let_go.clear()


def go_on(url: str) -> Any:
    """The second launch: what the run returns. No body that was recorded runs again."""
    ran = Counter(BODIES)
    let_go()
    with launched(url, replay_patience_seconds=10.0):
        wait_until(lambda: look(url).state in ("succeeded", "parked"))
        row = look(url)
        assert row.state == "succeeded", row.reason
        result = perdure.handle(RUN_ID).result(PATIENCE_SECONDS)
    assert ran == BODIES, "a recorded body ran again"
    return result
