"""`perdure runs retry`: by id, or by a filter after showing which."""

from __future__ import annotations

from ..steering import steering_command

COMMAND = steering_command(
    "retry",
    "on the way again",
    "Let runs that have failed go on from where they failed.",
    "perdure runs retry --status failed --since 2h --dry-run",
)
