"""The faults, each in a file: how it breaks the world, once."""

from __future__ import annotations

from . import clocks, cuts, delays, failovers, kills, names, notifications, restarts, swallows, vanishing, zombies

FAULTS = (
    zombies.FAULT,
    restarts.FAULT,
    failovers.FAULT,
    kills.FAULT,
    cuts.FAULT,
    delays.FAULT,
    swallows.FAULT,
    notifications.FAULT,
    clocks.FAULT,
    names.FAULT,
    vanishing.FAULT,
)
