"""A step that may run at most once, and a function that is asked what became of it: a death at every request."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from perdure import StepInterruptedError, StepNotDoneError, step
from perdure._core.flow import Attempt, Request
from perdure._core.flows.step import run_step
from perdure._core.run import Run
from perdure._core.step_call import step_call
from perdure.stores.open import open_store
from tests.identity.test_every_death import template as template  # a fixture
from tests.inside.dying import Died, Life, World, begin, begin_again
from tests.stores.entries import named_uuid

effects: list[str] = []


def find(name: str) -> str:
    """It asks the other side."""
    if name in effects:
        return "found"
    raise StepNotDoneError


@step(at_most_once=True, reconcile=find, name="reconciling:effect")
def effect(name: str) -> str:
    """What must not happen twice."""
    effects.append(name)
    return "done"


@step(at_most_once=True, name="reconciling:alone")
def unknown(name: str) -> str:
    """The same, and nobody can be asked."""
    effects.append(name)
    return "done"


class Mortal(Life):
    """It may die at the end of a body, too: what the body did has happened."""

    dies_late = False

    def answer(self, run: Run, request: Request) -> Any:
        is_last = self.world.requests + 1 == self.dies_at
        if is_last and self.dies_late and isinstance(request, Attempt):
            request.call.definition.function(*request.call.args)
        return super().answer(run, request)


def lives(
    template: Path, path: Path, function: Any, deaths: list[int], *, keeps: bool, dies_late: bool
) -> tuple[object, bool]:
    """Lives that die at these requests, then one that does not: the outcome, and whether all of them have died."""
    effects.clear()
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    claim = named_uuid("life 0")
    begin(world, claim)
    have_died = True
    for number, dies_at in enumerate([*deaths, 0], 1):
        life = Mortal(world, claim, dies_at=dies_at, keeps_unsettled=keeps)
        life.dies_late = dies_late
        flow = run_step(step_call(life.run, function.__perdure__, "0", ("it",), {}))
        try:
            request = next(flow)
            while True:
                request = flow.send(life.answer(life.run, request))
        except Died:
            life, claim, dead = None, named_uuid(f"life {number}"), claim
            begin_again(world, claim, dead)
        except StopIteration as end:
            have_died &= number > len(deaths)
            life.commit()
            world.store.close()
            return end.value, have_died
        except StepInterruptedError as error:
            have_died &= number > len(deaths)
            world.store.close()
            return error, have_died
    raise AssertionError("the last life died")


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
@pytest.mark.parametrize("dies_late", [True, False], ids=["after the effect", "before the effect"])
def test_what_became_of_a_step_is_asked_and_it_happens_once(
    template: Path, tmp_path: Path, keeps: bool, dies_late: bool
) -> None:
    """Died once or twice, at every pair of requests, in the body or in the question: one effect, and its outcome."""
    number = pairs = 0
    for first in range(1, 20):
        for second in range(1, 20):
            number += 1
            path = tmp_path / f"{number}.db"
            outcome, have_died = lives(template, path, effect, [first, second], keeps=keeps, dies_late=dies_late)
            assert effects == ["it"], (first, second)
            assert outcome in ("done", "found")
            if not have_died:
                break
            pairs += 1
    assert pairs >= 9


def test_without_a_question_what_is_not_known_is_said(template: Path, tmp_path: Path) -> None:
    """Its effect has happened or not; it is not repeated."""
    seen = set()
    for dies_at in range(1, 20):
        outcome, has_died = lives(template, tmp_path / f"{dies_at}.db", unknown, [dies_at], keeps=False, dies_late=True)
        assert effects.count("it") <= 1
        seen.add(type(outcome))
        if not has_died:
            break
    assert seen == {str, StepInterruptedError}
