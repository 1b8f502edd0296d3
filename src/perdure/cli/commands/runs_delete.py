"""`perdure runs delete`: by id, or by a filter after showing which."""

from __future__ import annotations

from ..steering import steering_command

COMMAND = steering_command(
    "delete",
    "deleted",
    "Delete runs that have ended, with their children.",
    "perdure runs delete --status failed --until 30d --yes",
    asks_always=True,
)
