"""At whatever request a process dies that takes updates, what was accepted is done once, what was refused is not."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from perdure._core.flow import Outcome, Request
from perdure._core.flows.update import TOPIC, Asked, answer, next_update
from perdure._core.lineage import Branch
from perdure._entries import MessageSent, Stored
from perdure.errors import UsageError
from perdure.stores.open import open_store
from tests.identity.test_messages_at_every_death import TalkingLife
from tests.inside.dying import RUN_ID, SERIALIZER, Died, World, begin, begin_again
from tests.stores.entries import W1, join, named_uuid

ASKED = [("add", 1), ("no", 2), ("fail", 3)]
"""What the run is asked, in this order."""


def refuse(asked: Asked) -> BaseException | None:
    """One of them."""
    return UsageError("no") if asked.name == "no" else None


def outcome_of(asked: Asked, before: list[Any]) -> Outcome:
    """What the handler does."""
    if asked.name == "fail":
        return Outcome(error=LookupError("failed"))
    before.append(asked.args[0])
    return Outcome(sum(before))


def program(life: TalkingLife, branch: Branch) -> Generator[Request, Any, list[Any]]:
    """Takes two updates, with a step in each."""
    done: list[Any] = []
    names = []
    for _ in range(2):
        asked = yield from next_update(life.run, branch.next_key(), refuse)
        names.append(asked.name)
        yield from life.step(branch.next_key(), f"{asked.name} {asked.args}")
        yield from answer(life.run, branch.next_key(), asked, outcome_of(asked, done))
    yield from life.step(branch.next_key(), "after")
    return [*names, *done]


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
    """A database with a worker."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.close()
    return path


def ask(world: World) -> list[str]:
    """Send what is asked; the ids."""
    ids = [named_uuid(f"update {number}") for number in range(len(ASKED))]
    entries = [
        MessageSent(RUN_ID, None, message_id, TOPIC, SERIALIZER.accept([name, [value]], what="an update")[0])
        for message_id, (name, value) in zip(ids, ASKED, strict=True)
    ]
    world.store.apply(W1, entries)
    return ids


def told(kind: str | None, answer: Stored | None) -> Any:
    """What the asker would be told."""
    assert answer is not None
    return SERIALIZER.load(answer) if kind == "value" else type(SERIALIZER.load_error(answer))


def check_death(template: Path, path: Path, *, dies_at: int, keeps: bool) -> bool:
    """A life that dies there, and one that goes on; whether it came to its death."""
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    ids = ask(world)
    has_died = False
    try:
        got = live(TalkingLife(world, first, dies_at=dies_at, keeps_unsettled=keeps))
    except Died:
        has_died = True
        begin_again(world, second, first)
        got = live(TalkingLife(world, second, dies_at=0, keeps_unsettled=False))
    assert got == ["add", "fail", 1]
    assert max(world.bodies.values()) <= 1 + has_died
    seen = world.store.said.answers([(RUN_ID, message_id) for message_id in ids])
    assert all(one.is_accepted for one in seen)
    assert [one.kind for one in seen] == ["value", "refusal", "error"]
    assert [told(one.kind, one.answer) for one in seen] == [1, UsageError, LookupError]
    kinds = Counter(row.kind for row in world.store.runs.checkpoints(RUN_ID))
    assert kinds == {"update": 2, "step": 3, "answer": 2}
    world.store.close()
    return has_died


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_updates_survive_a_death_at_every_request(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Each has one outcome, and whoever asks is told that."""
    dies_at = 1
    while check_death(template, tmp_path / f"{dies_at}.db", dies_at=dies_at, keeps=keeps):
        dies_at += 1
    assert dies_at > 15
