"""At whatever request a process dies that sends and receives, nothing is lost, nothing comes twice, the order stays."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from perdure._core.flow import Await, Flow, Request, Send
from perdure._core.flows.recv import Message, receive
from perdure._core.flows.send import message_id, send
from perdure._core.inbox import Inbox
from perdure._core.lineage import Branch
from perdure._core.run import Run
from perdure._entries import MessageSent, Verdict
from perdure.errors import RunNotFoundError
from perdure.stores.open import open_store
from tests.inside.dying import RUN_ID, SERIALIZER, Died, Life, World, begin, begin_again
from tests.stores.entries import W1, arrived, created, join, named_uuid, sent

PEER = "peer"


class TalkingLife(Life):
    """A life that can send and receive. What it has sent when it dies may have been committed, and nobody was told."""

    def answer(self, run: Run, request: Request) -> Any:
        if isinstance(request, Send) and self.keeps_unsettled and self.world.requests + 1 == self.dies_at:
            self.send(request)
        if isinstance(request, (Send, Await)):
            self.die_in_time()
            return self.send(request) if isinstance(request, Send) else self.look(run, request)
        return super().answer(run, request)

    def die_in_time(self) -> None:
        """As every request."""
        self.world.requests += 1
        if self.world.requests == self.dies_at:
            if self.keeps_unsettled:
                self.commit()
            raise Died

    def send(self, request: Send) -> list[Verdict]:
        """All that was handed in is committed with it."""
        self.commit()
        return self.world.store.apply(W1, request.entries)

    def look(self, run: Run, request: Await) -> Any:
        """What is there; else it is too late."""
        if run.inbox is None:
            run.inbox = Inbox()
        run.inbox.take_in(request.wait, arrived(self.world.store, RUN_ID, request.wait.what))
        arrival = run.inbox.take(request.wait)
        assert arrival is not None or request.due_at is not None, "it would wait for ever"
        return arrival


def sending(life: TalkingLife, key: str, to: str, *values: str) -> Flow[list[BaseException]]:
    """Messages of one call."""
    entries = [
        MessageSent(to, life.run.claim, message_id("call", RUN_ID, key, str(n)), "a", SERIALIZER.accept(v, what="m")[0])
        for n, v in enumerate(values)
    ]
    return send(life.run, key, entries, SERIALIZER.accept(list(values), what="m")[0])


def program(life: TalkingLife, branch: Branch) -> Generator[Request, Any, list[Any]]:
    """Sends, receives what was sent before, sends to nobody, waits in vain, and receives the rest."""
    got: list[Any] = []
    for number in range(2):
        errors = yield from sending(life, branch.next_key(), PEER, f"{number}", f"{number} too")
        assert errors == []
        found = yield from receive(life.run, branch.next_key(), "a")
        assert isinstance(found, Message)
        got.append(found.value)
    [error] = yield from sending(life, branch.next_key(), "nobody", "x")
    got.append(type(error))
    key, limit = branch.next_key(), branch.next_key()
    got.append((yield from receive(life.run, key, "never", own_limit=(limit, 0.0))))
    found = yield from receive(life.run, branch.next_key(), "a")
    assert isinstance(found, Message)
    return [*got, found.value]


def live(life: TalkingLife) -> list[Any]:
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
    """A database with a worker and a run to send to."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.apply(W1, [created(PEER, queue="nobody's")])
    store.close()
    return path


def values_of(world: World, run_id: str) -> list[Any]:
    """What waits there, in order."""
    return [SERIALIZER.load(arrival.value) for arrival in arrived(world.store, run_id, "a")]


def check_death(template: Path, path: Path, *, dies_at: int, keeps: bool) -> bool:
    """A life that dies there, and one that goes on; whether it came to its death."""
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    world.store.apply(W1, [sent(RUN_ID, name) for name in ("m0", "m1", "m2", "left")])
    has_died = False
    try:
        got = live(TalkingLife(world, first, dies_at=dies_at, keeps_unsettled=keeps))
    except Died:
        has_died = True
        begin_again(world, second, first)
        got = live(TalkingLife(world, second, dies_at=0, keeps_unsettled=False))
    assert got == ["m0", "m1", RunNotFoundError, None, "m2"]
    assert values_of(world, PEER) == ["0", "0 too", "1", "1 too"]
    assert values_of(world, RUN_ID) == ["left"]
    assert [row.kind for row in world.store.runs.checkpoints(RUN_ID)].count("recv") == 4
    world.store.close()
    return has_died


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_messages_survive_a_death_at_every_request(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Each is sent once and received once, in order, and what is too late stays too late."""
    dies_at = 1
    while check_death(template, tmp_path / f"{dies_at}.db", dies_at=dies_at, keeps=keeps):
        dies_at += 1
    assert dies_at > 20
