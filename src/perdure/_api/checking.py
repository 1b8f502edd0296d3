"""Whether the code of this process can go on with the runs of a database: what `perdure check` shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .._core.definitions import DEFINITIONS, Definitions
from .._engine.checking.hosts import Findings
from .._engine.checking.reading import read_only
from .._engine.options import Options
from ..stores.open import open_store
from ..stores.protocol import ClaimedRun, Store
from ..typing import RunId
from .app import Perdure
from .replaying import Replayer

TOGETHER: Final = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """A run, and in what the code differs from what it has recorded; None: it can go on."""

    run_id: RunId
    name: str
    difference: str | None
    is_unknown: bool = False
    """This program has no function of its name."""


class Checker(Replayer):
    """Replays all that has not ended."""

    def __init__(self, store: Store, options: Options, definitions: Definitions) -> None:
        super().__init__(read_only(store), options, definitions, Findings())

    def check(self) -> Iterator[Checked]:
        """Each unfinished run, in the order of their creation."""
        self.store.check()
        after = 0
        with asyncio.Runner() as runner:
            while runs := self.store.runs.unfinished(after, TOGETHER):
                for _, claimed in runs:
                    yield self._check(claimed, runner)
                after = runs[-1][0]

    def _check(self, claimed: ClaimedRun, runner: asyncio.Runner) -> Checked:
        definition = self.definitions.get(claimed.name)
        if definition is None:
            return Checked(claimed.run_id, claimed.name, "this program has no function of that name", is_unknown=True)
        self.replay(claimed, definition, runner)
        found = self.findings.of.pop(claimed.run_id, None)
        return Checked(claimed.run_id, claimed.name, None if found is None else short(found))


def check_runs(app: Perdure) -> Iterator[Checked]:
    """Every unfinished run of the instance's database, replayed with the functions of this process. Nothing is written,
    and no step's body runs; the database must have the schema of this release. Raises `StoreError`.
    """
    checker = Checker(open_store(app._find_url()), app._options, DEFINITIONS)
    try:
        yield from checker.check()
    finally:
        checker.store.close()


def short(difference: str) -> str:
    """Without what is said to who meets it at work."""
    return difference.partition(" The run is parked and nothing is lost")[0]
