"""Where did a run fail? Which of its records, and which of its children, its error came from."""

from __future__ import annotations

from collections.abc import Iterator

from .._entries import Stored
from ..errors import RecordedError, SerializationError
from .serialization import Serializer

Signature = tuple[str, str]
"""Of an error: its type, and what it says."""


def signature_of(error: BaseException) -> Signature:
    """The same for the same error, whether this process knows its type or not."""
    if isinstance(error, RecordedError):
        return error.type_name.rpartition(":")[2], error.message
    return type(error).__qualname__, str(error)


def within(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and all that it was raised from, or holds."""
    seen: set[int] = set()
    found = [error]
    while found:
        one = found.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        found += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            found += one.exceptions


class Failure:
    """The error that a run has ended with."""

    def __init__(self, serializer: Serializer | None, stored: Stored | None) -> None:
        self._serializer = serializer
        self._signatures = {signature_of(error) for error in within(self._load(stored))}

    def came_from(self, stored: Stored) -> bool:
        """Whether this recorded error is in it."""
        error = self._load(stored)
        return error is not None and signature_of(error) in self._signatures

    def has_type(self, kind: type[BaseException]) -> bool:
        """Whether an error of exactly this type is in it."""
        return any(name == kind.__qualname__ for name, _ in self._signatures)

    def tells_of(self, run_id: str) -> bool:
        """Whether it says that this run was cancelled, or is dead."""
        return any(run_id in message for _, message in self._signatures)

    def _load(self, stored: Stored | None) -> BaseException | None:
        if stored is None or self._serializer is None:
            return None
        try:
            return self._serializer.load_error(stored)
        except SerializationError:
            return None
