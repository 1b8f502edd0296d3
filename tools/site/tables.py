"""The reference's tables that are made from something else than docstrings: the settings, and the views for people."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sqlite3
import textwrap

import places

STORES = places.ROOT / "src" / "perdure" / "stores"
VIEW = re.compile(r"((?:^--.*\n)*)^(CREATE VIEW (?:perdure\.)?(\w+_view) AS(?:\n|.)*?;)$", re.MULTILINE)


def settings() -> str:
    """Every setting with its type, its default and what it is for."""
    from perdure._engine import options  # the Python that builds the site has no Perdure

    syntax = ast.parse(textwrap.dedent(inspect.getsource(options.Options))).body[0]
    assert isinstance(syntax, ast.ClassDef)
    notes = {
        node.target.id: after.value.value
        for node, after in zip(syntax.body, syntax.body[1:], strict=False)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }  # fmt: skip
    lines = [
        "# Settings",
        "",
        "Keywords of `perdure.launch`, `perdure.running`, `perdure.lifespan` and `perdure.Perdure`. Durations are",
        "numbers of seconds or a `timedelta`. [What they are for](../guide/settings.md). The variable `PERDURE_URL`",
        "names the database where the program does not.",
    ]
    for field in dataclasses.fields(options.Options):
        default = field.default if isinstance(field.default, int | float | str | bool | tuple) else None
        kind = options.Settings.__annotations__[field.name]
        kind = str(getattr(kind, "__forward_arg__", kind))
        shown = "perdure.JsonCodec()" if field.name == "codec" else repr(default)
        lines += [
            "",
            f"## `{field.name}` {{ #setting-{field.name} }}",
            "",
            "```python",
            f"{field.name}: {kind} = {shown}",
        ]
        lines += ["```", "", " ".join(str(notes[field.name]).split())]
    return "\n".join(lines) + "\n"


def sql_views() -> str:
    """The views that people may ask, with the names and types of their columns."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((STORES / "sqlite" / "schema.sql").read_text())
    lines = [
        "# SQL views",
        "",
        "What people and dashboards may ask: on Postgres `perdure.run_view` and `perdure.step_view`, in a SQLite file",
        "the same names without the schema. Tables may change with any release; of the views columns may be added, and",
        "none is renamed or removed without a word in the changelog.",
    ]
    for store in ("postgres", "sqlite"):
        for comment, statement, name in VIEW.findall((STORES / store / "schema.sql").read_text()):
            if store == "postgres":
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
                lines += ["", f"## `{name}` {{ #sql-{name} }}", "", prose(comment), ""]
                lines += [", ".join(f"`{column}`" for column in columns) + "."]
                lines += [f"\n{note}" for note in [NOTES.get(name)] if note]
            title = "On Postgres" if store == "postgres" else f"`{name}` in SQLite"
            lines += ["", f"### {title}" if store == "postgres" else f"## {title}", "", "```sql", statement, "```"]
    connection.close()
    return "\n".join(lines) + "\n"


NOTES = {
    "run_view": "`state` is `ready`, `held`, `cancelling`, `parked`, `succeeded`, `failed`, `cancelled` or `dead`. "
    "`needs_mend` is true of a run that is parked until its code is mended; `reason` says why. `input` and `output` "
    "are the values as they are stored. Runs are numbered as they are made: `ORDER BY seq DESC LIMIT n`, "
    "`is_unfinished` and `went_wrong` are answered by indexes.",
    "step_view": "`kind` is `step`, `value` (`now`, `random`, `uuid4`), `sleep`, or `order`: a piece of the order in "
    "which outcomes were handed over. `outcome` is the value or error as it is stored.",
}


def prose(comment: str) -> str:
    """The comment above a statement as a paragraph."""
    return " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
