"""Actors that send, receive, wait in vain and are replayed at random: what each gets is what a queue would give it.

The model is a queue for each sender, receiver and topic: what was received, and then what is left, is what was sent.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest

import perdure
from perdure import Perdure, RunEndedError, RunNotFoundError, recv, send, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay
from tests.stores.entries import arrived

TOPICS = ("", "a", "b")
ROUNDS = 14
Log = list[tuple[str, str, list[Any]]]
"""What happened: `sent` (to whom) or `got`, the topic and the value."""


def choices(seed: int) -> list[tuple[str, str, int]]:
    """What an actor does, one thing after the other."""
    chance = random.Random(seed)  # noqa: S311  # a program
    kinds = chance.choices(["send", "recv", "replay"], [5, 5, 1], k=ROUNDS)
    return [(kind, chance.choice(TOPICS), chance.randrange(1000)) for kind in kinds]


@workflow
def actor(name: str, seed: int, peers: list[str]) -> Log:
    """Does what its seed says."""
    log: Log = []
    for number, (kind, topic, drawn) in enumerate(choices(seed)):
        peer, value = peers[drawn % len(peers)], [name, number]
        if kind == "send":
            try:
                send(peer, value, topic=topic)
            except (RunEndedError, RunNotFoundError):
                continue
            log.append((f"sent {peer}", topic, value))
        elif kind == "recv":
            got = recv(topic, timeout=0.002 * (drawn % 10), default=None)
            if got is not None:
                log.append(("got", topic, got))
        else:
            replay()
    replay()
    return log


@workflow
async def aactor(name: str, seed: int, peers: list[str]) -> Log:
    """The same, async."""
    log: Log = []
    for number, (kind, topic, drawn) in enumerate(choices(seed)):
        peer, value = peers[drawn % len(peers)], [name, number]
        if kind == "send":
            try:
                await send(peer, value, topic=topic)
            except (RunEndedError, RunNotFoundError):
                continue
            log.append((f"sent {peer}", topic, value))
        elif kind == "recv":
            got = await recv(topic, timeout=0.002 * (drawn % 10), default=None)
            if got is not None:
                log.append(("got", topic, got))
        else:
            await areplay()
    await areplay()
    return log


def left_in(app: Perdure, run_id: str, topic: str) -> list[Any]:
    """What nobody has received."""
    runtime = app._launched()
    return [runtime.serializer.load(arrival.value) for arrival in arrived(runtime.store, run_id, topic, 10_000)]


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 60))])
def test_what_is_received_is_what_was_sent(app: Perdure, seed: int) -> None:
    """No message is lost, none comes twice, and each sender's come in their order."""
    names = [f"actor {seed}.{number}" for number in range(4)]
    handles = {
        name: perdure.with_options(id=name).start(function, name, 100 * seed + number, names)
        for number, (name, function) in enumerate(zip(names, [actor, aactor] * 2, strict=True))
    }
    for number in range(6):
        try:
            send(names[number % 4], ["outside", number], topic="a")
        except (RunEndedError, RunNotFoundError):
            continue
    sent, got = defaultdict(list), defaultdict(list)
    for name, handle in handles.items():
        for what, topic, value in handle.result(PATIENCE_SECONDS):
            if what == "got":
                got[value[0], name, topic].append(value[1])
            else:
                sent[name, what.removeprefix("sent "), topic].append(value[1])
    for name in names:
        for topic in TOPICS:
            for sender, number in left_in(app, name, topic):
                got[sender, name, topic].append(number)
    assert {key: found for key, found in got.items() if key[0] != "outside"} == sent
    assert all(found == sorted(set(found)) for found in got.values())
