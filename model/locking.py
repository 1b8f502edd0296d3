"""What the operating system's locks tell, and SQLite's own: who is dead, and when the WAL may be copied.

A worker holds a lock on a file of its own from before its row is there until after it is gone; the system frees it when
the process dies. Another process takes a worker over when it finds the lock free. Whoever is alive, however slow, must
never be taken over so. Below SQLite's fix, copying the WAL beside a commit may corrupt the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move


class Life(NamedTuple):
    """One worker. `step`: how far it has come in joining, rejoining or leaving; the id changes when it rejoins.
    `row` and `lock`: which id has a row, which ids' locks are held. `looked`: the id whose lock a taker found free.
    """

    step: str = "out"
    worker: int = 1
    rows: frozenset[int] = frozenset()
    locks: frozenset[int] = frozenset()
    is_alive: bool = True
    rejoins: int = 1
    looked: int = 0


def files(guards: frozenset[str]) -> Model:
    """The worker's lock file, and a taker that looks at it."""

    def moves(life: Life) -> Iterator[Move]:
        if life.is_alive:
            yield from _worker(guards, life)
            yield Move("the process dies", life._replace(is_alive=False, locks=frozenset()), is_system=False)
        for worker in life.rows:
            if worker not in life.locks and not life.looked:
                yield Move(f"the taker finds the lock of worker {worker} free", life._replace(looked=worker))
        if life.looked in life.rows:
            breach = "K1 a living process is taken over" if life.is_alive else None
            taken = life._replace(rows=life.rows - {life.looked}, looked=0)
            yield Move(f"worker {life.looked} is taken over", taken, breach=breach)
        elif life.looked:
            yield Move("the taker finds no row", life._replace(looked=0))

    return Model(Life(), moves, is_done=lambda life: not life.rows or life.is_alive)


def _worker(guards: frozenset[str], life: Life) -> Iterator[Move]:
    """Joining, rejoining, leaving: one move for each thing that is done."""
    me = frozenset({life.worker})
    lock, row = life._replace(locks=life.locks | me), life._replace(rows=life.rows | me)
    if life.step in ("out", "again"):
        first, label = (lock, "locks its file") if "lock_before_row" in guards else (row, "inserts its row")
        yield Move(f"worker {life.worker} {label}", first._replace(step="half " + life.step))
    elif life.step.startswith("half "):
        second, label = (row, "inserts its row") if "lock_before_row" in guards else (lock, "locks its file")
        old = frozenset(range(1, life.worker))
        kept = second.locks if "old_lock_last" not in guards else second.locks - old
        yield Move(f"worker {life.worker} {label}", second._replace(step="in", locks=kept))
    elif life.step == "in":
        first, label = (life._replace(rows=life.rows - me), "deletes its row")
        if "unlock_after_row" not in guards:
            first, label = (life._replace(locks=life.locks - me), "frees its lock")
        yield Move(f"worker {life.worker} {label}", first._replace(step="leaving"))
        if life.rejoins:
            new = life._replace(step="again", worker=life.worker + 1, rejoins=0, rows=life.rows - me)
            if "old_lock_last" not in guards:
                new = new._replace(locks=life.locks - me, rows=life.rows)
            yield Move(f"worker {life.worker} is fenced and leaves its old row", new)
    elif life.step == "leaving":
        second = life._replace(rows=life.rows - me, locks=life.locks - me, step="gone")
        yield Move(f"worker {life.worker} is gone", second)


class File(NamedTuple):
    """The database file: who writes (0: nobody), who copies the WAL, and what each of two processes is about."""

    writer: int = 0
    copier: int = 0
    steps: tuple[str, ...] = ("idle", "idle")
    left: int = 3

    def step(self, number: int, step: str, **more: int) -> File:
        steps = tuple(step if place == number else old for place, old in enumerate(self.steps))
        return self._replace(steps=steps, **more)


def checkpoints(guards: frozenset[str]) -> Model:
    """Two processes that write and copy the WAL."""

    def moves(file: File) -> Iterator[Move]:
        for number, step in enumerate(file.steps):
            name, me = f"process {number}", number + 1
            if step == "idle" and file.left and not file.writer:
                yield Move(f"{name} begins to write", file.step(number, "writing", writer=me, left=file.left - 1))
            elif step == "idle" and not file.left:
                yield Move(f"{name} has done its part", file.step(number, "done"))
            elif step == "writing":
                breach = "K2 a commit while another process copies the WAL" if file.copier else None
                yield Move(f"{name} commits", file.step(number, "committed", writer=0), breach=breach)
            elif step == "committed" and (not file.writer or "copies_alone" not in guards) and not file.copier:
                holder = me if "copies_alone" in guards else file.writer
                yield Move(f"{name} begins to copy", file.step(number, "copying", copier=me, writer=holder))
            elif step == "copying":
                holder = 0 if "copies_alone" in guards else file.writer
                yield Move(f"{name} has copied", file.step(number, "idle", copier=0, writer=holder))

    return Model(File(), moves, is_done=lambda file: file.steps == ("done", "done"))
