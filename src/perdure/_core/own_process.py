"""Where a body runs that has a process of its own; in a definition's `executor`, in the place of one."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from ..errors import UsageError
from .given import one_of, whole_number

LEAST_MEMORY: Final = 1 << 20
MOST_MEMORY: Final = 1 << 62
"""More than any system has addresses, and with what is there already no more than its limits can say."""


class OwnProcess(Struct, frozen=True):
    """`memory`: how many bytes the body may take beside what its process has before it; None: what there is."""

    memory: int | None = None


def own_process_of(isolation: Any, memory: Any, what: str) -> OwnProcess | None:
    """Where the body runs by these options; None: here. Raises `UsageError` for what they cannot be."""
    if isolation is None:
        if memory is not None:
            raise UsageError(f"{what}: memory={memory!r} limits a process of its own: give isolation='process' as well")
        return None
    one_of(isolation, f"{what}: isolation", ("process",))
    if memory is not None:
        whole_number(memory, f"{what}: memory in bytes", least=LEAST_MEMORY, most=MOST_MEMORY)
    return OwnProcess(memory)
