"""At whatever request a process dies that sets events and asks for them, each is said once and answers stay answers."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from perdure._core.flow import Await, Request
from perdure._core.flows.event import Found, get_event, set_event
from perdure._core.lineage import Branch
from perdure._core.run import Run
from perdure._entries import EventSet, Stored
from perdure.stores.open import open_store
from tests.inside.dying import RUN_ID, Died, Life, World, begin, begin_again
from tests.stores.entries import W1, created, finished, join, named_uuid

PEER = "peer"
PEERS_CLAIM = named_uuid("the peer's")


class AskingLife(Life):
    """A life that can ask for events. Each time it looks, the peer has said something new."""

    looks = 0

    def answer(self, run: Run, request: Request) -> Any:
        if not isinstance(request, Await):
            return super().answer(run, request)
        self.world.requests += 1
        if self.world.requests == self.dies_at:
            if self.keeps_unsettled:
                self.commit()
            raise Died
        [seen] = self.world.store.said.events([(request.wait.run_id, request.wait.what)])
        assert seen.is_final or request.due_at is not None, "it would wait for ever"
        return seen if seen.is_final else None


def say(world: World, number: int) -> None:
    """The peer says the next thing."""
    entry = EventSet(
        PEER, PEERS_CLAIM, f"e{number}", f"{number}", "event", "said", "f", False, Stored("json", str(number))
    )
    world.store.apply(W1, [entry])


def program(life: AskingLife, branch: Branch) -> Generator[Request, Any, list[Any]]:
    """Says, asks, says what it was told, asks in vain, and says it again."""
    got: list[Any] = []
    for name in ("first", "second"):
        yield from set_event(life.run, branch.next_key(), name, len(got), is_instant=False)
        found = yield from get_event(life.run, branch.next_key(), PEER, "said")
        assert isinstance(found, Found)
        got.append(found.value)
        yield from life.step(branch.next_key(), name)
        yield from set_event(life.run, branch.next_key(), "told", got[-1], is_instant=False)
    key, limit = branch.next_key(), branch.next_key()
    got.append((yield from get_event(life.run, key, PEER, "never", own_limit=(limit, 0.0))))
    got.append((yield from get_event(life.run, branch.next_key(), "nobody", "said")))
    yield from set_event(life.run, branch.next_key(), "told", "the end", is_instant=False)
    return got


def live(life: AskingLife) -> list[Any]:
    """The only branch, to its end."""
    flow = program(life, Branch(life.run, is_async=True))
    try:
        request = next(flow)
        while True:
            assert life.may_go_on(request)
            request = flow.send(life.answer(life.run, request))
    except StopIteration as stop:
        life.commit()
        return stop.value  # type: ignore[no-any-return]  # the program's list


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a worker and a run to ask."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.apply(W1, [created(PEER, queue="nobody's", held_as=PEERS_CLAIM)])
    store.close()
    return path


def check_death(template: Path, path: Path, *, dies_at: int, keeps: bool) -> bool:
    """A life that dies there, and one that goes on; whether it came to its death."""
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    say(world, 1)
    has_died = False
    try:
        got = live(AskingLife(world, first, dies_at=dies_at, keeps_unsettled=keeps))
    except Died:
        has_died = True
        was_recorded = [row.outcome.text for row in world.store.runs.checkpoints(RUN_ID) if row.kind == "get_event"]
        say(world, 2)
        begin_again(world, second, first)
        got = live(AskingLife(world, second, dies_at=0, keeps_unsettled=False))
        assert [str(value) for value in got[: min(len(was_recorded), 2)]] == was_recorded[:2]
    assert got[2:] == [None, Found(missing="")]
    assert set(got[:2]) <= {1, 2}
    events = {key: world.store.said.all_events(RUN_ID)[key].text for key in ("first", "second", "told")}
    assert events == {"first": "0", "second": "1", "told": '"the end"'}
    assert [row.kind for row in world.store.runs.checkpoints(RUN_ID)].count("event") == 5
    world.store.apply(W1, [finished(PEER, PEERS_CLAIM)])
    world.store.close()
    return has_died


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_events_survive_a_death_at_every_request(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Each is said once, and what was answered stays the answer though the other run has said more since."""
    dies_at = 1
    while check_death(template, tmp_path / f"{dies_at}.db", dies_at=dies_at, keeps=keeps):
        dies_at += 1
    assert dies_at > 15
