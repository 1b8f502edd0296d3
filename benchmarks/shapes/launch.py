"""In a fresh process: importing the package; launching on a file or database that is still empty."""

from benchmarks.shape import Shape, Target, same

HALF = Target(figure="seconds", rival="dbos", at_most=same(0.5))

SHAPE = Shape(
    name="launch",
    title="Start of a process",
    unit="start",
    count=1,
    tiny=1,
    figure="seconds",
    variants={"import": "import", "launch": "launch on a fresh file or schema"},
    targets={"import": (HALF,), "launch": (HALF,)},
)
