"""At whatever request of a round the process dies, the next life goes on with that round, or with the one that follows.

The flows, the run and its order are the real ones, the store is SQLite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perdure._core.flow import Commit, Flow, Request
from perdure._core.flows.renewal import renew
from perdure._core.flows.step import run_step
from perdure._core.run import Run
from perdure._core.step_call import StepCall
from perdure._entries import RunReleased, Stored
from perdure.stores.claimed import ClaimRequest
from perdure.stores.open import open_store
from tests.inside.dying import NAME, RUN_ID, SERIALIZER, STEP, Died, Life, World, begin
from tests.stores.entries import W1, join, named_uuid

ROUNDS = 3


class RoundLife(Life):
    """One claim, which executes one round."""

    def answer(self, run: Run, request: Request) -> Any:
        """Answer, or die; the commit that ends the life is there or is not."""
        if not isinstance(request, Commit):
            return super().answer(run, request)
        self.world.requests += 1
        dies = self.world.requests == self.dies_at
        if not dies or self.keeps_unsettled:
            self.commit()
            self.world.store.apply(W1, [request.entry])
        if dies:
            raise Died
        return None

    def execute(self, number: int) -> Flow[None]:
        """A step, and the end of this life."""
        run = self.run
        stored, args, kwargs = SERIALIZER.accept_arguments((f"round {number}",), {}, what="an argument")
        yield from run_step(StepCall(run, STEP, f"{run.root_path}0", args, kwargs, SERIALIZER.fingerprint(stored)))
        if number + 1 < ROUNDS:
            yield from renew(run, Stored("json", f"[{number + 1}]"))
        else:
            yield Commit(run.finished("succeeded", Stored("json", str(number))))


def live(world: World, claim: str, *, dies_at: int, keeps_unsettled: bool, held: bool) -> None:
    """One life; puts back what an earlier one held."""
    number, rounds = 0, 0
    if not held:
        [claimed] = world.store.claim(W1, ClaimRequest({"": 1}, [NAME]), [claim]).runs
        [number], rounds = json.loads(claimed.input.text) or [0], claimed.rounds
    life = RoundLife(world, claim, dies_at=dies_at, keeps_unsettled=keeps_unsettled)
    life.run.rounds = rounds
    flow = life.execute(number)
    request = next(flow)
    try:
        while True:
            request = flow.send(life.answer(life.run, request))
    except StopIteration:
        return
    except Died:
        flow.close()
        world.store.apply(W1, [RunReleased(RUN_ID, claim)])
        raise


@pytest.mark.parametrize("keeps_unsettled", [False, True])
@pytest.mark.parametrize("dies_in", range(ROUNDS))
def test_a_death_at_every_request(tmp_path: Path, keeps_unsettled: bool, dies_in: int) -> None:
    """Each round's body runs once, but for the one that was cut off; its number and key say which it is."""
    for dies_at in range(1, 20):
        store = open_store(str(tmp_path / f"{dies_at}.db"))
        store.migrate()
        join(store, W1)
        world = World(store)
        has_died = False
        begin(world, named_uuid("claim 0"))
        lives = 0
        while not store.runs.ended([RUN_ID]):
            dies = dies_at if lives == dies_in and not has_died else 0
            try:
                live(world, named_uuid(f"claim {lives}"), dies_at=dies, keeps_unsettled=keeps_unsettled, held=not lives)
            except Died:
                has_died = True
            lives += 1
            assert lives < 9
        [ended] = store.runs.ended([RUN_ID])
        assert ended.output is not None
        assert (ended.state, ended.output.text) == ("succeeded", str(ROUNDS - 1))
        assert set(world.bodies) == {"0", "1:0", "2:0"}
        assert sum(world.bodies.values()) <= ROUNDS + has_died
        assert [row.key for row in store.runs.checkpoints(RUN_ID)] == ["2:0"]
        store.close()
        if not has_died:
            return
    raise AssertionError("there are more requests than that")
