"""The checker of `make chaos` finds each difference that it is there for: a check that never failed proves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaos.checker import Checker, Findings
from chaos.faults import FAULTS
from chaos.ledger import Ledger
from chaos.report import Outcome, table

LEDGER = """\
1.0 body order-1 0 a.1 -
2.0 entry order-1 1 a.2 a.1
2.1 closed - - a.3 a.2
3.0 body part 0 a.4 -
3.1 end part - a.5 a.4
4.0 body order-1 2 a.6 a.1,a.2,a.4
5.0 end order-1 - a.7 a.1,a.2,a.4,a.6
"""


class Case:
    """One order that went well, and what a test makes of it."""

    def __init__(self, folder: Path) -> None:
        self.text = LEDGER
        self.folder = folder
        self.acknowledged = ["order-1"]
        self.rows: dict[str, list[list[Any]]] = {
            "runs": [
                ["order-1", "succeeded", None, json.dumps(["a.1", "a.2", "a.4", "a.6", "a.7"]), 5.5, True],
                ["part", "succeeded", None, json.dumps(["a.4", "a.5"]), 3.5, False],
            ],
            "outcomes": [
                ["order-1", "0", '"a.1"', "c1", 1.5],
                ["order-1", "1", '"a.2"', "c1", 2.5],
                ["part", "0", '"a.4"', "c2", 3.5],
                ["order-1", "2", '"a.6"', "c1", 5.5],
            ],
            "entries": [["order-1", "a.2", 2.5]],
            "owners": [[1]],
            "ended": [["part", "c2", 3.5], ["order-1", "c1", 5.5]],
        }

    def found(self, left: tuple[str, ...] = (), *, has_one_clock: bool = True) -> Findings:
        """What the checker says."""
        path = self.folder / "ledger"
        path.write_text(self.text)
        ledger = Ledger(path)
        ledger.read()
        ledger.close()
        asked = {name: [tuple(row) for row in rows] for name, rows in self.rows.items()}
        return Checker(ledger, self.acknowledged, asked.__getitem__, has_one_clock=has_one_clock).check([*left])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """An order."""
    return Case(tmp_path)


def test_what_went_well_is_no_difference(case: Case) -> None:
    """And it is counted."""
    found = case.found()
    assert found.differences == []
    assert (found.orders, found.bodies, found.again, found.entries) == (1, 4, 0, 1)


def test_a_body_that_was_repeated_is_counted_and_no_difference(case: Case) -> None:
    """As long as one outcome alone was built on."""
    case.text = "0.5 body order-1 0 z.1 -\n" + case.text
    found = case.found()
    assert (found.again, found.differences) == (1, [])


def test_an_order_that_did_not_succeed_is_lost(case: Case) -> None:
    """Nor one that is not there, or has not ended."""
    case.acknowledged.append("order-2")
    assert len(case.found(left=("order-2",)).lost) == 2
    case.acknowledged.pop()
    case.rows["runs"][0][1] = "failed"
    assert len(case.found().lost) == 1


def test_an_outcome_that_was_built_on_and_is_not_recorded_is_lost(case: Case) -> None:
    """As after a failover that loses the end of the log: the step was repeated, and has another outcome."""
    case.text += "6.0 body order-1 0 b.1 -\n"
    case.rows["outcomes"][0][2] = '"b.1"'
    found = case.found()
    assert len(found.lost) == 2  # by two bodies
    assert len(found.wrong) == 1


@pytest.mark.parametrize("tokens", [[], ["a.2", "a.2"]])
def test_a_transaction_takes_effect_once(case: Case, tokens: list[str]) -> None:
    """Neither twice nor never."""
    case.rows["entries"] = [["order-1", token, 2.5] for token in tokens]
    assert len(case.found().twice) == 2  # the rows of the order, and the sum


def test_a_rows_transaction_has_the_recorded_outcome(case: Case) -> None:
    """Another attempt's row beside the outcome would be half of each."""
    case.text += "2.05 entry order-1 1 b.1 a.1\n"
    case.rows["entries"][0][1] = "b.1"
    assert case.found().twice == ["order-1: the row of b.1 is there, and another outcome is recorded"]


def test_a_row_that_is_recorded_after_its_claims_end_is_late(case: Case) -> None:
    """By the claim that the row names."""
    case.rows["outcomes"][1][4] = 5.6
    assert case.found(has_one_clock=False).late == ["order-1 1: recorded 0.100000 s after its claim's end"]


@pytest.mark.parametrize("table_name", ["outcomes", "entries", "runs"])
def test_a_row_whose_body_began_before_a_claims_end_is_late(case: Case, table_name: str) -> None:
    """Whatever claim it names: the zombie's own token tells."""
    begun = {"outcomes": 0.9, "entries": 1.9, "runs": 4.9}[table_name]
    committed = {"outcomes": 1.5, "entries": 2.5, "runs": 5.5}[table_name]
    case.rows["ended"].append(["order-1", "c0", (begun + committed) / 2])
    assert len(case.found().late) == (2 if table_name == "entries" else 1) + (1 if table_name == "runs" else 0)


def test_a_value_that_is_not_made_of_what_is_recorded_is_wrong(case: Case) -> None:
    """As of a run that two workers ended."""
    case.rows["runs"][0][3] = json.dumps(["a.1", "a.2", "a.6", "a.7"])
    assert len(case.found().wrong) == 1


def test_a_time_that_is_too_long_is_a_difference() -> None:
    """Where a figure is promised."""
    fault = next(fault for fault in FAULTS if fault.most_seconds_back == 5.0)
    outcome = Outcome(fault, count=1, back=[1.0, 5.5])
    assert outcome.differences == ["it took 5.50 s, more than 5"]
    assert "5.50" in table([outcome])
