"""The named queries: both dialects ask the same questions, every query is used, and no SQL stands in Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct

from perdure._entries import RunCreated, Stored
from perdure.errors import UsageError
from perdure.stores import queries as module
from perdure.stores.finding.wanted import By
from perdure.stores.kinds import KINDS, Kinds
from perdure.stores.kinds.lives import Life
from perdure.stores.postgres.decisions import decisions_of
from perdure.stores.queries import Query, load_queries, parse_queries
from perdure.stores.sqlite import rows
from perdure.stores.sqlite.statements import decisions, statements
from perdure.typing import WaitKind
from tests.stores.entries import C1, W1, recorded
from tests.stores.noted.kind import NOTED

STORES = Path(module.__file__).parent
PACKAGES = [package for package in ("sqlite", "postgres") if (STORES / package / "sql").is_dir()]
QUESTIONS = {
    *("cancel_runs", "cancelled_among", "ended_runs", "explain_unknown_runs", "hand_back_runs", "has_open_cancels"),
    *("history_checkpoints", "history_children", "join_worker", "mend_runs", "pulse", "renew_worker", "run"),
    *("sweep_cancelled_runs", "take_over_worker", "workers", "schema_version", "note_migration"),
    *("last_events", "events_of_run", "next_chunks", "stream_traces", "streams_of_run"),
}
"""What is one statement in every dialect. Decisions of many are functions of the database in one, and not here."""

OWN = {"expected", "together", "decisions", "floors", "sessions"}
"""A timeline is a thing of databases that fail over; rows are packed where the driver hands them over one by one; what
a connection makes for itself needs no mark; a file has no sessions to listen on.
"""

SQL = re.compile(
    r"^\s*(select\s.+\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from|with\s+\w+\s+as\s*\("
    r"|create\s+(table|index|view)|alter\s+table|drop\s+(table|index|view)|begin(\s+(immediate|deferred))?$|commit$|rollback$|pragma\s)",
    re.IGNORECASE | re.DOTALL,
)


UNLIKE = {"transact"}
"""One is a function of the database that does it all, the other the first of two statements."""


FUNCTIONS = decisions_of(Kinds((*KINDS, NOTED))).script
"""All of Postgres, those of the kind that is there to be copied too."""


def loaded(package: str) -> dict[str, Query]:
    """The queries of one dialect."""
    return dict(load_queries(f"perdure.stores.{package}"))


def strings(source: Path) -> set[str]:
    """Every string in a Python file but its docstrings."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
    }


def test_both_dialects_carry_the_same_questions() -> None:
    """Same name, same parameters."""
    dialects = [loaded(package) for package in PACKAGES]
    for dialect in dialects:
        assert set(dialect) >= QUESTIONS
    for name in set.intersection(*(set(dialect) for dialect in dialects)) - UNLIKE:
        parameters = [set(dialect[name].parameters) - OWN for dialect in dialects]
        assert parameters[1:] == parameters[:-1], name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_query_is_used(package: str) -> None:
    """By its name, somewhere in the dialect's own modules, or where both judge entries or find runs."""
    judging = [STORES / "verdicts.py", *(STORES / "kinds").glob("*.py"), *(STORES / "finding").glob("*.py")]
    judging += (STORES / "keeping").glob("*.py")
    judging += (STORES.parent / "_api" / "transacting").glob("*.py")  # on connections of the user's
    used: set[str] = set().union(*(strings(source) for source in [*judging, *(STORES / package).glob("*.py")]))
    used |= {f"{what}_by_{by}" for what in ("runs", "floor") for by in get_args(By)}
    assert set(loaded(package)) - used == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_sql_stands_in_python(package: str) -> None:
    """SQL lives in .sql files, where people look for it."""
    sources = [*STORES.glob("*.py"), *(STORES / package).glob("*.py")]
    found = {(source.name, text) for source in sources for text in strings(source) if SQL.match(text)}
    names = {"begin", "commit", "rollback"}  # of queries
    assert {(source, text) for source, text in found if text not in names} == set()


@pytest.mark.parametrize("text", ["SELECT 1 FROM runs", "delete from workers", "PRAGMA x", "BEGIN IMMEDIATE"])
def test_the_search_for_sql_can_find_some(text: str) -> None:
    """A check that has never failed proves nothing."""
    assert SQL.match(text)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_query_says_why(package: str) -> None:
    """In a sentence."""
    assert [query.name for query in loaded(package).values() if len(query.why) < 20] == []


def test_a_query_without_a_why_is_refused() -> None:
    """So that nobody forgets it."""
    with pytest.raises(UsageError, match="does not say why"):
        list(parse_queries("-- name: nameless\nSELECT 1;\n", "x.sql"))


def test_parameters_are_found_in_order_and_literals_are_left_alone() -> None:
    """Of both styles; a colon in a literal or a cast is none."""
    [query] = parse_queries("-- name: q\n-- why: so\nSELECT ':no', :a, x::text, %(b)s, :a; -- :c\n", "x.sql")
    assert query.parameters == ("a", "b", "a")
    assert query.text == "SELECT ':no', :a, x::text, %(b)s, :a"


SECTIONS: dict[str, type[Struct]] = {
    **{kind.name: kind.struct for kind in KINDS},
    "attributed": RunCreated,
    "lived": Life,
}
"""What a batch of SQLite takes as JSON."""
_PATH = re.compile(r"json_(?:extract|type)\((?!wait\.)\w+(?:\.value)?, '\$([.\w]+)'\)")


def parts() -> list[tuple[str, list[str]]]:
    """Each statement that takes entries: of which section, and which paths."""
    found = []
    for trigger in decisions(Kinds().all):
        section = re.search(r"NEW\.kind = '(\w+)'", trigger)
        for part in re.split(r";|UNION ALL", trigger) if section is not None else ():
            if "json_each(NEW.entries)" in part:
                found.append((section[1], _PATH.findall(part)))
    return found


def test_every_section_of_a_batch_is_known() -> None:
    """So that the next test leaves none out."""
    assert {section for section, _ in parts()} == {*SECTIONS} == {*Kinds().sections}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_batch_names_what_its_entries_have(name: str) -> None:
    """What JSON has not is NULL to SQLite, and no error."""
    read = {path for section, paths in parts() if section == name for path in paths}
    assert read
    for path in read:
        first, _, rest = path.removeprefix(".").partition(".")
        assert first in SECTIONS[name].__struct_fields__, (name, path)
        assert not rest or rest in Stored.__struct_fields__, (name, path)


def test_the_row_of_a_lone_checkpoint_follows_its_statement() -> None:
    """As many values as parameters, each id at its name's place."""
    known = {"run_id": "r", "claim": C1, "worker_id": W1}
    row, parameters = rows.recorded_alone(recorded("r", C1), W1), statements()["record_lone_checkpoint"].parameters
    for value, parameter in zip(row, parameters, strict=True):
        assert value == known.get(parameter, value), parameter


FEW = {
    *("declared_for", "is_known_queue"),
    *("count_tables", "has_migrations", "schema_version", "fence", "run"),
    *(
        "has_open_cancels",
        "cancel_runs",
        "expire_runs",
        "take_over_worker",
        "workers",
        "mend_runs",
    ),
    *("has_told", "has_refused_runs"),
    *("transact", "was_transacted"),
    *("moment", "write_schedule", "step_schedule", "delete_schedule"),
}
"""What gives one row, or one for each process of a machine; `mend_runs` is asked at launch alone, `cancel_runs` by
people.
"""


def test_what_gives_many_rows_packs_them() -> None:
    """The interpreter's lock is given away for every row that is fetched, and comes back after 5 ms beside a busy
    thread.
    """
    texts = {name: statement.text for name, statement in statements().items()}
    giving = {name for name, text in texts.items() if re.search(r"^SELECT|RETURNING", text)}
    packing = re.compile(r"SELECT json_group_array\(json(_array)?\(")
    assert {name for name in giving if not packing.match(texts[name])} == FEW


def test_no_statement_is_run_row_by_row() -> None:
    """`executemany` gives the interpreter's lock away twice for each, and waits 5 ms for it beside a busy thread."""
    assert [path for path in STORES.rglob("*.py") if "executemany(" in path.read_text(encoding="utf-8")] == []


def test_postgres_plans_its_functions_once() -> None:
    """A plan that is made for the values at hand is made at each call: it may cost more than the work."""
    script = FUNCTIONS
    functions = re.split(r"^CREATE FUNCTION ", script, flags=re.MULTILINE)[1:]
    planned = [function for function in functions if "SET enable_seqscan = off" in function]
    assert len(planned) > 40
    assert [each.split("(")[0] for each in planned if "SET plan_cache_mode = force_generic_plan" not in each] == []


def test_what_is_asked_for_each_row_is_not_answered_for_all() -> None:
    """Without `OFFSET 0` the server may read the whole table for it, at each call, where it expects a small one."""
    asked = re.compile(r"EXISTS \(\s*SELECT 1 FROM perdure\.(?:runs|messages|checkpoints)\b[^()]*\)")
    of_a_row = re.compile(r"\w+\.\w+ = \w+\.\w+")
    found = [question for question in asked.findall(FUNCTIONS) if of_a_row.search(question)]
    assert len(found) > 20
    assert [question for question in found if "OFFSET" not in question] == []


def test_what_a_batch_changes_is_looked_for_by_its_key() -> None:
    """Joined with the batch, a table that is expected to be small is walked, and each row looks for all of the batch. A
    function that is asked within a condition is called for each row.
    """
    script = FUNCTIONS
    changed = r"(?:UPDATE|DELETE FROM) perdure\.(?:messages|checkpoints|hooks|streams|inputs)\b"
    joined = re.compile(
        changed + r"[^;()]*?(?:\([^()]*\)[^;()]*?)*?\s(?:FROM|USING)\s+(?:json_|entry\b|edge\b|\(\s*SELECT)"
    )
    assert [each.group().splitlines()[0] for each in joined.finditer(script)] == []
    assert re.findall(r"ANY \(perdure\.\w+", script) == []


def test_every_kind_of_wait_is_asked_for_in_both_stores() -> None:
    """A store wakes at once, again and again, who waits for what it does not know; and of the same kinds both note who
    is awaited.
    """
    noted = []
    for package in PACKAGES:
        asked = (STORES / package / "decisions" / "wakes.sql").read_text(encoding="utf-8")
        assert set(re.findall(r"WHEN '(\w+)' THEN", asked)) == set(get_args(WaitKind)), package
        parked = (STORES / package / "entries" / "parked.sql").read_text(encoding="utf-8")
        noted.append(re.findall(r"\bkind(?:'\))? IN \(([^)]*)\)", parked))
    assert noted[0] == noted[1] != []
