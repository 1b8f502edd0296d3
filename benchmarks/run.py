"""`make bench`: measure, print the tables, keep the results in `.cache/bench`.

`make bench BENCH="--shape sequential --runs 3"` hands options on; `--help` lists them.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.conductor import Conductor, Record
from benchmarks.databases import serving
from benchmarks.machine import describe
from benchmarks.report import page_of
from benchmarks.shape import STORES, all_shapes

CONTESTANTS = (*environments.CONTESTANTS, "raw")


def read_options(arguments: list[str]) -> argparse.Namespace:
    """What was asked for."""
    names = [shape.name for shape in all_shapes()]
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--shape", action="append", choices=names, help="only these (may be given several times)")
    parser.add_argument("--store", action="append", choices=STORES, help="only these")
    parser.add_argument("--contestant", action="append", choices=CONTESTANTS, help="only these")
    parser.add_argument("--runs", type=int, default=5, help="how often, interleaved; medians are shown (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes; targets are for 1")
    parser.add_argument("--tiny", action="store_true", help="one run of a few units each: does everything still work?")
    parser.add_argument(
        "--no-counts", action="store_true", help="leave out the statements, commits and fsyncs per unit"
    )
    parser.add_argument(
        "--before", metavar="COMMIT", help="measure this commit's Perdure, too, in turn with this one's"
    )
    parser.add_argument("--page", type=Path, help="write the report to this file too (docs/benchmarks.md)")
    parser.add_argument("--note", default="", help="a sentence for the report's top, such as what else was running")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure and report; 1 if a program failed."""
    options = read_options(arguments)
    if options.tiny:
        options.runs, options.scale = 1, 0.0
    shapes = [shape for shape in all_shapes() if not options.shape or shape.name in options.shape]
    stores = [name for name in STORES if name in (options.store or STORES) and any(name in s.stores for s in shapes)]
    wanted = options.contestant or CONTESTANTS
    contestants = [name for name in CONTESTANTS if name in wanted and any(name in s.contestants for s in shapes)]
    environments.prepare(stores, contestants)
    with serving() as databases:
        conductor = Conductor(databases, before=environments.checkout(options.before) if options.before else None)
        result: dict[str, Any] = {
            "date": datetime.now(UTC).date().isoformat(),
            "command": command_of(arguments),
            "note": options.note,
            "runs": options.runs,
            "scale": options.scale,
            "before": options.before,
            "machine": describe(databases, stores, contestants),
        }
        for _ in conductor.measure([s for s in all_shapes() if s.name == "launch"], stores[:1], contestants, 1, 0.0):
            pass  # so that nobody's modules are compiled while they are measured
        kept = environments.CACHE / f"results-{time.strftime('%Y%m%d-%H%M%S')}.json"
        result["records"], result["counted"] = [], []
        try:
            measured = conductor.measure(shapes, stores, contestants, options.runs, options.scale)
            failed = keep(measured, "records", result, kept)
            if not options.no_counts:
                failed += keep(conductor.count(shapes, stores, contestants), "counted", result, kept)
        except KeyboardInterrupt:
            result["note"] = f"{options.note} Ended before its time.".strip()
            failed = 1
    page = page_of(result)
    for target in filter(None, (kept.with_suffix(".md"), options.page)):
        target.write_text(page, encoding="utf-8")
    print(page)
    print(f"kept in {kept.relative_to(environments.ROOT)} and the .md beside it")
    return 1 if failed else 0


def command_of(arguments: list[str]) -> str:
    """What anybody types to do the same; where the page goes and what is noted on it make no difference."""
    kept = [
        word
        for before, word in zip(["", *arguments], arguments, strict=False)
        if not {before, word} & {"--note", "--page"}
    ]
    return f'make bench BENCH="{shlex.join(kept)}"' if kept else "make bench"


def keep(records: Iterable[Record], part: str, result: dict[str, Any], kept: Path) -> int:
    """Tell each as it comes, and keep it at once: it takes hours, and may end at any time. How many have failed."""
    failed = 0
    for number, record in enumerate(records, 1):
        case = f"{record.shape} {record.variant} {record.store} {record.contestant}"
        figures = {name: round(value, 4) for name, value in record.figures.items()}
        print(f"{number}: {case}: {record.error or figures}", file=sys.stderr, flush=True)
        result[part].append(record.plain())
        kept.write_text(json.dumps(result, indent=1))
        failed += bool(record.error)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
