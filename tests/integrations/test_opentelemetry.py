"""Traces and metrics of runs, by OpenTelemetry's own SDK."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perdure

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from perdure.integrations.opentelemetry import MetricsOnce, SpansOnce, trace_id, traced
from tests.agents.replays import hold, live_twice

exporter = InMemorySpanExporter()
reader = InMemoryMetricReader()
failures: list[str] = []
began = threading.Event()
may_end = threading.Event()


@pytest.fixture(scope="module", autouse=True)
def _sdk() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    exporter.clear()
    failures.clear()
    began.clear()
    may_end.clear()
    yield
    may_end.set()


@perdure.step(retries=perdure.Retry(attempts=2, initial_seconds=0))
@traced
def charge(item: str) -> int:
    """Fails the first time; with a span of its own."""
    with trace.get_tracer("of the user").start_as_current_span("the user's own"):
        if item not in failures:
            failures.append(item)
            raise LookupError(item)
    return 7


@perdure.step
@traced
async def acharge(item: str) -> int:
    """On a loop."""
    return 8


@perdure.step
@traced
def wait(item: str) -> str:
    """Until the test lets it."""
    began.set()
    may_end.wait(30)
    return item


@perdure.workflow
@traced
def child(item: str) -> int:
    """A run of its own."""
    return charge(item)


@perdure.workflow
@traced
async def parent(item: str) -> int:
    """A child and a step."""
    return await perdure.start(child, item) + await acharge(item)


@perdure.workflow
@traced
def interrupted(item: str) -> str:
    """Two steps."""
    charge(item)
    return wait(item)


def spans(run_id: str) -> list[ReadableSpan]:
    """Those of the run's trace, in the order in which they ended."""
    return [span for span in exporter.get_finished_spans() if format(span.context.trace_id, "032x") == trace_id(run_id)]


def told(span: ReadableSpan) -> tuple[Any, ...]:
    """What a span says."""
    attributes = span.attributes or {}
    return (span.name, attributes.get("perdure.attempt"), attributes.get("perdure.outcome"))


@pytest.mark.usefixtures("launched")
def test_a_run_is_a_trace_with_a_span_for_each_attempt() -> None:
    """The user's own spans are within the step's."""
    perdure.with_options(id="order-1").start(child, "tea").result(20)

    found = spans("order-1")
    assert [told(span) for span in found if span.name != "the user's own"] == [
        ("charge", 1, "failed"),
        ("charge", 2, "succeeded"),
        ("child", 1, "succeeded"),
    ]
    by_id = {span.context.span_id: span for span in found}
    own = [by_id[span.parent.span_id].name for span in found if span.name == "the user's own" and span.parent]
    assert own == ["charge", "charge"]
    failed = found[1]
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.events[0].name == "exception"


@pytest.mark.usefixtures("launched")
def test_a_uuid_is_the_trace_id_itself() -> None:
    """So that one finds the other without us."""
    handle = perdure.start(child, "tea")
    handle.result(20)

    assert trace_id(handle.run_id) == handle.run_id.replace("-", "")
    assert spans(handle.run_id)


@pytest.mark.usefixtures("launched")
def test_a_child_is_a_trace_that_links_to_its_parents() -> None:
    """And the parent's steps are in the parent's."""
    perdure.with_options(id="order-2").start(parent, "tea").result(20)

    assert {span.name for span in spans("order-2")} == {"parent", "acharge"}
    [life] = [span for span in exporter.get_finished_spans() if span.name == "child"]
    [link] = life.links
    assert format(link.context.trace_id, "032x") == trace_id("order-2")


def test_a_trace_survives_a_restart_and_a_replay_adds_no_steps(launched: str) -> None:
    """One life is interrupted, the next has the rest: the recorded step has no second span."""
    handle = perdure.with_options(id="order-3").start(interrupted, "tea")
    assert began.wait(20)
    perdure.shutdown(0)
    may_end.set()
    with perdure.running(launched):
        assert perdure.handle(handle.run_id).result(20) == "tea"

    assert [told(span) for span in spans("order-3") if span.name == "charge"] == [
        ("charge", 1, "failed"),
        ("charge", 2, "succeeded"),
    ]
    lives = [told(span)[2] for span in spans("order-3") if span.name == "interrupted"]
    assert sorted(lives) == ["interrupted", "succeeded"]


@pytest.mark.usefixtures("launched")
def test_metrics_count_runs_and_steps() -> None:
    """By name and outcome."""
    before = counts()
    perdure.start(child, "tea").result(20)
    after = counts()

    name = f"{__name__}:child"
    assert after["perdure.runs.started", name, None] - before.get(("perdure.runs.started", name, None), 0) == 1
    assert (
        after["perdure.runs.ended", name, "succeeded"] - before.get(("perdure.runs.ended", name, "succeeded"), 0) == 1
    )
    step = ("perdure.step.duration", f"{__name__}:charge", "failed")
    assert after[step] - before.get(step, 0) == 1


def counts() -> dict[tuple[Any, ...], int]:
    """What was counted so far."""
    found: dict[tuple[Any, ...], int] = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else []:
        for metric in (metric for one in resource.scope_metrics for metric in one.metrics):
            for point in metric.data.data_points:
                attributes = point.attributes or {}
                name = attributes.get("perdure.run.name") or attributes.get("perdure.step.name")
                value = point.value if hasattr(point, "value") else point.count
                found[metric.name, name, attributes.get("perdure.outcome")] = value
    return found


def test_outside_any_run_and_above_the_decorators() -> None:
    """A plain call; refused."""
    assert traced(lambda item: item)("tea") == "tea"
    assert exporter.get_finished_spans() == ()
    with pytest.raises(perdure.UsageError, match="put it below"):
        traced(child)


once_spans, once_reader, once_provider = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
once_provider.add_span_processor(SpansOnce(SimpleSpanProcessor(once_spans)))
once_tracer = once_provider.get_tracer("tests")
once_meter = MetricsOnce(MeterProvider([once_reader])).get_meter("tests")
seen = once_meter.create_counter("seen")
took = once_meter.create_histogram("took")


@perdure.step(name="telemetry.works")
async def works(tag: str) -> str:
    """With a span of its own, which is reported whenever it runs."""
    with once_tracer.start_as_current_span(f"in {tag}"):
        return tag


@perdure.workflow(name="telemetry.in_the_middle")
async def in_the_middle() -> str:
    """Cut off inside two spans; what comes before and after is whole."""
    with once_tracer.start_as_current_span("before"):
        await works("a")
        seen.add(1)
        took.record(1.0)
    with once_tracer.start_as_current_span("around"):
        with once_tracer.start_as_current_span("recorded"):
            await works("b")
            seen.add(1)
        with once_tracer.start_as_current_span("cut off"):
            await hold()
    with once_tracer.start_as_current_span("after"):
        seen.add(1)
        assert not perdure.current().has_only_repeated
        return await works("c")


def test_what_a_workflow_reports_itself_is_reported_once(tmp_path: Path) -> None:
    """A span that was open when the process ended, by the life that goes on; counts are right, too."""
    died_at: list[int] = []

    def names(*, second: bool) -> list[str]:
        """Of the spans that began in that life."""
        made = once_spans.get_finished_spans()
        return sorted(span.name for span in made if ((span.start_time or 0) >= died_at[0]) is second)

    said = asyncio.run(
        live_twice(str(tmp_path / "p.db"), in_the_middle, between=lambda: died_at.append(time.time_ns()))
    )

    assert said == "c"
    assert set(names(second=False)) >= {"before", "in a", "recorded", "in b"}
    assert names(second=True) == ["after", "around", "cut off", "in c"]
    assert value_of("seen", once_reader) == 3
    assert value_of("took", once_reader) == 1


def value_of(name: str, told: InMemoryMetricReader) -> int:
    """What the instrument has counted, or how often it was told of something."""
    report = told.get_metrics_data()
    assert report is not None
    metric = next(m for r in report.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name)
    return sum(int(getattr(point, "count", getattr(point, "value", 0))) for point in metric.data.data_points)


def test_what_is_no_repetition_is_handed_on(tmp_path: Path) -> None:
    """Outside any run, and flushed as the processor is."""
    once_spans.clear()
    with once_tracer.start_as_current_span("outside"):
        pass
    assert once_provider.force_flush()
    assert [span.name for span in once_spans.get_finished_spans()] == ["outside"]
    assert once_meter.create_up_down_counter("up").name == "up"
