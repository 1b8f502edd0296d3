"""A process that is nothing but a worker: it serves queues until it is told to stop, or has nothing left to do.

The first SIGTERM or Ctrl-C: begin nothing more, let what runs go on for a moment, hand the rest back uncharged, leave.
The second: hand back now.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from .._engine.runtime import STOPPING_SECONDS, Runtime
from ..errors import StoreError
from .app import Perdure

log = logging.getLogger("perdure")

LOOK_SECONDS = 0.2
"""So late a signal is seen that came just before the main thread began to wait: it does not interrupt that wait,
and one without an end would never see it.
"""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class WorkerProcess:
    """The work of the main thread of such a process. `grace_seconds`: so long runs go on after the first signal."""

    def __init__(self, app: Perdure, grace_seconds: float, *, until_idle: bool) -> None:
        self._app = app
        self._grace_seconds = grace_seconds
        self._until_idle = until_idle
        self._told = 0
        self._is_launched = False
        self._is_over = threading.Event()

    def run(self, on_launched: Callable[[], None] = lambda: None) -> None:
        """Until the end. Raises what the launch raises; then nothing has begun."""
        with self._signals():
            self._app.launch()
            self._is_launched = True
            on_launched()
            while not self._is_over.wait(LOOK_SECONDS):
                if self._until_idle and self._is_idle():
                    break
            self.stop()

    def tell(self) -> None:
        """It is to stop; told again, at once. From any thread, and from the handlers of signals."""
        self._told += 1
        self._is_over.set()
        runtime = self._app._runtime
        if self._told > 1 and runtime is not None:
            runtime.leaving.hurry()

    def stop(self) -> None:
        """Leave: what has not ended by then is handed back."""
        runtime = self._app._runtime
        if runtime is not None and self._told < 2:
            runtime.room.close()
            runtime.dispatcher.stop(STOPPING_SECONDS)
            runtime.leaving.wait_until_empty(time.monotonic() + self._grace_seconds)
        self._app.shutdown(0 if self._told > 1 else None)

    def _is_idle(self) -> bool:
        runtime = self._app._runtime
        try:
            return runtime is not None and is_idle(runtime)
        except StoreError as error:
            log.warning("whether anything is left to do is not known; asking again: %s", error)
            return False

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The process ends after this: a signal that comes on its last way must not make a bad end of a good one."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.tell()

        before = {number: signal.signal(number, on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self._is_launched else handler)


def is_idle(runtime: Runtime) -> bool:
    """Whether nothing is held here, and nothing that this process serves can begin now. Raises `StoreError`."""
    if not runtime.held.is_empty:
        return False
    pulse = runtime.store.pulse(runtime.worker.worker_id, runtime.room.queues(), runtime.definitions.names())
    return not (pulse.has_mail or pulse.has_claimable or pulse.has_last_attempts) and runtime.held.is_empty
