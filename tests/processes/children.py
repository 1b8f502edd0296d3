"""Forked children of the test's own process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def in_child(check: Callable[[], None]) -> int:
    """Do it in a forked child; 0 when it raised nothing."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            check()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
