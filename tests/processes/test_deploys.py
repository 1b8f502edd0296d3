"""A rolling deploy with real processes of two versions of a program: nothing waits for good, nothing runs twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import perdure
from tests.conformance.ledger import until
from tests.stores.conftest import store_url as store_url  # a fixture

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
RUNS = 6
PROGRAM = """
import os, time
from pathlib import Path
import perdure

app = perdure.Perdure(shutdown_seconds=0.1, poll_seconds=0.1)
queue = perdure.Queue("deploys", concurrency=8)
here = Path({folder!r})


def note(what):
    with (here / "ledger").open("a") as ledger:
        ledger.write(what + "\\n")


@perdure.step
def fetch(name):
    note(f"fetch {{name}}")


@perdure.step
def check(name):
    note(f"check {{name}}")


@perdure.step
def hold(name):
    note(f"hold {{name}}")
    while not (here / "go").exists():
        time.sleep(0.02)


@perdure.step
def ship(name):
    note(f"ship {{name}}")


@perdure.workflow
def order(name):
    {line}
    fetch(name)
    hold(name)
    ship(name)
    return {version!r}
"""
NEW = {"old": "pass", "new": "check(name)", "patched": "perdure.patched('check') and check(name)"}


@contextmanager
def worker(folder: Path, url: str, version: str) -> Iterator[subprocess.Popen[str]]:
    """A process with this version of the program."""
    code = folder / version
    code.mkdir(exist_ok=True)
    text = PROGRAM.format(folder=str(folder), line=NEW[version], version=version)
    (code / "deployed.py").write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{code}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, "-m", "perdure", "worker", "deployed:app", "--url", url, "--grace", "0.1"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "working as process" in line:
                break
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def lines(folder: Path) -> list[str]:
    """What bodies have run."""
    ledger = folder / "ledger"
    return ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []


@pytest.fixture
def client(store_url: str) -> Iterator[perdure.Client]:
    """Of a program without the code."""
    with perdure.Client(store_url) as made:
        yield made


def submit(client: perdure.Client, folder: Path) -> list[perdure.Handle[str]]:
    """Runs that hold at their last step but one."""
    submitter = client.with_options(queue="deploys")
    handles = [submitter.submit("deployed:order", f"r{number}") for number in range(RUNS)]
    until(lambda: sum(line.startswith("hold") for line in lines(folder)) == RUNS)
    return handles


def test_what_the_old_code_cannot_replay_is_done_by_the_new(
    client: perdure.Client, store_url: str, tmp_path: Path
) -> None:
    """The new process hands its runs back while only an old one is there: they wait, with the difference shown, until a
    new one comes; then they go on beside the old one. No step that was recorded runs again.
    """
    with ExitStack() as stack:
        with worker(tmp_path, store_url, "new"):
            handles = submit(client, tmp_path)
            stack.enter_context(worker(tmp_path, store_url, "old"))
        until(lambda: sum(run.needs_mend for run in client.runs.list()) == RUNS)
        reason = client.runs.get(handles[0].run_id).run.reason
        assert reason is not None
        assert "recorded is step deployed:check, the code now asks for step deployed:fetch" in reason
        (tmp_path / "go").touch()
        stack.enter_context(worker(tmp_path, store_url, "new"))
        assert [handle.result(PATIENCE_SECONDS) for handle in handles] == ["new"] * RUNS
    for number in range(RUNS):
        assert [lines(tmp_path).count(f"{what} r{number}") for what in ("fetch", "check", "ship")] == [1, 1, 1]


def test_in_a_rolling_deploy_each_run_finds_code_that_fits(tmp_path: Path) -> None:
    """Old runs go on in the patched code by the old way, whichever process they come to; new ones by the new way, and
    what an old process cannot replay of them goes on to a new one, without waiting for anybody.
    """
    store_url = str(tmp_path / "perdure.db")  # what differs between databases is in the test above
    with ExitStack() as stack:
        client = stack.enter_context(perdure.Client(store_url))
        with worker(tmp_path, store_url, "old"):
            handles = submit(client, tmp_path)
            stack.enter_context(worker(tmp_path, store_url, "patched"))
        (tmp_path / "go").touch()
        assert [handle.result(PATIENCE_SECONDS) for handle in handles] == ["patched"] * RUNS
        assert not [line for line in lines(tmp_path) if line.startswith("check")]
        stack.enter_context(worker(tmp_path, store_url, "old"))
        submitter = client.with_options(queue="deploys")
        fresh = [submitter.submit("deployed:order", f"f{number}") for number in range(2 * RUNS)]
        versions = [handle.result(PATIENCE_SECONDS) for handle in fresh]
    for number, version in enumerate(versions):
        counts = [lines(tmp_path).count(f"{what} f{number}") for what in ("fetch", "check", "hold", "ship")]
        assert counts == [1, int(version == "patched"), 1, 1]
