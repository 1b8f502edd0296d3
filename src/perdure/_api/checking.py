"""Whether the code of this process can go on with the runs of a database: what `perdure check` shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Final

from .._core.definitions import DEFINITIONS, Definition, Definitions
from .._engine.checking.hosts import CheckingClaims, CheckingInlineHost, CheckingLoopHost, CheckingThreadHost, Findings
from .._engine.checking.reading import read_only
from .._engine.claiming.fresh_runs import claimed_run
from .._engine.hosting.threads.state import ThreadState
from .._engine.options import Options
from .._engine.runtime import Runtime
from ..stores.open import open_store
from ..stores.protocol import ClaimedRun, Store
from ..typing import RunId
from .app import Perdure

TOGETHER: Final = 200
PATIENCE_SECONDS: Final = 5.0
"""How long a call is waited for that the recorded order asks for next."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A run, and in what the code differs from what it has recorded; None: it can go on."""

    run_id: RunId
    name: str
    difference: str | None
    is_unknown: bool = False
    """This program has no function of its name."""


class Checker(Runtime):
    """A runtime that is never launched: its parts replay, and have nothing to write with."""

    def __init__(self, store: Store, options: Options, definitions: Definitions) -> None:
        self.findings = Findings()
        patience = min(options.replay_patience_seconds, PATIENCE_SECONDS)
        quiet = replace(options, park_after_seconds=0.0, replay_patience_seconds=patience, listeners=())
        super().__init__(read_only(store), quiet, definitions)

    def _make_claiming(self) -> None:
        super()._make_claiming()
        claims = CheckingClaims(
            store=self.store,
            journal=self.journal,
            worker=self.worker,
            held=self.held,
            room=self.room,
            ends=self.ends,
            uncollected=self.uncollected,
            threads=self.threads,
            phase=self.phase,
            listeners=self.listeners,
            news=self.news,
        )
        claims.findings = self.findings
        self.claims = claims

    def _make_hosting(self) -> None:
        super()._make_hosting()
        around, execution = self.surroundings(), self.execution
        thread_host = CheckingThreadHost(around, execution.leave)
        inline_host = CheckingInlineHost(around, execution.leave)
        loop_host = CheckingLoopHost(around, execution.leave, execution.leave_stranded, self.wakes)
        thread_host.findings = inline_host.findings = loop_host.findings = self.findings
        execution.thread_host, execution.inline_host, execution.loop_host = thread_host, inline_host, loop_host

    def check(self) -> Iterator[Checked]:
        """Each unfinished run, in the order of their creation."""
        self.store.check()
        after = 0
        with asyncio.Runner() as runner:
            while runs := self.store.unfinished(after, TOGETHER):
                for _, claimed in runs:
                    yield self._check(claimed, runner)
                after = runs[-1][0]

    def _check(self, claimed: ClaimedRun, runner: asyncio.Runner) -> Checked:
        definition = self.definitions.get(claimed.name)
        if definition is None:
            return Checked(claimed.run_id, claimed.name, "this program has no function of that name", is_unknown=True)
        self._replay(claimed, definition, runner)
        if claimed.run_id in self.findings.is_perhaps_load:  # it may have come in time, and not in order
            self.findings.is_perhaps_load.discard(claimed.run_id)
            self.findings.of.pop(claimed.run_id, None)
            self._replay(claimed, definition, runner)
        self.findings.is_perhaps_load.discard(claimed.run_id)
        found = self.findings.of.pop(claimed.run_id, None)
        return Checked(claimed.run_id, claimed.name, None if found is None else short(found))

    def _replay(self, claimed: ClaimedRun, definition: Definition, runner: asyncio.Runner) -> None:
        run = claimed_run(claimed, definition.kind, self.serializer)
        execution = self.execution
        if definition.is_async:
            runner.run(execution.replay_async(run, definition, claimed.input))
            return
        execution.enter(run, execution.thread_host, ThreadState(uses_slots=False))
        Context().run(execution.execute, run, definition, claimed.input, is_fresh=False)


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
