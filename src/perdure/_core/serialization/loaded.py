"""Classes that some module of this process already holds: looked up in dictionaries, running nothing."""

from __future__ import annotations

import sys
from types import ModuleType

from ..names import module_name


def find_loaded(name: str) -> object:
    """Look `module:qualname` up in the dictionaries of loaded modules: no import, no module's `__getattr__`."""
    module_part, _, qualname = name.partition(":")
    module = sys.modules.get(module_part)
    if module is None and module_part == module_name("__main__"):
        module = sys.modules.get("__main__")  # the script itself, known by the name under which others import it
    if not isinstance(module, ModuleType):
        return None
    found: object = module
    for part in qualname.split("."):
        if not (found is module or isinstance(found, type)):
            return None
        getter = object.__getattribute__ if found is module else type.__getattribute__
        found = getter(found, "__dict__").get(part)
    return found
