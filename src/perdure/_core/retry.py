"""May a failed attempt be repeated, and after how long?"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when the body of a step is run again after an error.

    `attempts` is the most runs of the body, the first included, in all processes that the run lives in; one that the
    end of its process cut off does not count, and is repeated. The nth pause is
    `initial_seconds * factor ** (n - 1)`, at most `max_seconds`; with `jitter` a random share between half of it and
    all of it, so that many clients do not come back at once (the "equal jitter" of Marc Brooker, AWS Architecture
    Blog, 2015). With `within_seconds` no attempt begins later than so long after the first one. A pause goes on after a restart
    from where it was; one of a second or more gives the run's slot back, as `sleep` does. Only errors that are instances of `on` are tried again; a timeout of the attempt
    counts as `perdure.StepTimeoutError`, which is a `TimeoutError`.
    """

    attempts: int = 3
    initial_seconds: float = 0.5
    factor: float = 2.0
    max_seconds: float = 60.0
    within_seconds: float | None = None
    jitter: bool = True
    on: type[BaseException] | tuple[type[BaseException], ...] = Exception

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise UsageError(f"Retry(attempts={self.attempts}): a step runs at least once; give 1 or more")
        if self.initial_seconds < 0 or self.max_seconds < 0 or self.factor <= 0:
            raise UsageError("Retry: initial_seconds and max_seconds must not be negative, factor must be above 0")
        if self.within_seconds is not None and self.within_seconds <= 0:
            raise UsageError(f"Retry(within_seconds={self.within_seconds}): give a time above 0, or None for no limit")
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            raise UsageError("Retry(on=...): give an exception class or a tuple of them")

    @property
    def may_pause(self) -> bool:
        """Whether there may be a pause between two attempts."""
        return self.attempts > 1 and self.initial_seconds > 0 and self.max_seconds > 0

    def pause_seconds(
        self, failed: int, error: BaseException, chance: float, elapsed_seconds: float = 0.0
    ) -> float | None:
        """The pause after the `failed`-th failed attempt, so long after the first one began, or None when it was the
        last. `chance` is in [0, 1).
        """
        if failed >= self.attempts or not isinstance(error, self.on):
            return None
        try:
            pause = min(self.max_seconds, self.initial_seconds * float(self.factor) ** (failed - 1))
        except OverflowError:  # the policy of a patient caller: long past the longest pause
            pause = self.max_seconds if self.initial_seconds else 0.0
        pause = pause * (0.5 + chance / 2) if self.jitter else pause
        is_too_late = self.within_seconds is not None and elapsed_seconds + pause > self.within_seconds
        return None if is_too_late else pause


NO_RETRY = Retry(attempts=1)
