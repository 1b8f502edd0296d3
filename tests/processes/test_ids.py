"""An id given by the caller is one run, whoever starts it, how often and where."""

from __future__ import annotations

from pathlib import Path

from tests.processes.conftest import Console, Rows, bodies


def test_two_processes_that_start_one_id_share_its_run(console: Console, rows: Rows, ledger: Path) -> None:
    """Twenty threads in each; one body runs."""
    processes = [console(), console()]
    for process in processes:
        process.run("from concurrent.futures import ThreadPoolExecutor; pool = ThreadPoolExecutor(20)")
        process.run("may_end['x'].set()")
        process.run("made = [pool.submit(perdure.with_options(id='x').start, hold, 'x') for _ in range(20)] and None")
    for process in processes:
        process.run("made = [pool.submit(perdure.with_options(id='x').start, hold, 'x') for _ in range(20)]")
    for process in processes:
        assert process.run("{one.result().result(20) for one in made} == {'x'}") is True
    assert rows.states() == {"x": "succeeded"}
    assert sorted(bodies(ledger)) == ["x:0", "x:1"]


def test_another_process_is_refused_an_id_with_other_work(console: Console, rows: Rows) -> None:
    """Other arguments, another workflow, while it runs and after its end; nothing is half done."""
    first, second = console(), console()
    first.run("h = perdure.with_options(id='x').start(hold, 'x')")
    for _ in range(2):
        refusal = second.fail("perdure.with_options(id='x').start(hold, 'y')")
        assert refusal.startswith("RunExistsError")
        assert "other arguments" in refusal
        refusal = second.fail("one.with_options(id='x').submit(ahold, 'x')")
        assert refusal.startswith("RunExistsError")
        assert "is of" in refusal
        first.run("may_end['x'].set()")
        assert first.run("h.result(20)") == "x"
    assert rows.states() == {"x": "succeeded"}
    assert rows.ask("SELECT count(*) FROM inputs") == [(1,)]
