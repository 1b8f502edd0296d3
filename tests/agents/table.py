"""Every framework killed at every boundary, on both stores: the table of docs/integrations/agents.md.

python -m tests.agents.table [--every N] [PROGRAM ...]; with arguments it prints the rows and writes nothing.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path

import perdure.stores.sqlite  # the store is opened by name
from perdure.stores.open import open_store
from tests.agents.kills import Outcome, kill_everywhere
from tests.agents.programs.shop import ANSWER

PAGE = Path(__file__).parents[2] / "docs" / "integrations" / "agents.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)
HEAD = """
| framework | version | store | deaths | recorded before | of these repeated | cut off, made again | wrong answers |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True, slots=True)
class Framework:
    """One row's beginning."""

    name: str
    package: str
    module: str
    """What is imported of it."""
    calls: int = 6
    """Of the model and of tools, in a run that nothing disturbs."""


FRAMEWORKS = {
    "pydantic_ai_agent": Framework("Pydantic AI", "pydantic-ai-slim", "pydantic_ai"),
    "openai_agents_agent": Framework("OpenAI Agents SDK", "openai-agents", "agents"),
    "google_adk_agent": Framework("Google ADK", "google-adk", "google.adk"),
    "strands_agent": Framework("Strands", "strands-agents", "strands"),
    "llama_index_workflow": Framework("LlamaIndex Workflows", "llama-index-workflows", "workflows"),
    "langgraph_graph": Framework("LangGraph", "langgraph", "langgraph"),
}


@contextmanager
def databases(store: str, folder: Path) -> Iterator[Callable[[], str]]:
    """Gives the URL of an empty database, with its tables, as often as one is wanted."""
    if store == "Postgres":
        from tests.stores.postgres_server import running_server  # where there is no Postgres it cannot be imported

        with running_server() as server:
            yield server.emptied
        return
    template = folder / "template.db"
    opened = open_store(str(template))
    opened.migrate()
    opened.close()
    numbers = count(1)
    yield lambda: str(shutil.copy(template, folder / f"{next(numbers)}.db"))


def row(program: str, store: str, outcome: Outcome) -> str:
    """A line of the table."""
    framework = FRAMEWORKS[program]
    counts = (outcome.deaths, outcome.recorded, outcome.repeated, outcome.cut_off, outcome.wrong)
    return f"| {framework.name} | {version(framework.package)} | {store} | " + " | ".join(map(str, counts)) + " |\n"


def measure(program: str, store: str, every: int) -> tuple[str, Outcome]:
    """Kill it; its line, and what it came to."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, databases(store, Path(name)) as fresh:
        calls = FRAMEWORKS[program].calls
        outcome = kill_everywhere(program, ANSWER, fresh, Path(name) / "lives", every=every, calls=calls)
    line = row(program, store, outcome)
    print(f"{line.strip()}  {time.monotonic() - began:.0f} s", flush=True)
    return line, outcome


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="make agents-table", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="die at every nth boundary only")
    parser.add_argument("program", nargs="*", choices=[[], *FRAMEWORKS], help="only these")
    arguments = parser.parse_args()
    programs = arguments.program or list(FRAMEWORKS)
    measured = [measure(program, store, arguments.every) for program in programs for store in ("SQLite", "Postgres")]
    if arguments.every == 1 and not arguments.program:
        said = f"\nPython {platform.python_version()}, perdure {perdure.__version__}.\n\n"
        PAGE.write_text(
            TABLE.sub(HEAD + "".join(line for line, _ in measured) + said, PAGE.read_text(encoding="utf-8")),
            encoding="utf-8",
        )
    if any(outcome.repeated or outcome.wrong for _, outcome in measured):
        sys.exit("something was repeated, or came out wrong")


if __name__ == "__main__":
    main()
