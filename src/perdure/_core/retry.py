"""May a failed attempt be repeated, and after how long?"""

from __future__ import annotations

from dataclasses import dataclass
from sys import float_info
from typing import Literal

from ..errors import TransactionConflictError, UsageError
from ..typing import Seconds
from .given import flag, seconds_of, whole_number

ErrorKinds = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True, init=False)
class Retry:
    """How often and when the body of a step is run again after an error. Times in seconds or as a `timedelta`.

    `attempts` is the most runs of the body, the first included, in all processes that the run lives in; one that the
    end of its process cut off does not count, and is repeated. The nth pause is
    `initial_seconds * factor ** (n - 1)`, at most `max_seconds`; with `jitter` a random share between half of it and
    all of it, so that many clients do not come back at once (the "equal jitter" of Marc Brooker, AWS Architecture
    Blog, 2015). After a restart a pause goes on from where it was; one of a second or more gives the run's slot back,
    as `sleep` does. With `within_seconds` no attempt begins later than so long after the first one. Only errors that
    are instances of `on` are tried again; a timeout of the attempt counts as `perdure.StepTimeoutError`, which is a
    `TimeoutError`.

    Where no attempt is left the step fails with the last error. With `then="pause"` the run is paused instead, with the
    reason, as after `runs.pause`: once that is mended, `runs.resume` lets it go on with as many attempts again.
    """

    attempts: int
    initial_seconds: float
    factor: float
    max_seconds: float
    within_seconds: float | None
    jitter: bool
    on: ErrorKinds
    then: Literal["fail", "pause"]

    def __init__(
        self,
        attempts: int = 3,
        initial_seconds: Seconds = 0.5,
        factor: float = 2.0,
        max_seconds: Seconds = 60.0,
        within_seconds: Seconds | None = None,
        jitter: bool = True,
        on: ErrorKinds = Exception,
        *,
        then: Literal["fail", "pause"] = "fail",
    ) -> None:
        within = (
            None if within_seconds is None else seconds_of(within_seconds, "Retry: within_seconds", above_zero=True)
        )
        checked: dict[str, object] = {
            "attempts": whole_number(attempts, "Retry: attempts"),
            "initial_seconds": seconds_of(initial_seconds, "Retry: initial_seconds"),
            "factor": factor_of(factor),
            "max_seconds": seconds_of(max_seconds, "Retry: max_seconds"),
            "within_seconds": within,
            "jitter": flag(jitter, "Retry: jitter"),
            "on": kinds_of(on),
            "then": then_of(then),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def may_pause(self) -> bool:
        """Whether there may be a pause between two attempts."""
        return self.attempts > 1 and self.initial_seconds > 0 and self.max_seconds > 0

    def pauses_run(self, error: BaseException) -> bool:
        """Whether the run waits for people where this error came of the last attempt."""
        return self.then == "pause" and isinstance(error, self.on)

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


def then_of(given: Literal["fail", "pause"]) -> str:
    """What follows where no attempt is left."""
    if given not in ("fail", "pause"):
        raise UsageError(f"Retry: then={given!r}: give 'fail' or 'pause'")
    return given


def factor_of(given: float) -> float:
    """How much longer each pause is than the one before."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given <= float_info.max:
        raise UsageError(f"Retry: factor={given!r}: give a number above 0")
    return float(given)


def kinds_of(given: ErrorKinds) -> ErrorKinds:
    """Which errors are tried again."""
    kinds = given if isinstance(given, tuple) else (given,)
    if not kinds or not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        raise UsageError(f"Retry: on={given!r}: give an exception class or a tuple of them")
    return given


def retry_of(given: Retry | int, what: str) -> Retry:
    """A policy; or a number of attempts after the first one, with the default pauses."""
    if isinstance(given, Retry):
        return given
    return Retry(attempts=whole_number(given, f"{what}: retries", least=0, most=1_000_000) + 1)


NO_RETRY = Retry(attempts=1)
ON_CONFLICT = Retry(attempts=10, initial_seconds=0.01, on=TransactionConflictError)
"""Of transactions. With pauses: of many that want the same row at once, those who come back at once meet again and
again. Where a pause would stop an event loop there is none.
"""
