"""Runs programs in turn and keeps what they answer: every contestant anew, on a fresh database, in changing order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.databases import Databases
from benchmarks.environments import ROOT, python_of
from benchmarks.shape import Shape

PATIENCE_SECONDS = 3_600
SYNC_CALLS = ("fsync", "fdatasync")
LAST_WORDS = 300


@dataclass
class Record:
    """What one program answered, or how it failed."""

    shape: str
    variant: str
    store: str
    contestant: str
    round: int
    count: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    error: str = ""

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class Conductor:
    """Measures shapes on stores; see `measure` and `count`."""

    def __init__(self, databases: Databases, before: Path | None = None) -> None:
        self._databases = databases
        self._before = before
        """A checkout of another commit, whose own Perdure takes part as the contestant `before`."""

    def measure(
        self, shapes: Sequence[Shape], stores: Sequence[str], contestants: Sequence[str], rounds: int, scale: float
    ) -> Iterator[Record]:
        """Every case in every round; who begins changes from round to round."""
        for number in range(rounds):
            for shape, variant, store in cases(shapes, stores):
                taking_part = [n for n in shape.contestants if n in contestants and shape.takes_part(n, variant)]
                if self._before and has_program(self._before, shape):
                    taking_part.append("before")
                turn = number % max(len(taking_part), 1)
                for contestant in taking_part[turn:] + taking_part[:turn]:
                    yield self._run(shape, variant, store, contestant, number, shape.size(scale, contestant))

    def count(self, shapes: Sequence[Shape], stores: Sequence[str], contestants: Sequence[str]) -> Iterator[Record]:
        """What one unit costs in statements, commits, fsyncs and bytes: a run of some units less a run of none."""
        for shape, variant, store in cases([shape for shape in shapes if shape.counted], stores):
            for contestant in (n for n in contestants if n != "raw" and shape.takes_part(n, variant)):
                none = self._run(shape, variant, store, contestant, 0, 0, is_counted=True)
                some = self._run(shape, variant, store, contestant, 0, shape.counted, is_counted=True)
                units = shape.counted * shape.units_per_count
                per_unit = {name: (some.counts[name] - none.counts.get(name, 0)) / units for name in some.counts}
                some.counts, some.error = per_unit, some.error or none.error
                yield some

    def _run(
        self,
        shape: Shape,
        variant: str,
        store: str,
        contestant: str,
        number: int,
        count: int,
        *,
        is_counted: bool = False,
    ) -> Record:
        record = Record(shape.name, variant, store, contestant, number)
        root = self._before if contestant == "before" and self._before else ROOT
        module = f"benchmarks.programs.{shape.module('perdure' if contestant == 'before' else contestant)}"
        with self._databases.fresh(store) as url, tempfile.NamedTemporaryFile(prefix="bench-") as calls:
            command = [str(python_of(contestant, store)), "-W", "ignore", "-m", module, "--url", url]
            command += ["--variant", variant, "--count", str(count), "--patience", str(PATIENCE_SECONDS - 60)]
            if shape.program:  # it serves several; programs of commits before there were any know no shapes
                command += ["--shape", shape.name]
            is_traced = is_counted and store == "sqlite" and can_trace()
            if is_counted:
                command.append("--counted")
            if is_traced:
                command = ["strace", "-f", "-qq", "-c", "-e", "trace=fsync,fdatasync", "-o", calls.name, *command]
            before = self._databases.counters(url) if is_counted and store == "postgres" else {}
            worked = self._databases.worked_seconds()
            ran = run_program(command, contestant, root)
            record.error = ran.error
            if not ran.error:
                said = json.loads(ran.line)
                record.count, record.figures, record.counts = said["count"], said["figures"], said["counts"]
                if store == "postgres" and count:
                    record.figures["server_us"] = (self._databases.worked_seconds() - worked) / count * 1e6
            if is_traced:
                record.counts["fsyncs"] = sync_calls(Path(calls.name).read_text())
            if before:
                after = self._databases.counters(url)
                record.counts |= {name: after[name] - before[name] for name in before}
        return record


@dataclass(frozen=True)
class Ran:
    """The last line that a program printed, or its last words."""

    line: str
    error: str


def run_program(command: list[str], contestant: str, root: Path = ROOT) -> Ran:
    """Run one program of the checkout at `root` to its end."""
    paths = [root, root / "src"] if contestant in {"perdure", "before", "raw"} else [root]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    try:
        ran = subprocess.run(  # noqa: S603  # our own
            command, cwd=root, env=settings, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Ran("", f"not done after {PATIENCE_SECONDS} s")
    lines = [line for line in ran.stdout.splitlines() if line.startswith("{")]
    if ran.returncode != 0 or not lines:
        return Ran("", f"ended with {ran.returncode}: {ran.stderr.strip()[-LAST_WORDS:]}")
    return Ran(lines[-1], "")


def has_program(root: Path, shape: Shape) -> bool:
    """Whether the checkout has a program of its own for this shape."""
    return (root / "benchmarks" / "programs" / f"{shape.module('perdure')}.py").exists()


def cases(shapes: Sequence[Shape], stores: Sequence[str]) -> Iterator[tuple[Shape, str, str]]:
    """Shape, variant and store, each once."""
    for shape in shapes:
        for variant in shape.variants:
            for store in (store for store in stores if store in shape.stores):
                yield shape, variant, store


def sync_calls(summary: str) -> float:
    """From the table of `strace -c`: share, seconds, microseconds each, calls, perhaps errors, name."""
    rows = [line.split() for line in summary.splitlines()]
    return sum(float(row[3]) for row in rows if row and row[-1] in SYNC_CALLS)


def can_trace() -> bool:
    """Whether system calls can be counted here; without strace the column stays empty."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-qq", "-c", "true"], capture_output=True, check=False).returncode == 0  # noqa: S607  # our own
