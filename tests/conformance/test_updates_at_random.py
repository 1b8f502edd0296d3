"""Updates at random, from several askers, to runs that park, work and answer in between: as a small model has it.

The model is a list: each accepted update appends once, where its answer tells; what is refused is not there.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import perdure
from perdure import UpdateRefusedError, WaitTimeoutError, on_query, on_update, recv, send, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, replay

pytestmark = pytest.mark.usefixtures("app")

ASKERS = 3
EACH = 6

_lock = threading.Lock()
effects: list[tuple[str, str]] = []
"""What was done outside: by which run, and what."""


@step
def effect(run_id: str, what: str) -> str:
    """Counted outside."""
    with _lock:
        effects.append((run_id, what))
    return what


def even(what: str, number: int) -> None:
    """Refuses every third."""
    if number % 3 == 2:
        raise ValueError("no")


@workflow
def target() -> list[str]:
    """Does what it is asked, until it is told to end; works by itself in between."""
    done: list[str] = []
    me = perdure.current().run_id

    def do(what: str, number: int) -> int:
        done.append(effect(me, what) if number % 2 else what)
        return len(done)

    on_query("done", lambda: list(done))
    on_update("do", do, validate=even)
    while recv("more"):
        replay()
        effect(me, "own")
    replay()
    return done


@workflow
async def atarget() -> list[str]:
    """The same, async: each update is a task."""
    done: list[str] = []
    me = perdure.current().run_id

    async def do(what: str, number: int) -> int:
        if number % 2:
            await perdure.sleep(0.002)
            effect(me, what)
        done.append(what)
        return len(done)

    on_query("done", lambda: list(done))
    on_update("do", do, validate=even)
    while await recv("more"):
        await areplay()
        effect(me, "own")
    await areplay()
    return done


def ask(run_id: str, name: str, seed: int) -> dict[str, int]:
    """Some updates one after the other, each asked for once or several times; where each stands."""
    chance = random.Random(seed)  # noqa: S311  # a program
    handle, places = perdure.handle(run_id), {}
    for number in range(EACH):
        what = f"{name} {number}"
        for again in range(chance.randrange(1, 4)):
            try:
                timeout = None if again or chance.random() < 0.5 else 0.001
                found = handle.update("do", what, number, key=what, timeout=timeout, type=int)
            except UpdateRefusedError:
                assert number % 3 == 2
            except WaitTimeoutError:
                continue
            else:
                assert places.setdefault(what, found) == found
        if chance.random() < 0.5:
            known = handle.query("done", type=list)
            assert all(known[place - 1] == one for one, place in places.items())
        if chance.random() < 0.3:
            send(handle, 1, topic="more")
    return places


@pytest.mark.parametrize("function", [target, atarget], ids=["sync", "async"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 30))])
def test_what_was_accepted_is_done_once_where_its_answer_says(function: Any, seed: int) -> None:
    """Nothing is lost or done twice, each asker's come in order, and a replay ends with the same."""
    handle = perdure.start(function)
    with ThreadPoolExecutor(ASKERS) as pool:
        asked = [pool.submit(ask, handle.run_id, f"asker {n}", 100 * seed + n) for n in range(ASKERS)]
        found = [one.result(PATIENCE_SECONDS * 2) for one in asked]
    send(handle, 0, topic="more")
    done = handle.result(PATIENCE_SECONDS)
    places = {what: place for one in found for what, place in one.items()}
    assert all(done[place - 1] == what for what, place in places.items())
    wanted = {f"asker {n} {number}" for n in range(ASKERS) for number in range(EACH) if number % 3 != 2}
    assert set(done) == wanted
    assert len(done) == len(wanted)
    mine = [what for run_id, what in effects if run_id == handle.run_id and what != "own"]
    assert sorted(mine) == sorted(what for what in wanted if int(what[-1]) % 2)
    assert handle.query("done") == done
