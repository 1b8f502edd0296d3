"""The program that a command is given: a module, and perhaps a `Perdure` instance in it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from .. import Perdure, UsageError


def program_of(program: str, url: str | None, **settings: Any) -> Perdure:
    """Import `module` or `module:NAME`; its instance on the database that is named, or one of its own, with these
    settings.
    """
    module_name, _, name = program.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109  # as Python itself has it
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and module_name.startswith(error.name):
            meant = module_name.removesuffix(".py").replace("/", ".")
            mend = "" if meant == module_name else f"give the module, {meant}, and "
            raise UsageError(
                f"there is no module {module_name}: {mend}run this where `import {meant}` works"
            ) from error
        raise
    given = getattr(module, name, None) if name else None
    if name and given is None:
        raise UsageError(f"{module_name} has no {name}: name its Perdure instance, or give {module_name} alone")
    if given is not None and not isinstance(given, Perdure):
        raise UsageError(
            f"{program} is a {type(given).__name__}, which says neither a database nor settings: name the Perdure "
            f"instance of {module_name}, or give {module_name} alone"
        )
    if given is not None:
        return given.with_settings(url, **settings)
    return Perdure(url, **settings)
