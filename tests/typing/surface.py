"""What type checkers see of the surface: decorated functions keep their signatures, handles carry the result's type.

Never run; `make check` reads it with mypy and pyright, both strict. A line with an ignore proves an error: both
checkers report ignores that are not needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from datetime import timedelta
from functools import partial
from typing import Any, assert_type

import perdure
from perdure import Handle, Queue, Retry, start, step, workflow
from perdure.integrations import fastapi, flask, starlette


# -- decorators keep the signature -------------------------------------------------------------------------------------
@step
def bare_step(text: str, *, times: int = 1) -> int:
    return len(text) * times


@step(retries=Retry(attempts=5, initial_seconds=0.5, factor=2.0, max_seconds=60, jitter=True, on=(OSError,)))
def retried_step(text: str) -> int:
    return len(text)


@step(isolation="process", memory=1 << 30, timeout=60)
def isolated_step(text: str) -> int:
    return len(text)


@step(timeout=10.0, name="named", at_most_once=False)
async def async_step(text: str) -> bytes:
    return text.encode()


@workflow
def bare_workflow(texts: list[str]) -> int:
    assert_type(bare_step("a", times=2), int)
    return sum(bare_step(text) for text in texts)


@workflow(name="optional", max_attempts=3)
async def async_workflow(text: str) -> bytes:
    return assert_type(await async_step(text), bytes)


class Library:
    """Methods, class methods and static methods are decorated like functions."""

    @step
    def count(self, text: str) -> int:
        return len(text)

    @workflow(name="counts")
    async def counts(self, texts: list[str]) -> list[int]:
        return [self.count(text) for text in texts]

    @classmethod
    @step
    def named(cls, name: str) -> str:
        return name

    @staticmethod
    @step(name="shout")
    def shout(text: str) -> str:
        return text.upper()


async def calls(library: Library) -> None:
    """A call has the type of the function's own result."""
    assert_type(bare_step("a"), int)
    assert_type(retried_step("a"), int)
    assert_type(isolated_step("a"), int)
    assert_type(await async_step("a"), bytes)
    assert_type(bare_workflow(["a"]), int)
    assert_type(await async_workflow("a"), bytes)
    assert_type(library.count("a"), int)
    assert_type(await library.counts(["a"]), list[int])
    assert_type(Library.named("a"), str)
    assert_type(Library.shout("a"), str)

    bare_step(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    bare_step()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    bare_step("a", often=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await async_workflow(b"a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    library.count(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- handles carry the result ------------------------------------------------------------------------------------------
async def handles(library: Library) -> None:
    """`start` gives a handle of the result's type; for async functions of the awaited type."""
    handle = start(bare_workflow, ["a"])
    assert_type(handle, Handle[int])
    assert_type(handle.result(timeout=1.0), int)
    assert_type(await handle, int)
    future: Future[int] = handle
    assert_type(future.result(), int)

    assert_type(start(async_workflow, "a"), Handle[bytes])
    assert_type(start(async_step, text="a"), Handle[bytes])
    assert_type(start(library.count, "a"), Handle[int])

    assert_type(perdure.with_options(id="1").start(bare_workflow, ["a"]), Handle[int])
    assert_type(perdure.with_options(id="1").start(async_workflow, "a"), Handle[bytes])

    start(bare_workflow, "a", 1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    start(bare_workflow)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


# -- a registered class stays what it is -------------------------------------------------------------------------------
@perdure.register
class Registered:
    """Bare, as a decorator."""

    number: int = 1


@perdure.register(aliases=["old.module:Renamed"])
class Renamed:
    """With options."""

    number: int = 1


def to_text(value: Registered) -> str:
    return str(value.number)


def registered() -> None:
    """Class and instance keep their types; `encode` takes the class, `decode` gives it."""
    assert_type(Registered(), Registered)
    assert_type(Registered().number, int)
    assert_type(Renamed().number, int)
    assert_type(perdure.register(Registered), type[Registered])
    perdure.register(Registered, encode=to_text, decode=lambda text: Registered())
    perdure.register(Renamed, encode=to_text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- a queue is an executor --------------------------------------------------------------------------------------------
def takes_any_executor(executor: Executor) -> None:
    """Code that was written for a pool."""
    assert_type(executor.submit(bare_step, "a"), Future[int])


async def queues() -> None:
    """`submit` and `map` check the function's own arguments; options never mix with them."""
    queue = Queue("indexing")
    takes_any_executor(queue)
    assert_type(queue.submit(bare_step, "a", times=2), Handle[int])
    assert_type(queue.submit(async_workflow, "a"), Handle[bytes])
    assert_type(await queue.asubmit(bare_step, "a"), Handle[int])
    assert_type(queue.map(bare_step, ["a", "b"]), Iterator[int])
    assert_type(queue.with_options(priority=-1).submit(bare_step, "a"), Handle[int])
    assert_type(queue.with_options(id="1", delay=2.0).submit(async_step, "a"), Handle[bytes])

    queue.submit(bare_step, 1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    # mypy calls this one arg-type or call-arg, as its cache will have it
    queue.submit(bare_step, "a", priority=1)  # type: ignore  # pyright: ignore[reportCallIssue]
    queue.with_options(priority=-1).submit(bare_step, 1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


# -- steps without a decorator, settings -------------------------------------------------------------------------------
def plain(text: str, times: int = 1) -> int:
    return len(text) * times


async def aplain(text: str) -> bytes:
    return text.encode()


async def calls_without_decorator() -> None:
    """`call` checks the function's positional arguments and knows its result; options are keywords."""
    assert_type(perdure.call("plain", plain, "a"), int)
    assert_type(perdure.call("plain", plain, "a", 2, retries=Retry(attempts=5)), int)
    assert_type(await perdure.call("plain", aplain, "a", timeout=timedelta(seconds=3)), bytes)
    assert_type(perdure.with_options(id="1").call(bare_workflow, ["a"]), int)
    assert_type(await perdure.with_options(id="1").call(async_workflow, "a"), bytes)

    perdure.call("plain", plain, 1)  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportCallIssue]
    perdure.with_options(prio=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    perdure.launch("perdure.db", poll_seconds=timedelta(seconds=1), concurrency=4)
    perdure.launch("perdure.db", poll=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    perdure.launch("perdure.db", poll_seconds="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- clients, finding runs ---------------------------------------------------------------------------------------------
def clients(client: perdure.Client) -> None:
    """Handles know the type of the result, as those of a queue do; of a name alone nothing is known."""
    assert_type(client.submit(bare_workflow, ["a"]), Handle[int])
    assert_type(client.with_options(queue="q", attributes={"customer": 1}).submit(async_workflow, "a"), Handle[bytes])
    by_name: Handle[int] = client.submit("app:work", 1, 2, three=3)
    by_name.result()
    assert_type(client.runs.list(status="failed", since=timedelta(hours=1), attributes={"a": 1}), perdure.RunPage)
    assert_type(client.runs.cancel("id"), bool)
    assert_type(perdure.runs.cancel(workflow=bare_workflow, dry_run=True), perdure.Affected)
    assert_type(perdure.runs.get("id"), perdure.RunDetails)
    assert_type(perdure.runs.errors("id"), Mapping[str, str])
    perdure.launch("perdure.db", serve=["a", Queue("b")])
    perdure.set_attributes({"a": 1, "b": None})

    client.submit(bare_step, 1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    client.runs.list(state="failed")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.runs.list(status="done")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def serves_requests() -> None:
    """The options of the web frameworks' endpoints are known, and what the request is."""
    fastapi.durable_endpoint(bare_workflow, name="a", answer_within=1, scope=lambda request: request.method)
    starlette.durable_endpoint(status_at="/a", require_key=True, streams=["a"], streams_at="/b")

    starlette.durable_endpoint(within=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    fastapi.durable_endpoint(name=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    fastapi.durable_endpoint(scope=str.upper)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    flask.durable_endpoint(streams=["a"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def asteers(client: perdure.Client) -> None:
    """By id and by filter, as without a loop."""
    assert_type(await client.runs.acancel("id"), bool)
    assert_type(await perdure.runs.apause(workflow=bare_workflow, dry_run=True), perdure.Affected)
    assert_type(await perdure.runs.afork("id", "step"), Handle[Any])
    assert_type(await perdure.runs.adelete("id"), int)

    await client.runs.apause(state="failed")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def several(handles: list[Handle[int]]) -> None:
    """`wait` gives what it found, and `await wait` the same."""
    assert_type(perdure.wait(handles, timeout=3).done, list[Handle[int]])


def gathers(handles: list[Handle[int]], text: Handle[str]) -> None:
    """What the runs give, each at its place, or all of one type; `first` a handle of what it may give."""
    number = handles[0]
    one, other = perdure.gather(number, text)
    assert_type((one, other), tuple[int, str])
    assert_type(perdure.gather(number, text, number, text, number, text, text)[6], str)
    assert_type([value + 1 for value in perdure.gather(*handles)], list[int])
    assert_type([*perdure.gather(partial(bare_step, "a"), partial(bare_step, "b"))], list[int])
    assert_type([*perdure.gather(*handles, policy=perdure.Policy(failures=1))], list[int | BaseException])
    assert_type(perdure.gather(number, partial(bare_step, "a")), Any)
    assert_type(perdure.first(*handles, timeout=1).result(), int)
    assert_type(perdure.first(number, text, timeout=1).result(), int | str)


async def agathers(handles: list[Handle[int]], text: Handle[str], task: asyncio.Task[bytes]) -> None:
    """The same, awaited; with coroutines and tasks."""
    assert_type(await perdure.gather(text, async_step("a"), task), tuple[str, bytes, bytes])
    assert_type(await perdure.gather(*handles), list[int])
    assert_type(await perdure.gather(*[async_step("a")]), list[bytes])
    assert_type(await perdure.gather(partial(async_step, "a"), partial(async_step, "b")), list[bytes])
    assert_type(await perdure.gather(task, task, policy=perdure.Policy(failures=1)), list[bytes | BaseException])
    assert_type(await perdure.first(*handles), Handle[int])
    assert_type(await (await perdure.first(handles[0], text)), int | str)


async def aseveral(handles: list[Handle[int]], tasks: list[asyncio.Task[str]]) -> None:
    """Tasks are waited for on an event loop only, so `first` of tasks is a coroutine."""
    assert_type((await perdure.wait(handles)).pending, list[Handle[int]])
    assert_type(await perdure.first(*tasks), asyncio.Task[str])
    async for handle in perdure.as_completed(handles):
        assert_type(handle, Handle[int])


# -- hooks -------------------------------------------------------------------------------------------------------------
async def hooks(client: perdure.Client) -> None:
    """An answer is of the type that was asked for; of a union nobody can tell."""
    assert_type(perdure.hook(bool).wait(), bool)
    assert_type(await perdure.hook(Retry, timeout=timedelta(days=1)), Retry)
    assert_type(perdure.hook().wait(), Any)
    await perdure.resolve("token", 1, key="k")
    await perdure.reject("token", ValueError())
    assert_type(client.resolve("token", 1), None)
    assert_type(client.runs.hooks(limit=3)[0].token, str)

    perdure.hook(bool, timeout="1")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    perdure.reject("token", 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
