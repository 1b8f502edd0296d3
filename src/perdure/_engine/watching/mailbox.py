"""The mailbox: what runs were told, by whomever, reaches those that this process holds (rule 13 of the protocol).

The database keeps a row until it was heard. A cancel is heard when the run has ended, so it is told again with every
look until then; everything else when the run that holds it is here to be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime import Runtime


class Mailbox:
    """Read by the poller's thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def read(self) -> None:
        """Look, and tell the runs that are here."""
        runtime = self._runtime
        heard: list[int] = []
        while True:
            mail = runtime.store.hear(runtime.worker.worker_id, heard)
            heard = []
            for told in mail.told:
                if told.is_cancelled:
                    runtime.claims.cancel_here(told.run_id)
                elif runtime.held.is_known(told.run_id):
                    heard.append(told.seq)
            if mail.has_cancelled:
                runtime.claims.sweep_cancelled()
            if mail.has_read:
                runtime.dispatcher.expect_backlog()
            if not heard:
                return
