"""Stage two of the set-up: make `.venv` and fill it with what `requirements/lock.txt` pins, then stamp it.

Started by `bootstrap.py` with the Python that the environment shall have. Nothing outside the checkout is written:
neither the machine's Python nor the user's site is touched. pip need not belong to that Python: Debian ships one
without `ensurepip`, and any pip from 22.3 on can install into another interpreter's environment.
Which index pip asks is the user's own configuration; nothing here names one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # run with -I, which leaves the script's folder out
import bootstrap

ROOT = Path(bootstrap.ROOT)
VENV = Path(bootstrap.VENV)
VENV_PYTHON = bootstrap.VENV_PYTHON
OTHER_PYTHON = VENV / "other-python"
"""An environment of another Python version, with little in it. Inside `.venv`, since it is made and goes with it."""
FOR_THE_OTHER_PYTHON = ("msgspec", "psycopg", "psycopg-binary", "typing-extensions")
"""What Perdure needs to run there on both stores."""
PIP_THAT_CAN_AIM = (22, 3)
"""From this version on pip has `--python`, which installs into another interpreter's environment."""

Command = list[str]


def main() -> None:
    """Bring the environment up to date; a second caller waits for the first and finds the work done."""
    with only_one_at_a_time():
        if bootstrap.is_current((sys.version_info[:2], sys.executable)):
            return
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        say(f"making .venv with Python {version} and the locked packages (once; later runs fetch nothing)")
        make_environment()
        pip = find_pip()
        # The lock is complete, so nothing is left to resolve (older pips stumble over extras in a lock with hashes).
        install(pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", bootstrap.LOCK)
        # The build backend is among the locked packages: building the checkout needs no index.
        install(pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        make_other_python(pip, bootstrap.candidates())
        stamp = Path(bootstrap.STAMP)
        stamp.write_text(f"{bootstrap.digest()}\n{os.path.realpath(sys.executable)}\n", encoding="utf-8")
        say("ready")


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold a lock file, so that `make demo` beside `make test` does not build one environment twice at once."""
    folder = ROOT / ".cache"
    try:
        folder.mkdir(exist_ok=True)
        lock = (folder / "bootstrap.lock").open("w")
    except OSError as error:
        bootstrap.stop(f"cannot write to {folder}: {error.strerror}. The checkout must be writable for you.")
        raise
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_environment() -> None:
    """Keep a finished environment of this very Python, replace any other. Always without pip: see `find_pip`.

    One without a stamp was interrupted, or is somebody else's: packages in it may be half there.
    """
    stamp = Path(bootstrap.STAMP)
    if VENV.exists() and not (stamp.exists() and is_ours()):
        if not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
            bootstrap.stop(f"{VENV} is no virtual environment; move it away, the set-up wants that name.")
        say("replacing the .venv that was there")
        shutil.rmtree(VENV)
    stamp.unlink(missing_ok=True)
    if not VENV.exists():
        venv.EnvBuilder(symlinks=True, with_pip=False).create(VENV)


def is_ours() -> bool:
    """Whether the existing environment runs and belongs to this Python and this place."""
    probe = "import sys; print(sys.prefix, getattr(sys, '_base_executable', ''), sep='\\n')"
    try:
        answer = subprocess.run([VENV_PYTHON, "-I", "-c", probe], capture_output=True, text=True, check=True)
        prefix, base = answer.stdout.splitlines()
        activate = (VENV / "bin" / "activate").read_text(encoding="utf-8")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
    same_python = os.path.realpath(base) == os.path.realpath(sys.executable)
    return Path(prefix) == VENV and same_python and str(VENV) in activate


# -- another Python version, for the tests that replay with one what the other recorded --------------------------------
def make_other_python(pip: Command, candidates: list[str]) -> None:
    """Make `OTHER_PYTHON` of the supported version that differs most from ours, if the machine has another one.

    Only some tests need it, so that nothing here stops the set-up; what was not made is not tried at every start.
    """
    shutil.rmtree(OTHER_PYTHON, ignore_errors=True)
    other = bootstrap.choose_other(candidates, sys.version_info[:2])
    if other is None:
        return
    version = f"{other[0][0]}.{other[0][1]}"
    packages = ROOT / ".cache" / "other-python.txt"
    packages.write_text(locked(FOR_THE_OTHER_PYTHON), encoding="utf-8")
    target = OTHER_PYTHON / "lib" / f"python{version}" / "site-packages"
    # Our pip chooses the other version's wheels: that Python need not have a pip.
    wheels = ["--python-version", version, "--only-binary", ":all:", "--target", str(target)]
    try:
        run([other[1], "-I", "-m", "venv", "--without-pip", str(OTHER_PYTHON)])
        run(pip_install(pip, "--no-deps", "--require-hashes", *wheels, "--requirement", str(packages)))
    except CommandError as error:
        shutil.rmtree(OTHER_PYTHON, ignore_errors=True)
        say(f"tests that need Python {version} too will be skipped, since it could not be made ready:\n{error}")


def locked(names: tuple[str, ...]) -> str:
    """The part of the lock that pins these packages."""
    text = Path(bootstrap.LOCK).read_text(encoding="utf-8")
    blocks = re.findall(r"^([\w-]+)(==(?:.*\\\n)*.*\n)", text, re.M)
    return "".join(name + pin for name, pin in blocks if name in names)


# -- pip, from wherever there is one ----------------------------------------------------------------------------------
def find_pip() -> Command:
    """Return a command that is pip and acts on the new environment, from the nearest source that works."""
    for source in (pip_of_ensurepip, pip_of_a_neighbour, pip_of_a_wheel, pip_fetched_by_an_old_pip):
        if (pip := source()) is not None:
            return pip
    bootstrap.stop(
        "no pip was found: not in this Python (ensurepip), not beside any other Python, not as a wheel.\n"
        "Install one (for example `apt install python3-pip` or `apt install python3-venv`) and run this again."
    )
    raise AssertionError


def pip_of_ensurepip() -> Command | None:
    """The pip that comes with Python; Debian packages it apart, as python3-venv."""
    ran = subprocess.run([VENV_PYTHON, "-I", "-m", "ensurepip", "--default-pip"], capture_output=True, check=False)
    pip = [VENV_PYTHON, "-I", "-m", "pip"]
    return pip if ran.returncode == 0 and version_of(pip) is not None else None


def pip_of_a_neighbour() -> Command | None:
    """A pip of this or any other Python. That it may be externally managed (PEP 668) matters only for its own Python:
    with `--python` it runs itself inside the environment, where installing is what environments are for."""
    for pip in pips_around():
        version = version_of(pip)
        if version is not None and version >= PIP_THAT_CAN_AIM:
            aimed = [*pip, "--python", VENV_PYTHON]
            if version_of(aimed) is not None:
                return aimed
    return None


def pip_of_a_wheel() -> Command | None:
    """A pip wheel that lies on the machine (Debian's python3-pip-whl): a wheel of pip can be run as it is."""
    for folder in ("/usr/share/python-wheels", "/usr/lib/python3/dist-packages/virtualenv/seed/wheels/embed"):
        for wheel in sorted(Path(folder).glob("pip-*.whl"), reverse=True):
            pip = [VENV_PYTHON, "-I", f"{wheel}/pip"]
            if version_of(pip) is not None:
                return pip
    return None


def pip_fetched_by_an_old_pip() -> Command | None:
    """A pip too old for `--python` can still download a newer one, which is then run as a wheel."""
    folder = Path(tempfile.mkdtemp(prefix="perdure-pip-", dir=ROOT / ".cache"))
    for pip in pips_around():
        download = [*pip, "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), "pip"]
        subprocess.run(download, capture_output=True, check=False)
        for wheel in folder.glob("pip-*.whl"):
            fetched = [VENV_PYTHON, "-I", f"{wheel}/pip"]
            if version_of(fetched) is not None:
                return fetched
    return None


def pips_around() -> Iterator[Command]:
    """Every pip that may be there: of this Python, of the others, and by its own name."""
    for python in [sys.executable, *bootstrap.candidates()]:
        yield [python, "-I", "-m", "pip"]
    for name in ("pip3", "pip"):
        if (path := shutil.which(name)) is not None:
            yield [path]


def version_of(pip: Command) -> tuple[int, int] | None:
    """The version that this pip states, or None when it does not run."""
    try:
        answer = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"pip (\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if answer.returncode == 0 and match else None


def install(pip: Command, *arguments: str) -> None:
    """Run `pip install`; what pip says is shown only when it fails."""
    try:
        run(pip_install(pip, *arguments))
    except CommandError as error:
        bootstrap.stop(
            f"{error}\n\nIf the package index cannot be reached, set up pip for it (pip config) and run this again."
        )


def pip_install(pip: Command, *arguments: str) -> Command:
    """The command, with what every installation here has in common."""
    return [*pip, "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-user", *arguments]


class CommandError(Exception):
    """A command has failed; the message has the end of what it said."""


def run(command: Command) -> None:
    """Run a command without showing what it says."""
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED_BY_PIP}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        said = [line for line in (ran.stdout + ran.stderr).splitlines() if not line.startswith("WARNING")]
        raise CommandError(f"{' '.join(command)}\nended with {ran.returncode}:\n{chr(10).join(said[-30:])}")


UNWANTED_BY_PIP = frozenset({"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"})
"""Settings of the user's that would send the packages somewhere else than into the environment."""


def say(text: str) -> None:
    """Tell the person who waits."""
    print(f"set-up: {text}", flush=True)


if __name__ == "__main__":
    main()
