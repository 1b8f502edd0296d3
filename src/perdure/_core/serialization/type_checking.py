"""The names that a module imports for type checkers only, for annotations that cannot be resolved without them.

The module's own source says where they come from, as its other imports do; no stored data has a part in it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache


def names_for_type_checkers(module: object) -> dict[str, object]:
    """The names under `if TYPE_CHECKING:` in the module of this name, imported; without those that cannot be had."""
    names: dict[str, object] = {}
    for source, name, alias in _imports_of(module) if isinstance(module, str) else ():
        with suppress(Exception):  # a stub, or a module that is not installed: the annotation stays open
            imported = importlib.import_module(source)
            names[alias] = getattr(imported, name) if name else imported
    return names


@lru_cache(maxsize=256)
def _imports_of(module: str) -> tuple[tuple[str, str, str], ...]:
    """Module, name in it (empty: the module itself) and the name here, of each import for type checkers."""
    try:
        here = sys.modules[module]
        tree = ast.parse(inspect.getsource(here))
    except (KeyError, OSError, TypeError, SyntaxError):  # no source at hand
        return ()
    package = getattr(here, "__package__", None) or ""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and _is_for_type_checkers(node.test)]
    return tuple(found for block in blocks for statement in block.body for found in _imported(statement, package))


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return name == "TYPE_CHECKING"


def _imported(statement: ast.stmt, package: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            top = alias.name.partition(".")[0]
            yield (alias.name, "", alias.asname) if alias.asname else (top, "", top)
    elif isinstance(statement, ast.ImportFrom):
        parts = package.split(".")
        above = parts[: len(parts) - statement.level + 1] if statement.level else []
        source = ".".join([*above, *filter(None, [statement.module])])
        for alias in statement.names:
            yield source, alias.name, alias.asname or alias.name
