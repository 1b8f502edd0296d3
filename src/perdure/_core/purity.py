"""Pure steps: what they promise, and what is refused in their bodies.

Invariant: a body that may have effects begins only when every outcome that its run has seen, pure ones too, is
committed, in the same batch or an earlier one; and whatever else leaves the run (its end, a child, a message, an
event, a chunk, an answer) is an entry of its lane behind them. So of pure outcomes a crash loses the last ones, and
nothing that anybody has seen came after them: they are computed anew, and may differ.
"""

from __future__ import annotations

from ..errors import UsageError
from .definitions import Definition
from .lineage import Branch, StepScope


def check_pure(step: Definition) -> None:
    """Raise `UsageError` where a pure step has what only one with effects needs."""
    if step.is_pure and (step.at_most_once or step.undo is not None):
        option = "at_most_once" if step.at_most_once else "undo"
        raise UsageError(
            f"step {step.name}: pure=True says that it has no effects, and {option}= is for those that have: "
            "leave one of them out"
        )


def check_may_act(here: Branch | StepScope | None, what: str) -> None:
    """Raise `UsageError` in the body of a pure step: what happens there may be seen before what it follows from is
    recorded.
    """
    if type(here) is StepScope and here.call is not None and here.call.definition.is_pure:
        raise UsageError(
            f"step {here.call.definition.name} is pure, and {what} is an effect: leave out pure=True, or return what "
            "is to be done, and let the workflow do it"
        )
