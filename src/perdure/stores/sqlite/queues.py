"""`Limits` on SQLite: each change is a transaction of some statements."""

from __future__ import annotations

import json
from collections.abc import Collection

from ..limits import Changes, QueueRow
from .connections import Connection, Database
from .rows import texts

TOGETHER = 1_000


class SqliteLimits:
    """What is set in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, names: Collection[str] | None = None) -> list[QueueRow]:
        asked = None if names is None else texts(names)
        found = self._database.rows("queue_rows", asked, asked)
        return [QueueRow(*[*columns, bool(is_keyed)]) for *columns, is_keyed in found]

    def set(self, name: str, changes: Changes, *, is_known: bool) -> bool:
        with self._database.spare().writing() as connection:
            if not is_known:
                [(is_used,)] = connection.query("is_known_queue", [name] * 4)
                if not is_used:
                    return False
            connection.change("make_queue", [name])
            _change(connection, name, changes, None)
            return True

    def declare(self, name: str, declaration: Changes) -> None:
        text = json.dumps(dict(declaration))
        connection = self._database.spare()
        with connection.alone():
            if _declared(connection, name) == json.loads(text):
                return
        with connection.writing():
            connection.change("make_queue", [name])
            before, now = _declared(connection, name), json.loads(text)
            changes = {key: now.get(key) for key in {*before, *now} if before.get(key) != now.get(key)}
            _change(connection, name, changes, text)

    def pause(self, function: str, *, is_paused: bool) -> None:
        with self._database.spare().writing() as connection:
            connection.change("note_pause" if is_paused else "forget_pause", [function])

    def paused(self) -> list[tuple[str, float]]:
        return [(name, since) for name, since in self._database.rows("paused_functions")]

    def heal(self, name: str, after_key: str) -> str | None:
        with self._database.spare().writing() as connection:
            keys = [key for (key,) in connection.rows("waiting_keys", [name, after_key, name])]
            connection.change("stir_keys", [name, texts(keys), name])
            connection.change("forget_starts", [name, name, after_key, name])
        return keys[-1] if len(keys) == TOGETHER else None


def _declared(connection: Connection, name: str) -> dict[str, object]:
    for (declared,) in connection.query("declared_for", [name]):
        found: dict[str, object] = json.loads(declared)
        return found
    return {}


def _change(connection: Connection, name: str, changes: Changes, declaration: str | None) -> None:
    given = {"name": name, "changes": json.dumps(dict(changes)), "declaration": declaration}
    if "rate" in changes or "key_rate" in changes:
        for name_of in ("forget_before_window", "begin_window"):
            connection.change(name_of, connection.arranged(name_of, given))
    connection.change("change_queue", connection.arranged("change_queue", given))
    if "key_concurrency" in changes:
        connection.change("stir_held_keys", [name])
    if "key_rate" in changes:
        connection.change("wake_keys", [name])
