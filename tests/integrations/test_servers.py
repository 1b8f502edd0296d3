"""Durable endpoints under real servers that are killed in the middle: uvicorn, and gunicorn with several workers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integrations.conftest import Server

PATIENCE_SECONDS = 60


def notes(folder: Path) -> list[str]:
    """What the steps have done."""
    return (folder / "notes").read_text().splitlines()


def packing(folder: Path) -> list[str]:
    """The processes that have begun to pack."""
    return [line.rpartition(" ")[2] for line in notes(folder) if line.startswith("packing")]


def send(server: Server, item: str, key: str) -> httpx.Response:
    """Order it."""
    headers = {"Idempotency-Key": key}
    return httpx.post(f"{server.address}/orders/{item}", headers=headers, timeout=PATIENCE_SECONDS)


def wait_for_end(server: Server, key: str) -> dict[str, Any]:
    """The run's status when it has ended, asked for as clients do."""
    while True:
        status = httpx.get(f"{server.address}/runs/orders:{key}?wait=10", timeout=PATIENCE_SECONDS).json()
        if status["state"] not in ("ready", "held", "parked"):
            return dict(status)


@pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)
def test_uvicorn_is_killed_in_the_middle_and_the_answer_is_there_all_the_same(
    make_server: Any, store_url: str, tmp_path: Path
) -> None:
    """One client waits and hangs up, the server dies; what was charged is not charged again."""
    server = make_server(
        "uvicorn",
        "tests.integrations.programs.fast_orders:app",
        "--fd",
        "{fd}",
        PERDURE_URL=store_url,
        NOTES=str(tmp_path),
    )
    assert send(server, "tea", "1").status_code == 202
    server.kill()
    server.start()
    (tmp_path / "may-pack-tea").touch()

    status = wait_for_end(server, "1")

    assert status["answer"] == {"status": 200, "body": "7 packed tea"}
    assert send(server, "tea", "1").json() == "7 packed tea"
    assert notes(tmp_path).count("charged tea") == 1


@pytest.mark.parametrize(
    "preload", [pytest.param(False, marks=pytest.mark.long, id="fork-then-import"), pytest.param(True, id="preload")]
)
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_gunicorn_with_several_workers_is_killed_and_recovers_before_the_first_request(
    make_server: Any, store_url: str, tmp_path: Path, preload: bool
) -> None:
    """Each worker launches by itself, none in the process that forks them."""
    pytest.importorskip("gunicorn")
    pytest.importorskip("flask")
    settings = tmp_path / "settings.py"
    settings.write_text("from perdure.integrations.gunicorn import post_worker_init, worker_exit\n")
    server = make_server(
        "gunicorn",
        "tests.integrations.programs.flask_orders:app",
        *(["--preload"] if preload else []),
        *("--config", str(settings), "--workers", "2", "--threads", "2", "--bind", "fd://{fd}"),
        PERDURE_URL=store_url,
        NOTES=str(tmp_path),
    )
    assert send(server, "tea", "1").status_code == 202
    [first] = packing(tmp_path)
    assert first != str(server.process.pid)

    server.kill()
    server.start()
    while len(packing(tmp_path)) < 2:  # nobody has asked it anything
        assert server.process.poll() is None, server.errors.read_text()
        time.sleep(0.05)
    (tmp_path / "may-pack-tea").touch()

    assert wait_for_end(server, "1")["answer"]["body"] == "7 packed tea"
    assert notes(tmp_path).count("charged tea") == 1
    assert "Traceback" not in server.errors.read_text()
    server.process.terminate()
    assert server.process.wait(PATIENCE_SECONDS) == 0
