"""One program killed at every boundary, such as before and after each commit. What must hold is checked here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import perdure
from tests.agents.ledger import read_ledger
from tests.agents.live import RUN_ID
from tests.generated.looking import STEPS, ask

ROOT = Path(__file__).parents[2]
SOURCE = str(Path(perdure.__file__).parents[1])


Calls = Counter[tuple[str, str]]
"""How often each call was made: by the key of its step and what was called."""
Beside = Callable[[str, Path], AbstractContextManager[Any]]
"""Who is there outside while a run lives and dies, given its database and ledger: such as a reader of its stream."""


@dataclass(slots=True)
class Outcome:
    """What all the deaths of one program on one store came to."""

    deaths: int = 0
    calls: int = 0
    """Of models and tools, in a life without a death."""
    recorded: int = 0
    """Calls that were recorded when the process died, of all deaths."""
    repeated: int = 0
    """Those of them that were made again."""
    cut_off: int = 0
    """Calls that had begun and were not recorded, and so were made again."""
    wrong: int = 0
    """Answers that were not the right one."""


class Host:
    """The process that forks the lives of one program."""

    def __init__(self, program: str) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([SOURCE, str(ROOT)])}
        command = [sys.executable, "-W", "ignore", "-m", "tests.agents.live", program]
        self._process = subprocess.Popen(  # a session of its own: its children end with it
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", f"{program} cannot be imported"

    def run(self, url: str, ledger: Path, kills: str = "store", kill_at: int = 0) -> dict[str, Any]:
        """One life, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        life = {"url": url, "ledger": str(ledger), "kills": kills, "kill_at": kill_at}
        print(json.dumps(life), file=self._process.stdin, flush=True)
        ended: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert ended["status"] in (0, -signal.SIGKILL), "a life failed: its traceback is above"
        return ended

    def close(self) -> None:
        """End it, and a child that still lives."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def hosting(program: str) -> Iterator[Host]:
    """A host, ended afterwards."""
    host = Host(program)
    try:
        yield host
    finally:
        host.close()


def recorded_keys(url: str) -> set[str]:
    """The keys of the steps whose outcomes are committed."""
    return {f"{run}:{key}" for run, key, kind, _ in ask(url, STEPS) if run == RUN_ID and kind == "step"}


def alone(url: str, ledger: Path) -> AbstractContextManager[None]:
    """Nobody is beside the lives of a program."""
    return nullcontext()


def kill_everywhere(
    program: str,
    answer: str,
    fresh: Callable[[], str],
    folder: Path,
    *,
    every: int = 1,
    calls: int = 6,
    kills: str = "store",
    beside: Beside = alone,
) -> Outcome:
    """Die at each boundary of a kind (or each `every`-th one), go on in another process, and count."""
    folder.mkdir(parents=True, exist_ok=True)
    with hosting(program) as host:
        ledger, url = folder / "whole", fresh()
        with beside(url, ledger):
            whole = host.run(url, ledger, kills)
        outcome = Outcome(calls=len(read_ledger(ledger)), wrong=whole["answer"] != answer)
        assert outcome.calls == calls, f"{program} makes {outcome.calls} calls, not {calls}"
        for kill_at in range(1, whole["boundaries"] + 1, every):
            ledger, url = folder / str(kill_at), fresh()
            with beside(url, ledger):
                die_once(host, url, ledger, (kills, kill_at), answer, outcome)
    return outcome


def die_once(host: Host, url: str, ledger: Path, death: tuple[str, int], answer: str, outcome: Outcome) -> None:
    """One death and one life after it. A life may have fewer boundaries than the first one had; then nobody dies."""
    if host.run(url, ledger, *death)["status"] == 0:
        return
    before, recorded = read_ledger(ledger), recorded_keys(url)
    outcome.deaths += 1
    outcome.wrong += host.run(url, ledger)["answer"] != answer
    after = read_ledger(ledger)
    add_up(outcome, before, recorded, after)
    assert len(after) == outcome.calls, f"killed at {death}: {sorted(after)}"
    assert max(after.values()) <= 2, f"killed once, at {death}, called more than twice: {after}"


def add_up(outcome: Outcome, before: Calls, recorded: set[str], after: Calls) -> None:
    """Add one death: what had been called before it, what of that was recorded, and what had been called in the end."""
    outcome.recorded += sum(key in recorded for key, _ in before)
    outcome.repeated += sum(after[call] > before[call] for call in before if call[0] in recorded)
    outcome.cut_off += sum(after[call] > before[call] for call in before if call[0] not in recorded)
