"""At whatever request the process dies, a step goes on from what its body has saved last, and nothing is left of it.

The flows, the run and its order are the real ones, the store is SQLite; a save is committed when it returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure._core.flow import Attempt, CatchUp, Request
from perdure._core.flows.saves import saved_entry
from perdure._core.flows.step import run_step
from perdure._core.run import Run
from perdure._core.step_call import StepCall
from perdure._entries import Accepted, Stored
from perdure.stores.open import open_store
from tests.inside.dying import SERIALIZER, STEP, Died, Life, World, begin, begin_again
from tests.stores.entries import W1, join, named_uuid

ROWS = 3


class SavingLife(Life):
    """One claim, whose steps work through some rows each and save after each row."""

    def answer(self, run: Run, request: Request) -> Any:
        """Answer, or die; a body may die before and after each of its saves."""
        if not isinstance(request, Attempt):
            return super().answer(run, request)
        key = request.call.key
        for row in range(int(run.saves[key].text) if key in run.saves else 0, ROWS):
            super().answer(run, CatchUp(""))  # counted, and died at, as any other
            self.world.bodies[f"{key} {row}"] += 1
            stored = Stored("json", str(row + 1))
            [verdict] = self.world.store.apply(W1, [saved_entry(run, key, "dying:body", stored, request.number)])
            assert isinstance(verdict, Accepted)
            run.saves[key] = stored
        return super().answer(run, request)

    def execute(self) -> Any:
        """Two steps."""
        for number in range(2):
            stored, args, kwargs = SERIALIZER.accept_arguments((f"step {number}",), {}, what="an argument")
            yield from run_step(StepCall(self.run, STEP, str(number), args, kwargs, SERIALIZER.fingerprint(stored)))


def live(world: World, claim: str, *, dies_at: int, keeps_unsettled: bool) -> None:
    """One life."""
    life = SavingLife(world, claim, dies_at=dies_at, keeps_unsettled=keeps_unsettled)
    flow = life.execute()
    try:
        request = next(flow)
        while True:
            request = flow.send(life.answer(life.run, request))
    except StopIteration:
        life.commit()


@pytest.mark.parametrize("keeps_unsettled", [False, True])
def test_a_death_at_every_request(tmp_path: Path, keeps_unsettled: bool) -> None:
    """No row that was saved is worked on again."""
    for dies_at in range(1, 40):
        store = open_store(str(tmp_path / f"{dies_at}.db"))
        store.migrate()
        join(store, W1)
        world = World(store)
        first, second = named_uuid("first life"), named_uuid("second life")
        begin(world, first)
        has_died = True
        try:
            live(world, first, dies_at=dies_at, keeps_unsettled=keeps_unsettled)
            has_died = False
        except Died:
            begin_again(world, second, first)
            live(world, second, dies_at=0, keeps_unsettled=True)
        rows = {name: count for name, count in world.bodies.items() if " " in name}
        assert set(rows) == {f"{step} {row}" for step in range(2) for row in range(ROWS)}
        assert set(rows.values()) == {1}, (dies_at, rows)
        assert [row.key for row in store.runs.checkpoints("r") if row.kind == "saved"] == []
        store.close()
        if not has_died:
            return
    raise AssertionError("there are more requests than that")
