"""Which runs are asked for, and by which index they are looked for: a function of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Literal

from ...typing import RunId, RunState

By = Literal["seq", "name", "trouble", "holder", "unfinished", "parent", "attribute", "id"]

TROUBLE: Final = frozenset({"failed", "cancelled", "dead"})
HELD: Final = frozenset({"held", "cancelling"})
UNFINISHED: Final = HELD | {"ready", "parked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All of these must be so; None and what is empty are not asked for. Times are seconds since the epoch."""

    states: Sequence[RunState] | None = None
    name: str | None = None
    queue: str | None = None
    parent_id: RunId | None = None
    since: float | None = None
    until: float | None = None
    id_prefix: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None

    @property
    def by(self) -> By:
        """The index that leaves least to look at."""
        if self.attributes:
            return "attribute"
        if self.parent_id is not None:
            return "parent"
        if self.id_prefix is not None:
            return "id"
        if self.states is not None and TROUBLE.issuperset(self.states):
            return "trouble"
        if self.states is not None and HELD.issuperset(self.states):
            return "holder"
        if self.states is not None and UNFINISHED.issuperset(self.states):
            return "unfinished"
        return "seq" if self.name is None else "name"

    @property
    def is_sifted(self) -> bool:
        """Whether more is asked for than the index knows: then a page looks at so many runs and no more. A span of time
        is no such thing, for runs are numbered as they are made, nor what few runs have.
        """
        asked = {setting.name for setting in fields(self) if getattr(self, setting.name) not in (None, {})}
        asked -= {"since", "until"} if self.by != "id" else set()
        if self.by == "attribute" and len(self.attributes) == 1:
            asked.remove("attributes")
        if self.by == "unfinished" and UNFINISHED.issubset(self.states or ()):
            asked.remove("states")
        known = {"name": "name", "trouble": "states", "holder": "states", "parent": "parent_id", "id": "id_prefix"}
        asked.discard(known.get(self.by, ""))
        return bool(asked)
