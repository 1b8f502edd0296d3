"""What `pip install perdure` brings: a typed package with its SQL, and next to no dependencies."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LOADED = """
import sys
import perdure
outside = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(" ".join(sorted(name for name in outside if not name.startswith(("_", "sitecustomize")))))
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


def test_importing_perdure_loads_nothing_else() -> None:
    """Without the extras `import perdure` works, since it asks for nothing but its own dependency."""
    ran = subprocess.run([sys.executable, "-c", LOADED], cwd="/", capture_output=True, text=True, check=True)

    # What other packages' .pth files load at start-up is not ours.
    at_start = subprocess.run(
        [sys.executable, "-c", LOADED.replace("import perdure", "")],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ran.stdout.split()) - set(at_start.stdout.split()) <= {"perdure", "msgspec"}
