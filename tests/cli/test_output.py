"""What becomes of an output that nobody takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import perdure


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no such device")
@pytest.mark.parametrize("words", [["runs", "list"], ["runs", "show", "none", "--json"]], ids=" ".join)
def test_an_output_that_cannot_be_written_is_told_in_a_line(
    client: perdure.Client, store_url: str, words: list[str]
) -> None:
    """The disk that it was to go to may be full."""
    client.submit("app:run")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "perdure", *words]
        environment = {**os.environ, "PERDURE_URL": store_url}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, env=environment, text=True)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[-1] == "perdure: the output cannot be written: No space left on device"
    assert all(line.startswith("perdure: ") for line in said)
