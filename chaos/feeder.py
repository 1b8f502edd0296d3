"""Somebody who submits orders all the time, as a client, and remembers which ones were acknowledged to him."""

from __future__ import annotations

import threading

from perdure import Client

from .ledger import Ledger
from .program import aorder, order, queue


class Feeder:
    """Keeps so many orders under way."""

    def __init__(self, url: str, ledger: Ledger, outstanding: int) -> None:
        self._client = Client(url, patience_seconds=600)
        self._ledger = ledger
        self._outstanding = outstanding
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self.acknowledged: list[str] = []
        self.failure: Exception | None = None

    def start(self) -> None:
        """From here on."""
        self._thread.start()

    def submit(self, run_id: str, number: int) -> None:
        """One order; it is durable when this returns."""
        self._client.with_options(queue=queue, id=run_id).submit(order if number % 2 else aorder, number)
        self.acknowledged.append(run_id)

    def unended(self) -> list[str]:
        """The acknowledged orders of which the ledger knows no end."""
        self._ledger.read()
        return [run_id for run_id in self.acknowledged if run_id not in self._ledger.ended]

    def stop(self) -> None:
        """Submit no more."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """Stop, and let go of the database."""
        self.stop()
        self._client.close()

    def _feed(self) -> None:
        open_orders: set[str] = set()
        number = 0
        try:
            while not self._ends.is_set():
                self._ledger.read()
                open_orders -= self._ledger.ended
                if len(open_orders) >= self._outstanding:
                    self._ends.wait(0.01)
                    continue
                number += 1
                self.submit(f"order-{number}", number)
                open_orders.add(f"order-{number}")
        except Exception as failure:  # told by the world, whose thread this is not
            self.failure = failure
