"""`make agents` and `make agents-table`: the environment of the agent frameworks, and what is run in it.

They are heavy and need packages that the rest of the project does not, in other versions than `requirements/lock.txt`
has; so they are pinned in `requirements/agents.txt` and installed into `.cache/agents`. Perdure comes from `src`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bootstrap
import locked

ROOT = Path(bootstrap.ROOT)
PLACE = ROOT / ".cache" / "agents"
LOCK = ROOT / "requirements" / "agents.txt"
COMMANDS = {
    # what a framework warns of is its own affair
    "test": ["-m", "pytest", "-o", "filterwarnings=default", "--timeout", "600", "tests/agents"],
    "table": ["-W", "ignore", "-m", "tests.agents.table"],
}


def main() -> None:
    """Bring the environment up to date, run the command in it, and end as it ends."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        bootstrap.stop(f"tools/agent_frameworks.py: one of {', '.join(COMMANDS)}, and arguments for it")
    base = bootstrap.probe(sys.executable)
    locked.bring_up_to_date(PLACE, LOCK, str(base[1]) if base else sys.executable)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [str(locked.python_in(PLACE)), *COMMANDS[sys.argv[1]], *sys.argv[2:]]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
