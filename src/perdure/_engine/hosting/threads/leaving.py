"""The end of the program, as a thread meets it that wants to begin something."""

from __future__ import annotations

from ...._core.run import Run
from ..host import interrupted


def check_program_goes_on(run: Run, error: RuntimeError) -> None:
    """Raise `RunInterrupted` where nothing more can be begun since the program ends: that is not what became of the
    step.
    """
    if "interpreter shutdown" in str(error):
        run.interrupt("released")
        raise interrupted(run) from None
