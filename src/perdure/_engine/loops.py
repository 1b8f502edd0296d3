"""An event loop of our own, for async runs in a program that has none, or whose loop is closed."""

from __future__ import annotations

import asyncio
import threading


class OwnLoop:
    """A loop on a daemon thread, started when first asked for, and again where user code has ended it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        """The loop, running. Raises `RuntimeError` where no thread can be had."""
        with self._lock:
            if self._loop is None or self._loop.is_closed() or self._thread is None or not self._thread.is_alive():
                self._loop, self._thread = self._start()
            return self._loop

    @classmethod
    def _start(cls) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=cls._run, args=(loop,), name="perdure-loop", daemon=True)
        try:
            thread.start()
        except BaseException:
            loop.close()
            raise
        return loop, thread

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def stop(self, seconds: float = 2.0) -> None:
        """Stop the loop once what is ready has run, and wait so long for its thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or loop.is_closed():
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(seconds)
