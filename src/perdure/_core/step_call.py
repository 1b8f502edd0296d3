"""One call of a step: what is run, under which key, with which arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .definitions import Definition
    from .run import Run


@dataclass(slots=True)
class StepCall:
    """`key` is empty for a step that is a run by itself."""

    run: Run
    definition: Definition
    key: str
    args: tuple[Any, ...] = field(repr=False)
    kwargs: dict[str, Any] = field(repr=False)
    fingerprint: str
    is_instant: bool = False
    """A sync step in an async run: nothing can come between its call and its outcome, so it takes no turn."""
