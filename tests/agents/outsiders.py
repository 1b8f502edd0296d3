"""Who is outside while a run lives and dies: a reader of its stream, and a person who approves. Both are clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from perdure import Chunk, Client, HookNotFoundError, Rewound, RunNotFoundError
from tests.agents.ledger import reading
from tests.agents.live import PATIENCE_SECONDS, RUN_ID

R = TypeVar("R")
LOOK_SECONDS = 0.005


def as_soon_as_it_is_there(look: Callable[[], R]) -> R:
    """What it gives, once the run has come to that. Nobody can tell: the process that could is killed."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return look()
        except (RunNotFoundError, HookNotFoundError):
            assert time.monotonic() < give_up_at, "the run does not come to that"
            time.sleep(LOOK_SECONDS)


def follow(client: Client, ledger: Path, rewound: list[int]) -> list[Any]:
    """All that stands in the run's stream at its end, as a reader knows it that has been there all the time."""
    kept: list[Chunk] = []
    with reading(ledger).open("a") as seen:
        for item in (
            as_soon_as_it_is_there(lambda: client.handle(RUN_ID)).stream("tokens", timeout=PATIENCE_SECONDS).chunks()
        ):
            if isinstance(item, Rewound):
                rewound.append(item.offset)
                kept = [chunk for chunk in kept if chunk.offset < item.offset]
            else:
                kept.append(item)
                print(item.value[0], file=seen, flush=True)
    return [chunk.value for chunk in kept]


@contextmanager
def reader_and_person(url: str, ledger: Path, token: str, rewound: list[int]) -> Iterator[None]:
    """There while lives begin and end; then the reader must have what the model has said, as its workflow knows it.

    `rewound` gets an offset whenever the reader was told that something is void.
    """
    with Client(url) as client, ThreadPoolExecutor(2) as pool:
        read = pool.submit(follow, client, ledger, rewound)
        approved = pool.submit(as_soon_as_it_is_there, lambda: client.resolve(token, True))
        yield
        assert approved.result(PATIENCE_SECONDS) is None, "one answer is enough, whoever dies"
        tokens = read.result(PATIENCE_SECONDS)
        assert tokens == client.handle(RUN_ID).events()["said"]
        assert tokens == list(client.handle(RUN_ID).stream("tokens")), "who comes late sees the same"
