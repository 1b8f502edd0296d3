"""Steps that were committed in a database that is not Perdure's: one row for each, in the user's own transaction."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..._entries import Stored
from ...typing import RunId
from ..queries import load_queries
from ..tails import Statement


class Elsewhere:
    """The statements of the table `perdure_steps`, which any SQL database understands."""

    @staticmethod
    def lay() -> Generator[Statement, list[Any], None]:
        """Make the table, unless it is there."""
        yield _statement("lay")

    @staticmethod
    def find(run_id: RunId, place: str) -> Generator[Statement, list[Any], Stored | None]:
        """The outcome of a step that was committed. `place`: its key, and the life of the run that it is of."""
        rows = yield _statement("find", run_id=run_id, step_key=place)
        return Stored(*rows[0]) if rows else None

    @staticmethod
    def record(run_id: RunId, place: str, name: str, outcome: Stored) -> Generator[Statement, list[Any], None]:
        """Fails where it is there: then nothing of this attempt is committed."""
        yield _statement(
            "record",
            run_id=run_id,
            step_key=place,
            step_name=name,
            codec=outcome.codec,
            body=outcome.text,
        )


def _statement(name: str, **parameters: object) -> Statement:
    return Statement(load_queries(__name__)[name].text, parameters)
