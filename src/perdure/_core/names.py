"""What functions and types are called in the database: `module:qualname`, the same in every process.

The main script has another module name in every kind of process (`__main__` when run, `__mp_main__` in a spawned
child, its own name in a uvicorn worker), so it is known by the name under which its file can be imported. A session
has no file (`python -c`, standard input, a terminal): its functions are known by their code as well, so that no other
program's function of that name is taken for one of them.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import Any, Final

from ..errors import UsageError

SESSION: Final = "__main__"
"""The module of a session, and of nothing that has a file."""

_MAIN_MODULES: Final = frozenset({SESSION, "__mp_main__"})
_START_FOLDER: Final = os.path.abspath("")  # noqa: PTH100 - pathlib costs more than the rest; programs change theirs
_NOTEBOOK: Final = ("__vsc_ipynb_file__", "JPY_SESSION_NAME")
"""Where VS Code and Jupyter say which notebook this is: a global of its main module, a variable of the environment."""


def module_name(module: str) -> str:
    """Return the name under which `module` can be imported; differs only for the main script."""
    main = sys.modules.get(module) or sys.modules.get(SESSION)
    if module in _MAIN_MODULES:
        return _main_name(vars(main)) if main is not None else module
    script = sys.modules.get(SESSION)
    file = getattr(script, "__file__", None)
    if file is None or main is script or getattr(main, "__file__", None) != file:
        return module
    return _main_name(vars(script))  # the main script, imported by itself or by its server: one file, one name


def _main_name(main: Mapping[str, Any]) -> str:
    """The name of the main module with these globals."""
    name = getattr(main.get("__spec__"), "name", None)
    if isinstance(name, str) and name not in _MAIN_MODULES:  # python -m
        return name
    notebook = next((found for found in _notebooks(main) if isinstance(found, str) and found), None)
    if notebook is not None:
        return f"notebook {os.path.basename(notebook)}"  # noqa: PTH119 - as above
    file = main.get("__file__")
    return _script_name(file) if isinstance(file, str) and not file.startswith("<") else SESSION  # such as <stdin>


def _notebooks(main: Mapping[str, Any]) -> Iterator[object]:
    in_globals, in_environment = _NOTEBOOK
    if "get_ipython" in main:
        yield main.get(in_globals)
        yield os.environ.get(in_environment)


@lru_cache(maxsize=16)
def _script_name(file: str) -> str:
    """The dotted name of a script: from the top of its package, else from a folder that Python was told to import from,
    else from the folder in which the program was started, else its own alone. It need not be an identifier: `python -m
    my-app` finds `my-app.py` too.
    """
    own_folder, base = os.path.split(os.path.abspath(file))  # noqa: PTH100 - as above
    stem, extension = os.path.splitext(base)  # noqa: PTH122 - as above
    parts = [stem if extension in (".py", ".pyw") else f"./{base}"]
    folder = own_folder
    while os.path.isfile(os.path.join(folder, "__init__.py")):  # noqa: PTH113, PTH118 - as above
        folder, name = os.path.split(folder)
        parts.insert(0, name)
    if folder != own_folder:
        return ".".join(parts)
    told = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]  # noqa: PTH100 - as above
    for root in (*told, _START_FOLDER):
        start = os.path.join(root, "")  # noqa: PTH118 - as above
        if own_folder.startswith(start) and root != os.path.dirname(root):  # noqa: PTH120 - as above
            return ".".join([*own_folder[len(start) :].split(os.sep), *parts])  # noqa: PTH206 - as above
    if stem == SESSION:  # a folder or an archive that is run
        parts.insert(0, os.path.basename(own_folder))  # noqa: PTH119 - as above
    return ".".join(parts)


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
    if module not in _MAIN_MODULES or not isinstance(target, FunctionType):
        return f"{module_name(module)}:{qualname}"
    origin = origin_of(target)
    main = origin.__globals__ if origin.__globals__.get("__name__") == module else vars(sys.modules[module])
    name = _main_name(main)  # of its own globals: a profiler's or debugger's main module is another one
    return f"{name}:{qualname}" if name != SESSION else f"{name}:{qualname}~{_digest_of(origin.__code__)}"


def origin_of(function: Any) -> FunctionType:
    """The function under all decorators that say what they wrap."""
    origin = inspect.unwrap(function)
    found: FunctionType = origin if isinstance(origin, FunctionType) else function
    return found


def _digest_of(code: CodeType) -> str:
    """Eight digits for what a function does, the same in every process of one Python version."""
    return blake2b("\0".join(_text_of(code)).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _text_of(code: CodeType) -> Iterator[str]:
    """Everything but the place where it stands."""
    yield code.co_code.hex()
    yield repr((code.co_varnames, code.co_names, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _text_of(constant)
        elif isinstance(constant, frozenset):
            yield repr(sorted(map(repr, constant)))
        else:
            yield repr(constant)
