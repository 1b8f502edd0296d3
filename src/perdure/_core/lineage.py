"""Which call is this? The lineage of a run's durable calls.

A call's key is its path: the branches that lead to it, then the nth durable call in the branch. A branch is numbered
by its creator, when it is created, as the nth of its name: so timing changes no key, and the tasks that a library or
another Python version makes for itself shift nobody else's number.

Who may call in a branch (which task, which thread) is the engine's to check; here are the numbers only.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from msgspec import Struct

if TYPE_CHECKING:
    from .run import Run
    from .several import Limit
    from .step_call import StepCall


OWN_SCOPES: Final = re.compile(r"<(?:list|set|dict)comp>\.")
"""In the names of what is made in a comprehension, on Python 3.11 only."""


class Branch(Struct, eq=False):
    """One line of execution in a run: its calls follow each other. Used by one task or thread at a time."""

    run: Run
    is_async: bool
    path: str = ""
    owner: Any = None
    """The task (async) or thread id (sync) that this branch belongs to; None until it first runs."""
    within: Any = None
    """The task in which a sync run was called, and whose loop it blocks."""
    limits: tuple[Limit, ...] = ()
    """Those of the `with perdure.timeout(...)` blocks in which a thread stands."""
    _calls: int = 0
    _names: dict[str, int] = {}

    def next_key(self) -> str:
        """The key of the call that is being made now."""
        number = self._calls
        self._calls = number + 1
        return f"{self.path}{number}"

    def fork(self, name: str, *, is_async: bool) -> Branch:
        """A new branch of this one; the run is concurrent from here on."""
        if "comp>." in name:
            name = OWN_SCOPES.sub("", name)
        number = self._names.get(name, 0)
        self._names[name] = number + 1
        path = f"{self.path}{name}.{number}/"
        run = self.run
        run.is_concurrent = True
        if run.unopened:
            run.unopened.pop(path, None)
        return Branch(run, is_async, path)

    def __repr__(self) -> str:
        return f"<branch {self.path or '/'} of run {self.run.run_id}>"


class StepScope(Struct):
    """The inside of a step's body: durable calls in it are plain calls, for the whole body is what is recorded."""

    run: Run
    key: str
    attempt: int
    call: StepCall | None = None
    """What the body is an attempt of."""
    is_taken: bool = False
    """Whether a transaction records this attempt itself: one in it is a plain one."""
    holds_database: bool = False
    """Whether nothing else can be written in this process while the body runs."""
    tasks: WeakSet[Any] | None = None
    """The tasks that the body has made, and those that they have."""

    report: Any = None
    """What the body says of how far it has come; the engine's."""

    @property
    def idempotency_key(self) -> str:
        """The same at every attempt, in every process; different for every call of every run."""
        return f"{self.run.run_id}:{self.key}" if self.key else self.run.run_id


scope: ContextVar[Branch | StepScope | None] = ContextVar("perdure_scope", default=None)
"""Where the running code stands; None outside any run."""


class Elsewhere(Struct, frozen=True):
    """The inside of a step's body that runs in another process than its run."""

    idempotency_key: str
    place: dict[str, str | int | None] = {}
    """What a log record says of where it was logged."""
    worker: Any = None
    """What talks to the process that the run is in; None where nobody does."""


body_elsewhere: ContextVar[Elsewhere | None] = ContextVar("perdure_body_elsewhere", default=None)
