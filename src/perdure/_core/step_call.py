"""One call of a step: what is run, under which key, with which arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from .definitions import Definition
    from .run import Run

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


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
    again: Callable[[], Arguments] | None = None
    """The arguments as they were, for another attempt; None where no body can change them."""
    changes: Callable[[object], list[str]] | None = None
    """What the body has changed of the object that it got: the names of the attributes."""
    has_failed_for_good: bool = False
    """Whether no retry can help: it would change the object again."""
    is_instant: bool = False
    """A sync step in an async run: nothing can come between its call and its outcome, so it takes no turn."""

    def __repr__(self) -> str:
        return f"StepCall(definition={self.definition!r}, key={self.key!r})"
