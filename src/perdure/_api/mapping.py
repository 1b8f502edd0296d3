"""`map`: a run for each item, at most so many at once, and the results in the order of the items.

Children are started as earlier ones end, so that neither many items nor many results are in memory at once. Each start
and each end is a durable call of the run, in an order that is recorded: a replay begins the same ones again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar, overload

from .._core.flow import Outcome
from .._core.given import whole_number
from .._core.lineage import Branch, scope
from .._core.policy import STRICT, Policy, policy_of
from .._core.window import Window
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError
from .app import running_loop
from .giving_up import cancel_all, check_ended
from .handle import Handle
from .mapping_async import AsyncMap
from .options import PLAIN, Submission
from .queue import QueueStarter
from .starting import bound, definition_of, start_all, start_in_run
from .waits import OwnWait

T = TypeVar("T")
R = TypeVar("R")


class Mapped(NamedTuple, Generic[T, R]):
    """What became of one item: a value, or, where the policy tolerates failures, an error."""

    item: T
    value: R | None
    error: BaseException | None


@overload
def map(
    fn: Callable[[T], Coroutine[Any, Any, R]],
    items: Iterable[T],
    *,
    limit: int = ...,
    policy: Policy = ...,
    queue: QueueStarter | None = ...,
) -> MapResults[T, R]: ...
@overload
def map(
    fn: Callable[[T], R],
    items: Iterable[T],
    *,
    limit: int = ...,
    policy: Policy = ...,
    queue: QueueStarter | None = ...,
) -> MapResults[T, R]: ...
def map(
    fn: Callable[..., Any],
    items: Iterable[Any],
    *,
    limit: int = 100,
    policy: Policy = STRICT,
    queue: QueueStarter | None = None,
) -> Any:
    """A run of the workflow or step `fn` for each item: `for item, value, error in perdure.map(fn, items)`, in the
    order of the items; `async for` on an event loop. At most `limit` are begun and have not ended.

    The items are taken one by one as others end, so they may come from a generator; in a run it must give the same
    ones at every replay. `policy` says how many must succeed and how many may fail; what that is broken by is raised as
    soon as it is known, and the rest is cancelled. `queue`, also one with options, is where the runs are submitted.
    Leaving the loop early cancels nothing. Raises `NotDurableError` for a function that is neither, and `UsageError`
    for a limit, a policy or an id that cannot be.
    """
    definition_of(fn)
    if not isinstance(items, Iterable):
        raise UsageError(f"map: give the items as something to iterate over, not a {type(items).__name__}")
    if queue is not None and not isinstance(queue, QueueStarter):
        raise UsageError(f"map: queue={queue!r}: give a perdure.Queue, or what its with_options() gives")
    submission = PLAIN if queue is None else queue._submission
    if submission.id is not None:
        raise UsageError("map: one id cannot be that of many runs")
    policy_of(policy, "map")
    return MapResults(fn, items, whole_number(limit, "map: limit"), policy, submission)


class MapResults(Generic[T, R]):
    """What `map` gives: the results in the order of the items, by `for` or `async for`. Begins when it is iterated."""

    def __init__(
        self, fn: Callable[..., Any], items: Iterable[T], limit: int, policy: Policy, submission: Submission
    ) -> None:
        self._fn = fn
        self._items = items
        self._limit = limit
        self._policy = policy
        self._submission = submission

    def __iter__(self) -> Iterator[Mapped[T, R]]:
        branch = branch_here()
        if running_loop() is not None if branch is None else branch.is_async:
            raise UsageError("map: on an event loop use `async for`")
        fn, submission = self._fn, self._submission
        return self._results(Outside(fn, submission) if branch is None else InRun(fn, submission, branch))

    def __aiter__(self) -> AsyncIterator[Mapped[T, R]]:
        branch = branch_here()
        if running_loop() is None if branch is None else not branch.is_async:
            raise UsageError("map: in sync code use `for`")
        return AsyncMap(self._fn, self._submission, self._window(), branch, Mapped)

    def _window(self) -> Window:
        return Window(iter(self._items), self._limit, self._policy)

    def _results(self, source: Outside | InRun) -> Iterator[Mapped[T, R]]:
        window = self._window()
        try:
            while True:
                source.begin(window.take_items())
                if (found := window.take_next()) is not None:
                    yield Mapped(found[0], found[1].value, found[1].error)
                elif not window.open:
                    break
                elif window.end(*source.next()):
                    window.open.clear()
                    source.cancel()
                    window.tally.check()
        finally:
            source.close()
        window.tally.check(is_all=True)


def branch_here() -> Branch | None:
    """The branch of a run in which the code stands."""
    here = scope.get()
    return own_branch(here) if type(here) is Branch else None


class Outside:
    """Starts runs outside any run, and waits for the next of them to end."""

    def __init__(self, fn: Callable[..., Any], submission: Submission) -> None:
        self._fn = fn
        self._submission = submission
        self._handles: dict[int, Handle[Any]] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()

    def begin(self, taken: list[tuple[int, Any]]) -> None:
        """Start these, in as few commits as they fit in."""
        if not taken:
            return
        handles = start_all(self._fn, [((item,), {}) for _, item in taken], self._submission)
        for (place, _), handle in zip(taken, handles, strict=True):
            self._handles[place] = handle
            handle.add_done_callback(lambda _, place=place: self._ended.put(place))  # type: ignore[misc]  # of a lambda

    def next(self) -> tuple[int, Outcome]:
        """The next that has ended."""
        place = self._ended.get()
        handle = self._handles.pop(place)
        error = handle.exception()
        check_ended(error)
        return place, Outcome(error=error) if error is not None else Outcome(handle.result())

    def cancel(self) -> None:
        """Cancel those that have not ended."""
        cancel_all(list(self._handles.values()), None)

    def close(self) -> None:
        """Nothing to let go of."""


class InRun:
    """The same in a sync run, durably. Its calls have a branch of their own."""

    def __init__(self, fn: Callable[..., Any], submission: Submission, branch: Branch) -> None:
        self._fn = fn
        self._submission = submission
        self._own = OwnWait(branch, "map", [], None)
        self._branch = branch
        self._handles: dict[int, Handle[Any]] = {}

    def begin(self, taken: list[tuple[int, Any]]) -> None:
        """Start these as children."""
        own_branch(self._branch)
        for place, item in taken:
            arguments = bound(self._fn, ((item,), {}))
            handle = start_in_run(self._own.inside, definition_of(self._fn), arguments, self._submission)
            self._handles[place] = handle
            self._own.add(place, handle.run_id)

    def next(self) -> tuple[int, Outcome]:
        """The next that has ended."""
        place, outcome = self._own.next()
        del self._handles[place]
        return place, outcome

    def cancel(self) -> None:
        """Cancel those that have not ended, as a recorded step."""
        rest = list(self._handles.values())
        self._handles.clear()
        cancel_all(rest, self._own.inside)

    def close(self) -> None:
        """Wait no more."""
        self._own.close()
