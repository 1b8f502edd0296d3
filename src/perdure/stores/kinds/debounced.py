"""A run is made, or one of its key that has not begun gets its input and waits longer."""

from __future__ import annotations

from collections.abc import Sequence

from ..._entries import Accepted, Existed, Joined, Refused, RunDebounced, Verdict
from .created import keys_of, note_holders
from .kind import Ask, Judgement, Kind, Situation


def look(ask: Ask, entries: Sequence[RunDebounced], situation: Situation) -> None:
    """Which runs have the keys."""
    note_holders(ask("key_holders", keys=keys_of(entries)), situation)


def judge(entry: RunDebounced, situation: Situation) -> Judgement:
    """It finds itself where it was the last of its key. One that was not, and is sent again, counts once more."""
    keys, may_join = situation.seen["keys"], situation.seen["may_join"]
    place = entry.queue, entry.dedup_key
    if entry.run_id in situation.runs:
        return Joined(entry.run_id)
    holder: Existed | None = keys.get(place)
    if holder is not None and may_join.get(place) == entry.entry_id:
        return Joined(holder.run_id)
    if entry.claim is not None and entry.claim not in situation.claims:
        return Refused(f"the claim under which run {entry.run_id!r} was to be made has ended")
    if holder is not None and (place not in may_join or holder.name != entry.name):
        return holder
    if holder is None:
        keys[place], may_join[place] = Existed(entry.run_id, entry.name, entry.fingerprint, "ready"), ""
    return None


def tell(ask: Ask, entries: Sequence[RunDebounced]) -> list[Verdict]:
    """Which run each of them has become."""
    found = {(queue, key): run_id for queue, key, run_id, *_ in ask("key_holders", keys=keys_of(entries))}
    run_ids = [found[entry.queue, entry.dedup_key] for entry in entries]
    return [
        Accepted() if run_id == entry.run_id else Joined(run_id) for entry, run_id in zip(entries, run_ids, strict=True)
    ]


DEBOUNCED = Kind("debounced", RunDebounced, judge, look=look, tell=tell)
