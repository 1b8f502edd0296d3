"""When have several calls together succeeded, and when have they failed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from .given import whole_number

MOST_TOLD = 20
"""So many of the errors are in the group that tells of too many."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When `gather` and `map` are content, and when they give up.

    `successes`: so many are enough, and the rest is cancelled; None waits for all. `failures`: so many are tolerated,
    and are given as values; with one more the rest is cancelled, and the error raised, in an `ExceptionGroup` with the
    others if there are others. None tolerates any number. Raises `UsageError` for what is no whole number.
    """

    successes: int | None = None
    failures: int | None = 0

    def __post_init__(self) -> None:
        if self.successes is not None:
            whole_number(self.successes, "Policy: successes")
        if self.failures is not None:
            whole_number(self.failures, "Policy: failures", least=0)


STRICT = Policy()
"""All must succeed."""


def policy_of(given: Policy, what: str, count: int | None = None) -> Policy:
    """The policy, checked; `count` is how many calls there are, where that is known."""
    if not isinstance(given, Policy):
        raise UsageError(f"{what}: policy={given!r}: give a perdure.Policy, such as Policy(failures=3)")
    if count is not None and given.successes is not None and given.successes > count:
        raise UsageError(f"{what}: {count} calls cannot give the {given.successes} successes of the policy")
    return given


class Tally:
    """How many have succeeded and failed so far, and what follows."""

    def __init__(self, policy: Policy, what: str) -> None:
        self._policy = policy
        self._what = what
        self._succeeded = 0
        self._failed = 0
        self._errors: list[BaseException] = []

    def note(self, error: BaseException | None) -> None:
        """One has ended, with this error or with a value."""
        if error is None:
            self._succeeded += 1
            return
        self._failed += 1
        if len(self._errors) < MOST_TOLD:
            self._errors.append(error)

    @property
    def is_too_much(self) -> bool:
        """Whether more have failed than are tolerated."""
        return self._policy.failures is not None and self._failed > self._policy.failures

    @property
    def is_over(self) -> bool:
        """Whether nothing that is still to come changes anything."""
        return self.is_too_much or self.is_enough

    @property
    def is_enough(self) -> bool:
        """Whether so many have succeeded as are wanted, where that is less than all."""
        return self._policy.successes is not None and self._succeeded >= self._policy.successes

    def check(self, *, is_all: bool = False) -> None:
        """Raise what the caller is to get: too many have failed, or, when all have ended, too few succeeded."""
        if self.is_too_much:
            if self._failed == 1:
                raise self._errors[0]
            told = f"{self._failed} of the calls have failed, {self._policy.failures} are tolerated"
            raise grouped(f"{self._what}: {told}", self._errors)
        if is_all and self._policy.successes is not None and not self.is_enough:
            told = f"{self._what}: {self._succeeded} have succeeded, {self._policy.successes} were wanted"
            if not self._errors:
                raise UsageError(f"{told}, and there were no more calls")
            raise grouped(told, self._errors)


def grouped(told: str, errors: Sequence[BaseException]) -> BaseExceptionGroup[BaseException]:
    """The errors as one."""
    return BaseExceptionGroup(told, list(errors))
