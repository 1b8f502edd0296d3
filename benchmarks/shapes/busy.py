"""Sequential trivial steps beside one thread of the same process that computes in pure Python without a pause."""

from benchmarks.shape import Shape, times

SHAPE = Shape(
    name="busy",
    title="Sequential steps beside one CPU-busy Python thread",
    unit="step",
    count=1_000,
    tiny=3,
    figure="per_second",
    targets={"": (times(5),)},
    more_figures=("gil_waits",),
)
