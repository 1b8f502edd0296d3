"""What comes out of a flow though no generator can raise it."""

from __future__ import annotations


class CarriedStopError(RuntimeError):
    """A `StopIteration` that came out of a step or a child: no generator can raise one (PEP 479), so that a flow raises
    this, and `drive` what it carries. Nor can a coroutine: there it is what Python makes of it.
    """

    def __init__(self, error: StopIteration) -> None:
        super().__init__("generator raised StopIteration")
        self.error = self.__cause__ = error
