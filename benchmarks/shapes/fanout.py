"""A parent submits one-step runs to a queue in a loop, keeps the handles, and then waits for each."""

from benchmarks.shape import Shape, times

SHAPE = Shape(
    name="fanout",
    title="A parent submits 10,000 one-step runs in a loop and waits for all",
    unit="run",
    count=10_000,
    tiny=5,
    figure="per_second",
    variants={"default": "Perdure's queue of 6 at once, its default; DBOS's has no limit", "wide": "Perdure's of 200"},
    targets={"default": (times(80),), "wide": (times(80),)},
    counted=200,
    others_once=True,
)
