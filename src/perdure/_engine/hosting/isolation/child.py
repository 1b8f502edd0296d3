"""In the process that runs bodies: one after the other on its main thread, while another thread hears the worker."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from contextvars import Context
from multiprocessing.connection import Connection
from typing import Any, Final

from ...._core.lineage import Elsewhere, body_elsewhere
from ...._core.serialization.raised import message_of
from ....errors import PerdureError, RecordedError, RunInterrupted, SerializationError, UsageError
from ..found import found_function
from .memory import limited, mapped
from .messages import (
    TRANSIT,
    Began,
    Ended,
    FromChild,
    Kept,
    Logged,
    NotBegun,
    Progressed,
    Request,
    Saves,
    hear_parent,
    send,
    stored,
)
from .role import ROLE

IDLE_SECONDS: Final = 30.0
"""So long a process waits for the next body."""
PROGRESS_SECONDS: Final = 0.1
"""So often at most it is said how far a body has come."""

log = logging.getLogger("perdure")


def serve(descriptor: int) -> None:
    """Run what is asked for, until nothing is for a while, or nobody is there to ask."""
    os.set_inheritable(descriptor, False)
    ROLE.runs_bodies = True
    worker = Worker(Connection(descriptor))
    threading.Thread(target=worker.hear, name="perdure-worker", daemon=True).start()
    size_at_first: int | None = None
    while (request := worker.next_request()) is not None:
        size_at_first = run_request(worker, request, size_at_first)
    os._exit(0)  # nothing of the program's is to be ended in order here: no run depends on it


class Worker:
    """What this process knows of the one that the run is in, and says to it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pid = os.getpid()
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._kept: queue.SimpleQueue[Kept] = queue.SimpleQueue()
        self._progress: Progressed | None = None
        self.is_busy = False
        """Whether a body runs, which may say how far it has come."""
        self.saved: str | None = None

    def hear(self) -> None:
        """On a thread of its own. With the worker this process ends, and what it has started."""
        while True:
            try:
                if not self._connection.poll(PROGRESS_SECONDS if self.is_busy else None):
                    self.flush()
                    continue
                message = hear_parent(self._connection)
            except MemoryError:  # the body takes all there is
                continue
            except (EOFError, OSError):
                os.killpg(0, signal.SIGKILL)
                return
            if isinstance(message, Request):
                self.is_busy = True
                self._requests.put(message)
            else:
                self._kept.put(message)

    def next_request(self) -> Request | None:
        """None after a while without any."""
        with suppress(queue.Empty):
            return self._requests.get(timeout=IDLE_SECONDS)
        return None

    @property
    def is_ours(self) -> bool:
        """A fork of this process has nobody to talk to."""
        return os.getpid() == self._pid

    def say(self, message: FromChild) -> None:
        """From any thread."""
        if self.is_ours:
            with self._sending:
                send(self._connection, message)

    def flush(self) -> None:
        """Say how far the body has come, where that is new."""
        progress, self._progress = self._progress, None
        if progress is not None:
            self.say(progress)

    def progress(self, done: float, total: float | None, note: str | None) -> None:
        """See `perdure.progress`."""
        self._progress = Progressed(done, total, note)

    def save(self, value: object) -> None:
        """See `perdure.save`."""
        text = TRANSIT.accept(value, what="what the step saves")[0].text
        if not self.is_ours:
            return
        self.say(Saves(text))
        kept = self._kept.get()
        if kept.refusal is not None:
            raise (RunInterrupted if kept.is_lost else UsageError)(kept.refusal)
        self.saved = text

    def load_saved(self, default: Any) -> Any:
        """See `perdure.saved`."""
        return default if self.saved is None else TRANSIT.load(stored(self.saved))


class Forwarding(logging.Handler):
    """Has what is logged here written by the handlers of the program, in the worker."""

    def __init__(self, worker: Worker, place: dict[str, str | int | None]) -> None:
        super().__init__()
        self._worker = worker
        self._place = place

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            traceback = record.exc_text
            if record.exc_info and not traceback:
                traceback = logging.Formatter().formatException(record.exc_info)
            text = record.getMessage().encode("utf-8", "replace").decode()
            where = (record.pathname, record.lineno, record.funcName or "")
            line = Logged(record.name, record.levelno, text, record.created, self._place, traceback, where)
            self._worker.say(line)
        except Exception:
            self.handleError(record)


def run_request(worker: Worker, request: Request, size_at_first: int | None) -> int | None:
    """Run the body and say how it ended; the size of the process before its first one."""
    try:
        function = found_function(request.module, request.qualname, request.name)
        args, kwargs = TRANSIT.load_arguments(stored(request.arguments))
    except BaseException as error:
        worker.say(NotBegun(why_not(request, error)))
        return size_at_first
    size_at_first = size_at_first or mapped()
    worker.saved = request.saved
    context = Context()
    here = Elsewhere(request.idempotency_key, request.place, worker)
    context.run(body_elsewhere.set, here)
    handler = forward_logs(worker, request)
    worker.say(Began())
    is_error, value, is_spent = True, None, False
    try:
        with limited(request.memory) as is_kept:
            if not is_kept:
                log.warning("memory= of step %s is not kept: this system has no such limit", request.place["step"])
            value = context.run(function, *args, **kwargs)
        is_error = False
    except BaseException as error:
        value, is_spent = told_error(request, error), isinstance(error, MemoryError)
    finally:
        if handler is not None:
            logging.getLogger().removeHandler(handler)
    worker.flush()
    size = mapped()
    if request.memory is not None and size is not None and size_at_first is not None:
        is_spent = is_spent or size - size_at_first > request.memory
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the body may have closed it
            stream.flush()
    worker.is_busy = False
    worker.say(ended(request, value, is_error=is_error, is_spent=is_spent))
    return size_at_first


def forward_logs(worker: Worker, request: Request) -> Forwarding | None:
    """Where the program's module has set nothing up here itself."""
    root = logging.getLogger()
    if root.handlers:
        return None
    handler = Forwarding(worker, request.place)
    root.setLevel(request.log_level)
    root.addHandler(handler)
    return handler


def ended(request: Request, value: Any, *, is_error: bool, is_spent: bool) -> Ended:
    """The outcome, as it travels; a value that cannot is an error."""
    if not is_error:
        try:
            stored_value, _ = TRANSIT.accept(value, what=f"the result of step {request.place['step']}")
            return Ended(stored_value.text, False, is_spent)
        except SerializationError as refused:
            value = refused
    return Ended(TRANSIT.dump_error(value).text, True, is_spent)


def told_error(request: Request, error: BaseException) -> BaseException:
    """What the step's error is: what would end the program here is no order to the one there."""
    if isinstance(error, SystemExit):
        return RecordedError("builtins:SystemExit", f"the body called sys.exit({error.code!r})")
    if isinstance(error, MemoryError) and not error.args and request.memory is not None:
        error.args = (f"the body of step {request.place['step']} took more than its memory={request.memory} bytes",)
    if isinstance(error, Exception):
        return error
    kind = type(error)
    return RecordedError(f"{kind.__module__}:{kind.__qualname__}", message_of(error))


def why_not(request: Request, error: BaseException) -> str:
    """Why the body could not be found, or its arguments not be read."""
    if isinstance(error, UsageError):
        return str(error)
    if isinstance(error, PerdureError):
        return f"an argument cannot be read in its own process: {error}"
    return (
        f"its own process could not import {request.module}: {type(error).__name__}: {message_of(error)}. A step with "
        "isolation= belongs into a module that can be imported, with what starts the program under "
        'if __name__ == "__main__":'
    )
