"""What is said of a run that is not there, whoever asks for it."""

from __future__ import annotations

from ..errors import RunNotFoundError
from ..typing import RunId


def no_run(run_id: RunId, purpose: str = "") -> RunNotFoundError:
    """The database has none of this id; `purpose`: for what it was asked for."""
    return RunNotFoundError(f"there is no run {run_id} in this database{purpose}", run_id=run_id)
