"""Schedules as a program meets them: declared, set from outside, steered, and started once by whoever is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import perdure
from perdure import UsageError, schedule, schedules, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, ran, signals, until
from tests.inside.clock import skip_time
from tests.inside.functions import forget_schedules

SETTINGS: dict[str, Any] = {"poll_seconds": 0.1, "shutdown_seconds": 5.0}
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_other_schedules() -> Iterator[None]:
    """What a test declares is the program's no more when it ends."""
    yield
    forget_schedules()


@workflow
def note(text: str = "-") -> str:
    ran.append(text)
    at = perdure.current().scheduled_at
    return "nobody" if at is None else f"{at:%H:%M}"


@workflow
async def anote() -> str:
    at = perdure.current().scheduled_at
    return "nobody" if at is None else f"{at:%H:%M}"


@step
def note_step() -> None:
    ran.append("step")


@step
def wait_for_signal() -> None:
    ran.append("begun")
    await_signal("go on")


@workflow
def slow() -> None:
    wait_for_signal()


def runs_of(name: str) -> list[str]:
    """The states of its runs, the newest first."""
    return [run.status for run in perdure.runs.list(attributes={"schedule": name})]


def test_what_is_declared_is_started_by_the_clock(url: str) -> None:
    """Each instant once, by its own id, with its arguments; the function knows its instant."""
    schedule("0 9 * * *", timezone="Europe/Berlin", name="daily", args=("a",))(note)
    schedule(every=DAY)(anote)
    schedule(every=timedelta(hours=12), jitter=60, overlap="allow")(note_step)
    with perdure.running(url, **SETTINGS):
        listed = {one.name: one for one in schedules.list()}
        assert (listed["daily"].cron, listed["daily"].timezone, listed["daily"].is_declared) == (
            "0 9 * * *",
            "Europe/Berlin",
            True,
        )
        assert listed["daily"].next_at in schedules.instants("daily", count=1)
        assert all(one.trouble is None and one.last_run_id is None for one in listed.values())
        skip_time(url, DAY.total_seconds() + 60)
        names = ["daily", anote.__perdure__.name, note_step.__perdure__.name]  # type: ignore[attr-defined]
        until(lambda: all("succeeded" in runs_of(name) for name in names))
        [run] = perdure.runs.list(attributes={"schedule": "daily"})
        assert run.run_id.startswith("schedule:daily:2")
        assert perdure.handle(run.run_id).result(PATIENCE_SECONDS) in ("07:00", "08:00")
        [arun] = perdure.runs.list(attributes={"schedule": names[1]})
        assert perdure.handle(arun.run_id).result(PATIENCE_SECONDS) == "00:00"
        assert ran.count("a") == 1
        found = schedules.get("daily")
        assert (found.last_run_id, found.next_at) == (run.run_id, found.last_at and schedules.instants("daily")[0])


def test_two_processes_start_it_once(url: str) -> None:
    """Two instances on one database, both awake at the instant, over and over: one run for each."""
    with perdure.running(url, **SETTINGS), perdure.Perdure(url, **SETTINGS).running():
        schedules.set("often", note, every=1, overlap="allow", args=["o"])
        until(lambda: len(perdure.runs.list(attributes={"schedule": "often"}).runs) >= 4)
        schedules.pause("often")
        found = [run.run_id for run in perdure.runs.list(attributes={"schedule": "often"})]
        until(lambda: runs_of("often") == ["succeeded"] * len(found))
        moments = [datetime.fromisoformat(run_id.removeprefix("schedule:often:")) for run_id in reversed(found)]
        assert moments == [moments[0] + timedelta(seconds=count) for count in range(len(moments))]
        assert ran.count("o") == len(found)


@pytest.mark.parametrize("off_by", [-60.0, 60.0])
def test_it_is_on_time_by_the_database_whatever_our_clock_says(
    url: str, off_by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody polls here: what is next due is waited for, by as long as the database says."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + off_by)
    schedule(every=2, name="even")(note)
    with perdure.running(url, **(SETTINGS | {"poll_seconds": 3600.0})):
        until(lambda: runs_of("even"))
        [run, *_] = reversed(perdure.runs.list(attributes={"schedule": "even"}).runs)
        instant = datetime.fromisoformat(run.run_id.removeprefix("schedule:even:"))
        assert instant <= run.created_at


def test_what_people_set_stays_until_the_program_says_something_else(url: str) -> None:
    """The declaration wins when it changes, but for a pause; nothing that was due is lost where the times stay."""
    schedule("0 9 * * *", name="n", args=("a",))(note)
    with perdure.running(url, **SETTINGS):
        assert schedules.set("n", cron="0 10 * * *").is_declared
        schedules.pause("n")
    with perdure.running(url, **SETTINGS):
        found = schedules.get("n")
        assert (found.cron, found.arguments) == ("0 10 * * *", '["a"]')
    forget_schedules()
    schedule("0 11 * * *", name="n", args=("b",))(note)
    with perdure.running(url, **SETTINGS):
        found = schedules.get("n")
        assert (found.cron, found.arguments) == ("0 11 * * *", '["b"]')
        assert found.paused_at is not None
        assert schedules.resume("n").next_at == schedules.instants("n")[0]
    forget_schedules()
    schedule("0 11 * * *", name="n", args=("c",))(note)
    skip_time(url, 2 * DAY.total_seconds())
    with perdure.running(url, **SETTINGS):
        until(lambda: "succeeded" in runs_of("n"))
        assert ran == ["c"]


def test_a_schedule_is_made_changed_and_removed_from_outside(url: str) -> None:
    """By a client that has the function, or its name alone; what is not given stays."""
    with perdure.Client(url) as client:
        made = client.schedules.set("x", note, cron="0 9 * * *", timezone="Asia/Tokyo", args=["1"], queue="q")
        assert (made.function, made.queue, made.is_declared) == (note.__perdure__.name, "q", False)  # type: ignore[attr-defined]
        changed = client.schedules.set("x", every=60, overlap="cancel")
        assert (changed.cron, changed.timezone, changed.every_seconds) == (None, None, 60.0)
        assert (changed.arguments, changed.queue, changed.overlap) == ('["1"]', "q", "cancel")
        moment = datetime.now(UTC).replace(microsecond=250_000) + DAY
        changed = client.schedules.set("x", "elsewhere:work", at=moment, jitter=5)
        assert (changed.function, changed.at, changed.arguments) == ("elsewhere:work", moment, "[]")
        assert changed.next_at is not None
        assert changed.next_at >= moment
        client.schedules.delete("x")
        assert not client.schedules.list()
        with perdure.running(url, **SETTINGS):
            found = client.schedules.set("x", "elsewhere:work", every=60)
            until(lambda: client.schedules.get("x").trouble)
            assert found.name == "x"
            trouble = client.schedules.get("x").trouble
            assert trouble == "no worker that is there now knows the function elsewhere:work"


def test_a_paused_one_starts_nothing_and_goes_on_from_then(url: str) -> None:
    """What came during the pause is left out, and a backfill makes up for it, once."""
    schedule(every=DAY, name="d", catch_up="all", args=("d",))(note)
    with perdure.running(url, **SETTINGS):
        assert schedules.get("d").overlap == "queue"
        assert schedules.pause("d").next_at is None
        assert schedules.pause("d").paused_at is not None
        skip_time(url, 3 * DAY.total_seconds())
        assert schedules.resume("d").next_at == schedules.instants("d")[0]
        assert schedules.resume("d").paused_at is None
        assert runs_of("d") == []
        since = datetime.now(UTC)
        shown = schedules.backfill("d", since=since, until=since + 3 * DAY, dry_run=True)
        assert (shown.count, runs_of("d")) == (3, [])
        done = schedules.backfill("d", since=since, until=since + 3 * DAY)
        assert (done.run_ids, done.dry_run) == (shown.run_ids, False)
        again = schedules.backfill("d", since=since, until=since + 3 * DAY)
        assert again == done
        until(lambda: runs_of("d") == ["succeeded"] * 3)
        assert ran == ["d"] * 3
        assert schedules.get("d").last_run_id is None


def test_one_is_triggered_now(url: str) -> None:
    """Also while it is paused; what it does otherwise stays."""
    schedule(every=DAY, name="d")(note)
    with perdure.running(url, **SETTINGS), perdure.Client(url) as client:
        before = schedules.pause("d")
        assert schedules.trigger("d").result(PATIENCE_SECONDS) == f"{datetime.now(UTC):%H:%M}"
        assert client.schedules.trigger("d").result(PATIENCE_SECONDS)
        assert len(runs_of("d")) == 2
        assert schedules.get("d") == before


def test_what_was_missed_is_caught_up_at_the_next_launch(url: str) -> None:
    """Nobody was there for three days."""
    for catch_up in ("latest", "all", "skip"):
        schedule(every=DAY, name=catch_up, args=(catch_up,), catch_up=catch_up, overlap="allow")(note)  # type: ignore[call-overload, unused-ignore]
    with perdure.running(url, **SETTINGS):
        pass
    skip_time(url, 3 * DAY.total_seconds())
    with perdure.running(url, **SETTINGS):
        until(lambda: all(one.next_at == schedules.instants(one.name)[0] for one in schedules.list()))
        until(lambda: runs_of("all") == ["succeeded"] * 3 and runs_of("latest") == ["succeeded"])
        assert runs_of("skip") == []
    assert sorted(ran) == ["all"] * 3 + ["latest"]


@pytest.mark.parametrize(
    ("overlap", "meanwhile", "after"),
    [
        ("skip", ["held"], ["succeeded"]),
        ("allow", ["held", "held"], ["succeeded", "succeeded"]),
        ("queue", ["held"], ["succeeded", "succeeded"]),
        ("cancel", ["held", "cancelling"], ["succeeded", "cancelled"]),
    ],
)
def test_the_last_run_may_still_be_running(url: str, overlap: Any, meanwhile: list[str], after: list[str]) -> None:
    """The next instant is left out, begins beside it, waits for it, or ends it."""
    schedule(every=DAY, name="o", overlap=overlap)(slow)
    with perdure.running(url, **SETTINGS):
        skip_time(url, DAY.total_seconds())
        until(lambda: ran)
        skip_time(url, 2 * DAY.total_seconds())
        if overlap == "queue":
            waiting = perdure.start(note, "look").result(PATIENCE_SECONDS)
            assert waiting == "nobody"
        elif overlap == "skip":
            until(lambda: schedules.get("o").skipped_at)
        until(lambda: runs_of("o") == meanwhile)
        signals["go on"].set()
        until(lambda: runs_of("o") == after)


def test_all_of_it_is_there_for_event_loops(url: str) -> None:
    """The loop goes on meanwhile."""

    async def main() -> None:
        made = await schedules.aset("a", note, every=3600)
        assert [one.name for one in await schedules.alist()] == ["a"]
        assert await schedules.aget("a") == made
        assert len(await schedules.ainstants("a", count=3)) == 3
        assert (await schedules.apause("a")).paused_at is not None
        assert (await schedules.aresume("a")).paused_at is None
        assert await (await schedules.atrigger("a"))
        assert (await schedules.abackfill("a", since=timedelta(hours=2), dry_run=True)).count == 2
        await schedules.adelete("a")

    with perdure.running(url, **SETTINGS):
        asyncio.run(main())


@pytest.mark.parametrize("what", ["list", "get", "set", "pause", "resume", "trigger", "delete", "backfill", "instants"])
def test_in_a_workflow_it_is_refused(sqlite_app: perdure.Perdure, what: str) -> None:
    """The answer would be another one at a replay."""

    @workflow(name=f"asks for {what}")
    def asks() -> None:
        call: Callable[..., Any] = getattr(schedules, what)
        call(*([] if what == "list" else ["n"]), **({"since": DAY} if what == "backfill" else {}))

    with pytest.raises(UsageError, match=f"schedules.{what}\\(\\) in a workflow"):
        asks()


class Clerk:
    @step(key=lambda self: 1)
    def file(self) -> None: ...


MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: schedule("0 9 * *"), "cron='0 9 \\* \\*': Wrong number of fields"),
    (lambda: schedule("0 9 * * FOO"), "Bad day-of-week"),
    (lambda: schedule("0 0 30 2 *"), "Bad day-of-month"),
    (lambda: schedule("0 0 */29 2 MON#5"), "never comes: there is no such day in the next 50 years"),
    (lambda: schedule("0 9 * * *", timezone="Europe/Berln"), "this machine has no time zone of that name"),
    (lambda: schedule("0 9 * * *", timezone="../../etc/passwd"), "this machine has no time zone of that name"),
    (lambda: schedule(every=60, timezone="Europe/Berlin"), "timezone= is for a cron line"),
    (lambda: schedule(), "give one of a cron line, every= and at="),
    (lambda: schedule("0 9 * * *", every=60), "not cron and every"),
    (lambda: schedule(every=0.5), "give whole seconds"),
    (lambda: schedule(every=0), "above 0"),
    (lambda: schedule(every=60, jitter=61), "jitter=61 seconds is longer than the 60"),
    (lambda: schedule(at=datetime(2026, 1, 1)), "give a time with a time zone"),  # that is the mistake
    (lambda: schedule(every=60, overlap="no")(note), "overlap='no': give one of 'skip', 'queue', 'cancel', 'allow'"),  # type: ignore[arg-type]
    (lambda: schedule(every=60, catch_up="no")(note), "catch_up='no': give one of 'latest', 'all', 'skip'"),  # type: ignore[arg-type]
    (
        lambda: schedule(every=60, catch_up="all", overlap="skip")(note),
        "overlap='skip' starts one of several at most: give",
    ),
    (lambda: schedule(every=60, catch_up="all", overlap="cancel")(note), "give overlap='queue', one after the other"),
    (lambda: schedules.set("there", catch_up="all"), "overlap='skip' starts one of several at most"),
    (lambda: schedule(every=60, name="x" * 201)(note), "a schedule's name has at most 200 characters"),
    (lambda: schedule(every=60)(lambda: None), "stands above @workflow or @step"),
    (lambda: schedule(every=60)(Clerk.file), "is a method"),
    (lambda: schedule(every=60)(schedule(every=61)(note)), "two schedules are called"),
    (lambda: schedules.get("none"), "there is no schedule 'none' in this database"),
    (lambda: schedules.pause("none"), "there is no schedule 'none' in this database"),
    (lambda: schedules.delete("none"), "there is no schedule 'none' in this database"),
    (lambda: schedules.set("none", every=60), "to make one, say what it starts"),
    (lambda: schedules.set("new", note), "give one of a cron line, every= and at="),
    (lambda: schedules.set("new", note, evry=60), "schedules.set\\(\\) has no option evry; it has cron="),  # type: ignore[call-arg]
    (lambda: schedules.set("new", note, every=60, args=[object()]), "note, its arguments"),
    (lambda: schedules.set("new", note, every=60, args=[1, 2, 3]), "note\\(\\)"),
    (lambda: schedules.backfill("there", since=DAY, limit=5), "comes more than 5 times in that span"),
    (lambda: schedules.backfill("there", since=DAY, until=2 * DAY), "is not before"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_a_mistake_is_said_where_it_is_made(
    sqlite_app: perdure.Perdure, mistake: Callable[[], Any], message: str
) -> None:
    """And nothing is half done."""
    schedules.set("there", note, every=3600)
    before = schedules.get("there")
    with pytest.raises((UsageError, TypeError, perdure.SerializationError), match=message):
        mistake()
    assert schedules.get("there") == before
    assert {one.name for one in schedules.list() if not one.is_declared} == {
        "there"
    }  # a mistake may hold a good schedule
