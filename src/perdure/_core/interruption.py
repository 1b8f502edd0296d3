"""Why nothing durable may happen in a claim any more: which reason may follow which, and what each permits."""

from __future__ import annotations

from typing import Final, Literal

Interruption = Literal[
    "parked", "cancelled", "released", "paused", "closing", "lost", "refused", "ended", "exiting", "differs", "forked"
]
Reason = Interruption | None

_LET_GO: Final[frozenset[Reason]] = frozenset({"released", "closing", "paused"})
_ANY: Final[frozenset[Reason]] = frozenset({None, *_LET_GO, "parked", "cancelled", "ended", "exiting", "differs"})
_END: Final[frozenset[Reason]] = frozenset({"lost", "refused", "forked"})

FOLLOWS: Final[dict[Interruption, frozenset[Reason]]] = {
    # the run waits, and leaves memory: what it has handed in decides, whatever came meanwhile
    "parked": _ANY,
    # somebody has asked for its end
    "cancelled": frozenset({None}),
    # this worker lets go of it: it shuts down
    "released": frozenset({None}),
    # somebody has paused it, or its retries are used up: it waits for people
    "paused": frozenset({None}),
    # the event loop comes to its end
    "closing": frozenset({None}),
    # a call of it ended with what ends programs
    "exiting": frozenset({None}),
    # its function has returned or raised
    "ended": frozenset({None, "exiting"}),
    # the claim is over, and nothing says so in the database: another worker may hold it
    "lost": frozenset({None, *_LET_GO}),
    # the database did not take what it recorded: it is parked, whatever else would have become of it
    "refused": _ANY,
    # the replay does not fit what is recorded
    "differs": _ANY | _END,
    # this is a forked child: it is its parent's
    "forked": _ANY | _END,
}
"""Each with those that it may take the place of; None: nothing has interrupted the run."""

MAY_FINISH: Final[frozenset[Reason]] = frozenset({None, "released", "paused", "cancelled", "exiting"})
"""The outcome of a body that ran may still be recorded."""
MAY_END: Final[frozenset[Reason]] = frozenset({None, "ended"})
"""What its function gave is its end."""
MAY_END_CANCELLED: Final[frozenset[Reason]] = MAY_END | {"cancelled"}
"""If it was cancelled, that is its end."""
GOES_BACK: Final = _LET_GO
"""It goes on in another claim, from the beginning of what was not recorded; once it is let, if it is paused."""
CANCELS_TASKS: Final[frozenset[Reason]] = frozenset({"cancelled", "exiting"})
"""Its tasks are cancelled, as its own code would: they may clean up."""
