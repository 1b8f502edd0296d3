"""Execute one run of a program in a process of its own, or go on with it; print its value and its checkpoints.

python -m tests.identity.execute URL PROGRAM RUN_ID ARGUMENTS_AS_JSON [uvloop]
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import perdure
from perdure._entries import Checkpoint
from perdure.stores.open import open_store
from tests.identity import programs

SETTINGS: dict[str, Any] = {"poll_seconds": 0.05, "replay_patience_seconds": 20.0}


def outcomes(url: str, run_id: str) -> dict[str, list[str]]:
    """What the run has recorded: key -> name and outcome. Without the order and the drawn values."""
    store = open_store(url)
    try:
        rows = store.runs.checkpoints(run_id)
    finally:
        store.close()
    assert len({row.key for row in rows}) == len(rows)
    return {row.key: [row.name, outcome_of(row)] for row in rows if row.kind != "order"}


def outcome_of(row: Checkpoint) -> str:
    """What must be the same each time: not the time that was drawn, nor the lines that an error went through."""
    if row.kind != "step":
        return row.kind
    if row.is_error:
        return str(json.loads(row.outcome.text)["$error"]["message"])
    return row.outcome.text


async def execute(url: str, program: Callable[..., Any], run_id: str, arguments: list[Any]) -> Any:
    """The run's value, started here unless it exists."""
    async with perdure.running(url, **SETTINGS):
        return await (await perdure.with_options(id=run_id).astart(program, *arguments))


def run_loop(coroutine: Coroutine[Any, Any, Any], *, kind: str = "stock") -> Any:
    """Run it on the stock loop or on uvloop."""
    if kind == "stock":
        return asyncio.run(coroutine)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def main(url: str, program: str, run_id: str, arguments: str, kind: str = "stock") -> None:
    """See the module."""
    value = run_loop(execute(url, getattr(programs, program), run_id, json.loads(arguments)), kind=kind)
    print(json.dumps({"value": value, "outcomes": outcomes(url, run_id)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
