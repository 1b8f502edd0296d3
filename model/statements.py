"""The production statements and functions, as text by name: where the guards of the model are looked for.

Names: `sqlite/fence` and `postgres/cancel_runs` are named queries, `postgres/perdure.fence` is a function, a
view or a trigger of the migrations, the decisions or the kinds of entries, `stores/verdicts.judge`,
`sqlite/store.SqliteStore._commit` and `engine/journal/journal.Journal.send` are Python.
Comments are left out, white space is one blank: a guard that is only talked about is not there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from perdure.stores.queries import parse_queries

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "perdure"
MADE_IN = ("migrations", "decisions", "entries")

_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_MADE = re.compile(r"^CREATE (?:TEMP )?(?:FUNCTION|VIEW|TRIGGER) ([\w.]+)", re.MULTILINE)


@cache
def read_statements() -> Mapping[str, str]:
    """Every text, by name; read once."""
    found: dict[str, str] = {}
    for store in ("sqlite", "postgres"):
        folder = PACKAGE / "stores" / store
        for source in sorted((folder / "sql").glob("*.sql")):
            for query in parse_queries(source.read_text(encoding="utf-8"), source.name):
                found[f"{store}/{query.name}"] = flat(query.text)
        for source in sorted(path for kind in MADE_IN for path in (folder / kind).glob("*.sql")):
            found.update((f"{store}/{name}", text) for name, text in made_in(source.read_text(encoding="utf-8")))
        for source in sorted(folder.glob("*.py")):
            found.update((f"{store}/{source.stem}.{name}", text) for name, text in _functions(source))
    for source in (PACKAGE / "stores" / "verdicts.py", *(PACKAGE / "stores" / "kinds").glob("*.py")):
        found.update((f"stores/{source.stem}.{name}", text) for name, text in _functions(source))
    engine = PACKAGE / "_engine"
    for source in sorted(engine.rglob("*.py")):
        module = source.relative_to(engine).with_suffix("").as_posix()
        found.update((f"engine/{module}.{name}", text) for name, text in _functions(source))
    return found


def flat(text: str) -> str:
    """The text with one blank for all white space."""
    return " ".join(text.split())


def made_in(script: str) -> Iterator[tuple[str, str]]:
    """The functions, views and triggers of a file, each with all that follows up to the next."""
    script = _COMMENT.sub("", script)
    places = [*_MADE.finditer(script)]
    ends = [*(following.start() for following in places[1:]), len(script)]
    for match, end in zip(places, ends, strict=False):  # a migration may make none
        yield match[1], flat(script[match.start() : end])


def _functions(source: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, flat(ast.unparse(node))
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", flat(ast.unparse(inner))
