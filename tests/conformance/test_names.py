"""What a program's functions are called, however it is started: fresh processes that print the name of a function."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import perdure

@perdure.step
def act(number): return number

def name(): return act.__perdure__.name

if __name__ == "__main__": print(name())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project: a package, a folder without `__init__.py`, and scripts."""
    for name in ("pkg", "plain", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(PROGRAM)
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / "__main__.py").write_text(PROGRAM)
    (tmp_path / "linked").symlink_to(tmp_path / "pkg", target_is_directory=True)
    for script in ("send-invoices.py", "delete-old-files.py", "tool"):
        (tmp_path / script).write_text(PROGRAM)
    return tmp_path


def name_in(folder: Path, *command: str, stdin: str = "", **environment: str) -> str:
    """What the program prints that Python is told to execute there."""
    source = str(Path(__file__).resolve().parents[2] / "src")
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_a_module_of_a_package_has_one_name_however_it_is_started(folder: Path) -> None:
    """As a script from any folder, with -m, imported: each finds the runs of the others."""
    assert {
        name_in(folder, "pkg/app.py"),
        name_in(folder / "pkg", "app.py"),
        name_in(Path("/"), str(folder / "pkg" / "app.py")),
        name_in(folder, "-m", "pkg.app"),
        name_in(folder, "-c", "import pkg.app; print(pkg.app.name())"),
    } == {"pkg.app:act"}
    assert name_in(folder, "pkg") == name_in(folder, "-m", "pkg") == "pkg.__main__:act"


def test_without_a_package_the_folder_in_which_the_program_is_started_counts(folder: Path) -> None:
    """It is where `-m` and a server would import from."""
    assert name_in(folder, "plain/app.py") == name_in(folder, "-m", "plain.app") == "plain.app:act"
    assert name_in(folder, "other/app.py") == "other.app:act"
    assert name_in(folder / "plain", "app.py") == "app:act"
    assert name_in(Path("/"), str(folder / "plain" / "app.py")) == "app:act"
    source = str(Path(__file__).resolve().parents[2] / "src")
    told = os.pathsep.join([source, str(folder)])
    assert name_in(Path("/"), str(folder / "plain" / "app.py"), PYTHONPATH=told) == "plain.app:act"


def test_a_script_whose_name_is_no_identifier_is_named_by_its_file(folder: Path) -> None:
    """They were all `__main__`: one script executed another's run."""
    assert name_in(folder, "send-invoices.py") == name_in(folder, "-m", "send-invoices") == "send-invoices:act"
    assert name_in(folder, "delete-old-files.py") == "delete-old-files:act"
    assert name_in(folder, "tool") == "./tool:act"


def test_links_are_not_followed(folder: Path) -> None:
    """A folder of releases behind a link: the path that is called stays when the release changes."""
    (folder / "current").symlink_to(folder / "other", target_is_directory=True)
    assert name_in(folder, "current/app.py") == "current.app:act"
    assert name_in(folder, "linked/app.py") == "linked.app:act"


def test_code_without_a_file_is_known_by_what_it_does(folder: Path) -> None:
    """The same code finds its runs again; other code, of the same name, does not take them."""
    other = PROGRAM.replace("return number", "return -number")
    names = [name_in(folder, "-c", PROGRAM), name_in(folder, "-", stdin=PROGRAM), name_in(folder, "-c", other)]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("__main__:act~") for name in names)


def test_a_notebook_is_known_by_its_file(folder: Path) -> None:
    """A cell that was edited is the same function: its kernel says which notebook it is."""
    cell = f"get_ipython = None\n{PROGRAM}"
    assert name_in(folder, "-c", cell, JPY_SESSION_NAME="/home/ann/sales.ipynb") == "notebook sales.ipynb:act"


def test_a_script_that_is_imported_too_has_one_name(folder: Path) -> None:
    """A server that is started by the script imports it by its name: one file, one name."""
    (folder / "plain" / "serve.py").write_text(f"{PROGRAM}\nimport serve\nassert serve.name() == name()\n")
    assert name_in(folder, "plain/serve.py") == "plain.serve:act"


def test_a_profiler_does_not_give_its_own_name(folder: Path) -> None:
    """The main module of the process is the profiler's then."""
    assert name_in(folder, "-m", "cProfile", "send-invoices.py").startswith("send-invoices:act")
