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
    pids = list(pids)
    begun, worked = time.monotonic(), processor_seconds(pids)
    time.sleep(seconds)
    idle = 100 * (processor_seconds(pids) - worked) / (time.monotonic() - begun)
    family = with_children(pids)
    memory = [member.memory_full_info() for member in family]
    shares = [taken.pss for taken in memory if hasattr(taken, "pss")]
    return Footprint(
        processes=len(family),
        ports=len({port for member in family for port in listening_ports(member)}),
        rss_mb=sum(taken.rss for taken in memory) / 1e6,
        pss_mb=sum(shares) / 1e6 if len(shares) == len(memory) else None,
        idle_percent=idle,
    )


def with_children(pids: Iterable[int]) -> list[psutil.Process]:
    """These processes and all that they have started."""
    parents = [psutil.Process(pid) for pid in pids]
    return [member for parent in parents for member in (parent, *parent.children(recursive=True))]


def processor_seconds(pids: Iterable[int]) -> float:
    """What these processes and their children have worked so far."""
    times = [member.cpu_times() for member in with_children(pids)]
    return sum(taken.user + taken.system for taken in times)


def listening_ports(process: psutil.Process) -> set[int]:
    """The TCP ports on which the process lets others in."""
    found = process.net_connections(kind="tcp")
    return {connection.laddr.port for connection in found if connection.status == psutil.CONN_LISTEN}
