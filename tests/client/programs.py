"""What the clients of the tests submit."""

from __future__ import annotations

import perdure

queue = perdure.Queue("client-tests", worker_concurrency=2)


@perdure.step
def double(number: int) -> int:
    return 2 * number


@perdure.workflow
def quadruple(number: int) -> int:
    return double(double(number))


@perdure.workflow
async def eightfold(number: int) -> int:
    return 2 * await quadruple_async(number)


@perdure.step
async def quadruple_async(number: int) -> int:
    return 4 * number


@perdure.step
def fails(text: str) -> None:
    raise ValueError(text)


@perdure.workflow
def family(count: int) -> list[int]:
    return [handle.result() for handle in [perdure.start(double, number) for number in range(count)]]


tries: list[int] = []


@perdure.step(retries=perdure.Retry(attempts=3, initial_seconds=0.11, jitter=False))
def flaky() -> str:
    tries.append(1)
    if len(tries) < 3:
        raise OSError(f"try {len(tries)}")
    return "at last"


@perdure.workflow
def patient() -> str:
    return flaky()


@perdure.workflow
def submits(url: str) -> None:
    with perdure.Client(url) as client:
        client.submit(double, 1)


@perdure.workflow
def staged(number: int) -> int:
    perdure.set_attributes({"stage": "begun", "number": number})
    result = double(number)
    perdure.set_attributes({"stage": "done", "number": None})
    return result


@perdure.workflow
async def astaged(number: int) -> int:
    perdure.set_attributes({"stage": "begun"})
    result = await quadruple_async(number)
    perdure.set_attributes({"stage": "done"})
    return result


@perdure.step
def sets_in_a_step() -> None:
    perdure.set_attributes({"a": 1})


@perdure.workflow
def sleeps_between(stages: list[str]) -> None:
    for stage in stages:
        perdure.set_attributes({"stage": stage, f"was-{stage}": True})
        perdure.sleep(0.01)
