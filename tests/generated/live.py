"""Lives of programs: a process that has imported everything and forks a child for each life that it is told of.

python -m tests.generated.live FOLDER

Reads one `Life` as JSON a line; answers with the child's exit status when it has ended. A fork before anything has been
launched is as good as a fresh process and costs a twentieth; the hash seed and the interpreter are this process's.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import perdure
import perdure.stores.sqlite
from perdure.stores.open import open_store
from tests.generated import vocabulary  # noqa: F401  # what the programs import
from tests.generated.looking import RUNS, TERMINAL, ask
from tests.generated.notes import DEATH, open_notes, watch_store

with suppress(ImportError):
    import perdure.stores.postgres
try:
    import uvloop
except ImportError:
    uvloop = None

SETTINGS: dict[str, Any] = {"poll_seconds": 0.05, "replay_patience_seconds": 4.0, "shutdown_seconds": 0.3}
LONGEST_SECONDS = 30.0
"""A life in which nothing ends for so long is stuck."""
LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Life:
    """One process: which programs it begins or goes on with, on which loop, and when it dies."""

    number: int
    url: str
    programs: list[str]
    loop: str = "stock"
    """`stock`, `eager`, or `uvloop`, which is the stock loop where there is none."""
    kills: str = "store"
    kill_at: int = 0
    """At the nth boundary of that kind; 0: it lives to the end of its programs."""
    how: str = "kill"
    """How it dies there; see `Death`."""
    begins: str = "named"
    """How a program is begun: `named` with its name as its run's id, `started` without an id, `called` as a function;
    `not`: what there is goes on.
    """
    folder: str = ""
    """Where it notes what happens, and writes its end."""
    settings: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """As the process reads it."""
        return json.dumps(asdict(self)) + "\n"

    def written(self) -> Path:
        """Where it writes how the programs ended."""
        return Path(self.folder) / f"end-{self.number}.json"

    def log(self) -> Path:
        """Where its warnings go."""
        return Path(self.folder) / f"log-{self.number}.txt"


def ending(future: asyncio.Future[Any]) -> list[Any]:
    """How a program ended, as data."""
    if not future.done():
        return ["stuck", "it does not end"]
    if future.cancelled():
        return ["error", "CancelledError", ""]
    error = future.exception()
    if error is None:
        return ["value", future.result()]
    return ["error", type(error).__name__, str(error).partition("#")[0]]


async def live(life: Life) -> dict[str, list[Any]]:
    """Begin the programs, or go on with them; how each has ended."""
    store = open_store(life.url)
    watch_store(store)
    functions = {name: getattr(importlib.import_module(name), name) for name in life.programs}
    DEATH.kind, DEATH.at, DEATH.how = life.kills, life.kill_at, life.how
    loop, leaves = asyncio.get_running_loop(), asyncio.Event()
    DEATH.leave = partial(loop.call_soon_threadsafe, leaves.set)
    if life.loop == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]  # Python 3.12
    async with perdure.running(life.url, **{**SETTINGS, **life.settings}):
        waiting = {name: loop.create_task(begin(life, name, function)) for name, function in functions.items()}
        waiting_for_all = loop.create_task(wait(waiting, life))
        await asyncio.wait([waiting_for_all, loop.create_task(leaves.wait())], return_when="FIRST_COMPLETED")
        waiting_for_all.cancel()
        if DEATH.stopping is not None:
            await asyncio.to_thread(DEATH.stopping.join)
        endings = {name: ending(task) for name, task in waiting.items()}
        for task in waiting.values():
            task.cancel()
    if DEATH.has_struck:  # it has left
        os.kill(os.getpid(), signal.SIGKILL)
    store.close()
    return endings


async def begin(life: Life, name: str, function: Any) -> Any:
    """Begin a program in the way that its life says, and wait for its end."""
    if life.begins == "called":
        outcome = await asyncio.to_thread(function)
        return await outcome if asyncio.iscoroutine(outcome) else outcome
    if life.begins == "started":
        return await (await perdure.astart(function))
    if life.begins == "not":
        return await asyncio.to_thread(wait_for_all, life.url)
    return await (await perdure.with_options(id=name).astart(function))


def wait_for_all(url: str) -> None:
    """Until every run is over: nobody here knows what they are called."""
    while any(state not in TERMINAL for _, _, state, *_ in ask(url, RUNS)):
        time.sleep(0.02)


async def wait(waiting: dict[str, asyncio.Task[Any]], life: Life) -> None:
    """Until all have ended, or those that have not need a mend, or nothing has ended for too long."""
    progress_at, done_before, mended = time.monotonic(), -1, 0
    while left := [name for name, task in waiting.items() if not task.done()]:
        await asyncio.wait([waiting[name] for name in left], timeout=LOOK_SECONDS)
        done = sum(task.done() for task in waiting.values())
        if done != done_before:
            progress_at, done_before, mended = time.monotonic(), done, 0
            continue
        runs = {run: needs_mend for run, _, _, needs_mend, _ in await asyncio.to_thread(ask, life.url, RUNS)}
        mended = mended + 1 if all(runs.get(name) for name in left) else 0
        if mended * LOOK_SECONDS > 3 or time.monotonic() - progress_at > LONGEST_SECONDS:
            return


def execute(life: Life) -> None:
    """In the child: the whole life."""
    logging.basicConfig(filename=life.log(), level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    open_notes(str(Path(life.folder) / "notes"), life.number)
    if life.loop == "uvloop" and uvloop is not None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            endings = runner.run(live(life))
    else:
        endings = asyncio.run(live(life))
    life.written().write_text(json.dumps({"endings": endings, "counted": DEATH.counted}))


def main(folder: str) -> None:
    """See the module."""
    sys.path.insert(0, folder)
    for line in sys.stdin:
        life = Life(**json.loads(line))
        if (pid := os.fork()) == 0:
            status = 1
            try:
                execute(life)
                status = 0
            except BaseException:
                life.log().open("a").write(traceback.format_exc())
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
