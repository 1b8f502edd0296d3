"""Counts what a form's author writes beyond the plain service, with the standard library's diff.

Docstrings, comments and blank lines are left out of both sides. A line that only stands in another place or file than
in the plain service was moved, not written, and is not counted.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Changes:
    """Lines that the plain service does not have, and lines of it that are gone."""

    added: int
    removed: int
    files: int


def changes_between(plain: Sequence[Path], form: Sequence[Path]) -> Changes:
    """What the files of a form have in place of the plain service's."""
    before, after = ([line for path in paths for line in code_of(path.read_text())] for paths in (plain, form))
    diff = [line for line in unified_diff(before, after, n=0, lineterm="") if not line.startswith(("---", "+++", "@@"))]
    put_in, taken_out = (Counter(unindented(diff, sign)) for sign in "+-")
    return Changes((put_in - taken_out).total(), (taken_out - put_in).total(), len(form))


def unindented(diff: Iterable[str], sign: str) -> Iterable[str]:
    """The diff's lines of this sign without what is before them."""
    return (line[1:].strip() for line in diff if line.startswith(sign))


def code_of(source: str) -> list[str]:
    """The lines that hold code, without the comments behind it."""
    quiet = {line for start, end in docstrings_of(ast.parse(source)) for line in range(start, end + 1)}
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    ends = {token.start[0]: token.start[1] for token in tokens if token.type == tokenize.COMMENT}
    lines = {number: line[: ends.get(number)].rstrip() for number, line in enumerate(source.splitlines(), 1)}
    return [line for number, line in lines.items() if line and number not in quiet]


def docstrings_of(tree: ast.AST) -> Iterable[tuple[int, int]]:
    """First and last line of every string that stands alone: a docstring, or what explains a constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.end_lineno or node.lineno
