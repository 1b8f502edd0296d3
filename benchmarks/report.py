"""From records to the page: tables of medians with ratios and targets, bars, what was counted, memory, the machine.

`python -m benchmarks.report RESULTS.json ...` prints the page of earlier runs again, of several together where each
measured other shapes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from math import log10
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.shape import Target, all_shapes

Case = tuple[str, str, str, str]
"""Shape, variant, store, contestant."""

Samples = dict[Case, dict[str, list[float]]]
RATE = ("dbos", "per_second")
WIDTH = 40
MOST = 1_000.0


def page_of(result: dict[str, Any]) -> str:
    """The whole page in Markdown, readable as it is in a terminal."""
    samples = samples_of(result["records"])
    stores = [store for store in ("postgres", "sqlite") if any(case[2] == store for case in samples)]
    parts = [head(result)]
    for store in stores:
        parts.append(
            f"## {'Postgres' if store == 'postgres' else 'SQLite'}\n\n"
            + table(comparison(samples, store, is_full=result["scale"] == 1))
        )
    if any(shape.name == case[0] for shape in all_shapes() if shape.is_of_queues for case in samples):
        parts.append(QUEUES + table(queues(samples)))
    if result.get("before"):
        parts.append(f"## Beside {result['before']}\n\n{BESIDE}" + table(beside(samples)))
    parts.append("## How many times the rate of DBOS\n\n```text\n" + "\n".join(bars(samples, stores)) + "\n```")
    parts.append("## Peak memory of each program, MB\n\n" + table(memory(samples, is_full=result["scale"] == 1)))
    parts.append(PROCESSOR + table(processor(samples)))
    if result["counted"]:
        parts.append(COUNTED + table(counts(result["counted"])))
    failed = [record for record in [*result["records"], *result["counted"]] if record["error"]]
    if failed:
        parts.append("## Failed\n\n" + "\n".join(sorted({failure(record) for record in failed})))
    parts.append("## Machine and versions\n\n" + "\n".join(f"- {k}: {v}" for k, v in result["machine"].items()))
    return "\n\n".join(parts) + "\n"


PROCESSOR = """## Processor time of each program, µs a unit

What the process itself works, on all its threads, the database's server aside (SQLite is in it). Where a target leaves
less than that, no waiting can be cut off to reach it: a Python process has one interpreter's lock.

"""
QUEUES = """## Beside queues of jobs, on Postgres

Medians. *The best other*: Perdure's figure over that of the best of the others, or the reverse where less is better:
from 1 on, Perdure is first. Of what is left empty a contestant has none.

"""
BESIDE = """Medians of this commit divided by those of the other, which took turns with it: below 1 is less. The
server's time is that of Postgres for all sessions of the program, their start and the tables' making included.

"""
COUNTED = """## What one unit costs

Counted in runs of their own, which are not timed: a run with some units less a run with none. Statements are what the
contestant hands to its driver (on Postgres a round trip each, for Perdure; DBOS's BEGINs come on top). On Postgres,
commits, fsyncs and bytes are those of the server's log (`pg_stat_database`, `pg_stat_io`, `pg_stat_wal`); on SQLite,
commits are the contestant's, fsyncs the system calls of the process (`strace`). Empty: cannot be counted there.

"""


def samples_of(records: list[dict[str, Any]]) -> Samples:
    """Every figure of every case, all rounds."""
    samples: Samples = {}
    for record in records:
        case = (record["shape"], record["variant"], record["store"], record["contestant"])
        figures = samples.setdefault(case, {})
        for name, value in record["figures"].items():
            figures.setdefault(name, []).append(value)
    for shape in all_shapes():
        first, *others = shape.variants
        for (name, variant, store, contestant), figures in list(samples.items()):
            if shape.others_once and (name, variant) == (shape.name, first) and contestant != "perdure":
                samples.update({(name, other, store, contestant): figures for other in others})
    return samples


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One result of several, made on one machine one after the other."""
    runs = sorted({result["runs"] for result in results})
    return {
        **results[0],
        "command": "` and `".join(result["command"] for result in results),
        "runs": runs[0] if len(runs) == 1 else f"{runs[0]} to {runs[-1]}",
        "note": " ".join(filter(None, (result["note"] for result in results))),
        "records": [record for result in results for record in result["records"]],
        "counted": [record for result in results for record in result["counted"]],
    }


def head(result: dict[str, Any]) -> str:
    """What this is, and when and how it was made."""
    lines = ["# Benchmarks", "", f"Measured on {result['date']} with `{result['command']}`: the medians of"]
    lines[-1] += f" {result['runs']} interleaved runs, in brackets the least and the most."
    if result["scale"] != 1:
        lines[-1] += f" **Sizes are {result['scale']:g} of the full ones: the targets are not made for that.**"
    if result["note"]:
        lines += ["", f"**{result['note']}**"]
    lines += ["", "What is compared, how, and with which settings: [benchmarks/README.md](../benchmarks/README.md)."]
    return "\n".join(lines)


def comparison(samples: Samples, store: str, *, is_full: bool) -> Iterator[list[str]]:
    """One row per target, and per figure that has none. A smaller size meets no target, it only suggests."""
    yield ["shape", "", "Perdure", "DBOS", "bare database", "ratio", "target", "met"]
    for shape in (shape for shape in all_shapes() if not shape.is_of_queues):
        for variant, title in shape.variants.items():
            case = (shape.name, variant, store)
            if not any((*case, contestant) in samples for contestant in shape.contestants):
                continue
            targets = shape.targets.get(variant, ())
            targeted = {target.figure for target in targets}
            others = [figure for figure in shape.more_figures if figure not in targeted]
            for what in (*(targets or (shape.figure,)), *others):
                row = row_of(samples, (shape.name, variant, store), what)
                if row[-1] and not is_full:
                    row[-1] += ", small size"
                yield [shape.title, title, *row]


def queues(samples: Samples) -> Iterator[list[str]]:
    """One row per figure, with what each contestant, and the server for it, works for a job."""
    names = next(shape.contestants for shape in all_shapes() if shape.is_of_queues)
    yield ["shape", "", "figure", *names, "the best other", "target", "met"]
    for shape in (shape for shape in all_shapes() if shape.is_of_queues):
        for variant, title in shape.variants.items():
            targets = {target.figure: target for target in shape.targets.get(variant, ())}
            for figure in (shape.figure, *shape.more_figures, "cpu_us", "server_us"):
                found = {
                    name: samples.get((shape.name, variant, "postgres", name), {}).get(figure, []) for name in names
                }
                if not any(found.values()):
                    continue
                others = [median(values) for name, values in found.items() if name != "perdure" and values]
                times = best_other(figure, found["perdure"], others)
                cells = [short(median(values)) if values else "" for values in found.values()]
                yield [shape.title, title, FIGURES[figure], *cells, times, *met(targets.get(figure), found)]


def best_other(figure: str, ours: list[float], others: list[float]) -> str:
    """How many times better than the best of the others."""
    if not ours or not others:
        return ""
    times = median(ours) / max(others) if figure == "per_second" else min(others) / median(ours)
    return f"{times:.2f} ×"


def met(target: Target | None, found: dict[str, list[float]]) -> list[str]:
    """How the target stands, if there is one."""
    if target is None:
        return ["", ""]
    value = ratio(found["perdure"], found[target.rival] if target.rival else [1.0])
    bound = target.bound("postgres") + (f" {target.rival}" if target.rival else "")
    if value is None:
        return [bound, "not measured"]
    return [f"{bound}: {value:.3g}", "met" if target.is_met("postgres", value) else "**not met**"]


def row_of(samples: Samples, case: tuple[str, str, str], wanted: Target | str) -> list[str]:
    """A figure of all three, and how its target stands if it has one."""
    figure = wanted if isinstance(wanted, str) else wanted.figure
    store = case[-1]
    found = {name: samples.get((*case, name), {}).get(figure, []) for name in ("perdure", "dbos", "raw")}
    cells = [shown(figure, found[name]) for name in found]
    if isinstance(wanted, str):
        return [*cells, "", "", ""]
    value = ratio(found["perdure"], found[wanted.rival] if wanted.rival else [1.0])
    if value is None:
        return [*cells, "", wanted.bound(store), "not measured"]
    told = f"{value:.3g} ×" if wanted.rival else ""
    told += " of the limit" if wanted.rival == "raw" else ""
    return [*cells, told, wanted.bound(store), "met" if wanted.is_met(store, value) else "**not met**"]


def ratio(ours: list[float], theirs: list[float]) -> float | None:
    """Median over median, if there are both."""
    return median(ours) / median(theirs) if ours and theirs and median(theirs) else None


FIGURES = {
    "per_second": "jobs/s",
    "p50_ms": "until the body, ms p50",
    "p95_ms": "until the body, ms p95",
    "known_p50_ms": "from there until known, ms p50",
    "known_p95_ms": "from there until known, ms p95",
    "cpu_us": "processes' work, µs a job",
    "server_us": "server's work, µs a job, tables and filling included",
}
UNITS = {
    "per_second": "/s",
    "seconds": " s",
    "late_seconds": " s",
    "p50_ms": " ms p50",
    "p99_ms": " ms p99",
    "gil_waits": " waits for the GIL",
}


def shown(figure: str, values: list[float]) -> str:
    """`median (least-most)` with its unit."""
    if not values:
        return ""
    unit = UNITS.get(figure, " ×" if figure.startswith("growth") else f" {figure}")
    spread = f" ({short(min(values))}–{short(max(values))})" if len(values) > 1 else ""
    return f"{short(median(values))}{unit}{spread}"


def short(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(samples: Samples, stores: list[str]) -> Iterator[str]:
    """One bar per case on a logarithmic scale from 1 to 1,000."""
    for shape in all_shapes():
        for variant, title in shape.variants.items():
            for store in stores:
                case = (shape.name, variant, store)
                ours = samples.get((*case, "perdure"), {}).get("seconds")
                theirs = samples.get((*case, "dbos"), {}).get("seconds")
                if not ours or not theirs or shape.is_of_queues or shape.name in {"idle_queue", "sleepers"}:
                    continue  # pauses are part of these, the seconds say nothing
                times = median(theirs) / median(ours)
                bar = "█" * max(0, min(WIDTH, round(WIDTH * log10(max(times, 1.0)) / log10(MOST))))
                yield f"{shape.name:<11}{title[:17]:<18}{store:<9} {times:>7.1f} × {bar}"


def memory(samples: Samples, *, is_full: bool) -> Iterator[list[str]]:
    """Perdure's peak beside that of DBOS; no more is the target."""
    yield ["shape", "", "store", "Perdure", "DBOS", "met"]
    for shape in all_shapes():
        for (name, variant, store, contestant), figures in samples.items():
            theirs = samples.get((name, variant, store, "dbos"), {}).get("peak_mb")
            if (name, contestant) != (shape.name, "perdure") or not shape.is_memory_compared or not theirs:
                continue
            ours = figures.get("peak_mb")
            if ours:
                met = "met" if median(ours) <= median(theirs) else "**not met**"
                met += "" if is_full else ", small size"
                yield [shape.title, shape.variants[variant], store, short(median(ours)), short(median(theirs)), met]


def processor(samples: Samples) -> Iterator[list[str]]:
    """What each works for a unit, and how long that may take at the rate which is the target."""
    yield ["shape", "", "store", "Perdure", "DBOS", "a target leaves"]
    for shape in all_shapes():
        for (name, variant, store, contestant), figures in samples.items():
            if (name, contestant) != (shape.name, "perdure") or "cpu_us" not in figures or shape.is_of_queues:
                continue
            theirs = samples.get((name, variant, store, "dbos"), {})
            rates = [target for target in shape.targets.get(variant, ()) if (target.rival, target.figure) == RATE]
            left = [1e6 / target.at_least[store] / median(theirs["per_second"]) for target in rates if theirs]
            works = [short(median(of["cpu_us"])) if "cpu_us" in of else "" for of in (figures, theirs)]
            yield [shape.title, shape.variants[variant], store, *works, short(min(left)) if left else ""]


def beside(samples: Samples) -> Iterator[list[str]]:
    """What this commit takes of what another one took."""
    yield ["shape", "", "store", "time", "processor time", "server's time"]
    for shape in all_shapes():
        for (name, variant, store, contestant), figures in samples.items():
            theirs = samples.get((name, variant, store, "before"), {})
            if (name, contestant) == (shape.name, "perdure") and theirs:
                found = [
                    ratio(figures.get(what, []), theirs.get(what, [])) for what in ("seconds", "cpu_us", "server_us")
                ]
                yield [shape.title, shape.variants[variant], store, *(f"{x:.2f} ×" if x else "" for x in found)]


def counts(records: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Statements, commits, fsyncs and bytes per step or run."""
    names = ("statements", "commits", "fsyncs", "bytes")
    yield ["shape", "", "store", "who", "per", *names]
    shapes = {shape.name: shape for shape in all_shapes()}
    for record in records:
        shape = shapes[record["shape"]]
        cells = [f"{record['counts'][name]:.3g}" if name in record["counts"] else "" for name in names]
        cells[-1] = f"{record['counts']['bytes']:,.0f}" if "bytes" in record["counts"] else ""
        title = shape.variants[record["variant"]]
        yield [shape.title, title, record["store"], record["contestant"], shape.unit, *cells]


def failure(record: dict[str, Any]) -> str:
    """One line."""
    case = " ".join(filter(None, (record["shape"], record["variant"], record["store"], record["contestant"])))
    return f"- {case}: `{' '.join(record['error'].split())}`"


def table(rows: Iterator[list[str]]) -> str:
    """A Markdown table whose columns line up."""
    cells = list(rows)
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    cells.insert(1, ["-" * width for width in widths])
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    print(page_of(together([json.loads(Path(name).read_text()) for name in sys.argv[1:]])))
