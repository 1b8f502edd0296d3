"""Branches of async runs: a task factory that numbers a task when it is created, and the check of who calls.

The factory chains whatever factory the loop had, and leaves every task outside a run alone. One that chains an eager
factory is made by `asyncio.create_eager_task_factory` itself: libraries know an eager loop by that function's code, and
call what constructs its tasks (anyio does, to have tasks that begin later).

A library may also make a task past the loop's factory (LangGraph calls `asyncio.eager_task_factory`, wherever it is).
Such a task gets its branch with its first durable call, from the branch whose context it has: between two deliveries
the run's code does the same each time, so these calls come in the same order.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine
from types import FrameType, GeneratorType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from ...._core.lineage import Branch, StepScope, scope
from ....errors import ForkedError, LineageError, RunInterrupted
from .state import loop_state

BRANCH_OF: WeakKeyDictionary[asyncio.Task[Any], Branch] = WeakKeyDictionary()
"""The branch of every task that a run has made: the truth where a context was passed on by hand. That of its first one
is in the run's `LoopState`.
"""

NOBODY: Final = object()
"""The owner of the branch that a task has in its context which a callback has made: no task."""

_FACTORY_MARK = "__perdure_factory__"
_PLAIN_MARK = "__perdure_plain__"


def install_factory(loop: asyncio.AbstractEventLoop) -> None:
    """Make the loop's tasks open branches when a run creates them. Idempotent."""
    inner = loop.get_task_factory()
    if getattr(inner, _FACTORY_MARK, False):
        return
    constructor = eager_constructor(inner)
    make: Any = inner or asyncio_task
    factory: Any
    if constructor is None:

        def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
            return make_in_run(make, loop, coro, options)

    else:

        def construct(coro: Any, *, loop: asyncio.AbstractEventLoop, **options: Any) -> asyncio.Task[Any]:
            return make_in_run(lambda loop, coro, **more: constructor(coro, loop=loop, **more), loop, coro, options)

        factory = asyncio.create_eager_task_factory(construct)  # type: ignore[attr-defined,unused-ignore]  # 3.12
    setattr(factory, _FACTORY_MARK, True)
    setattr(factory, _PLAIN_MARK, inner is None)
    loop.set_task_factory(factory)


def eager_constructor(factory: Any) -> Any:
    """What constructs the tasks of an eager factory of asyncio; None of any other."""
    eager = getattr(asyncio, "eager_task_factory", None)
    if eager is None or getattr(factory, "__code__", None) is not eager.__code__ or not factory.__closure__:
        return None
    return factory.__closure__[0].cell_contents


def asyncio_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    """A task as a loop makes it that has no factory."""
    return asyncio.Task(coro, loop=loop, **options)


def make_in_run(
    make: Callable[..., asyncio.Task[Any]], loop: asyncio.AbstractEventLoop, coro: Any, options: dict[str, Any]
) -> asyncio.Task[Any]:
    """The task as `make` makes it; a branch where a run's code makes it."""
    here = scope.get()
    if type(here) is not Branch or not here.is_async:
        task = make(loop, coro, **options)
        if type(here) is StepScope:
            here.tasks = here.tasks or WeakSet()
            here.tasks.add(task)
        return task
    parent = creating_branch(here)
    if parent is not None:
        return make_branch_task(parent, make, loop, coro, options)
    return make_within(Branch(here.run, True, owner=NOBODY), make, loop, coro, options)


def make_within(
    branch: Branch,
    make: Callable[..., asyncio.Task[Any]],
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any],
    options: dict[str, Any],
) -> asyncio.Task[Any]:
    """The task, with this branch in its context from its first line on: an eager one begins before it is returned."""
    given: contextvars.Context | None = options.get("context")
    # A copy also of a given one: two tasks in one context would each take the other's branch, or step, for its own.
    context = options["context"] = contextvars.copy_context() if given is None else given.copy()
    context.run(scope.set, branch)
    if branch.owner is None:
        branch.owner = context  # until the task is there, which may be eager: of those that run it alone has this one
    return make(loop, coro, **options)


def begins_later(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a task that is made on the loop runs only when its maker has come to rest: a factory may be eager."""
    return getattr(loop.get_task_factory(), _PLAIN_MARK, False)


def make_first_task(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """A run's first task. In an empty context, and no branch of whoever starts the run, who is not part of it."""
    if begins_later(loop):  # no factory but ours, which would make it so, after asking whose branch it is
        return asyncio.Task(coro, loop=loop, name=name, context=contextvars.Context())
    token = scope.set(None)
    try:
        return loop.create_task(coro, name=name, context=contextvars.Context())
    finally:
        scope.reset(token)


def make_branch_task(
    parent: Branch,
    make: Callable[..., asyncio.Task[Any]],
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any],
    options: dict[str, Any],
) -> asyncio.Task[Any]:
    """A task made by a run's code: a new branch, unless it is the inner task of `wait_for`."""
    maker = asyncio_maker()
    if maker == "as_completed":
        coro.close()
        raise LineageError(
            "asyncio.as_completed on bare coroutines starts them in an order that changes from run to run; make tasks "
            "of them first: asyncio.as_completed([asyncio.create_task(c) for c in coroutines])"
        )
    # From Python 3.12 on `wait_for` makes no task, and the keys must be the same.
    branch = parent if maker == "wait_for" else parent.fork(name_of(coro), is_async=True)
    task = make_within(branch, make, loop, coro, options)
    if branch is not parent:
        branch.owner = task
    enlist_task(task, branch)
    return task


def name_of(coro: Any) -> str:
    """What a branch is called that executes the coroutine; the same whatever the version of Python."""
    name = str(getattr(coro, "__qualname__", type(coro).__qualname__))
    is_wrapped = name.endswith("._wrap_awaitable") or isinstance(coro, GeneratorType)  # wrapped from 3.12 on
    return "_wrap_awaitable" if is_wrapped else name  # of asyncio, around what is no coroutine


def enlist_task(task: asyncio.Task[Any], branch: Branch) -> None:
    """The task is the branch's, and one of its run until it has ended."""
    BRANCH_OF[task] = branch
    if not task.done():
        tasks = loop_state(branch.run).tasks
        tasks.add(task)
        task.add_done_callback(lambda ended: forget_task(ended, tasks), context=contextvars.Context())


def forget_task(task: asyncio.Task[Any], tasks: set[asyncio.Task[Any]]) -> None:
    """The task has ended; that it was interrupted with its run is no error that somebody forgot to look at."""
    tasks.discard(task)
    if not task.cancelled() and isinstance(getattr(task, "_exception", None), RunInterrupted):
        task.exception()


def asyncio_maker() -> str | None:
    """Which function of asyncio is making a task for itself right now, if it is one that matters here."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    while frame is not None and frame.f_globals.get("__name__", "").startswith("asyncio."):
        name = frame.f_code.co_name
        if name in ("wait_for", "as_completed"):
            return name
        if name == "__init__" and type(frame.f_locals.get("self")).__name__ == "_AsCompletedIterator":
            return "as_completed"
        frame = frame.f_back
    return None


def current_task() -> asyncio.Task[Any] | None:
    """The running task, or None where no loop runs in this thread."""
    loop = asyncio._get_running_loop()
    return None if loop is None else _task_of(loop)


if sys.version_info >= (3, 12):
    _task_of = asyncio.current_task
else:  # there it is written in Python, and three times as dear as what it does
    _task_of = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]  # what `current_task` looks into


def creating_branch(here: Branch) -> Branch | None:
    """The branch whose code makes a task right now. None for what a callback makes, since when that runs is no part of
    the program: such a task is no branch, and its durable calls are refused.
    """
    creator = current_task()
    return None if creator is None else branch_of_task(here, creator)


def branch_of_task(here: Branch, task: asyncio.Task[Any]) -> Branch | None:
    """The task's own branch; `here` is that of its context. None for one that no code of the run has made."""
    if here.owner is task:
        return here
    state = loop_state(here.run)
    branch: Branch | None = state.branch if state.root is task else BRANCH_OF.get(task)
    if branch is not None or here.owner is NOBODY:
        return branch
    if here.owner is not None and here.owner is context_of(task):  # it is eager and runs before its maker has it
        branch = here
    elif task.get_loop() is state.loop:
        branch = here.fork(name_of(task.get_coro()), is_async=True)
    else:
        return None
    branch.owner = task
    enlist_task(task, branch)
    return branch


def context_of(task: asyncio.Task[Any]) -> contextvars.Context | None:
    """What the task runs in; None where no task can be eager, before Python 3.12."""
    get_context = getattr(task, "get_context", None)
    return None if get_context is None else get_context()


def own_branch(here: Branch) -> Branch:
    """The branch in which this call is made; `LineageError` where the caller only inherited a run's context."""
    run = here.run
    if run.interruption == "forked":
        raise ForkedError(
            f"run {run.run_id} belongs to the process that forked this one: a child may not continue it. Start what "
            "the child is to do as a run of its own."
        )
    if not here.is_async:
        if here.owner == threading.get_ident() and current_task() is here.within:
            return here
        raise LineageError(
            f"a durable call in run {run.run_id} came from a callback, or from another thread or loop than the run's "
            "own: its place in the run is not defined, and it would run unrecorded. Use perdure.threads() for threads "
            "inside a workflow, and `async def` workflows for event loops."
        )
    task = current_task()
    branch = None if task is None else branch_of_task(here, task)
    if branch is not None:
        return branch
    if asyncio._get_running_loop() is None:
        raise LineageError(
            f"a durable call in run {run.run_id} came from a thread that only inherited the run's context, as "
            "asyncio.to_thread and run_in_executor make them: it would run unrecorded. Call the step from the workflow "
            "itself and make it `async def`, with asyncio.to_thread inside its body; or let it run in a thread of "
            "ours, as a run of its own: `await perdure.start(step, ...)`."
        )
    raise LineageError(
        f"a durable call in run {run.run_id} came from a thread, callback or task that only inherited the run's "
        "context: its place in the run is not defined. Call it from the workflow itself or from a task that it creates."
    )
