"""`perdure runs restart`: by id, or by a filter after showing which."""

from __future__ import annotations

from ..steering import add_step, steering_command

COMMAND = steering_command(
    "restart",
    "started anew",
    "Start runs anew, from the beginning or from a step.",
    "perdure runs restart 0193a5b2-7c1e-7d3a-8f00-1b2c3d4e5f60 --step fetch",
    add_more=add_step,
)
