"""`runs`: finding runs, looking at one, ending many; by a client and in the launched process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import perdure
from tests.client.programs import (
    astaged,
    double,
    fails,
    family,
    patient,
    quadruple,
    sets_in_a_step,
    sleeps_between,
    staged,
    tries,
)


@pytest.fixture
def worked(store_url: str, client: perdure.Client) -> dict[str, str]:
    """Some runs, by what they are; executed, and nobody works any more."""
    with perdure.running(store_url, poll_seconds=0.05):
        handles: dict[str, perdure.Handle[Any]] = {
            "quadruple": perdure.start(quadruple, 3),
            "family": perdure.start(family, 2),
            "fails": perdure.start(fails, "no such thing"),
        }
        for handle in handles.values():
            handle.exception(timeout=60)
    handles["ready"] = client.with_options(queue="elsewhere").submit(double, 1)
    return {what: handle.run_id for what, handle in handles.items()}


def ids(page: perdure.RunPage) -> list[str]:
    """Which runs it has."""
    return [run.run_id for run in page]


def test_runs_are_listed_the_newest_first(client: perdure.Client, worked: dict[str, str]) -> None:
    """Page by page, by what they are."""
    assert ids(client.runs.list())[0] == worked["ready"]
    assert len(client.runs.list()) == 6
    first = client.runs.list(limit=4)
    assert len(first) == 4
    assert len(client.runs.list(limit=4, cursor=first.cursor)) == 2
    assert ids(client.runs.list(workflow=quadruple)) == [worked["quadruple"]]
    assert ids(client.runs.list(workflow="tests.client.programs:fails")) == [worked["fails"]]
    assert ids(client.runs.list(status="failed")) == [worked["fails"]]
    assert ids(client.runs.list(status=("ready", "parked"))) == [worked["ready"]]
    assert ids(client.runs.list(queue="elsewhere")) == [worked["ready"]]
    assert len(client.runs.list(queue="")) == 5
    assert len(client.runs.list(parent=worked["family"])) == 2
    assert len(client.runs.list(since=timedelta(hours=1), until=datetime.now(UTC) + timedelta(hours=1))) == 6
    assert len(client.runs.list(since=datetime.now(UTC) + timedelta(hours=1))) == 0
    assert ids(client.runs.list(text="NO SUCH")) == [worked["fails"]]
    assert ids(client.runs.list(id_prefix=worked["quadruple"])) == [worked["quadruple"]]


def test_one_run_is_shown_with_its_records(client: perdure.Client, worked: dict[str, str]) -> None:
    """Steps, children, values and errors."""
    details = client.runs.get(worked["quadruple"])
    assert (details.run.status, details.input, details.output) == ("succeeded", "[3]", "12")
    assert [(step.name, step.arguments, step.outcome) for step in details.steps if step.kind == "step"] == [
        ("tests.client.programs:double", "[3]", "6"),
        ("tests.client.programs:double", "[6]", "12"),
    ]
    assert details.run.created_at <= details.run.started_at <= details.run.finished_at  # type: ignore[operator]
    assert len(client.runs.get(worked["family"]).children) == 2
    assert client.runs.get(worked["fails"]).error == "ValueError: no such thing"
    assert client.runs.errors(*worked.values(), "nobody") == {worked["fails"]: "ValueError: no such thing"}
    assert asyncio.run(client.runs.aerrors(worked["fails"])) == client.runs.errors(worked["fails"])
    with pytest.raises(perdure.RunNotFoundError):
        client.runs.get("nobody")


def test_earlier_attempts_are_shown_with_their_errors(client: perdure.Client, store_url: str) -> None:
    """As far as they are recorded: those that were followed by a pause worth it."""
    tries.clear()
    with perdure.running(store_url):
        handle = perdure.start(patient)
        assert handle.result(timeout=60) == "at last"
    [step] = client.runs.get(handle.run_id).steps
    assert step.attempts == 3
    assert [(attempt.number, attempt.error) for attempt in step.earlier_attempts] == [
        (1, "OSError: try 1"),
        (2, "OSError: try 2"),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"deadline": datetime.max.replace(tzinfo=UTC)},
        {"at": datetime.max.replace(tzinfo=UTC), "timeout": timedelta(days=3_650)},
        {"at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12))), "delay": None},
    ],
    ids=str,
)
def test_a_time_that_is_far_away_is_in_nobodys_way(client: perdure.Client, options: dict[str, Any]) -> None:
    """`datetime.max` is how some say never."""
    made = client.with_options(**options).submit(double, 1)
    [run] = client.runs.list()
    assert run.run_id == client.runs.get(made.run_id).run.run_id == made.run_id
    assert {at.year in (1, 9890, 9899) for at in (run.due_at, run.deadline_at) if at is not None} == {True}


def test_runs_are_ended_by_a_filter(client: perdure.Client, worked: dict[str, str]) -> None:
    """First it is said which; those that have ended are none of them."""
    more = [handle.run_id for handle in client.submit_many(double, ([number] for number in range(3)))]
    preview = client.runs.cancel(workflow=double, dry_run=True)
    assert (preview.count, preview.dry_run, set(preview.run_ids)) == (4, True, {worked["ready"], *more})
    assert client.handle(more[0]).status() == "ready"
    done = client.runs.cancel(workflow=double)
    assert (done.count, done.dry_run) == (4, False)
    assert client.handle(more[0]).status() == "cancelled"
    assert client.runs.cancel(workflow=double).count == 0
    assert client.runs.cancel(status="failed").count == 0


def test_a_run_is_ended_by_its_id(client: perdure.Client, worked: dict[str, str]) -> None:
    """Once."""
    assert client.runs.cancel(worked["ready"]) is True
    assert client.runs.cancel(worked["ready"]) is False
    with pytest.raises(perdure.RunNotFoundError):
        client.runs.cancel("nobody")


def test_everything_can_be_asked_from_an_event_loop(client: perdure.Client, worked: dict[str, str]) -> None:
    """By the same names with an a."""

    async def ask() -> None:
        assert ids(await client.runs.alist(status="failed")) == [worked["fails"]]
        assert (await client.runs.aget(worked["fails"])).run.status == "failed"
        assert (await client.runs.acancel(workflow=double, dry_run=True)).count == 1
        assert await client.runs.acancel(worked["ready"]) is True

    asyncio.run(ask())


def test_the_launched_process_asks_its_own_database(store_url: str) -> None:
    """In a step, too; in a workflow the answer would be another at a replay."""

    @perdure.step(name="client-tests:count")
    def count() -> int:
        return len(perdure.runs.list(workflow="client-tests:counts"))

    @perdure.workflow(name="client-tests:counts")
    def counts() -> int:
        return count()

    @perdure.workflow(name="client-tests:asks")
    def asks() -> None:
        perdure.runs.list()

    @perdure.workflow(name="client-tests:ends")
    def ends(run_id: str) -> list[bool]:
        return [perdure.runs.cancel(run_id), perdure.runs.cancel(run_id)]

    with perdure.running(store_url):
        assert perdure.start(counts).result(timeout=60) == 1
        with pytest.raises(perdure.UsageError, match="ask in a step"):
            perdure.start(asks).result(timeout=60)
        later = perdure.with_options(delay=timedelta(days=1)).start(double, 1)
        assert perdure.start(ends, later.run_id).result(timeout=60) == [True, False]
        assert perdure.runs.get(later.run_id).run.status == "cancelled"


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": "done"},
        {"status": ()},
        {"limit": 0},
        {"limit": 1_001},
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": "9" * 19},
        {"workflow": len},
        {"queue": 3},
        {"since": 12.5},
        {"since": datetime(2026, 1, 1)},  # it is what is refused
        {"since": timedelta(0), "until": timedelta(hours=1)},
        {"parent": 3},
        {"id_prefix": ""},
        {"text": ""},
        {"text": "a\0b"},
        {"attributes": ["a"]},
        {"attributes": {"a": None}},
        {"state": "failed"},
    ],
    ids=str,
)
def test_a_filter_that_cannot_be_is_refused(client: perdure.Client, wanted: dict[str, Any]) -> None:
    """With what it may be."""
    with pytest.raises(perdure.UsageError):
        client.runs.list(**wanted)


def test_ending_everything_must_be_said(client: perdure.Client) -> None:
    """A call without a filter is a mistake."""
    with pytest.raises(perdure.UsageError, match="give one"):
        client.runs.cancel()
    with pytest.raises(perdure.UsageError, match="not both"):
        client.runs.cancel("a", dry_run=True)  # type: ignore[call-overload]


def test_attributes_are_given_at_the_start_and_by_the_workflow(client: perdure.Client, store_url: str) -> None:
    """Sync and async, by every way of starting; values are kept as text."""
    given = {"customer": 17, "ok": True, "text": "x"}
    outside = client.with_options(attributes=given).submit(staged, 1)
    with perdure.running(store_url, poll_seconds=0.05):
        handles = [
            outside,
            perdure.with_options(attributes=given).start(staged, 2),
            perdure.with_options(attributes=given).start(astaged, 3),
        ]
        for handle in handles:
            handle.result(timeout=60)
        with pytest.raises(perdure.UsageError, match="for workflows"):
            perdure.start(sets_in_a_step).result(timeout=60)
    found = client.runs.list(attributes={"customer": 17, "ok": True, "stage": "done"})
    assert {run.run_id for run in found} == {handle.run_id for handle in handles}
    details = client.runs.get(outside.run_id)
    assert details.attributes == {"customer": "17", "ok": "true", "text": "x", "stage": "done"}
    assert len(client.runs.list(attributes={"stage": "begun"})) == 0
    with pytest.raises(perdure.UsageError, match="for workflows"):
        perdure.set_attributes({"a": 1})
    for wrong in ({"a": None}, {"": "x"}, {"a": ""}, {f"a{number}": 1 for number in range(33)}, ["a"]):
        with pytest.raises(perdure.UsageError):
            client.with_options(attributes=wrong)  # type: ignore[arg-type]


def test_a_replay_sets_no_attribute_anew(client: perdure.Client, store_url: str) -> None:
    """Each was set once, in the order of the program, however often the run has left memory."""
    with perdure.running(store_url, poll_seconds=0.05, park_after_seconds=0.0):
        handle = perdure.start(sleeps_between, ["a", "b", "c"])
        handle.result(timeout=60)
    details = client.runs.get(handle.run_id)
    assert details.attributes == {"stage": "c", "was-a": "true", "was-b": "true", "was-c": "true"}
    assert [step.kind for step in details.steps].count("attributes") == 3
