"""`Limits` on Postgres: each change is one function."""

from __future__ import annotations

import json
from collections.abc import Collection

from ..limits import Changes, QueueRow
from .batches import text_array
from .connections import Database


class PostgresLimits:
    """What is set in one database."""

    def __init__(self, database: Database) -> None:
        self._ask = database.ask

    def rows(self, names: Collection[str] | None = None) -> list[QueueRow]:
        asked = None if names is None else text_array(names)
        return [QueueRow(*row) for row in self._ask("queue_rows", {"names": asked})]

    def set(self, name: str, changes: Changes, *, is_known: bool) -> bool:
        asked = {"name": name, "changes": json.dumps(dict(changes)), "is_known": is_known}
        [(was_known,)] = self._ask("set_queue", asked)
        return bool(was_known)

    def declare(self, name: str, declaration: Changes) -> None:
        self._ask("declare_queue", {"name": name, "declaration": json.dumps(dict(declaration))})

    def pause(self, function: str, *, is_paused: bool) -> None:
        self._ask("pause_function", {"name": function, "is_paused": is_paused})

    def paused(self) -> list[tuple[str, float]]:
        return [(name, since) for name, since in self._ask("paused_functions", {})]

    def heal(self, name: str, after_key: str) -> str | None:
        [(last,)] = self._ask("heal_keys", {"name": name, "after_key": after_key})
        return None if last is None else str(last)
