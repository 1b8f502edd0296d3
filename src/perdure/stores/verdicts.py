"""The slow way of a batch in which something was not new: which entries are new, were recorded before, are refused.

Asked set-wise and decided in order, by the same rules for every store, inside a transaction behind the fence in which
the answers stay true until its commit; then only what is new is written. The number of statements does not depend on
that of the entries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from .._entries import Accepted, Entry, Refused, RunContinued, RunCreated, RunFinished, RunReleased, Verdict
from ..typing import RunId
from .kinds import Kinds
from .kinds.kind import Ask, Judgement, Rows, Sections, Situation, Trace

Write = Callable[[Sections], None]


def apply_what_is_new(ask: Ask, write: Write, kinds: Kinds, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
    """The verdicts on the entries, in their order. Whatever `write` raises undoes all of it."""
    claims = {entry.claim for entry in entries if entry.claim is not None}
    ask(
        "lock_runs", run_ids=_texts(entry.run_id for entry in entries if entry.claim is not None), claims=_texts(claims)
    )
    entries = _decided_by_cancels(ask, entries)
    judgements = judge(_look(ask, kinds, worker_id, entries), kinds, entries)
    new = [entry for entry, judgement in zip(entries, judgements, strict=True) if judgement is None]
    if new:
        write(kinds.sort(new, folds_lives=False))
    beside = _told_by_kinds(ask, kinds, new)
    told = _told(ask, [entry.run_id for entry in new if kinds.of(entry).is_open(entry)])

    def accepted(entry: Entry) -> Verdict:
        kind = kinds.of(entry)
        if kind.tell is not None:
            return beside[id(entry)]
        return told[entry.run_id] if kind.is_open(entry) else kind.accepted(entry)

    return [judgement or accepted(entry) for entry, judgement in zip(entries, judgements, strict=True)]


def judge(situation: Situation, kinds: Kinds, entries: Sequence[Entry]) -> list[Judgement]:
    """One judgement per entry, in order (rule 6). A refused entry refuses the later ones of its claim."""
    judgements: list[Judgement] = []
    for entry in entries:
        claim = entry.claim
        judgement: Judgement = situation.refused.get(claim) if claim is not None else None
        if judgement is None:
            judgement = kinds.of(entry).judge(entry, situation)
            if isinstance(judgement, Refused) and claim is not None:
                situation.refused[claim] = Refused("an earlier entry of this claim was refused")
        if isinstance(judgement, Refused) and isinstance(entry, RunCreated) and entry.held_as is not None:
            situation.refused[entry.held_as] = Refused("the run was not created")
        judgements.append(judgement)
    return judgements


def _look(ask: Ask, kinds: Kinds, worker_id: str, entries: Sequence[Entry]) -> Situation:
    claims = _texts({entry.claim for entry in entries if entry.claim is not None})
    situation = Situation(
        worker_id,
        runs={run_id: Trace(*columns) for run_id, *columns in _traces(ask, (entry.run_id for entry in entries))},
        claims={claim for (claim,) in ask("held_claims", claims=claims, worker_id=worker_id)},
    )
    for kind in kinds.all:
        of_kind = [entry for entry in entries if type(entry) is kind.struct]
        if of_kind:
            kind.look(ask, of_kind, situation)
    return situation


def _decided_by_cancels(ask: Ask, entries: Sequence[Entry]) -> list[Entry]:
    """Rule 8: of a run that has a cancel the end is that, whatever it was to be; one that has none, and is to end so,
    goes back. After its row was locked.
    """
    ending = [entry.run_id for entry in entries if isinstance(entry, RunFinished | RunContinued)]
    cancelled = {run_id for (run_id,) in ask("cancelled_among", run_ids=_texts(ending))} if ending else ()
    return [_decided(entry, is_cancelled=entry.run_id in cancelled) for entry in entries]


def _decided(entry: Entry, *, is_cancelled: bool) -> Entry:
    if is_cancelled and isinstance(entry, RunFinished | RunContinued):
        return RunFinished(entry.run_id, entry.claim, "cancelled", None, has_deadline=entry.has_deadline)
    if isinstance(entry, RunFinished) and entry.state == "cancelled" and not (is_cancelled or entry.has_deadline):
        return RunReleased(entry.run_id, entry.claim)
    return entry


def _told_by_kinds(ask: Ask, kinds: Kinds, new: Sequence[Entry]) -> dict[int, Verdict]:
    """Of those kinds that ask themselves, by the entry's identity."""
    beside: dict[int, Verdict] = {}
    for kind in kinds.all:
        if kind.tell is not None and (of_kind := [entry for entry in new if type(entry) is kind.struct]):
            beside.update(zip(map(id, of_kind), kind.tell(ask, of_kind), strict=True))
    return beside


def _told(ask: Ask, run_ids: Sequence[RunId]) -> dict[RunId, Verdict]:
    """What has become of these runs."""
    return (
        {
            run_id: Accepted(state, reason if state == "cancelled" else None)
            for run_id, _, _, state, *_, reason in _traces(ask, run_ids)
        }
        if run_ids
        else {}
    )


def _traces(ask: Ask, run_ids: Iterable[RunId]) -> Rows:
    return ask("run_traces", run_ids=_texts(run_ids))


def _texts(values: Iterable[str]) -> str:
    return json.dumps(list(values))
