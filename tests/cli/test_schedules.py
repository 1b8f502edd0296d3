"""`perdure schedules`: what comes by the clock, shown and steered from a shell."""

from __future__ import annotations

import pytest

import perdure
from tests.cli import programs
from tests.cli.conftest import Perdure

NAME = programs.quadruple.__perdure__.name  # type: ignore[attr-defined]


def test_one_is_made_shown_and_removed(command: Perdure, client: perdure.Client) -> None:
    """Each command says what is so now."""
    said = command(
        "schedules", "set", "n", "--function", NAME, "--cron", "0 9 * * *", "--timezone", "Asia/Tokyo", "--args", "[1]"
    )
    assert (said.code, said.out.startswith(f"n: 0 9 * * * (Asia/Tokyo) starts {NAME}; next in ")) == (0, True)
    assert command("schedules", "set", "n", "--args", "[2]", "--queue", "q").code == 0
    refused = command("schedules", "set", "n", "--catch-up", "all")
    assert (refused.code, "give overlap='queue'" in refused.err) == (2, True)
    assert command("schedules", "set", "n", "--catch-up", "all", "--overlap", "queue").code == 0
    lines = command("schedules", "list").out.splitlines()
    assert lines[0].split() == ["name", "comes", "starts", "queue", "next", "last"]
    assert NAME in lines[1]
    shown = command("schedules", "show", "n", "--next", "3").out
    assert f"starts {NAME}([2])" in shown
    assert shown.count(" 09:00:00 Asia/Tokyo (+09:00)") == 3
    [listed] = command("schedules", "list", "--json").json["schedules"]
    assert (listed["name"], listed["catch_up"], listed["overlap"]) == ("n", "all", "queue")
    assert len(command("schedules", "show", "n", "--json").json["instants"]) == 5
    assert command("schedules", "pause", "n").out == "n is paused; runs that it has started go on\n"
    assert command("schedules", "list").out.splitlines()[1].split()[-2:] == ["paused", "-"]
    assert command("schedules", "resume", "n").out.startswith("n goes on: next in ")
    assert command("schedules", "delete", "n").out == "n is removed; runs that it has started go on\n"
    assert command("schedules", "list").err == "there are no schedules\n"


def test_runs_are_started_from_a_shell(command: Perdure, client: perdure.Client) -> None:
    """Now, and for a span of time."""
    client.schedules.set("n", programs.quadruple, every=60, args=[1])
    run_id = command("schedules", "trigger", "n").out.strip()
    assert client.runs.get(run_id).run.status == "ready"
    shown = command("schedules", "backfill", "n", "--since", "1h", "--dry-run")
    assert (shown.code, shown.out.splitlines()[0]) == (0, "60 instants would have a run now:")
    assert shown.out.splitlines()[-1] == "  … and 50 more"
    done = command("schedules", "backfill", "n", "--since", "2026-01-01T00:00", "--until", "2026-01-01T00:03", "--json")
    assert done.json["count"] == 3
    assert {client.handle(run_id).status() for run_id in done.json["run_ids"]} == {"ready"}
    none = command("schedules", "backfill", "n", "--since", "2026-01-01T00:00:01", "--until", "2026-01-01T00:00:02")
    assert (none.code, none.err) == (1, "n does not come in that span\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["set", "none", "--cron", "0 9 * * *"], "say what it starts"),
        (["set", "n", "--function", "a:b", "--cron", "0 0 30 2 *"], "Bad day-of-month"),
        (["set", "n", "--function", "a:b", "--every", "60", "--args", "{"], "is no JSON"),
        (["set", "n", "--function", "a:b", "--every", "60", "--args", "{}"], "is no list"),
        (["set", "n", "--function", "a:b", "--at", "5m"], "--at: give a time"),
        (["set", "n", "--function", NAME, "--every", "60"], "missing a required argument: 'number'"),
    ],
)
def test_what_is_written_wrong_is_said(
    command: Perdure, client: perdure.Client, words: list[str], message: str
) -> None:
    """With the code of a misuse, and nothing is done."""
    said = command("schedules", *words)
    assert (said.code, message in said.err) == (2, True), said.err
    assert not client.schedules.list()


@pytest.mark.parametrize("what", ["show", "pause", "resume", "trigger", "delete"])
def test_a_schedule_that_is_not_there_is_said(command: Perdure, client: perdure.Client, what: str) -> None:
    """With the code of what was not found."""
    said = command("schedules", what, "none")
    assert (said.code, "there is no schedule 'none' in this database" in said.err) == (3, True), said.err
    assert not client.schedules.list()
