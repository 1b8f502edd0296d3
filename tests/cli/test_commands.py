"""Each command says what there is, for people and as JSON, and by its exit code."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import perdure
from perdure.cli.command import Context, all_commands
from perdure.cli.main import main
from perdure.cli.screen import widths_within
from tests.cli.conftest import Perdure
from tests.cli.programs import asks, double, quadruple, queue, talkative
from tests.conformance.ledger import until


@pytest.fixture
def worked(store_url: str, client: perdure.Client) -> dict[str, str]:
    """A run that has ended well, one that has failed, and one that nobody executes."""
    with perdure.running(store_url, poll_seconds=0.05):
        well, failed = perdure.start(quadruple, 3), queue.submit(quadruple, -1)
        well.result(timeout=60)
        failed.exception(timeout=60)
    ready = client.with_options(queue="nobody-serves-it").submit(double, 1)
    return {"well": well.run_id, "failed": failed.run_id, "ready": ready.run_id}


def test_runs_are_listed(command: Perdure, worked: dict[str, str]) -> None:
    """In columns, whole, without colours, where nobody sits before it."""
    said = command("runs", "list")
    assert said.code == 0
    header, *rows = said.out.splitlines()
    assert header.split() == ["id", "name", "status", "queue", "made", "took", "reason"]
    assert rows[0].split()[:4] == [worked["ready"], "tests.cli.programs:double", "ready", "nobody-serves-it"]
    assert "\x1b" not in said.out
    assert [run["run_id"] for run in command("runs", "list", "--status", "failed", "--json").json["runs"]] == [
        worked["failed"]
    ]
    assert command("runs", "list", "--limit", "1").err.startswith("there are more: --cursor ")
    assert command("runs", "list", "--since", "1h", "--workflow", "no:such").err == "no run is found by this\n"
    found = command("runs", "list", "--queue", "cli-tests", "--until", "2100-01-01", "--text", "QUADRUPLE", "--json")
    assert [run["run_id"] for run in found.json["runs"]] == [worked["failed"]]
    assert found.json["runs"][0]["reason"] == "ValueError: -1 is too small"
    assert "ValueError: -1 is too small" in command("runs", "list", "--status", "failed").out


@pytest.mark.parametrize("words", [("runs", "list"), ("watch", "--once")], ids=["list", "watch"])
def test_the_errors_of_many_runs_are_one_question(
    command: Perdure, client: perdure.Client, store_url: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """However many of a page have failed."""
    with perdure.running(store_url, poll_seconds=0.05):
        for handle in [perdure.start(quadruple, -number) for number in range(1, 6)]:
            handle.exception(timeout=60)
    monkeypatch.setattr(Context, "client", lambda _: client)
    asked: list[str] = []
    client.opened().store.on_statement = asked.append  # type: ignore[attr-defined]  # the stores' own hook
    said = command(*words)
    assert all(f"ValueError: -{number} is too small" in said.out for number in range(1, 6))
    assert asked.count("ended_runs") == 1
    assert "run_shown" not in asked


def test_a_run_is_shown_as_a_tree(command: Perdure, worked: dict[str, str]) -> None:
    """With its steps, children, values and errors; the beginning of its id will do."""
    said = command("runs", "show", worked["well"])
    assert said.code == 0
    assert f"tests.cli.programs:quadruple  {worked['well']}  succeeded" in said.out
    assert "tests.cli.programs:double([3]) → 6" in said.out
    assert "children (1)" in said.out
    assert "error: ValueError: -1 is too small" in command("runs", "show", worked["failed"]).out
    details = command("runs", "show", worked["well"], "--json").json
    assert (details["run"]["status"], details["output"], len(details["children"])) == ("succeeded", "12", 1)
    assert command("runs", "show", worked["ready"][:-1]).code == 0
    assert command("runs", "show", "0").code in (2, 3)  # several begin so, or none
    explained = command("runs", "explain", worked["failed"]).out.splitlines()
    assert explained[1:] == [
        "It has ended: failed.",
        "`perdure runs retry` lets it go on from where it failed.",
        "ValueError: -1 is too small",
    ]
    assert command("runs", "explain", worked["ready"][:-1]).out.startswith(f"{worked['ready']} is ready\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_pipe_that_knows_few_letters_gets_the_others_as_escapes(
    worked: dict[str, str], store_url: str, encoding: str
) -> None:
    """The branches of a tree, and whatever ids and values hold; JSON stays JSON."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PERDURE_URL": store_url}

    def said(*words: str) -> str:
        command = [sys.executable, "-m", "perdure", "runs", *words]
        return subprocess.run(command, capture_output=True, check=True, env=environment).stdout.decode(encoding)

    assert "\\u251c\\u2500 input: [3]" in said("show", worked["well"])
    assert json.loads(said("show", worked["well"], "--json"))["output"] == "12"


def test_calls_are_shown_as_the_code_has_them(command: Perdure, store_url: str) -> None:
    """By what was called; what a run was told, by how often; and which run undoes what it did."""
    with perdure.running(store_url):
        handle = perdure.start(talkative)
        for number in range(2):
            perdure.send(handle, number, topic="number")
        with pytest.raises(ValueError, match="not this one"):
            handle.result(30)
    shown = command("runs", "show", handle.run_id).out
    for line in (
        "patched a-change → true",
        "set_event price → 3",
        "recv number → 0",
        "told: message, 2 times, the last ",
    ):
        assert line in shown
    assert shown.count("book(") == 1
    assert f"{handle.run_id}:undo" in shown


def test_the_database_may_be_named_before_the_command(store_url: str, client: perdure.Client) -> None:
    """As behind it."""
    assert main(["--url", store_url, "runs", "list"]) == 0
    assert main(["--json", "--url", store_url, "runs", "list", "--plain"]) == 0


def test_what_a_command_does_not_take_is_said_by_it(command: Perdure) -> None:
    """With the help that lists what it takes."""
    assert "perdure runs list --help shows how it is written" in command("runs", "list", "--database", "x").err
    assert "give the module, app.main, and run this where `import app.main`" in command("check", "app/main.py").err


def test_an_id_that_nobody_has_is_said(command: Perdure, worked: dict[str, str]) -> None:
    """With a code of its own, as JSON too; and nothing is done."""
    said = command("runs", "show", "nobody")
    assert (said.code, said.err) == (3, "perdure: there is no run nobody in this database\n")
    assert command("runs", "show", "nobody", "--json").json["code"] == 3
    assert command("runs", "cancel", worked["ready"], "nobody").code == 3
    assert command("runs", "list", "--status", "ready", "--json").json["runs"][0]["run_id"] == worked["ready"]


def test_runs_are_ended(command: Perdure, worked: dict[str, str]) -> None:
    """By id or by filter, after a preview; a filter is not asked for in a pipe without --yes."""
    preview = command("runs", "cancel", "--queue", "nobody-serves-it", "--dry-run")
    assert (preview.code, preview.out.splitlines()[0]) == (0, "1 run would be ended:")
    unasked = command("runs", "cancel", "--queue", "nobody-serves-it")
    assert (unasked.code, "give --yes" in unasked.err) == (1, True)
    assert command("runs", "show", worked["ready"], "--json").json["run"]["status"] == "ready"
    done = command("runs", "cancel", "--queue", "nobody-serves-it", "--yes", "--json")
    assert (done.code, done.json["count"], done.json["run_ids"]) == (0, 1, [worked["ready"]])
    assert command("runs", "cancel", worked["ready"]).code == 1
    assert command("runs", "cancel", "--queue", "nobody-serves-it", "--yes").code == 1
    assert command("runs", "cancel").code == 2
    assert command("runs", "cancel", worked["ready"], "--queue", "a").code == 2


def test_queues_workers_and_what_goes_on_are_shown(
    command: Perdure, store_url: str, worked: dict[str, str], client: perdure.Client
) -> None:
    """While somebody works, and while nobody does."""
    shown = [line.split()[:3] for line in command("queues").out.splitlines()]
    assert ["nobody-serves-it", "1", "0"] in shown
    assert command("workers").err == "nobody works on this database\n"
    with perdure.running(store_url):
        [worker] = command("workers", "--json").json["workers"]
        assert (worker["pid"], "cli-tests" in worker["queues"]) == (os.getpid(), True)
        assert "'nobody-serves-it': 1 run ready, and no living worker serves it" in command("doctor").out
        assert command("workers").out.splitlines()[1].split()[-1] == "well"
    assert "nobody-serves-it" in command("watch").out
    assert command("watch", "--json", "--once").json["failed"] == [worked["failed"]]
    command("runs", "cancel", worked["ready"])
    client.queues.set(queue, concurrency=3)
    assert "ValueError: -1 is too small" in command("watch").out
    assert "cli-tests" in command("watch").out  # where nothing waits and nothing is held


def test_the_doctor_says_what_is_wrong(command: Perdure, store_url: str, worked: dict[str, str]) -> None:
    """In words, with the mend, and by the exit code."""
    said = command("doctor")
    assert (said.code, "WRONG  nobody works on this database, and 1 run wait" in said.out) == (1, True)
    assert "perdure worker MODULE" in said.out
    report = command("doctor", "--json").json
    assert (report["well"], any(not finding["is_well"] for finding in report["findings"])) == (False, True)
    command("runs", "cancel", worked["ready"])
    assert command("doctor").code == 0


def test_the_doctor_says_that_nothing_can_be_written(command: Perdure, store_url: str, client: perdure.Client) -> None:
    """A worker would not even begin there."""
    if store_url.startswith("postgres"):
        said = command("doctor", url=f"{store_url}&options=-cdefault_transaction_read_only%3Don")
        assert (said.code, "WRONG  the database takes no writes" in said.out) == (1, True)


def test_the_doctor_says_what_is_paused_and_what_schedules_lack(command: Perdure, client: perdure.Client) -> None:
    """A function that nobody knows and an instant that nobody started are wrong; what is paused is said."""
    client.schedules.set("unknown", "no.such:function", every=3600)
    client.schedules.set("resting", "tests.cli.programs:double", every=3600, args=(1,))
    client.schedules.pause("resting")
    assert "no.such:function" in command("functions", "pause", "no.such:function").out
    assert command("functions", "resume", "no.such:other").code == 1
    with perdure.running(client.url, poll_seconds=0.05):
        said = command("doctor").out
    assert "WRONG  schedule unknown: no worker that is there now knows the function no.such:function" in said
    assert "schedule resting is paused, for" in said
    assert "perdure functions resume no.such:function, if it is time" in said
    client.schedules.delete("unknown")
    client.schedules.resume("resting")
    rows = client.opened().store.schedules
    row = rows.get("resting")
    assert row is not None
    an_hour_ago = rows.now() - 3_600
    assert rows.write(replace(row, next_instant=an_hour_ago, next_at=an_hour_ago))
    said = command("doctor")
    assert (said.code, "WRONG  schedule resting was to come 60 min ago, and no" in said.out) == (1, True)
    assert command("functions", "resume", "no.such:function", "--json").json == {"paused": {}}


def test_a_deadline_is_shown(command: Perdure, client: perdure.Client) -> None:
    """Of a run, and of all that are listed for programs."""
    client.with_options(id="hurried", timeout=600).submit(double, 1)
    assert re.search("to be over by 20.* UTC: in [0-9]+ (s|min)", command("runs", "show", "hurried").out)
    [run] = command("runs", "list", "--json").json["runs"]
    assert run["deadline_at"] is not None


@pytest.mark.parametrize(
    ("width", "widths"),
    [(80, [36, 9, 20, 6]), (60, [36, 9, 11]), (50, [36, 9]), (20, [36])],
)
def test_a_table_fits_a_narrow_terminal(width: int, widths: list[int]) -> None:
    """Ids stay whole, what is long is cut, and what does not fit is left out from the end."""
    rows = [["x" * 36, "succeeded", "y" * 20, "1.5 ms"]]
    assert widths_within(width, ("id", "status", "name", "took"), rows) == widths


def test_the_schema_is_made_or_printed(command: Perdure, store_url: str, tmp_path: Path) -> None:
    """The script makes the same as the command."""
    script = command("migrate", "--sql")
    assert script.code == 0
    if store_url.startswith("postgres"):
        assert script.out == "" or "CREATE TABLE" in script.out
        assert command("migrate").code == 0
        return
    assert not Path(store_url).exists()
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.executescript(script.out)
    connection.close()
    assert command("migrate", url=str(other)).out == f"{other} is already up to date\n"
    assert command("runs", "list", url=str(other)).code == 0
    assert command("migrate").out == f"{store_url} is now up to date\n"
    assert command("migrate", "--sql").err == f"{store_url} is up to date\n"


def test_a_database_that_cannot_be_used_is_said(command: Perdure, tmp_path: Path) -> None:
    """With a code of its own; no file is made, and no password is shown."""
    missing = tmp_path / "typo.db"
    said = command("runs", "list", url=str(missing))
    assert (said.code, "there is no database" in said.err, missing.exists()) == (4, True, False)
    said = command("doctor", url="postgresql://me:secret@127.0.0.1:1/nothing")
    assert (said.code, "secret" in said.err + said.out) == (4, False)
    assert "cannot connect to" in said.err
    said = command("runs", "list", url="mysql://me:secret@host/x")
    assert (said.code, "secret" in said.err) == (4, False)


def test_a_database_of_another_release_is_said(command: Perdure, tmp_path: Path) -> None:
    """And left as it is."""
    url = str(tmp_path / "newer.db")
    assert command("migrate", url=url).code == 0
    with sqlite3.connect(url) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, 'from the future', 0)")
    connection.close()
    for words in (("runs", "list"), ("doctor",), ("migrate",), ("migrate", "--sql")):
        said = command(*words, url=url)
        assert (said.code, "schema version 999" in said.err) == (4, True)


def test_a_place_that_is_no_file_is_said(command: Perdure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, and one that may not be looked into: a line each."""
    said = command("runs", "list", url=str(tmp_path))
    assert (said.code, said.err) == (
        4,
        f"perdure: {tmp_path} is a directory: give the file in it that the workers use\n",
    )

    def refuse(self: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", refuse)  # as root may look everywhere
        said = command("runs", "list", url=str(tmp_path / "perdure.db"))
    assert (said.code, "cannot be looked at (Permission denied)" in said.err) == (4, True)


def test_nothing_is_moved_into_itself(command: Perdure, client: perdure.Client, store_url: str) -> None:
    """However it is written."""
    scheme = store_url if "://" in store_url else f"sqlite:////{store_url}"
    for target in (store_url, scheme):
        said = command("move", store_url, target)
        assert (said.code, "is to be moved into itself" in said.err) == (2, True), said.err
    assert command("queues").code == 0
    assert client.url


def test_no_moment_is_too_long_ago_for_a_filter(client: perdure.Client) -> None:
    """Nothing is older than the clocks of computers, so all is found."""
    run_id = client.submit(double, 1).run_id
    for since in (timedelta(days=365_000), datetime(1, 1, 2, tzinfo=UTC)):
        assert [run.run_id for run in client.runs.list(since=since)] == [run_id]


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "list", "--since", "99999999999d"),
        ("runs", "list", "--status", "done"),
        ("runs", "list", "--limit", "0"),
        ("runs", "list", "--since", "yesterday"),
        ("runs", "list", "--attribute", "customer"),
        ("runs", "list", "--cursor", "x"),
        ("runs", "show"),
        ("runs", "dance"),
        ("worker", "no.such.module"),
        ("worker", "tests.cli.programs:missing"),
        ("worker", "tests.cli.programs:queue"),
        ("worker", "tests.cli.programs", "--queues", "cli-tset"),
        ("worker", "tests.cli.programs", "--queues", ","),
        ("worker", "tests.cli.programs", "--processes", "0"),
        ("worker", "tests.cli.programs", "--concurrency", "0"),
    ],
    ids=" ".join,
)
def test_what_is_written_wrong_is_said(command: Perdure, client: perdure.Client, words: tuple[str, ...]) -> None:
    """In a line, with a code of its own."""
    said = command(*words)
    assert said.code == 2
    assert said.err


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """A command is found by its file alone."""
    from perdure.cli.main import main  # the one that `perdure` is

    names = {command.name for command in all_commands()}
    assert names >= {"runs list", "runs show", "runs cancel", "watch", "queues", "workers", "worker", "migrate"}
    assert "doctor" in names
    for command in all_commands():
        with pytest.raises(SystemExit):
            main([*command.name.split(), "--help"])
        assert f"example:\n  {command.example}" in capsys.readouterr().out
        assert command.example.startswith(f"perdure {command.name}")


def test_values_cannot_move_the_cursor(command: Perdure, client: perdure.Client) -> None:
    """What a value has of control characters is shown as such."""
    run_id = client.submit(double, 1).run_id
    client.with_options(id="evil").submit("a:b", "\x1b[2J")
    assert "\x1b" not in command("runs", "show", "evil").out + command("runs", "show", run_id).out


def test_hooks_are_listed_and_answered(command: Perdure, store_url: str) -> None:
    """With exit codes that tell what went wrong."""
    with perdure.running(store_url, poll_seconds=0.05):
        handles = [perdure.start(asks, f"asked {number}") for number in range(2)]
        until(lambda: len(command("hooks", "list", "--json").json["hooks"]) == 2)
        listed = command("hooks", "list").out.splitlines()[1:]
        assert sorted(line.split()[1] for line in listed) == ["0", "1"]
        assert "waits for an answer to hook asked 0 (bool), asked" in command("runs", "show", handles[0].run_id).out
        assert command("hooks", "resolve", "asked 0", "maybe").code == 2
        said = command("hooks", "resolve", "asked 0", '"yes"')
        assert (said.code, "is a string, not of type boolean" in said.err) == (1, True)
        assert command("hooks", "resolve", "asked 0", "true").out == "asked 0 is resolved\n"
        assert command("hooks", "resolve", "asked 0", "true").code == 1
        assert command("hooks", "reject", "asked 1", "not today", "--json").json == {"rejected": "asked 1"}
        assert command("hooks", "reject", "nobody", "no").code == 3
        assert handles[0].result(60) is True
        assert str(handles[1].exception(60)).startswith("not today")
    assert command("hooks", "list").err == "no hook waits for an answer\n"
