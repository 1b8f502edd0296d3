"""Trivial steps, one after the other, in one workflow: each takes a number and returns it."""

from benchmarks.shape import Shape, Target, same, times

LIMIT = Target(figure="per_second", rival="raw", at_least=same(0.9))

SHAPE = Shape(
    name="sequential",
    title="Sequential trivial steps in one workflow",
    unit="step",
    count=1_000,
    tiny=5,
    figure="per_second",
    variants={"sync": "sync", "async": "async"},
    contestants=("perdure", "dbos", "raw"),
    targets={"sync": (times(7), LIMIT), "async": (times(7), LIMIT)},
    counted=200,
)
