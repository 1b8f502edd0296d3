"""The settings of one `Perdure` instance, with the reasons for their defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from .._core.given import flag, seconds_of, text_name, whole_number
from .._core.kept import kept_runs, kept_seconds
from .._core.serialization import Codec, JsonCodec
from ..errors import UsageError
from ..typing import DEFAULT_QUEUE, Seconds
from .listeners import Listener

MOST_AT_ONCE = 100_000
"""Of what one process does at the same time: more is another unit, or for ever, and neither can be had."""


JSON = JsonCodec()


class Settings(TypedDict, total=False):
    """The settings as they are given, for type checkers; see `Options`, which says what each is for."""

    lease_seconds: Seconds
    solitude_seconds: Seconds
    poll_seconds: Seconds
    park_after_seconds: Seconds
    replay_patience_seconds: Seconds
    shutdown_seconds: Seconds
    handle_sigterm: bool
    concurrency: int
    most_threads: int
    max_value_bytes: int
    strict: bool
    listeners: Sequence[Listener]
    codec: Codec
    readable: tuple[Codec, ...]
    serve: Sequence[object] | None
    keep_for: Seconds | None
    keep_runs: int | None
    archive: str | os.PathLike[str] | None
    version: str | None


def options_of(settings: Settings) -> Options:
    """The settings, checked. Raises `UsageError` for a name that is none and for a value that cannot be."""
    return Options(**changed(settings))


def changed(settings: Settings) -> dict[str, Any]:
    """What is given of the settings, checked."""
    known = [setting.name for setting in fields(Options)]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise UsageError(f"Perdure has no setting {', '.join(unknown)}; there are {', '.join(known)}")
    return {name: checked(name, value) for name, value in settings.items()}


def checked(name: str, given: Any) -> Any:
    """The value of one setting."""
    what = f"setting {name}"
    match name:
        case "lease_seconds" | "poll_seconds" | "replay_patience_seconds":
            return seconds_of(given, what, above_zero=True)
        case "park_after_seconds" | "shutdown_seconds" | "solitude_seconds":
            return seconds_of(given, what)
        case "concurrency" | "most_threads":
            return whole_number(given, what, most=MOST_AT_ONCE)
        case "max_value_bytes":
            return whole_number(given, what)
        case "strict" | "handle_sigterm":
            return flag(given, what)
        case "listeners":
            return tuple(listener_of(one, what) for one in given)
        case "codec":
            return codec_of(given, what)
        case "version":
            return None if given is None else text_name(given, what)
        case "keep_for":
            return kept_seconds(given, what)
        case "keep_runs":
            return kept_runs(given, what)
        case "archive":
            return None if given is None else text_name(os.fspath(given), what)
        case "serve":
            return None if given is None else served_queues(given, what)
        case _:
            return tuple(codec_of(codec, what) for codec in (given if isinstance(given, (tuple, list)) else (given,)))


def listener_of(given: Any, what: str) -> Listener:
    """A listener: an instance, not its class."""
    if not isinstance(given, Listener):
        is_class = isinstance(given, type) and issubclass(given, Listener)
        mend = f"{given.__name__}()" if is_class else "an instance of a subclass of perdure.Listener"
        raise UsageError(f"{what}: {given!r} is no listener; give {mend}")
    return given


def served_queues(given: Any, what: str) -> tuple[str, ...]:
    """The names of queues, which may be given as such."""
    if isinstance(given, str) or not isinstance(given, (list, tuple, set, frozenset)):
        raise UsageError(f"{what}={given!r}: give a list of queues or of their names; [] executes nothing here")
    names: list[Any] = [getattr(queue, "name", queue) for queue in given]
    return tuple(text_name(name, f"{what}: a queue") for name in names)


def codec_of(given: Any, what: str) -> Codec:
    """A codec: an instance, not its class."""
    if isinstance(given, type) or not all(hasattr(given, part) for part in ("name", "encode", "decode")):
        mend = f"{given.__name__}()" if isinstance(given, type) else "one such as perdure.JsonCodec()"
        raise UsageError(f"{what}: a {type(given).__name__} is no codec; give {mend}")
    codec: Codec = given
    return codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All times in seconds."""

    lease_seconds: float = 30.0
    """A worker that could not renew its lease for so long is dead for others; file locks are faster where they
    can be.
    """
    solitude_seconds: float = 60.0
    """A run at its last attempt is executed by a worker that holds nothing else, so that it is known who ended the
    worker. It waits for that no longer than this, and others wait for it no longer.
    """
    poll_seconds: float = 1.0
    """How late the work of another process is seen where no hint came."""
    park_after_seconds: float = 60.0
    """A run that waits longer leaves memory; a shorter wait is cheaper to sit out. Where there are thousands, a second
    at most.
    """
    replay_patience_seconds: float = 300.0
    """How long a replay waits for a call that the recorded order asks for next, before it is a difference."""
    shutdown_seconds: float = 5.0
    """How long bodies that run at shutdown may take to end; what has not ended runs again at the next start."""
    handle_sigterm: bool = True
    """Hand the runs back, as at a shutdown, when the process is told to end by SIGTERM: where it was launched in the
    main thread, and nobody else has a handler for that signal.
    """
    concurrency: int = 256
    """How many sync runs that were started, not submitted to a queue, execute at once in this process; eight times as
    many async ones, which take no thread.
    """
    most_threads: int = 200
    """With more sync runs than this in memory, those that wait are parked at once."""
    max_value_bytes: int = 64 << 20
    """A larger value is refused."""
    strict: bool = False
    """Raise, instead of warning, where a step is called in a thread or callback that carries no run while runs
    are active.
    """
    listeners: tuple[Listener, ...] = ()
    """Who is told what happens to the runs here."""
    codec: Codec = JSON
    """How values are written."""
    readable: tuple[Codec, ...] = ()
    """Further codecs that stored values may be written with, such as the one that was used before. JSON, compressed
    or not, can always be read; pickle only where it is named, for to read it is to run it.
    """
    serve: tuple[str, ...] | None = None
    """The queues whose runs this process executes: None, all that the program has; an empty list, none, and nothing
    that is started either. Who serves any queue also executes what is started outside queues, its runs' children too.
    """

    version: str | None = None
    """Of the program's code: processes with the same one replay alike, so a run that one of them refuses is passed by
    all of them. None: each process is a version of its own, and tries for itself.
    """

    keep_for: float | None = None
    """How long after their end runs are kept, of functions that say nothing of it; None, for ever."""
    keep_runs: int | None = None
    """How many of a function's runs that have ended are kept, of those that say nothing of it; None, all."""
    archive: str | None = None
    """The folder in which runs are written down before they are removed; None, they are not."""

    def serves(self, queue: str) -> bool:
        """Whether runs of this queue are executed here."""
        return self.serve is None or queue in self.serve or (queue == DEFAULT_QUEUE and bool(self.serve))
