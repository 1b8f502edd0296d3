"""The demonstration says honestly whether the durable service kept its promise."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from examples.document_indexing.demo import Outcome, verdict
from examples.document_indexing.harness import only_one
from examples.document_indexing.processes import ROOT, environment
from examples.document_indexing.service import Chunks


def outcome(*, indexed: int = 10, run_twice: int = 2, distinct: int = 50) -> Outcome:
    """What became of ten documents of five chunks, two of them in flight at the kill."""
    return Outcome("durable", 10, indexed, 2, run_twice, Chunks(50, distinct, indexed))


def test_a_kept_promise_has_no_complaint() -> None:
    """As many bodies twice as were in flight are what a kill costs."""
    assert verdict(outcome()) == []


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (outcome(indexed=9), "1 documents lost"),
        (outcome(distinct=45), "5 chunks duplicated"),
        (outcome(run_twice=3), "3 bodies run twice, though only 2 were in flight"),
    ],
)
def test_every_broken_promise_is_named(broken: Outcome, complaint: str) -> None:
    """A loss, a duplicate, a body too many: each alone fails the demonstration."""
    assert verdict(broken) == [complaint]


@pytest.mark.parametrize("docs", ["many", "0", "-3"])
def test_a_wrong_number_of_documents_is_refused(docs: str) -> None:
    """In a line that says what is possible, before anything is started."""
    ran = run_module("demo", DOCS=docs)
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [f"DOCS={docs} is no number of documents: give 1 or more, as in DOCS=200"]


def test_a_port_that_is_taken_is_named() -> None:
    """With the way out: another one, or none, for one that is free."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = run_module("serve", "--alone", "--port", port)
    assert ran.returncode == 2
    assert f"port {port} cannot be used" in ran.stderr.splitlines()[-1]


def test_a_second_demonstration_in_one_checkout_is_refused(tmp_path: Path) -> None:
    """The two would empty each other's directories and be blamed on the service."""
    place = tmp_path / "demo"
    with only_one(place), pytest.raises(SystemExit, match="another demo runs in this checkout"), only_one(place):
        pass
    with only_one(place):
        pass


def run_module(name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the example to its end."""
    return subprocess.run(
        [sys.executable, "-m", f"examples.document_indexing.{name}", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_the_demonstration_runs_to_its_table() -> None:
    """With few documents: the durable service loses nothing, the question is answered, nothing is left running."""
    ran = run_module("demo", DOCS="20", COLUMNS="200")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (lost,) = (line for line in ran.stdout.splitlines() if "lost " in line and "│" in line)
    assert [cell.strip() for cell in lost.strip("│").split("│")][:2] == ["lost", "0"]
    assert "5.67" in ran.stdout
