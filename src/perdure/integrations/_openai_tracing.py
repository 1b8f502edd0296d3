"""Traces of the OpenAI Agents SDK that a replay would report again, left out."""

from __future__ import annotations

from typing import Any

from agents.tracing import TracingProcessor

from ._repeats import is_repeated


class TracesOnce(TracingProcessor):
    """`set_trace_processors([TracesOnce(processor)])`: hands on to the processor what ends, but for what a workflow
    does again in a life of its run that has only repeated so far.

    What begins in such a life is told of when something new has happened in it.
    """

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._traces: dict[str, Any] = {}
        self._spans: dict[str, Any] = {}
        """What has begun and was not told of, by its id."""

    def on_trace_start(self, trace: Any) -> None:
        """Tell of it, or wait for something new."""
        if is_repeated():
            self._traces[trace.trace_id] = trace
        else:
            self._processor.on_trace_start(trace)

    def on_trace_end(self, trace: Any) -> None:
        """Tell of it, if it was not reported before."""
        if is_repeated():
            self._traces.pop(trace.trace_id, None)
            return
        self._begin_trace(trace.trace_id)
        self._processor.on_trace_end(trace)

    def on_span_start(self, span: Any) -> None:
        """Tell of it, or wait for something new."""
        if is_repeated():
            self._spans[span.span_id] = span
        else:
            self._begin_trace(span.trace_id)
            self._processor.on_span_start(span)

    def on_span_end(self, span: Any) -> None:
        """Tell of it, if it was not reported before."""
        begun = self._spans.pop(span.span_id, None)
        if is_repeated():
            return
        self._begin_trace(span.trace_id)
        if begun is not None:
            self._processor.on_span_start(begun)
        self._processor.on_span_end(span)

    def shutdown(self) -> None:
        """Shut the processor down."""
        self._processor.shutdown()

    def force_flush(self) -> None:
        """Flush the processor."""
        self._processor.force_flush()

    def _begin_trace(self, trace_id: str) -> None:
        trace = self._traces.pop(trace_id, None)
        if trace is not None:
            self._processor.on_trace_start(trace)
