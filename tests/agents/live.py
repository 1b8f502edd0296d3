"""Lives of a program: a process that has imported its framework and forks a child for each life that it is told of.

python -m tests.agents.live PROGRAM

Reads one life as JSON a line: `url`, `ledger`, and `kill_at`, the boundary at which it dies (0: it lives to the end of
its run), of the kind `kills`: `store`, before and after each commit, or `note`, where a call begins or a token is said.
Answers with the child's exit status and what the run gave. Nothing durable happens before the fork, so that each life
is a process of its own.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import perdure
import perdure.stores.postgres
import perdure.stores.sqlite
from perdure.stores.open import open_store
from tests.agents.ledger import open_ledger
from tests.generated.notes import DEATH, watch_store

RUN_ID = "r"
SETTINGS: dict[str, Any] = {"poll_seconds": 0.05, "shutdown_seconds": 0.5}
PATIENCE_SECONDS = 60.0


async def live(program: Any, url: str, kills: str, kill_at: int) -> dict[str, Any]:
    """Begin the run or go on with it; what it gave, and how many boundaries there were."""
    store = open_store(url)
    watch_store(store)
    store.close()
    DEATH.kind, DEATH.at = kills, kill_at
    async with perdure.running(url, **SETTINGS):
        handle = await perdure.with_options(id=RUN_ID).astart(program.ask, program.QUESTION)
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await handle
    return {"answer": answer, "boundaries": DEATH.counted[kills]}


def execute(program: Any, life: dict[str, Any], end: Path) -> None:
    """In the child: the whole life."""
    open_ledger(life["ledger"])
    end.write_text(json.dumps(asyncio.run(live(program, life["url"], life["kills"], life["kill_at"]))))


def main(name: str) -> None:
    """See the module."""
    program = importlib.import_module(f"tests.agents.programs.{name}")
    if not hasattr(program, "FRAMEWORK") or program.FRAMEWORK:  # frameworks import much when they are first used
        asyncio.run(program.ask.__wrapped__(program.QUESTION))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints is no answer
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        life = json.loads(line)
        end = Path(life["ledger"] + ".end")
        end.unlink(missing_ok=True)
        if (pid := os.fork()) == 0:
            status = 1
            try:
                execute(program, life, end)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        ended = json.loads(end.read_text()) if end.exists() else {}
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), **ended}), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
