"""Spans and counts of each framework: those of its own are reported once, though the run has lived twice."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice
from tests.agents.table import FRAMEWORKS

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from perdure.integrations.opentelemetry import MetricsOnce, SpansOnce

SPANS: dict[str, dict[str, int]] = {
    "pydantic_ai_agent": {},
    "openai_agents_agent": {},
    "google_adk_agent": {"execute_tool price": 4, "generate_content answers": 2, "invoke_agent shop": 1},
    "strands_agent": {"execute_tool price": 4, "chat": 2, "invoke_agent Strands Agents": 1},
    "llama_index_workflow": {},
    "langgraph_graph": {},
}
"""What a run reports, among others. Pydantic AI does when it is told to, by a way of its own; the last two do not."""
COUNTS: dict[str, dict[str, int]] = {
    "google_adk_agent": {"gen_ai.execute_tool.duration": 4, "gen_ai.client.operation.duration": 2},
    "strands_agent": {"strands.tool.call_count": 4, "strands.event_loop.input.tokens": 2},
}


@pytest.fixture(scope="module")
def exported() -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    """What is reported to the providers of the process, which are set once; in that of `make test` by other tests."""
    pytest.importorskip("google.adk", reason="make agents")
    exporter, reader, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    tracers.add_span_processor(SpansOnce(SimpleSpanProcessor(exporter)))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MetricsOnce(MeterProvider([reader])))
    yield exporter, reader
    tracers.shutdown()


def counted(reader: InMemoryMetricReader) -> Counter[str]:
    """How often each instrument was told of something, or what it counts."""
    found: Counter[str] = Counter()
    report = reader.get_metrics_data()
    for resource in report.resource_metrics if report else ():
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            found[metric.name] += sum(int(getattr(p, "count", getattr(p, "value", 0))) for p in metric.data.data_points)
    return found


@perdure.workflow(name="telemetry.asks")
async def asks(program: str) -> str:
    """The whole program, and then it is cut off."""
    module = sys.modules[f"tests.agents.programs.{program}"]
    said = str(await module.ask.__wrapped__(module.QUESTION))
    await hold()
    return said


@pytest.mark.parametrize("program", SPANS)
async def test_a_replay_reports_nothing_again(program: str, exported: Any, tmp_path: Path) -> None:
    """Neither a span nor a count, of a model, a tool or an agent."""
    pytest.importorskip(FRAMEWORKS[program].module, reason="make agents")
    importlib.import_module(f"tests.agents.programs.{program}")
    exporter, reader = exported
    exporter.clear()
    before = counted(reader)
    said = await live_twice(str(tmp_path / "p.db"), asks, program)
    spans = Counter(span.name for span in exporter.get_finished_spans())
    counts = counted(reader) - before

    assert said == "together 42"
    assert {name: spans[name] for name in SPANS[program]} == SPANS[program]
    assert {name: counts[name] for name in COUNTS.get(program, {})} == COUNTS.get(program, {})


async def test_the_frameworks_own_traces_are_reported_once(tmp_path: Path) -> None:
    """Of the OpenAI Agents SDK, which has no OpenTelemetry; each begins before it ends, in a trace that has begun."""
    pytest.importorskip("agents.run", reason="make agents")
    from agents import set_trace_processors, set_tracing_disabled
    from agents.tracing import TracingProcessor

    from perdure.integrations.openai_agents import TracesOnce

    importlib.import_module("tests.agents.programs.openai_agents_agent")
    told: list[tuple[str, str]] = []

    class Told(TracingProcessor):
        def on_trace_start(self, trace: Any) -> None:
            told.append(("begun", trace.trace_id))

        def on_trace_end(self, trace: Any) -> None:
            told.append(("ended", trace.trace_id))

        def on_span_start(self, span: Any) -> None:
            told.append(("begun", f"{type(span.span_data).__name__} {span.span_id}"))
            assert ("begun", span.trace_id) in told

        def on_span_end(self, span: Any) -> None:
            told.append(("ended", f"{type(span.span_data).__name__} {span.span_id}"))

        def shutdown(self) -> None:
            """Nothing to shut down."""

        def force_flush(self) -> None:
            """Nothing to flush."""

    set_trace_processors([TracesOnce(Told())])
    set_tracing_disabled(False)
    try:
        assert await live_twice(str(tmp_path / "p.db"), asks, "openai_agents_agent") == "together 42"
    finally:
        set_tracing_disabled(True)
        set_trace_processors([])

    ended = Counter(what.split(" ")[0] for how, what in told if how == "ended" and " " in what)
    assert ended["FunctionSpanData"] == 4
    assert ended["AgentSpanData"] == 1
    assert sorted(what for how, what in told if how == "begun") == sorted(what for how, what in told if how == "ended")
