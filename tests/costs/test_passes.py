"""How often the loop goes round for a step."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._engine.hosting.asyncio.rest import Rest

STEPS = 50


@perdure.step
async def number(n: int) -> int:
    return n


@perdure.workflow
async def one_after_the_other() -> int:
    return sum([await number(n) for n in range(STEPS)])


@perdure.workflow
async def at_once() -> int:
    return sum(await asyncio.gather(*(number(n) for n in range(STEPS))))


@pytest.mark.parametrize(("workflow", "most"), [(one_after_the_other, 5), (at_once, 3 * STEPS)])
def test_what_a_fresh_outcome_costs_the_loop(
    workflow: Any, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one branch the gate is not asked; with many, one look serves all that wait."""
    looks: list[None] = []
    own = Rest._look

    def look(rest: Rest, loop: asyncio.AbstractEventLoop) -> None:
        looks.append(None)
        own(rest, loop)

    monkeypatch.setattr(Rest, "_look", look)
    with perdure.running(tmp_path / "p.db"):
        assert perdure.start(workflow).result(20) == sum(range(STEPS))
    assert len(looks) <= most
