"""Sending messages to runs. The sender waits for the commit: only then is it known whether the receivers are there.

The ids of the messages follow from the call, so that one that is made again after a crash sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from ..._entries import MessageSent, Refused, StepRecorded, Stored, Undelivered, Verdict
from ...errors import PerdureError, RunEndedError, RunNotFoundError
from ...typing import RunId
from ..flow import CallCancelled, Flow, Record, Send, StayOpen, Turn
from ..run import Run
from .child import VARIANTS
from .step import reading
from .turn import catch_up, log_cancel

NAME = "send"
Missed = list[tuple[int, str | None]]
"""The places of the messages that reached nobody, with the states in which their receivers have ended."""


def message_id(*parts: str) -> str:
    """The id of the message that these parts tell from all others."""
    text = blake2b("\x1f".join(parts).encode(), digest_size=16, person=b"perdure-message").hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{VARIANTS[text[16]]}{text[17:20]}-{text[20:]}"


def send(run: Run, key: str, entries: Sequence[MessageSent], sent: Stored) -> Flow[list[BaseException]]:
    """Send them, once. The answer is what is wrong with those that reached nobody; all others were sent. `sent` is all
    that is compared on replay.
    """
    run.check_alive()
    fingerprint, preview = run.serializer.digest(sent)
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        recorded = run.take(key, "send", NAME, fingerprint, preview, sent)
        if recorded is not None:
            give = yield from reading(run, key, recorded.outcome, is_error=False)
            yield Turn(key)
            return errors_of(entries, give())
        if run.is_behind:
            yield from catch_up(run, key, "a message")
        missed = missed_of(entries, (yield Send(list(entries))))
        position, _ = yield Turn(key)
    except CallCancelled:
        yield from log_cancel(run, key)
        raise
    stored, missed = run.serializer.accept(missed, what="whom messages did not reach")
    number = run.next_entry_id()
    yield Record(
        StepRecorded(
            run.run_id,
            run.claim,
            number,
            key,
            "send",
            NAME,
            fingerprint,
            False,
            stored,
            position,
            arguments=preview,
        )
    )
    return errors_of(entries, missed)


def missed_of(entries: Sequence[MessageSent], verdicts: Sequence[Verdict]) -> Missed:
    """Those that reached nobody. Raises where the database refused one otherwise."""
    missed: Missed = []
    for place, (entry, verdict) in enumerate(zip(entries, verdicts, strict=True)):
        if isinstance(verdict, Undelivered):
            missed.append((place, verdict.state))
        elif isinstance(verdict, Refused):
            raise PerdureError(f"a message to run {entry.run_id} was not sent: {verdict.reason}")
    return missed


def errors_of(entries: Sequence[MessageSent], missed: Missed) -> list[BaseException]:
    """What is wrong with those that reached nobody."""
    return [error_of(entries[place].run_id, state) for place, state in missed]


def error_of(run_id: RunId, state: str | None) -> BaseException:
    """Why a message cannot reach the run."""
    if state is None:
        return RunNotFoundError(
            f"a message cannot be sent to run {run_id}: there is no such run in this database. Send it when its start "
            "has returned",
            run_id=run_id,
        )
    return RunEndedError(
        f"a message cannot be sent to run {run_id}: it has ended ({state}) and receives nothing any more",
        run_id=run_id,
        state=state,
    )
