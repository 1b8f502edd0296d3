"""A store that does not let some entries through yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from perdure._entries import Entry


class Gate:
    """Stands before the store. A batch with an entry of the kind meets `closed` until `may_pass`."""

    def __init__(self, store: Any, kind: type[Entry], closed: Callable[[threading.Event], object]) -> None:
        self.may_pass = threading.Event()
        self._kind, self._closed = kind, closed
        self._apply = store.apply
        store.apply = self.apply
        store.at_once = lambda waiting: 0

    def apply(self, worker_id: str, entries: Sequence[Entry]) -> Any:
        if any(isinstance(entry, self._kind) for entry in entries) and not self.may_pass.is_set():
            self._closed(self.may_pass)
        return self._apply(worker_id, entries)
