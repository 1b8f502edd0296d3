"""At whatever request a process dies that opens hooks, waits and resolves some, no answer is lost or doubled."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from perdure._api.answering import Answer
from perdure._core.answers import shape_of
from perdure._core.flow import Await, CloseHook, Compute, Flow, OpenHook, Outcome, Request
from perdure._core.flows.hook import OpenedHook, await_answer, open_hook
from perdure._core.flows.resolve import resolve
from perdure._core.lineage import Branch
from perdure._core.run import Run
from perdure._entries import Stored, Verdict
from perdure.errors import HookResolvedError
from perdure.stores.open import open_store
from tests.identity.test_messages_at_every_death import TalkingLife
from tests.inside.dying import SERIALIZER, Died, World, begin, begin_again
from tests.stores.entries import W1, join, named_uuid


class AskingLife(TalkingLife):
    """A life that opens hooks too. Somebody outside answers one in between: the first time that it is waited for."""

    def answer(self, run: Run, request: Request) -> Any:
        is_last = self.keeps_unsettled and self.world.requests + 1 == self.dies_at
        if isinstance(request, (CloseHook, OpenHook)) and is_last:
            self.pending.append(request.entry)  # its commit was on the way
        if isinstance(request, (OpenHook, CloseHook, Compute)):
            self.die_in_time()
        match request:
            case OpenHook() if not request.waits:
                self.pending.append(request.entry)
                return None
            case OpenHook() | CloseHook():
                self.commit()
                return self.world.store.apply(W1, [request.entry])[0]
            case Compute():
                return request.work()
        return super().answer(run, request)

    def look(self, run: Run, request: Await) -> Any:
        """Where its answer comes from outside, that comes now."""
        self.commit()
        token = request.wait.what.removeprefix("perdure:hook:")
        if token == "outside":  # noqa: S105  # chosen, for the test
            answer_from_outside(self.world, token, "from outside")
        return super().look(run, request)


def answer_from_outside(world: World, token: str, value: str) -> Verdict:
    """Of any life the same delivery."""
    answer = Answer(token, ["answered", value], what="resolve", key="delivery")
    entry: Any = answer.prepare(world.store, SERIALIZER)
    return world.store.create([entry])[0]


def opening(life: AskingLife, branch: Branch, token: str, seconds: float | None = None) -> Flow[OpenedHook]:
    """A hook, of a token that was chosen."""
    return open_hook(
        life.run,
        branch.next_key(),
        shape_of(str),
        token=token,
        is_chosen=token != "drawn",  # noqa: S105  # as above
        seconds=seconds,
        fingerprint="-",
        is_instant=False,
    )


def resolving(life: AskingLife, key: str, token: str, value: str) -> Flow[BaseException | None]:
    """From inside."""
    answer = Answer(token, ["answered", value], what="resolve", call=key)
    return resolve(life.run, key, token, lambda: answer.prepare(life.world.store, SERIALIZER, life.run.claim), "f")


def program(life: AskingLife, branch: Branch) -> Generator[Request, Any, list[Any]]:
    """Answers its own hook, and once more in vain; is answered from outside; waits in vain."""
    got: list[Any] = []
    own = yield from opening(life, branch, "drawn")
    outside = yield from opening(life, branch, "outside")
    late = yield from opening(life, branch, "late", 0.0)
    got.append((yield from resolving(life, branch.next_key(), own.token, "own")))
    got.append(type((yield from resolving(life, branch.next_key(), own.token, "again"))))
    for hook in (own, outside):
        found = yield from await_answer(hook, branch.next_key())
        assert isinstance(found, Outcome)
        got.append(found.value)
    got.append((yield from await_answer(late, branch.next_key())))
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
    """A database with a worker."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.close()
    return path


def check_death(template: Path, path: Path, *, dies_at: int, keeps: bool) -> bool:
    """A life that dies there, and one that goes on; whether it came to its death."""
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    has_died = False
    try:
        got = live(AskingLife(world, first, dies_at=dies_at, keeps_unsettled=keeps))
    except Died:
        has_died = True
        begin_again(world, second, first)
        got = live(AskingLife(world, second, dies_at=0, keeps_unsettled=False))
    assert got == [None, HookResolvedError, "own", "from outside", None]
    assert [row.outcome for row in world.store.runs.checkpoints("r") if row.kind == "recv"] == [
        Stored("json", text) for text in ('"own"', '"from outside"', "null")
    ]
    late = world.store.finder.hook("late")
    assert late is not None
    assert late.closed_at is not None
    world.store.close()
    return has_died


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_hooks_survive_a_death_at_every_request(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Each answer is given once and received once, and what is too late stays too late."""
    dies_at = 1
    while check_death(template, tmp_path / f"{dies_at}.db", dies_at=dies_at, keeps=keeps):
        dies_at += 1
    assert dies_at > 20
