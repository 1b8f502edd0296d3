"""A batch on its way to the server: `SentBatch` over one call."""

from __future__ import annotations

from collections.abc import Callable

from ..._entries import Verdict
from .calls import Call
from .failures import FAILURES


class SentCall:
    """`SentBatch` for one call; `verdicts` reads its answer."""

    def __init__(self, call: Call, connection: int, verdicts: Callable[[], list[Verdict]]) -> None:
        self._call = call
        self.connection = connection
        self.verdicts = verdicts

    @property
    def is_sent(self) -> bool:
        return self._call.is_sent

    def fileno(self) -> int:
        return self._call.fileno()

    def is_answered(self) -> bool:
        try:
            return self._call.is_answered()
        except FAILURES:
            return True  # `verdicts` says so

    def wait(self, seconds: float | None = None) -> bool:
        try:
            return self._call.wait(seconds)
        except FAILURES:
            return True
