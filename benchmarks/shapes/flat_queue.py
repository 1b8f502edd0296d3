"""A queue with 100,000 ready runs of one step is worked off: the median pace near its end over that near its
beginning, or the reverse."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="flat_queue",
    title="The 100,000th queued run over the first",
    unit="run",
    count=100_000,
    tiny=40,
    figure="growth",
    contestants=("perdure",),
    targets={"": (Target(figure="growth", at_most=same(1.2)),)},
    is_memory_compared=False,
)
