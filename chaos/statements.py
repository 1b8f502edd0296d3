"""The statements of the world's own tables, from `sql/`: none is Perdure's."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def statement(name: str) -> bytes:
    """The text of `sql/<name>.sql`."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_bytes()
