"""One call of a step: what is run, under which key, with which arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from .definitions import Definition
    from .run import Run


class StepCall(Struct):
    """`key` is empty for a step that is a run by itself."""

    run: Run
    definition: Definition
    key: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    fingerprint: str
    is_instant: bool = False
    """A sync step in an async run: nothing can come between its call and its outcome, so it takes no turn."""

    def __repr__(self) -> str:
        return f"StepCall(definition={self.definition!r}, key={self.key!r})"
