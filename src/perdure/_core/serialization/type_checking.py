"""What a module imports for type checkers only (`if TYPE_CHECKING:`), so that its annotations can be resolved at all.

The imports are those of the program's own source, never of stored data. A module that is not loaded is imported only
where the caller says so: when a value or a name is at hand that nothing else explains.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

_Imported = tuple[str, str, str | None]
"""The module to import, the module that is meant, and the attribute of it (None: the module itself)."""


def names_for_type_checkers(module: str, names: Iterable[str], *, may_import: bool) -> dict[str, object]:
    """What these names of the module mean to a type checker; those that can be had."""
    found: dict[str, object] = {}
    for name in names:
        if hasattr(builtins, name) or (imported := _imports_of(module).get(name)) is None:
            continue
        path, holder, attribute = imported
        with suppress(Exception):  # not loaded, or an import that only a type checker can do
            if may_import:
                importlib.import_module(path)
            source = sys.modules[holder]
            found[name] = source if attribute is None else vars(source)[attribute]
    return found


@functools.lru_cache(maxsize=1024)
def _imports_of(module: str) -> dict[str, _Imported]:
    """By name, what is imported for type checkers."""
    here = sys.modules.get(module)
    try:
        tree = ast.parse(inspect.getsource(here)) if here is not None else ast.Module([], [])
    except Exception:  # no source at hand, such as in an interactive session
        return {}
    package = str(getattr(here, "__package__", None) or "")
    found: dict[str, _Imported] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            for statement in node.body:
                found.update(_names_of(statement, package))
    return found


def _names_of(statement: ast.stmt, package: str) -> Iterator[tuple[str, _Imported]]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            top = alias.name.partition(".")[0]
            yield alias.asname or top, (alias.name, alias.name if alias.asname else top, None)
    elif isinstance(statement, ast.ImportFrom):
        parents = package.split(".")[: package.count(".") + 2 - statement.level] if statement.level else []
        path = ".".join([*parents, *([statement.module] if statement.module else [])])
        for alias in statement.names:
            yield alias.asname or alias.name, (path, path, alias.name)
