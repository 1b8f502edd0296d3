"""Who follows one thing that a run says, an event or an answer: told once, when it is there or will never be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...typing import RunId


class UntilFinal:
    """Asks for what is `wanted` until it `is_final`. `on_final` gets it; `on_failed`, why there will be nothing more.
    Both are called from any thread.
    """

    def __init__(
        self,
        run_id: RunId,
        ask: Callable[[list[Any]], list[Any]],
        wanted: object,
        on_final: Callable[[Any], object],
        on_failed: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self.run_id = run_id
        self.ask = ask
        self._wanted = wanted
        self._on_final = on_final
        self._on_failed = on_failed
        self._is_done = False

    def wants(self) -> Any:
        """The thing, until it is there."""
        return None if self._is_done else self._wanted

    def give(self, found: Any) -> bool:
        """What there is."""
        if self._is_done or not found.is_final:
            return False
        self._is_done = True
        self._on_final(found)
        return True

    def fail(self, error: BaseException) -> None:
        """There will be nothing more."""
        self._on_failed(error)
