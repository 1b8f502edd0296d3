"""The guards of the model, and where each stands in the production code.

A guard is there when every fragment that implements it is found in its statement or function; the models run with
exactly the guards that are found, so taking one out of the SQL turns the suite red. `counterexample` names a scenario
in which the model breaks without the guard; `without` the guards that have to go with it, where one is a second belt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .statements import flat


class Fragment(NamedTuple):
    """A piece of a text of `statements.read_statements`, with one blank for all white space."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Guard:
    """`why` in one line. `places`: fragments by store; those under `both` are the engine's."""

    name: str
    why: str
    counterexample: str
    places: Mapping[str, tuple[Fragment, ...]]
    without: tuple[str, ...] = ()

    def fragments(self, store: str) -> tuple[Fragment, ...]:
        """What implements it for this store; empty where the store has no need of it."""
        return (*self.places.get(store, ()), *self.places.get("both", ()))


def at(place: str, *texts: str) -> tuple[Fragment, ...]:
    """Fragments of one place."""
    return tuple(Fragment(place, flat(text)) for text in texts)


def found_in(guards: Iterable[Guard], statements: Mapping[str, str], store: str) -> frozenset[str]:
    """The guards that these texts have for this store."""
    return frozenset(
        guard.name
        for guard in guards
        if all(text in statements.get(place, "") for place, text in guard.fragments(store))
    )
