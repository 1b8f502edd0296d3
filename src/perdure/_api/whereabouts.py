"""Who am I: where the running code stands, and in which run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .._core.lineage import Branch, scope
from .._core.scheduled import instant_of
from ..errors import UsageError
from ..typing import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The run that the calling code belongs to; see `current`."""

    run_id: RunId
    name: str
    """The workflow or step that the run executes."""
    queue: str | None
    """None of a run that was called or started, not submitted to a queue."""
    parent_id: RunId | None
    """The run that started this one, if one did."""
    attempt: int
    """In a step: of its body, 1 the first time, counted in all processes. In a workflow: which claim of the run this
    is since it last recorded something.
    """
    deadline: float | None
    """When the run is to be over, in seconds since the epoch (`with_options(timeout=, deadline=)`); None where there is
    no such time.
    """
    scheduled_at: datetime | None
    """The instant that a schedule has started the run for; None of all other runs, its children too."""
    is_replaying: bool
    """Whether what the workflow does now was done before, by an earlier process: for its logs alone."""
    has_only_repeated: bool
    """Whether this life of the run has recorded nothing yet and goes on from what an earlier one has: all that its
    workflow has come to was told before. For its telemetry alone.
    """


def where() -> Literal["workflow", "step"] | None:
    """Where the calling code stands: in a workflow, in the body of a step of a run, or (None) in no run."""
    here = scope.get()
    if here is None:
        return None
    return "workflow" if type(here) is Branch else "step"


def current() -> Current:
    """The run that the calling code belongs to. Raises `UsageError` outside any run, where `where()` is None.

    `attempt`, `is_replaying` and `has_only_repeated` differ from one life of the run to the next: a workflow may log
    them, and must decide nothing by them.
    """
    here = scope.get()
    if here is None:
        raise UsageError("current() is for code that a run executes; perdure.where() is None here")
    run = here.run
    is_workflow = type(here) is Branch
    return Current(
        run_id=run.run_id,
        name=run.name,
        queue=run.queue or None,
        parent_id=run.parent_id,
        attempt=run.attempts if type(here) is Branch else here.attempt,  # type: ignore[union-attr]  # a StepScope then
        deadline=run.deadline,
        scheduled_at=instant_of(run.run_id),
        is_replaying=is_workflow and run.is_replaying,
        has_only_repeated=is_workflow and run.has_only_repeated,
    )
