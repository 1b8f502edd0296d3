"""Who follows an event: told once, when it is there or will never be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._entries import EventSeen
from ...stores.protocol import Said
from ...typing import RunId


class EventFollower:
    """See the module; `on_seen` is called from any thread."""

    def __init__(
        self,
        said: Said,
        run_id: RunId,
        key: str,
        on_seen: Callable[[EventSeen], object],
        on_failed: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self.run_id = run_id
        self.ask: Callable[[list[Any]], list[Any]] = said.events
        self._wanted = (run_id, key)
        self._on_seen = on_seen
        self._on_failed = on_failed
        self._is_done = False

    def wants(self) -> Any:
        """The event, until it is there."""
        return None if self._is_done else self._wanted

    def give(self, found: Any) -> bool:
        """What there is."""
        if self._is_done or not found.is_final:
            return False
        self._is_done = True
        self._on_seen(found)
        return True

    def fail(self, error: BaseException) -> None:
        """There will be nothing more."""
        self._on_failed(error)
