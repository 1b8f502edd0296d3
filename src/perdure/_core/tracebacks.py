"""Tracebacks as their readers want them: the frames of their own code, without those of ours in between.

The rule: an error that is the user's, or that we raise on purpose, crosses our frames without a trace. Where it leaves
them (`decorators`, `handle`, the drivers of async calls) or is recorded, `forget_frames` takes them away. One that we
raise by mistake keeps all of them.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final

from ..errors import PerdureError
from .serialization.raised import TRACEBACK, own_dict

OURS: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")  # noqa: PTH100, PTH118, PTH120
"""Where the package lies: every frame of its files is ours."""


def forget_frames(error: BaseException) -> None:
    """Take our frames out of the error's traceback. In an `except` block before `raise`, that of the block goes too."""
    frames = [entry for entry in entries_of(error.__traceback__) if not is_ours(entry)]
    if frames and is_ours(last_of(error.__traceback__)) and not is_on_purpose(error):
        return  # our own mistake, made on behalf of the user's code
    if not frames and not is_on_purpose(error):
        return
    remade: TracebackType | None = None
    for entry in reversed(frames):
        remade = TracebackType(remade, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = remade


def is_on_purpose(error: BaseException) -> bool:
    """Whether it was raised by what people have written, here or in an earlier life, or says what they should write."""
    return isinstance(error, PerdureError) or TRACEBACK in own_dict(error)


def is_ours(entry: TracebackType | None) -> bool:
    """Whether the entry is of a file of the package."""
    return entry is not None and entry.tb_frame.f_code.co_filename.startswith(OURS)


def entries_of(traceback: TracebackType | None) -> list[TracebackType]:
    """The outermost first."""
    found = []
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def last_of(traceback: TracebackType | None) -> TracebackType | None:
    """Where it was raised."""
    entries = entries_of(traceback)
    return entries[-1] if entries else None
