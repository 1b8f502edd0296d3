"""The same table for runs that are made held from the start (rule 16)."""

from __future__ import annotations

from .guards import Guard, at

MAKING: tuple[Guard, ...] = (
    Guard(
        "knows_what_goes_again",
        "Rule 16: what was sent and not settled counts as known; the second belt of `begins_only_what_it_holds`.",
        "making",
        {
            "both": (
                *at("engine/claiming/claims.Claims.reconcile", "known += self._journal.run_ids()"),
                *at("engine/journal/journal.Journal.run_ids", "*(item.entry.run_id for _, item in self._under_way)"),
            )
        },
        without=("begins_only_what_it_holds",),
    ),
    Guard(
        "begins_only_what_it_holds",
        "Rule 16: a creation that is sent again begins nothing unless the run is held under its very claim.",
        "making",
        {
            "both": (
                *at("stores/created.judge", "entry.held_as not in (None, trace.claim, "),
                *at("stores/created.judge", "Accepted(trace.state if is_let_go else None)"),
                *at("engine/claiming/starts.Starts.create", "and (verdict.state is None): self._news.made("),
                *at("engine/journal/journal.Journal.settle", "self._check_held(lane, item.entry)"),
                *at("engine/journal/journal.Journal._check_held", "run.claim == entry.held_as: self.fail_lane("),
            )
        },
        without=("knows_what_goes_again",),
    ),
    Guard(
        "reconciles_in_turn",
        "Rule 16: nothing is sent or settled between a reconcile's look at the memory and its statement.",
        "making",
        {"both": at("engine/claiming/claims.Claims.reconcile", "with self._journal.turn(), self._claiming:")},
    ),
)
