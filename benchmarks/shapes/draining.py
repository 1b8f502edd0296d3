"""A backlog of small jobs on one queue is worked off by worker processes; each job once, by an outside ledger."""

from benchmarks.environments import CONTESTANTS
from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="draining",
    title="10,000 small jobs of one queue worked off",
    unit="job",
    count=10_000,
    tiny=20,
    figure="per_second",
    variants={"1": "one worker", "4": "four workers"},
    targets={"4": (Target(figure="per_second", rival="dbos", at_least=same(35)),)},
    contestants=CONTESTANTS,
    stores=("postgres",),
    program="jobs",
    parts={"dbos": 0.1},
    is_memory_compared=False,
    is_of_queues=True,
)
