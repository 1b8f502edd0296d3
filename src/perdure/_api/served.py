"""Which queues a process serves: that the program has them."""

from __future__ import annotations

from .._core.definitions import DEFINITIONS
from .._engine.options import Options
from ..errors import UsageError


def check_served(options: Options) -> None:
    """Raise `UsageError` where the settings name a queue to serve that the program does not have."""
    known = DEFINITIONS.queues()
    unknown = [queue for queue in options.serve or () if queue not in known]
    if unknown:
        raise UsageError(
            f"serve names the queue {', '.join(map(repr, unknown))}, and this program has "
            f"{', '.join(map(repr, known)) or 'no queue'}: correct the name, or import what makes it before the launch"
        )
