"""What runs ask the database for on their way, read together: who asks while others are being answered is served by the
next read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ..._core.flow import Outcome
from ...errors import StoreRefusedError, StoreUnavailableError
from ..trouble import Trouble, until_answered
from .threads.pool import Threads

QuestionT = TypeVar("QuestionT")

MOST_AT_ONCE = 100

OnRead = Callable[[Outcome], None]


class Together(Generic[QuestionT]):
    """Questions of one kind: on one thread of ours at a time, so no answer is older than one that was given before.

    `read` gives the answers in the order of the questions.
    """

    def __init__(
        self,
        read: Callable[[list[QuestionT]], Sequence[object]],
        *,
        activity: str,
        threads: Threads,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._read_all = read
        self._threads = threads
        self._is_stopping = is_stopping
        self._trouble = Trouble(f"{activity} cannot be read")
        self._lock = threading.Lock()
        self._wanted: list[tuple[QuestionT, OnRead]] = []
        self._is_reading = False

    def ask(self, question: QuestionT, on_read: OnRead) -> bool:
        """Call `on_read` with the answer, or the error, from another thread. False where no thread can be had any more:
        the interpreter ends.
        """
        with self._lock:
            self._wanted.append((question, on_read))
            if self._is_reading:
                return True
            self._is_reading = True
        if self._threads.run(self._read):
            return True
        with self._lock:
            self._is_reading = False
        return False

    def _read(self) -> None:
        while True:
            with self._lock:
                wanted, self._wanted = self._wanted[:MOST_AT_ONCE], self._wanted[MOST_AT_ONCE:]
                if not wanted:
                    self._is_reading = False
                    return
            for (_, on_read), outcome in zip(wanted, self._answers([one for one, _ in wanted]), strict=True):
                on_read(outcome)

    def _answers(self, questions: list[QuestionT]) -> list[Outcome]:
        try:
            answers = until_answered(lambda: self._read_all(questions), self._trouble, self._is_stopping)
        except Exception as error:  # the rows of one of them, perhaps: it must not keep the others
            if self._is_stopping():
                return [Outcome(error=error)] * len(questions)
            if len(questions) == 1:
                return [Outcome(error=unread(error))]
            return [outcome for question in questions for outcome in self._answers([question])]
        return [Outcome(answer) for answer in answers]


def unread(error: Exception) -> Exception:
    """Of what cannot be read, whoever asks and however often: that is no outage of the store."""
    if not isinstance(error, StoreUnavailableError):
        return error
    refusal = StoreRefusedError(str(error))
    refusal.__cause__ = error
    return refusal
