"""What a run's code answers while it goes on (queries), and does when it is asked to (updates): by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct


class UpdateHandler(Struct, eq=False):
    """What is done for an update, and what may refuse it before."""

    fn: Callable[..., Any]
    validate: Callable[..., Any] | None
    is_async: bool
    """Whether it is done in a task of its own, beside others."""


class Handlers(Struct, eq=False):
    """Of one run, in one claim."""

    queries: dict[str, Callable[..., Any]] = {}
    updates: dict[str, UpdateHandler] = {}
    serving: Any = None
    """The surface's: what waits for updates; None before the first is registered."""
    accepts: bool = True
    """Whether an update may still be accepted: not where the arguments of the next life are given already, which would
    know nothing of it. That one will find it.
    """
    finish: Callable[[], Any] | None = None
    """Waits until what was accepted is done: the run's function has ended. To be awaited in an async run."""
    leave: Callable[[], None] = lambda: None
    """The run's function has ended, or was ended: what waits for updates is no work that somebody forgot."""


def known(names: dict[str, Any]) -> str:
    """Which there are, for errors."""
    return ", ".join(map(repr, sorted(names))) or "none"
