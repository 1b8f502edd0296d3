"""`make streams-conformance`: the conformance suite of the Durable Streams protocol, as far as it reads JSON.

Needs Node and its npm, which bring the suite into `.cache/durable-streams`. The server is a program of the tests, which
writes what the suite sends; what is tried is how `StreamsApp` reads.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlunsplit

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".cache" / "durable-streams"
SUITE = "@durable-streams/server-conformance-tests@0.3.6"
TEST = """import { runConformanceTests } from "@durable-streams/server-conformance-tests";
runConformanceTests({ baseUrl: process.env.CONFORMANCE_TEST_URL });
"""
READING = "^JSON Mode"
"""The other groups create and append what is no JSON, or fork, expire and count producers."""


def main() -> None:
    """Bring the suite, start the server, run what reads, and end as it ends."""
    npm, npx = shutil.which("npm"), shutil.which("npx")
    if npm is None or npx is None:
        sys.exit("make streams-conformance needs Node with npm: install it first")
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "read.test.js").write_text(TEST, encoding="utf-8")
    (PLACE / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    subprocess.run([npm, "install", "--no-audit", "--no-fund", SUITE], cwd=PLACE, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "tests.integrations.programs.durable_streams", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        wait_for(port)
        tests = [npx, "vitest", "run", "read.test.js", "-t", READING, "--root", str(PLACE), "--no-coverage"]
        environment["CONFORMANCE_TEST_URL"] = urlunsplit(("http", f"127.0.0.1:{port}", "", "", ""))
        sys.exit(subprocess.run(tests, cwd=PLACE, env=environment, check=False).returncode)
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("the server did not begin")


if __name__ == "__main__":
    main()
