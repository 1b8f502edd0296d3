"""`Questions` on SQLite."""

from __future__ import annotations

from collections.abc import Collection

from ..._entries import Answer, Stored
from ...typing import RunId
from ..claimed import ClaimedRun
from ..histories import unclaimed
from ..questions import Question
from .connections import Database
from .rows import texts


class SqliteQuestions:
    """Those of one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _change(self, statement: str, given: dict[str, object]) -> int:
        with self._database.spare().writing() as connection:
            return connection.change(statement, connection.arranged(statement, given))

    def ask(self, question: Question, seconds: float) -> None:
        asked = {"question_id": question.question_id, "run_id": question.run_id, "name": question.name}
        self._change("forget_questions", {})
        told = {"codec": question.args.codec, "body": question.args.text, "seconds": seconds}
        self._change("ask_question", {**asked, **told})

    def open(self, worker_id: str, names: Collection[str], most: int) -> list[Question]:
        rows = self._database.find("open_questions", {"worker_id": worker_id, "names": texts(names), "most": most})
        return [Question(number, run_id, name, Stored(codec, body)) for number, run_id, name, codec, body in rows]

    def answer(self, question_id: str, answer: Answer, claim: str | None) -> bool:
        told = {"answer": answer.kind, "codec": answer.value.codec, "body": answer.value.text}
        return bool(self._change("answer_question", {"question_id": question_id, "claim": claim, **told}))

    def withdraw(self, question_id: str) -> None:
        self._change("withdraw_question", {"question_id": question_id})

    def run(self, run_id: RunId) -> ClaimedRun | None:
        for row in self._database.find("run_to_ask", {"run_id": run_id}):
            return unclaimed(row)[1]
        return None
