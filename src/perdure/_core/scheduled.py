"""What a schedule starts when it is looked at: which of the instants that are over, and which one comes next.

Values only: whoever asks has read them, and writes the answer where nothing of them has changed since.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Final

from ..typing import CatchUp, Overlap, RunId
from .instants import Rule

GRACE_SECONDS: Final = 60.0
"""What is late by no more than this was not missed."""
MOST_TOGETHER: Final = 100
"""So many instants of a schedule are started by one transaction; the rest by the next."""

_INSTANT = re.compile(r"schedule:.+:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?)Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a schedule stands that is due."""

    name: str
    rule: Rule
    overlap: Overlap
    catch_up: CatchUp
    next_instant: float
    last_run_id: RunId | None
    is_running: bool
    """Whether the run that it started last has not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of it: runs for these `instants`, in order; the end of an older run; when it comes next."""

    instants: tuple[float, ...]
    cancels: RunId | None
    skipped: float | None
    """The last instant that is left out, because a run had not ended."""
    next_instant: float | None


def outcome_of(standing: Standing, now: float) -> Outcome | None:
    """What is to be done at this time of the database's clock; None: nothing yet."""
    rule = standing.rule
    last = _latest_due(standing, now)
    if last is None:
        return None
    starts, handled = _wanted(standing, last, now), last
    if len(starts) == MOST_TOGETHER:
        handled = starts[-1]
    cancels, skipped = None, None
    if standing.overlap == "skip" and (standing.is_running or len(starts) > 1):
        starts, skipped = [] if standing.is_running else starts[:1], starts[-1] if starts else None
    elif standing.overlap == "queue":
        if standing.is_running:
            return None
        if len(starts) > 1:
            starts, handled = starts[:1], starts[0]
    elif standing.overlap == "cancel":
        starts = starts[-1:]
        cancels = standing.last_run_id if standing.is_running and starts else None
    return Outcome(instants=tuple(starts), cancels=cancels, skipped=skipped, next_instant=rule.after(handled))


def _latest_due(standing: Standing, now: float) -> float | None:
    """The last instant whose time to start has come; at least the one that was next."""
    rule, first = standing.rule, standing.next_instant
    if rule.starts_at(standing.name, first) > now:
        return None
    last = rule.latest(now)
    while last is not None and last > first:
        if rule.starts_at(standing.name, last) <= now:
            return last
        last = rule.latest(last - 0.001)
    return first


def _wanted(standing: Standing, last: float, now: float) -> list[float]:
    """What `catch_up` leaves of the instants up to the last one that is due."""
    rule, first, missed_before = standing.rule, standing.next_instant, now - GRACE_SECONDS
    if standing.catch_up == "all":
        return _from(rule, first, last)
    begin: float | None = first
    if rule.starts_at(standing.name, first) < missed_before:
        begin = rule.after(max(first, missed_before - rule.jitter_seconds - 1.0))
    candidates = [] if begin is None or begin > last else _from(rule, begin, last)
    on_time = [at for at in candidates if rule.starts_at(standing.name, at) >= missed_before]
    return on_time or ([last] if standing.catch_up == "latest" else [])


def _from(rule: Rule, first: float, last: float) -> list[float]:
    return [first, *islice(takewhile(lambda at: at <= last, rule.walk(first)), MOST_TOGETHER - 1)]


def run_id_of(name: str, instant: float) -> RunId:
    """The id of the run that a schedule makes for an instant: whoever makes it again finds it."""
    at = datetime.fromtimestamp(instant, UTC)
    return f"schedule:{name}:{at.replace(tzinfo=None).isoformat()}Z"


def instant_of(run_id: RunId) -> datetime | None:
    """For which instant a schedule made the run of this id; None of other runs."""
    found = _INSTANT.fullmatch(run_id)
    return None if found is None else datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
