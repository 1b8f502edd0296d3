"""What every form goes through: once undisturbed, then killed at 40 %, one part after the other.

Each time with a fresh database and directory. When a document was indexed is told by its row in the index, so how often
we look makes no difference; how often its body ran, by the file server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

import httpx
import psutil
import psycopg

from examples.document_indexing.compare.environments import python_of
from examples.document_indexing.compare.measures import Footprint, footprint, processor_seconds
from examples.document_indexing.database import Postgres, new_database
from examples.document_indexing.filings import first_filings
from examples.document_indexing.forms import Form
from examples.document_indexing.harness import emptied, until_the_kill, watch
from examples.document_indexing.processes import ServiceError
from examples.document_indexing.service import FileServer, Service

DATABASE = "database"
MOST_BESIDE = 1000
"""Documents of every pass but the kill of what indexes, which has all that were asked for."""
LATENCIES = 10
AWAY_SECONDS = 4.0
"""How long a killed part stays away."""
ANSWER_SECONDS = 3.0
"""How long whoever submits meanwhile waits for an answer."""
STRAGGLING_SECONDS = 0.5
"""What is indexed so soon after a kill was on its way before: it is no sign that work goes on."""
PATIENCE_SECONDS = {True: 150.0, False: 15.0}
"""No new document for so long: nothing more will come. Temporal gives up an activity after a minute; an index that was
away is asked again after ten seconds."""
SETTLE_SECONDS = 3.0
FAILURES = (ServiceError, psycopg.Error, httpx.HTTPError, psutil.Error)
"""What may happen to the harness: it says nothing of the form."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A pass without a kill."""

    documents: int
    start_seconds: float
    """From starting the first process on empty databases to the first document indexed."""
    latency_ms: float
    """Of one document posted to an idle service, the median."""
    per_second: float
    cpu_ms: float
    """What all its processes work for one of many documents."""
    footprint: Footprint
    """Idle, when all is done."""


@dataclass(frozen=True, slots=True)
class Killed:
    """A pass in which one part was killed, stayed away, and was started again."""

    asked: int
    """Documents that the service has answered 204 for."""
    indexed: int
    run_twice: int
    """Downloads beyond the first, over all documents."""
    submitted: str
    """What whoever submitted a document meanwhile was told."""
    indexed_meanwhile: int
    needs_restart: bool
    """Whether what indexes had to be started again too, for work to go on."""
    first_seconds: float | None
    """From starting the part again to the next document indexed; None: there was none."""
    last_seconds: float | None


class Surroundings:
    """The databases and documents that the passes use."""

    def __init__(
        self, place: Path, postgres: Postgres, files: FileServer, documents: int, *, on_postgres: bool
    ) -> None:
        self.postgres, self.files, self._place, self._on_postgres = postgres, files, place, on_postgres
        self._numbers = count()
        self.urls = [f"{files.url}/{filing.path}" for filing in first_filings(documents + LATENCIES + 2)]
        self.first, self.submitted, *self.singles = self.urls[documents:]
        del self.urls[documents:]

    def render(self) -> None:
        """Have every document rendered before anybody is measured; it is kept."""
        with httpx.Client(trust_env=False, timeout=60) as client:
            for url in [*self.urls, self.first, self.submitted, *self.singles]:
                client.get(url).raise_for_status()

    @contextmanager
    def started(self, form: Form) -> Iterator[tuple[Service, float]]:
        """The service with its first document indexed, and how long that took."""
        name = f"{form.name}_{next(self._numbers)}"
        settings = {}
        if self._on_postgres and form.store_setting:
            settings[form.store_setting] = new_database(self.postgres.url, f"{name}_store")
        database = new_database(self.postgres.url, name)
        directory = emptied(self._place / form.name / name)
        with closing(Service(form.name, database, directory, python=str(python_of(form.name)), **settings)) as service:
            begun = time.time()
            service.start()
            post(service, [self.first])
            if watch(service, until=1, patience=PATIENCE_SECONDS[True]) != 1:
                raise ServiceError(f"The {form.name} form does not index its first document: see {directory}")
            yield service, service.when_indexed()[self.first] - begun


def undisturbed(form: Form, around: Surroundings) -> Undisturbed:
    """One document at a time, then many, then none."""
    urls = around.urls[:MOST_BESIDE]
    chance = random.Random(0)  # noqa: S311 - pauses, so that no poll is in step with us
    with around.started(form) as (service, start_seconds):
        latencies = []
        for number, url in enumerate(around.singles, 2):
            time.sleep(chance.uniform(0.2, 1.2))
            begun = time.time()
            post(service, [url])
            watch(service, until=number, patience=PATIENCE_SECONDS[True])
            latencies.append(service.when_indexed()[url] - begun)
        family = [process.pid for process in service.processes.values()]
        begun, worked = time.time(), processor_seconds(family)
        post(service, urls)
        indexed = watch(service, until=1 + LATENCIES + len(urls), patience=PATIENCE_SECONDS[form.survives])
        if indexed != 1 + LATENCIES + len(urls):
            raise ServiceError(f"The {form.name} form indexed {indexed} documents without being killed")
        per_second = len(urls) / (max(service.when_indexed().values()) - begun)
        cpu_ms = 1000 * (processor_seconds(family) - worked) / len(urls)
        time.sleep(SETTLE_SECONDS)
        taken = footprint(family)
    return Undisturbed(len(urls), start_seconds, 1000 * median(latencies), per_second, cpu_ms, taken)


def kills_of(form: Form) -> list[str]:
    """What is killed, one after the other: what indexes first, the index's database last."""
    parts = [part.name for part in form.parts if part.name != form.worker]
    return [form.worker, *parts, DATABASE]


def killed(form: Form, what: str, around: Surroundings, say: Callable[..., None]) -> Killed:
    """Kill one part at 40 %, submit a document while it is away, start it again, and count."""
    urls = around.urls if what == form.worker else around.urls[:MOST_BESIDE]
    with around.started(form) as (service, _):
        around.files.forget()
        post(service, urls)
        moment = 1 + until_the_kill(len(urls))
        if watch(service, until=moment, patience=PATIENCE_SECONDS[True]) < moment:
            raise ServiceError(f"The {form.name} form did not come to the document at which it would have been killed")
        killed_at = time.time()
        around.postgres.kill() if what == DATABASE else service.kill(what)
        submitted = answer_to(service, around.submitted)
        time.sleep(max(0.0, killed_at + AWAY_SECONDS - time.time()))
        started_at = time.time()
        around.postgres.start() if what == DATABASE else service.start(what)
        accepted = {*urls, around.submitted} if submitted == ACCEPTED else set(urls)
        needs_restart = not all_indexed(service, accepted) and form.survives and what != form.worker
        if needs_restart:  # as whoever runs it would
            say("it does not go on by itself: started again ...", end=" ")
            service.kill(form.worker)
            service.start(form.worker)
            all_indexed(service, accepted)
        when = {url: at for url, at in service.when_indexed().items() if url in accepted}
        say(f"{len(when)} of {len(accepted)} indexed")
        after = [at - started_at for at in when.values() if at > started_at]
        meanwhile = [at for at in when.values() if killed_at + STRAGGLING_SECONDS < at <= started_at]
        downloads = around.files.downloads()
    return Killed(
        asked=len(accepted),
        indexed=len(when),
        run_twice=sum(downloads.get(url, 1) - 1 for url in accepted),
        submitted=submitted,
        indexed_meanwhile=len(meanwhile),
        needs_restart=needs_restart,
        first_seconds=min(after, default=None),
        last_seconds=max(after, default=None),
    )


def all_indexed(service: Service, accepted: set[str]) -> bool:
    """Wait for the documents; False if nothing more comes before the last of them, or a process has ended by itself."""
    patience, wanted = PATIENCE_SECONDS[service.form.survives], 1 + len(accepted)
    try:
        if watch(service, until=wanted, patience=patience) < wanted:
            return False
        if not accepted <= service.when_indexed().keys():  # one is there whose submitter was told nothing
            watch(service, until=wanted + 1, patience=patience)
    except ServiceError:
        return False
    return accepted <= service.when_indexed().keys()


ACCEPTED = "yes"


def post(service: Service, urls: list[str]) -> None:
    """Have documents indexed by a service that is expected to accept them."""
    if (status := service.post(urls)) != 204:
        raise ServiceError(f"The {service.form.name} form answered {status} to {len(urls)} documents")


def answer_to(service: Service, url: str) -> str:
    """What somebody is told who submits a document now and does not wait for ever."""
    try:
        status = service.post([url], patience=ANSWER_SECONDS)
    except httpx.TimeoutException:
        return f"no answer in {ANSWER_SECONDS:.0f} s"
    except httpx.TransportError:
        return "no, nobody listens"
    return ACCEPTED if status == 204 else f"no, error {status}"
