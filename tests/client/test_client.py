"""A client makes runs, waits for them and ends them, and is no worker."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

import perdure
from tests.client.programs import double, eightfold, fails, quadruple, queue, submits
from tests.inside.functions import define_again, forget_functions
from tests.inside.stores import open_store


def test_a_client_makes_runs_that_wait_for_a_worker(client: perdure.Client, store_url: str) -> None:
    """It has no row among the workers, and executes nothing."""
    handle = client.with_options(queue=queue).submit(quadruple, 3)
    store = open_store(store_url)
    assert (handle.status(), store.workers.all()) == ("ready", [])
    row = store.runs.row(handle.run_id)
    assert row is not None
    assert (row.name, row.kind, row.queue) == ("tests.client.programs:quadruple", "workflow", "client-tests")
    store.close()


def test_a_client_waits_for_what_a_worker_executes(client: perdure.Client, store_url: str) -> None:
    """By function or by name, started or submitted, sync or async."""
    handles = [
        client.submit(quadruple, 3),
        client.with_options(queue="client-tests").submit("tests.client.programs:quadruple", number=3),
        client.submit("tests.client.programs:double", 6),
        client.submit(quadruple, number=3),
    ]
    eightfold_handle = client.submit(eightfold, 3)
    with perdure.running(store_url, poll_seconds=0.05):
        assert [handle.result(timeout=60) for handle in handles] == [12, 12, 12, 12]
        assert asyncio.run(_awaited(client, eightfold_handle)) == [24, 12]


async def _awaited(client: perdure.Client, handle: perdure.Handle[int]) -> list[int]:
    more = await client.asubmit(quadruple, 3)
    return list(await asyncio.gather(handle, more))


def test_a_function_that_is_known_by_name_alone_is_executed_as_what_it_is(store_url: str) -> None:
    """A step, here: the worker knows. The arguments are checked there, too."""
    hidden = forget_functions("tests.client.programs:")
    try:
        with perdure.Client(store_url) as client:
            handle = client.submit("tests.client.programs:double", 6)
            wrong = client.submit("tests.client.programs:double", 6, 7)
    finally:
        define_again(hidden)
    with perdure.running(store_url, poll_seconds=0.05):
        assert perdure.handle(handle.run_id).result(timeout=60) == 12
        with pytest.raises(perdure.RunStuckError, match="do not fit"):
            perdure.handle(wrong.run_id).result(timeout=60)


def test_an_id_makes_a_run_once(client: perdure.Client) -> None:
    """The same work gives the same run, other work is refused."""
    options = client.with_options(id="order-17")
    assert options.submit(double, 1).run_id == options.submit(double, 1).run_id == "order-17"
    with pytest.raises(perdure.RunExistsError, match="other arguments"):
        options.submit(double, 2)
    with pytest.raises(perdure.RunExistsError, match=r"is of tests\.client\.programs:double"):
        options.submit(quadruple, 1)


def test_many_runs_are_made_together(client: perdure.Client) -> None:
    """Two thousand and one in three transactions."""
    store = client.outside().store
    client.submit(double, 0)
    asked: list[str] = []
    store.on_statement = asked.append  # type: ignore[attr-defined]  # both stores have it
    handles = client.submit_many(double, ([number] for number in range(2_001)))
    assert len({handle.run_id for handle in handles}) == 2_001
    assert len([name for name in asked if name in ("write_sections", "create_runs")]) == 3


def test_threads_share_their_transactions(client: perdure.Client) -> None:
    """What is handed in while one is under way goes into the next."""
    creations = client.opened()._creations
    client.submit(double, 0)
    with creations._turn:
        threads = [threading.Thread(target=client.submit, args=(double, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        while len(creations._waiting) < len(threads):
            os.sched_yield()
        asked: list[str] = []
        client.outside().store.on_statement = asked.append  # type: ignore[attr-defined]
    for thread in threads:
        thread.join()
    assert len([name for name in asked if name in ("write_sections", "create_runs")]) == 1


def test_a_run_that_nobody_executes_can_be_ended(client: perdure.Client) -> None:
    """There is no worker, and none is needed."""
    handle = client.submit(quadruple, 1)
    assert handle.cancel() is True
    assert handle.status() == "cancelled"
    with pytest.raises(perdure.RunCancelledError):
        handle.result(timeout=60)
    assert handle.cancel() is False


def test_a_failure_is_raised_where_somebody_waits(client: perdure.Client, store_url: str) -> None:
    """As its own type."""
    handle = client.submit(fails, "no")
    with perdure.running(store_url, poll_seconds=0.05), pytest.raises(ValueError, match="no"):
        handle.result(timeout=60)


def test_a_handle_is_had_by_its_id(client: perdure.Client) -> None:
    """An id that nobody has is an error at once."""
    made = client.submit(double, 1)
    assert client.handle(made.run_id).status() == "ready"
    with pytest.raises(perdure.RunNotFoundError, match="no run nobody"):
        client.handle("nobody")


def test_a_client_that_may_not_migrate_makes_nothing(store_url: str) -> None:
    """It says what is missing."""
    with perdure.Client(store_url, migrate=False) as client:
        if not store_url.startswith("postgres"):
            with pytest.raises(perdure.UnsupportedStoreError, match="there is no database"):
                client.submit(double, 1)
            assert not os.path.exists(store_url)  # noqa: PTH110
            with perdure.Client(store_url) as maker:
                maker.submit(double, 1)
        client.submit(double, 1)


def test_a_closed_client_says_so(client: perdure.Client) -> None:
    """Also to who still waits."""
    handle = client.submit(double, 1)
    waiting = threading.Thread(target=lambda: errors.append(handle.exception()))
    errors: list[BaseException | None] = []
    waiting.start()
    while not client.outside().ends.is_waited_for:
        os.sched_yield()
    client.close()
    waiting.join()
    assert isinstance(errors[0], perdure.PerdureError)
    with pytest.raises(perdure.UsageError, match="closed"):
        client.submit(double, 2)


def test_a_workflow_submits_by_a_queue(store_url: str) -> None:
    """A client's run would be made again at a replay; in a step it is made once for each attempt."""

    with perdure.running(store_url), pytest.raises(perdure.UsageError, match="submit it in a step"):
        perdure.start(submits, store_url).result(timeout=60)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lease_seconds": 3}, "no setting lease_seconds"),
        ({"migrate": 1}, "migrate"),
        ({"poll_seconds": 0}, "poll_seconds"),
        ({"patience_seconds": -1}, "patience_seconds"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    """Where they are given."""
    with pytest.raises(perdure.UsageError, match=message):
        perdure.Client("x.db", **settings)  # type: ignore[arg-type]


def test_options_that_cannot_be_are_refused(client: perdure.Client) -> None:
    """And nothing is made."""
    for options in ({"queue": ""}, {"queue": 3}, {"kind": "task"}, {"retries": 3}, {"delay": -1}):
        if options == {"queue": ""}:
            continue
        with pytest.raises(perdure.UsageError):
            client.with_options(**options)  # type: ignore[arg-type]
    with pytest.raises(perdure.NotDurableError):
        client.submit(len, "x")
    assert len(client.runs.list()) == 0


def test_an_empty_url_is_no_database() -> None:
    """A setting that is not there is often an empty text: the default file would take what is meant for another."""
    with pytest.raises(perdure.UnsupportedStoreError, match="possible are"):
        perdure.Client("")


def test_a_password_is_never_shown() -> None:
    """Neither by the client nor by its errors."""
    client = perdure.Client("postgresql://me:secret@nowhere.invalid/db", patience_seconds=0)
    assert "secret" not in repr(client) + client.url
