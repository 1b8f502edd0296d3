"""The demonstration: index documents, kill the service with SIGKILL at 40 %, start it again; durable, then plain.

DOCS says how many documents (200). Needs no server, no network and no key; leaves nothing running.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):  # started as a file: `python examples/document_indexing/demo.py`
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.document_indexing.database import new_database
from examples.document_indexing.filings import first_filings
from examples.document_indexing.harness import (
    documents_wanted,
    emptied,
    only_one,
    surroundings,
    until_the_kill,
    watch,
)
from examples.document_indexing.processes import ROOT, ServiceError
from examples.document_indexing.service import Chunks, FileServer, Service

STATE = ROOT / ".cache" / "demo"
STILL_SECONDS = 6.0
"""No new document for so long after the restart: nothing more will come. Indexing one takes a tenth of a second."""
STALL_SECONDS = 60.0
"""The same for the durable service, which is expected to go on: then something is wrong, and the demo says so."""
QUESTION = "What was Apple's earnings per share in 2021?"

console = Console()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one service made of the same documents and the same kill."""

    name: str
    asked: int
    indexed: int
    in_flight: int
    """Documents whose download had begun when the service was killed, and which it had not finished."""
    run_twice: int
    """Downloads beyond the first, over all documents."""
    chunks: Chunks


def show(name: str, urls: list[str], files: FileServer, service: Service, directory: Path) -> Outcome:
    """Index with one service, kill it on the way, start it again, and count."""
    console.rule(f"the {name} service")
    files.forget()
    console.print(f"Started in {service.start():.1f} s. POST /index with {len(urls)} URLs: {service.post(urls)}")
    with progress_bar(len(urls)) as bar:
        watch(service, until=until_the_kill(len(urls)), patience=STALL_SECONDS, on_progress=moving(bar))
        service.kill()
        bar.console.print(f"[bold red]kill -9[/] with {service.indexed()} of {len(urls)} documents indexed")
        in_flight = bodies_in_flight(name, files, service, directory)
        bar.console.print(f"Started again in {service.start():.1f} s; nobody posts anything a second time.")
        patience = STALL_SECONDS if name == "durable" else STILL_SECONDS
        watch(service, until=len(urls), patience=patience, on_progress=moving(bar))
    console.print(f"Q: {QUESTION}\nA: {service.chat(QUESTION)}", highlight=False)
    service.kill()
    chunks = service.chunks()
    twice = sum(count - 1 for count in files.downloads().values())
    if chunks.documents < len(urls):
        console.print(f"Nothing more happens: [bold red]{len(urls) - chunks.documents} documents are lost[/].")
    return Outcome(name, len(urls), chunks.documents, in_flight, twice, chunks)


def bodies_in_flight(name: str, files: FileServer, service: Service, directory: Path) -> int:
    """Bodies that had begun, by the file server's ledger, and whose end was not recorded when the service died.

    The plain service records nothing but the index itself.
    """
    begun = len(files.downloads())
    if name == "plain":
        return begun - service.indexed()
    with closing(sqlite3.connect(f"file:{directory / 'perdure.db'}?mode=ro", uri=True)) as database:
        (ended,) = database.execute(
            "SELECT count(*) FROM run_view WHERE kind = 'step' AND state IN ('succeeded', 'failed')"
        ).fetchone()
    return begun - int(ended)


def show_table(outcomes: list[Outcome]) -> None:
    """One table: what became of the documents."""
    table = Table(title="Killed with SIGKILL at 40 %, started again")
    table.add_column("")
    for outcome in outcomes:
        table.add_column(outcome.name, justify="right")
    for label, cells in (
        ("documents asked for", [o.asked for o in outcomes]),
        ("indexed", [o.indexed for o in outcomes]),
        ("lost", [o.asked - o.indexed for o in outcomes]),
        ("bodies in flight at the kill", [o.in_flight for o in outcomes]),
        ("bodies run twice", [o.run_twice for o in outcomes]),
        ("chunks", [o.chunks.all for o in outcomes]),
        ("chunks duplicated", [o.chunks.all - o.chunks.distinct for o in outcomes]),
    ):
        table.add_row(label, *(f"{cell:,}" for cell in cells))
    console.print(table)
    console.print(
        "Bodies are counted by the file server: one download, one run of the body. Indexed documents and chunks are "
        "counted in the index's table, a chunk as duplicated if its id is there before."
    )


def verdict(durable: Outcome) -> list[str]:
    """What the durable service failed to keep of its promise; empty if nothing."""
    broken = []
    if durable.indexed != durable.asked:
        broken.append(f"{durable.asked - durable.indexed} documents lost")
    if durable.chunks.all != durable.chunks.distinct:
        broken.append(f"{durable.chunks.all - durable.chunks.distinct} chunks duplicated")
    if durable.run_twice > durable.in_flight:
        broken.append(f"{durable.run_twice} bodies run twice, though only {durable.in_flight} were in flight")
    return broken


def progress_bar(total: int) -> Progress:
    """A live bar of one task."""
    bar = Progress(
        TextColumn("indexed"), BarColumn(bar_width=50), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    bar.add_task("indexed", total=total)
    return bar


def moving(bar: Progress) -> Callable[[int], None]:
    """Moves the bar's only task."""
    return lambda indexed: bar.update(bar.task_ids[0], completed=indexed)


def main() -> int:
    """Run the demonstration; the exit status is 0 if the durable service kept its promise."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    count = documents_wanted(os.environ.get("DOCS") or "200")
    begun = time.monotonic()
    outcomes = []
    with only_one(STATE):
        console.print("Starting Postgres and the file server ...")
        with surroundings(STATE) as (postgres, files):
            urls = [f"{files.url}/{filing.path}" for filing in first_filings(count)]
            for name in ("durable", "plain"):
                directory = emptied(STATE / name)
                with closing(Service(name, new_database(postgres.url, name), directory)) as service:
                    outcomes.append(show(name, urls, files, service, directory))
    show_table(outcomes)
    broken = verdict(outcomes[0])
    for what in broken:
        console.print(f"[bold red]The durable service broke its promise:[/] {what}.")
    console.print(f"Took {time.monotonic() - begun:.0f} s. Logs and perdure.db are in {STATE}.")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted; everything that was started has been stopped.")
    except ServiceError as error:
        sys.exit(str(error))
