"""Streams: written by workflows and steps, read by anybody from any offset; a step that is tried again takes back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import perdure
from perdure import (
    Chunk,
    Client,
    Handle,
    Perdure,
    Retry,
    Rewound,
    StreamRewoundError,
    WaitTimeoutError,
    recv,
    send,
    step,
    stream,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, await_signal, replay, signals

pytestmark = pytest.mark.usefixtures("app")
TRY_AGAIN = Retry(attempts=3, initial_seconds=0.0)


@workflow
def counts(upto: int) -> str:
    """Writes numbers, one more whenever it is told to, and is replayed."""
    out = stream("numbers")
    for number in range(upto):
        out.write(number)
    while (number := recv("more")) is not None:
        out.write(number)
    replay()
    out.write("last")
    out.close()
    replay()
    return "counted"


@workflow
async def acounts(upto: int) -> str:
    """The same, async."""
    out = stream("numbers")
    for number in range(upto):
        out.write(number)
    while (number := await recv("more")) is not None:
        out.write(number)
    await areplay()
    out.write("last")
    out.close()
    await areplay()
    return "counted"


WRITERS = pytest.mark.parametrize("writer", [counts, acounts], ids=["sync", "async"])


@WRITERS
def test_a_stream_is_followed_while_the_run_goes_on(writer: Any) -> None:
    """Each value once, in order, from any offset; to its end, which is when it is closed."""
    handle = perdure.start(writer, 3)
    reading = iter(handle.stream("numbers", timeout=PATIENCE_SECONDS))
    assert [next(reading) for _ in range(3)] == [0, 1, 2]
    send(handle, 3, topic="more")
    assert next(reading) == 3
    send(handle, None, topic="more")
    assert list(reading) == ["last"]
    assert handle.result(PATIENCE_SECONDS) == "counted"
    assert list(handle.stream("numbers")) == [0, 1, 2, 3, "last"]
    assert list(handle.stream("numbers", offset=3)) == [3, "last"]
    assert list(handle.stream("numbers").chunks())[3:] == [Chunk(3, 3), Chunk(4, "last")]
    assert list(handle.stream("numbers", offset=400)) == []


def test_it_is_followed_on_an_event_loop() -> None:
    """Which goes on meanwhile; by several readers."""

    async def read(handle: Handle[Any], offset: int) -> list[Any]:
        return [value async for value in handle.stream("numbers", offset=offset, timeout=PATIENCE_SECONDS)]

    async def main() -> list[list[Any]]:
        handle = await perdure.astart(acounts, 2)
        readers = [asyncio.create_task(read(handle, offset)) for offset in range(3)]
        await send(handle, 2, topic="more")
        await send(handle, None, topic="more")
        return await asyncio.gather(*readers)

    assert asyncio.run(main()) == [[0, 1, 2, "last"], [1, 2, "last"], [2, "last"]]


@step
def writes(values: list[Any]) -> int:
    """Writes them, and waits for the signal."""
    for value in values:
        stream("words").write(value)
    await_signal("go on")
    return len(values)


@step
async def awrites(values: list[Any]) -> int:
    """The same, async."""
    for value in values:
        stream("words").write(value)
    await asyncio.to_thread(await_signal, "go on")
    return len(values)


@workflow
def writes_in_steps(values: list[Any]) -> int:
    """By a step, and is replayed."""
    number = writes(values)
    replay()
    return number


@workflow
async def awrites_in_steps(values: list[Any]) -> int:
    """The same, async."""
    number = await awrites(values)
    await areplay()
    return number


@pytest.mark.parametrize(
    "program", [writes_in_steps, awrites_in_steps, writes, awrites], ids=["sync", "async", "alone", "alone async"]
)
def test_what_a_step_writes_is_read_before_it_ends(program: Any) -> None:
    """Also of a step that is a run by itself. The stream ends with the run."""
    words = ["a", None, {"b": 1}]
    handle = perdure.start(program, words)
    reading = iter(handle.stream("words", timeout=PATIENCE_SECONDS))
    assert [next(reading) for _ in words] == words
    signals["go on"].set()
    assert list(reading) == []
    assert handle.result(PATIENCE_SECONDS) == len(words)
    assert list(handle.stream("words")) == words


@step(retries=TRY_AGAIN)
def stumbles(prefix: str) -> str:
    """Writes, and fails twice, after its reader has read."""
    attempt = len(attempts.setdefault(prefix, []))
    attempts[prefix].append(attempt)
    for number in range(3 - attempt):
        stream("words").write(f"{prefix}{attempt}.{number}")
    await_signal(f"{prefix} {attempt}")
    if attempt < 2:
        raise ValueError("not yet")
    return prefix


attempts: dict[str, list[int]] = {}


@pytest.fixture(autouse=True)
def fresh_attempts() -> None:
    """None of an earlier test."""
    attempts.clear()


@workflow
def stumbling(prefix: str) -> str:
    """Writes around the step that stumbles."""
    stream("words").write("before")
    stumbles(prefix)
    stream("words").write("after")
    replay()
    return prefix


def follow(handle: Handle[Any], prefix: str, told: list[Any]) -> list[Any]:
    """Keep what stands, as a reader should; let the step go on when its first word was seen."""
    kept: list[Any] = []
    for item in handle.stream("words", timeout=PATIENCE_SECONDS).chunks():
        told.append(item)
        if isinstance(item, Rewound):
            kept = [chunk for chunk in kept if chunk.offset < item.offset]
            continue
        kept.append(item)
        if item.value.endswith(".0"):
            signals[f"{prefix} {item.value[1]}"].set()
    return [chunk.value for chunk in kept]


def test_a_step_that_is_tried_again_takes_back_what_it_wrote() -> None:
    """Live readers are told, and keep what stands; who comes later sees nothing of it."""
    handle = perdure.start(stumbling, "x")
    told: list[Any] = []
    assert follow(handle, "x", told) == ["before", "x2.0", "after"]
    rewound = [item for item in told if isinstance(item, Rewound)]
    assert len(rewound) == 2
    assert rewound[0] == Rewound(1)
    assert handle.result(PATIENCE_SECONDS) == "x"
    assert list(handle.stream("words")) == ["before", "x2.0", "after"]
    assert not any(isinstance(item, Rewound) for item in handle.stream("words").chunks())


def test_who_does_not_ask_for_it_gets_an_error_and_never_something_wrong() -> None:
    """It names the offset from which to read again; who resumes behind it is told, too."""
    handle = perdure.start(stumbling, "y")
    reading = iter(handle.stream("words", timeout=PATIENCE_SECONDS))
    assert [next(reading) for _ in range(2)] == ["before", "y0.0"]
    signals["y 0"].set()
    with pytest.raises(StreamRewoundError, match=r"offset 1 on is void.*\.chunks\(\)") as caught:
        list(reading)
    assert (caught.value.run_id, caught.value.stream, caught.value.offset) == (handle.run_id, "words", 1)
    signals["y 1"].set()
    signals["y 2"].set()
    handle.result(PATIENCE_SECONDS)
    assert list(handle.stream("words", offset=1)) == ["y2.0", "after"]
    with pytest.raises(StreamRewoundError) as caught:
        list(handle.stream("words", offset=2))
    assert caught.value.offset == 1
    resumed = list(handle.stream("words", offset=3).chunks())
    assert resumed[0] == Rewound(1)
    assert [chunk.value for chunk in resumed[1:] if isinstance(chunk, Chunk)] == ["y2.0", "after"]


@workflow
async def many_branches(number: int) -> int:
    """Branches that write to one stream, with steps in between."""

    async def branch(name: int) -> None:
        for each in range(5):
            stream("all").write([name, each])
            await awrites_at_once(name, each)

    async with asyncio.TaskGroup() as group:
        for name in range(number):
            group.create_task(branch(name))
    await areplay()
    return number


@step
async def awrites_at_once(name: int, each: int) -> None:
    """One chunk."""
    stream("all").write(["step", name, each])


def test_branches_and_steps_write_to_one_stream(app: Perdure) -> None:
    """Each of them in its order; nothing is lost or comes twice."""
    handle = perdure.start(many_branches, 4)
    values = list(handle.stream("all", timeout=PATIENCE_SECONDS))
    assert handle.result(PATIENCE_SECONDS) == 4
    assert len(values) == 40
    for name in range(4):
        own = [value for value in values if value[-2] == name]
        assert own == [found for each in range(5) for found in ([name, each], ["step", name, each])]


@workflow
def in_rounds(number: int) -> int:
    """Writes once in each round, and is replayed there."""
    stream("rounds").write(number)
    replay()
    stream("rounds").write([number])
    if number < 3:
        perdure.continue_as_new(number + 1)
    return number


def test_a_stream_goes_on_in_the_next_round() -> None:
    """What earlier rounds have written stays, and is not taken for what this one has."""
    handle = perdure.start(in_rounds, 1)
    assert list(handle.stream("rounds", timeout=PATIENCE_SECONDS)) == [1, [1], 2, [2], 3, [3]]
    assert handle.result(PATIENCE_SECONDS) == 3


def test_a_client_follows(app: Perdure) -> None:
    """It executes nothing."""
    run = perdure.start(counts, 2)
    with Client(app._find_url()) as client:
        reading = iter(client.handle(run.run_id).stream("numbers", timeout=PATIENCE_SECONDS))
        assert [next(reading), next(reading)] == [0, 1]
        send(run, None, topic="more")
        assert list(reading) == ["last"]
        reading = iter(client.handle(run.run_id).stream("none", timeout=PATIENCE_SECONDS))
        run.result(PATIENCE_SECONDS)
        assert list(reading) == []


def test_who_waits_longer_than_he_likes_is_told() -> None:
    """For each value; the run goes on."""
    handle = perdure.start(counts, 1)
    assert next(iter(handle.stream("numbers", timeout=PATIENCE_SECONDS))) == 0
    with pytest.raises(WaitTimeoutError, match="nothing more came of stream 'numbers'"):
        next(iter(handle.stream("numbers", offset=1, timeout=0.1)))
    send(handle, None, topic="more")
    handle.result(PATIENCE_SECONDS)


def test_readers_of_an_instance_that_shuts_down_are_told(url: str) -> None:
    """They would wait for ever."""
    ended: list[BaseException] = []
    begun = threading.Event()

    def read(handle: Handle[Any]) -> None:
        try:
            for _ in handle.stream("numbers"):
                begun.set()
        except perdure.PerdureError as error:
            ended.append(error)

    with perdure.running(url, shutdown_seconds=0.1):
        handle = perdure.start(counts, 1)
        thread = threading.Thread(target=read, args=[handle])
        thread.start()
        assert begun.wait(PATIENCE_SECONDS)
    thread.join(PATIENCE_SECONDS)
    assert "has shut down" in str(ended[0])
