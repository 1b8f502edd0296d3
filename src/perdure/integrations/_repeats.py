"""Whether what runs now is only a repetition, of which all telemetry was reported by an earlier life of its run."""

from __future__ import annotations

from .. import current, where


def is_repeated() -> bool:
    """Whether the calling code is a workflow's own, in a life that has only repeated so far. In the body of a step it
    is not: that runs now, and so do the models and tools in it.
    """
    return where() == "workflow" and current().has_only_repeated
