"""From what was measured to one table: in the terminal, and as a page of Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from examples.document_indexing.compare.changes import Changes
from examples.document_indexing.compare.scenarios import DATABASE, Killed, Undisturbed
from examples.document_indexing.forms import FORMS, Form

GROUPS = {
    "worker": "killed: what indexes",
    "api": "killed: the API",
    "server": "killed: the orchestrator",
    DATABASE: "killed: the index's database",
}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(slots=True)
class Result:
    """What was measured of one form; what could not be measured is an error with its reason, and counts for nothing."""

    form: str
    changes: Changes
    undisturbed: Undisturbed | None = None
    killed: dict[str, Killed] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


Row = list[str]


def rows_of(results: list[Result]) -> Iterator[tuple[str, list[Row]]]:
    """The table, group by group: a title, and rows of a label and a cell for each form."""
    yield "to write and to run", [[label, *map(cell, results)] for label, cell in WRITING]
    yield "undisturbed", [[label, *(_of_pass(cell, result) for result in results)] for label, cell in UNDISTURBED]
    for role, title in GROUPS.items():
        if any(_part(FORMS[result.form], role) for result in results):
            yield title, [[label, *(_of_kill(cell, result, role) for result in results)] for label, cell in KILLED]


WRITING: list[tuple[str, Callable[[Result], str]]] = [
    ("lines added or changed", lambda result: str(result.changes.added) if result.form != "plain" else "–"),
    ("lines of the plain one gone", lambda result: str(result.changes.removed) if result.form != "plain" else "–"),
    ("files", lambda result: str(result.changes.files)),
    ("what runs", lambda result: ", ".join(part.name for part in FORMS[result.form].parts)),
]
UNDISTURBED: list[tuple[str, Callable[[Undisturbed], str]]] = [
    ("processes", lambda seen: str(seen.footprint.processes)),
    ("ports", lambda seen: str(seen.footprint.ports)),
    ("memory: RSS, MB", lambda seen: f"{seen.footprint.rss_mb:,.0f}"),
    ("memory: PSS, MB", lambda seen: "" if seen.footprint.pss_mb is None else f"{seen.footprint.pss_mb:,.0f}"),
    ("idle: % of a core", lambda seen: f"{seen.footprint.idle_percent:.1f}"),
    ("from start to first document, s", lambda seen: f"{seen.start_seconds:.1f}"),
    ("one document, ms", lambda seen: f"{seen.latency_ms:,.0f}"),
    ("documents/s", lambda seen: f"{seen.per_second:.1f}"),
    ("processor time of a document, ms", lambda seen: f"{seen.cpu_ms:.0f}"),
]
KILLED: list[tuple[str, Callable[[Killed], str]]] = [
    ("documents asked for", lambda seen: f"{seen.asked:,}"),
    ("indexed", lambda seen: f"{seen.indexed:,}"),
    ("lost", lambda seen: f"{seen.asked - seen.indexed:,}"),
    ("indexed twice", lambda seen: f"{seen.run_twice:,}"),
    ("meanwhile: can one submit?", lambda seen: seen.submitted),
    ("meanwhile: does work go on?", lambda seen: "yes" if seen.indexed_meanwhile else "no"),
    ("afterwards: does work go on by itself?", lambda seen: _by_itself(seen)),
    ("from starting it again to the next document, s", lambda seen: _going_on(seen, seen.first_seconds)),
    ("and to the last one, s", lambda seen: _going_on(seen, seen.last_seconds)),
]


def _by_itself(seen: Killed) -> str:
    if seen.needs_restart:
        return "after a restart"
    return "yes" if seen.indexed == seen.asked else "no"


def _going_on(seen: Killed, seconds: float | None) -> str:
    if seconds is not None:
        return f"{seconds:.1f}"
    return "never" if seen.indexed < seen.asked else "done before"


def _of_pass(cell: Callable[[Undisturbed], str], result: Result) -> str:
    return "not measured" if result.undisturbed is None else cell(result.undisturbed)


def _of_kill(cell: Callable[[Killed], str], result: Result, role: str) -> str:
    part = _part(FORMS[result.form], role)
    if not part:
        return "–"
    return cell(result.killed[part]) if part in result.killed else "not measured"


def _part(form: Form, role: str) -> str:
    """The part of a form that has this role and no other; empty if it has none."""
    if role == "worker":
        return form.worker
    if role == DATABASE:
        return DATABASE
    return next((part.name for part in form.parts if part.name == role and part.name != form.worker), "")


def markdown(results: list[Result], facts: Mapping[str, str]) -> str:
    """The table and what it was measured with."""
    header = ["", *(FORMS[result.form].title for result in results)]
    rows = [header, ["---", *("---:" for _ in results)]]
    for title, group in rows_of(results):
        rows += [[f"**{title}**", *("" for _ in results)], *group]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    errors = [f"- {result.form}, {what}: {why}" for result in results for what, why in result.errors.items()]
    failed = "\n\nNot measured, by a failure that says nothing of the form:\n\n" + "\n".join(errors) if errors else ""
    return f"{table}{failed}\n\n" + "\n".join(f"- {name}: {fact}" for name, fact in facts.items()) + "\n"


def with_measured(page: str, measured: str) -> str:
    """The page with this between its two marks."""
    found = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not found.search(page):
        raise ValueError(f"the page has no place for the table: no {BEGIN} with an {END} after it")
    return found.sub(lambda _: f"{BEGIN}\n\n{measured}\n{END}", page)


def verdict(results: list[Result]) -> list[str]:
    """What speaks against Perdure's form, or was not measured; empty if nothing."""
    wrong = [f"{result.form}: {what} was not measured" for result in results for what in result.errors]
    for result in results:
        if result.form == "durable":
            wrong += [
                f"{seen.asked - seen.indexed} documents lost after the kill of the {what}"
                for what, seen in result.killed.items()
                if seen.indexed < seen.asked
            ]
    return wrong
