"""Streams written at random, by a workflow and by steps that fail at random: what readers keep is what a list would be.

The model is a list to which every chunk is appended that is not taken back: by the workflow, or by the last attempt of
a step. Readers begin at random offsets, break off, and resume where they were.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

import perdure
from perdure import Chunk, Handle, Retry, Rewound, step, stream, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay

NAMES = ("a", "b")
Program = list[tuple[str, str, int, int]]
"""What is done, to which stream, with how many chunks, and how often it fails before."""


def program_of(seed: int) -> Program:
    """What a writer does, one thing after the other."""
    chance = random.Random(seed)  # noqa: S311  # a program
    kinds = chance.choices(["write", "step", "replay"], [5, 5, 1], k=12)
    return [(kind, chance.choice(NAMES), chance.randrange(4), chance.choice([0, 0, 1, 2])) for kind in kinds]


def model_of(seed: int) -> dict[str, list[Any]]:
    """What must stand in the end."""
    model: dict[str, list[Any]] = {name: [] for name in NAMES}
    for place, (kind, name, count, failures) in enumerate(program_of(seed)):
        if kind != "replay":
            attempt = failures if kind == "step" else 0
            model[name] += [[place, attempt, number] for number in range(count)]
    return model


attempts: dict[tuple[str, int], int] = {}


def body(place: int, name: str, count: int, failures: int) -> None:
    """Writes, and fails so often; what it writes to the other stream before it fails is always void."""
    run_id = perdure.idempotency_key().partition(":")[0]
    attempt = attempts.get((run_id, place), 0)
    attempts[run_id, place] = attempt + 1
    for number in range(count):
        stream(name).write([place, attempt, number])
    if attempt < failures:
        stream(NAMES[name == "a"]).write("void")
        raise ValueError(attempt)


@step(retries=Retry(attempts=4, initial_seconds=0.0))
def writes(place: int, name: str, count: int, failures: int) -> None:
    """A step."""
    body(place, name, count, failures)


@step(retries=Retry(attempts=4, initial_seconds=0.0))
async def awrites(place: int, name: str, count: int, failures: int) -> None:
    """The same, async."""
    body(place, name, count, failures)


@workflow
def writer(seed: int) -> None:
    """Does what its seed says."""
    for place, (kind, name, count, failures) in enumerate(program_of(seed)):
        if kind == "write":
            for number in range(count):
                stream(name).write([place, 0, number])
        elif kind == "step":
            writes(place, name, count, failures)
        else:
            replay()
    for name in NAMES:
        stream(name).close()
    replay()


@workflow
async def awriter(seed: int) -> None:
    """The same, async."""
    for place, (kind, name, count, failures) in enumerate(program_of(seed)):
        if kind == "write":
            for number in range(count):
                stream(name).write([place, 0, number])
        elif kind == "step":
            await awrites(place, name, count, failures)
        else:
            await areplay()
    for name in NAMES:
        stream(name).close()
    await areplay()


def keep(handle: Handle[Any], name: str, breaks: float = 0.0, had: Sequence[Chunk] = ()) -> list[Chunk]:
    """What a reader keeps that has got something already, perhaps breaks off at random, and resumes behind the last
    chunk that it has.
    """
    chance = random.Random(len(name))  # noqa: S311  # a reader
    kept = list(had)
    while True:
        offset = kept[-1].offset + 1 if kept else 0
        for item in handle.stream(name, offset=offset, timeout=PATIENCE_SECONDS).chunks():
            if isinstance(item, Rewound):
                kept = [chunk for chunk in kept if chunk.offset < item.offset]
            else:
                kept.append(item)
            if chance.random() < breaks:
                break
        else:
            return kept


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("function", [writer, awriter], ids=["sync", "async"])
@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 60))])
def test_what_readers_keep_is_what_was_written(function: Any, seed: int) -> None:
    """Nothing is lost, nothing comes twice, in order; from every offset; for live readers and late ones."""
    model = model_of(seed)
    handle = perdure.start(function, seed)
    kept: dict[str, list[Chunk]] = {}
    readers = [
        threading.Thread(target=lambda name=name: kept.update({name: keep(handle, name, 0.2)})) for name in NAMES
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE_SECONDS)
    handle.result(PATIENCE_SECONDS)
    for name in NAMES:
        assert [chunk.value for chunk in kept[name]] == model[name]
        assert list(handle.stream(name).chunks()) == kept[name]
        for place in range(len(kept[name])):
            assert keep(handle, name, had=kept[name][:place]) == kept[name]
