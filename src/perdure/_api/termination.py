"""SIGTERM: a launched process hands its runs back, uncharged, and ends as a process does that this signal ends.

Only where nobody else has taken the signal: a server or framework, or the program itself, shuts down in its own way and
so ends what was launched. The handler only starts a thread: the main thread, which it interrupts, may hold any lock.
"""

from __future__ import annotations

import _thread
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

log = logging.getLogger("perdure")

STATUS = 128 + signal.SIGTERM
"""What shells show for it."""
LAST_SECONDS = 1.0
"""So long the main thread may take to come to its own end; it may be in C code that knows no signals."""


class Termination:
    """The end of this process by SIGTERM. Where it `is_wanted`, `hand_back` is called first, on a thread."""

    def __init__(self, is_wanted: Callable[[], bool], hand_back: Callable[[], None]) -> None:
        self._is_wanted = is_wanted
        self._hand_back = hand_back
        self.forget()

    def forget(self) -> None:
        """In a forked child: it was the parent that is about to end."""
        self._is_over = threading.Event()
        self.is_under_way = False

    def install(self) -> None:
        """Take the signal where it is nobody's, and where Python lets us: in the main thread."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            with suppress(ValueError):  # an interpreter within the main one has no signals
                signal.signal(signal.SIGTERM, self._on_signal)

    def remove(self) -> None:
        """Give the signal back; from another thread it cannot be, and does what it did before all the same."""
        is_ours = signal.getsignal(signal.SIGTERM) == self._on_signal
        if is_ours and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def wait(self) -> None:
        """Where the process is about to end by this, block until it does; else nothing."""
        if self.is_under_way:
            self._is_over.wait()
            if threading.current_thread() is threading.main_thread():
                end_by_signal()
            time.sleep(LAST_SECONDS)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_over.is_set() or not (self.is_under_way or self._is_wanted()):
            end_by_signal()
        if not self.is_under_way:
            self.is_under_way = True
            try:
                _thread.start_new_thread(self._end, ())  # not `Thread`, which has locks that we may stand in
            except RuntimeError:  # there are too many, or the interpreter ends
                end_by_signal()

    def _end(self) -> None:
        try:
            log.info("SIGTERM: this process begins nothing more, hands its runs back, and ends")
            self._hand_back()
        except Exception:
            log.exception("could not hand everything back; the next start will find it")
        finally:
            self._is_over.set()
            os.kill(os.getpid(), signal.SIGTERM)  # the main thread ends the process
            time.sleep(LAST_SECONDS)
            os._exit(STATUS)


def end_by_signal() -> NoReturn:
    """End as of SIGTERM; where the kernel does not do that, as in the first process of a container, by its status."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)
    os._exit(STATUS)
