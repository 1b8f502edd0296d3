"""Attributes: names with values of the program's choice, by which people find a run."""

from __future__ import annotations

from collections.abc import Mapping

from .._core.flow import drive
from .._core.flows.attributes import set_attributes as set_attributes_flow
from .._core.given import text_name
from .._core.lineage import Branch, scope
from .._engine.hosting.asyncio.tasks import own_branch
from ..errors import UsageError

MOST_ATTRIBUTES = 32
"""For one run at a time: an index has a row for each."""

Attribute = str | int | float | bool


def set_attributes(attributes: Mapping[str, Attribute | None]) -> None:
    """Say by what people find the run that this is called in: `runs.list(attributes=...)`. It is not awaited in an
    async workflow either.

    For workflows: `UsageError` elsewhere. A name that the run has already gets the new value; None takes it away. At
    most 32 at once; names and texts of up to 500 characters. Committed like a checkpoint: before the next step's body.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError(
            "set_attributes() is for workflows: at the start give them to with_options(attributes={...}); what a step "
            "finds out it returns, and its workflow sets it"
        )
    checked = attributes_of(attributes, "set_attributes", may_be_none=True)
    branch = own_branch(here)
    drive(set_attributes_flow(branch.run, branch.next_key(), checked, is_instant=branch.is_async), branch.run)


def attributes_of(given: object, what: str, *, may_be_none: bool = False) -> dict[str, str | None]:
    """Names with values, as they are stored."""
    if not isinstance(given, Mapping) or len(given) > MOST_ATTRIBUTES:
        raise UsageError(f"{what}: give a dict of at most {MOST_ATTRIBUTES} attributes, names with values")
    return {
        text_name(name, f"{what}: a name"): None if value is None and may_be_none else attribute_text(name, value, what)
        for name, value in given.items()
    }


def given_attributes(given: object) -> dict[str, str]:
    """The same, of which each must have a value."""
    checked = attributes_of(given, "attributes")
    return {name: value for name, value in checked.items() if value is not None}


def attribute_text(name: str, value: object, what: str) -> str:
    """The value of an attribute as it is stored and looked for: text, a number, True or False."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if not isinstance(value, str):
        raise UsageError(f"{what}: {name!r}: give a text, a number, True or False, not a {type(value).__name__}")
    return text_name(value, f"{what}: {name!r}")
