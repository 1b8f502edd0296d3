"""Django's tasks on Perdure: what Django's own runner finds, and a worker that is killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integrations.conftest import ROOT
from tests.stores.postgres_server import own_postgres_url as own_postgres_url  # a fixture

pytest.importorskip("django.tasks", reason="Django 6 needs Python 3.12")

PATIENCE_SECONDS = 60
SITE = "tests.integrations.programs.django_site"


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a Django project on a database of its own."""
    is_postgres = request.param == "postgres"
    url = str(request.getfixturevalue("own_postgres_url")) if is_postgres else str(tmp_path / "site.db")
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": f"{SITE}.settings",
        "SITE_DATABASE": url,
        "NOTES": str(tmp_path),
    }


def manage(site: dict[str, str], *command: str) -> str:
    """`manage.py`, to its end; what it said."""
    ran = subprocess.run(
        [sys.executable, "-m", "django", *command],
        env=site,
        cwd=site["NOTES"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_the_backend_keeps_what_django_promises(site: dict[str, str]) -> None:
    """`cases`, by Django's runner; and no migration is missing."""
    assert "No changes" in manage(site, "makemigrations", "--check", "--dry-run")
    assert "OK" in manage(site, "test", f"{SITE}.cases", "--noinput", "-v", "1")


def notes(folder: Path) -> list[str]:
    """What the steps have done."""
    return (folder / "notes").read_text().splitlines() if (folder / "notes").exists() else []


@pytest.mark.long
def test_a_task_goes_on_when_its_worker_is_killed(site: dict[str, str], make_server: Any, tmp_path: Path) -> None:
    """Enqueued in a request under gunicorn, where nothing is executed; the first step is not done again."""
    manage(site, "migrate", "-v", "0")
    named = {name: site[name] for name in ("DJANGO_SETTINGS_MODULE", "SITE_DATABASE", "NOTES")}
    server = make_server("gunicorn", f"{SITE}.wsgi:application", "--bind", "fd://{fd}", "--preload", **named)
    worker = make_server("django", "perdure_worker", "--concurrency", "2", **named)
    task = httpx.get(f"{server.address}/order/tea", timeout=PATIENCE_SECONDS).json()["id"]
    begun = wait_for_packing(tmp_path, 1)
    worker.kill()
    assert httpx.get(f"{server.address}/task/{task}", timeout=PATIENCE_SECONDS).json()["status"] == "RUNNING"

    worker.start()
    begun = wait_for_packing(tmp_path, 2)
    (tmp_path / "may-pack-tea").touch()

    while (answer := httpx.get(f"{server.address}/task/{task}", timeout=PATIENCE_SECONDS).json())["value"] is None:
        time.sleep(0.05)
    assert (answer["status"], answer["value"]) == ("SUCCESSFUL", "7 packed tea")
    assert notes(tmp_path).count("charged tea") == 1
    assert begun[1].endswith(f" in {worker.process.pid}")
    worker.process.terminate()
    assert worker.process.wait(PATIENCE_SECONDS) == 0, worker.errors.read_text()


def wait_for_packing(folder: Path, times: int) -> list[str]:
    """The lines of those that have begun to pack, once there are so many."""
    while len(begun := [line for line in notes(folder) if line.startswith("packing")]) < times:
        time.sleep(0.05)
    return begun
