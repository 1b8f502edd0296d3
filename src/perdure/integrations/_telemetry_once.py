"""Spans and measurements of OpenTelemetry that a replay would report again, left out. By its API alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ._repeats import is_repeated

INSTRUMENTS: Final = frozenset({"create_counter", "create_up_down_counter", "create_histogram", "create_gauge"})
"""Those that are told of what happens where it happens; the others are asked for what there is."""
MEASURING: Final = frozenset({"add", "record", "set"})


class SpansOnce:
    """`provider.add_span_processor(SpansOnce(BatchSpanProcessor(...)))`: a processor that hands on to another one what
    ends, but for what a workflow does again in a life of its run that has only repeated so far.

    A span that was open when its process died is handed on by the life that goes on, if that does anything new in it.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Hand it on."""
        self._processor.on_start(span, parent_context=parent_context)

    def _on_ending(self, span: Any) -> None:
        if not is_repeated() and hasattr(self._processor, "_on_ending"):
            self._processor._on_ending(span)

    def on_end(self, span: Any) -> None:
        """Hand it on, if it was not reported before."""
        if not is_repeated():
            self._processor.on_end(span)

    def shutdown(self) -> None:
        """Shut the processor down."""
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the processor, within so many milliseconds; whether it could."""
        return bool(self._processor.force_flush(timeout_millis))


class MetricsOnce:
    """`metrics.set_meter_provider(MetricsOnce(MeterProvider(...)))`: counters, histograms and gauges count nothing of
    what a workflow does again in a life of its run that has only repeated so far. Else it is the provider.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_provider"), name)

    def get_meter(self, *args: Any, **kwargs: Any) -> Any:
        """A meter of the provider, whose instruments are such ones."""
        return _Wrapped(self._provider.get_meter(*args, **kwargs), INSTRUMENTS, _instruments)


class _Wrapped:
    """Something some of whose methods are others."""

    def __init__(
        self, wrapped: Any, names: frozenset[str], change: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        self._wrapped = wrapped
        self._names = names
        self._change = change

    def __getattr__(self, name: str) -> Any:
        found = getattr(object.__getattribute__(self, "_wrapped"), name)
        return self._change(found) if name in self._names else found


def _instruments(create: Callable[..., Any]) -> Callable[..., Any]:
    def created(*args: Any, **kwargs: Any) -> Any:
        return _Wrapped(create(*args, **kwargs), MEASURING, _unless_repeated)

    return created


def _unless_repeated(measure: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*args: Any, **kwargs: Any) -> None:
        if not is_repeated():
            measure(*args, **kwargs)

    return measured
