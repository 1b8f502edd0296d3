"""What `make model` has found, as the tables of README.md: the states of each scenario, and what each guard is for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .checker import Finding
from .scenarios import GUARDS, STORES, scenarios

README = Path(__file__).with_name("README.md")

Found = dict[tuple[str, str], Finding]
"""By store and by the name of a scenario, or of the guard that was left out."""


def write(held: Found, broken: Found) -> None:
    """Put the tables in their places."""
    text = README.read_text(encoding="utf-8")
    for mark, table in (("scenarios", _scenarios(held)), ("guards", _guards(broken))):
        lines = "\n".join(table)
        text = re.sub(
            rf"(<!-- {mark} -->\n).*?(\n<!-- end -->)",
            lambda m, lines=lines: m[1] + lines + m[2],
            text,
            flags=re.DOTALL,
        )
    README.write_text(text, encoding="utf-8")


def _scenarios(held: Found) -> Iterable[str]:
    yield "| scenario | " + " | ".join(f"{store}: states" for store in STORES) + " |"
    yield "| --- |" + " ---: |" * len(STORES)
    there = {store: scenarios(store) for store in STORES}
    for name in dict.fromkeys(name for store in STORES for name in there[store]):
        found = (_states(held.get((store, name)), is_there=name in there[store]) for store in STORES)
        yield f"| {name} | " + " | ".join(found) + " |"


def _states(finding: Finding | None, *, is_there: bool) -> str:
    """How many; a dash where there is nothing of the kind, and nothing where it was not visited this time."""
    if finding is None:
        return "" if is_there else "–"
    return f"{finding.states:,}" + (f" ({finding.breach})" if finding.breach else "")


def _guards(broken: Found) -> Iterable[str]:
    yield "| guard | what it says | " + " | ".join(f"{store}: without it" for store in STORES) + " |"
    yield "| --- | --- |" + " --- |" * len(STORES)
    for guard in GUARDS:
        found = (_breach(broken.get((store, guard.name))) for store in STORES)
        yield f"| `{guard.name}` | {guard.why} | " + " | ".join(found) + " |"


def _breach(finding: Finding | None) -> str:
    """The invariant that breaks, and after how many moves."""
    if finding is None:
        return ""
    return f"{(finding.breach or 'nothing').split()[0]}, {len(finding.trace)} moves"
