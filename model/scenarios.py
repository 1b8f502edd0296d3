"""What is checked, by name, for each store: the core with one fault of each kind, and the models beside it.

`SMALL` are those of every test run; the others take up to ten minutes and more (`make model`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from . import (
    core_moves,
    family,
    keys,
    limits_moves,
    locking,
    mailbox,
    making,
    order,
    pausing,
    restarting,
    sessions,
    silence,
    slots,
    solitude,
    windows,
)
from .checker import Model
from .core import World
from .guards import Guard, found_in
from .places import CORE
from .places_beside import BESIDE
from .places_limits import LIMITS
from .places_making import MAKING
from .places_pausing import PAUSING
from .places_restarting import RESTARTING
from .places_sessions import SESSIONS
from .places_told import TOLD
from .statements import read_statements

GUARDS: tuple[Guard, ...] = (*CORE, *BESIDE, *MAKING, *TOLD, *PAUSING, *LIMITS, *SESSIONS, *RESTARTING)
STORES = ("sqlite", "postgres")
Guards = frozenset[str]

_CORE: dict[str, dict[str, Any]] = {
    "core": {"faults": {"crash": 1, "expire": 1}},
    "reply": {"programs": ("x",), "faults": {"expire": 1, "reply": 1}},
    "again": {"programs": ("x",), "faults": {"release": 1, "reply": 1, "again": 1}},
    "back": {"faults": {"expire": 1, "release": 1}},
    "sleep": {"programs": ("xz",), "faults": {"crash": 1}, "max_attempts": 1},
    "slept": {"programs": ("z",), "faults": {"cancel": 1}},
    "cancel": {"programs": ("x",), "faults": {"cancel": 1, "expire": 1}},
    "entry": {"programs": ("x",), "faults": {"entry": 1}},
    "crashes": {"programs": ("x",), "faults": {"crash": 3}, "max_attempts": 2},
    "two runs": {"programs": ("x", "x"), "faults": {"expire": 1}},
    "all": {"programs": ("x",), "faults": {"crash": 1, "expire": 1, "reply": 1, "cancel": 1}},
    "long": {"programs": ("xxx",), "faults": {"crash": 1, "expire": 1}},
    "sleep+": {"programs": ("xzx",), "faults": {"crash": 1, "expire": 1, "reply": 1, "cancel": 1}},
    "two runs+": {"programs": ("xx", "z"), "faults": {"crash": 1}},
    "back+": {"faults": {"crash": 1, "expire": 1, "release": 1, "reply": 1}},
    "entry+": {"programs": ("xx",), "faults": {"entry": 1, "expire": 1, "crash": 1}},
}
_FAILOVER: dict[str, dict[str, Any]] = {
    "failover": {"programs": ("x",), "faults": {"failover": 1, "release": 1}},
    "failover+": {"programs": ("x",), "faults": {"failover": 1, "expire": 1}},
    "freeze": {"programs": ("x",), "faults": {"freeze": 1}},
    "failover++": {"programs": ("x",), "faults": {"failover": 1, "expire": 1, "release": 1}},
    "freeze+": {"programs": ("xx",), "faults": {"freeze": 1, "expire": 1}},
}
_BESIDE: dict[str, Callable[[Guards], Model]] = {
    "family": family.model,
    "making": making.model,
    "solitude": solitude.model,
    "solitude of strangers": partial(solitude.model, kinds=("innocent", "killer", "innocent")),
    "one lasts": partial(solitude.model, kinds=("lasting", "innocent"), most=2, spent=1),
    "haunted": lambda guards: solitude.model(
        guards - {"alone_no_more"}, kinds=("haunting", "innocent", "killer"), most=2
    ),
    "pausing": pausing.model,
    "silence": silence.model,
    "slots": slots.model,
    "slots+": partial(slots.model, limit=2, strangers=2),
    "three branches": partial(slots.model, programs=("cbcb", "bcbc", "cc")),
    "order": order.model,
    "three in order": partial(order.model, lengths=(2, 2, 2)),
    "files": locking.files,
    "new starts": restarting.model,
    "new starts of a child": partial(restarting.model, is_child=True, wishes=1),
    "three new starts": partial(restarting.model, wishes=3),
    "keys": partial(keys.model, key_limit=2),
    "keys with slots": partial(keys.model, limit=2, runs=(("a", 2), ("b", 2))),
    "keys with a rate": partial(keys.model, has_rate=True, runs=(("a", 3), ("b", 1))),
}
_SESSIONS: dict[str, Callable[[Guards], Model]] = {
    "a session's lock": partial(sessions.model, death=1, stop=1, restart=1, **{"break": 2}),
    "a pooler": partial(sessions.model, has_lock=False, death=1),
}
_WINDOWS: dict[str, dict[str, Any]] = {
    "a window": {"runs": 2},
    "a window of three": {},
    "a window of two": {"rate": 2, "runs": 4, "deaths": 0, "parks": 0},
    "a window of two, deaths": {"rate": 2, "runs": 3, "deaths": 2},
}
_MAILBOX: dict[str, dict[str, Any]] = {
    "mailbox": {},
    "mailbox of others": {"is_child": False},
    "mailbox of busy runs": {"parks": 0},
    "mailbox of cancels": {"parks": 0, "ends": False},
    "mailbox of cancelled parks": {"ends": False},
}
_LIMITS: dict[str, dict[str, Any]] = {
    "limits": {"programs": ((1, 2), (), (), ())},
    "limits and a fence": {"programs": ((1,), ()), "fence": 1},
    "limits and a lost answer": {"programs": ((1, 2), (), (), ()), "reply": 1, "workers": 1},
    "a limit is set": {"is_limited": False, "set": 1, "workers": 1},
    "a limit is set anew": {"set": 1, "unset": 1, "workers": 1},
    "limits of two parents": {"programs": ((2,), (3,), (), ())},
    "limits, two slots": {"limit": 2, "programs": ((1,), (), (), ())},
    "limits and deaths": {"death": 2},
    "limits and fences": {"fence": 2},
    "limits and lost answers": {"programs": ((1, 2), (), (), ()), "reply": 1},
    "limits and parks": {"programs": ((1, 2), (), (), ()), "parks": True, "death": 1},
    "a limit is set while two work": {"set": 1, "unset": 1},
}
_LONG_LIMITS = tuple(_LIMITS)[5:]
SMALL = (
    *("core", "reply", "again", "back", "sleep", "slept", "cancel", "entry", "crashes"),
    *("failover", "freeze", "checkpoints", *_MAILBOX, *_SESSIONS),
    *(name for name in _BESIDE if name != "three new starts"),
    *("a window", "a window of two"),
    *(name for name in _LIMITS if name not in _LONG_LIMITS),
)


def scenarios(store: str) -> dict[str, Callable[[Guards], Model]]:
    """All of this store, by name; each makes its model from the guards that are there.

    SQLite knows no failover; a process that is stopped inside a write blocks its file, and no guard can mend that.
    """
    is_sqlite = store == "sqlite"
    found: dict[str, Callable[[Guards], Model]] = {}
    for name, bounds in (_CORE if is_sqlite else {**_CORE, **_FAILOVER}).items():
        found[name] = partial(_core, one_writer=is_sqlite, bounds=bounds)
    for name, told in _MAILBOX.items():
        found[name] = partial(mailbox.model, one_writer=is_sqlite, **told)
    for name, bounds in _LIMITS.items():
        found[name] = partial(limits_moves.model, one_writer=is_sqlite, **bounds)
    for name, bounds in _WINDOWS.items():
        found[name] = partial(windows.model, one_writer=is_sqlite, **bounds)
    if not is_sqlite:
        found |= _SESSIONS
    if is_sqlite:
        found["checkpoints"] = locking.checkpoints
    return found | _BESIDE


def production_guards(store: str) -> Guards:
    """The guards that the production statements have."""
    return found_in(GUARDS, read_statements(), store)


def _core(guards: Guards, *, one_writer: bool, bounds: dict[str, Any]) -> Model:
    return core_moves.model(World(guards, one_writer=one_writer, **bounds))
