"""What generated programs are written with: steps, children, a queue, and `observe`.

Every outcome is `tag#nonce`, the nonce drawn by the body: whoever sees another nonce sees the outcome of another
execution. `seen` notes the value as it is and gives back the tag, so that a program's result depends on nothing drawn.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import perdure
from perdure import Queue, Retry
from tests.generated.notes import note

CHANCE = random.Random()  # noqa: S311  # timing
BODY_SECONDS = 0.004
QUEUE = Queue("generated", worker_concurrency=4)
ATTEMPTS: Counter[str] = Counter()

__all__ = [
    "QUEUE",
    "asks",
    "child",
    "compute",
    "count",
    "fail",
    "flaky",
    "never",
    "observe",
    "quick",
    "sync_asks",
    "sync_child",
    "sync_compute",
    "sync_fail",
    "sync_flaky",
    "sync_work",
    "tell",
    "work",
]


class Observer:
    """What this life of a run has seen, in order."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.log: list[str] = []
        note(run, "start")

    def __call__(self, value: object) -> str:
        """Note that the value has reached the workflow's code; its tag."""
        tag = str(value).partition("#")[0]
        self.log.append(tag)
        note(self.run, "seen", str(value))
        return tag


def observe(run: str) -> Observer:
    """The observer of a run."""
    return Observer(run)


def begin(tag: str, what: str = "begin") -> str:
    """Note that a body begins; its key, where it is part of a run."""
    try:
        key = perdure.idempotency_key()
    except perdure.UsageError:
        return ""
    note(key.partition(":")[0], what, key, tag)
    return key


def end(key: str, tag: str) -> str:
    """Note that a body ends; its outcome."""
    value = f"{tag}#{os.urandom(3).hex()}"
    note(key.partition(":")[0], "end", key, tag, value)
    return value


async def nap() -> None:
    """As long as a body takes: sometimes nothing."""
    await asyncio.sleep(CHANCE.choice([0, 0, CHANCE.uniform(0, BODY_SECONDS)]))


@perdure.step
async def work(tag: str) -> str:
    """Takes a moment."""
    key = begin(tag)
    await nap()
    return end(key, tag)


@perdure.step
async def quick(tag: str) -> str:
    """Never suspends."""
    return end(begin(tag), tag)


@perdure.step
async def tell(tag: str, observed: list[str]) -> str:
    """Is told what the workflow has seen: on replay it must be told the same."""
    key = begin(tag)
    await nap()
    return end(key, tag)


@perdure.step
async def fail(tag: str) -> str:
    """Raises."""
    key = begin(tag)
    await nap()
    raise ValueError(end(key, tag))


@perdure.step
async def never(tag: str) -> str:
    """Is there to be cancelled."""
    key = begin(tag)
    await asyncio.sleep(3600)
    return end(key, tag)


def computed(tag: str) -> str:
    """The outcome of a body without effects: that it runs is no sign of anything that its run has seen."""
    begin(tag, "compute")
    return f"{tag}#{os.urandom(3).hex()}"


@perdure.step(pure=True)
async def compute(tag: str) -> str:
    """Has no effects, and gives something else each time."""
    await nap()
    return computed(tag)


@perdure.step(pure=True)
def sync_compute(tag: str) -> str:
    """The same, sync."""
    return computed(tag)


RETRY = Retry(attempts=20, initial_seconds=0.001)
"""More than there are lives: where a machine is slow, the failed attempts of earlier ones are recorded and count."""


def fail_first(key: str, tag: str) -> str:
    """Raises at the first attempt in each process."""
    ATTEMPTS[key] += 1
    if key and ATTEMPTS[key] == 1:
        raise ValueError(tag)
    return end(key, tag)


@perdure.step(retries=RETRY)
async def flaky(tag: str) -> str:
    """Succeeds at the second attempt."""
    key = begin(tag)
    await nap()
    return fail_first(key, tag)


@perdure.step
def count(tag: str) -> str:
    """A sync step that takes no time."""
    return end(begin(tag), tag)


@perdure.step
def sync_work(tag: str) -> str:
    """A sync step that takes a moment."""
    key = begin(tag)
    time.sleep(CHANCE.choice([0, 0, CHANCE.uniform(0, BODY_SECONDS)]))
    return end(key, tag)


@perdure.step
def sync_fail(tag: str) -> str:
    """Raises."""
    raise ValueError(end(begin(tag), tag))


@perdure.step(retries=RETRY)
def sync_flaky(tag: str) -> str:
    """Succeeds at the second attempt."""
    return fail_first(begin(tag), tag)


@perdure.workflow
async def child(tag: str) -> str:
    """Two steps; its value is the second's."""
    await work(f"{tag}.1")
    return await work(f"{tag}")


@perdure.workflow
def sync_child(tag: str) -> str:
    """The same."""
    sync_work(f"{tag}.1")
    return sync_work(f"{tag}")


@perdure.workflow
async def asks(run_id: str, name: str, tag: str) -> object:
    """Asks another run for an update; what came of it."""
    return await perdure.handle(run_id).aupdate(name, tag)


@perdure.workflow
def sync_asks(run_id: str, name: str, tag: str) -> object:
    """The same."""
    return perdure.handle(run_id).update(name, tag)


class PlainHandle:
    """A run without Perdure: a task, or a value that is there already."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._outcome = getattr(function, "__wrapped__", function)(*args)
        if asyncio.iscoroutine(self._outcome):
            self._outcome = asyncio.ensure_future(self._outcome)

    def result(self) -> Any:
        """The value."""
        return self._outcome

    async def wait(self) -> Any:
        """The value."""
        return await self._outcome if asyncio.isfuture(self._outcome) else self._outcome

    def __await__(self) -> Any:
        return self.wait().__await__()


class PlainCompleted:
    """Handles to be gone through in either way."""

    def __init__(self, handles: list[PlainHandle]) -> None:
        self._handles = handles

    def __iter__(self) -> Iterator[PlainHandle]:
        return iter(self._handles)

    async def __aiter__(self) -> AsyncIterator[PlainHandle]:
        for handle in self._handles:
            yield handle


class PlainTalk:
    """What a program has sent, said and registered, without Perdure."""

    run_id = "plain"
    kept: ClassVar[dict[str, list[Any]]] = defaultdict(list)
    updates: ClassVar[dict[str, Any]] = {}

    def __await__(self) -> Iterator[None]:
        yield from ()

    @staticmethod
    def keep(key: str, value: object) -> PlainTalk:
        """Under a key; to be awaited where a loop runs."""
        PlainTalk.kept[key].append(value)
        return PlainTalk()

    @staticmethod
    def take(key: str) -> Any:
        """What is there; to be awaited where a loop runs."""
        return PlainTalk.kept[key].pop(0) if asyncio._get_running_loop() is None else PlainTalk.wait(key)

    @staticmethod
    async def wait(key: str) -> Any:
        """Until it is there."""
        while not PlainTalk.kept[key]:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
        return PlainTalk.kept[key].pop(0)

    @staticmethod
    def ask(run_id: str, name: str, tag: str) -> Any:
        """The update, done at once."""
        return PlainTalk.updates[name](tag)


class PlainPerdure:
    """The module without durability: what a program means is what it does with this one."""

    sleep = staticmethod(perdure.sleep)
    now = staticmethod(perdure.now)
    random = staticmethod(perdure.random)
    uuid4 = staticmethod(perdure.uuid4)
    threads = staticmethod(perdure.threads)

    current = PlainTalk

    @staticmethod
    def send(run_id: str, value: object, topic: str) -> PlainTalk:
        """To oneself."""
        return PlainTalk.keep(topic, value)

    recv = staticmethod(PlainTalk.take)
    set_event = staticmethod(PlainTalk.keep)
    on_update = staticmethod(PlainTalk.updates.__setitem__)

    @staticmethod
    def get_event(run_id: str, key: str) -> Any:
        """Of oneself."""
        return PlainTalk.take(key)

    @staticmethod
    def workflow(function: Any) -> Any:
        """The function itself."""
        return function

    @staticmethod
    def start(function: Any, *args: Any) -> PlainHandle:
        """Begin at once."""
        return PlainHandle(function, args)

    submit = start

    @staticmethod
    async def astart(function: Any, *args: Any) -> PlainHandle:
        """Begin at once."""
        return PlainHandle(function, args)

    asubmit = astart

    @staticmethod
    def as_completed(handles: list[PlainHandle]) -> PlainCompleted:
        """In the order in which they were begun."""
        return PlainCompleted(handles)

    @staticmethod
    def first(*handles: PlainHandle) -> Any:
        """The one that was begun first; to be awaited where a loop runs."""
        return handles[0] if asyncio._get_running_loop() is None else asyncio.sleep(0, handles[0])

    @staticmethod
    def map(function: Any, *columns: Any) -> list[Any]:
        """As `Executor.map`."""
        return [PlainHandle(function, args).result() for args in zip(*columns, strict=True)]


PLAIN = {
    "perdure": PlainPerdure,
    "QUEUE": PlainPerdure,
    "asks": PlainTalk.ask,
    "sync_asks": PlainTalk.ask,
    "child": child.__wrapped__,  # type: ignore[attr-defined]  # what `functools.wraps` sets
    "sync_child": sync_child.__wrapped__,  # type: ignore[attr-defined]
}
"""In the place of the durable ones. A step outside any run is a plain call already."""
