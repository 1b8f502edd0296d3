"""`perdure runs resume`: by id, or by a filter after showing which."""

from __future__ import annotations

from ..steering import steering_command

COMMAND = steering_command(
    "resume",
    "resumed",
    "Let runs go on that are paused, or whose retries are used up.",
    "perdure runs resume --workflow app:index --yes",
)
