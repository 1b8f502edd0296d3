"""Where a command writes: tables, trees and lines for people, JSON for programs.

On a terminal with `rich` installed there are colours and tables that fit; everywhere else plain text in columns, whole
and without colours, so that it can be searched and cut. `NO_COLOR` and `--plain` choose the latter on a terminal, too.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from typing import Any, Final, TextIO

STYLES: Final[Mapping[str, str]] = {
    "succeeded": "green",
    "failed": "red",
    "dead": "red",
    "cancelled": "magenta",
    "cancelling": "magenta",
    "held": "cyan",
    "parked": "yellow",
    "late": "red",
    "wrong": "red",
    "well": "green",
}
"""Of words that say how something stands."""
WHOLE: Final = frozenset({"id", "parent", "worker", "held", "failed lately"})
"""The columns with ids."""
GAP: Final = 2
LEAST_WIDTH: Final = 8
"""To so many places a column is cut."""


@dataclass(slots=True)
class Branch:
    """A line of a tree, with those under it."""

    text: str
    style: str = ""
    branches: list[Branch] = field(default_factory=list)

    def add(self, text: str, style: str = "") -> Branch:
        """One more under it."""
        self.branches.append(Branch(text, style))
        return self.branches[-1]


def share_bar(share: float | None) -> str:
    """A bar of ten, and how much it is; nothing where that is not known."""
    if share is None:
        return ""
    full = round(10 * share)
    return f"{'█' * full}{'░' * (10 - full)} {share:.0%}  "


class Screen:
    """Standard output. `is_json`: a command gives values, and nothing else is written there."""

    def __init__(self, out: TextIO | None = None, *, is_json: bool = False, is_plain: bool = False) -> None:
        self._out = out or sys.stdout
        self.is_json = is_json
        self.is_terminal = self._out.isatty()
        self._console = None if is_plain or is_json or "NO_COLOR" in os.environ else console_of(self._out)

    def line(self, text: str = "", style: str = "") -> None:
        """A line of text."""
        if self._console is not None:
            self._console.print(visible(text), style=style or None, markup=False, highlight=False, soft_wrap=True)
        else:
            self._out.write(visible(text) + "\n")

    def write(self, text: str) -> None:
        """A text as it is, such as a script."""
        self._out.write(text)

    def note(self, text: str) -> None:
        """What is said beside the answer, on standard error: hints and progress."""
        sys.stderr.write(visible(text) + "\n")
        sys.stderr.flush()

    def json(self, value: object) -> None:
        """A value for programs, on one line."""
        is_ascii = (self._out.encoding or "").lower() not in ("utf-8", "utf8")
        self._out.write(json.dumps(value, default=plain, ensure_ascii=is_ascii) + "\n")
        self._out.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under their headings; nothing where there are no rows."""
        texts = [[visible(shown(cell)) for cell in row] for row in rows]
        if not texts:
            return
        if self._console is not None:
            self._rich_table(columns, texts)
            return
        widths = [max(map(width_of, column)) for column in zip(columns, *texts, strict=True)]
        for row in [list(columns), *texts]:
            cells = [cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True)]
            self._out.write("  ".join(cells).rstrip() + "\n")

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table  # late: it may not be installed
        from rich.text import Text  # late: the same

        assert self._console is not None
        widths = widths_within(self._console.width, columns, rows)
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
        for column, width in zip(columns, widths, strict=False):  # from the end columns may be left out
            table.add_column(column, overflow="ellipsis", no_wrap=True, min_width=width, max_width=width)
        for row in rows:
            table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row[: len(widths)]))
        self._console.print(table)
        if left_out := [column for column in columns[len(widths) :] if column]:
            self.note(f"this terminal is too narrow for: {', '.join(left_out)}")

    def tree(self, root: Branch) -> None:
        """A line and all under it."""
        if self._console is not None:
            from rich.text import Text  # late: it may not be installed
            from rich.tree import Tree  # late: the same

            tree = Tree(Text(visible(root.text), style=root.style))
            stack = [(root, tree)]
            while stack:
                branch, at = stack.pop()
                for under in branch.branches:
                    stack.append((under, at.add(Text(visible(under.text), style=under.style))))
            self._console.print(tree)
            return
        self._plain_tree(root, "", "")

    def _plain_tree(self, branch: Branch, first: str, rest: str) -> None:
        self._out.write(f"{first}{visible(branch.text)}\n")
        for place, under in enumerate(branch.branches):
            is_last = place == len(branch.branches) - 1
            self._plain_tree(under, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  "))

    def clear(self) -> None:
        """Begin at the top again, on a terminal."""
        if self.is_terminal:
            self._out.write("\x1b[H\x1b[2J")

    def flush(self) -> None:
        """Everything is out."""
        self._out.flush()


def widths_within(width: int, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column is to be so that all fit: what is long is cut, but ids are whole, since they are copied;
    where that is not enough, columns are left out from the end.
    """
    texts = [[column, *cells] for column, *cells in zip(columns, *rows, strict=True)]
    widths = [max(map(width_of, column)) for column in texts]
    least = [own if column in WHOLE else min(own, LEAST_WIDTH) for own, column in zip(widths, columns, strict=True)]
    while len(widths) > 1 and sum(least) + GAP * (len(least) - 1) > width:
        widths.pop()
        least.pop()
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    while excess > 0:
        room = [own - smallest for own, smallest in zip(widths, least, strict=True)]
        if not any(room):
            break
        place = max(range(len(widths)), key=lambda place: (room[place] > 0, widths[place]))
        widths[place] -= 1
        excess -= 1
    return widths


def console_of(out: TextIO) -> Any:
    """What `rich` draws with, where it is installed and somebody sits before it."""
    if not out.isatty():
        return None
    try:
        # late: it may not be installed
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=out, emoji=False)


def plain(value: object) -> object:
    """A value as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def shown(cell: object) -> str:
    """A cell of a table."""
    return "-" if cell is None else str(cell)


def visible(text: str) -> str:
    """The text without what would move the cursor or hide something: values come from anywhere."""
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\x{ord(character):02x}" for character in text
    )


def width_of(text: str) -> int:
    """How many places of a terminal it takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
