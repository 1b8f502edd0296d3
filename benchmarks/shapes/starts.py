"""Workflows without steps, started and awaited: from one event loop, or from 32 threads."""

from benchmarks.shape import Shape, times

SHAPE = Shape(
    name="starts",
    title="10,000 workflows started and awaited",
    unit="run",
    count=10_000,
    tiny=5,
    figure="per_second",
    variants={"async": "async, 1,000 starts at a time", "sync": "from 32 threads"},
    targets={"async": (times(60),), "sync": (times(20),)},
    counted=200,
)
