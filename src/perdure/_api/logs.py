"""Logs of workflows and steps: which run a line belongs to, and none twice because a run is replayed.

It stands on `logging` alone: no handler is made here, and no line is kept anywhere but where the program's own go.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from .._core.given import text_name
from .._core.lineage import Branch, body_elsewhere, scope

OWN: Final = "perdure"
"""What the library says itself is about this process, and never a repetition."""
_NOWHERE: Final[Mapping[str, object]] = dict.fromkeys(("run_id", "workflow", "step", "attempt"))


class LogFilter(logging.Filter):
    """Gives each record the run that it was logged in, and drops what the run had logged before a replay.

    For loggers that `perdure.logger` has not made: added to a handler, it sees all that the handler gets; added to a
    logger, what is logged by that one itself. The attributes are `run_id`, `workflow`, `step` and `attempt`, as
    `perdure.logger` says them; one that the record has already is left alone. It must be asked in the thread that logs:
    put it on the handler that hands records to a queue, not behind it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        for name, value in place().items():
            if name not in record.__dict__:
                setattr(record, name, value)
        return record.name.partition(".")[0] == OWN or not is_repeated()


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records say which run they are of; made by `perdure.logger`."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # the name is logging's
        """Whether a line of this level is written here and now."""
        return super().isEnabledFor(level) and not is_repeated()

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The record's attributes; what the line says of itself with `extra` wins."""
        kwargs["extra"] = {**place(), **(kwargs.get("extra") or {})}
        return msg, kwargs


def logger(name: str | None = None) -> RunLogger:
    """A logger for workflows and steps, as `logging.getLogger(name)`; without a name, of the module that calls this.

    Each record has `run_id`, `workflow` (the name of what the run executes), `step` (in a step's body) and `attempt`
    (in a workflow the claim of the run since it last recorded something, in a step the attempt of its body); all are
    None outside of runs. While a run is replayed, what its workflow logs is not written again: only what comes after
    the last recorded outcome is, which may have been written by the process that died. No line is lost.

    May be made and used anywhere, in runs or not, by all threads. Levels, handlers and formats are those of `logging`.
    """
    name = sys._getframe(1).f_globals.get("__name__", "root") if name is None else text_name(name, "logger: name")
    return RunLogger(logging.getLogger(name), {})


def place() -> Mapping[str, object]:
    """Where the calling code stands, as a record says it."""
    here = scope.get()
    if here is None:
        there = body_elsewhere.get()
        return _NOWHERE if there is None else there.place or _NOWHERE
    run = here.run
    if type(here) is Branch:
        return {"run_id": run.run_id, "workflow": run.name, "step": None, "attempt": run.attempts}
    call = here.call  # type: ignore[union-attr]  # a StepScope then
    step = run.name if call is None else call.definition.name
    return {"run_id": run.run_id, "workflow": run.name, "step": step, "attempt": here.attempt}  # type: ignore[union-attr]


def is_repeated() -> bool:
    """Whether the calling code is a workflow's that does what it did in an earlier life."""
    here = scope.get()
    return type(here) is Branch and here.run.is_repeating
