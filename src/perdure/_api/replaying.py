"""A runtime that is never launched: its parts replay runs as far as they are recorded, with nothing to write with."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import replace
from functools import partial
from typing import Final

from .._core.definitions import Definition, Definitions
from .._engine.checking.hosts import CheckingClaims, CheckingInlineHost, CheckingLoopHost, CheckingThreadHost, Findings
from .._engine.claiming.fresh_runs import claimed_run
from .._engine.hosting.execution import Hosts
from .._engine.hosting.threads.state import ThreadState
from .._engine.options import Options
from .._engine.runtime import Runtime
from ..stores.protocol import ClaimedRun, Store

PATIENCE_SECONDS: Final = 5.0
"""How long a call is waited for that the recorded order asks for next."""


class Replayer(Runtime):
    """The store is one that reads; see `reading`. What is found of a run, where its record ends, goes to `findings`."""

    def __init__(self, store: Store, options: Options, definitions: Definitions, findings: Findings) -> None:
        self.findings = findings
        patience = min(options.replay_patience_seconds, PATIENCE_SECONDS)
        quiet = replace(options, park_after_seconds=0.0, replay_patience_seconds=patience, listeners=())
        super().__init__(
            store,
            quiet,
            definitions,
            make_claims=partial(CheckingClaims, findings),
            hosts=Hosts(
                partial(CheckingThreadHost, findings),
                partial(CheckingLoopHost, findings),
                partial(CheckingInlineHost, findings),
            ),
        )

    def replay(self, claimed: ClaimedRun, definition: Definition, runner: asyncio.Runner) -> None:
        """As far as it is recorded. Where it differs in what may have come in time and not in order, once more."""
        self._replay(claimed, definition, runner)
        if claimed.run_id in self.findings.is_perhaps_load:
            self.findings.is_perhaps_load.discard(claimed.run_id)
            self.findings.of.pop(claimed.run_id, None)
            self._replay(claimed, definition, runner)
        self.findings.is_perhaps_load.discard(claimed.run_id)

    def _replay(self, claimed: ClaimedRun, definition: Definition, runner: asyncio.Runner) -> None:
        run = claimed_run(claimed, definition.kind, self.serializer)
        execution = self.execution
        if definition.is_async:
            runner.run(execution.replay_async(run, definition, claimed.input))
            return
        execution.enter(run, execution.thread_host, ThreadState(uses_slots=False))
        Context().run(execution.execute, run, definition, claimed.input, is_fresh=False)
