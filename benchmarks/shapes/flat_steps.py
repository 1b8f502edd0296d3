"""One workflow of 10,100 steps: the median of its last 100 steps over the median of steps 10 to 110."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="flat_steps",
    title="Step 10,000 of a run over step 10",
    unit="step",
    count=10_000,
    tiny=20,
    figure="growth",
    contestants=("perdure",),
    targets={"": (Target(figure="growth", at_most=same(1.2)),)},
    is_memory_compared=False,
)
