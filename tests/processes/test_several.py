"""What ended first is the same in the next process, where everything has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stores.conftest import store_url as store_url  # a fixture

PROGRAM = Path(__file__).parent / "programs" / "several.py"
PATIENCE_SECONDS = 60


def live(url: str, kind: str, life: str, seed: int) -> subprocess.CompletedProcess[str]:
    """One life of the program, under a hash seed of its own."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), url, kind, life],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_killed_run_sees_the_same_order_and_the_same_timeouts(store_url: str, kind: str) -> None:
    """The ends came in another order than the calls, and some waits were given up."""
    first = live(store_url, kind, "first", 1)
    second = live(store_url, kind, "second", 2)
    assert first.returncode == 77, first.stderr
    assert second.stdout.strip() == "[5, 4, 3, 2, 1, 0]", second.stderr


def test_thousands_are_waited_for_at_once(tmp_path: Path) -> None:
    """What waits for one more costs the same, however many there are."""
    program = (
        "import sys, perdure\n"
        "queue = perdure.Queue('q')\n"
        "@perdure.step\n"
        "def one(number: int) -> int: return 1\n"
        "@perdure.workflow\n"
        "def many() -> int:\n"
        "    return sum(h.result() for h in perdure.as_completed([queue.submit(one, n) for n in range(2000)]))\n"
        "@perdure.workflow\n"
        "async def amany() -> int:\n"
        "    handles = [await queue.asubmit(one, n) for n in range(2000)]\n"
        "    return sum([await h async for h in perdure.as_completed(handles)])\n"
        "with perdure.running(sys.argv[1]):\n"
        "    print(perdure.start(many).result(50), perdure.start(amany).result(50))\n"
    )
    path = tmp_path / "many.py"
    path.write_text(program)
    ended = subprocess.run(
        [sys.executable, str(path), str(tmp_path / "p.db")],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    assert ended.stdout.split() == ["2000", "2000"], ended.stderr
