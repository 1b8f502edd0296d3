"""Runs that sleep two seconds, all started at once: how late the last one wakes, and how many threads that takes."""

from benchmarks.shape import Shape, Target, same

LATE = Target(figure="late_seconds", at_most=same(0.1))
FEW_THREADS = Target(figure="threads", at_most=same(250))

SHAPE = Shape(
    name="sleepers",
    title="1,000 runs that sleep 2 s: latest wake after due",
    unit="run",
    count=1_000,
    tiny=3,
    figure="late_seconds",
    variants={"async": "async", "sync": "sync"},
    targets={"async": (LATE, FEW_THREADS), "sync": (LATE, FEW_THREADS)},
    more_figures=("threads", "seconds"),
)
