"""What the processes of a service take from the machine: memory, processor time while they idle, ports."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """All processes of a service together, their children included."""

    processes: int
    ports: int
    rss_mb: float
    pss_mb: float | None
    """Pages that processes share are counted once; None where the system does not tell."""
    idle_percent: float
    """Of one core."""


def footprint(pids: Iterable[int], seconds: float = IDLE_SECONDS) -> Footprint:
    """Look at processes that have nothing to do, for so long."""
    family = [member for pid in pids for member in with_children(psutil.Process(pid))]
    begun, used = time.monotonic(), processor_seconds(family)
    time.sleep(seconds)
    idle = 100 * (processor_seconds(family) - used) / (time.monotonic() - begun)
    memory = [member.memory_full_info() for member in family]
    shares = [taken.pss for taken in memory if hasattr(taken, "pss")]
    return Footprint(
        processes=len(family),
        ports=len({port for member in family for port in listening_ports(member)}),
        rss_mb=sum(taken.rss for taken in memory) / 1e6,
        pss_mb=sum(shares) / 1e6 if len(shares) == len(memory) else None,
        idle_percent=idle,
    )


def with_children(process: psutil.Process) -> list[psutil.Process]:
    """The process and all that it has started."""
    return [process, *process.children(recursive=True)]


def processor_seconds(family: Iterable[psutil.Process]) -> float:
    """What these processes have worked so far."""
    return sum(member.cpu_times().user + member.cpu_times().system for member in family)


def listening_ports(process: psutil.Process) -> set[int]:
    """The TCP ports on which the process lets others in."""
    found = process.net_connections(kind="tcp")
    return {connection.laddr.port for connection in found if connection.status == psutil.CONN_LISTEN}
