"""The order of the whole suite: what takes longest begins first, so that no worker is left with it at the end.

And the fixtures that several folders share.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from zlib import crc32

import pytest

import perdure
from tests.inside.functions import forget_queues, serve_again
from tests.interpreters import interpreters

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own in it
"""Where Linux keeps files in memory. The tests end processes, never the machine, so their files need no disk."""
ENOUGH_BYTES = 2 << 30
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    folder = MEMORY / f"perdure-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))

# A shell without job control has its jobs in the background ignore the keys of the terminal, and so would every program
# that the tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

LONGEST_FIRST = (
    "processes",
    "example",
    "stores",
    "conformance",
    "identity",
    "generated",
    "costs",
    "model",
    "benchmarks",
)
"""Folders by the time they take. What is not named comes last; inside a folder files and tests stay as they were."""


BY_TURNS = ("conformance", "client", "cli", "processes", "example", "identity", "queues")
"""Folders of rules that are the engine's: each test is tried on one store by default, and `make test-long` tries it on
the other. What the stores themselves promise is always tried on both.
"""

TESTS = Path(__file__).parent


QUEUES: dict[str, set[str]] = {}
"""The queues that each module of tests has, by the module's name."""


@pytest.hookimpl(tryfirst=True)  # before marks are looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them in order; fixtures of a module or session are still made once, since files stay together."""
    for module in {item.module for item in items if isinstance(item, pytest.Function)}:
        QUEUES[module.__name__] = {thing.name for thing in vars(module).values() if isinstance(thing, perdure.Queue)}
    folders = {path: path.relative_to(TESTS).parts[0] for path in {item.path for item in items}}
    ranks = {folder: place for place, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(folders[item.path], len(ranks)))
    taking_turns = [item for item in items if folders[item.path] in BY_TURNS]
    named = {item.nodeid: item for item in taking_turns}
    for item in taking_turns:
        other = twin(item.nodeid)
        if (
            other != item.nodeid
            and other in named
            and not any(named[other].iter_markers("long"))  # else it would be tried nowhere by default
            and crc32(min(item.nodeid, other).encode()) % 2 == (item.nodeid < other)
        ):
            item.add_marker(pytest.mark.long)


def twin(name: str) -> str:
    """The same test on the other store."""
    head, bracket, parameters = name.partition("[")
    swapped = {"sqlite": "postgres", "postgres": "sqlite"}
    parts = (swapped.get(part, part) for part in parameters.removesuffix("]").split("-"))
    return f"{head}[{'-'.join(parts)}]" if bracket else name


# A million objects are made while tests are collected, and live as long as the process: to look through them for
# garbage again and again would take longer than many a test.
gc.disable()


def pytest_collection_finish() -> None:
    """What is there by now is never garbage; what the tests make may be."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _serves_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test's process serves the queues that its module sees, as a user's program does.

    Those of all modules together are fifty, and whoever claims would ask for each of them each time.
    """
    things = vars(request.module).values()
    seen = {request.module.__name__, *(getattr(thing, "__module__", None) for thing in things)}
    seen |= {thing.__name__ for thing in things if isinstance(thing, ModuleType)}
    own = set().union(*(QUEUES.get(name, set()) for name in seen if isinstance(name, str)))
    forgotten = forget_queues(set().union(*QUEUES.values()) - own)
    yield
    serve_again(forgotten)


@pytest.fixture
def other_pythons() -> list[str]:
    """Interpreters of other versions; skips the test where there is none."""
    if not interpreters()[1:]:
        pytest.skip("no other Python that the set-up could make ready: name one in PERDURE_TEST_PYTHONS")
    return interpreters()[1:]
