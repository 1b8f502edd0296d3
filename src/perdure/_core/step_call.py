"""One call of a step: what is run, under which key, with which arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct

from .._entries import Stored
from .binder import Arguments
from .definitions import Definition
from .identity import Taken
from .run import Run
from .several import Limit


class StepCall(Struct):
    """`key` is empty for a step that is a run by itself."""

    run: Run
    definition: Definition
    key: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    fingerprint: str
    preview: str | None = None
    """The beginning of what the fingerprint is of, for people."""
    compared: Stored | None = None
    """What the fingerprint is of; None for plain arguments."""
    again: Callable[[], Arguments] | None = None
    """The arguments as they were, for another attempt; None where no body can change them."""
    changes: Callable[[object], list[str]] | None = None
    """What the body has changed of the object that it got: the names of the attributes."""
    has_failed_for_good: bool = False
    """Whether no retry can help: it would change the object again."""
    is_instant: bool = False
    """A sync step in an async run: nothing can come between its call and its outcome, so it takes no turn."""

    limits: tuple[Limit, ...] = ()
    """Those of the blocks in which the sync branch stands that makes the call: they end the pauses between attempts."""
    waits_until: Limit | None = None
    """That of them with which the body's own wait ends, of a body that is one."""
    attempt: int = 0
    """Which attempt is under way: only that may write to streams. 0: none is."""

    def __repr__(self) -> str:
        return f"StepCall(definition={self.definition!r}, key={self.key!r})"


def step_call(run: Run, step: Definition, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StepCall:
    """A call of this step in a run. The body gets copies of its arguments, fresh ones at every attempt."""
    args, kwargs = step.bind(args, kwargs)
    if step.binds or not step.identity.is_plain:
        taken = Taken(step, run.serializer, args, kwargs)
        return StepCall(
            run,
            step,
            key,
            taken.args,
            taken.kwargs,
            taken.fingerprint,
            taken.preview,
            taken.compared,
            taken.again,
            taken.changes,
        )
    fingerprint, preview, stored, args, kwargs = run.serializer.accept_call(args, kwargs, what=step.what)
    again = None
    if stored is not None and (step.retry.attempts > 1 or step.reconcile is not None):
        again = partial(run.serializer.load_arguments, stored)
    return StepCall(run, step, key, args, kwargs, fingerprint, preview, stored, again)
