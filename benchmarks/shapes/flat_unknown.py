"""Claims and polls beside a million ready runs of functions that the worker does not know, put there set-wise."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="flat_unknown",
    title="The slowest growth of claims and polls beside 1,000,000 ready runs of unknown functions",
    unit="run",
    count=1_000_000,
    tiny=20,
    figure="growth",
    contestants=("perdure",),
    targets={"": (Target(figure="growth", at_most=same(1.2)),)},
    more_figures=("growth_claims", "growth_polls", "claims_cpu_ms", "claims_ms", "polls_cpu_ms", "polls_ms"),
    is_memory_compared=False,
)
