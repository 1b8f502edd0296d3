"""What `pip install perdure` brings: a typed package with its SQL, and next to no dependencies."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ALONE = """
import sys


class NothingElse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        is_standard = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if not is_standard and top not in {"perdure", "msgspec"}:
            raise ModuleNotFoundError(f"not installed here: {name}", name=name)


sys.meta_path.insert(0, NothingElse())
import perdure


@perdure.step
def double(number: int) -> int:
    return 2 * number


@perdure.workflow
def total(numbers: list[int]) -> int:
    return sum(double(number) for number in numbers)


print(total([1, 2, 3]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built as a release would build it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    ran = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Python, SQL and the marker for type checkers are all inside, and nothing of the tests is."""
    source = ROOT / "src" / "perdure"
    expected = {
        f"perdure/{path.relative_to(source)}" for path in source.rglob("*") if path.suffix in {".py", ".sql", ".typed"}
    }

    assert expected <= set(wheel.namelist())
    assert "perdure/py.typed" in expected
    assert not [name for name in wheel.namelist() if "tests/" in name]


def test_the_core_has_one_dependency(wheel: zipfile.ZipFile) -> None:
    """Whoever is content with SQLite installs Perdure and msgspec; everything else is an extra."""
    name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = message_from_string(wheel.read(name).decode())

    required = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]

    assert [text.partition(">")[0] for text in required] == ["msgspec"]


def test_perdure_and_its_one_dependency_are_enough(tmp_path: Path) -> None:
    """Where nothing else is installed, a workflow runs on the default SQLite file, without any configuration."""
    program = tmp_path / "program.py"
    program.write_text(ALONE, encoding="utf-8")

    ran = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "12\n"), ran.stderr
    assert (tmp_path / "perdure.db").exists()


BARE = (
    ALONE.partition("import perdure\n")[0]
    + """
import importlib

for name in sys.argv[1:]:
    try:
        importlib.import_module(f"perdure.integrations.{name}")
    except ImportError as error:
        print(f"{name}: {error}")
    else:
        print(f"{name}: imported")
"""
)


def test_an_integration_says_which_extra_it_needs() -> None:
    """Where the framework is not installed, whichever of its packages is missed first; who needs none is imported."""
    folder = ROOT / "src" / "perdure" / "integrations"
    names = sorted(path.stem for path in folder.iterdir() if path.stem[0] not in "_." and path.stem != "README")
    ran = subprocess.run(
        [sys.executable, "-c", BARE, *names],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": "src"},
        cwd=ROOT,
    )
    said = dict(line.split(": ", 1) for line in ran.stdout.splitlines())

    alone = {"asgi", "celery", "gunicorn", "hooks", "prometheus", "streams", "wsgi"}
    assert {name for name in said if said[name] == "imported"} == alone, ran.stderr
    assert set(said) == set(names)
    for name in sorted(set(names) - alone):
        extra = name.replace("_", "-")
        assert f"pip install 'perdure[{extra}]'" in said[name], said[name]
