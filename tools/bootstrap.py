"""Stage one of the set-up: find a Python that can run Perdure and hand over to `environment.py`.

Written so that any Python from 2.7 on can run it, since the `python3` of a machine may be older than the one we look
for: an old one must get as far as finding its newer neighbour, or a message that says what is missing.
Nothing is installed here; when the environment is up to date this is all that runs.
"""

import glob
import hashlib
import os
import subprocess
import sys

OLDEST = (3, 11)
NEWEST_TESTED = (3, 14)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "perdure-stamp.txt")
LOCK = os.path.join(ROOT, "requirements", "lock.txt")
INGREDIENTS = (
    LOCK,
    os.path.join(ROOT, "pyproject.toml"),
    os.path.join(ROOT, "tools", "bootstrap.py"),
    os.path.join(ROOT, "tools", "environment.py"),
)

# Run by every candidate: what it is, and whether it has the parts that a trimmed-down build may lack.
PROBE = """
import sys
import ctypes, hashlib, sqlite3, ssl, venv, zlib
free_threaded = int(bool(getattr(sys, "_is_gil_enabled", None) and not sys._is_gil_enabled()))
base = getattr(sys, "_base_executable", None) or sys.executable
print("%d %d %d %s" % (sys.version_info[0], sys.version_info[1], free_threaded, base))
"""


def main():
    wanted = os.environ.get("PYTHON", "").strip()
    chosen = probe(wanted) if wanted else None
    if wanted and chosen is None:
        stop("PYTHON=%s is no Python 3, cannot be run, or lacks sqlite3, ssl, venv or zlib." % wanted)
    if wanted and chosen[0] < OLDEST:
        stop("PYTHON=%s is Python %d.%d; Perdure needs 3.11 or newer." % ((wanted,) + chosen[0]))
    if is_current(chosen):
        return
    chosen = chosen or choose(candidates())
    if chosen is None:
        stop(
            "Perdure needs Python 3.11 or newer (with sqlite3, ssl and venv), and none was found.\n"
            "Looked at: %s\n"
            "Install one (for example `apt install python3.11`, `brew install python`, `pyenv install 3.13`), or name\n"
            "it: make test PYTHON=/path/to/python3" % (", ".join(candidates()) or "nothing")
        )
    os.execv(chosen[1], [chosen[1], "-I", os.path.join(ROOT, "tools", "environment.py")])


def choose(paths):
    """Return ((major, minor), executable) of the newest tested Python among the paths; else of one still newer."""
    found = [p for p in (probe(path) for path in paths) if p is not None and p[0] >= OLDEST]
    tested = [p for p in found if p[0] <= NEWEST_TESTED]
    if tested:
        return max(tested, key=lambda p: p[0])
    return min(found, key=lambda p: p[0]) if found else None


def choose_other(paths, own):
    """Return ((major, minor), executable) of the tested Python that differs most from `own`; None without another."""
    found = [p for p in (probe(path) for path in paths) if p is not None and OLDEST <= p[0] <= NEWEST_TESTED]
    others = [p for p in found if p[0] != own]
    return max(others, key=lambda p: (abs(p[0][1] - own[1]), -p[0][1])) if others else None


def probe(executable):
    """Return ((major, minor), path of the real interpreter), or None when it cannot serve."""
    try:
        process = subprocess.Popen(
            [executable, "-I", "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        output = process.communicate()[0].decode("utf-8", "replace").strip().split(" ", 3)
    except OSError:
        return None
    if process.returncode != 0 or len(output) != 4 or output[2] != "0":
        return None
    return (int(output[0]), int(output[1])), output[3]


def candidates():
    """Every path that may be a Python, each once: by name on PATH, then where installers put them."""
    names = ["python3.%d" % minor for minor in range(NEWEST_TESTED[1] + 2, OLDEST[1] - 1, -1)] + ["python3", "python"]
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders += ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"]
    paths = [sys.executable] + [os.path.join(folder or ".", name) for name in names for folder in folders]
    home = os.path.expanduser("~")
    for pattern in (
        os.path.join(os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv"), "versions", "3.*", "bin", "python3"),
        os.path.join(home, ".local", "share", "uv", "python", "cpython-3.*", "bin", "python3"),
        "/opt/python*/bin/python3",
    ):
        paths += sorted(glob.glob(pattern))
    unique = []
    seen = {os.path.realpath(VENV_PYTHON)} if not os.path.islink(VENV_PYTHON) else set()
    for path in paths:
        real = os.path.realpath(path) if path else ""
        # A version manager's shims are one file under many names, so only what is not a shim is told apart by target.
        mark = path if os.path.basename(os.path.dirname(real)) == "shims" else real
        if path and os.access(path, os.X_OK) and mark not in seen and not path.startswith(VENV + os.sep):
            seen.add(mark)
            unique.append(path)
    return unique


def digest():
    """What the environment is made from: the lock, the package's metadata, these scripts and this place."""
    total = hashlib.sha256(ROOT.encode("utf-8", "surrogateescape") if sys.version_info[0] > 2 else ROOT)
    for path in INGREDIENTS:
        with open(path, "rb") as source:
            total.update(hashlib.sha256(source.read()).digest())
    return total.hexdigest()


def is_current(chosen=None):
    """Whether the environment is the one that the lock asks for (and made by `chosen`, if that is given)."""
    try:
        with open(STAMP) as stamp:
            made_from, made_by = stamp.read().split("\n", 1)
    except (IOError, ValueError):
        return False
    if chosen is not None and os.path.realpath(chosen[1]) != made_by.strip():
        return False
    return made_from == digest() and os.access(VENV_PYTHON, os.X_OK)


def stop(message):
    sys.stderr.write("set-up: " + message + "\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
