"""What runs are asked by other processes: answered here for those that are held here, and for those that nobody holds.

The database keeps a question until it is answered, so it does not matter who dies in between. Several workers may
answer for a run that nobody holds; the first counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..._core.definitions import Definitions
from ..._core.serialization import Serializer
from ..._entries import Answer
from ...errors import StoreError
from ...stores.protocol import Question, Store
from ...typing import RunId
from ..held_run import HeldRun
from ..hosting.live_answers import LiveAnswers
from ..hosting.threads.pool import Threads
from ..journal.journal import Journal
from ..membership.worker import Worker
from ..news import News

log = logging.getLogger("perdure")

MOST_AT_ONCE: Final = 100
ANSWER_SECONDS: Final = 5.0
"""So long a run is given to come to rest; after that it is asked anew, if it is still asked."""

Replay = Callable[[RunId, str, Sequence[Any]], Answer | None]


def no_replay(run_id: RunId, name: str, args: Sequence[Any]) -> Answer | None:
    """Nobody has said how."""


class Questions:
    """One duty, when the pulse says that there are some. `replay` is set by whoever knows how."""

    def __init__(
        self,
        store: Store,
        definitions: Definitions,
        serializer: Serializer,
        worker: Worker,
        threads: Threads,
        *,
        journal: Journal,
        find_run: Callable[[RunId], HeldRun | None],
        news: News,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._serializer = serializer
        self._worker = worker
        self._threads = threads
        self.live = LiveAnswers(journal, worker, find_run)
        self._news = news
        self._at_work: set[str] = set()
        self.replay: Replay = no_replay

    def look(self) -> None:
        """Answer what can be answered here, each on a thread of ours: a run may take its time."""
        names = self._definitions.names()
        for question in self._store.questions.open(self._worker.worker_id, names, MOST_AT_ONCE):
            if question.question_id not in self._at_work:
                self._at_work.add(question.question_id)
                if not self._threads.run(lambda asked=question: self._answer(asked)):  # type: ignore[misc]
                    self._at_work.discard(question.question_id)

    def _answer(self, question: Question) -> None:
        try:
            found = self._found(question)
            if found is not None and self._store.questions.answer(question.question_id, *found):
                self._news.said(question.run_id)
        except StoreError as error:
            log.warning("a question to run %s was not answered yet: %s", question.run_id, error)
        finally:
            self._at_work.discard(question.question_id)

    def _found(self, question: Question) -> tuple[Answer, str | None] | None:
        try:
            args = self._serializer.load(question.args)
        except Exception as error:
            return Answer("error", self._serializer.dump_error(error)), None
        run_id, name = question.run_id, question.name
        live = self.live.ask(run_id, name, args, time.monotonic() + ANSWER_SECONDS)
        if live is not None:
            return live
        row = self._store.runs.row(run_id)
        if row is None or row.worker_id is not None:  # it is held by now, and whoever holds it looks as well
            return None
        answer = self.replay(run_id, name, args)
        return None if answer is None else (answer, None)
