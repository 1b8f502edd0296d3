"""`perdure doctor`: what is wrong, in words, and what to do about it. Looks, and changes nothing."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ... import Client, Examination, __version__
from ..command import DONE, NOT_SO, Command, Context
from ..times import since, span
from .runs_cancel import runs_of
from .runs_list import first_line

CLOCK_SECONDS: Final = 5.0
SNAPSHOT_SECONDS: Final = 600.0
IDLE_SECONDS: Final = 60.0
WAITING_SECONDS: Final = 60.0
USED: Final = 0.9
LATE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at."""

    is_well: bool
    text: str
    mend: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(context: Context) -> int:
    """Everything that can be looked at; the exit code says whether all is well."""
    screen = context.screen
    with context.client() as client:
        before = time.time()
        examination = client.examine()
        clock = (before + time.time()) / 2
        findings = [*versions(client, examination), *looked_at(examination, clock)]
    wrong = [finding for finding in findings if not finding.is_well]
    if screen.is_json:
        screen.json({"well": not wrong, "findings": findings, "facts": examination.facts})
        return DONE if not wrong else NOT_SO
    for finding in findings:
        screen.line(f"{'well ' if finding.is_well else 'WRONG'}  {finding.text}", "" if finding.is_well else "red")
        if finding.mend:
            screen.line(f"       → {finding.mend}")
    screen.line()
    screen.line("all is well" if not wrong else f"{len(wrong)} of {len(findings)} things are wrong")
    return DONE if not wrong else NOT_SO


def versions(client: Client, examination: Examination) -> Iterator[Finding]:
    """What runs here, and that the schema is this release's: else the client would not have opened it."""
    python = ".".join(map(str, sys.version_info[:3]))
    server = examination.facts.get("server", "an unknown server")
    yield Finding(True, f"perdure {__version__} on Python {python}, {server}; the schema fits")
    missing = client.missing_sql()
    yield Finding(
        not missing,
        "the functions of this release are there" if not missing else "the functions of this release are not there",
        "" if not missing else "a worker of this release brings them, or `perdure migrate`",
    )


def looked_at(examination: Examination, clock: float) -> Iterator[Finding]:
    """All else, one after the other."""
    looks: tuple[Callable[[Examination], Iterator[Finding]], ...] = (workers, queues, paused, stuck, server)
    yield from clocks(examination, clock)
    for look in looks:
        yield from look(examination)
    yield from schedules(examination, float(examination.facts.get("clock", clock)))


def clocks(examination: Examination, clock: float) -> Iterator[Finding]:
    """The database's clock, which alone says what is due, and this machine's."""
    theirs = examination.facts.get("clock")
    if theirs is not None:
        apart = abs(float(theirs) - clock)
        yield Finding(
            apart < CLOCK_SECONDS,
            f"the database's clock and this machine's are {span(apart)} apart",
            "" if apart < CLOCK_SECONDS else "set both by NTP: delays and schedules go by the database's",
        )


def workers(examination: Examination) -> Iterator[Finding]:
    """Whether somebody works, and whether all of them show that they live."""
    late = [worker for worker in examination.workers if worker.is_late]
    waiting = sum(queue.ready for queue in examination.queues)
    count = len(examination.workers)
    yield Finding(
        count > 0 or not waiting,
        f"workers: {count}" if count or not waiting else f"nobody works on this database, and {runs_of(waiting)} wait",
        "" if count or not waiting else "start one: perdure worker MODULE",
    )
    for worker in late:
        yield Finding(
            False,
            f"worker {worker.worker_id} on {worker.hostname} (process {worker.pid}) is silent for "
            f"{span(worker.silent_seconds)}, longer than its lease of {span(worker.lease_seconds)}; it "
            f"holds {worker.held}",
            "if the process is gone, any living worker takes its runs; if it is there, it is stopped or cut off",
        )


def queues(examination: Examination) -> Iterator[Finding]:
    """Whether something waits for long."""
    now = time.time()
    for queue in examination.queues:
        waited = 0.0 if queue.waiting_since is None else now - queue.waiting_since.timestamp()
        name = f"queue {queue.name!r}" if queue.name else "what was started outside queues"
        served = [
            worker for worker in examination.workers if (queue.name or "") in worker.queues and not worker.is_late
        ]
        if queue.ready and examination.workers and not served:
            yield Finding(
                False,
                f"{name}: {runs_of(queue.ready)} ready, and no living worker serves it",
                "start one that does: perdure worker MODULE --queues …",
            )
        elif queue.ready and waited > WAITING_SECONDS and not queue.held:
            yield Finding(
                False,
                f"{name}: {runs_of(queue.ready)} ready, the next for {span(waited)}, and none is held",
                "no worker serves it, or none knows the functions: see perdure workers, and the reasons in runs list",
            )


def stuck(examination: Examination) -> Iterator[Finding]:
    """What waits for people."""
    for runs in examination.stuck:
        yield Finding(
            False,
            f"{runs_of(runs.count)} of {runs.name} to be mended: {first_line(runs.reason, 400)}",
            f"perdure runs list --status parked --workflow {runs.name}; mend the code, and start the workers again",
        )
    for runs in examination.unknown:
        yield Finding(
            False,
            f"{runs_of(runs.count)} of {runs.name} ready, and no worker knows it: {first_line(runs.reason, 400)}",
            "start a worker that imports its module, or end them: perdure runs cancel --workflow …",
        )
    if not (examination.stuck or examination.unknown):
        yield Finding(True, "no run waits for a mend, and none is of an unknown function")


def paused(examination: Examination) -> Iterator[Finding]:
    """What somebody has stopped, and may have forgotten."""
    for name, paused_at in examination.paused_functions.items():
        yield Finding(
            True,
            f"the function {name} is paused, for {since(paused_at)}",
            f"perdure functions resume {name}, if it is time",
        )
    for queue in examination.queues:
        if queue.limits is not None and queue.limits.paused_at is not None:
            yield Finding(
                True,
                f"the queue {queue.name} is paused, for {since(queue.limits.paused_at)}",
                f"perdure queues resume {queue.name}, if it is time",
            )


def schedules(examination: Examination, clock: float) -> Iterator[Finding]:
    """Those that start nothing, or nothing that anybody executes. `clock`: the database's, which says what is due."""
    for schedule in examination.schedules:
        late = 0.0 if schedule.next_at is None else clock - schedule.next_at.timestamp()
        if schedule.trouble is not None:
            yield Finding(
                False,
                f"schedule {schedule.name}: {schedule.trouble}",
                f"start a worker that imports its module, or perdure schedules delete {schedule.name}",
            )
        elif late > LATE_SECONDS and schedule.overlap == "queue" and examination.workers:
            yield Finding(
                True,
                f"schedule {schedule.name} was to come {span(late)} ago, and waits for the end of run "
                f"{schedule.last_run_id}",
            )
        elif late > LATE_SECONDS:
            yield Finding(
                False,
                f"schedule {schedule.name} was to come {span(late)} ago, and no worker has started it",
                "start a worker: perdure worker MODULE"
                if not examination.workers
                else "their logs say why; is perdure[schedules] installed there?",
            )
        if schedule.paused_at is not None:
            yield Finding(
                True,
                f"schedule {schedule.name} is paused, for {since(schedule.paused_at)}",
                f"perdure schedules resume {schedule.name}, if it is time",
            )
    if examination.schedules and all(one.trouble is None and one.paused_at is None for one in examination.schedules):
        yield Finding(True, f"schedules: {len(examination.schedules)}")


def server(examination: Examination) -> Iterator[Finding]:
    """What a server says of its connections and transactions; a file says of itself what it has."""
    facts = examination.facts
    if facts.get("standby") == "true":
        yield Finding(False, "the server is a standby, which takes no writes", "connect to the primary")
    elif facts.get("read-only") == "on":
        yield Finding(
            False,
            "the database takes no writes: default_transaction_read_only is on",
            "set it off for the database, the role or the server, whichever has it",
        )
    if "max_connections" in facts:
        used, most = int(facts["connections"]), int(facts["max_connections"])
        yield Finding(
            used < USED * most,
            f"{used} of {most} connections are used, {facts.get('connections of perdure', '?')} of them by Perdure",
            "" if used < USED * most else "raise max_connections, run fewer processes, or put a pooler between",
        )
    for what, seconds, mend in (
        ("oldest snapshot seconds", SNAPSHOT_SECONDS, "pg_stat_activity shows whose: it keeps vacuum from cleaning up"),
        ("idle in transaction seconds", IDLE_SECONDS, "pg_stat_activity shows it as idle in transaction: end it"),
    ):
        if what in facts:
            old = float(facts[what])
            text = f"the {what.removesuffix(' seconds').replace('idle in', 'longest idle')} is {span(old)} old"
            yield Finding(old < seconds, text, "" if old < seconds else mend)
    if "write-ahead log bytes" in facts:
        size = int(facts["write-ahead log bytes"]) / (1 << 20)
        is_small = size < 256  # sixty times what it is cut back to
        yield Finding(
            is_small,
            f"the file's write-ahead log has {size:.1f} MB",
            "" if is_small else "a reader has had a transaction open for long: end it",
        )
    if facts.get("file can be written") == "false":
        yield Finding(False, "this user may not write the file or its folder", "give both to who runs the workers")


COMMAND = Command(
    "doctor", "What is wrong, in words.", "perdure doctor --url postgresql://app@db/app", add_arguments, run
)
