"""Steps whose bodies have a process of their own. It is imported there: so it imports little."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import perdure
from perdure import Retry, step

log = perdure.logger()
AT_ONCE = Retry(attempts=2, initial_seconds=0)
undone: list[str] = []


@dataclass
class Order:
    """A value that a step takes and gives."""

    number: int
    lines: tuple[str, ...]


def crash() -> None:
    """As native code does that is broken."""
    ctypes.string_at(0)


@step(isolation="process")
def doubled(order: Order) -> tuple[int, Order]:
    """Where it ran, and what it made."""
    return os.getpid(), Order(order.number * 2, (*order.lines, "more"))


@step(isolation="process", retries=AT_ONCE)
def crashes_once(path: str) -> str:
    """It takes its process with it, the first time; a step in it is a plain call."""
    if not Path(path).exists():
        Path(path).touch()
        crash()
    return f"{perdure.idempotency_key()} {doubled(Order(1, ()))[1].number}"


@step(isolation="process")
def leaves(how: str) -> None:
    """It ends its process, or seems to."""
    if how == "exit":
        os._exit(3)
    raise SystemExit(3)


@step(isolation="process", memory=100 << 20)
def takes(size: int) -> int:
    """So much memory."""
    return len(bytearray(size))


@step(isolation="process", timeout=0.1, retries=AT_ONCE)
def late(path: str) -> None:
    """Longer than it may, with the interpreter's lock in its hand."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    ctypes.PyDLL(None).sleep(60)


def undo(path: str) -> None:
    """What it would have done."""
    undone.append(Path(path).read_text())


@step(undo=undo)
def done(path: str) -> str:
    """Something to undo."""
    return path


@step(isolation="process")
def stays(path: str) -> None:
    """It says who it is, and what it has started, and does not end."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(f"{path}.part").write_text(f"{os.getpid()} {started.pid}")
    Path(f"{path}.part").rename(path)
    ctypes.PyDLL(None).sleep(60)


@step(isolation="process", retries=AT_ONCE)
def tells() -> object:
    """What a body can say of itself while it runs."""
    if perdure.saved() is None:
        log.warning("row %d", 7)
        perdure.progress(7, 10, note="rows")
        perdure.save({"row": 7})
        time.sleep(0.3)
        crash()
    return perdure.saved()


@step(isolation="process", at_most_once=True)
def unknown() -> None:
    """It takes its process with it, and nobody knows what it did."""
    crash()


def look() -> str:
    """Asked what became of it."""
    return "as was found out"


@step(isolation="process", at_most_once=True, reconcile=look)
def known() -> str:
    """It takes its process with it, and there is somebody to ask."""
    crash()
    return "never"


@step(isolation="process")
def oversteps(how: str) -> object:
    """What no body can do there."""
    if how == "start":
        perdure.start(doubled, Order(1, ()))
    if how == "stream":
        perdure.stream("tokens").write("one")
    return object()


def plain(number: int) -> list[int]:
    """No step: called as one."""
    return [os.getpid(), number + 1]
