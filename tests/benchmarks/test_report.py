"""The page says honestly what was measured: ratios of medians, targets met or not, failures named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conductor import Record, sync_calls
from benchmarks.report import page_of
from benchmarks.run import keep

RATES = {"perdure": 4_000.0, "dbos": 100.0, "pgqueuer": 8_000.0, "oban": 900.0}
SUMMARY = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 90.00    0.009000          45       200           fdatasync
 10.00    0.001000          10         7         1 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.010000          48       207         1 total
"""


def record(contestant: str, per_second: float, error: str = "") -> dict[str, Any]:
    """What a program of the sequential shape answered."""
    case = {"shape": "sequential", "variant": "sync", "store": "sqlite", "contestant": contestant, "round": 0}
    figures = {"per_second": per_second, "seconds": 1 / per_second, "peak_mb": 30.0, "cpu_us": 1e5 / per_second}
    return {**case, "count": 1, "figures": {} if error else figures, "counts": {}, "error": error}


def page(*records: dict[str, Any], scale: float = 1.0) -> str:
    """The page of a run with these records."""
    result = {"date": "2021-01-01", "command": "make bench", "note": "", "runs": 3, "scale": scale, "machine": {}}
    return page_of({**result, "records": list(records), "counted": []})


def cells(text: str, part: str) -> list[list[str]]:
    """The table rows in which something is said."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if part in line]


def test_the_ratio_is_of_medians() -> None:
    """One slow round of either side moves no ratio."""
    ours = [record("perdure", rate) for rate in (10, 800, 900)]
    theirs = [record("dbos", rate) for rate in (100, 100, 1)]

    row = cells(page(*ours, *theirs), "≥ 7 ×")[0]

    assert row[2:] == ["800/s (10–900)", "100/s (1–100)", "", "8 ×", "≥ 7 ×", "met"]


def test_queues_have_a_table_that_says_who_is_first() -> None:
    """The best of the others counts, whoever that is; where less is better, the reverse ratio is told."""

    def of(contestant: str, shape: str, variant: str, **figures: float) -> dict[str, Any]:
        return {**record(contestant, 1), "shape": shape, "variant": variant, "store": "postgres", "figures": figures}

    rates = [of(name, "draining", "4", per_second=rate) for name, rate in RATES.items()]
    waits = [of(name, "between_processes", "", p50_ms=wait) for name, wait in {"perdure": 4.0, "oban": 5.0}.items()]

    text = page(*rates, *waits)

    assert cells(text, "jobs/s")[0][-3:] == ["0.50 ×", "≥ 35 × dbos: 40", "met"]
    assert cells(text, "until the body, ms p50")[0][-3:] == ["1.25 ×", "≤ 10: 4", "met"]


def test_what_a_target_leaves_stands_beside_what_the_process_works() -> None:
    """Seven times a hundred a second is 1,429 µs for each."""
    text = page(record("perdure", 800), record("dbos", 100)).partition("## Processor time")[2]

    assert cells(text, "sqlite")[0][2:] == ["sqlite", "125", "1,000", "1,429"]


def test_a_missed_target_is_said_to_be_missed() -> None:
    """No row is left out, and none is rounded up."""
    row = cells(page(record("perdure", 699), record("dbos", 100)), "≥ 7 ×")[0]

    assert row[-1] == "**not met**"


def test_what_is_not_measured_is_neither_met_nor_missed() -> None:
    """Without the rival there is no ratio."""
    row = cells(page(record("perdure", 699)), "≥ 7 ×")[0]

    assert row[-1] == "not measured"


def test_a_failure_is_on_the_page() -> None:
    """A contestant that failed is named with its last words."""
    text = page(record("perdure", 699), record("dbos", 1, error="ended with 1: database is locked"))

    assert "- sequential sync sqlite dbos: `ended with 1: database is locked`" in text


def test_a_small_run_says_so() -> None:
    """Targets are made for the full sizes: a small run's verdict is never a bare "met"."""
    text = page(record("perdure", 800), record("dbos", 100), scale=0.01)

    assert "Sizes are 0.01 of the full ones" in text
    assert cells(text, "≥ 7 ×")[0][-1] == "met, small size"


def test_system_calls_are_read_from_the_right_column() -> None:
    """The calls, not the microseconds of each, and without the total."""
    assert sync_calls(SUMMARY) == 207


def test_what_was_measured_is_kept_when_the_rest_is_not(tmp_path: Path) -> None:
    """It takes hours, and whoever ends it has the page of what there is."""

    def measure() -> Iterator[Record]:
        yield Record(**record("perdure", 800))
        yield Record(**record("dbos", 100, error="out of memory"))
        raise KeyboardInterrupt

    result: dict[str, Any] = {"records": []}
    with pytest.raises(KeyboardInterrupt):
        keep(measure(), "records", result, tmp_path / "kept.json")

    assert json.loads((tmp_path / "kept.json").read_text()) == result
    assert [one["contestant"] for one in result["records"]] == ["perdure", "dbos"]
