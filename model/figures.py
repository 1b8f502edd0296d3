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
    """Put the tables in their places. What was not visited this time keeps the figure that it has."""
    text = README.read_text(encoding="utf-8")
    tables = {
        "scenarios": _scenarios(held, _cells(text, "scenarios")),
        "guards": _guards(broken, _cells(text, "guards")),
    }
    for mark, table in tables.items():
        lines = "\n".join(table)
        text = re.sub(
            rf"(<!-- {mark} -->\n).*?(\n<!-- end -->)",
            lambda m, lines=lines: m[1] + lines + m[2],
            text,
            flags=re.DOTALL,
        )
    README.write_text(text, encoding="utf-8")


def _cells(text: str, mark: str) -> dict[str, list[str]]:
    """What stands in the table now: for each first cell the last ones, one for each store."""
    [table] = re.findall(rf"<!-- {mark} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    return {row[0].strip("`"): row[-len(STORES) :] for row in rows}


def _scenarios(held: Found, told: dict[str, list[str]]) -> Iterable[str]:
    yield "| scenario | " + " | ".join(f"{store}: states" for store in STORES) + " |"
    yield "| --- |" + " ---: |" * len(STORES)
    there = {store: scenarios(store) for store in STORES}
    for name in dict.fromkeys(name for store in STORES for name in there[store]):
        before = told.get(name, [""] * len(STORES))
        found = [
            (_states(held.get((store, name))) or cell) if name in there[store] else "–"
            for store, cell in zip(STORES, before, strict=True)
        ]
        yield f"| {name} | " + " | ".join(found) + " |"


def _states(finding: Finding | None) -> str:
    """How many; nothing where it was not visited."""
    if finding is None:
        return ""
    return f"{finding.states:,}" + (f" ({finding.breach})" if finding.breach else "")


def _guards(broken: Found, told: dict[str, list[str]]) -> Iterable[str]:
    yield "| guard | what it says | " + " | ".join(f"{store}: without it" for store in STORES) + " |"
    yield "| --- | --- |" + " --- |" * len(STORES)
    for guard in GUARDS:
        before = told.get(guard.name, [""] * len(STORES))
        found = (_breach(broken.get((store, guard.name))) or cell for store, cell in zip(STORES, before, strict=True))
        yield f"| `{guard.name}` | {guard.why} | " + " | ".join(found) + " |"


def _breach(finding: Finding | None) -> str:
    """The invariant that breaks, and after how many moves."""
    if finding is None:
        return ""
    return f"{(finding.breach or 'nothing').split()[0]}, {len(finding.trace)} moves"
