"""Many runs in one call: `Queue.submit_many`, `asubmit_many` and `map`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import perdure
from perdure import Client, Queue, SerializationError, UsageError, step, workflow
from perdure._api import many
from tests.conformance.ledger import ran, replay

pytestmark = pytest.mark.usefixtures("app")

queue = Queue("many submitted", concurrency=8)


@step
def add(one: Any, two: int = 1) -> Any:
    """Two parameters."""
    ran.append(f"{one}")
    return one + two


@pytest.fixture
def client(app: perdure.Perdure) -> Iterator[Client]:
    """Who executes none."""
    with Client(app._url) as opened:
        yield opened


def test_each_argument_list_is_a_run(client: Client) -> None:
    """In order; some parameters have defaults."""
    calls = [(1, 2), [3], (5, 6)]
    assert [handle.result() for handle in queue.submit_many(add, calls)] == [3, 4, 11]
    assert [handle.result() for handle in asyncio.run(queue.asubmit_many(add, calls))] == [3, 4, 11]
    there = client.with_options(queue=queue)
    assert [handle.result(30) for handle in asyncio.run(there.asubmit_many(add, iter(calls)))] == [3, 4, 11]
    assert queue.submit_many(add, []) == []


def test_a_text_is_not_taken_apart(client: Client) -> None:
    """It is one argument, which was meant to be in a list."""
    for submit_many in (queue.submit_many, client.submit_many):
        with pytest.raises(UsageError, match=r"as a tuple, such as \('ab',\)"):
            submit_many(add, ["ab"])
        with pytest.raises(UsageError, match=r"such as \(1,\)"):
            submit_many(add, [1])  # type: ignore[list-item]  # what is tested


def test_an_id_is_of_one_run() -> None:
    """Two runs cannot have it."""
    with pytest.raises(UsageError, match="id= is the id of one run"):
        queue.with_options(id="one").submit_many(add, [(1,), (2,)])


def test_none_is_made_where_one_cannot_be(client: Client) -> None:
    """Of those that are checked together; of more the error says how many were made before."""
    before = len(client.runs.list(queue=queue).runs)
    for submit_many in (queue.submit_many, client.with_options(queue=queue).submit_many):
        with pytest.raises(SerializationError):
            submit_many(add, [(1,), (object(),)])
    assert len(client.runs.list(queue=queue).runs) == before


def test_of_more_than_can_be_checked_together_the_first_are_made(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gives them without an end must not fill the memory with them."""
    monkeypatch.setattr(many, "MOST_TOGETHER", 2)
    for submit_many in (queue.submit_many, client.with_options(queue=queue).submit_many):
        with pytest.raises(SerializationError) as raised:
            submit_many(add, ((object() if number == 5 else number,) for number in range(9)))
        assert raised.value.__notes__ == ["the first 4 runs were made"]


@workflow
def submits_many(count: int) -> int:
    """In a run they are its children."""
    handles = queue.submit_many(add, ((number,) for number in range(100, 100 + count)))
    total = sum(handle.result() for handle in handles)
    replay()
    return total


@workflow
async def asubmits_many(count: int) -> int:
    """The same of async ones."""
    handles = await queue.asubmit_many(add, ((number,) for number in range(100, 100 + count)))
    total = sum([await handle for handle in handles])
    await perdure.sleep(0.1)
    return total


def test_in_a_run_they_are_made_once() -> None:
    """Live and on replay."""
    assert submits_many(20) == 2210
    assert asyncio.run(asubmits_many(20)) == 2210
    assert len([name for name in ran if len(name) == 3]) == 40  # and what tests before this one have made


def test_map_takes_what_has_no_end_in_sight() -> None:
    """It is read part by part."""
    assert list(queue.map(add, (number for number in range(30)))) == list(range(1, 31))
