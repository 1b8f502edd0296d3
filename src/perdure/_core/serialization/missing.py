"""pydantic's `MISSING`, which stands in a model's field that was not given; there is one of it in a process.

pydantic is never imported: its `MISSING` is met only where it is loaded already.
"""

from __future__ import annotations

import sys

from .refusal import Refusal


def is_missing(value: object) -> bool:
    """Whether this is it."""
    missing: object = getattr(sys.modules.get("pydantic_core"), "MISSING", None)
    return missing is not None and value is missing


def make_missing() -> object:
    """It, if pydantic is loaded in this process, and has one."""
    missing: object = getattr(sys.modules.get("pydantic_core"), "MISSING", None)
    if missing is None:
        raise Refusal("needs pydantic from 2.12 on, which this process has not loaded")
    return missing
