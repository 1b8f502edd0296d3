"""The bodies of steps, found by their name in another process, and looked up by it here before they are sent there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..._core.definitions import find_definition
from ...errors import UsageError


def found_function(module: str, qualname: str, name: str) -> Callable[..., Any]:
    """The undecorated function of the step of this name, or, where that is empty, the function itself that stands
    there. Imports the module. Raises `UsageError` where something else is found.
    """
    found: Any = sys.modules.get(module) or import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if not name and callable(found) and find_definition(found) is None:
        return found  # type: ignore[no-any-return]  # a function of any kind
    while name and found is not None:
        definition = find_definition(found)
        if definition is not None and definition.name == name:
            return definition.function
        found = getattr(found, "__wrapped__", None)
    raise UsageError(
        f"{module}:{qualname} is not {f'step {name}' if name else 'the function'} where its body is to run: it is "
        "found there by this name. Keep it at the top level of its module under its own name."
    )
