"""The settings of one `Perdure` instance, with the reasons for their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._core.serialization import Codec, JsonCodec


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
    """A run that waits longer leaves memory; a shorter wait is cheaper to sit out."""
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
    codec: Codec = field(default_factory=JsonCodec)
    """How values are written."""
    readable: tuple[Codec, ...] = ()
    """Further codecs that stored values may be written with, such as the one that was used before. JSON, compressed
    or not, can always be read; pickle only where it is named, for to read it is to run it.
    """
