"""How far an instance is on its way from launch to shutdown."""

from __future__ import annotations


class Phase:
    """Written by the runtime alone, read by whoever does something else at the end."""

    __slots__ = ("has_left", "is_forked", "is_stopping")

    def __init__(self) -> None:
        self.is_stopping = False
        """Nothing begins any more; what runs is let go of."""
        self.has_left = False
        """Nothing is written any more."""
        self.is_forked = False
        """This is a forked child, and everything here is its parent's."""
