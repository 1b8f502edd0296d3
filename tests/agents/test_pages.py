"""The pages of the integrations run, in the environment that has the frameworks."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ELSEWHERE, program_of, run_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for page in sorted((ROOT / "docs" / "integrations").glob("*.md")) if ELSEWHERE in page.read_text()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """In order, in one process, in an empty directory."""
    text = page.read_text()
    packages = set(re.findall(r"^(?:from|import) (\w+)", program_of(text), re.M))
    if missing := [name for name in packages if find_spec(name) is None]:
        pytest.skip(f"without {missing}: make agents")

    ran = run_page(text, tmp_path, warnings="default")

    assert ran.returncode == 0, ran.stdout + ran.stderr
