"""What the program declares for its queues becomes known to the database; and keys that wait are in line."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..._core.definitions import QueueLimits as Declared
from ...stores.protocol import Store
from ..claiming.room import Room


class QueueLimits:
    """Two duties. `serves` says of which queues this process takes runs; `look` asks for a round soon."""

    def __init__(self, *, store: Store, room: Room, serves: Callable[[str], bool], look: Callable[[], None]) -> None:
        self._store = store
        self._room = room
        self._serves = serves
        self._look = look
        self._to_declare: dict[str, Declared] = {}
        self._lock = threading.Lock()
        self._healed: dict[str, str] = {}

    def note(self, queue: str, concurrency: int, declaration: Declared) -> None:
        """The program has this queue, and declares this for it. Any thread; no I/O."""
        if self._serves(queue):
            self._room.declare(queue, concurrency, has_limits=bool(declaration))
        with self._lock:
            self._to_declare[queue] = declaration
        self._look()

    def is_to_declare(self) -> bool:
        """Whether something was declared that the database does not know of."""
        return bool(self._to_declare)

    def declare(self) -> None:
        """Write it. What a queue without limits may have declared in another version of the program is taken back."""
        with self._lock:
            to_declare = dict(self._to_declare)
        plain = [queue for queue, declaration in to_declare.items() if not declaration]
        once_limited = {row.name for row in self._store.limits.rows(plain)} if plain else set()
        for queue, declaration in to_declare.items():
            if declaration or queue in once_limited:
                self._store.limits.declare(queue, declaration)
            self._room.know(queue)
            with self._lock:
                if self._to_declare.get(queue) is declaration:
                    del self._to_declare[queue]

    def heal(self) -> None:
        """Stir the next thousand keys of each queue that has keys, should a stir have been lost."""
        for row in self._store.limits.rows(self._room.queues()):
            if row.is_keyed:
                self._healed[row.name] = self._store.limits.heal(row.name, self._healed.get(row.name, "")) or ""
