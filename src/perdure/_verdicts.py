"""What the store says to each entry: recorded, or why not. Words only, as in `_entries`, which hands them on."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .typing import RunId, RunState


class Accepted(Struct, gc=False):
    """The entry is recorded, now or by an earlier sending of the same entry. `state` is the run's: of an entry that
    ends a claim; and of a creation whose run is not held any more under the claim that it names. `reason`: why,
    where the database says more than the entry did.
    """

    state: RunState | None = None
    reason: str | None = None


class Existed(Struct, gc=False):
    """A `RunCreated` met another run, `run_id`, which stands for it: compare, then share it or refuse. Another id than
    the entry's own: that of the run which has its key.
    """

    run_id: RunId
    name: str
    fingerprint: str
    state: RunState


class Joined(Struct, gc=False):
    """A `RunDebounced` has become the run `run_id`, which was there and had not begun."""

    run_id: RunId


class Undelivered(Struct, gc=False):
    """A message's receiver does not exist (None), or has ended with this state: nothing was written."""

    state: RunState | None


class HookMissed(Struct, gc=False):
    """Nothing was written, since the hook is not open for it: its token is another hook's (`taken`); or there is none
    (`unknown`), it was `resolved`, it is `closed` by its timeout, or its run has `ended`, with this state.
    """

    why: Literal["taken", "unknown", "resolved", "closed", "ended"]
    state: RunState | None = None


class Refused(Struct, gc=False):
    """The entry's claim is not current any more (or an earlier entry of it was refused): nothing was written."""

    reason: str


Verdict = Accepted | Existed | Joined | Undelivered | HookMissed | Refused
