"""From where on a claim looks into its queue: past what this worker has lately taken. Rules alone.

What was taken is still in the database's index for as long as somebody has an old snapshot open, and a claim that
began at the head would walk all of it. What becomes ready behind the floor (a run that goes back, a more urgent one,
one whose creation committed late) is found as soon as something tells of it, and within a second where nothing does.

Under a snapshot of hours that walk may take longer than the database lets any statement take. Then claims go on from
where they have come to, and look back as rarely as that demands.
"""

from __future__ import annotations

from ...stores.protocol import Floor

LOOK_BACK_SECONDS = 1.0
"""So often a claim begins at the head."""
LOOK_BACK_SHARE = 0.02
"""And no more of the time than this goes into that: where it is long, it is rarer."""
VAIN_SHARE = 0.1
"""Where the last one was in vain, no more than this goes into it, whatever tells of what lies there."""


class FloorKeeper:
    """That of one queue. Under the lock of whoever has it."""

    __slots__ = (
        "_asked_from",
        "_at",
        "_furthest",
        "_is_in_vain",
        "_is_told",
        "_is_told_anew",
        "_looked_back_at",
        "_took",
    )

    def __init__(self) -> None:
        self._at: Floor | None = None
        self._furthest: Floor | None = None
        """Where claims have come to."""
        self._asked_from: Floor | None = None
        """Where the claim that is under way has begun."""
        self._is_told = self._is_told_anew = False
        """Whether something may have become ready behind the floor; whether since the claim began."""
        self._is_in_vain = False
        """Whether the database could not look from the head on the last time."""
        self._looked_back_at = self._took = 0.0

    def at(self, now: float) -> Floor | None:
        """Where to begin; None: at the head."""
        if self._at is None or now - self._looked_back_at >= self._pause:
            return None
        return self._at._replace(is_firm=self._is_in_vain)

    @property
    def _pause(self) -> float:
        if self._is_told:
            return self._took / VAIN_SHARE if self._is_in_vain else 0.0
        return max(LOOK_BACK_SECONDS, self._took / LOOK_BACK_SHARE)

    def ask(self, now: float) -> Floor | None:
        """The same, for a claim that is about to be made, and whose answer is learnt from."""
        self._is_told_anew = False
        self._asked_from = self.at(now)
        return self._asked_from

    def look_back(self, asked_at: float, now: float) -> None:
        """Somebody has begun at the head, and found nothing there."""
        if self.at(asked_at) is None:
            self._looked(asked_at, now)

    def learn(self, at: Floor | None, asked_at: float, now: float) -> None:
        """How far the claim has come."""
        if self._asked_from is None:
            self._looked(asked_at, now)
            self._is_told = self._is_told_anew
        if at is not None and not self._is_told_anew:
            self._at = at
            self._furthest = max(self._furthest or at, at)

    def _looked(self, asked_at: float, now: float) -> None:
        self._looked_back_at, self._took, self._is_in_vain = now, now - asked_at, False

    def look_in_vain(self, asked_at: float, now: float) -> None:
        """The database has given up looking, from wherever that was."""
        self._looked(asked_at, now)
        self._at, self._is_in_vain = self._furthest, True

    def forget(self) -> None:
        """Something may have become ready behind it."""
        self._is_told = self._is_told_anew = True

    def note(self, priority: int) -> None:
        """A new run of this priority is ready."""
        if self._at is not None and priority < self._at.priority:
            self.forget()
