"""A model call that is streamed to live readers, four tools at once and an approval, killed at every boundary.

No framework: what all of their integrations are built of. What has been called is counted outside.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.agents.kills import Outcome, kill_everywhere
from tests.agents.outsiders import reader_and_person
from tests.agents.programs.shop import ANSWER
from tests.agents.programs.streamed_agent import TOKEN
from tests.agents.table import databases

CALLS = 7
"""Of the model twice, of four tools, of whoever asks the person."""
PROGRAMS = ("streamed_agent", "streamed_agent_in_threads")


def killed(program: str, store: str, folder: Path, kills: str, every: int) -> tuple[Outcome, list[int]]:
    """All those deaths; and where the reader was told that something is void."""
    rewound: list[int] = []
    beside = partial(reader_and_person, token=TOKEN, rewound=rewound)
    with databases(store, folder) as fresh:
        lives = folder / "lives"
        outcome = kill_everywhere(program, ANSWER, fresh, lives, every=every, calls=CALLS, kills=kills, beside=beside)
    return outcome, rewound


@pytest.mark.parametrize(("program", "kills", "every"), [(PROGRAMS[0], "note", 6), (PROGRAMS[1], "store", 31)])
def test_what_was_said_and_approved_outlives_its_process(program: str, kills: str, every: int, tmp_path: Path) -> None:
    """The reader sees tokens while the model speaks, through deaths too, and in the end what the workflow was given."""
    outcome, rewound = killed(program, "SQLite", tmp_path, kills, every)

    assert outcome.deaths > 1
    assert outcome.recorded > 0
    assert outcome.repeated == outcome.wrong == 0
    assert rewound or kills == "store"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", ["store", "note"])
@pytest.mark.parametrize("store", ["SQLite", "Postgres"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_it_outlives_its_process_at_every_boundary(program: str, store: str, kills: str, tmp_path: Path) -> None:
    """The same, at all of them."""
    outcome, rewound = killed(program, store, tmp_path, kills, 1)

    print(f"{program}, {store}, {kills}: {outcome}, {len(rewound)} times rewound")
    assert outcome.deaths > 10
    assert outcome.recorded > 10
    assert outcome.repeated == outcome.wrong == 0
    assert rewound
