"""Changes of the code that a run asks about: whether it goes by one is decided once, and recorded where it does.

It takes no place among the calls of its branch: a run that was started by the code before the change has none there.
"""

from __future__ import annotations

from ..._entries import StepRecorded
from ..flow import Flow, Record
from ..run import Run
from .value import NO_ARGUMENTS


def patch(run: Run, name: str) -> Flow[bool]:
    """Whether the run goes by the change: it has recorded so, or everything that it has recorded was handed over, so
    that nothing of what comes now can be there in another way.
    """
    run.check_alive()
    known = run.patches.get(name)
    if known is not None:
        return known
    is_new = not run.is_replaying and not run.is_behind and not run.marks
    run.patches[name] = is_new
    if is_new:
        stored, _ = run.serializer.accept(True, what=f"patch {name}")
        yield Record(
            StepRecorded(
                run.run_id,
                run.claim,
                run.next_entry_id(),
                f"{PATCH}{name}",
                "patch",
                name,
                NO_ARGUMENTS,
                False,
                stored,
            )
        )
    return is_new


PATCH = "patch:"
"""Before the name, in the key: a run has one record for each name, whichever branch has asked first."""
