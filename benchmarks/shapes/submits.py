"""One process submits small jobs that nobody executes: one after the other, each durable before the next, or all."""

from benchmarks.environments import CONTESTANTS
from benchmarks.shape import Shape

SHAPE = Shape(
    name="submits",
    title="5,000 jobs submitted by one process",
    unit="job",
    count=5_000,
    tiny=5,
    figure="per_second",
    variants={"each": "one by one", "many": "in one call"},
    targets={},
    contestants=CONTESTANTS,
    counted=200,
    stores=("postgres",),
    program="jobs",
    without={"many": ("dbos", "absurd")},
    parts={"dbos": 0.2},
    is_memory_compared=False,
    is_of_queues=True,
)
