"""The bare database through the same driver: what nobody can beat."""

from benchmarks.shape import Shape

SHAPE = Shape(
    name="limits",
    title="Rows into the bare database",
    unit="row",
    count=20_000,
    tiny=20,
    figure="per_second",
    variants={
        "single": "committed one by one",
        "awaited": "committed one by one on a thread, awaited by an event loop",
        "batch": "in batches of 1,000, executemany",
    },
    contestants=("raw",),
    targets={},
    is_memory_compared=False,
)
