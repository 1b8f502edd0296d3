"""`on_update`: what a workflow does when somebody asks it to, while it goes on or waits.

What serves the updates is a branch of the run like those that its own code opens: in an async run a task, in a sync run
a thread. So an update is accepted when the run is at rest, has its place in the run's order, and is replayed in it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, Final

from .._core.definitions import DEFINITIONS
from .._core.flow import Outcome, adrive, drive
from .._core.flows.update import Asked, answer, next_update
from .._core.given import text_name
from .._core.handlers import Handlers, UpdateHandler, known
from .._core.lineage import Branch, scope
from .._core.run import Run
from .._engine.hosting.asyncio.state import loop_state
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.hosting.host import error_of
from .._engine.hosting.reading import look_only
from .._engine.hosting.threads.state import thread_state
from ..errors import PerdureError, UsageError
from .recorded_values import Done
from .steps import is_coroutine_function
from .threads import BranchFuture, Job, hold_first, release_joining, threads_of

BRANCH: Final = "perdure:updates"
"""The name of the branch that serves them."""

_learned: set[tuple[str, str, int]] = set()


def on_update(name: str, fn: Callable[..., Any], *, validate: Callable[..., Any] | None = None) -> None:
    """From here on, whoever asks by `handle.update(name, *args)` has `fn(*args)` called in this run, and is told what
    it returns or raises.

    For workflows, mostly in their first lines. `validate(*args)` may refuse by raising: the asker gets
    `UpdateRefusedError`, and the run's history knows nothing of it. Else the update is accepted, which is durable: it
    is done once however often the process dies, at the same place among the run's other calls at every replay, when
    none of the run's own code is at work. `fn` is a plain function, or in an async workflow a coroutine function, which
    runs beside the workflow and other updates; both may call steps. Before the workflow ends with a value, it waits for
    what was accepted. Names that are asked for and not registered when the run looks are refused; what is asked before
    the first `on_update` waits. Registered again, the name has the new function. What ends the program
    (`sys.exit`) ends the run's attempt in either function, as in a step.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError("on_update() is for the code of workflows: register what a run does when it is asked there")
    branch = own_branch(here)
    run = branch.run
    run.check_alive()
    name = text_name(name, "on_update: name")
    check_handler(fn, f"on_update({name!r}): fn", may_be_async=branch.is_async)
    if validate is not None:
        check_handler(validate, f"on_update({name!r}): validate", may_be_async=False)
    learn_types(fn)
    handlers = handlers_of(run)
    handlers.updates[name] = UpdateHandler(fn, validate, is_coroutine_function(fn))
    if handlers.serving is None:
        begin = serve_on_loop if branch.is_async else serve_in_thread
        begin(branch, handlers)


def finish_updates() -> Awaitable[None]:
    """Wait until every update that the run has accepted is done. `await` it in an async workflow.

    For a workflow that gives what its updates have changed to `continue_as_new`, right after it: between the two
    nothing is accepted. A workflow that returns need not call it. What is accepted meanwhile is waited for as well; the
    run may be parked, and `perdure.timeout` ends the wait in an async workflow alone. Raises `UsageError` outside a
    workflow's own code, and in one of its branches: an update would wait for itself.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError(
            "finish_updates() is for the code of workflows: it waits for what their run has been asked to do"
        )
    branch = own_branch(here)
    run = branch.run
    run.check_alive()
    if branch.path != run.root_path:
        raise UsageError(
            f"finish_updates() in a branch of run {run.run_id} ({branch.path.rstrip('/')}) could wait for itself: "
            "call it in the workflow's own code"
        )
    if run.handlers is None or run.handlers.finish is None:
        return Done()
    return run.handlers.finish() or Done()


def check_handler(fn: object, what: str, *, may_be_async: bool) -> None:
    """A function that can be called where it is to be. Raises `UsageError`."""
    if not callable(fn):
        raise UsageError(f"{what}: give a function, not a {type(fn).__name__}")
    if is_coroutine_function(fn) and not may_be_async:
        raise UsageError(f"{what}: give a plain function; a coroutine function only to on_update in an async workflow")


def learn_types(fn: Any) -> None:
    """The types in its annotations are known from now on; once for each place in the program."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    place = (fn.__module__, fn.__qualname__, code.co_firstlineno) if code is not None else None
    if place is not None and place not in _learned:
        _learned.add(place)
        DEFINITIONS.types.learn(fn)


def handlers_of(run: Run) -> Handlers:
    """Of a run whose code has begun to register some."""
    if run.handlers is None:
        run.handlers = Handlers()
    return run.handlers


def refusal_of(run: Run, asked: Asked) -> BaseException | None:
    """Why the run does not do it: there is no such update, its arguments do not fit, or the validator says so."""
    assert run.handlers is not None
    handler = run.handlers.updates.get(asked.name)
    if handler is None:
        return UsageError(f"the run has no update {asked.name!r}; it has {known(run.handlers.updates)}")
    try:
        inspect.signature(handler.fn).bind(*asked.args)
        if handler.validate is not None:
            look_only(run, f"the validator of update {asked.name!r}", handler.validate, copied(run, asked))
    except BaseException as error:
        return error_of(run, error)
    return None


def handler_of(run: Run, key: str, asked: Asked) -> UpdateHandler:
    """The function; it is there for what is accepted now, and should be for what was accepted before."""
    assert run.handlers is not None
    handler = run.handlers.updates.get(asked.name)
    if handler is None:
        run.differ(
            key, f"update {asked.name}", f"no on_update of that name before (there is {known(run.handlers.updates)})"
        )
    return handler


def copied(run: Run, asked: Asked) -> list[Any]:
    """The arguments, for the handler alone: as another process would read them."""
    return run.serializer.load(run.serializer.accept(asked.args, what="the arguments of an update")[0])  # type: ignore[no-any-return]


def called(coroutine: Any, name: str) -> Coroutine[Any, Any, None]:
    """The same, under the name that its branch is to have."""
    coroutine.__qualname__ = name
    return coroutine  # type: ignore[no-any-return]  # Coroutine has no name to set, its implementations do


def serve_on_loop(branch: Branch, handlers: Handlers) -> None:
    """In a task of the run."""
    run = branch.run
    working: set[asyncio.Task[None]] = set()
    serving = called(serve_async(run, working), BRANCH)
    state = loop_state(run)
    handlers.serving = task = asyncio.get_running_loop().create_task(serving)

    async def finish() -> None:
        while working:
            await asyncio.wait(list(working))

    def leave() -> None:
        state.tasks.discard(task)
        state.loop.call_soon(task.cancel, context=Context())

    handlers.finish, handlers.leave = finish, leave


async def serve_async(run: Run, working: set[asyncio.Task[None]]) -> None:
    """One update after the other; those that are coroutines beside each other."""
    here = scope.get()
    assert isinstance(here, Branch)
    branch = own_branch(here)
    while True:
        key = branch.next_key()
        asked = await adrive(next_update(run, key, partial(refusal_of, run)), run)
        if asked is None:
            return
        handler = handler_of(run, key, asked)
        work = do_async(run, handler, asked)
        if not handler.is_async:
            await work
            continue
        task = asyncio.get_running_loop().create_task(called(work, f"{BRANCH}:{asked.name}"))
        working.add(task)
        task.add_done_callback(working.discard, context=Context())


async def do_async(run: Run, handler: UpdateHandler, asked: Asked) -> None:
    """Do it, and record what came of it."""
    here = scope.get()
    assert isinstance(here, Branch)
    branch = own_branch(here)
    try:
        found = handler.fn(*copied(run, asked))
        outcome = Outcome(await found if handler.is_async else found)
    except asyncio.CancelledError:
        run.check_alive()
        outcome = Outcome(error=PerdureError(f"update {asked.name!r} was cancelled by the code of run {run.run_id}"))
    except BaseException as error:
        outcome = Outcome(error=error_of(run, error))
    await adrive(answer(run, branch.next_key(), asked, outcome), run)


def serve_in_thread(branch: Branch, handlers: Handlers) -> None:
    """In a thread of the run."""
    run = branch.run
    inside = branch.fork(BRANCH, is_async=False)
    hold_first(run)
    serving = Serving(run, inside)
    job = Job(serving.serve, inside, BRANCH)
    state = thread_state(run)
    with state.changed:
        state.futures.discard(job.future)
    handlers.serving = serving
    handlers.finish = serving.finish

    def work() -> None:
        job.execute()
        job.end()

    job.begin()
    if not threads_of(run).run(work):
        job.end()
        raise RuntimeError("cannot serve updates after interpreter shutdown")


class Serving:
    """What a thread of a sync run does for its updates: one after the other."""

    def __init__(self, run: Run, branch: Branch) -> None:
        self._run = run
        self._branch = branch
        self._working: BranchFuture[None] | None = None
        """What was accepted last."""

    def finish(self) -> None:
        """Wait, as for another branch, until nothing that was accepted is at work."""
        while (working := self._working) is not None and not working.done():
            working.result()

    def serve(self) -> None:
        """Until the run is interrupted."""
        run = self._run
        while True:
            key = self._branch.next_key()
            asked = drive(next_update(run, key, partial(refusal_of, run)), run)
            if asked is None:
                return
            self._working = working = BranchFuture[None]()
            working.run, working.name = run, asked.name
            try:
                self._do(handler_of(run, key, asked), asked)
            finally:
                working.set_result(None)
                release_joining(run, working.joining)

    def _do(self, handler: UpdateHandler, asked: Asked) -> None:
        try:
            outcome = Outcome(handler.fn(*copied(self._run, asked)))
        except BaseException as error:
            outcome = Outcome(error=error_of(self._run, error))
        drive(answer(self._run, self._branch.next_key(), asked, outcome), self._run)
