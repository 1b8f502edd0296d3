"""What happens to runs, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx

import perdure
from perdure.integrations.prometheus import RunMetrics

queue = perdure.Queue("metrics", worker_concurrency=1)


@perdure.step(name="metrics.charge")
def charge(item: str) -> int:
    """A step."""
    if item == "none":
        raise LookupError(item)
    return 7


@perdure.workflow(name='metrics."order"\\')
def order(item: str) -> int:
    """Of one step."""
    return charge(item)


def test_runs_and_steps_are_counted_and_timed(tmp_path: Path) -> None:
    """By the names of their functions, their queues and how they ended."""
    metrics = RunMetrics()
    with perdure.running(tmp_path / "perdure.db", listeners=[metrics], poll_seconds=0.05):
        handles = [queue.submit(order, item) for item in ("tea", "none", "tea")]
        for handle in handles:
            handle.exception(20)
        perdure.start(charge, "tea").result(20)

    lines = metrics.text().splitlines()
    who = 'name="metrics.\\"order\\"\\\\",queue="metrics"'
    assert f'perdure_runs_ended_total{{{who},state="succeeded"}} 2' in lines
    assert f'perdure_runs_ended_total{{{who},state="failed"}} 1' in lines
    assert 'perdure_runs_ended_total{name="metrics.charge",queue="",state="succeeded"} 1' in lines
    assert 'perdure_steps_recorded_total{name="metrics.charge"} 3' in lines
    assert f"perdure_run_seconds_count{{{who}}} 3" in lines
    assert f'perdure_run_seconds_bucket{{{who},le="+Inf"}} 3' in lines
    buckets = [int(line.rsplit(" ")[-1]) for line in lines if line.startswith(f"perdure_run_seconds_bucket{{{who}")]
    assert buckets == sorted(buckets)
    assert all(
        re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\\n]|\\.)*",?)+\})? [\d.e+-]+', line) for line in lines
    )


def test_the_page_is_an_asgi_and_a_wsgi_app() -> None:
    """With Prometheus' media type."""
    metrics = RunMetrics()
    metrics.fenced()

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=metrics), base_url="http://service") as client:
            return await client.get("/metrics")

    answer = asyncio.run(ask())
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "perdure_fenced_total 1\n" in answer.text
    with httpx.Client(transport=httpx.WSGITransport(app=metrics.as_wsgi), base_url="http://service") as client:
        assert client.get("/metrics").text == answer.text


def test_what_is_remembered_has_an_end() -> None:
    """Runs that are claimed and never begin here do not fill the memory."""
    metrics = RunMetrics()
    for number in range(10_010):
        metrics.claimed(perdure.RunFacts(str(number), "n", "step", "", 1))

    assert len(metrics._claimed_at) == 10_000
    assert 'perdure_runs_claimed_total{name="n",queue=""} 10010' in metrics.text()
