"""Marks: what a call records of itself before its outcome is there, in checkpoints beside its own.

A step that may run at most once marks that it begins; one that is tried again, how often it was and when it is due.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from .._entries import Checkpoint
from ..errors import SerializationError

MARK: Final = "?"
LONGEST_ERROR: Final = 300


class Tried(Struct, frozen=True):
    """What earlier lives of the run have tried: so many attempts have failed, the next one is due then. The policy
    counts those since the run was last let go on.
    """

    failed: int = 0
    began_at: float = 0.0
    due_at: float = 0.0
    before: int = 0
    """So many of them had failed when people were asked."""


UNTRIED: Final = Tried()


def told(error: BaseException) -> str:
    """The beginning of what an error says, for people, as any database takes it; its own text may fail."""
    try:
        text = f"{type(error).__qualname__}: {error}"[:LONGEST_ERROR]
    except Exception:
        text = type(error).__qualname__
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def call_of_mark(checkpoint: Checkpoint) -> str | None:
    """The key of the call that the checkpoint is a mark of; None of one that is an outcome."""
    return call_of_mark_key(checkpoint.key, checkpoint.kind)


def call_of_mark_key(key: str, kind: str) -> str | None:
    """The same of a checkpoint of this key and kind."""
    if kind != "value":
        return None
    call, is_mark, number = key.rpartition(MARK)
    return call if is_mark and (number.isdecimal() or not number) else None


def tried_of(recorded: object) -> Tried:
    """What a mark says; a row may hold anything."""
    match recorded:
        case [int(failed), float(began_at), float(due_at), *said] if failed > 0:
            before = said[1] if len(said) > 1 and isinstance(said[1], int) else 0
            return Tried(failed, began_at, due_at, before)
    raise SerializationError(f"it says no attempts but is a {type(recorded).__name__}")
