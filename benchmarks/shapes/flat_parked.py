"""Claims, polls and wakes beside 100 runs that wait for a child, and beside 100,000, which were put there set-wise."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="flat_parked",
    title="The slowest growth of claims, polls and wakes from 100 parked runs to 100,000",
    unit="run",
    count=100_000,
    tiny=20,
    figure="growth",
    contestants=("perdure",),
    targets={"": (Target(figure="growth", at_most=same(1.2)),)},
    more_figures=("growth_claims", "growth_polls", "growth_wakes"),
    is_memory_compared=False,
)
