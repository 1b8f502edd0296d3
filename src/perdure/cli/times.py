"""Times and spans as people read them, and as they write them."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import Final

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_LONGEST_SECONDS: Final = 100 * 365.25 * 86_400
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def since(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago: `3 min`; a time to come is `in 3 min`."""
    if moment is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return span(seconds) if seconds >= 0 else f"in {span(-seconds)}"


def said_of(moment: datetime, now: datetime | None = None) -> str:
    """The same in a sentence: `in 3 min`, `3 min ago`."""
    text = since(moment, now)
    return text if text.startswith("in ") else f"{text} ago"


def span(seconds: float | None) -> str:
    """A number of seconds, in the unit that fits."""
    if seconds is None:
        return "-"
    for limit, unit, size in ((1, "ms", 0.001), (120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            amount = seconds / size
            return f"{amount:.1f} {unit}" if amount < 10 and unit in ("s", "ms") else f"{amount:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def between(first: datetime | None, last: datetime | None) -> str:
    """How long it took."""
    return "-" if first is None or last is None else span(max(0.0, (last - first).total_seconds()))


def moment(text: str) -> datetime | timedelta:
    """A time (`2026-11-28T12:00`, in UTC unless it says a zone) or so long ago (`90s`, `15m`, `2h`, `1d`, `1w`)."""
    if (given := _SPAN.fullmatch(text)) is not None:
        seconds = float(given[1]) * _SECONDS[given[2]]
        if seconds > _LONGEST_SECONDS:
            raise argparse.ArgumentTypeError(f"{text!r} is more than a hundred years ago")
        return timedelta(seconds=seconds)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-11-28T12:00, or so long ago: 90s, 15m, 2h, 1d"
        ) from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
