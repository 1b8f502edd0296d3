"""`make compare`: index the same documents with every form, kill its parts in turn, and show one table.

DOCS says how many documents (200). `make compare COMPARE="--form durable"` hands options on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import signal
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from examples.document_indexing.compare import environments
from examples.document_indexing.compare.changes import changes_between
from examples.document_indexing.compare.report import Result, markdown, rows_of, verdict, with_measured
from examples.document_indexing.compare.scenarios import FAILURES, Surroundings, killed, kills_of, undisturbed
from examples.document_indexing.forms import FORMS
from examples.document_indexing.harness import documents_wanted, only_one, surroundings
from examples.document_indexing.processes import ROOT, ServiceError

STORES = {"sqlite": "files of SQLite's, each form's own", "postgres": "the index's Postgres; Temporal's: a SQLite file"}
console = Console(highlight=False)


def read_options(arguments: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="make compare", description=__doc__)
    parser.add_argument("--form", action="append", choices=list(FORMS), help="only these (may be given several times)")
    parser.add_argument(
        "--store", choices=list(STORES), default="sqlite", help="where Perdure and DBOS keep their rows"
    )
    parser.add_argument("--page", type=Path, help="put the table into this page too (docs/comparison.md)")
    parser.add_argument("--note", default="", help="a sentence to stand with the table, such as what else was running")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure and show; 1 if something was not measured, or Perdure's form has lost a document."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    options, count = read_options(arguments), documents_wanted(os.environ.get("DOCS") or "200")
    forms, begun = options.form or list(FORMS), time.monotonic()
    with only_one(environments.PLACE):
        environments.prepare(forms)
        console.print("Starting Postgres and the file server ...")
        with surroundings(environments.PLACE) as (postgres, files):
            around = Surroundings(environments.PLACE, postgres, files, count, on_postgres=options.store == "postgres")
            facts = facts_of(forms, options, count, postgres.url)
            console.print("Rendering the documents ...")
            around.render()
            results = [measure(name, around) for name in forms]
    show(results)
    page = markdown(results, {**facts, "load at the end": load(), "took": f"{(time.monotonic() - begun) / 60:.0f} min"})
    kept = environments.PLACE / f"results-{time.strftime('%Y%m%d-%H%M%S')}.md"
    kept.write_text(page)
    kept.with_suffix(".json").write_text(json.dumps([asdict(result) for result in results], indent=1))
    if options.page:
        options.page.write_text(with_measured(options.page.read_text(), page))
    console.print(f"Kept in {kept.relative_to(ROOT)} and the .json beside it; logs are in {environments.PLACE}.")
    for what in (wrong := verdict(results)):
        console.print(f"[bold red]{what}[/]")
    return 1 if wrong else 0


def measure(name: str, around: Surroundings) -> Result:
    """All passes of one form; a failure of ours is noted, and the next pass begins anew."""
    form = FORMS[name]
    result = Result(name, changes_between(FORMS["plain"].files, form.files))
    console.rule(form.title)
    console.print("undisturbed ...")
    try:
        result.undisturbed = undisturbed(form, around)
    except FAILURES as error:
        result.errors["undisturbed"] = reason(error)
    for what in kills_of(form):
        console.print(f"kill -9: {what} ...", end=" ")
        try:
            result.killed[what] = killed(form, what, around, console.print)
        except FAILURES as error:
            result.errors[what] = reason(error)
            around.postgres.start()
    return result


def reason(error: Exception) -> str:
    """The error in one line, said at once too."""
    text = " ".join(str(error).split())
    console.print(f"[bold red]not measured:[/] {text}")
    return text[-300:]


def show(results: list[Result]) -> None:
    """The table."""
    table = Table(title="The same service, killed with SIGKILL at 40 %")
    table.add_column("")
    for result in results:
        table.add_column(FORMS[result.form].title, justify="right")
    for title, group in rows_of(results):
        table.add_section()
        table.add_row(f"[bold]{title}[/]")
        for row in group:
            table.add_row(*row)
    console.print(table)


def facts_of(forms: list[str], options: argparse.Namespace, count: int, database_url: str) -> dict[str, str]:
    """When, how and on what."""
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": f"`{command_of(options, count)}`",
        "note": options.note,
        "what the forms record": STORES[options.store],
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores",
        "load at the beginning": load(),
    }
    with psycopg.connect(database_url) as connection:
        facts["Postgres of the index"] = str(connection.execute("SHOW server_version").fetchall()[0][0])
    for name in forms:
        facts[f"environment of {name}"] = environments.versions(name)
        facts[f"commands of {name}"] = "; ".join(f"`{' '.join(part.command)}`" for part in FORMS[name].parts)
    return {name: fact for name, fact in facts.items() if fact}


def command_of(options: argparse.Namespace, count: int) -> str:
    """What anybody types to do the same."""
    asked = [word for form in options.form or () for word in ("--form", form)]
    asked += ["--store", options.store] if options.store != "sqlite" else []
    return f"make compare DOCS={count}" + (f' COMPARE="{shlex.join(asked)}"' if asked else "")


def load() -> str:
    """Of the machine: over 1, 5 and 15 minutes."""
    return ", ".join(f"{average:.1f}" for average in os.getloadavg())


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Interrupted; everything that was started has been stopped.")
    except ServiceError as error:
        sys.exit(str(error))
