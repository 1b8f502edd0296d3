"""The set-up chooses the right Python, knows when its work is done, and says what is missing."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.interpreters import interpreters

ROOT = Path(__file__).resolve().parents[2]


def fake_python(folder: Path, name: str, version: tuple[int, int], *, free_threaded: bool = False) -> Path:
    """A program that answers the probe as a Python of that version would."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{version[0]} {version[1]} {int(free_threaded)} {path}"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the set-up reads, in a path with spaces."""
    copy = tmp_path / "a path with spaces"
    for name in ("tools/bootstrap.py", "tools/environment.py", "requirements/lock.txt", "pyproject.toml", "Makefile"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


def imported(path: Path) -> ModuleType:
    """A script of the set-up as a module."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_of_the_copy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bootstrap(checkout: Path) -> ModuleType:
    """The first stage, imported from the copy."""
    return imported(checkout / "tools" / "bootstrap.py")


@pytest.fixture
def environment(checkout: Path, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The second stage, imported from the copy, with the copy's first stage."""
    monkeypatch.setitem(sys.modules, "bootstrap", bootstrap)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the second stage adds its own folder
    return imported(checkout / "tools" / "environment.py")


def test_the_newest_tested_python_is_chosen(bootstrap: ModuleType, tmp_path: Path) -> None:
    """Of several Pythons the newest that the tests cover wins, wherever it stands in the list."""
    paths = [fake_python(tmp_path, f"p{minor}", (3, minor)) for minor in (9, 12, 13, 11, 15)]

    assert bootstrap.choose([str(path) for path in paths]) == ((3, 13), str(tmp_path / "p13"))


def test_an_untested_newer_python_is_better_than_none(bootstrap: ModuleType, tmp_path: Path) -> None:
    """Where there is no tested Python, the oldest of the newer ones is taken."""
    paths = [fake_python(tmp_path, f"p{minor}", (3, minor)) for minor in (16, 15, 10)]

    assert bootstrap.choose([str(path) for path in paths]) == ((3, 15), str(tmp_path / "p15"))


def test_a_python_that_cannot_serve_is_passed_over(bootstrap: ModuleType, tmp_path: Path) -> None:
    """A version manager's empty shim, a free-threaded build and a file that is gone are no candidates."""
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\necho 'version not installed' >&2\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    free_threaded = fake_python(tmp_path, "p13t", (3, 13), free_threaded=True)
    sound = fake_python(tmp_path, "p11", (3, 11))

    paths = [str(shim), str(free_threaded), str(tmp_path / "gone"), str(sound)]

    assert bootstrap.choose(paths) == ((3, 11), str(sound))


@pytest.mark.parametrize(("own", "other"), [(14, 11), (13, 11), (12, 14), (11, 14)])
def test_the_other_python_of_the_tests_is_the_farthest_supported_one(
    bootstrap: ModuleType, tmp_path: Path, own: int, other: int
) -> None:
    """What one version recorded, another replays: of the supported ones here, the version that differs most."""
    paths = [str(fake_python(tmp_path, f"p{minor}", (3, minor))) for minor in (10, 12, 13, 11, 15, 14)]

    assert bootstrap.choose_other(paths, (3, own)) == ((3, other), str(tmp_path / f"p{other}"))


def test_no_other_python_is_no_error(bootstrap: ModuleType, tmp_path: Path) -> None:
    """Where there is only one supported Python, nothing is chosen."""
    paths = [str(fake_python(tmp_path, f"p{minor}", (3, minor))) for minor in (9, 14, 15)]

    assert bootstrap.choose_other(paths, (3, 14)) is None


def test_a_supported_python_of_this_machine_is_ready_to_replay(bootstrap: ModuleType) -> None:
    """Where the machine has one, the tests that replay under another version are not skipped."""
    if bootstrap.choose_other(bootstrap.candidates(), sys.version_info[:2]) is None:
        pytest.skip("no other supported Python on this machine")

    assert [python for python in interpreters() if python != sys.executable]


def test_the_other_python_gets_what_the_lock_pins(environment: ModuleType) -> None:
    """Few packages, each with its version and hashes, and no line of another package."""
    text = environment.locked(environment.FOR_THE_OTHER_PYTHON)

    packages = re.findall(r"^([\w-]+)==\S+", text, re.M)
    assert set(packages) == set(environment.FOR_THE_OTHER_PYTHON)
    for block in text.replace("\\\n", " ").splitlines():
        assert "--hash=sha256:" in block


def test_an_other_python_that_cannot_be_filled_stops_nobody(
    environment: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It serves some tests only: the set-up says that they will be skipped, leaves nothing half done and goes on."""
    other = fake_python(tmp_path, "other", (3, 11 if sys.version_info >= (3, 12) else 13))
    (environment.ROOT / ".cache").mkdir()

    environment.make_other_python([sys.executable, "-c", "raise SystemExit('no such wheel')"], [str(other)])

    assert "will be skipped" in capsys.readouterr().out
    assert not environment.OTHER_PYTHON.exists()


def stamp(bootstrap: ModuleType, made_by: str = "/some/python") -> None:
    """Make the environment look finished."""
    python = Path(bootstrap.VENV_PYTHON)
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text("#!/bin/sh\n", encoding="utf-8")
    python.chmod(0o755)
    Path(bootstrap.STAMP).write_text(f"{bootstrap.digest()}\n{made_by}\n", encoding="utf-8")


def test_a_stamped_environment_is_left_alone(bootstrap: ModuleType) -> None:
    """When the stamp fits the lock, nothing is to be done."""
    stamp(bootstrap)

    assert bootstrap.is_current()


@pytest.mark.parametrize("changed", ["requirements/lock.txt", "pyproject.toml", "tools/environment.py"])
def test_a_changed_ingredient_asks_for_a_new_set_up(bootstrap: ModuleType, checkout: Path, changed: str) -> None:
    """A new lock, new metadata or a new script makes the stamp stale."""
    stamp(bootstrap)
    with (checkout / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")

    assert not bootstrap.is_current()


def test_an_environment_whose_python_is_gone_is_not_current(bootstrap: ModuleType) -> None:
    """A dangling link where the interpreter was makes the stamp worthless."""
    stamp(bootstrap)
    Path(bootstrap.VENV_PYTHON).unlink()

    assert not bootstrap.is_current()


def test_another_python_by_name_asks_for_a_new_set_up(bootstrap: ModuleType) -> None:
    """`PYTHON=` counts even when an environment of another Python is finished."""
    stamp(bootstrap, made_by="/some/python")

    assert not bootstrap.is_current(((3, 12), "/another/python"))


def test_a_finished_set_up_runs_nothing(bootstrap: ModuleType, checkout: Path) -> None:
    """`make setup` on a finished environment ends at once, with no index to ask and no pip to run."""
    stamp(bootstrap)

    ran = make_setup(checkout, PIP_NO_INDEX="1")

    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_a_wrong_override_is_refused_with_its_name(checkout: Path, tmp_path: Path) -> None:
    """`PYTHON=` that names nothing usable, or something too old, is an error that says so; nothing is guessed."""
    old = fake_python(tmp_path, "old python", (3, 9))

    missing = make_setup(checkout, PYTHON="/nowhere/python")
    too_old = make_setup(checkout, PYTHON=str(old))

    assert missing.returncode != 0
    assert "PYTHON=/nowhere/python" in missing.stderr
    assert too_old.returncode != 0
    assert "old python" in too_old.stderr


def test_an_old_python_gets_as_far_as_a_clear_answer(bootstrap: ModuleType) -> None:
    """The first stage runs on every older Python of this machine, which Perdure itself cannot use."""
    probed = [(bootstrap.probe(path), path) for path in bootstrap.candidates()]
    old_ones = [path for answer, path in probed if answer is not None and answer[0] < (3, 11)]
    if not old_ones:
        pytest.skip("no Python older than 3.11 on this machine")

    for python in old_ones:
        ran = subprocess.run(
            [python, str(Path(bootstrap.ROOT) / "tools" / "bootstrap.py")],
            env={"PATH": os.defpath, "PYTHON": "/nowhere/python"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert (python, ran.returncode) == (python, 1)
        assert ran.stderr.startswith("set-up: PYTHON=/nowhere/python")


def test_the_first_stage_is_written_for_old_pythons() -> None:
    """No syntax newer than Python 2.7 and 3.6 share, also where no old Python is there to try it."""
    text = (ROOT / "tools" / "bootstrap.py").read_text(encoding="utf-8")

    assert "annotations" not in text
    assert ' f"' not in text
    assert ":=" not in text


def test_nothing_names_a_package_index() -> None:
    """Which index pip asks is the user's business: no page, lock or script of the set-up has an address in it."""
    files = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    files += [*(ROOT / "requirements").iterdir(), *(ROOT / "tools").glob("*.py")]

    named = [str(path) for path in files if "://" in path.read_text(encoding="utf-8")]

    assert named == []


def test_the_lock_is_complete_and_pinned() -> None:
    """Every locked package has an exact version and hashes."""
    text = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
    blocks = [block for block in text.replace("\\\n", " ").splitlines() if block and not block.lstrip().startswith("#")]

    assert len(blocks) > 50
    assert [block for block in blocks if "==" not in block or "--hash=sha256:" not in block] == []


def test_every_requirement_is_in_the_lock() -> None:
    """A name added to a list of requirements is locked too; `make lock` or `make agents-lock` does it."""
    requirements = ROOT / "requirements"
    lists = [
        requirements / "dev.in",
        requirements / "agents.in",
        ROOT / "examples" / "document_indexing" / "requirements.in",
    ]
    lines = [line for path in lists for line in path.read_text(encoding="utf-8").splitlines()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines += [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    wanted = {match[0].lower() for line in lines if (match := re.match(r"[\w-]+", line))}

    locks = "".join((requirements / name).read_text(encoding="utf-8") for name in ("lock.txt", "agents.txt"))
    locked = set(re.findall(r"^([\w-]+)==", locks, re.M))

    assert wanted - locked == set()


def make_setup(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `make setup` there as a shell would."""
    kept = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    return subprocess.run(
        ["make", "--silent", "setup"],
        cwd=checkout,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
