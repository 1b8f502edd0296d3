"""Kill the process of a run again and again, go on with it, and look at what its bodies noted outside."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import perdure
from perdure._core.order import CANCELLED_MARK
from perdure.stores.open import open_store

ROOT = Path(__file__).parents[2]
SOURCE = str(Path(perdure.__file__).parents[1])
RUN_ID = "r"
PATIENCE_SECONDS = 40.0
LOOK_SECONDS = 0.0005
"""Between two looks at the ledger: less than a body takes."""


@dataclass(slots=True)
class Life:
    """How a process is started: its interpreter, loop and hash seed."""

    python: str = sys.executable
    loop: str = "stock"
    hash_seed: int = 0


@dataclass(slots=True)
class Killed:
    """A run that has come to its end in spite of all: its value and outcomes, and what was noted."""

    value: Any
    outcomes: dict[str, list[str]]
    ledger: Counter[str]
    kills: int
    repeated: list[str] = field(default_factory=list)
    """Bodies that ran again although their outcome was recorded."""


def start(url: str, program: str, arguments: list[Any], life: Life, ledger: Path) -> subprocess.Popen[str]:
    """A process that begins the run, or goes on with it."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([SOURCE, str(ROOT)]),
        "PYTHONHASHSEED": str(life.hash_seed),
        "LEDGER": str(ledger),
    }
    command = [life.python, "-m", "tests.identity.execute", url, program, RUN_ID, json.dumps(arguments), life.loop]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def notes(ledger: Path) -> Counter[str]:
    """How often each body ran."""
    return Counter(ledger.read_text().splitlines()) if ledger.exists() else Counter()


def finish(process: subprocess.Popen[str], url: str) -> dict[str, Any]:
    """What the process prints at its end."""
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        _, err = process.communicate()
        raise AssertionError(f"the run does not end: {describe(url)}\n{err}") from None
    assert process.returncode == 0, err
    printed: dict[str, Any] = json.loads(out)
    return printed


def describe(url: str) -> str:
    """What the database says of the run."""
    store = open_store(url)
    try:
        return f"{store.runs.row(RUN_ID)} {sorted(deliveries(url).items())}"
    finally:
        store.close()


def kill_and_finish(
    url: str, program: str, arguments: list[Any], *, kills: int, chance: random.Random, folder: Path, lives: list[Life]
) -> Killed:
    """Kill the run at that many random moments, then let it end."""
    ledger = folder / "ledger"
    repeated: list[str] = []
    recorded: dict[str, int] = {}
    killed = 0
    for _ in range(kills):
        process = start(url, program, arguments, chance.choice(lives), ledger)
        is_killed = kill_soon(process, ledger, chance)
        killed += is_killed
        repeated += [key for key, count in recorded.items() if notes(ledger)[key] > count]
        if not is_killed:
            break
        recorded = {key: notes(ledger)[key] for key in step_keys(url)}
    printed = finish(start(url, program, arguments, chance.choice(lives), ledger), url)
    repeated += [key for key, count in recorded.items() if notes(ledger)[key] > count]
    return Killed(printed["value"], printed["outcomes"], notes(ledger), killed, repeated)


def kill_soon(process: subprocess.Popen[str], ledger: Path, chance: random.Random) -> bool:
    """Kill it some bodies after it began, or a moment later; False if it ended before."""
    size = ledger.stat().st_size if ledger.exists() else 0
    wanted = size + chance.choice([1, 30, 90, 150, 250, 350, 450])
    give_up_at = time.monotonic() + 3.0
    while not has_ended(process, LOOK_SECONDS) and time.monotonic() < give_up_at:
        if ledger.exists() and ledger.stat().st_size >= wanted:
            break
    if not has_ended(process, chance.uniform(0, 0.004)):
        process.kill()
    _, err = process.communicate()
    assert process.returncode in (0, -9), err
    return process.returncode != 0


def has_ended(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the process ends within so many seconds. Waits for it: looking without a pause would take its core."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def step_keys(url: str) -> list[str]:
    """The idempotency keys of what is recorded."""
    store = open_store(url)
    try:
        store.migrate()  # the process may have been killed before its tables were there
        if store.runs.row(RUN_ID) is None:
            return []
        return [f"{RUN_ID}:{row.key}" for row in store.runs.checkpoints(RUN_ID) if row.kind == "step"]
    finally:
        store.close()


def deliveries(url: str) -> dict[int, str]:
    """The recorded order: position -> key, with a mark where the call was cancelled."""
    store = open_store(url)
    try:
        rows = store.runs.checkpoints(RUN_ID)
    finally:
        store.close()
    found: list[tuple[int, str]] = []
    for row in rows:
        if row.kind == "order":
            first, *keys = json.loads(row.outcome.text)
            found += [(first + number, key) for number, key in enumerate(keys)]
        elif row.position is not None:
            found.append((row.position, row.key))
    order = dict(found)
    assert len(order) == len(found), f"one position, two deliveries: {sorted(found)}"
    assert sorted(order) == list(range(len(order))), f"positions with gaps: {sorted(found)}"
    keys = [key.removeprefix(CANCELLED_MARK) for key in order.values()]
    assert len(set(keys)) == len(keys), f"one call, two deliveries: {sorted(found)}"
    return order
