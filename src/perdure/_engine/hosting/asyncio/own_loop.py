"""An event loop of our own, for async runs in a program that has none, or whose loop is closed."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from functools import partial

from ...background import start_thread

log = logging.getLogger("perdure")

LAST_SECONDS = 1.0
"""So long what is cancelled at the loop's end may take."""


class OwnLoop:
    """A loop on a daemon thread, started when first asked for, and again where it has ended."""

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

    def _start(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        loop = asyncio.new_event_loop()
        try:
            return loop, start_thread(partial(self._run, loop), "perdure-loop")
        except BaseException:
            loop.close()
            raise

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until it is stopped by us: a task that stops the loop, or wants to end the process, is one of many on it."""
        asyncio.set_event_loop(loop)
        try:
            while True:
                try:
                    loop.run_forever()
                except (SystemExit, KeyboardInterrupt) as error:
                    log.warning("a task on the event loop of perdure raised %r; the loop goes on", error)
                with self._lock:
                    if loop is not self._loop:
                        return
        finally:
            self._end(loop)

    @staticmethod
    def _end(loop: asyncio.AbstractEventLoop) -> None:
        """As `asyncio.run` does: whatever still waits hears that it is over; Python would complain of it otherwise."""
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        try:
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=LAST_SECONDS))
        except (SystemExit, KeyboardInterrupt) as error:
            log.warning("a task on the event loop of perdure raised %r when it was to end", error)
        finally:
            loop.close()

    def stop(self, seconds: float = 2.0) -> None:
        """Stop the loop once what is ready has run, and wait so long for its thread."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None or loop.is_closed():
            return
        with suppress(RuntimeError):  # it has just come to its end by itself
            loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(seconds)
