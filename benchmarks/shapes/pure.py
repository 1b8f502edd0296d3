"""A chain of trivial steps that are pure, over the same chain of steps that are not, in one process and in turns."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="pure",
    title="A chain of pure steps over one of steps that may have effects",
    unit="step",
    count=1_000,
    tiny=5,
    figure="gain",
    variants={"sync": "sync", "async": "async"},
    contestants=("perdure",),
    targets=dict.fromkeys(("sync", "async"), (Target(figure="gain", at_least=same(2)),)),
    is_memory_compared=False,
)
