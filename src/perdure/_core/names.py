"""What functions and types are called in the database: `module:qualname`, the same in every process.

The main script has another module name in every kind of process (`__main__` when run, `__mp_main__` in a spawned
child, its own name in a uvicorn worker), so it is known by the name under which its file can be imported.
"""

from __future__ import annotations

import os
import sys
from types import FunctionType

from ..errors import UsageError

_MAIN_MODULES = frozenset({"__main__", "__mp_main__"})


def module_name(module: str) -> str:
    """Return the name under which `module` can be imported; differs only for the main script.

    A main script that has no file (an interactive session, `python -c`) keeps its name: no other process knows it.
    """
    if module not in _MAIN_MODULES:
        return module
    main = sys.modules.get(module) or sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    spec_name = getattr(spec, "name", None)
    if isinstance(spec_name, str) and spec_name not in _MAIN_MODULES:
        return spec_name
    file = getattr(main, "__file__", None)
    if not isinstance(file, str):
        return module
    return _import_name(file) or module


def _import_name(file: str) -> str | None:
    """Return the dotted name of `file` relative to the first entry of `sys.path` that leads to it."""
    stem, _ = os.path.splitext(os.path.abspath(file))  # noqa: PTH100, PTH122 - pathlib costs more than the rest
    for entry in sys.path:
        if not isinstance(entry, str):
            continue
        root = os.path.join(os.path.abspath(entry), "")  # noqa: PTH100, PTH118 - as above
        if stem.startswith(root):
            parts = stem[len(root) :].split(os.sep)  # noqa: PTH206 - as above
            if all(part.isidentifier() for part in parts):
                return ".".join(parts)
    name = os.path.basename(stem)  # noqa: PTH119 - as above
    return name if name.isidentifier() else None


def name_of_function(fn: object) -> str:
    """Return `module:qualname` of a function, method, class method or static method.

    Raises `UsageError` for one that a fresh process could not find by that name: defined inside another function,
    or a lambda.
    """
    target = fn
    while not isinstance(target, FunctionType):
        inner = getattr(target, "__func__", None) or getattr(target, "__wrapped__", None)
        if inner is None:
            break
        target = inner
    module, qualname = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise UsageError(f"{type(fn).__name__} object is no function and has no name; give it one with name=…")
    if "<locals>" in qualname or "<lambda>" in qualname:
        raise UsageError(
            f"{module}:{qualname} is defined inside another function, or is a lambda, so that a fresh process could "
            f"not find it by this name; move it to the top level of its module, or give it a name of its own: name=…"
        )
    return f"{module_name(module)}:{qualname}"
