"""A store of which nothing but reading is left."""

from __future__ import annotations

from typing import Any, Final, cast

from ...stores.protocol import Store

READING: Final = frozenset(
    {"check", "close", "finder", "lock_directory", "may_claim_beside", "runs", "said", "session"}
)
"""What changes no row; a session is made, and never opened."""


class ReadOnly:
    """Hands on what reads; all else is refused, whoever asks."""

    on_cancelled = None

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name not in READING:
            raise AssertionError(f"a check writes nothing, and {name} would")
        return getattr(self._store, name)


def read_only(store: Store) -> Store:
    """The store, for reading."""
    return cast("Store", ReadOnly(store))
