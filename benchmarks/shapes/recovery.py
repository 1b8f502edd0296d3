"""Async workflows of ten steps, all started; SIGKILL in the step that makes it half; a new process does the rest.

Measured from the start of the new process, imports included, until the database says that every workflow succeeded.
"""

from benchmarks.shape import Shape, times

SHAPE = Shape(
    name="recovery",
    title="1,000 workflows of 10 steps killed half-way: restart to all done",
    unit="run",
    count=1_000,
    tiny=4,
    figure="seconds",
    targets={"": (times(40, 30),)},
)
