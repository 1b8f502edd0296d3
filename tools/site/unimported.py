"""The reference of modules that need what an extra brings: read, not imported, so that it is the same everywhere."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path


def page_of_source(name: str, path: Path) -> str:
    """The page of the module: its docstring, and every public function and class with signature and docstring."""
    syntax = ast.parse(path.read_text(encoding="utf-8"))
    parts = [f"# `{name}`", inspect.cleandoc(ast.get_docstring(syntax) or "")]
    for node in syntax.body:
        parts += entry(node, f"{name}.", "##")
    return "\n\n".join(part for part in parts if part) + "\n"


def has_public_names(path: Path) -> bool:
    """Whether there is something to show."""
    return any(is_public(node) for node in ast.parse(path.read_text(encoding="utf-8")).body)


def is_public(node: ast.stmt) -> bool:
    """Whether it is a documented function or class without an underscore."""
    is_named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    return is_named and bool(ast.get_docstring(node))


def entry(node: ast.stmt, before: str, level: str) -> list[str]:
    """The entry of one function or class, with the methods of a class."""
    if not is_public(node):
        return []
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    shown = node.name if level == "##" else f"{before.rstrip('.').rpartition('.')[2]}.{node.name}"
    anchor = f"{level} `{shown}` {{ #{before}{node.name} }}"
    parts = [anchor, f"```python\n{line_of(node)}\n```", ast.get_docstring(node) or ""]
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            parts += entry(member, f"{before}{node.name}.", "###")
    return parts


def line_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    """The first line of a definition: what it is called and what it takes."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}" + (f"({bases})" if bases else "")
    taken = node.args
    if taken.args and taken.args[0].arg in ("self", "cls"):
        taken.args = taken.args[1:]
    word = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returned = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    line = f"{word}{node.name}({ast.unparse(taken)}){returned}"
    if len(line) <= 88:
        return line
    inside = ",\n    ".join(parts_of(ast.unparse(taken)))
    return f"{word}{node.name}(\n    {inside},\n){returned}"


def parts_of(arguments: str) -> list[str]:
    """The arguments one by one: parted at commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in arguments:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
