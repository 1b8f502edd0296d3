"""A run says by what people find it. Recorded like any call, so that a replay sets nothing anew."""

from __future__ import annotations

from ..._entries import AttributesSet
from ..flow import Flow, Record
from ..run import Run
from .turn import catch_up


def set_attributes(run: Run, key: str, attributes: dict[str, str | None], *, is_instant: bool) -> Flow[None]:
    """Record them, unless that was done before. `is_instant`: it blocks an event loop."""
    run.check_alive()
    stored, _ = run.serializer.accept(attributes, what="the attributes of the run")
    fingerprint, preview = run.serializer.digest(stored)
    if run.take(key, "attributes", "set_attributes", fingerprint, preview, stored) is not None:
        return
    if run.is_behind:
        yield from catch_up(run, key, "set_attributes", is_instant=is_instant)
    yield Record(
        AttributesSet(run.run_id, run.claim, run.next_entry_id(), key, fingerprint, stored, attributes, preview)
    )
