"""Steering runs: pause, resume, retry, restart, fork, delete; by id, or in bulk by a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from .._core.lineage import Branch, scope
from .._engine.hosting.asyncio.tasks import own_branch
from ..typing import RunId
from .handle import Handle
from .shown_runs import Affected
from .steered import ASTEER, STEER, asteer_now, forking_of, recorded, request_of, shown, steer_now
from .wanted_runs import RunFilter

if TYPE_CHECKING:
    from .._engine.door import Door


class Steering:
    """What `perdure.runs` and `client.runs` do to runs. Each operation takes an id, or a filter (see `list`) of which
    at least one part must be given, with `dry_run` to see which runs it would find.

    `why` is kept with who did it, for people: see `get`. `by` says who, where that is not this process's user. In a
    workflow each is recorded, as a step's outcome is. Raise `RunNotFoundError`, `SteeringError` (it says what is in the
    way), `UsageError`. By a filter nothing is raised for single runs: `Affected.refused` says which were left, and why;
    whoever is interrupted in the middle has done a part, and the same call goes on with the rest.
    """

    def __init__(self, door: Callable[[], Door]) -> None:
        self._door = door

    @overload
    def cancel(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    def cancel(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    def cancel(self, run_id: RunId | None = None, /, **given: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """End a run and its children, wherever they are, as `Handle.cancel` does. False: it had ended already."""
        return self._steer("cancel", run_id, given)

    @overload
    def pause(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    def pause(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    def pause(self, run_id: RunId | None = None, /, **given: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """Stop a run until it is resumed: one that executes stops at its next durable call, what its bodies do just now
        is recorded; one that waits is not woken. Its children are runs of their own, and go on. False: it had ended.
        """
        return self._steer("pause", run_id, given)

    @overload
    def resume(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    def resume(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    def resume(self, run_id: RunId | None = None, /, **given: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """Let a run go on that is paused, or whose retries are used up. False: it was neither."""
        return self._steer("resume", run_id, given)

    @overload
    def retry(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    def retry(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    def retry(self, run_id: RunId | None = None, /, **given: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """Let a run that has failed, was cancelled or is dead go on from where it failed, with mended code or a mended
        world: all that worked stays, the step that it failed by runs again, and children that it failed by are retried
        with it. What was undone when it failed is done again. False: it has not failed.
        """
        return self._steer("retry", run_id, given)

    @overload
    def restart(
        self, run_id: RunId, /, step: str | None = None, *, why: str | None = None, by: str | None = None
    ) -> None: ...
    @overload
    def restart(
        self,
        *,
        step: str | None = None,
        dry_run: bool = False,
        why: str | None = None,
        by: str | None = None,
        **wanted: Unpack[RunFilter],
    ) -> Affected: ...
    def restart(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, step: str | None = None, **given: Any
    ) -> Any:
        """Start a run anew, from the beginning, or from a `step`: its key, as `get` has it, or its name where the run
        has called it once. What was recorded before that stays, all that came after goes: children that were made then
        are cancelled, messages that were received wait again. The run may have ended, or be parked; not be held.
        """
        return self._steer("restart", run_id, {"step": step, **given})

    @overload
    def fork(
        self,
        run_id: RunId,
        /,
        step: str | None = None,
        *,
        id: RunId | None = None,
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        workflow: Callable[..., Any] | None = None,
        why: str | None = None,
        by: str | None = None,
    ) -> Handle[Any]: ...
    @overload
    def fork(
        self,
        *,
        step: str | None = None,
        dry_run: bool = False,
        why: str | None = None,
        by: str | None = None,
        **wanted: Unpack[RunFilter],
    ) -> Affected: ...
    def fork(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, step: str | None = None, **given: Any
    ) -> Any:
        """Make a run of what another one has recorded before a `step` (as of `restart`; without one: of its arguments
        alone), which stays as it is. It has the other one's children of that time, and none of its messages; what was
        done before is the other one's to undo. It is found by its attribute `forked_from`.

        `args` and `kwargs` give it other arguments, `workflow` other code (a function of this process), `id` an id.
        """
        if run_id is None:
            return self._steer("fork", None, {"step": step, **given})
        made = self._steer("fork", run_id, {"step": step, **forking_of(self._door(), given)})
        return Handle[Any](self._door(), made)

    @overload
    def delete(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> int: ...
    @overload
    def delete(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    def delete(self, run_id: RunId | None = None, /, **given: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack
        """Delete a run that has ended, its children down the tree and whoever undid what it did, with all that they
        have recorded. Who deleted it stays in the audit. The number of runs that this was.
        """
        return self._steer("delete", run_id, given)

    @overload
    async def acancel(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    async def acancel(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    async def acancel(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, **given: Any
    ) -> Any:
        """`cancel` from an event loop, which goes on meanwhile."""
        return await self._asteer("cancel", run_id, given)

    @overload
    async def apause(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    async def apause(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    async def apause(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, **given: Any
    ) -> Any:
        """`pause` from an event loop, which goes on meanwhile."""
        return await self._asteer("pause", run_id, given)

    @overload
    async def aresume(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    async def aresume(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    async def aresume(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, **given: Any
    ) -> Any:
        """`resume` from an event loop."""
        return await self._asteer("resume", run_id, given)

    @overload
    async def aretry(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> bool: ...
    @overload
    async def aretry(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    async def aretry(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, **given: Any
    ) -> Any:
        """`retry` from an event loop."""
        return await self._asteer("retry", run_id, given)

    @overload
    async def arestart(
        self, run_id: RunId, /, step: str | None = None, *, why: str | None = None, by: str | None = None
    ) -> None: ...
    @overload
    async def arestart(
        self,
        *,
        step: str | None = None,
        dry_run: bool = False,
        why: str | None = None,
        by: str | None = None,
        **wanted: Unpack[RunFilter],
    ) -> Affected: ...
    async def arestart(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, step: str | None = None, **given: Any
    ) -> Any:
        """`restart` from an event loop."""
        return await self._asteer("restart", run_id, {"step": step, **given})

    @overload
    async def afork(
        self,
        run_id: RunId,
        /,
        step: str | None = None,
        *,
        id: RunId | None = None,
        args: Sequence[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        workflow: Callable[..., Any] | None = None,
        why: str | None = None,
        by: str | None = None,
    ) -> Handle[Any]: ...
    @overload
    async def afork(
        self,
        *,
        step: str | None = None,
        dry_run: bool = False,
        why: str | None = None,
        by: str | None = None,
        **wanted: Unpack[RunFilter],
    ) -> Affected: ...
    async def afork(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, step: str | None = None, **given: Any
    ) -> Any:
        """`fork` from an event loop."""
        if run_id is None:
            return await self._asteer("fork", None, {"step": step, **given})
        made = await self._asteer("fork", run_id, {"step": step, **forking_of(self._door(), given)})
        return Handle[Any](self._door(), made)

    @overload
    async def adelete(self, run_id: RunId, /, *, why: str | None = None, by: str | None = None) -> int: ...
    @overload
    async def adelete(
        self, *, dry_run: bool = False, why: str | None = None, by: str | None = None, **wanted: Unpack[RunFilter]
    ) -> Affected: ...
    async def adelete(  # type: ignore[misc]  # mypy and Unpack
        self, run_id: RunId | None = None, /, **given: Any
    ) -> Any:
        """`delete` from an event loop."""
        return await self._asteer("delete", run_id, given)

    def _steer(self, what: str, run_id: RunId | None, given: dict[str, Any]) -> Any:
        request, door = request_of(what, run_id, given), self._door()
        here = scope.get()
        if type(here) is Branch:
            return shown(recorded(door, own_branch(here), STEER, request))
        return shown(steer_now(door, request))

    async def _asteer(self, what: str, run_id: RunId | None, given: dict[str, Any]) -> Any:
        request, door = request_of(what, run_id, given), self._door()
        here = scope.get()
        if type(here) is Branch:
            return shown(await recorded(door, own_branch(here), ASTEER, request))
        return shown(await asteer_now(door, request))
