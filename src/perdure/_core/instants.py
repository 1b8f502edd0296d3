"""When a schedule comes: the instants of a cron line in a time zone, of an interval, or one alone.

Instants are seconds since the epoch. A cron line with given hours and minutes is read off the clock on the wall: what
falls into the hour that is left out in spring comes when that hour is over, what falls into the one that comes twice in
autumn comes the first time only. One whose minute or hour begins with `*` goes by time that passes, and so comes in
both of them. (As Debian's cron does; `cronsim` does the walking.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from itertools import islice
from math import floor

from ..errors import UsageError
from .serialization.refusal import Refusal
from .serialization.zones import zone_of_key

_TURNED_BACK = timedelta(hours=3)
"""More than any clock is turned back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One of `cron`, `every_seconds` (whole ones, counted from the epoch) and `once_at`. Each instant is late by a time
    of its own, up to `jitter_seconds`, so that many do not come at once; it is the same in every process.
    """

    cron: str | None = None
    timezone: str | None = None
    every_seconds: float | None = None
    once_at: float | None = None
    jitter_seconds: float = 0.0

    def check(self, now: float) -> None:
        """Raise `UsageError` for a zone or line that is none, a line that never comes, a jitter that is too long."""
        first, second = [*islice(self.walk(now), 2), None, None][:2]
        if self.cron is not None and first is None:
            raise UsageError(f"cron={self.cron!r} never comes: there is no such day in the next 50 years")
        if first is not None and second is not None and self.jitter_seconds > second - first:
            raise UsageError(
                f"jitter={self.jitter_seconds:g} seconds is longer than the {second - first:g} from one instant to the "
                "next"
            )

    def after(self, moment: float) -> float | None:
        """The first instant after that moment, if there is one."""
        return next(self.walk(moment), None)

    def latest(self, moment: float) -> float | None:
        """The last instant that is not after that moment."""
        if self.cron is not None:
            return next((at for at in _cron(self.cron, self.timezone, moment, is_back=True) if at <= moment), None)
        if self.every_seconds is not None:
            return floor(moment / self.every_seconds) * self.every_seconds
        return self.once_at if self.once_at is not None and self.once_at <= moment else None

    def walk(self, moment: float) -> Iterator[float]:
        """The instants after that moment, in order."""
        if self.cron is not None:
            last = moment
            for at in _cron(self.cron, self.timezone, moment, is_back=False):
                if at > last:  # the hour that comes twice, or two that fall into one gap
                    yield at
                    last = at
        elif self.every_seconds is not None:
            count = floor(moment / self.every_seconds)
            while True:
                count += 1
                yield count * self.every_seconds
        elif self.once_at is not None and self.once_at > moment:
            yield self.once_at

    def starts_at(self, name: str, instant: float) -> float:
        """When the schedule of this name is to start what it starts for the instant."""
        if not self.jitter_seconds:
            return instant
        drawn = int.from_bytes(blake2b(f"{name} {instant}".encode(), digest_size=4).digest(), "big") / (1 << 32)
        return instant + round(drawn * self.jitter_seconds, 3)


def zone_named(name: str) -> tzinfo:
    """The time zone. Raises `UsageError` where this machine has none of that name."""
    try:
        return zone_of_key(name)
    except (Refusal, ValueError, OSError) as error:
        raise UsageError(
            f"timezone={name!r}: this machine has no time zone of that name; write one such as Europe/Berlin, and "
            "where the system has none at all, install tzdata"
        ) from error


def _cron(line: str, timezone: str | None, moment: float, *, is_back: bool) -> Iterator[float]:
    """The instants of the line from that moment on, or from shortly after it backwards; also some on the wrong side."""
    try:
        from cronsim import CronSim, CronSimError  # late: it may not be installed
    except ModuleNotFoundError as error:
        raise UsageError(f"the cron line {line!r} needs cronsim: pip install 'perdure[schedules]'") from error
    start = datetime.fromtimestamp(moment, UTC)
    zone = UTC if timezone in (None, "UTC") else zone_named(timezone or "")
    is_read_off = zone is not UTC and _is_read_off(line)
    if is_read_off:
        start = start.astimezone(zone).replace(tzinfo=None) + (_TURNED_BACK if is_back else timedelta())
    else:
        start = (start + (timedelta(seconds=1) if is_back else timedelta())).astimezone(zone)
    try:
        found = CronSim(line, start, reverse=is_back)
    except CronSimError as error:
        raise UsageError(
            f"cron={line!r}: {error}; write minute, hour, day, month and weekday, such as '0 9 * * MON', with seconds "
            "in front of them if you like"
        ) from error
    for at in found:
        yield (_on_the_wall(at, zone) if is_read_off else at).timestamp()


def _is_read_off(line: str) -> bool:
    minute, hour = line.split()[-5:-3] if len(line.split()) >= 5 else ("*", "*")
    return not minute.startswith("*") and not hour.startswith("*")


def _on_the_wall(naive: datetime, zone: tzinfo) -> datetime:
    """When the clocks of the zone show this for the first time; or the first time after it, where they never do."""
    at = naive.replace(tzinfo=zone)
    while not _exists(at, zone):
        at = at.replace(second=0) + timedelta(minutes=1)
    return at


def _exists(at: datetime, zone: tzinfo) -> bool:
    return at.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == at.replace(tzinfo=None)
