"""`on_query`: what a workflow answers about how things stand, while it goes on, waits, and after it has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.given import text_name
from .._core.lineage import Branch, scope
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError
from .on_update import check_handler, handlers_of, learn_types


def on_query(name: str, fn: Callable[..., Any]) -> None:
    """From here on, whoever asks by `handle.query(name, *args)` is told what `fn(*args)` returns.

    For workflows, mostly in their first lines: `fn` looks at what the workflow knows (its variables, by a closure) and
    changes nothing. A plain function; one that makes a durable call, or gives something to await, is an error for
    whoever asks. It is called when none of the run's own code is at work, and by a replay where nobody holds the run.
    Nothing of it is recorded: a query may be added to, or taken from, the code of runs that are under way. Registered
    again, the name has the new function.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError("on_query() is for the code of workflows: register what a run answers there")
    branch = own_branch(here)
    branch.run.check_alive()
    name = text_name(name, "on_query: name")
    check_handler(fn, f"on_query({name!r}): fn", may_be_async=False)
    learn_types(fn)
    handlers_of(branch.run).queries[name] = fn
