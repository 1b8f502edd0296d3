"""Steps, starts and queued runs, before and after a million finished runs were put into the tables, set-wise."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="flat_history",
    title="The slowest growth of steps, starts, queued runs with 1,000,000 finished runs in history",
    unit="run",
    count=1_000_000,
    tiny=20,
    figure="growth",
    contestants=("perdure",),
    targets={"": (Target(figure="growth", at_most=same(1.2)),)},
    more_figures=("growth_steps", "growth_starts", "growth_queued"),
    is_memory_compared=False,
)
