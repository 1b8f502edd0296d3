"""What was found, for people: a line for each fault while it goes on, and a table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .checker import Findings
from .fault import Fault

SHOWN = 20
HEAD = ("fault", "done", "orders", "bodies", "again", "lost", "twice", "late", "wrong", "back p50", "p95", "max")


@dataclass(slots=True)
class Outcome:
    """Of one fault, all its strikes."""

    fault: Fault
    count: int = 0
    back: list[float] = field(default_factory=list)
    also: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0
    skipped: str | None = None
    failure: str | None = None

    @property
    def differences(self) -> list[str]:
        """All that must not be."""
        found = list(self.findings.differences)
        if self.failure:
            found.append(self.failure)
        most = self.fault.most_seconds_back
        if most is not None:
            found += [f"it took {seconds:.2f} s, more than {most:g}" for seconds in self.back if seconds > most]
        return found

    def cells(self) -> list[str]:
        """Its row of the table."""
        if self.skipped:
            return [self.fault.name, "-", *[""] * (len(HEAD) - 2)]
        f = self.findings
        counts = (self.count, f.orders, f.bodies, f.again, len(f.lost), len(f.twice), len(f.late), len(f.wrong))
        return [self.fault.name, *map(str, counts), *(_time(share(self.back, part)) for part in (0.5, 0.95, 1.0))]

    def words(self) -> str:
        """Its line."""
        if self.skipped:
            return f"{self.fault.name}: not done, since {self.skipped}"
        also = "".join(f"; {what} {number}" for what, number in self.also.items())
        verdict = f"{len(self.differences)} DIFFER" if self.differences else "all as it must be"
        return (
            f"{self.fault.name}: {self.count} {self.fault.counted}{also}; {self.findings.orders} orders, "
            f"{self.findings.entries} transactions; {self.seconds:.0f} s; {verdict}"
        )


def share(found: Sequence[float], part: float) -> float | None:
    """The value that so large a part does not exceed."""
    return sorted(found)[min(len(found) - 1, int(len(found) * part))] if found else None


def table(outcomes: Sequence[Outcome]) -> str:
    """All of them, times in seconds, and what the times are of."""
    rows = [list(HEAD), ["---"] * len(HEAD), *(outcome.cells() for outcome in outcomes)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    legend = [f"back of {outcome.fault.name}: {outcome.fault.back}" for outcome in outcomes if outcome.back]
    return "\n".join([*lines, "", *legend])


def shown(differences: Sequence[str]) -> str:
    """The first of them."""
    more = len(differences) - SHOWN
    return "\n".join([*(f"  {one}" for one in differences[:SHOWN]), *([f"  and {more} more"] if more > 0 else [])])


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"
