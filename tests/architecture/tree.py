"""The source as a tree of modules and the arrows between them, read with `ast`: nothing is imported, nothing judged."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One imported name. `module` is dotted; `is_lazy`: inside a function; `is_type_only`: under TYPE_CHECKING."""

    module: str
    name: str | None
    line: int
    is_lazy: bool
    is_type_only: bool

    @property
    def dotted(self) -> str:
        """The full name, as if the imported name were a module too."""
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax: several checks walk through them."""
        return list(ast.walk(self.syntax))

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def imports(self) -> list[Import]:
        """Every import in the file, in order."""
        return list(self._imports_in(self.syntax, is_lazy=False, is_type_only=False))

    @cached_property
    def commented_lines(self) -> frozenset[int]:
        """The lines that carry a comment."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return frozenset(token.start[0] for token in tokens if token.type == tokenize.COMMENT)

    def _imports_in(self, node: ast.AST, *, is_lazy: bool, is_type_only: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, None, child.lineno, is_lazy, is_type_only)
            elif isinstance(child, ast.ImportFrom):
                for alias in child.names:
                    yield Import(self._source_of(child), alias.name, child.lineno, is_lazy, is_type_only)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from self._imports_in(child, is_lazy=True, is_type_only=is_type_only)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                yield from self._imports_in(child, is_lazy=is_lazy, is_type_only=True)
            else:
                yield from self._imports_in(child, is_lazy=is_lazy, is_type_only=is_type_only)

    def _source_of(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        base = parts[: len(parts) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


def read_tree(root: Path) -> dict[str, Module]:
    """Every module below the package folder `root`, by dotted name."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = Module(name, path)
    return modules


def target_of(imported: Import, modules: dict[str, Module]) -> str | None:
    """The module of the tree that an import leads to, or None where it leads outside."""
    for name in (imported.dotted, imported.module):
        if name in modules:
            return name
    return None
