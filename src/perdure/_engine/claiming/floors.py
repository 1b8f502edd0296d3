"""From where on a claim looks into its queue: past what this worker has lately taken. Rules alone.

What was taken is still in the database's index for as long as somebody has an old snapshot open, and a claim that
began at the head would walk all of it. What becomes ready behind the floor (a run that goes back, a more urgent one,
one whose creation committed late) is found as soon as something tells of it, and within a second where nothing does.
"""

from __future__ import annotations

from ...stores.protocol import Floor

LOOK_BACK_SECONDS = 1.0
"""So often a claim begins at the head."""
LOOK_BACK_SHARE = 0.02
"""And no more of the time than this goes into that: where it is long, it is rarer."""


class FloorKeeper:
    """That of one queue. Under the lock of whoever has it."""

    __slots__ = ("_at", "_is_void", "_looked_back_at", "_pause")

    def __init__(self) -> None:
        self._at: Floor | None = None
        self._is_void = False
        self._looked_back_at = 0.0
        self._pause = LOOK_BACK_SECONDS

    def at(self, now: float) -> Floor | None:
        """Where to begin; None: at the head."""
        return None if now - self._looked_back_at >= self._pause else self._at

    def ask(self, now: float) -> Floor | None:
        """The same, for a claim that is about to be made, and whose answer is learnt from."""
        self._is_void = False
        self._at = self.at(now)
        return self._at

    def look_back(self, asked_at: float, now: float) -> None:
        """Somebody has begun at the head, and found nothing there."""
        if self.at(asked_at) is None:
            self._looked_back_at = now
            self._pause = max(LOOK_BACK_SECONDS, (now - asked_at) / LOOK_BACK_SHARE)

    def learn(self, at: Floor | None, asked_at: float, now: float) -> None:
        """How far the claim has come."""
        if self._is_void:
            return
        if self._at is None:
            self._looked_back_at = now
            self._pause = max(LOOK_BACK_SECONDS, (now - asked_at) / LOOK_BACK_SHARE)
        if at is not None:
            self._at = at

    def forget(self) -> None:
        """Something may have become ready behind it."""
        self._at, self._is_void = None, True

    def note(self, priority: int) -> None:
        """A new run of this priority is ready."""
        if self._at is not None and priority < self._at[0]:
            self.forget()
