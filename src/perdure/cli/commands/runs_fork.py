"""`perdure runs fork`: by id, or by a filter after showing which."""

from __future__ import annotations

from ..steering import add_fork, steering_command

COMMAND = steering_command(
    "fork",
    "forked",
    "Make a run of what another one has recorded before a step.",
    "perdure runs fork 0193a5b2-7c1e-7d3a-8f00-1b2c3d4e5f60 --step fetch --new-id trial",
    add_more=add_fork,
)
