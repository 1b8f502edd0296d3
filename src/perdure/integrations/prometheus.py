"""What happens to the runs of this process, in Prometheus' text format: a listener that is an ASGI app, too.

metrics = RunMetrics()
app = FastAPI(lifespan=perdure.lifespan(listeners=[metrics]))
app.mount("/metrics", metrics)
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from .. import Listener, RunFacts

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Labels = tuple[tuple[str, str], ...]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0, 1800.0)
"""Seconds, at most so many; what takes longer is in the last one, which has no limit."""
MOST_REMEMBERED: Final = 10_000
"""Runs whose begin here is remembered; of more at once some are not timed."""
HELP: Final = {
    "perdure_runs_claimed_total": "Runs that this process has claimed from the database",
    "perdure_runs_begun_total": "Times that a run has begun to execute in this process",
    "perdure_runs_parked_total": "Times that a run has left memory to wait",
    "perdure_runs_ended_total": "Runs whose end this process has committed, by state",
    "perdure_steps_recorded_total": "Outcomes of steps that this process has committed",
    "perdure_fenced_total": "Times that this worker has lost its right to write",
    "perdure_run_seconds": "How long a run has executed here from a begin to its end or park",
    "perdure_slot_wait_seconds": "How long a claimed run has waited here for a slot",
}


class Histogram:
    """Counts of durations by bucket."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def note(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    def lines(self, name: str, labels: Labels) -> list[str]:
        """In Prometheus' format."""
        lines, so_far = [], 0
        for count, limit in zip(self.counts, (*map(str, BUCKETS), "+Inf"), strict=True):
            so_far += count
            lines.append(f"{name}_bucket{shown((*labels, ('le', limit)))} {so_far}")
        return [*lines, f"{name}_sum{shown(labels)} {self.sum}", f"{name}_count{shown(labels)} {so_far}"]


class RunMetrics(Listener):
    """Counts what it is told: `perdure.launch(url, listeners=[metrics])`. `text()` is the page; `metrics` itself is an
    ASGI app that serves it, `metrics.as_wsgi` a WSGI one.

    Of this process alone: several processes are scraped apart, and added up by Prometheus. The label `name` is the
    function's, `queue` the queue's, empty of runs that were started.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._times: dict[tuple[str, Labels], Histogram] = {}
        self._claimed_at: dict[str, float] = {}
        self._begun_at: dict[str, float] = {}

    def claimed(self, run: RunFacts) -> None:
        """Counted."""
        with self._lock:
            self._counts["perdure_runs_claimed_total", labels_of(run)] += 1
            remember(self._claimed_at, run.run_id)

    def begun(self, run: RunFacts) -> None:
        """Counted; how long it has waited for a slot."""
        with self._lock:
            self._counts["perdure_runs_begun_total", labels_of(run)] += 1
            self._note("perdure_slot_wait_seconds", run, self._claimed_at.pop(run.run_id, None))
            remember(self._begun_at, run.run_id)

    def recorded(self, run: RunFacts, key: str, name: str, kind: str) -> None:
        """Counted, of steps."""
        if kind == "step":
            with self._lock:
                self._counts["perdure_steps_recorded_total", (("name", name),)] += 1

    def parked(self, run: RunFacts, due_at: float | None, reason: str | None) -> None:
        """Counted; whether somebody has to mend something."""
        with self._lock:
            labels = (*labels_of(run), ("needs_mend", str(reason is not None).lower()))
            self._counts["perdure_runs_parked_total", labels] += 1
            self._note("perdure_run_seconds", run, self._begun_at.pop(run.run_id, None))

    def ended(self, run: RunFacts, state: str) -> None:
        """Counted; how long it has executed."""
        with self._lock:
            self._counts["perdure_runs_ended_total", (*labels_of(run), ("state", state))] += 1
            self._note("perdure_run_seconds", run, self._begun_at.pop(run.run_id, None))

    def fenced(self) -> None:
        """Counted."""
        with self._lock:
            self._counts["perdure_fenced_total", ()] += 1
            self._claimed_at.clear()
            self._begun_at.clear()

    def _note(self, name: str, run: RunFacts, since: float | None) -> None:
        if since is not None:
            self._times.setdefault((name, labels_of(run)), Histogram()).note(time.monotonic() - since)

    def text(self) -> str:
        """All of it, in Prometheus' text format."""
        with self._lock:
            lines: dict[str, list[str]] = {}
            for (name, labels), count in self._counts.items():
                lines.setdefault(name, []).append(f"{name}{shown(labels)} {count}")
            for (name, labels), times in self._times.items():
                lines.setdefault(name, []).extend(times.lines(name, labels))
        return "".join(
            f"# HELP {name} {HELP[name]}\n# TYPE {name} {'counter' if name.endswith('_total') else 'histogram'}\n"
            + "".join(f"{line}\n" for line in lines[name])
            for name in HELP
            if name in lines
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] == "http":
            headers = [(b"content-type", CONTENT_TYPE.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": self.text().encode()})

    def as_wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """The same as a WSGI app."""
        start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
        return [self.text().encode()]


def labels_of(run: RunFacts) -> Labels:
    """What runs are told apart by: never by their ids, of which there is no end."""
    return (("name", run.name), ("queue", run.queue))


def remember(times: dict[str, float], run_id: str) -> None:
    """Now; what is too much to remember is not timed."""
    if len(times) < MOST_REMEMBERED:
        times[run_id] = time.monotonic()


def shown(labels: Labels) -> str:
    """Labels in Prometheus' format."""
    escaped = (
        f'{name}="{value}"'
        for name, value in (
            (name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels
        )
    )
    inside = ",".join(escaped)
    return f"{{{inside}}}" if inside else ""
