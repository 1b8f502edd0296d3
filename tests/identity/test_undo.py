"""What is to be undone is known before it happens: a death at every request of a step that can be undone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from perdure import step
from perdure._api.undoing import undoable_of
from perdure._core.flow import Attempt, Request
from perdure._core.flows.step import run_step
from perdure._core.flows.undo import undo, undoer_id
from perdure._core.run import Run
from perdure._core.step_call import step_call
from perdure._entries import Accepted, Existed
from perdure.stores.open import open_store
from tests.identity.test_every_death import template as template  # a fixture
from tests.inside.dying import RUN_ID, SERIALIZER, Died, Life, World, begin, begin_again
from tests.stores.entries import W1, named_uuid


@step(name="undo:back")
def back(name: str, outcome: str) -> None:
    """What undoes it."""


@step(undo=back, name="undo:forth")
def forth(name: str) -> str:
    """What is undone."""
    return name.upper()


class Watched(Life):
    """It looks, whenever a body begins, at what is committed."""

    def answer(self, run: Run, request: Request) -> Any:
        if isinstance(request, Attempt):
            keys = [row.key for row in self.world.store.runs.checkpoints(RUN_ID)]
            assert f"{request.call.key}~undo" in keys
            assert self.world.store.runs.row(undoer_id(RUN_ID)) is not None
        return super().answer(run, request)

    def commit(self) -> None:
        if self.pending:
            verdicts = self.world.store.apply(W1, self.pending)
            assert all(isinstance(verdict, (Accepted, Existed)) for verdict in verdicts)
        self.pending = []


def program(life: Life) -> Any:
    """Two steps, and something said between them."""
    run = life.run
    first = yield from run_step(step_call(run, forth.__perdure__, "0", ("a",), {}))  # type: ignore[attr-defined]
    stored, _, _ = SERIALIZER.accept_arguments(("said",), {}, what="arguments")
    yield from undo(run, "1", "undo:back", stored, is_instant=False)
    second = yield from run_step(step_call(run, forth.__perdure__, "2", ("b",), {}))  # type: ignore[attr-defined]
    assert (first, second) == ("A", "B")


def live(life: Life) -> bool:
    """Whether it came to the end."""
    flow = program(life)
    try:
        request = next(flow)
        while True:
            request = flow.send(life.answer(life.run, request))
    except Died:
        return False
    except StopIteration:
        life.commit()
        return True


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_at_whatever_request_it_dies_what_has_happened_can_be_undone(
    template: Path, tmp_path: Path, keeps: bool
) -> None:
    """No body begins before its undo, and the run that undoes, are durable; nothing is said twice."""
    has_ended, dies_at = False, 0
    while not has_ended:
        dies_at += 1
        path = tmp_path / f"{dies_at}.db"
        shutil.copy(template, path)
        world = World(open_store(str(path)))
        begin(world, named_uuid("first"))
        has_ended = live(Watched(world, named_uuid("first"), dies_at=dies_at, keeps_unsettled=keeps))
        if not has_ended:
            begin_again(world, named_uuid("second"), named_uuid("first"))
            assert live(Watched(world, named_uuid("second"), dies_at=0, keeps_unsettled=False))
        rows = world.store.runs.checkpoints(RUN_ID)
        outcomes = {row.key: row for row in rows if row.kind == "step"}
        found = [undoable_of(row, outcomes) for row in rows if row.kind == "undo"]
        assert [one and one[0] for one in found] == ["0~undo", "1", "2~undo"]
        world.store.close()
    assert dies_at > 10
