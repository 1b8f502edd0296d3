"""A deploy changes a signature or the codec: runs that were started before go on, or wait for a mend."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals, state_of, until
from tests.inside.functions import forget_functions

running = functools.partial(perdure.running, **SETTINGS)


@dataclasses.dataclass
class Point:
    """A value with a type of its own."""

    x: int


@step
def hold(name: str) -> str:
    """It waits for the test."""
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def doubles(point: Point) -> Point:
    """Data in, data out."""
    return Point(point.x * 2)


def _takes_nothing() -> str:
    return "no argument"


def _takes_one(number: int) -> str:
    return f"one argument {number}"


@pytest.mark.parametrize("kind", [step, workflow], ids=["step", "workflow"])
def test_a_run_whose_arguments_do_not_fit_any_more_waits_for_a_mend(
    url: str, next_complaint: Callable[[], str], kind: Callable[..., Callable[..., Callable[..., str]]]
) -> None:
    """DBOS and Celery fail it with a `TypeError`: it would be lost by a deploy."""
    with perdure.Client(url, migrate=True) as client:
        client.with_options(id="r").submit(kind(name="conformance:resigned")(_takes_nothing))
    forget_functions("conformance:resigned")
    kind(name="conformance:resigned")(_takes_one)
    with running(url) as app:
        assert "missing a required argument: 'number'" in next_complaint()
        until(lambda: state_of(app, "r") == "parked")
    forget_functions("conformance:resigned")
    kind(name="conformance:resigned")(_takes_nothing)
    with running(url):
        assert perdure.handle("r").result(20) == "no argument"
    forget_functions("conformance:resigned")


@workflow
def holds_between(point: Point) -> list[Point]:
    """Recorded before and after a change of codecs."""
    first = moved(point)
    hold("change of codecs")
    return [first, moved(first)]


@step
def moved(point: Point) -> Point:
    """A value with a type of its own."""
    ran.append("moved")
    return Point(point.x + 1)


PACKED = perdure.ZlibCodec(perdure.JsonCodec())


@pytest.mark.parametrize(
    ("before", "after", "readable"),
    [
        (perdure.JsonCodec(), PACKED, ()),
        (PACKED, perdure.JsonCodec(), ()),
        (perdure.PickleCodec(), PACKED, (perdure.PickleCodec(),)),
    ],
    ids=["compressed from now on", "no longer compressed", "no longer pickled"],
)
def test_a_run_goes_on_after_a_change_of_codecs(
    tmp_path: Path, before: perdure.Codec, after: perdure.Codec, readable: tuple[perdure.Codec, ...]
) -> None:
    """Built-in codecs that run no code can always be read; others where they are named."""
    with perdure.running(tmp_path / "a.db", **SETTINGS, codec=before) as app:
        perdure.with_options(id="r").start(holds_between, Point(0))
        await_signal("change of codecs began")
        app.shutdown(0)
    signals["change of codecs"].set()
    with perdure.running(tmp_path / "a.db", **SETTINGS, codec=after, readable=readable):
        assert perdure.handle("r").result(20) == [Point(1), Point(2)]
    assert ran.count("moved") == 2


def test_a_pickle_is_not_read_where_nobody_named_it(tmp_path: Path, next_complaint: Callable[[], str]) -> None:
    """To read one is to run it: whoever can write to the database would own the process."""
    with perdure.running(tmp_path / "a.db", **SETTINGS, codec=perdure.PickleCodec()) as app:
        perdure.with_options(id="r", delay=0.01).start(doubles, Point(1))
        app.shutdown(0)
    with perdure.running(tmp_path / "a.db", **SETTINGS) as app:
        assert "pickle" in next_complaint()
        until(lambda: state_of(app, "r") == "parked")
