"""Askers and answerers that wait, answer, reject, time out and are replayed at random, against a small model.

The model of a hook: the first answer that was accepted is what its asker got, and nothing else; where none was, it is
that nobody came in time.
"""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

import perdure
from perdure import HookClosedError, HookRejectedError, HookResolvedError, Perdure, hook, reject, resolve, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay, until

HOOKS = 6
SECONDS = 0.3


def limits(seed: int) -> list[float]:
    """How long each of an asker's hooks is open."""
    chance = random.Random(seed)  # noqa: S311  # a program
    return [SECONDS * chance.random() if chance.random() < 0.6 else 60.0 for _ in range(HOOKS)]


@workflow
def asks(name: str, seed: int) -> list[Any]:
    """Opens all at once, and waits for one after the other."""
    opened = [hook(int, token=f"{name} {n}", timeout=limit, default="nobody") for n, limit in enumerate(limits(seed))]
    got: list[Any] = []
    for number, one in enumerate(opened):
        if (seed + number) % 4 == 0:
            replay()
        try:
            got.append(one.wait())
        except HookRejectedError as error:
            got.append(str(error))
    replay()
    return got


@workflow
async def aasks(name: str, seed: int) -> list[Any]:
    """The same, async."""
    opened = [hook(int, token=f"{name} {n}", timeout=limit, default="nobody") for n, limit in enumerate(limits(seed))]
    got: list[Any] = []
    for number, one in enumerate(opened):
        if (seed + number) % 4 == 0:
            await areplay()
        try:
            got.append(await one)
        except HookRejectedError as error:
            got.append(str(error))
    await areplay()
    return got


def answer_all(names: list[str], seed: int, accepted: list[tuple[str, Any]]) -> None:
    """Each hook of each asker, in an order of its own; what was accepted is noted."""
    chance = random.Random(seed)  # noqa: S311  # a program
    tokens = [f"{name} {number}" for name in names for number in range(HOOKS)]
    chance.shuffle(tokens)
    for token in tokens:
        value = chance.randrange(1000)
        try:
            if value % 5:
                resolve(token, value)
            else:
                reject(token, f"no {value}")
        except (HookResolvedError, HookClosedError):
            continue
        accepted.append((token, value if value % 5 else f"no {value}"))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 60))])
def test_what_was_accepted_is_what_was_got(app: Perdure, seed: int) -> None:
    """Of three who answer everything at once, one is accepted, or the timeout is."""
    names = [f"asker {seed}.{number}" for number in range(2)]
    handles = {
        name: perdure.with_options(id=name).start(function, name, 10 * seed + number)
        for number, (name, function) in enumerate(zip(names, (asks, aasks), strict=True))
    }
    for name in names:
        until(lambda name=name: len(perdure.runs.get(name).hooks) == HOOKS)  # type: ignore[misc]  # bound here
    accepted: list[tuple[str, Any]] = []
    threads = [threading.Thread(target=answer_all, args=(names, 10 * seed + n, accepted)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    model = dict(accepted)
    assert len(model) == len(accepted)
    for name, handle in handles.items():
        expected = [model.get(f"{name} {number}", "nobody") for number in range(HOOKS)]
        assert handle.result(PATIENCE_SECONDS) == expected
