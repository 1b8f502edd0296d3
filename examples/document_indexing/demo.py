"""The demonstration: index documents, kill the service with SIGKILL at 40 %, start it again; durable, then plain.

DOCS says how many documents (200). Needs no server, no network and no key; leaves nothing running.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):  # started as a file: `python examples/document_indexing/demo.py`
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.document_indexing.database import new_database, throw_away_postgres
from examples.document_indexing.filings import first_filings
from examples.document_indexing.service import ROOT, Chunks, FileServer, Service, ServiceError

STATE = ROOT / ".cache" / "demo"
KILL_AT = 0.4
STILL_SECONDS = 6.0
"""No new document for so long after the restart: nothing more will come. Indexing one takes a tenth of a second."""
STALL_SECONDS = 60.0
"""The same for the durable service, which is expected to go on: then something is wrong, and the demo says so."""
LOOK_EVERY_SECONDS = 0.1
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
        watch(service, bar, until=max(1, int(len(urls) * KILL_AT)), patience=STALL_SECONDS)
        service.kill()
        bar.console.print(f"[bold red]kill -9[/] with {service.indexed()} of {len(urls)} documents indexed")
        in_flight = bodies_in_flight(name, files, service, directory)
        bar.console.print(f"Started again in {service.start():.1f} s; nobody posts anything a second time.")
        watch(service, bar, until=len(urls), patience=STALL_SECONDS if name == "durable" else STILL_SECONDS)
    console.print(f"Q: {QUESTION}\nA: {service.chat(QUESTION)}", highlight=False)
    service.kill()
    chunks = service.chunks()
    twice = sum(count - 1 for count in files.downloads().values())
    if chunks.documents < len(urls):
        console.print(f"Nothing more happens: [bold red]{len(urls) - chunks.documents} documents are lost[/].")
    return Outcome(name, len(urls), chunks.documents, in_flight, twice, chunks)


def watch(service: Service, bar: Progress, *, until: int, patience: float) -> None:
    """Show the progress until so many documents are indexed, or nothing has changed for `patience` seconds."""
    task = bar.task_ids[0]
    seen, changed = -1, time.monotonic()
    while True:
        service.check_alive()
        if (indexed := service.indexed()) != seen:
            seen, changed = indexed, time.monotonic()
            bar.update(task, completed=indexed)
        if indexed >= until or time.monotonic() - changed > patience:
            return
        time.sleep(LOOK_EVERY_SECONDS)


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


def emptied(path: Path) -> Path:
    """The directory without what the last demonstration left in it; what this one writes stays, to be looked at."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@contextmanager
def only_one() -> Iterator[None]:
    """Refuse a second demonstration in this checkout: each would empty the directories that the other works in."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another demonstration runs in this checkout: wait for its end, or use a second clone")
        yield


def documents_wanted(text: str) -> int:
    """The number in DOCS."""
    if not text.isdecimal() or int(text) < 1:
        sys.exit(f"DOCS={text} is no number of documents: give 1 or more, as in DOCS=200")
    return int(text)


def main() -> int:
    """Run the demonstration; the exit status is 0 if the durable service kept its promise."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    count = documents_wanted(os.environ.get("DOCS") or "200")
    begun = time.monotonic()
    outcomes = []
    with only_one(), ExitStack() as stack:
        console.print("Starting Postgres and the file server ...")
        postgres = stack.enter_context(throw_away_postgres())
        files = stack.enter_context(closing(FileServer(STATE / "filings")))
        urls = [f"{files.url}/{filing.path}" for filing in first_filings(count)]
        for name in ("durable", "plain"):
            directory = emptied(STATE / name)
            service = stack.enter_context(closing(Service(name, new_database(postgres, name), directory)))
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
