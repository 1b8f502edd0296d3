"""Every Python example in the pages runs, and every link inside the repository leads somewhere."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

from tests.docs.pages import ELSEWHERE, program_of, run_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NEEDS = {
    "docs/integrations/web.md": ("litestar",),
    "docs/integrations/wsgi.md": ("flask",),
}
"""What a page's program imports that an environment from before it was in the lock may lack."""
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def is_run_here(page: Path) -> bool:
    """Whether it has a program, for this environment."""
    text = page.read_text()
    return ELSEWHERE not in text and bool(program_of(text).strip())


@pytest.mark.parametrize("page", [page for page in PAGES if is_run_here(page)], ids=name_of)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """The page's blocks run in order, in one process, in an empty directory, without an error or a warning."""
    for module in NEEDS.get(name_of(page), ()):
        pytest.importorskip(module)
    ran = run_page(page.read_text(), tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that exists."""
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_five_lines_are_those_of_the_example() -> None:
    """The diff in the README is the diff between the two services, line for line."""
    example = ROOT / "examples" / "document_indexing"
    plain, durable = ((example / name / "app.py").read_text().splitlines() for name in ("plain", "durable"))
    differences = difflib.unified_diff(plain, durable, n=0, lineterm="")
    changed = sorted(line for line in differences if not line.startswith(("---", "+++", "@@")))

    shown = (ROOT / "README.md").read_text().partition("```diff\n")[2].partition("```")[0].splitlines()

    assert sorted(line for line in shown if line[:1] in {"+", "-"}) == changed


def test_the_readme_has_examples() -> None:
    """The runner finds the README's blocks: it does not pass by running nothing."""
    assert program_of((ROOT / "README.md").read_text()).count("@workflow") >= 2


def test_a_broken_example_is_found(tmp_path: Path) -> None:
    """A page whose example fails makes the run fail, at the page's own line."""
    ran = run_page("# Page\n\n```console\nnot python\n```\n\n```python\nassert 1 == 2\n```\n", tmp_path)

    assert ran.returncode == 1
    assert "line 8" in ran.stderr


def test_blocks_share_what_they_define(tmp_path: Path) -> None:
    """A later block uses the names of an earlier one."""
    ran = run_page("```python\nx = 1\n```\ntext\n```python\nprint(x + 1)\n```\n", tmp_path)

    assert ran.stdout == "2\n"


def test_a_block_left_open_is_an_error() -> None:
    """A fence that is never closed would swallow the rest of the page."""
    with pytest.raises(ValueError, match="not closed"):
        program_of("```python\nx = 1\n")
