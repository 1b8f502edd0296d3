"""A run that is started anew from any of its records, or forked there, ends as it did."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

import perdure
from perdure import runs

PATIENCE_SECONDS = 60


@perdure.step
async def quick(tag: str) -> str:
    await asyncio.sleep(random.random() * 0.003)  # noqa: S311  # any order will do
    return tag


@perdure.step
def plain(tag: str) -> str:
    return tag


@perdure.workflow
def child(tag: str) -> str:
    return plain(f"in {tag}")


@perdure.workflow
def sequential() -> list[str]:
    """Steps, values, a sleep, a child, an attribute, an event."""
    seen = [plain("a"), str(perdure.random() < 2)]
    perdure.set_attributes({"what": "sequential"})
    perdure.sleep(0.001)
    seen.append(perdure.start(child, "b").result())
    perdure.set_event("done", len(seen))
    return [*seen, plain("c")]


@perdure.workflow
async def branches(seed: int) -> list[str]:
    """Branches that wait for steps, children and times; what each does depends on its name alone."""

    async def branch(tag: str) -> str:
        chance = random.Random(f"{seed} {tag}")  # noqa: S311
        parts = [tag]
        for number in range(chance.randrange(1, 4)):
            kind = chance.choice(["step", "step", "sleep", "child"])
            if kind == "step":
                parts.append(await quick(f"{tag}.{number}"))
            elif kind == "sleep":
                await perdure.sleep(chance.random() * 0.004)
            else:
                parts.append(await (await perdure.astart(child, f"{tag}.{number}")).wait())
        return "+".join(parts)

    return [*(await asyncio.gather(*(branch(str(n)) for n in range(4)))), await quick("end")]


@pytest.fixture(autouse=True)
def app(store_url: str) -> Iterator[None]:
    """Somebody works."""
    with perdure.running(store_url, poll_seconds=0.02, park_after_seconds=0.05):
        yield


def result(run_id: str) -> Any:
    """What the run gives in the life that it is in."""
    return perdure.handle(run_id).result(PATIENCE_SECONDS)


def keys_of(run_id: str) -> list[str]:
    """The calls that the run has recorded."""
    return [step.key for step in runs.get(run_id).steps if step.kind not in ("order", "undo")]


def cut_everywhere(handle: perdure.Handle[Any]) -> None:
    """From each record the run gives the same, and so does a fork."""
    given = handle.result(PATIENCE_SECONDS)
    for key in keys_of(handle.run_id):
        assert runs.fork(handle.run_id, key).result(PATIENCE_SECONDS) == given
        runs.restart(handle.run_id, key)
        assert result(handle.run_id) == given, key
    assert runs.list(status="parked").runs == []


def test_a_sequential_run_is_cut_at_every_record() -> None:
    """Live equals replay, whatever stays."""
    cut_everywhere(perdure.start(sequential))


@pytest.mark.parametrize("seed", range(2))
def test_a_run_with_branches_is_cut_at_every_record(seed: int) -> None:
    """The order of its deliveries is cut inside."""
    cut_everywhere(perdure.start(branches, seed))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100))
def test_many_runs_are_cut_at_every_record(seed: int) -> None:
    """The same, for long."""
    cut_everywhere(perdure.start(branches, 1_000 + seed))


OPERATIONS = ("pause", "resume", "retry", "restart", "cancel", "fork", "delete", "bulk")


def steer(run_id: str, operation: str) -> object:
    """Do it, by id or by a filter; what it answers, or None where something is in the way."""
    with suppress(perdure.SteeringError):
        if operation == "bulk":
            return [getattr(runs, each)(id_prefix=run_id).count for each in ("pause", "resume")]
        if operation == "fork":
            return runs.fork(run_id)
        if operation == "delete":
            return runs.delete(workflow=branches, status="failed").count
        return getattr(runs, operation)(run_id) is not False
    return None


def race(rounds: int, seed: int, counts: Counter[str]) -> None:
    """Three at a time steer a run that executes; in the end it gives what it gives, and so do its forks."""
    handle = perdure.start(branches, seed)
    chance = random.Random(seed)  # noqa: S311
    chosen = [chance.choice(OPERATIONS) for _ in range(rounds)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda operation: (operation, steer(handle.run_id, operation)), chosen))
    counts.update(operation for operation, answer in answers if answer is not None)
    expected = perdure.start(branches, seed).result(PATIENCE_SECONDS)
    assert brought_to_its_end(handle.run_id) == expected
    for _, fork in answers:
        if isinstance(fork, perdure.Handle):
            assert brought_to_its_end(fork.run_id) == expected


def brought_to_its_end(run_id: str) -> Any:
    """What the run gives when it is let go on, whatever was done to it."""
    while (row := runs.get(run_id).run).status not in ("succeeded", "cancelled"):
        assert row.status != "failed"
        assert not row.needs_mend, row.reason
        runs.resume(run_id)
    while row.status == "cancelled":
        try:
            assert runs.retry(run_id)
            break
        except perdure.SteeringError:  # its children are about to end
            assert all(child.status != "failed" for child in runs.list(parent=run_id))
    return result(run_id)


def test_every_operation_is_raced_against_a_run_that_executes() -> None:
    """It is never stuck, and never gives anything else."""
    for seed in range(2):
        race(12, seed, Counter())


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_operation_is_raced_thousands_of_times() -> None:
    """The same, for long."""
    counts = Counter[str]()
    for seed in range(400):
        race(25, seed, counts)
    print(dict(counts))
