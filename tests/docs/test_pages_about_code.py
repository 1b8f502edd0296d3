"""The pages about the code name files, functions and lists that are there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md", ROOT / "model" / "README.md"),
    *(DOCS / "protocol.md", DOCS / "glossary.md"),
    *sorted((DOCS / "recipes").glob("*.md")),
    *sorted((DOCS / "how-it-works").glob("*.md")),
]
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
FOLDERS = ("src", "tests", "model", "docs", "benchmarks", "chaos", "examples", "tools")
OF_A_USER = {"a/job.py", "b/job.py"}
OF_OTHERS = {"track_commit_timestamp"}
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./]+\.(?:py|sql|md)|(?:src|tests|model|docs|tools)/[\w/]+|_\w+/[\w/]+|\w+/")
NAME = re.compile(r"(?:\w+\.)*(\w+)(?:\(.*\))?")


@cache
def files() -> frozenset[str]:
    """Every file and folder of the project's own."""
    return frozenset(f"/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*"))


@cache
def words() -> frozenset[str]:
    """Every word of the code."""
    sources = [
        path for path in files() if path.endswith((".py", ".sql")) and path != "/tests/docs/test_pages_about_code.py"
    ]
    return frozenset(word for path in sources for word in re.findall(r"\w+", (ROOT / path[1:]).read_text("utf-8")))


def missing_in(text: str) -> list[str]:
    """What stands there as code, and is neither a file nor a word of the code; places to be filled in are left out."""
    missing = []
    for code in CODE.findall(text):
        if re.search(r"[<>*…=\s]|NNNN", code):
            continue
        if FILE.fullmatch(code):
            if code not in OF_A_USER and not any(path.endswith("/" + code.strip("/")) for path in files()):
                missing.append(code)
        elif (name := NAME.fullmatch(code)) is not None and name[1] not in words() | OF_OTHERS:
            missing.append(code)
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_what_is_there(page: Path) -> None:
    """Whoever follows it finds each of them."""
    assert missing_in(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda path: str(path.name))
def test_a_decision_names_files_that_are_there(page: Path) -> None:
    """What else it names may be others', or what was decided against."""
    assert [code for code in missing_in(page.read_text(encoding="utf-8")) if FILE.fullmatch(code)] == []


def test_what_is_missing_is_found() -> None:
    """A file that is gone, and a function that has another name; not what the reader is to make."""
    text = (
        "`stores/nowhere.py`, `no_such_function_of_ours()`, `flows/<name>.py`, `stores/keeping/tables.py`, `read_wakes`"
    )
    assert missing_in(text) == ["stores/nowhere.py", "no_such_function_of_ours()"]
