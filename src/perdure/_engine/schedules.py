"""Schedules between the program and the database: a row of what is declared, and when a row comes next."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from .._core.definitions import Declaration
from .._core.instants import Rule
from .._core.scheduled import run_id_of
from .._core.serialization import Serializer
from .._entries import RunCreated
from ..stores.protocol import ScheduleRow

ATTRIBUTE: Final = "schedule"
"""Of every run that a schedule has made: by its name."""


def rule_of(row: ScheduleRow) -> Rule:
    """When it comes."""
    return Rule(
        cron=row.cron,
        timezone=row.timezone,
        every_seconds=row.every_seconds,
        once_at=row.once_at,
        jitter_seconds=row.jitter_seconds,
    )


def coming_after(row: ScheduleRow, moment: float) -> ScheduleRow:
    """The row, as it comes next after that moment; or never again."""
    rule = rule_of(row)
    instant = rule.after(moment)
    return replace(row, next_instant=instant, next_at=None if instant is None else rule.starts_at(row.name, instant))


def row_of(declaration: Declaration, serializer: Serializer) -> ScheduleRow:
    """The row of what the program declares, without when it comes. Raises where the arguments cannot be stored."""
    definition, rule = declaration.definition, declaration.rule
    stored, fingerprint = definition.store_arguments(serializer, declaration.args, dict(declaration.kwargs))
    row = ScheduleRow(
        name=declaration.name,
        function=definition.name,
        kind=definition.kind,
        queue=declaration.queue,
        priority=declaration.priority,
        max_attempts=definition.max_attempts,
        fingerprint=fingerprint,
        input=stored,
        cron=rule.cron,
        timezone=rule.timezone,
        every_seconds=rule.every_seconds,
        once_at=rule.once_at,
        jitter_seconds=rule.jitter_seconds,
        overlap=declaration.overlap,
        catch_up=declaration.catch_up,
    )
    said = [getattr(row, name) for name in ScheduleRow.__dataclass_fields__ if name not in ("input", "version")]
    return replace(row, declared=blake2b(json.dumps(said).encode(), digest_size=16).hexdigest())


def declared_over(known: ScheduleRow | None, said: ScheduleRow, now: float) -> ScheduleRow | None:
    """What is to stand there once the program has said this; None: nothing else than does.

    What people have set stays until the program says something else than it did before. A pause stays in any case; and
    so does what was missed, unless it is to come at other times.
    """
    if known is None:
        return coming_after(said, now)
    if known.declared == said.declared:
        return None
    made = replace(
        said,
        paused_at=known.paused_at,
        next_instant=known.next_instant,
        next_at=known.next_at,
        last_instant=known.last_instant,
        last_run_id=known.last_run_id,
        skipped_at=known.skipped_at,
        version=known.version,
    )
    return made if rule_of(known) == rule_of(said) else coming_after(made, now)


def run_of(row: ScheduleRow, instant: float) -> RunCreated:
    """The run of that instant. Its id is the instant's, so it is made once, whoever makes it."""
    run_id = run_id_of(row.name, instant)
    return RunCreated(
        run_id,
        row.kind,
        row.function,
        row.fingerprint,
        row.input,
        run_id,
        queue=row.queue,
        priority=row.priority,
        max_attempts=row.max_attempts,
        attributes={ATTRIBUTE: row.name},
    )
