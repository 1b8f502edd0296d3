"""The package keeps the rules of the house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import perdure
from perdure._engine.held_run import HostedRun
from tests.architecture.checks import CHECKS, LONGEST_FILE, Check, files_are_short, read_tree
from tests.architecture.tree import Module

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def package() -> dict[str, Module]:
    """The whole package, parsed once for all checks."""
    return read_tree(ROOT / "src" / "perdure")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.__name__))
def test_the_package_keeps_the_rule(check: Check, package: dict[str, Module]) -> None:
    """Every check passes on the whole package; a failure names place and mend."""
    breaches = check(package)

    assert not breaches, "\n" + "\n".join(breaches)


def test_the_package_is_found(package: dict[str, Module]) -> None:
    """The checks look at the real package, layers and all, and not at an empty folder."""
    assert {"perdure.errors", "perdure._core", "perdure.stores.protocol"} <= package.keys()


@pytest.mark.parametrize("folder", ["tests", "tools", "examples", "benchmarks", "chaos", "model"])
def test_files_beside_the_package_are_short_too(folder: str) -> None:
    """They keep the length of the package's files."""
    tree = {str(path): Module(path.stem, path) for path in (ROOT / folder).rglob("*.py")}

    breaches = files_are_short(tree)

    assert not breaches, f"{LONGEST_FILE} lines are too many:\n" + "\n".join(breaches)


def test_a_run_in_memory_is_typed() -> None:
    """Whatever a part keeps with a run has a type: the checker sees who reaches into it."""
    fields = {name: hint for kept in HostedRun.__mro__ for name, hint in vars(kept).get("__annotations__", {}).items()}

    assert "lane" in fields
    assert "Any" not in fields.values()


def test_what_the_package_offers_is_listed() -> None:
    """A name that can be had from `perdure` is one of `__all__`, by which its page is looked for."""
    offered = {name for name, value in vars(perdure).items() if name[0] != "_" and not isinstance(value, ModuleType)}

    assert offered - {"annotations"} == set(perdure.__all__)


FOLDERS = ("src", "tests", "docs", "model", "benchmarks", "chaos", "examples", "tools", ".github")
LATER = re.compile(r"(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
"""Parted, so that this file is none that says so."""
MACHINE = re.compile(r"(?<![\w.-])/(?:work|root|Users|home)/(?!me/|ann/)\w")
"""A path of the machine on which somebody works; the two that tests are about are nobody's."""


def texts() -> Iterator[tuple[Path, str]]:
    """Whatever people read."""
    kinds = {".py", ".sql", ".md", ".toml", ".yml", ".yaml", ".txt", ".in", ".sh", ".html", ".js", ".css"}
    for path in (*(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")), *ROOT.glob("*")):
        if path.suffix in kinds or path.name == "Makefile":
            yield path, path.read_text(encoding="utf-8")


def line_of(match: re.Match[str]) -> int:
    """The number of the line in which it begins."""
    return match.string.count("\n", 0, match.start()) + 1


def test_nothing_is_left_for_later_and_no_machine_is_named() -> None:
    """What is to be done is an issue; and a path that one machine alone has leads nobody anywhere."""
    found = [
        f"{path.relative_to(ROOT)}:{line_of(match)}: {match[0]}"
        for path, text in texts()
        for pattern in (LATER, MACHINE)
        for match in pattern.finditer(text)
    ]

    assert found == []


LOOKS_INSIDE = {
    *(
        "architecture",
        "costs",
        "identity",
        "inside",
        "journal",
        "model",
        "processes",
        "queues",
        "serialization",
        "stores",
    ),
    "transactions",
}
"""Folders whose tests are about parts. All others use what users use, and `tests/inside` where that does not do."""

OF_A_RULE = {
    *("agents/live.py", "agents/table.py", "generated/live.py", "conformance/test_private_data.py"),
    *("conformance/test_arguments.py", "conformance/test_isolation.py", "conformance/test_many_submitted.py"),
    *("conformance/test_own_exits.py", "conformance/test_schedule_times.py", "conformance/test_threads.py"),
    "conformance/test_tracebacks.py",
}
"""Single files there that are about a part, or measure without the rest of the tests."""

PRIVATE = re.compile(r"perdure\.(_|stores(\.|$))")


def test_tests_of_what_users_see_reach_inside_by_one_door() -> None:
    """What is private moves without them: a test that has to forget a function, or to look into a store, asks
    `tests/inside`.
    """
    found = set()
    for path in (ROOT / "tests").rglob("*.py"):
        name = path.relative_to(ROOT / "tests").as_posix()
        if name.split("/")[0] in LOOKS_INSIDE or "perdure" not in path.read_text(encoding="utf-8"):
            continue
        if any(PRIVATE.match(one.dotted) for one in Module(path.stem, path).imports):
            found.add(name)

    assert found - OF_A_RULE == set(), "import it from tests/inside, or put the test where parts are tested"
    assert OF_A_RULE - found == set(), "these reach inside no more"
