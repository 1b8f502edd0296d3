"""A worker's own session: its advisory lock, its heartbeat and what others say, all three gone together when it breaks.

The server releases the lock some milliseconds after its process has died, and eleven seconds after its machine has
vanished. Behind a pooler that hands a session to one client after the other there is no lock of ours, nothing is heard,
and the lease and the poll decide alone.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress

from ..hints import VAGUE, hint_of, texts_of
from ..protocol import Hint, Locks
from .connections import Connection, Database


class PostgresSession:
    """`Session` over the store's connection for the heartbeat."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = database.heartbeat
        self._held = ("", 0)
        """Which worker's lock was asked for, in which of all connections."""
        self._listening = 0
        """In which of all connections it listens, without a lock."""
        self._pid = 0
        self._has_missed = False
        """Whether something may have been said before it listened, which is then to be looked for."""
        self._poked, self._poke = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._closing = threading.Lock()

    def hold(self, worker_id: str) -> None:
        line = self._line
        if line.is_open and self._held == (worker_id, line.opened):
            return
        with line.lock:
            rows = line.query("take_lock", {"worker_id": worker_id})
            if not rows:
                return  # fenced: the next renewal says so
            [(_, is_taken, self._pid)] = rows
            has_lock = is_taken and not self._is_pooled(line, worker_id)
            if has_lock:
                self._listen(line)
            else:
                line.query("drop_locks", {})
            line.query("note_lock", {"worker_id": worker_id, "has_lock": has_lock})
            if is_taken:  # else a session of ours that broke still has it; the server drops that soon
                self._held = worker_id, line.opened

    def listen(self) -> None:
        line = self._line
        if line.is_open and self._listening == line.opened:
            return
        with line.lock:
            [(self._pid,)] = line.query("backend", {})
            self._listening = line.opened
            with self._database.spare() as other, other.transaction() as busy:
                [(theirs,)] = busy.ask("backend")
                [(ours,)] = line.query("backend", {})
            if theirs != self._pid == ours:
                self._listen(line)

    def _listen(self, line: Connection) -> None:
        line.query("prepare_line", {})
        line.query("listen", {})
        self._has_missed = True

    def _is_pooled(self, line: Connection, worker_id: str) -> bool:
        """Whether another client gets our session. A pooler gives what is idle to who comes next: somebody who keeps
        one busy has ours, or we get another one.
        """
        with self._database.spare() as other, other.transaction() as busy:
            [(theirs,)] = busy.ask("backend")
            [(ours, is_held)] = line.query("own_lock", {"worker_id": worker_id})
        return theirs == self._pid or ours != self._pid or not is_held

    def locks(self) -> Locks:
        line = self._line
        with line.lock:
            rows = line.query("look_at_locks", {})
        free = frozenset(worker_id for worker_id, is_held in rows if not is_held)
        return Locks(line.opened, frozenset(worker_id for worker_id, is_held in rows if is_held), free)

    def say(self, hint: Hint) -> None:
        line = self._line
        with line.lock:
            if not line.is_open:  # of a process that has only something to say
                line.query("prepare_line", {})
            for text in texts_of(hint):
                line.query("send_hint", {"text": text})

    def wait(self, seconds: float) -> list[Hint]:
        line = self._line
        if self._has_missed:
            self._has_missed = False
            return [VAGUE]
        with line.lock:
            said = line.heard()
        if not said:
            poll = select.poll()
            poll.register(self._poked, select.POLLIN)
            if (socket := line.fileno()) >= 0:
                poll.register(socket, select.POLLIN)
            poll.poll(1_000 * max(0.0, seconds))
            with suppress(BlockingIOError):
                os.read(self._poked, 4096)
            with line.lock:
                said = line.heard()
        return [hint_of(each.payload) for each in said if each.pid != self._pid]

    def poke(self) -> None:
        with self._closing:
            if self._poke >= 0:
                with suppress(BlockingIOError):  # enough of them are there
                    os.write(self._poke, b"!")

    def close(self) -> None:
        with self._line.lock:
            self._line.close()
        with self._closing:
            for end in (self._poked, self._poke):
                if end >= 0:
                    os.close(end)
            self._poked = self._poke = -1
