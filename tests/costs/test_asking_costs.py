"""What it costs to ask a run: a query of memory nothing, one of a replay its reads, an update two commits."""

from __future__ import annotations

import pytest

import perdure
from tests.costs.conftest import Count
from tests.costs.counting import Cost


@perdure.workflow
def asked() -> None:
    """Answers, and does what it is asked."""
    done: list[int] = []
    perdure.on_query("done", lambda: len(done))
    perdure.on_update("do", done.append)
    perdure.recv()


def own(cost: Cost) -> Cost:
    """Without the looks of whoever waits, which follow the clock."""
    return Cost.of(name for name in cost.names.elements() if name != "answers_to")


@pytest.mark.parametrize("number", [1, 10])
def test_an_update_is_two_commits(count: Count, number: int) -> None:
    """What is asked; and that it is accepted and done. The branch that serves updates looks when one comes, and once
    more before it waits again; after the first update, while we count already. One that waits for messages of another
    topic does not.
    """
    handle = perdure.start(asked)
    handle.update("do", 0)
    cost = own(count(lambda: [handle.update("do", each) for each in range(number)]))
    assert cost.commits == 2 * number, str(cost)
    assert number <= cost.names["waiting_messages"] <= 2 * number + 1, str(cost)
    assert cost.statements == 2 * number + cost.names["waiting_messages"], str(cost)
    handle.cancel()


@pytest.mark.parametrize("number", [1, 10])
def test_a_query_of_memory_asks_the_database_nothing(count: Count, number: int) -> None:
    """Once what the run has done is committed."""
    handle = perdure.start(asked)
    handle.update("do", 0)
    cost = own(count(lambda: [handle.query("done") for _ in range(number)]))
    assert (cost.commits, cost.statements) == (0, 0), str(cost)
    handle.cancel()


def test_a_query_of_what_has_ended_is_a_replay(count: Count, kind: str) -> None:
    """The run's row, what a claim would give, its history, and what it would receive next; nothing is written."""
    handle = perdure.start(asked)
    handle.update("do", 0)
    perdure.send(handle, None)
    handle.result(60)
    cost = own(count(lambda: handle.query("done")))
    assert cost.commits == 0, str(cost)
    assert cost.statements == (7 if kind == "sqlite" else 5), str(cost)
