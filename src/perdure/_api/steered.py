"""What is asked of `runs.pause` and the like, as data, so that a run can record it; and how it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from .._core.definitions import Definition, find_definition
from .._core.flows.child import child_id
from .._core.given import flag, text_name
from .._core.lineage import Branch, scope
from .._core.step_call import StepCall
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.ids import fresh_id
from .._entries import Stored
from .._steering import By
from ..errors import RunNotFoundError, SteeringError, UsageError
from ..stores.finding import Wanted
from ..typing import RunId, RunState
from .asking import find_row
from .driving import call_recorded
from .shown_runs import Affected
from .wanted_runs import UNFINISHED, RunFilter, wanted_of
from .who import this_user

if TYPE_CHECKING:
    from .._engine.door import Door

TOGETHER: Final = 1_000
"""So many runs are found at once, and paused, resumed or ended by one transaction."""
DELETED_TOGETHER: Final = 50
"""So many families of runs are deleted by one."""
UNWELL: Final[tuple[RunState, ...]] = ("failed", "dead", "cancelled")
ENDED: Final[tuple[RunState, ...]] = ("succeeded", *UNWELL)
MEANT: Final[dict[str, tuple[RunState, ...]]] = {
    "cancel": UNFINISHED,
    "pause": UNFINISHED,
    "resume": UNFINISHED,
    "retry": UNWELL,
    "restart": ("parked", *ENDED),
    "fork": ("held", "parked", *ENDED),
    "delete": ENDED,
}
"""Which runs each operation can be meant for."""
Request = dict[str, Any]
"""What is asked for, as data: so it can be recorded."""


def request_of(what: str, run_id: RunId | None, given: dict[str, Any]) -> Request:
    """What is asked for, checked. Raises `UsageError`."""
    given = dict(given)
    here = scope.get()
    default = f"run {here.run.run_id}" if type(here) is Branch else this_user()
    request: Request = {"what": what, "run_id": run_id, "dry_run": flag(given.pop("dry_run", False), "dry_run")}
    by, why, step = given.pop("by", None), given.pop("why", None), given.pop("step", None)
    request["by"] = default if by is None else text_name(by, "by")
    request["why"] = None if why is None else text_name(why, "why")
    request["step"] = None if step is None else step_of(step)
    request["fork"] = given.pop("fork", None)
    if run_id is not None:
        text_name(run_id, "run_id")
        if given or request["dry_run"]:
            raise UsageError(f"runs.{what}() takes an id, or a filter with or without dry_run, not both")
        return request
    wanted = wanted_of(cast("RunFilter", given))
    if wanted == Wanted():
        raise UsageError(f"runs.{what}() is for all runs that the filter finds: give one, or the id of a run")
    meant = MEANT[what]
    states = meant if wanted.states is None else tuple(state for state in wanted.states if state in meant)
    request["wanted"] = {
        name: getattr(wanted, name)
        for name in ("name", "queue", "parent_id", "since", "until", "id_prefix", "text")
        if getattr(wanted, name) is not None
    }
    request["wanted"] |= {"states": [*states], "attributes": dict(wanted.attributes)}
    return request


def step_of(given: object) -> str:
    """A step, given as the function or as its name or key."""
    definition = find_definition(given)
    return definition.name if definition is not None else text_name(given, "step")  # type: ignore[arg-type]  # it checks


def forking_of(door: Door, given: dict[str, Any]) -> Request:
    """What a fork differs in, as data."""
    given = dict(given)
    here = scope.get()
    fork_id, args, kwargs = given.pop("id", None), given.pop("args", None), given.pop("kwargs", None)
    function = given.pop("workflow", None)
    definition = None if function is None else find_definition(function)
    if function is not None and definition is None:
        raise UsageError(f"workflow={function!r}: give a function with @workflow or @step")
    fork: Request = {"id": fresh_id() if fork_id is None else text_name(fork_id, "id"), "is_drawn": fork_id is None}
    if type(here) is Branch and fork_id is None:
        branch = own_branch(here)
        fork["id"] = child_id(branch.run.run_id, f"fork {branch.next_key()}", branch.run.incarnation)
    if definition is not None:
        fork |= {"name": definition.name, "max_attempts": definition.max_attempts}
    if args is not None or kwargs is not None:
        arguments = (tuple(args or ()), dict(kwargs or {}))
        if definition is None:
            stored, _, _ = door.serializer.accept_arguments(*arguments, what="the arguments of a fork")
            fingerprint = door.serializer.fingerprint(stored)
        else:
            stored, fingerprint = definition.store_arguments(door.serializer, *arguments)
        fork |= {"codec": stored.codec, "text": stored.text, "fingerprint": fingerprint}
    return {"fork": fork, **given}


def shown(answer: Any) -> Any:
    """What a caller gets."""
    return Affected(**answer) if isinstance(answer, dict) else answer


def recorded(door: Door, branch: Branch, definition: Definition, request: Request) -> Any:
    """The operation as a step of the run."""
    run = branch.run
    run.check_alive()
    key = branch.next_key()
    stored, _ = run.serializer.accept(request, what=f"what runs.{request['what']} is asked for")
    fingerprint, preview = run.serializer.digest(stored)
    return call_recorded(branch, StepCall(run, definition, key, (door, request), {}, fingerprint, preview))


def steer_now(door: Door, request: Request) -> Any:
    """Do it."""
    door.check_open()
    what, run_id = request["what"], request["run_id"]
    return BY_ID[what](door, run_id, request) if run_id is not None else steer_found(door, request)


async def asteer_now(door: Door, request: Request) -> Any:
    """The same without stopping the loop."""
    return await asyncio.to_thread(steer_now, door, request)


STEER = Definition(steer_now, "step", name="perdure:steer")
ASTEER = Definition(asteer_now, "step", name="perdure:steer")


def by_of(request: Request) -> By:
    """Who asks, and why."""
    return By(request["by"], request["why"])


def cancel_one(door: Door, run_id: RunId, request: Request) -> bool:
    """Whether it had not ended."""
    find_row(door, run_id)
    return bool(door.cancels.ask([run_id], by_of(request)))


def pause_one(door: Door, run_id: RunId, request: Request) -> bool:
    """Whether it had not ended."""
    find_row(door, run_id)
    return bool(door.steering.pause([run_id], by_of(request)))


def resume_one(door: Door, run_id: RunId, request: Request) -> bool:
    """Whether it was paused."""
    find_row(door, run_id)
    return bool(door.steering.resume([run_id], by_of(request)))


def retry_one(door: Door, run_id: RunId, request: Request) -> bool:
    """Whether it had failed."""
    return door.steering.retry(run_id, by_of(request))


def restart_one(door: Door, run_id: RunId, request: Request) -> None:
    """From the beginning, or a step."""
    door.steering.restart(run_id, request["step"], by_of(request))


def fork_one(door: Door, run_id: RunId, request: Request) -> RunId:
    """The id of the new run."""
    fork = request["fork"] or {"id": fresh_id()}
    arguments = (Stored(fork["codec"], fork["text"]), fork["fingerprint"]) if "codec" in fork else None
    door.steering.fork(
        run_id,
        fork["id"],
        request["step"],
        by_of(request),
        arguments=arguments,
        name=fork.get("name"),
        max_attempts=fork.get("max_attempts"),
    )
    return str(fork["id"])


def delete_one(door: Door, run_id: RunId, request: Request) -> int:
    """How many runs that was."""
    deleted = door.steering.delete([run_id], by_of(request))
    if not deleted.run_ids:
        raise door.steering.why_not_deleted(run_id)
    return deleted.total


BY_ID: Final[dict[str, Callable[[Door, RunId, Request], Any]]] = {
    "cancel": cancel_one,
    "pause": pause_one,
    "resume": resume_one,
    "retry": retry_one,
    "restart": restart_one,
    "fork": fork_one,
    "delete": delete_one,
}


def steer_found(door: Door, request: Request) -> Request:
    """All that the filter finds, page by page."""
    count, first, refused = 0, list[RunId](), dict[RunId, str]()
    wanted = Wanted(**request["wanted"])
    for run_ids in pages_of_ids(door, wanted, only_stopped=request["what"] == "resume" and request["dry_run"]):
        done, left = (run_ids, {}) if request["dry_run"] else steer_page(door, run_ids, request)
        count += len(done)
        first += done[: TOGETHER - len(first)]
        refused |= dict([*left.items()][: TOGETHER - len(refused)])
    return {"count": count, "run_ids": [*first], "dry_run": request["dry_run"], "refused": refused}


def steer_page(door: Door, run_ids: Sequence[RunId], request: Request) -> tuple[Sequence[RunId], dict[RunId, str]]:
    """Those that it was done to, and those that were left, with the reason."""
    what, by = request["what"], by_of(request)
    if what == "cancel":
        return door.cancels.ask(run_ids, by), {}
    if what == "pause":
        return door.steering.pause(run_ids, by), {}
    if what == "resume":
        return door.steering.resume(run_ids, by), {}
    if what == "delete":
        return delete_page(door, run_ids, by)
    done, left = list[RunId](), dict[RunId, str]()
    for run_id in run_ids:
        try:
            if BY_ID[what](door, run_id, request) is not False:
                done.append(run_id)
        except (SteeringError, RunNotFoundError) as error:
            left[run_id] = str(error)
    return done, left


def delete_page(door: Door, run_ids: Sequence[RunId], by: By) -> tuple[Sequence[RunId], dict[RunId, str]]:
    """Those that were deleted; a child goes with its parent, and is neither."""
    done, left = list[RunId](), dict[RunId, str]()
    for start in range(0, len(run_ids), DELETED_TOGETHER):
        part = run_ids[start : start + DELETED_TOGETHER]
        deleted = door.steering.delete(part, by).run_ids
        done += deleted
        for run_id in set(part).difference(deleted):
            why = door.steering.why_not_deleted(run_id)
            if isinstance(why, SteeringError):
                left[run_id] = str(why)
    return done, left


def pages_of_ids(door: Door, wanted: Wanted, *, only_stopped: bool = False) -> Iterator[Sequence[RunId]]:
    """All that are found, in pages; of `only_stopped` those that a resume is for."""
    if not wanted.states:
        return
    stopped: Collection[str] = ("paused", "retries")
    cursor: str | None = None
    while True:
        page = door.store.finder.page(wanted, TOGETHER, cursor)
        run_ids = [run.run_id for run in page.runs if not only_stopped or run.stopped in stopped]
        if run_ids:
            yield run_ids
        if page.cursor is None:
            return
        cursor = page.cursor
