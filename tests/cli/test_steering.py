"""`perdure runs pause`, `resume`, `retry`, `restart`, `fork` and `delete`: what they say, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

import perdure
from tests.cli.conftest import Perdure
from tests.cli.programs import quadruple, queue


@pytest.fixture
def worked(store_url: str, client: perdure.Client) -> dict[str, str]:
    """A run that has ended well, two that have failed; nobody works any more."""
    with perdure.running(store_url, poll_seconds=0.05):
        handles = {
            "well": perdure.start(quadruple, 3),
            "failed": queue.submit(quadruple, -1),
            "other": queue.submit(quadruple, -2),
        }
        for handle in handles.values():
            handle.exception(timeout=60)
    return {what: handle.run_id for what, handle in handles.items()}


def status(client: perdure.Client, run_id: str) -> str:
    """What has become of it."""
    run = client.runs.get(run_id).run
    return run.stopped or run.status


def test_runs_are_steered_by_their_ids(command: Perdure, client: perdure.Client, worked: dict[str, str]) -> None:
    """One by one, with who did it; what cannot be is said, by the code too."""
    failed = worked["failed"]
    said = command("runs", "retry", failed, worked["well"], "--why", "the disk is larger", "--by", "alice")
    assert (said.code, said.out.splitlines()) == (
        0,
        [f"{failed}: on the way again", f"{worked['well']}: nothing to retry: it is succeeded"],
    )
    assert status(client, failed) == "ready"
    assert command("runs", "pause", failed).out == f"{failed}: paused\n"
    assert status(client, failed) == "paused"
    shown = command("runs", "show", failed).out
    assert "retry: by alice" in shown
    assert "it was failed; the disk is larger" in shown
    assert "paused: perdure runs resume lets it go on" in shown
    refused = command("runs", "delete", failed, "--yes")
    assert refused.code == 1
    assert "cancel it first" in refused.err
    assert command("runs", "resume", failed, "--json").json == {"resume": {failed: True}, "refused": {}}
    assert command("runs", "resume", failed).code == 1
    assert command("runs", "restart", worked["well"], "--step", "nothing").code == 1
    assert command("runs", "restart", worked["well"]).out == f"{worked['well']}: started anew\n"


def test_a_fork_is_told_by_its_id(command: Perdure, client: perdure.Client, worked: dict[str, str]) -> None:
    """With an id and arguments of its own, which must be JSON."""
    said = command("runs", "fork", worked["well"], "--new-id", "trial", "--arguments", "[5]")
    assert said.out == f"{worked['well']}: forked into trial\n"
    assert client.runs.get("trial").input == "[5]"
    assert command("runs", "fork", worked["well"], "--arguments", "five").code == 2


def test_what_a_fork_is_given_is_for_one_run(command: Perdure, client: perdure.Client, worked: dict[str, str]) -> None:
    """Nothing is left out silently; an id that is taken is refused."""
    for option in (["--new-id", "trial"], ["--arguments", "[5]"]):
        said = command("runs", "fork", "--queue", "cli-tests", "--yes", *option)
        assert (said.code, said.err) == (2, f"perdure: runs fork: {option[0]} is for one run: give its id\n")
        assert command("runs", "fork", worked["well"], worked["other"], *option).code == 2
    assert len(client.runs.list(workflow=quadruple)) == 3
    said = command("runs", "fork", worked["well"], "--new-id", worked["other"])
    assert (said.code, said.err) == (1, f"run {worked['other']} exists: choose another id for the fork\n")


def test_many_are_steered_after_showing_which(command: Perdure, client: perdure.Client, worked: dict[str, str]) -> None:
    """In a pipe nothing is done without `--yes`."""
    preview = command("runs", "retry", "--queue", "cli-tests", "--dry-run")
    assert preview.code == 0
    assert preview.out.splitlines()[0] == "2 runs would be on the way again:"
    asked = command("runs", "retry", "--queue", "cli-tests")
    assert (asked.code, asked.err) == (1, "nothing is done: give --yes\n")
    assert status(client, worked["failed"]) == "failed"
    done = command("runs", "retry", "--queue", "cli-tests", "--yes")
    assert (done.code, done.out) == (0, "on the way again: 2 runs\n")
    assert command("runs", "retry", "--queue", "cli-tests", "--yes").err == "no run to retry is found by this\n"
    assert command("runs", "pause", "--queue", "cli-tests", "--yes", "--json").json["count"] == 2
    assert command("runs", "delete", "--status", "succeeded", "--yes").code == 0
    assert command("runs", "show", worked["well"]).code == 3


@pytest.mark.parametrize("what", ["pause", "resume", "retry", "restart", "fork", "delete"])
def test_what_is_not_there_is_said(command: Perdure, worked: dict[str, str], what: str, tmp_path: Path) -> None:
    """A run, a filter, a database; nothing half done."""
    assert command("runs", what, "nobody", worked["well"], "--yes").code == 3
    assert command("runs", what).code == 2
    assert command("runs", what, worked["well"], "--queue", "a").code == 2
    assert command("runs", what, "--workflow", "no:such", "--yes").code == 1
    assert command("runs", what, "nobody", url=str(tmp_path / "none.db")).code == 4
