"""`perdure runs pause`: by id, or by a filter after showing which."""

from __future__ import annotations

from ..steering import steering_command

COMMAND = steering_command(
    "pause",
    "paused",
    "Stop runs until they are resumed.",
    "perdure runs pause --workflow app:index --why 'the disk is full'",
)
