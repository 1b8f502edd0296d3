"""What users pass is theirs: nothing of ours shows it by accident, as in a log or a traceback's locals."""

from __future__ import annotations

import pytest

import perdure
from perdure import step
from perdure._core.flow import Attempt, Execute, Outcome
from perdure._core.run import Run
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._core.step_call import StepCall
from perdure._entries import EndedRun, RunCreated, RunFinished, StepRecorded, Stored

SECRET = "s3cret"  # noqa: S105


@step
def body(name: str) -> str:
    """Only its definition is of interest."""
    return name


RUN = Run("r", "c", "workflow", "app:work", "default", 1, None, Serializer(TypeRegistry()))
CALL = StepCall(RUN, body.__perdure__, "0", (SECRET,), {"name": SECRET}, "f")  # type: ignore[attr-defined]
STORED = Stored("json", SECRET)


@pytest.mark.parametrize(
    "ours",
    [
        CALL,
        Attempt(CALL, 1),
        Execute(body, (SECRET,), {"name": SECRET}),
        Outcome(SECRET),
        Outcome(error=ValueError(SECRET)),
        RunCreated("r", "step", "n", "f", STORED, "e"),
        StepRecorded("r", "c", "e", "0", "step", "n", "f", False, STORED),
        RunFinished("r", "c", "succeeded", STORED),
        EndedRun("r", "succeeded", STORED, None),
    ],
    ids=lambda ours: type(ours).__name__,
)
def test_the_representation_of_what_the_engine_passes_on_shows_no_value(ours: object) -> None:
    """Arguments and results may be anything: keys, names, documents."""
    assert SECRET not in repr(ours)


def test_the_representation_of_what_users_see_shows_no_password() -> None:
    """An instance is printed where something went wrong."""
    assert SECRET not in repr(perdure.Perdure(f"postgresql://user:{SECRET}@localhost/db"))
