"""Deduplication at the surface: what a second submission of a key gets, outside any run and inside one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import perdure
from perdure import Client, DuplicateRunError, Handle, Queue, UsageError, step, workflow
from tests.conformance.ledger import await_signal, ran, replay, signals

pytestmark = pytest.mark.usefixtures("app")

docs = Queue("duplicates", concurrency=1)
others = Queue("duplicates elsewhere", concurrency=2)


@step
def index(name: str) -> str:
    """It goes on when the test says so."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return f"indexed {name}"


@step
def remove(name: str) -> str:
    """Another function."""
    return name


@pytest.fixture
def held() -> Iterator[Handle[str]]:
    """The run that has the key `k`, executing."""
    handle = docs.with_options(dedup="k").submit(index, "first")
    await_signal("first began")
    yield handle
    signals["first"].set()
    handle.result()


def test_a_duplicate_is_refused_and_the_error_names_the_other_run(held: Handle[str]) -> None:
    """Nothing was made, whatever the arguments."""
    with pytest.raises(DuplicateRunError, match=f"run {held.run_id} of .*index has the key 'k' of queue") as raised:
        docs.with_options(dedup="k").submit(index, "second")
    assert raised.value.run_id == held.run_id


def test_or_it_gets_the_handle_of_the_other_run(held: Handle[str]) -> None:
    """And so its value; from coroutines too."""
    shared = docs.with_options(dedup="k", on_duplicate="return_existing")
    assert shared.submit(index, "second").run_id == held.run_id
    assert asyncio.run(shared.asubmit(index, "third")).run_id == held.run_id


def test_of_another_function_the_handle_would_lie(held: Handle[str]) -> None:
    """Its value is another: that is refused in any case."""
    with pytest.raises(DuplicateRunError, match="keys of its own"):
        docs.with_options(dedup="k", on_duplicate="return_existing").submit(remove, "second")


def test_another_queue_has_keys_of_its_own(held: Handle[str]) -> None:
    """And so have the runs outside any."""
    signals["elsewhere"].set()
    assert others.with_options(dedup="k").submit(index, "elsewhere").result() == "indexed elsewhere"
    assert perdure.with_options(dedup="k").start(index, "elsewhere").result() == "indexed elsewhere"


def test_the_end_frees_the_key() -> None:
    """Before whoever waits for it is told."""
    signals["again"].set()
    for _ in range(3):
        assert docs.with_options(dedup="a").submit(index, "again").result() == "indexed again"
    assert ran == ["again"] * 3


def test_until_the_start_one_waits_and_one_executes(held: Handle[str]) -> None:
    """While a run executes, one more may wait: it sees what the first has missed."""
    waiting = docs.with_options(dedup="w", dedup_until="start")
    second = waiting.submit(index, "second")
    with pytest.raises(DuplicateRunError):
        waiting.submit(index, "third")
    signals["first"].set()
    await_signal("second began")
    third = waiting.submit(index, "third")
    for name in ("second", "third"):
        signals[name].set()
    assert [second.result(), third.result()] == ["indexed second", "indexed third"]


def test_a_client_is_told_the_same(app: perdure.Perdure, held: Handle[str]) -> None:
    """Also by name."""
    with Client(app._url) as client:
        with pytest.raises(DuplicateRunError):
            client.with_options(queue=docs, dedup="k").submit(index, "second")
        shared = client.with_options(queue=docs, dedup="k", on_duplicate="return_existing")
        assert shared.submit(f"{index.__module__}:index", "second").run_id == held.run_id


@pytest.mark.parametrize("options", [{"on_duplicate": "reject"}, {"dedup_until": "start"}])
def test_what_is_to_become_of_duplicates_needs_a_key(options: dict[str, str]) -> None:
    """Without one there are none."""
    with pytest.raises(UsageError, match="dedup="):
        docs.with_options(**options)  # type: ignore[arg-type]  # as of any program


def test_other_words_are_refused() -> None:
    """With those that there are."""
    with pytest.raises(UsageError, match="'reject' or 'return_existing'"):
        docs.with_options(dedup="k", on_duplicate="ignore")  # type: ignore[typeddict-item]  # what is tested
    with pytest.raises(UsageError, match="dedup=''"):
        docs.with_options(dedup="")


@workflow
def meets(name: str) -> list[str]:
    """It meets another run, which has ended when it is replayed: then a fresh one would be made."""
    seen = []
    try:
        docs.with_options(dedup="k").submit(index, name)
    except DuplicateRunError as error:
        seen.append(error.run_id)
    shared = docs.with_options(dedup="k", on_duplicate="return_existing").submit(index, name)
    seen.append(shared.run_id)
    signals["first"].set()
    seen.append(shared.result())
    replay()
    return seen


def test_in_a_run_the_answer_is_that_of_the_first_time(held: Handle[str]) -> None:
    """Also when the key is free at the replay."""
    assert meets("mine") == [held.run_id, held.run_id, "indexed first"]
    assert ran == ["first"]


@workflow
async def ameets(name: str) -> list[str]:
    """The same of async workflows, with and without waiting for the loop."""
    seen = []
    shared = docs.with_options(dedup="k", on_duplicate="return_existing")
    seen.append((await shared.asubmit(index, name)).run_id)
    seen.append(shared.submit(index, name).run_id)
    signals["first"].set()
    seen.append(await shared.submit(index, name))
    await perdure.sleep(0.1)
    return seen


def test_in_an_async_run_too(held: Handle[str]) -> None:
    """Whichever way it is asked."""
    assert asyncio.run(ameets("mine")) == [held.run_id, held.run_id, "indexed first"]


@workflow
def makes(name: str) -> list[str]:
    """The key is its own, and it meets itself."""
    mine = others.with_options(dedup="m").submit(index, name)
    await_signal(f"{name} began")
    again = others.with_options(dedup="m", on_duplicate="return_existing").submit(index, name)
    signals[name].set()
    seen = [str(mine.run_id == again.run_id), mine.result(), again.result()]
    seen.append(others.with_options(dedup="m").submit(index, name).result())
    replay()
    return seen


def test_a_run_makes_children_under_a_key() -> None:
    """They are its children as others are, and are made once."""
    assert makes("child") == ["True", "indexed child", "indexed child", "indexed child"]
    assert ran == ["child", "child"]


@workflow
def fails_by_a_duplicate() -> str:
    """It does not catch the error."""
    return docs.with_options(dedup="k").submit(index, "second").result()


def test_the_error_of_a_run_is_the_same_error(held: Handle[str]) -> None:
    """Also read from the database."""
    with pytest.raises(DuplicateRunError) as raised:
        fails_by_a_duplicate()
    assert raised.value.run_id == held.run_id
