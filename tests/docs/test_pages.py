"""Every Python example in the pages runs, and every link inside the repository leads somewhere."""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import re
import shlex
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ELSEWHERE, commands_of, files_of, program_of, run_page, sessions_of, type_session

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
POSTGRES = "postgresql://app:secret@localhost/app"
"""The database that examples name where they need a Postgres."""
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def text_of(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Reads a page; the Postgres that its examples name is a real one, with an empty database."""

    def read(page: Path) -> str:
        text = page.read_text()
        if missing := imported_by(text) - {name for name in imported_by(text) if find_spec(name) is not None}:
            assert "CI" not in os.environ, f"{missing} belong into requirements/dev.in"
            pytest.skip(f"without {missing}: make lock, make setup")
        if POSTGRES in program_of(text) + "".join(files_of(text).values()):
            text = text.replace(POSTGRES, request.getfixturevalue("own_postgres_url"))
        return text

    return read


def imported_by(text: str) -> set[str]:
    """The packages that a page's examples import, without those that are the page's own files."""
    sources = [program_of(text), *(source for name, source in files_of(text).items() if name.endswith(".py"))]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    own = {name.partition("/")[0].removesuffix(".py") for name in files_of(text)}
    return {name.partition(".")[0] for name in names} - own


def is_run_here(page: Path) -> bool:
    """Whether it has a program, for this environment."""
    text = page.read_text()
    return ELSEWHERE not in text and bool(program_of(text).strip())


@pytest.mark.parametrize("page", [page for page in PAGES if is_run_here(page)], ids=name_of)
def test_the_examples_of_a_page_run(page: Path, text_of: Callable[[Path], str], tmp_path: Path) -> None:
    """The page's blocks run in order, in one process, beside the page's files, without an error or a warning."""
    ran = run_page(text_of(page), tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if list(sessions_of(page.read_text()))], ids=name_of)
def test_what_a_page_types_prints_what_it_says(page: Path, text_of: Callable[[Path], str], tmp_path: Path) -> None:
    """The commands of its terminals that are ours, one after the other, with the keys that are pressed."""
    type_session(text_of(page), tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page.read_text())], ids=name_of)
def test_commands_exist(page: Path) -> None:
    """A target of the Makefile, an extra of the package, a file of the page or of the repository."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wrong = []
    for command in commands_of(page.read_text()):
        words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
        if words[:1] == ["make"]:
            wrong += [command for word in words[1:] if word not in targets]
        extras = re.findall(r"perdure\[([\w,-]+)\]", command)
        wrong += [command for one in extras for name in one.split(",") if name not in project["optional-dependencies"]]
        if words[:1] == ["python"] and words[1].endswith(".py"):
            wrong += [] if words[1] in files_of(page.read_text()) or (ROOT / words[1]).exists() else [command]
        if words[:1] == ["perdure"]:
            wrong += [] if is_understood(words[1:]) else [command]

    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that exists, and an anchor in a page a heading of that page."""
    links = [(path, anchor) for path, anchor in LINK.findall(page.read_text()) if ":" not in path]
    anchored = [(page.parent / path if path else page, anchor) for path, anchor in links if anchor]

    assert [path for path, _ in links if not (page.parent / path).exists()] == []
    assert [(path.name, anchor) for path, anchor in anchored if anchor not in anchors_of(path.read_text())] == []


def is_understood(arguments: list[str]) -> bool:
    """Whether the command line takes them; `--help` ends well, too."""
    if find_spec("perdure.cli") is None:
        return False
    command, main = (importlib.import_module(f"perdure.cli.{name}") for name in ("command", "main"))
    try:
        main.parser_of(command.all_commands()).parse_args(arguments)
    except SystemExit as ended:
        return ended.code == 0
    return True


def anchors_of(text: str) -> set[str]:
    """The anchors of a page's headings, as the site makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}


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


SESSION = """
```python title="count.py"
import sys, time
for number in range(3):
    print("number", number, flush=True)
    time.sleep(0 if sys.argv[1:] else 60 * number)
```

```console
$ python count.py
number 0
number 1
^C
$ python count.py fast
number 0
number …
number 2
```
"""


def test_a_session_is_typed_as_it_stands(tmp_path: Path) -> None:
    """Commands run in the folder of the page's files; a key comes when the line above it has been printed."""
    type_session(SESSION, tmp_path)


def test_a_session_that_prints_something_else_is_found(tmp_path: Path) -> None:
    """What a page says that a command prints is compared."""
    with pytest.raises(AssertionError, match="the page says"):
        type_session(SESSION.replace("number 2\n", "number 3\n"), tmp_path)


def test_titled_blocks_are_files_and_no_part_of_the_program() -> None:
    """The file is the reader's; the program is what the page shows beside it."""
    assert program_of(SESSION).strip() == ""
    assert list(files_of(SESSION)) == ["count.py"]
    assert commands_of("```console\nmake test   # all\n\npip install \\\n    x\n```\n") == [
        "make test",
        "pip install      x",
    ]
