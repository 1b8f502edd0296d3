"""What a process cannot read or does not know waits, with a reason that people can read; everything else runs on."""

from __future__ import annotations

import pytest

from tests.processes.conftest import Console, Program, Rows

GARBAGE = ["", "{", "nonsense", '{"$perdure": "no such tag"}', "null", "17", '"text"', "[1, 2, 3]"]


def reason(rows: Rows, run_id: str) -> str:
    """What the run's row says to people."""
    [(text,)] = rows.ask("SELECT reason FROM runs WHERE id = ?", run_id)
    return str(text)


def test_a_run_of_an_unknown_function_waits_with_a_reason_until_its_code_is_there(console: Console, rows: Rows) -> None:
    """Submitted by a process with other code; a process that knows the function ends it."""
    program = console()
    program.run("h = perdure.with_options(id='x', delay=0.3).start(hold, 'x')")
    rows.ask("UPDATE runs SET name = 'elsewhere:gone' WHERE id = 'x'")
    program.run("may_end['ok'].set()")
    assert program.fail("h.result(1.5)").startswith("TimeoutError")
    assert program.run("perdure.start(hold, 'ok').result(10)") == "ok"
    assert program.run("runtime().recovery.keep_house()") is None
    assert rows.states()["x"] == "ready"
    assert "no process that works on this queue knows this function" in reason(rows, "x")
    line = "perdure.step(name='elsewhere:gone')(lambda name: 'found ' + name)"
    program.run(line)
    assert program.run("h.result(20)") == "found x"


@pytest.mark.parametrize("body", GARBAGE)
def test_a_damaged_input_parks_the_run_until_it_is_mended(console: Console, rows: Rows, body: str) -> None:
    """The reason names the arguments; after the mend the next start goes on."""
    program = console()
    program.run("h = perdure.with_options(id='x', delay=0.5).start(hold, 'x')")
    [(good,)] = rows.ask("SELECT body FROM inputs WHERE run_id = 'x'")
    rows.ask("UPDATE inputs SET body = ? WHERE run_id = 'x'", body)
    waits_for_mend(program, rows)
    rows.ask("UPDATE inputs SET body = ? WHERE run_id = 'x'", good)
    program.kill()
    goes_on(console)


def test_an_unknown_codec_parks_the_run(console: Console, rows: Rows) -> None:
    """As a process without the codec meets it."""
    program = console()
    program.run("h = perdure.with_options(id='x', delay=0.5).start(hold, 'x')")
    rows.ask("UPDATE inputs SET codec = 'rot13' WHERE run_id = 'x'")
    waits_for_mend(program, rows)
    assert "rot13" in reason(rows, "x")
    rows.ask("UPDATE inputs SET codec = 'json' WHERE run_id = 'x'")
    program.kill()
    goes_on(console)


@pytest.mark.parametrize("kind", ["step", "order", "child", "value", "sleep"])
def test_a_damaged_record_parks_the_run_until_it_is_mended(console: Console, rows: Rows, kind: str) -> None:
    """Found when a fresh process replays the run: never an error of the run's own, never a charge."""
    first = console()
    first.run("h = perdure.with_options(id='x').start(remember, 'x')")
    first.run("wait_for(began['x'])")
    first.kill()
    if kind == "child":
        [(owner, good)] = rows.ask("SELECT run_id, body FROM outputs")
        damage = "UPDATE outputs SET body = ? WHERE run_id = ?"
    else:
        [(owner, good), *_] = rows.ask("SELECT key, body FROM checkpoints WHERE kind = ? ORDER BY key", kind)
        damage = "UPDATE checkpoints SET body = ? WHERE key = ?"
    for garbage in ("{", "nonsense", '{"$perdure": "no such tag"}'):
        rows.ask(damage, garbage, owner)
        program = console()
        waits_for_mend(program, rows)
        program.kill()
    rows.ask(damage, good, owner)
    goes_on(console)


def waits_for_mend(program: Program, rows: Rows) -> None:
    """The run `x` is parked with a reason, and another runs to its end meanwhile."""
    program.run("may_end['ok'].set()")
    assert program.fail("perdure.handle('x').result(1.5)").startswith("TimeoutError")
    assert program.run("perdure.start(hold, 'ok').result(10)") == "ok"
    [(state, needs_mend, attempts, why)] = rows.ask(
        "SELECT state, needs_mend, attempts, reason FROM runs WHERE id = 'x'"
    )
    assert state == "parked", (state, why)
    assert bool(needs_mend)
    assert attempts in (0, 1)
    assert why


def goes_on(console: Console) -> None:
    """The next process that starts ends the run."""
    second = console()
    second.run("may_end['x'].set()")
    assert second.run("perdure.handle('x').result(20)") == "x"
