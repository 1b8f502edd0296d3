"""What people do to runs from outside: pause, resume, retry, restart, fork, delete. Each is a transaction of its own.

A new start is planned by what was read, and done only if that is still so; else it is read and planned again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from .._core.absent import no_run
from .._core.cutting import in_order
from .._core.failures import Failure
from .._core.flows.undo import undoer_id
from .._core.restarting import (
    check_at_rest,
    children_that_its_cancel_ended,
    is_over,
    place_of,
    plan_fork,
    plan_restart,
    where_it_failed,
)
from .._core.serialization import Serializer
from .._entries import Stored
from .._steering import By, Deleted, Past, Restart, Undoer
from ..errors import RunExistsError, SteeringError, StoreUnavailableError
from ..stores.protocol import Steering, Store
from ..typing import RunId
from .told import Told

MOST_PLANS: Final = 20
"""So often a new start is planned anew where others steer the same run; each time one of them has got further."""


class Steers:
    """One for each door to a database. `before` makes sure that it may be written."""

    def __init__(
        self,
        store: Store,
        serializer: Serializer,
        told: Told,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._before = before
        self._finder = store.finder
        self._serializer = serializer
        self._told = told

    @property
    def _steering(self) -> Steering:
        """The rows, of a database that is as this release writes it."""
        self._before()
        return self._store.steering

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """Stop these runs; those that had not ended."""
        paused = self._steering.pause(run_ids, by)
        if paused:
            self._told.paused(paused)
            self._told.elsewhere(paused)
        return paused

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        """Let those go on that are paused, or whose retries are used up."""
        resumed = self._steering.resume(run_ids, by)
        if resumed:
            self._told.ready(resumed)
        return resumed

    def retry(self, run_id: RunId, by: By) -> bool:
        """Let a run that has not ended well go on from where it failed, with the children that it failed by. False: it
        has not failed. Raises `RunNotFoundError`, `SteeringError`.
        """
        for _ in range(MOST_PLANS):
            past = self._past(run_id)
            if not is_over(past):
                return False
            plans = list[Restart]()
            self._plan_retry(past, plans, by)
            if self._restart(plans, "retry", by):
                return True
        raise met(run_id)

    def _plan_retry(self, past: Past, plans: list[Restart], by: By) -> None:
        """The plan of the run and of its children, the children's last."""
        together = [plan.run_id for plan in plans]
        check_at_rest(past, together)
        ordered = in_order(past.records)
        attempted = where_it_failed(past, ordered, Failure(self._serializer, past.output))
        plans.append(plan_restart(past, self._undoer(past), attempted.start, is_retry=True, detail=told(past, by)))
        self._plan_children(attempted.children, plans, by)

    def _plan_children(self, children: Sequence[RunId], plans: list[Restart], by: By) -> None:
        """Those that go on with the run that was planned last."""
        dropped = plans[-1].cancelled
        for child in children:
            if child not in dropped and child not in (plan.run_id for plan in plans):
                self._plan_retry(self._past(child), plans, by)

    def restart(self, run_id: RunId, step: str | None, by: By) -> None:
        """Start a run anew, from the beginning or from a step: all that was recorded before that stays. Raises
        `RunNotFoundError`, `SteeringError`.
        """
        for _ in range(MOST_PLANS):
            past = self._past(run_id)
            check_at_rest(past)
            ordered = in_order(past.records)
            start = place_of(past, ordered, step)
            detail = told(past, by, "" if step is None else f" from {step}")
            plans = [plan_restart(past, self._undoer(past), start, is_retry=False, detail=detail)]
            self._plan_children(children_that_its_cancel_ended(past, ordered, start), plans, by)
            if self._restart(plans, "restart", by):
                return
        raise met(run_id)

    def _restart(self, plans: Sequence[Restart], action: str, by: By) -> bool:
        is_done = self._steering.restart(plans, action, by)
        if is_done:
            self._told.ready([plan.run_id for plan in plans])
        return is_done

    def fork(
        self,
        run_id: RunId,
        fork_id: RunId,
        step: str | None,
        by: By,
        *,
        arguments: tuple[Stored, str] | None = None,
        name: str | None = None,
        max_attempts: int | None = None,
    ) -> None:
        """Make a run of what another one has recorded before a step, or of nothing of it; with its arguments, or
        others, stored, with their fingerprint. Raises `RunNotFoundError`, `RunExistsError`, `SteeringError`.
        """
        for _ in range(MOST_PLANS):
            past = self._past(run_id)
            plan = plan_fork(past, fork_id, place_of(past, in_order(past.records), step))
            plan = replace(plan, name=name, max_attempts=max_attempts)
            if arguments is not None:
                plan = replace(plan, input=arguments[0], fingerprint=arguments[1])
            verdict = self._steering.fork(plan, by)
            if verdict == "taken" and not self._is_fork(fork_id, run_id):
                raise RunExistsError(f"run {fork_id} exists: choose another id for the fork", run_id=fork_id)
            if verdict != "gone":
                self._told.ready([fork_id])
                return
        raise met(run_id)

    def _is_fork(self, fork_id: RunId, run_id: RunId) -> bool:
        """Whether it was made by the same call before."""
        record = self._finder.record(fork_id, 1)
        return record is not None and record.attributes.get("forked_from") == run_id

    def delete(self, run_ids: Sequence[RunId], by: By) -> Deleted:
        """Delete these runs with all that belongs to them, as far as it has ended."""
        deleted = self._steering.delete(run_ids, by)
        self._told.deleted(deleted.run_ids)
        return deleted

    def why_not_deleted(self, run_id: RunId) -> Exception:
        """Why a run that was not deleted was not."""
        past = self._steering.past(run_id)
        if past is None:
            return no_run(run_id)
        if past.has_open_parent:
            why = f"is a child of run {past.parent_id}, which has not ended: cancel that one, or wait for its end"
        elif past.finished_at is None:
            why = f"has not ended ({past.state}): cancel it first"
        else:
            why = (
                "has children that have not ended, or what it did is to be undone, or an unfinished run needs it: "
                "cancel those, or wait for their end"
            )
        return SteeringError(f"run {run_id} cannot be deleted: it {why}", run_id=run_id)

    def _past(self, run_id: RunId) -> Past:
        past = self._steering.past(run_id)
        if past is None:
            raise no_run(run_id)
        return past

    def _undoer(self, past: Past) -> Undoer | None:
        return self._steering.undoer(undoer_id(past.run_id, past.incarnation))


def told(past: Past, by: By, what: str = "") -> str:
    """What the audit says of it."""
    said = f"it was {past.state}{what}"
    return said if by.detail is None else f"{said}; {by.detail}"


def met(run_id: RunId) -> StoreUnavailableError:
    """Others steer the same run, again and again."""
    return StoreUnavailableError(f"run {run_id} changes again and again while it is to be steered: ask once more")
