"""Claims and polls when somebody has had a snapshot open for ten minutes while runs passed; `--scale` shortens that."""

from benchmarks.shape import Shape, Target, same

SHAPE = Shape(
    name="flat_snapshot",
    title="The slowest growth of claims and polls under a snapshot of 600 seconds",
    unit="second",
    count=600,
    tiny=1,
    figure="growth",
    contestants=("perdure",),
    targets={"": (Target(figure="growth", at_most=same(1.2)),)},
    more_figures=(
        *("growth_claims", "growth_polls", "claims_cpu_ms", "claims_ms", "polls_cpu_ms", "polls_ms"),
        *("head_cpu_ms", "passed"),
    ),
    is_memory_compared=False,
)
