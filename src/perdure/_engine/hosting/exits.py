"""Whether what ends a program, Ctrl-C above all, came from outside, or was raised by the code that it ends."""

from __future__ import annotations

import dis
import functools
import signal
import threading
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

_RAISE: Final = dis.opmap["RAISE_VARARGS"]


def is_own(error: BaseException) -> bool:
    """Whether a `raise` in the code made it; else a signal did, or the end of the coroutine that it was thrown into.

    A signal's error appears between two instructions or in a call, or in the signal's handler. It never comes to a
    thread that is not the main one; there a `GeneratorExit` may.
    """
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is not threading.main_thread():
        return True
    place: TracebackType | None = error.__traceback__
    handlers = _handlers()
    frame: FrameType | None = None
    instruction = 0
    while place is not None:
        frame, instruction = place.tb_frame, place.tb_lasti
        if frame.f_code in handlers:
            return False
        place = place.tb_next
    return frame is not None and frame.f_code.co_code[instruction] == _RAISE


def _handlers() -> set[CodeType]:
    """The code of all signals' handlers."""
    found: set[CodeType] = set()
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        while isinstance(handler, functools.partial):  # as asyncio's
            handler = handler.func
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if isinstance(code, CodeType):
            found.add(code)
    return found
