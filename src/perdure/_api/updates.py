"""Asking a run to do something: `handle.update`, from outside any run, or as a recorded call of one.

What is asked is a message, under an id that follows from the key; what has become of it is read where that lies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from .._core.absent import no_run
from .._core.definitions import Definition
from .._core.flows.send import message_id
from .._core.flows.update import TOPIC
from .._core.given import text_name
from .._engine.door import Door
from .._engine.ids import fresh_id
from .._entries import MessageSent, Refused, Undelivered, UpdateSeen
from ..errors import PerdureError, RunEndedError, UpdateRefusedError, WaitTimeoutError
from ..typing import RunId
from .delivering import deliver
from .waits import wait_until_final


class UpdateAsked(NamedTuple):
    """What a run is asked to do; by `message_id`, so that who asks again is told the same."""

    run_id: RunId
    name: str
    args: Sequence[Any]
    message_id: str
    seconds: float | None
    has_key: bool

    def by_call(self, call: str) -> UpdateAsked:
        """The same, asked for by a call of a workflow, that is made again after a crash."""
        return self if self.has_key else self._replace(message_id=message_id("update", self.run_id, "call", call))


def update_asked(run_id: RunId, name: str, args: Sequence[Any], key: str | None, seconds: float | None) -> UpdateAsked:
    """What is given, checked."""
    name = text_name(name, "update: name")
    drawn = fresh_id() if key is None else message_id("update", run_id, text_name(key, "update: key"))
    return UpdateAsked(run_id, name, args, drawn, seconds, key is not None)


def ask_update(door: Door, asked: UpdateAsked) -> Any:
    """What the update gave, waited for on this thread; what it raised is raised."""
    until = None if asked.seconds is None else time.monotonic() + asked.seconds
    stored, _ = door.serializer.accept([asked.name, list(asked.args)], what=f"the arguments of update {asked.name!r}")
    [verdict] = deliver(door, [MessageSent(asked.run_id, None, asked.message_id, TOPIC, stored)])
    answers = door.store.said.answers
    wanted = (asked.run_id, asked.message_id)
    if isinstance(verdict, Undelivered):  # it may have been asked for before, and done
        [seen] = answers([wanted])
        return given(door, asked, seen)
    if isinstance(verdict, Refused):
        raise PerdureError(f"update {asked.name!r} was not sent to run {asked.run_id}: {verdict.reason}")
    left = None if until is None else max(0.0, until - time.monotonic())
    found = wait_until_final(door, asked.run_id, answers, wanted, left)
    return given(door, asked, found if found is not None else answers([wanted])[0])


async def aask_update(door: Door, asked: UpdateAsked) -> Any:
    """The same from an event loop, which goes on meanwhile."""
    return await asyncio.to_thread(ask_update, door, asked)


def given(door: Door, asked: UpdateAsked, seen: UpdateSeen) -> Any:
    """What whoever asks gets."""
    run_id, name = asked.run_id, asked.name
    if seen.answer is not None and seen.kind == "value":
        return door.serializer.load(seen.answer)
    if seen.answer is not None:
        error = door.serializer.load_error(seen.answer)
        if seen.kind == "error":
            raise error
        raise UpdateRefusedError(f"run {run_id} refuses update {name!r}: {error}", run_id=run_id, name=name) from error
    if seen.state is None:
        raise no_run(run_id, " to update")
    if seen.is_final:
        so_far = "it had accepted update {!r} and not done it" if seen.is_accepted else "update {!r} never reached it"
        raise RunEndedError(
            f"run {run_id} has ended ({seen.state}); {so_far.format(name)}", run_id=run_id, state=str(seen.state)
        )
    so_far = (
        "accepted update {!r}, which goes on" if seen.is_accepted else "not accepted update {!r} yet, and still may"
    )
    raise WaitTimeoutError(
        f"within {asked.seconds:g} seconds run {run_id} has {so_far.format(name)}: ask again under the same key"
    )


UPDATE = Definition(ask_update, "step", name="perdure:update")
AUPDATE = Definition(aask_update, "step", name="perdure:update")
