"""`make mcp-conformance`: the protocol's own conformance scenarios for the extension `io.modelcontextprotocol/tasks`.

Needs Node and its npm, which bring the scenarios into `.cache/mcp-conformance`, and a Node 22 where there is an older
one. The server is a program of the tests, with the tools that the scenarios ask for; what is tried is `PerdureTasks`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlunsplit

sys.path.insert(0, str(Path(__file__).resolve().parent))
from durable_streams import wait_for

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".cache" / "mcp-conformance"
SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
"""The first versions with scenarios for tasks are alphas."""
NODE = "node@22"
OLDEST_NODE = 22
SCENARIOS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)
"""All that this version has but `tasks-status-notifications`, which is a placeholder."""


def main() -> None:
    """Bring the scenarios, start the server, run them, and fail if one does."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        sys.exit("make mcp-conformance needs Node with npm: install it first")
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    is_old = major_version(node) < OLDEST_NODE
    packages = [SUITE, NODE] if is_old else [SUITE]
    subprocess.run([npm, "install", "--no-audit", "--no-fund", *packages], cwd=PLACE, check=True)
    modules = PLACE / "node_modules"
    command = [
        str(modules / "node" / "bin" / "node") if is_old else node,
        str(modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"),
        "server",
    ]
    with tempfile.TemporaryDirectory() as folder:
        failed = run_against_a_server(command, folder)
    sys.exit(f"these have failed: {', '.join(failed)}" if failed else 0)


def major_version(node: str) -> int:
    """Of a Node."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.strip().removeprefix("v").partition(".")[0])


def run_against_a_server(command: list[str], folder: str) -> list[str]:
    """All scenarios, one after the other; those that fail."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "PERDURE_URL": str(Path(folder) / "perdure.db"),
    }
    program = ["uvicorn", "tests.integrations.programs.mcp_conformance:app", "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", *program, "--log-level", "warning"], cwd=ROOT, env=environment)
    try:
        wait_for(port)
        url = urlunsplit(("http", f"127.0.0.1:{port}", "/mcp", "", ""))
        scenarios = ([*command, "--url", url, "--scenario", name] for name in SCENARIOS)
        ended = [subprocess.run(scenario, cwd=folder, check=False).returncode for scenario in scenarios]
    finally:
        server.terminate()
        server.wait()
    return [name for name, status in zip(SCENARIOS, ended, strict=True) if status]


if __name__ == "__main__":
    main()
