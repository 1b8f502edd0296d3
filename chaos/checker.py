"""What must be so at the end, by the ledger and by the rows, whatever was broken meanwhile.

*Lost*: an order that was acknowledged and did not succeed, or an outcome that a later body was given and that is not
the recorded one. *Twice*: a transaction that has not taken effect exactly once. *Late*: a row that was committed after
the end of the claim under which its body began. *Wrong*: a run whose value is not made of its recorded outcomes.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .ledger import BODY, ENTRY, Ledger, Line

Rows = list[tuple[object, ...]]


@dataclass(slots=True)
class Findings:
    """Counts for people, and everything that differs, in words."""

    orders: int = 0
    bodies: int = 0
    again: int = 0
    entries: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        """All that must not be."""
        return [*self.lost, *self.twice, *self.late, *self.wrong]


class Checker:
    """Looks once, after everything has ended."""

    def __init__(
        self, ledger: Ledger, acknowledged: Sequence[str], ask: Callable[[str], Rows], *, has_one_clock: bool
    ) -> None:
        self._ledger = ledger
        self._has_one_clock = has_one_clock
        self._acknowledged = acknowledged
        self._runs = {str(row[0]): row[1:] for row in ask("runs")}
        self._outcomes = ask("outcomes")
        self._entries = ask("entries")
        self._raised = int(str(ask("owners")[0][0] or 0))
        self._ends_of_claim: dict[tuple[str, str], float] = {}
        self._ends_of_run: dict[str, list[float]] = defaultdict(list)
        for run_id, claim, at in ask("ended"):
            self._ends_of_claim[str(run_id), str(claim)] = float(str(at))
            self._ends_of_run[str(run_id)].append(float(str(at)))
        for ends in self._ends_of_run.values():
            ends.sort()
        self._recorded = {(str(row[0]), str(row[1])): json.loads(str(row[2])) for row in self._outcomes}

    def check(self, left: list[str]) -> Findings:
        """Everything. `left` is what did not end."""
        bodies = Counter((line.run_id, line.key) for line in self._ledger.lines if line.kind in (BODY, ENTRY))
        findings = Findings(
            orders=len(self._acknowledged),
            bodies=bodies.total(),
            again=bodies.total() - len(bodies),
            entries=len(self._entries),
            lost=[f"{run_id} did not end" for run_id in left],
        )
        self._check_runs(findings)
        for line in self._ledger.lines:
            self._check_seen(line, findings)
        self._check_entries(findings)
        self._check_times(findings)
        return findings

    def _check_runs(self, findings: Findings) -> None:
        for run_id in self._acknowledged:
            state, reason = self._runs.get(run_id, ("nothing", None))[:2]
            if state != "succeeded":
                findings.lost.append(f"{run_id} was acknowledged, and is {state} ({reason})")
        for run_id, (state, reason, output, _, is_order) in self._runs.items():
            if state != "succeeded":
                findings.wrong.append(f"{run_id} is {state} ({reason})")
                continue
            *seen, _end = json.loads(str(output))
            differing = [token for token in seen if not self._is_recorded(token)]
            if differing or len(seen) != (4 if is_order else 1):
                findings.wrong.append(f"{run_id} returned {seen}, of which {differing} is not recorded")

    def _is_recorded(self, token: str) -> bool:
        line = self._ledger.begun.get(token)
        return line is not None and self._recorded.get((line.run_id, line.key)) == token

    def _check_seen(self, line: Line, findings: Findings) -> None:
        if line.kind in (BODY, ENTRY):
            findings.lost += [
                f"{line.run_id}: {line.kind} {line.key} of {line.process} built on {token}, which is not recorded"
                for token in line.seen
                if not self._is_recorded(token)
            ]

    def _check_entries(self, findings: Findings) -> None:
        entered = Counter(str(row[0]) for row in self._entries)
        for run_id, (*_, is_order) in self._runs.items():
            if is_order and entered[run_id] != 1:
                findings.twice.append(f"{run_id} has {entered[run_id]} rows of its transaction")
        if self._raised != len(self._entries):
            findings.twice.append(f"{len(self._entries)} rows were entered, {self._raised} were raised")
        for row, token, *_ in self._entries:
            if not self._is_recorded(str(token)):
                findings.twice.append(f"{row}: the row of {token} is there, and another outcome is recorded")

    def _check_times(self, findings: Findings) -> None:
        for run_id, key, body, claim, at in self._outcomes:
            end = self._ends_of_claim.get((str(run_id), str(claim)))
            if end is not None and float(str(at)) > end:
                findings.late.append(f"{run_id} {key}: recorded {float(str(at)) - end:.6f} s after its claim's end")
            self._check_begun(str(run_id), json.loads(str(body)), at, findings)
        for run_id, token, at in self._entries:
            self._check_begun(str(run_id), str(token), at, findings)
        for run_id, (state, _, output, committed_at, _) in self._runs.items():
            if state == "succeeded":
                self._check_begun(run_id, json.loads(str(output))[-1], committed_at, findings)

    def _check_begun(self, run_id: str, token: str, at: object, findings: Findings) -> None:
        """No claim of the run may have ended between the token's making and its commit: times of one clock."""
        line = self._ledger.begun.get(token)
        if line is None:
            findings.wrong.append(f"{run_id}: nobody has noted {token}")
        elif self._has_one_clock:
            ends = self._ends_of_run[run_id]
            place = bisect_right(ends, line.at)
            if place < len(ends) and ends[place] < float(str(at)):
                findings.late.append(f"{run_id}: {token} was made before the end of a claim, and committed after it")
