"""`delay` and `apply_async` as call sites of Celery have them, on a Perdure queue: to move task by task, and no more.

Imports nothing of Celery's. New code calls `Queue.submit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial, update_wrapper
from typing import Any, Final, Generic, ParamSpec, TypeVar

from .. import Handle, Queue, Retry, UsageError, step

P = ParamSpec("P")
R = TypeVar("R")

_STATES: Final = {
    "ready": "PENDING",
    "held": "STARTED",
    "cancelling": "STARTED",
    "parked": "STARTED",
    "succeeded": "SUCCESS",
    "failed": "FAILURE",
    "cancelled": "REVOKED",
    "dead": "FAILURE",
}
_INSTEAD: Final = {
    "autoretry_for": "retries=perdure.Retry(on=...)",
    "base": "a plain function",
    "bind": "perdure.current() and perdure.idempotency_key() in the function",
    "chord": "a workflow",
    "expires": "a deadline in the function",
    "ignore_result": "nothing: results are kept with their runs",
    "link": "a workflow that calls one step after the other",
    "link_error": "a workflow with try and except",
    "max_retries": "retries=",
    "rate_limit": "Queue(name, rate=(n, seconds))",
    "retry": "retries=",
    "serializer": "nothing: arguments are stored as JSON, with types",
    "soft_time_limit": "timeout= of an async step",
    "time_limit": "timeout= of an async step",
}
"""What stands in the place of options that there are not."""


class Result:
    """What `delay` gives: the methods of Celery's `AsyncResult` that most call sites use, and the run's `handle`."""

    def __init__(self, handle: Handle[Any]) -> None:
        self.handle = handle

    @property
    def id(self) -> str:
        """The run's id."""
        return self.handle.run_id

    @property
    def state(self) -> str:
        """PENDING, STARTED, SUCCESS, FAILURE or REVOKED, read from the database now."""
        return _STATES[self.handle.status()]

    status = state

    def get(self, timeout: float | None = None, propagate: bool = True) -> Any:
        """The value; the task's error is raised, or given where `propagate` is False. `TimeoutError` after `timeout`
        seconds.
        """
        error = self.handle.exception(timeout)
        if error is None:
            return self.handle.result()
        if propagate:
            raise error
        return error

    def ready(self) -> bool:
        """Whether it has ended."""
        return self.state in ("SUCCESS", "FAILURE", "REVOKED")

    def successful(self) -> bool:
        """Whether it has ended with a value."""
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        """Whether it has ended with an error."""
        return self.state == "FAILURE"

    def revoke(self) -> None:
        """Cancel it; unlike Celery's, also where it runs already: at its next durable call."""
        self.handle.cancel()

    def __repr__(self) -> str:
        return f"<Result of run {self.id}>"


class Task(Generic[P, R]):
    """A step with `delay` and `apply_async`; made by `task`. Called, it is the plain function."""

    def __init__(self, function: Callable[P, R], name: str | None, queue: Queue, retries: Retry | int) -> None:
        self._step = step(name=name, retries=retries)(function)
        self._queue = queue
        update_wrapper(self, function)
        del self.__wrapped__  # type: ignore[attr-defined]  # the step stands in its place

    @property
    def step(self) -> Callable[P, R]:
        """The step, to be called in workflows."""
        return self._step

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The plain call; in a workflow it is recorded."""
        return self._step(*args, **kwargs)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        """Put it on its queue; returns when it is durable."""
        return Result(self._queue.submit(self._step, *args, **kwargs))

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: float | None = None,
        eta: datetime | None = None,
        task_id: str | None = None,
        priority: int = 0,
        **options: Any,
    ) -> Result:
        """`delay` with options: `countdown` in seconds or `eta`, a time with its zone; `task_id`, of which the same
        arguments make one run and others raise `RunExistsError`; `priority`, the higher ones first.

        Raises `UsageError` for options that there are not, and says what is in their place.
        """
        refuse(options, "apply_async")
        if eta is not None:
            if countdown is not None or eta.tzinfo is None:
                raise UsageError("apply_async: give countdown= or eta=, a time with its zone")
            countdown = max(0.0, (eta - datetime.now(eta.tzinfo)).total_seconds())
        chosen = self._queue.with_options(id=task_id, delay=countdown or None, priority=-priority)
        return Result(chosen.submit(self._step, *args, **dict(kwargs or {})))


def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: Queue | str = "celery",
    retries: Retry | int = 0,
    **options: Any,
) -> Any:
    """In the place of Celery's `@app.task` and `@shared_task`: the function is a step on a Perdure queue.

    `retries` as for `perdure.step`. Raises `UsageError` for options that there are not, and says what is in their
    place.
    """
    refuse(options, "@task")
    if function is None:
        return partial(task, name=name, queue=queue, retries=retries)
    return Task(function, name, queue if isinstance(queue, Queue) else Queue(queue), retries)


shared_task = task


def refuse(options: Mapping[str, Any], where: str) -> None:
    """Raise `UsageError` for what is left."""
    if options:
        instead = [f"{name}= (instead: {_INSTEAD[name]})" if name in _INSTEAD else f"{name}=" for name in options]
        raise UsageError(f"{where} has no option {', '.join(instead)}")
