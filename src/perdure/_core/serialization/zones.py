"""Time zones by key, without letting a key from the database lead to any file or module but the zone's own."""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import os
import re
import sys
import zoneinfo

from .refusal import Refusal

try:
    _TZDATA = importlib.import_module("tzdata").__path__
except ImportError:  # optional, and there mostly where the system has no zones of its own
    _TZDATA = []

_ROOTS = (*zoneinfo.TZPATH, *(f"{path}/zoneinfo" for path in _TZDATA))
"""The directories with zone files. Looked up here, so that reading a value never imports anything."""

_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", re.ASCII)


@functools.lru_cache(maxsize=1024)
def zone_of_key(key: str) -> zoneinfo.ZoneInfo:
    """Return the zone; only if a file of that name exists among the system's zones or in the `tzdata` package.

    ZoneInfo alone would try to import a package named after the key.
    """
    if not _KEY.fullmatch(key) or not any(os.path.isfile(f"{root}/{key}") for root in _ROOTS):  # noqa: PTH113
        raise Refusal("names a time zone that this machine does not have")
    return zoneinfo.ZoneInfo(key)


# pydantic's own fixed-offset zone: values that it has parsed carry it, and it is no `datetime.timezone`
def take_pydantic_zone(zone: dt.tzinfo) -> int | None:
    """Return the offset in seconds of a pydantic `TzInfo`; None for any other zone."""
    kind = pydantic_zone_type()
    if kind is None or type(zone) is not kind:
        return None
    return int((zone.utcoffset(None) or dt.timedelta(0)).total_seconds())


def make_pydantic_zone(seconds: int) -> dt.tzinfo:
    """Make a pydantic `TzInfo` again, if pydantic is loaded in this process."""
    kind = pydantic_zone_type()
    if kind is None:
        raise Refusal("needs pydantic, which this process has not loaded")
    return kind(seconds)  # type: ignore[call-arg]  # pydantic's constructor takes the offset in seconds


def pydantic_zone_type() -> type[dt.tzinfo] | None:
    """pydantic's zone type, where pydantic is loaded."""
    return getattr(sys.modules.get("pydantic_core"), "TzInfo", None)


# dateutil's zones: what botocore has parsed carries them
def take_dateutil_zone(zone: dt.tzinfo) -> list[object] | None:
    """What tells such a zone from others; None for another one, also for dateutil's own reading of zone files."""
    dateutil = sys.modules.get("dateutil.tz.tz")
    if dateutil is None:
        return None
    kind = type(zone)
    if kind is dateutil.tzutc or kind is dateutil.tzlocal:
        return [kind.__name__]
    if kind is not dateutil.tzoffset:
        return None
    return [kind.__name__, zone.tzname(None), int((zone.utcoffset(None) or dt.timedelta(0)).total_seconds())]


def make_dateutil_zone(state: list[object]) -> dt.tzinfo:
    """Make a zone of dateutil again, if that is loaded in this process."""
    dateutil = sys.modules.get("dateutil.tz.tz")
    if dateutil is None:
        raise Refusal("needs dateutil, which this process has not loaded")
    kinds = {"tzutc": dateutil.tzutc, "tzlocal": dateutil.tzlocal, "tzoffset": dateutil.tzoffset}
    name, *arguments = state
    made: dt.tzinfo = kinds[str(name)](*arguments)
    return made
