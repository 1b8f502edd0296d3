"""Asking a run's code how things stand: `handle.query`.

A run that is held here is asked in memory; one that nobody holds is replayed here, if its code is; all else is a
question in the database, which whoever holds the run answers, or a worker that has its code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

from .._core.definitions import Definition
from .._core.given import text_name
from .._engine.door import Door
from .._engine.ids import fresh_id
from .._engine.runtime import Runtime
from .._entries import Answer
from ..errors import WaitTimeoutError
from ..stores.protocol import Question
from ..typing import RunId
from .asking import find_row
from .replayed import replayed_answer
from .waits import wait_until_final

LONGEST_SECONDS = 86_400.0
"""So long the database keeps a question for somebody who waits for ever, and then it is asked anew."""


class QueryAsked(NamedTuple):
    """What a run is asked."""

    run_id: RunId
    name: str
    args: Sequence[Any]
    seconds: float | None

    def by_call(self, call: str) -> QueryAsked:
        """The same: a question may be asked twice."""
        return self


def query_asked(run_id: RunId, name: str, args: Sequence[Any], seconds: float | None) -> QueryAsked:
    """What is given, checked."""
    return QueryAsked(run_id, text_name(name, "query: name"), args, seconds)


def ask_query(door: Door, asked: QueryAsked) -> Any:
    """The answer, waited for on this thread; what the run's function raises is raised."""
    until = inf if asked.seconds is None else time.monotonic() + asked.seconds
    stored, args = door.serializer.accept(list(asked.args), what=f"the arguments of query {asked.name!r}")
    while True:
        answer = answer_here(door, asked._replace(args=args), until) if isinstance(door, Runtime) else None
        if answer is None:
            find_row(door, asked.run_id)
            answer = answer_elsewhere(door, Question(fresh_id(), asked.run_id, asked.name, stored), until)
        if answer is not None:
            break
        if time.monotonic() >= until:
            raise WaitTimeoutError(
                f"run {asked.run_id} has not answered query {asked.name!r} within {asked.seconds:g} seconds: its code "
                "is at work without a durable call, or, where nobody holds it, no worker has its code"
            )
    if answer.kind == "error":
        raise door.serializer.load_error(answer.value)
    return door.serializer.load(answer.value)


async def aask_query(door: Door, asked: QueryAsked) -> Any:
    """The same from an event loop, which goes on meanwhile."""
    return await asyncio.to_thread(ask_query, door, asked)


def answer_here(runtime: Runtime, asked: QueryAsked, until: float) -> Answer | None:
    """What the run's code answers in this process; None where it is held elsewhere, or its code is not here."""
    run_id, name, args = asked.run_id, asked.name, asked.args
    while True:
        live = runtime.questions.live.ask(run_id, name, args, until)
        if live is not None:
            return live[0]
        row = find_row(runtime, run_id)
        if row.worker_id is None:
            return replayed_answer(runtime, run_id, name, args)
        if row.worker_id != runtime.worker.worker_id or time.monotonic() >= until:
            return None
        time.sleep(0.01)  # it is just beginning here, or leaving


def answer_elsewhere(door: Door, question: Question, until: float) -> Answer | None:
    """What another process answers; None where none does in time."""
    door.open(writes=True)
    seconds = min(max(0.0, until - time.monotonic()), LONGEST_SECONDS)
    questions = door.store.questions
    questions.ask(question, seconds)
    try:
        door.told.asked()
        seen = wait_until_final(door, question.run_id, door.store.said.replies, question.question_id, seconds)
    finally:
        questions.withdraw(question.question_id)
    return None if seen is None else seen.answer


QUERY = Definition(ask_query, "step", name="perdure:query")
AQUERY = Definition(aask_query, "step", name="perdure:query")
