"""Many workflows of 20 trivial steps at once: as tasks of one event loop, or each in a thread of its own."""

from benchmarks.shape import Shape, times

SHAPE = Shape(
    name="concurrent",
    title="100 workflows of 20 steps at once",
    unit="step",
    count=100,
    tiny=3,
    figure="per_second",
    variants={"async": "async", "sync": "sync threads"},
    targets={"async": (times(100, 70),), "sync": (times(50, 35),)},
    counted=50,
    units_per_count=20,
)
