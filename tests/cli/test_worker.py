"""`perdure worker` as a process: it works until nothing is left, or until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import perdure
from tests.cli.slow import hold, is_told_beside, quick
from tests.cli.slow import queue as slow_queue

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


def worker(url: str, *words: str) -> subprocess.Popen[str]:
    """Started, and not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", "perdure", "worker", "tests.cli.slow:app", "--url", url, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of the test's own."""
    return str(tmp_path / "perdure.db")


def test_a_worker_ends_when_nothing_is_left(url: str) -> None:
    """With all that it serves done, and the rest as it was."""
    with perdure.Client(url) as client:
        handles = client.with_options(queue=slow_queue).submit_many(quick, ([number] for number in range(20)))
        left = client.with_options(queue="other").submit(quick, 1)
        process = worker(url, "--until-idle", "--queues", "slow-tests")
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, "working as process" in out) == (0, True), err
        assert {handle.status() for handle in handles} == {"succeeded"}
        assert left.status() == "ready"


def test_processes_share_the_work_and_end_together(url: str) -> None:
    """One looks after the others; the URL is on no command line."""
    with perdure.Client(url) as client:
        handles = client.with_options(queue=slow_queue).submit_many(quick, ([number] for number in range(20)))
        process = worker(url, "--until-idle", "--processes", "2")
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, "2 worker processes" in out) == (0, True), err
        assert {handle.status() for handle in handles} == {"succeeded"}


def test_a_signal_that_interrupts_no_wait_is_heard(url: str) -> None:
    """One that comes just before the main thread waits would else be lost, and the process be killed later."""
    with perdure.Client(url) as client:
        handle = client.with_options(queue=slow_queue).submit(is_told_beside)
        process = worker(url, "--grace", "0.2")
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, handle.status()) == (0, "ready"), err


@pytest.mark.parametrize("signals", [1, 2])
def test_a_worker_that_is_told_to_stop_hands_back_and_ends_well(url: str, tmp_path: Path, signals: int) -> None:
    """After the first signal what runs goes on for a moment; after the second not even that. Nothing is charged."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    with perdure.Client(url) as client:
        handle = client.with_options(queue=slow_queue).submit(hold, str(ready))
        process = worker(url, "--grace", "0.2" if signals == 1 else str(PATIENCE_SECONDS))
        assert ready.read_text() == "running"  # waits for the body to begin
        process.send_signal(signal.SIGTERM)
        while signals > 1 and process.poll() is None:  # two at once would be one
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, err
        run = client.runs.get(handle.run_id).run
        assert (run.status, run.attempts, client.workers()) == ("ready", 0, [])


def test_processes_that_cannot_begin_end_all(url: str) -> None:
    """As one would: to try again and again would hide it from who looks after the command."""
    process = worker(url, "--processes", "2", "--queues", "nowhere")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "serve names the queue 'nowhere'" in err) == (2, True), out + err
    process = worker(f"{url}/nowhere.db", "--processes", "2")
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "does not exist: make it first" in err) == (4, True), out + err


def test_processes_that_are_told_to_end_while_they_begin_end_well(url: str) -> None:
    """Also those that cannot listen yet, and such as are just being started."""
    process = worker(url, "--processes", "2")
    assert process.stdout is not None
    assert "2 worker processes" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, out + err


def test_a_grace_that_is_no_number_is_refused(url: str) -> None:
    """It would be waited for as for ever, or not at all."""
    process = worker(url, "--grace", "nan")
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "--grace 0 or more" in err) == (2, True), err
