"""A worker's line: what it has to say does not wait for its rest from what others say."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import pytest

from perdure._engine.membership import line as lines
from perdure._engine.membership.line import Line
from perdure.stores.protocol import Hint

PATIENCE = 10.0


class Talk:
    """A `Session` whose others always have something to say."""

    def __init__(self) -> None:
        self.heard = 0
        self.said: list[Hint] = []
        self.has_said = threading.Event()

    def hold(self, worker_id: str) -> None:
        """There is no lock."""

    def locks(self) -> None:
        """There are none."""

    def say(self, hint: Hint) -> None:
        self.said.append(hint)
        self.has_said.set()

    def wait(self, seconds: float) -> list[Hint]:
        self.heard += 1
        return [Hint(frozenset({"work"}), frozenset())]

    def poke(self) -> None:
        """It never waits."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def heard() -> threading.Event:
    return threading.Event()


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def line(talk: Talk, heard: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr(lines, "SAY_SECONDS", 3600.0)
    made = Line(
        talk,  # type: ignore[arg-type]  # what it asks of one
        worker_id=lambda: "one",
        renew=lambda: math.inf,
        free_files=list,
        on_dead=lambda dead: None,
        on_hint=lambda hint: heard.set(),
    )
    made.start(math.inf, lambda: None)
    yield made
    made._stop.set()
    made._has_more.set()  # it rests for an hour
    assert made.stop(PATIENCE)


def test_an_end_is_said_at_once_after_something_was_heard(line: Line, talk: Talk, heard: threading.Event) -> None:
    """Who submitted what was heard of waits for its end."""
    assert heard.wait(PATIENCE)
    line.say(ended=["run"])
    assert talk.has_said.wait(PATIENCE), "the end is not said before the rest is over"
    assert talk.said == [Hint(frozenset(), frozenset({"run"}))]


def test_what_others_say_is_heard_no_more_often_for_that(line: Line, talk: Talk, heard: threading.Event) -> None:
    """What is said next waits for its turn, and so does what others say."""
    assert heard.wait(PATIENCE)
    line.say(ended=["run"])
    assert talk.has_said.wait(PATIENCE)
    line.say(ended=["another"])
    assert (talk.heard, len(talk.said)) == (1, 1)
