"""The package keeps the rules of the house."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("folder", ["tests", "tools", "examples"])
def test_files_beside_the_package_are_short_too(folder: str) -> None:
    """Tests, tools and examples keep the length of the package's files."""
    tree = {str(path): Module(path.stem, path) for path in (ROOT / folder).rglob("*.py")}

    breaches = files_are_short(tree)

    assert not breaches, f"{LONGEST_FILE} lines are too many:\n" + "\n".join(breaches)


def test_a_run_in_memory_is_typed() -> None:
    """Whatever a part keeps with a run has a type: the checker sees who reaches into it."""
    fields = {name: hint for kept in HostedRun.__mro__ for name, hint in vars(kept).get("__annotations__", {}).items()}

    assert "lane" in fields
    assert "Any" not in fields.values()


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
