"""Last attempts and others wait for each other, and neither without end (rule 11)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import perdure
from perdure._engine.claiming.solitude import FIRST_SECONDS, Solitude
from tests.processes.conftest import Rows
from tests.processes.waiting import PATIENCE_SECONDS, wait_until
from tests.stores.conftest import store_url as store_url  # a fixture

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

AN_HOUR = 3600.0
QUEUE = perdure.Queue("solitude", worker_concurrency=4)
OTHER = perdure.Queue("another solitude", worker_concurrency=4)
BEGAN: dict[str, threading.Event] = {}
MAY_END = threading.Event()


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    MAY_END.clear()
    BEGAN.clear()
    BEGAN.update({name: threading.Event() for name in ("late", "busy", "next")})
    yield
    MAY_END.set()


@perdure.step(name="solitude:lasts")
def lasts(name: str) -> str:
    """It ends when it may."""
    BEGAN[name].set()
    assert MAY_END.wait(PATIENCE_SECONDS)
    return name


@perdure.step(name="solitude:echo")
def echo(name: str) -> str:
    """It ends at once."""
    BEGAN[name].set()
    return name


def make_last_attempt(rows: Rows, fn: Callable[[str], str] = lasts) -> None:
    """A run `late` that is at its last attempt from now on."""
    QUEUE.with_options(id="late", delay=AN_HOUR).submit(fn, "late")
    rows.ask("UPDATE runs SET attempts = max_attempts - 1, due_at = NULL WHERE id = 'late'")


@pytest.fixture
def rows(store_url: str) -> Rows:
    """The test's database in plain SQL."""
    return Rows(store_url)


def test_a_last_attempt_that_cannot_be_had_alone_is_claimed_beside_others(store_url: str, rows: Rows) -> None:
    """Where something lasts for ever it would never begin."""
    with perdure.running(store_url, poll_seconds=0.05, solitude_seconds=0.5):
        QUEUE.submit(lasts, "busy")
        assert BEGAN["busy"].wait(PATIENCE_SECONDS)
        make_last_attempt(rows)
        assert BEGAN["late"].wait(PATIENCE_SECONDS)
        assert rows.ask("SELECT is_beside FROM runs WHERE id = 'late'")[0][0]
        MAY_END.set()


@pytest.mark.parametrize("how", ["start", "the same queue", "another queue"])
def test_a_run_that_has_been_alone_for_long_is_alone_no_more(store_url: str, rows: Rows, how: str) -> None:
    """Nothing else would begin for as long as it lasts."""
    ways = {
        "start": lambda: perdure.start(echo, "next"),
        "the same queue": lambda: QUEUE.submit(echo, "next"),
        "another queue": lambda: OTHER.submit(echo, "next"),
    }
    with perdure.running(store_url, poll_seconds=0.05, solitude_seconds=0.5):
        make_last_attempt(rows)
        assert BEGAN["late"].wait(PATIENCE_SECONDS)
        assert ways[how]().result(PATIENCE_SECONDS) == "next"
        MAY_END.set()


def test_while_a_last_attempt_is_alone_nothing_else_begins(store_url: str, rows: Rows) -> None:
    """Until it ends, where that is soon."""
    with perdure.running(store_url, poll_seconds=0.05):
        make_last_attempt(rows)
        assert BEGAN["late"].wait(PATIENCE_SECONDS)
        handle = perdure.start(echo, "next")
        assert not BEGAN["next"].wait(0.3)
        MAY_END.set()
        assert handle.result(PATIENCE_SECONDS) == "next"


def test_where_nothing_is_held_a_last_attempt_goes_first(store_url: str, rows: Rows, tmp_path: Path) -> None:
    """A process that starts again meets it alone, however much else waits."""
    with perdure.running(store_url, poll_seconds=AN_HOUR):
        perdure.with_options(id="next", delay=AN_HOUR).start(echo, "next")
        make_last_attempt(rows, echo)
    rows.ask("UPDATE runs SET due_at = NULL WHERE id = 'next'")
    with perdure.running(store_url, poll_seconds=0.05):
        wait_until(lambda: set(rows.states().values()) == {"succeeded"})
    [(late,)], [(following,)] = (
        rows.ask("SELECT started_at FROM runs WHERE id = ?", name) for name in ("late", "next")
    )
    assert late < following  # type: ignore[operator]  # times
    assert not rows.ask("SELECT is_beside FROM runs WHERE id = 'late'")[0][0]


class Claimed:
    """What a claim says of a run at its limit."""

    def __init__(self, claim: str, attempts: int = 10) -> None:
        self.claim, self.attempts, self.max_attempts = claim, attempts, 10


def test_solitude_lasts_longer_the_more_often_it_was_tried() -> None:
    """A run that ends its worker after a while would else be beside others then, every time."""
    for attempts, seconds in ((10, FIRST_SECONDS), (11, 2 * FIRST_SECONDS), (12, 4 * FIRST_SECONDS)):
        solitude = Solitude(60.0, 0.0)
        solitude.begin(Claimed("a", attempts), 100.0)  # type: ignore[arg-type]  # all that it looks at
        assert not solitude.end_in_time(100.0 + seconds - 0.1)
        assert solitude.is_kept
        assert solitude.end_in_time(100.0 + seconds)
        assert not solitude.is_kept


@pytest.mark.parametrize("until_it_kills", [1.0, 59.0, 61.0, 3_600.0, 86_400.0])
def test_a_run_that_ends_its_worker_late_is_alone_then_in_the_end(until_it_kills: float) -> None:
    """However long it takes: each death beside others doubles how long it is alone, beyond `solitude_seconds` too."""
    attempts = 10
    while True:
        solitude = Solitude(60.0, 0.0)
        solitude.begin(Claimed("a", attempts), 0.0)  # type: ignore[arg-type]  # all that it looks at
        if not solitude.end_in_time(until_it_kills):
            break  # nothing else was held when the worker died: the run is dead
        attempts += 1
    assert attempts <= 10 + 15


def test_many_last_attempts_do_not_keep_others_waiting_without_end() -> None:
    """One follows the other for a while, then others have their turn."""
    solitude = Solitude(60.0, 0.0)
    for now in (0.0, 20.0, 40.0):
        solitude.want(now)
        assert solitude.goes_first(now)
        solitude.begin(Claimed(f"{now}"), now)  # type: ignore[arg-type]  # all that it looks at
        solitude.end(f"{now}")
    assert not solitude.goes_first(60.0)
    solitude.others_had_their_turn()
    assert solitude.goes_first(61.0)


def test_others_take_a_last_attempt_along_when_it_has_waited() -> None:
    """Since it was first seen to wait; when none waits any more, the next one waits anew."""
    solitude = Solitude(60.0, 0.0)
    assert (solitude.beside(59.0), solitude.beside(60.0)) == ("left", "beside")
    solitude.want_no_more()
    assert solitude.beside(100.0) == "left"
    solitude.want(100.0)
    solitude.want(130.0)
    assert (solitude.beside(159.0), solitude.beside(160.0)) == ("left", "beside")
