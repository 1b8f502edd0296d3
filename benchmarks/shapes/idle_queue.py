"""One queued run at a time, with a pause before each, so that everything is idle: from submit to its result.

It takes two commits; the bare database makes two, of a row each.
"""

from benchmarks.shape import Shape, Target, same

TARGETS = (Target(figure="p50_ms", at_most=same(2)), Target(figure="p99_ms", at_most=same(6)))

SHAPE = Shape(
    name="idle_queue",
    title="Queued run on an idle system, submit to result, same process",
    unit="run",
    count=100,
    tiny=2,
    figure="p50_ms",
    variants={"fastest": "DBOS polls every 3 ms", "defaults": "DBOS polls every second, its default"},
    targets={"fastest": TARGETS, "defaults": TARGETS},
    contestants=("perdure", "dbos", "raw"),
    counted=20,
    more_figures=("p99_ms",),
)
