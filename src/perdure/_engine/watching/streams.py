"""Who follows a stream: handed its next rows when he asks for them, as soon as there are any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..._streams import StreamSeen
from ...stores.protocol import Said
from ...typing import RunId
from .following import Following


class StreamFollower:
    """For one reader, who asks by `want`, and is told by `on_page`, from any thread, to `take` what there is."""

    def __init__(self, said: Said, following: Following, run_id: RunId, name: str) -> None:
        self.run_id = run_id
        self.ask: Callable[[list[Any]], list[Any]] = said.chunks
        self._following = following
        self._name = name
        self._lock = threading.Lock()
        self._wanted: int | None = None
        self._page: StreamSeen | None = None
        self._error: BaseException | None = None
        self._on_page: Callable[[], object] = lambda: None

    def want(self, offset: int, on_page: Callable[[], object]) -> None:
        """Ask for the rows from this offset on."""
        with self._lock:
            self._page = None
            self._on_page = on_page
            self._wanted = offset
        if self._error is not None:
            on_page()
        self._following.call()

    def take(self) -> StreamSeen | None:
        """What has come, if it has; raises where nothing can come any more."""
        if self._page is None and self._error is not None:
            raise self._error
        return self._page

    def wants(self) -> Any:
        """What the reader has asked for."""
        offset = self._wanted
        return None if offset is None else (self.run_id, self._name, offset)

    def give(self, found: Any) -> bool:
        """Rows, or that there will be none."""
        with self._lock:
            if self._wanted is None or not (found.rows or found.has_ended):
                return False
            self._wanted, self._page = None, found
            on_page = self._on_page
        on_page()
        return True

    def fail(self, error: BaseException) -> None:
        """There will be nothing more."""
        self._error = error
        self._on_page()
