"""Answering a hook from inside a run: once, however often the call is made again. The call waits for the commit.

The id of the answer follows from the call, so that one that is made again after a crash finds itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..._entries import HookMissed, HookResolved, Refused, StepRecorded, Stored, Verdict
from ...errors import HookAnswerError, HookClosedError, HookError, HookNotFoundError, HookResolvedError, PerdureError
from ..flow import CallCancelled, Compute, Flow, Record, Send, Settle, StayOpen, Turn
from ..run import Run
from .step import reading
from .turn import catch_up, log_cancel

NAME: Final = "resolve"
Problem = list[str | None]
"""Why the hook did not take the answer: a word, and what there is to say more."""


def resolve(
    run: Run,
    key: str,
    token: str,
    prepare: Callable[[], HookResolved | Problem],
    fingerprint: str,
    preview: str | None = None,
    arguments: Stored | None = None,
) -> Flow[BaseException | None]:
    """Answer the hook, once. `prepare` looks at it, and makes the entry, or says why not. What is wrong, or None."""
    run.check_alive()
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        recorded = run.take(key, "resolve", NAME, fingerprint, preview, arguments)
        if recorded is not None:
            give = yield from reading(run, key, recorded.outcome, is_error=False)
            yield Turn(key)
            return error_of(token, give())
        if run.is_behind:
            yield from catch_up(run, key, "an answer to a hook")
        yield Settle()  # the hook may be this run's own, opened a moment ago
        prepared = yield Compute(prepare)
        problem = problem_of(prepared, (yield Send([prepared]))[0]) if type(prepared) is HookResolved else prepared
        position, _ = yield Turn(key)
    except CallCancelled:
        yield from log_cancel(run, key)
        raise
    stored, problem = run.serializer.accept(problem, what="why a hook took no answer")
    number = run.next_entry_id()
    yield Record(
        StepRecorded(
            run.run_id,
            run.claim,
            number,
            key,
            "resolve",
            NAME,
            fingerprint,
            False,
            stored,
            position,
            arguments=preview,
        )
    )
    return error_of(token, problem)


def problem_of(entry: HookResolved, verdict: Verdict) -> Problem | None:
    """What is wrong, by the database's word. Raises where it refused the entry otherwise."""
    if isinstance(verdict, HookMissed):
        return [verdict.why, verdict.state]
    if isinstance(verdict, Refused):
        raise PerdureError(f"hook {entry.token!r} was not resolved: {verdict.reason}")
    return None


def error_of(token: str, problem: Any) -> HookError | None:
    """The same as an error."""
    if not problem:
        return None
    why, more = problem
    if why == "misfit":
        return HookAnswerError(f"the answer does not fit hook {token!r}, which is still open: {more}", token=token)
    if why == "unknown":
        return HookNotFoundError(f"there is no hook {token!r} in this database", token=token)
    if why == "resolved":
        return HookResolvedError(f"hook {token!r} was resolved before: the first answer counts", token=token)
    if why == "ended":
        told = f"its run has ended ({more})"
    else:
        told = "it has timed out, or its token was given to another hook"
    return HookClosedError(f"hook {token!r} takes no answer any more: {told}", token=token)
