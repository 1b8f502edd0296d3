"""What becomes of the instances of a process that forks: its launches come to their end, its child begins anew."""

from __future__ import annotations

import logging
import os
import threading
import time

from ..stores.open import forks
from . import app as _app

log = logging.getLogger("perdure")

_forking = threading.RLock()
_stopped: list[threading.RLock] = []
"""The locks of the instances, while a fork is under way."""


def _wait_for_launches() -> None:
    """Before a fork: a launch comes to its end. A child that is forked in its middle would inherit half a worker, and
    the locks of modules that are being imported, which nobody would ever release there.
    """
    _forking.acquire()
    deadline = time.monotonic() + forks.PATIENCE_SECONDS
    with _app._registering:
        locks = [app._lock for app in _app.INSTANCES]
    for lock in (*locks, _app._registering):
        if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            _stopped.append(lock)


def _let_launch() -> None:
    while _stopped:
        _stopped.pop().release()
    _forking.release()


def _forget_parent() -> None:
    """In the child: no thread is left that could release what the parent's threads hold."""
    global _forking
    _forking, _app._registering = threading.RLock(), threading.RLock()
    _app._termination.forget()
    _stopped.clear()
    _app._at_work.clear()
    for app in list(_app.INSTANCES):
        try:
            app.forget_parent()
        except Exception:
            log.exception("%r was not let go of cleanly in a forked child", app)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_for_launches, after_in_parent=_let_launch, after_in_child=_forget_parent)
