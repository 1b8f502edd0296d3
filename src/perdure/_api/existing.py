"""What a start does where a run has its id already: `with_options(id=..., on_existing=...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._entries import Existed, Verdict
from .._steering import By
from ..errors import RunExistsError, UsageError
from ..typing import TERMINAL
from .options import Submission
from .who import this_user

if TYPE_CHECKING:
    from .._engine.door import Door


def settle_existing(door: Door, verdict: Verdict, submission: Submission) -> None:
    """Refuse it, or let it go on, or start it anew, as the start says. It is the same work: that was compared."""
    if submission.on_existing == "return" or not isinstance(verdict, Existed) or verdict.run_id != submission.id:
        return
    run_id, by = verdict.run_id, By(this_user(), "it was started again under its id")
    if submission.on_existing == "refuse":
        raise RunExistsError(
            f"run {run_id} exists ({verdict.state}), and on_existing='refuse' was asked for: choose another id",
            run_id=run_id,
        )
    if submission.on_existing == "retry":
        door.steering.retry(run_id, by)
    elif verdict.state in TERMINAL:
        door.steering.restart(run_id, None, by)


def check_outside(submission: Submission) -> None:
    """Raise `UsageError` in a run: what was found would be another thing at a replay."""
    if submission.on_existing != "return":
        raise UsageError(
            f"on_existing={submission.on_existing!r} is for starts outside runs; in a workflow perdure.runs.retry and "
            "perdure.runs.restart are recorded"
        )
