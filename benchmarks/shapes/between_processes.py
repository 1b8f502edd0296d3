"""One job at a time, submitted in one process and executed in another, with a pause before each, so that all is idle.

Until its body begins, and from there until the submitter knows the end, where a contestant has a way to wait for that.
"""

from benchmarks.environments import CONTESTANTS
from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="between_processes",
    title="From a submit to the body in another process, on an idle system",
    unit="job",
    count=100,
    tiny=3,
    figure="p50_ms",
    targets={"": (Target(figure="p50_ms", at_most=same(10)),)},
    contestants=CONTESTANTS,
    more_figures=("p95_ms", "known_p50_ms", "known_p95_ms"),
    stores=("postgres",),
    program="jobs",
    is_memory_compared=False,
    is_of_queues=True,
)
