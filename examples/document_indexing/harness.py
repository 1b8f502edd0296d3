"""What the demonstration and the comparison share: documents to index, a service to watch, a place to work in."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from examples.document_indexing.database import Postgres, running_postgres
from examples.document_indexing.service import FileServer, Service

KILL_AT = 0.4
LOOK_EVERY_SECONDS = 0.1


def documents_wanted(text: str) -> int:
    """The number in DOCS."""
    if not text.isdecimal() or int(text) < 1:
        sys.exit(f"DOCS={text} is no number of documents: give 1 or more, as in DOCS=200")
    return int(text)


def until_the_kill(count: int) -> int:
    """How many documents are indexed when the service is killed."""
    return max(1, int(count * KILL_AT))


def watch(
    service: Service, *, until: int, patience: float, on_progress: Callable[[int], None] = lambda indexed: None
) -> int:
    """Wait until so many documents are indexed, or nothing has changed for `patience` seconds; returns how many are."""
    seen, changed = -1, time.monotonic()
    while True:
        service.check_alive()
        if (indexed := service.indexed()) != seen:
            seen, changed = indexed, time.monotonic()
            on_progress(indexed)
        if indexed >= until or time.monotonic() - changed > patience:
            return indexed
        time.sleep(LOOK_EVERY_SECONDS)


def emptied(path: Path) -> Path:
    """The directory without what the last run left in it; what this one writes stays, to be looked at."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@contextmanager
def only_one(place: Path) -> Iterator[None]:
    """Refuse a second run in this checkout: each would empty the directories that the other works in."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another {place.name} runs in this checkout: wait for its end, or use a second clone")
        yield


@contextmanager
def surroundings(place: Path) -> Iterator[tuple[Postgres, FileServer]]:
    """What the services need around them: a Postgres, and a file server that keeps its PDFs in `place`."""
    with running_postgres() as postgres, closing(FileServer(place / "filings")) as files:
        yield postgres, files
