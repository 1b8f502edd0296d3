"""What a program gives is checked where it gives it: nothing is lost, half done, or refused far away."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import perdure
from perdure import Queue, Retry, UsageError, start, step, workflow

NO_DURATIONS: list[Any] = [
    math.inf,
    math.nan,
    -1,
    -0.1,
    timedelta(days=-1),
    1e10,
    10**400,
    "1",
    None,
    True,
    1j,
    [1],
    int,
]
NO_COUNTS: list[Any] = [1.5, 1.0, True, 0, -1, "2", 10**12, math.inf, timedelta(1), int]
NO_NAMES: list[Any] = ["", "a\0b", "\ud800", "x" * 501, "two\nlines", 5, b"bytes", None]
NO_PRIORITIES: list[Any] = ["high", 1 << 31, -(1 << 31) - 1, 0.5, True, None]


@step(name="given:echo")
def echo(text: str) -> str:
    """Something to start."""
    return text


@workflow(name="given:keywords")
def keywords(**words: str) -> dict[str, str]:
    """It takes any keyword, those of options too."""
    return words


WITH_DURATIONS: dict[str, Callable[[Any], object]] = {
    "sleep": perdure.sleep,
    "delay": lambda given: perdure.with_options(delay=given),
    "timeout": lambda given: step(timeout=given, name="given:late")(asyncio.sleep),
    "initial": lambda given: Retry(initial_seconds=given),
    "most": lambda given: Retry(max_seconds=given),
    "within": lambda given: Retry(within_seconds=given),
    "lease": lambda given: perdure.Perdure("x.db", lease_seconds=given),
    "poll": lambda given: perdure.Perdure("x.db", poll_seconds=given),
    "park": lambda given: perdure.Perdure("x.db", park_after_seconds=given),
    "patience": lambda given: perdure.Perdure("x.db", replay_patience_seconds=given),
    "shutdown": lambda given: perdure.Perdure("x.db", shutdown_seconds=given),
}
MAY_BE_NONE = {"delay", "timeout", "within"}


@pytest.mark.parametrize("place", WITH_DURATIONS)
@pytest.mark.parametrize("given", NO_DURATIONS, ids=lambda given: repr(given)[:20])
def test_what_is_no_duration_is_refused_where_it_is_given(place: str, given: object) -> None:
    """Also what some clock would only overflow at, later."""
    if given is None and place in MAY_BE_NONE:
        pytest.skip("none at all")
    with pytest.raises(UsageError, match="seconds"):
        WITH_DURATIONS[place](given)


@pytest.mark.parametrize("given", [timedelta(milliseconds=10), 0.01, Decimal("0.01")], ids=repr)
def test_every_duration_may_be_a_timedelta(given: Any, url: str) -> None:
    """In all places alike, and any kind of number."""
    settings = {"poll_seconds": given, "park_after_seconds": given, "shutdown_seconds": given}
    assert Retry(4, initial_seconds=given, max_seconds=given, within_seconds=given).initial_seconds == 0.01

    @step(timeout=given, name="given:in time")
    async def in_time() -> None:
        """At once."""

    assert in_time.__perdure__.timeout == 0.01  # type: ignore[attr-defined]
    with perdure.running(url, lease_seconds=timedelta(seconds=30), **settings):
        perdure.sleep(given)
        assert perdure.with_options(delay=given).start(echo, "late").result(timedelta(seconds=20)) == "late"
        assert list(Queue("given").map(echo, ["a", "b"], timeout=timedelta(seconds=20))) == ["a", "b"]
        handle = perdure.with_options(delay=timedelta(hours=1)).start(echo, "much later")
        with pytest.raises(TimeoutError):
            handle.result(given)
        with pytest.raises(TimeoutError):
            handle.exception(timedelta(seconds=-1))
        with pytest.raises(UsageError, match="seconds"):
            handle.result("soon")  # type: ignore[arg-type]


WITH_COUNTS: dict[str, Callable[[Any], object]] = {
    "queue": lambda given: Queue("given:counts", worker_concurrency=given),
    "threads": perdure.threads,
    "attempts": lambda given: Retry(attempts=given),
    "max_attempts": lambda given: step(max_attempts=given, name="given:never")(echo.__wrapped__),  # type: ignore[attr-defined]
    "concurrency": lambda given: perdure.Perdure("x.db", concurrency=given),
    "most_threads": lambda given: perdure.Perdure("x.db", most_threads=given),
    "max_value_bytes": lambda given: perdure.Perdure("x.db", max_value_bytes=given),
}


@pytest.mark.parametrize("place", WITH_COUNTS)
@pytest.mark.parametrize("given", NO_COUNTS, ids=repr)
def test_what_is_no_count_is_refused_where_it_is_given(place: str, given: object) -> None:
    """A queue with half a slot more would stop its whole process."""
    with pytest.raises(UsageError, match="whole number"):
        WITH_COUNTS[place](given)


WITH_NAMES: dict[str, Callable[[Any], object]] = {
    "queue": Queue,
    "step": lambda given: step(name=given)(echo.__wrapped__),  # type: ignore[attr-defined]
    "workflow": lambda given: workflow(name=given)(echo.__wrapped__),  # type: ignore[attr-defined]
    "id": lambda given: perdure.with_options(id=given),
    "queue's id": lambda given: Queue("given").with_options(id=given),
}


@pytest.mark.parametrize("place", WITH_NAMES)
@pytest.mark.parametrize("given", NO_NAMES, ids=ascii)
def test_what_is_no_name_is_refused_where_it_is_given(place: str, given: object) -> None:
    """A name that a database does not take would refuse the claims of all others."""
    if given is None and place != "queue":
        pytest.skip("a name is made")
    with pytest.raises(UsageError, match="give a text"):
        WITH_NAMES[place](given)


@pytest.mark.parametrize("given", NO_NAMES, ids=ascii)
@pytest.mark.usefixtures("app")
def test_a_handle_of_what_is_no_id_is_refused(given: Any) -> None:
    """Not an error of the database, and not a run that is merely not there."""
    with pytest.raises(UsageError, match="run_id"):
        perdure.handle(given)


@pytest.mark.parametrize("given", NO_PRIORITIES, ids=repr)
def test_what_is_no_priority_is_refused_where_it_is_given(given: Any) -> None:
    """Else the run would be parked, or one database would take what the other refuses."""
    with pytest.raises(UsageError, match="priority"):
        perdure.with_options(priority=given)
    with pytest.raises(UsageError, match="priority"):
        Queue("given").with_options(priority=given)


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("priority", [(1 << 31) - 1, -(1 << 31)])
def test_the_ends_of_the_range_are_priorities(priority: int) -> None:
    """Every database takes them."""
    assert perdure.with_options(priority=priority).start(echo, "first").result(20) == "first"


@pytest.mark.parametrize(
    "options",
    [
        {"factor": 0},
        {"factor": math.inf},
        {"factor": "2"},
        {"factor": 10**400},
        {"jitter": "no"},
        {"on": ()},
        {"on": "OSError"},
        {"on": (OSError, "x")},
    ],
    ids=repr,
)
def test_a_policy_says_which_of_its_fields_is_wrong(options: dict[str, Any]) -> None:
    """By its name."""
    with pytest.raises(UsageError, match=f"Retry: {next(iter(options))}"):
        Retry(**options)


@pytest.mark.parametrize("given", [-1, True, 1.5, "3"], ids=repr)
def test_a_number_of_retries_is_a_number(given: Any) -> None:
    """0 are none."""
    with pytest.raises(UsageError, match="retries"):
        step(retries=given, name="given:retried")(echo.__wrapped__)  # type: ignore[attr-defined]
    assert step(retries=0, name="given:once")(echo.__wrapped__).__perdure__.retry.attempts == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("setting", "given"),
    [("strict", "yes"), ("codec", perdure.JsonCodec), ("codec", "json"), ("readable", ["zlib"]), ("readable", 5)],
    ids=repr,
)
def test_a_setting_of_another_kind_is_refused(setting: str, given: Any) -> None:
    """When the instance is made, before anything is opened."""
    with pytest.raises(UsageError, match=f"setting {setting}"):
        perdure.Perdure("x.db", **{setting: given})


def test_a_setting_that_there_is_none_of_is_refused_with_those_that_there_are() -> None:
    """In every place that takes settings."""
    for make in (perdure.Perdure, perdure.running, perdure.launch, lambda url, **given: perdure.lifespan(**given)):
        with pytest.raises(UsageError, match=r"no setting poll; there are lease_seconds, .*poll_seconds"):
            make("x.db", poll=1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("option", "place"),
    [
        ("retries", r"@step\(retries"),
        ("queue", r"Queue\(name\)"),
        ("concurrency", "Queue"),
        ("prio", "priority="),
    ],
)
def test_an_option_that_belongs_elsewhere_is_sent_there(option: str, place: str) -> None:
    """Unknown ones come with those that there are."""
    for with_options in (perdure.with_options, Queue("given").with_options):
        with pytest.raises(UsageError, match=rf"no option {option}=.*{place}"):
            with_options(**{option: 1})  # type: ignore[arg-type]


@pytest.mark.usefixtures("app")
def test_options_among_the_arguments_are_sent_to_with_options() -> None:
    """Where the function has no such parameter; one that has is given them."""
    queue = Queue("given")
    with pytest.raises(UsageError, match=r"queue\.with_options\(id=\.\.\.\)\.submit\(echo, \.\.\.\)"):
        queue.submit(echo, "a", id="x")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"perdure\.with_options\(priority=\.\.\., delay=\.\.\.\)\.start\(echo"):
        start(echo, "a", priority=1, delay=5)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"retries= \(it belongs to @step"):
        start(echo, "a", retries=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unexpected"):
        start(echo, "a", other=1)  # type: ignore[call-overload]
    assert start(keywords, id="mine").result(20) == {"id": "mine"}


@pytest.mark.parametrize("given", [5, b"perdure.db", ["perdure.db"]], ids=repr)
def test_a_database_is_given_as_text_or_path(given: Any) -> None:
    """And nothing else."""
    with pytest.raises(UsageError, match="URL or path"):
        perdure.Perdure(given)


def test_sleeping_until_what_is_no_time_is_refused() -> None:
    """Without a zone it would be another moment elsewhere."""
    for given in (17.0, "tomorrow", None):
        with pytest.raises(UsageError, match="time zone"):
            perdure.sleep_until(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [datetime(2030, 1, 1), "2030-01-01", 5, True])  # without a zone
def test_a_moment_is_a_datetime_with_a_zone(given: Any) -> None:
    """Else nobody knows when it is."""
    with pytest.raises(UsageError, match="at"):
        perdure.with_options(at=given)


def test_a_run_begins_not_before_its_moment(url: str) -> None:
    """One that is past is now; one that is to come waits in the database."""
    with perdure.running(url):
        past = datetime.now(UTC) - timedelta(days=1)
        assert perdure.with_options(at=past).start(echo, "now").result(60) == "now"
        handle = perdure.with_options(at=datetime.now(UTC) + timedelta(hours=1)).start(echo, "later")
        assert perdure.runs.get(handle.run_id).run.status in ("ready", "delayed")
        with pytest.raises(UsageError, match="give one of them"):
            perdure.with_options(at=past, delay=1)


@pytest.mark.parametrize("given", [5, "x", b"x", None, {"x"}], ids=repr)
def test_arguments_of_a_schedule_are_a_list_and_a_dict(given: Any, url: str) -> None:
    """A text in the place of a list, as in `args=("x")`, was taken for its letters."""
    with pytest.raises(UsageError, match="args="):
        perdure.schedule(every=60, args=given)(echo)
    with pytest.raises(UsageError, match=r"kwargs=\{1: 2\}"):
        perdure.schedule(every=60, kwargs={1: 2})(echo)  # type: ignore[dict-item]
    with perdure.running(url), pytest.raises(UsageError, match="args="):
        perdure.schedules.set("given", echo, every=60, args=given)
    with perdure.running(url), pytest.raises(UsageError, match="kwargs=5"):
        perdure.schedules.set("given", echo, every=60, kwargs=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [5, True, None, ["given"]], ids=repr)
def test_a_queue_is_given_as_one_or_by_its_name(given: Any, url: str) -> None:
    """In `queues`, too."""
    with perdure.running(url):
        for change in (perdure.queues.pause, perdure.queues.resume):
            with pytest.raises(UsageError, match=r"queue="):
                change(given)


@pytest.mark.parametrize("given", [0, 1, "no", None], ids=repr)
def test_whether_it_is_only_shown_is_true_or_false(given: Any, url: str) -> None:
    """0 was False, and everything was done."""
    with perdure.running(url):
        for change in (perdure.runs.cancel, perdure.runs.delete, perdure.runs.retry):
            with pytest.raises(UsageError, match=r"dry_run=.*: give True or False"):
                change(workflow=echo, dry_run=given)
        with pytest.raises(UsageError, match=r"dry_run=.*: give True or False"):
            perdure.schedules.backfill("any", since=timedelta(hours=1), dry_run=given)


@pytest.mark.parametrize("given", [5, "text", None, True], ids=repr)
def test_parameters_to_ignore_are_given_by_their_names(given: Any) -> None:
    """In a set or a list."""
    with pytest.raises(UsageError, match="ignore="):
        step(ignore=given, name="given:ignoring")(echo.__wrapped__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("given", [5, None, "json", perdure.JsonCodec], ids=repr)
def test_what_compresses_is_given_a_codec(given: Any) -> None:
    """An instance of one."""
    with pytest.raises(UsageError, match="no codec"):
        perdure.ZlibCodec(given)


def test_a_file_whose_name_is_no_text_is_refused() -> None:
    """SQLite would say so in its own way."""
    with pytest.raises(perdure.UnsupportedStoreError, match="file's name"):
        perdure.running("a\udcff.db").__enter__()
