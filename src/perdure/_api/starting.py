"""Starting a run of a workflow or step: from outside any run, or as a child of the run that does so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from .._core.definitions import Definition, find_definition
from .._core.flow import Flow, adrive, drive
from .._core.flows.child import check_created, child_id, start_child
from .._core.flows.deduplicated import start_debounced, start_deduplicated
from .._core.lineage import Branch, scope
from .._core.run import Run
from .._core.serialization import Serializer
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.hosting.foreign import needed_loop
from .._engine.ids import fresh_id
from .._engine.journal.lanes import Lane
from .._engine.runtime import Runtime
from .._entries import RunCreated, RunDebounced, Stored, Verdict
from ..errors import NotDurableError, RunInterrupted, StoreError
from ..typing import RunId
from .app import current_runtime, default_app, runtime_of
from .enqueued import aenqueue, check_place, enqueue
from .existing import check_outside, settle_existing
from .handle import Handle
from .many import in_parts, telling
from .options import Submission, explain_misplaced

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def start(function: Any, arguments: Arguments, submission: Submission) -> Handle[Any]:
    """Start a run and return when it is durable; inside a run at once, unless the caller chose the id: then another run
    may have it, and the answer takes a commit, for which it blocks the loop of an async run (`astart` does not).
    """
    return start_all(function, [arguments], submission)[0]


def start_all(function: Any, calls: Iterable[Arguments], submission: Submission) -> list[Handle[Any]]:
    """A run for each of the arguments. Outside a run they share their commits; of those that are checked together none
    is started if any is refused.
    """
    definition = definition_of(function)
    check_place(submission)
    here = scope.get()
    if type(here) is Branch:
        return [start_in_run(own_branch(here), definition, bound(function, call), submission) for call in calls]
    runtime = current_runtime(is_within=submission.connection is not None)
    handles: list[Handle[Any]] = []
    with telling(handles):
        for part in in_parts(calls):
            entries = [make_entry(runtime, definition, bound(function, call), submission) for call in part]
            handles += start_part(runtime, entries, submission)
    return handles


def start_part(runtime: Runtime, entries: Sequence[RunCreated], submission: Submission) -> list[Handle[Any]]:
    """The runs of these entries, once they are durable."""
    if submission.connection is not None:
        return enqueue(runtime, entries, submission)
    with runtime.uncollected.starting([entry.run_id for entry in entries]):
        verdicts = answers_to(runtime, entries)
        return [accept_handle(runtime, entry, verdicts[place], submission) for place, entry in enumerate(entries)]


def answers_to(runtime: Runtime, entries: Sequence[RunCreated]) -> dict[int, Verdict]:
    """Hand them in, and wait: the verdicts by place."""
    answers, together = Answers(len(entries)), Lane()
    handed_in: dict[Lane, int] = {}
    for place, entry in enumerate(entries):
        lane, number = runtime.starts.submit(entry, together, partial(answers.note, place))
        handed_in[lane] = number
    for lane, number in handed_in.items():
        try:
            runtime.journal.wait(lane, number)
        except RunInterrupted:  # the worker lost its right to write; what outsiders made goes again
            continue
        except StoreError:
            if lane.committed < number:
                raise  # else the run was made, and has met this itself since
    return answers.wait()


class Answers:
    """The verdicts on what was handed in together."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._verdicts: dict[int, Verdict] = {}
        self._are_missing = threading.Lock()  # a plain lock: an event is made of three, and mostly nobody waits
        self._are_missing.acquire()

    def note(self, place: int, verdict: Verdict) -> None:
        """One of them. From any thread."""
        self._verdicts[place] = verdict
        if len(self._verdicts) == self._count:
            with suppress(RuntimeError):  # the last two came at the same moment
                self._are_missing.release()

    def wait(self) -> dict[int, Verdict]:
        """All of them, once they are there."""
        if len(self._verdicts) < self._count:
            self._are_missing.acquire()
        return self._verdicts


def start_in_run(branch: Branch, definition: Definition, arguments: Arguments, submission: Submission) -> Handle[Any]:
    """Start a child."""
    run = branch.run
    runtime = runtime_of(run)
    entry = make_child_entry(branch, definition, arguments, submission)
    blocking = runtime.execution.inline_host if branch.is_async and submission.asks_first else None
    flow = starting(run, entry, submission, is_instant=branch.is_async)
    return Handle(runtime, drive(flow, run, blocking))


def starting(run: Run, entry: RunCreated, submission: Submission, *, is_instant: bool = False) -> Flow[RunId]:
    """The flow that starts a child, or finds the run that stands for it."""
    if isinstance(entry, RunDebounced):
        return start_debounced(run, entry, is_instant=is_instant)
    if submission.dedup is not None:
        return start_deduplicated(run, entry, shares=submission.shares_duplicates, is_instant=is_instant)
    return start_child(run, entry, is_named=submission.id is not None, is_instant=is_instant)


async def astart_all(function: Any, calls: Iterable[Arguments], submission: Submission) -> list[Handle[Any]]:
    """`start_all` on an event loop, which goes on meanwhile."""
    needed_loop()
    definition = definition_of(function)
    check_place(submission)
    here = scope.get()
    if type(here) is Branch:
        return [await astart(function, call, submission) for call in calls]
    if here is None and not (app := default_app()).is_launched:
        await asyncio.to_thread(app.launch_unasked)
    runtime = current_runtime(is_within=submission.connection is not None)
    handles: list[Handle[Any]] = []
    with telling(handles):
        for part in in_parts(calls):
            if submission.connection is not None:
                entries = [make_entry(runtime, definition, bound(function, call), submission) for call in part]
                handles += await aenqueue(runtime, entries, submission)
            else:
                handles += await asyncio.to_thread(start_all, function, part, submission)
    return handles


async def astart(function: Any, arguments: Arguments, submission: Submission) -> Handle[Any]:
    """`start` on an event loop, which goes on meanwhile."""
    loop = needed_loop()
    definition = definition_of(function)
    arguments = bound(function, arguments)
    check_place(submission)
    here = scope.get()
    if type(here) is Branch:
        branch = own_branch(here)
        entry = make_child_entry(branch, definition, arguments, submission)
        return Handle(runtime_of(branch.run), await adrive(starting(branch.run, entry, submission), branch.run))
    if here is None and not (app := default_app()).is_launched:
        await asyncio.to_thread(app.launch_unasked)
    runtime = current_runtime(is_within=submission.connection is not None)
    entry = make_entry(runtime, definition, arguments, submission)
    if submission.connection is not None:
        return (await aenqueue(runtime, [entry], submission))[0]
    future: asyncio.Future[Verdict] = loop.create_future()
    with runtime.uncollected.starting([entry.run_id]):
        runtime.starts.submit(entry, Lane(), partial(runtime.wakes.wake, loop, future))
        runtime.execution.loop_host.leaders.of(loop).call(loop)
        verdict = await future
        if submission.on_existing == "return":
            return accept_handle(runtime, entry, verdict, submission)
        return await asyncio.to_thread(accept_handle, runtime, entry, verdict, submission)


def definition_of(function: Any) -> Definition:
    """The definition, or the error that says how to make the function durable."""
    definition = find_definition(function)
    if definition is None:
        name = getattr(function, "__qualname__", None) or repr(type(function).__name__)
        raise NotDurableError(f"{name} cannot be started durably: {why_not_durable(function)}")
    return definition


def why_not_durable(function: Any) -> str:
    """What to do so that the function can be started."""
    if isinstance(inner := getattr(function, "__perdure__", None), Definition):
        return (
            f"another decorator stands above @{inner.kind}, and a start would leave out what that one does. Put "
            f"@{inner.kind} above it"
        )
    if isinstance(function, partial) and find_definition(function.func) is not None:
        return (
            f"it is a partial, which has no name. Give {function.func.__qualname__} and all its arguments to the start"
        )
    if find_definition(vars(type(function)).get("__call__")) is not None:
        return "give its method to the start: `.__call__`"
    return (
        "decorate it with @perdure.workflow (it calls steps) or @perdure.step (it does one thing), so that another "
        "process can find it by name"
    )


def bound(function: Any, arguments: Arguments) -> Arguments:
    """The arguments with what a bound method is bound to in front."""
    bound_to = getattr(function, "__self__", None)
    if bound_to is None or (definition := find_definition(function)) is None or not definition.binds:
        return arguments
    return (bound_to, *arguments[0]), arguments[1]


def store_arguments(
    serializer: Serializer, definition: Definition, arguments: Arguments, submission: Submission
) -> tuple[Stored, str]:
    """The arguments as they are stored, and their fingerprint; options among them are sent where they belong."""
    try:
        return definition.store_arguments(serializer, *arguments)
    except TypeError as error:
        explain_misplaced(definition, arguments[1], submission, error)
        raise


def make_entry(runtime: Runtime, definition: Definition, arguments: Arguments, submission: Submission) -> RunCreated:
    """The entry for a run that is started outside any run."""
    stored, fingerprint = store_arguments(runtime.serializer, definition, arguments, submission)
    drawn = fresh_id()
    entry = submission.entry_type(
        submission.id or drawn, definition.kind, definition.name, fingerprint, stored, drawn,
        max_attempts=definition.max_attempts,
    )  # fmt: skip
    return submission.addressed(entry)


def make_child_entry(
    branch: Branch, definition: Definition, arguments: Arguments, submission: Submission
) -> RunCreated:
    """The entry for a child of the run that this call is made in."""
    check_outside(submission)
    run = branch.run
    run.check_alive()
    key = branch.next_key()
    stored, fingerprint = store_arguments(run.serializer, definition, arguments, submission)
    entry = submission.entry_type(
        submission.id or child_id(run.run_id, key, run.incarnation),
        definition.kind,
        definition.name,
        fingerprint,
        stored,
        f"{run.claim}:{run.next_entry_id()}",  # for a run that others may make too, unique among all
        run.claim,
        run.run_id,
        key,
        max_attempts=definition.max_attempts,
        is_detached=submission.is_detached,
    )
    submission.addressed(entry).deadline_at = child_deadline(run, submission)
    return entry


def child_deadline(run: Run, submission: Submission) -> float | None:
    """Its own, or that of the run that makes it, unless it is detached; the earlier of the two."""
    inherited = None if submission.is_detached else run.deadline
    return min((at for at in (inherited, submission.deadline) if at is not None), default=None)


def accept_handle(runtime: Runtime, entry: RunCreated, verdict: Verdict, submission: Submission) -> Handle[Any]:
    """The handle of the run that was made, or of the one that was there already and stands for it."""
    run_id = check_created(entry, verdict, shares=submission.shares_duplicates)
    settle_existing(runtime, verdict, submission)
    return Handle(runtime, run_id)
