"""Traces and metrics of runs by OpenTelemetry's API: one trace for each run, in whatever processes it lives.

    @perdure.step
    @traced
    def charge(order: int) -> int: ...

A run's trace id comes from its id, so nothing has to be stored or handed on. What is not `traced` costs nothing, and
what is costs what the API costs where no SDK is set up.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from ._needs import needs

with needs("OpenTelemetry's API", "opentelemetry"):
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from .. import Current, UsageError, __version__, current, where
from ._telemetry_once import MetricsOnce, SpansOnce

__all__ = ["MetricsOnce", "SpansOnce", "trace_id", "traced"]

P = ParamSpec("P")
R = TypeVar("R")

_tracer = trace.get_tracer("perdure", __version__)
_meter = metrics.get_meter("perdure", __version__)
_started = _meter.create_counter("perdure.runs.started", description="Runs of traced workflows that began")
_ended = _meter.create_counter("perdure.runs.ended", description="Runs of traced workflows that ended, by outcome")
_lasted = _meter.create_histogram("perdure.step.duration", unit="s", description="How long bodies of traced steps took")


def trace_id(run_id: str) -> str:
    """The run's trace id, in hexadecimal: of an id that is a UUID that UUID, else a digest."""
    return format(_trace_number(run_id), "032x")


def _trace_number(run_id: str) -> int:
    try:
        return UUID(run_id).int
    except ValueError:
        return int.from_bytes(sha256(f"perdure trace {run_id}".encode()).digest()[:16])


def _root_of(run_id: str) -> SpanContext:
    """The place above all of the run's spans. No span is exported there: nobody lives from the run's begin to its
    end.
    """
    span_id = int.from_bytes(sha256(f"perdure root {run_id}".encode()).digest()[:8])
    return SpanContext(_trace_number(run_id), span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def traced(function: Callable[P, R]) -> Callable[P, R]:
    """Below `@perdure.step` or `@perdure.workflow`, sync or async: a span for each time that the body runs.

    Of a step that is each attempt; a recorded outcome that is handed over again makes none. Of a workflow it is each
    life of the run, that is each process that executes it or each time it was parked. All are in the run's trace; a
    child's spans link to its parent's. Metrics: `perdure.runs.started`, `perdure.runs.ended` (by `perdure.outcome`) and
    `perdure.step.duration`. Outside any run it is a plain call. Raises `UsageError` above the decorators of Perdure,
    where it would be around the call and not around the body.
    """
    if hasattr(function, "__perdure__"):
        name = getattr(function, "__qualname__", repr(function))
        raise UsageError(f"@traced stands above Perdure's decorator of {name}: put it below")
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def atraced(*args: P.args, **kwargs: P.kwargs) -> Any:
            with _observed(function):
                return await function(*args, **kwargs)

        return atraced  # type: ignore[return-value]  # R is the coroutine

    @functools.wraps(function)
    def sync_traced(*args: P.args, **kwargs: P.kwargs) -> R:
        with _observed(function):
            return function(*args, **kwargs)

    return sync_traced


@contextmanager
def _observed(function: Callable[..., Any]) -> Iterator[None]:
    place = where()
    if place is None:
        yield
        return
    here = current()
    is_workflow = place == "workflow"
    if is_workflow and here.attempt <= 1 and not here.is_replaying:
        _started.add(1, {"perdure.run.name": here.name})
    began = time.monotonic()
    outcome = "interrupted"
    with _span(here, function, is_workflow=is_workflow) as span:
        try:
            yield
            outcome = "succeeded"
        except Exception:
            outcome = "failed"
            raise
        finally:
            span.set_attribute("perdure.outcome", outcome)
            if not is_workflow:
                step_name = f"{function.__module__}:{function.__qualname__}"
                _lasted.record(time.monotonic() - began, {"perdure.step.name": step_name, "perdure.outcome": outcome})
            elif outcome != "interrupted":
                _ended.add(1, {"perdure.run.name": here.name, "perdure.outcome": outcome})


@contextmanager
def _span(here: Current, function: Callable[..., Any], *, is_workflow: bool) -> Iterator[Span]:
    above = trace.get_current_span()
    is_ours = above.get_span_context().trace_id == _trace_number(here.run_id)
    links = [] if here.parent_id is None else [Link(_root_of(here.parent_id), {"perdure.link": "parent"})]
    with _tracer.start_as_current_span(
        function.__qualname__,
        context=None if is_ours else trace.set_span_in_context(NonRecordingSpan(_root_of(here.run_id))),
        kind=SpanKind.CONSUMER if is_workflow else SpanKind.INTERNAL,
        links=links if is_workflow or not is_ours else [],
    ) as span:
        if span.is_recording():
            span.set_attributes(_attributes(here, is_workflow=is_workflow))
        yield span


def _attributes(here: Current, *, is_workflow: bool) -> dict[str, str | int | bool]:
    attributes: dict[str, str | int | bool] = {
        "perdure.run.id": here.run_id,
        "perdure.run.name": here.name,
        "perdure.attempt": here.attempt,
    }
    if here.queue is not None:
        attributes["perdure.queue"] = here.queue
    if here.parent_id is not None:
        attributes["perdure.parent.id"] = here.parent_id
    if is_workflow:
        attributes["perdure.is_replaying"] = here.is_replaying
    return attributes
