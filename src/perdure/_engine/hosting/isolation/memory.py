"""How much memory a body may take: a limit of the system's on the addresses of its process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")


def mapped() -> int | None:
    """How many bytes of addresses this process has; None where the system does not say."""
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[0]) * resource.getpagesize()
    return None


@contextmanager
def limited(memory: int | None) -> Iterator[bool]:
    """In the block the process gets no more than so many bytes beside what it has. False where the system, which is no
    Linux then, keeps no such limit.
    """
    before = None if memory is None else mapped()
    if memory is None or before is None:
        yield memory is None
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    known = [limit for limit in (soft, hard, before + memory) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(known), hard))
    try:
        yield True
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
