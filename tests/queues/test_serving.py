"""Which queues a process serves: all of the program's, some, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

import perdure

first = perdure.Queue("serving-first", worker_concurrency=1)
second = perdure.Queue("serving-second", worker_concurrency=1)


@perdure.step
def echo(text: str) -> str:
    return text


@perdure.workflow
def parent(text: str) -> str:
    return perdure.start(echo, text).result()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of the test's own."""
    return str(tmp_path / "perdure.db")


def test_a_process_that_serves_nothing_executes_nothing(url: str) -> None:
    """What it starts and submits waits for another one, and it waits for that."""
    web = perdure.Perdure(url, serve=[], poll_seconds=0.05)
    with web.running():
        handles = [perdure.start(echo, "a"), first.submit(echo, "b"), second.submit(parent, "c")]
        assert [handle.status() for handle in handles] == ["ready", "ready", "ready"]
        worker = perdure.Perdure(url, poll_seconds=0.05)
        worker.launch()
        assert [handle.result(timeout=60) for handle in handles] == ["a", "b", "c"]
        worker.shutdown()


def test_a_process_serves_the_queues_that_it_is_told(url: str) -> None:
    """And what is started outside queues, so that children of its runs are executed; others wait."""
    with perdure.running(url, serve=[first]):
        left = second.submit(echo, "b")
        assert first.submit(parent, "a").result(timeout=60) == "a"
        assert perdure.start(echo, "c").result(timeout=60) == "c"
        assert left.status() == "ready"
    with perdure.running(url, serve=["serving-second"]):
        assert perdure.handle(left.run_id).result(timeout=60) == "b"


@pytest.mark.parametrize("serve", ["serving-first", 3, [3], [""]], ids=str)
def test_what_is_no_list_of_queues_is_refused(serve: object) -> None:
    """A name alone would be a list of its letters."""
    with pytest.raises(perdure.UsageError, match="serve"):
        perdure.Perdure("x.db", serve=serve)  # type: ignore[arg-type]


def test_a_queue_that_the_program_does_not_have_is_refused_at_the_launch(url: str) -> None:
    """Before anything is opened."""
    with pytest.raises(perdure.UsageError, match=r"'serving-frist'.*'serving-first'"):
        perdure.launch(url, serve=["serving-frist"])
    assert not Path(url).exists()
