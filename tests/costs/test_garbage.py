"""Runs that have ended leave nothing for the garbage collector: there may be thousands in a second."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

import perdure
from perdure._core.run import Run
from tests.identity.staging import wait_until


@perdure.step
async def double(number: int) -> int:
    return 2 * number


@perdure.workflow
async def doubled(number: int) -> int:
    return await double(number)


def count_runs() -> int:
    """This test's alone: those of other tests may be let go while it looks."""
    return sum(
        type(thing) is Run and getattr(thing, "name", "").endswith(doubled.__name__) for thing in gc.get_objects()
    )


@pytest.mark.parametrize("is_started", [True, False])
def test_an_ended_async_run_is_gone_at_once(tmp_path: Path, is_started: bool) -> None:
    """Without a collection, started or called."""

    async def main() -> None:
        async with perdure.running(tmp_path / "p.db") as app:
            for number in range(20):
                assert await ((await perdure.astart(doubled, number)) if is_started else doubled(number)) == 2 * number
            await asyncio.to_thread(wait_until, lambda: not app._launched().held.active)
            await asyncio.to_thread(wait_until, lambda: count_runs() == 0)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
