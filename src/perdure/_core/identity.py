"""What of a step's arguments is compared on replay, and what its body gets of them.

All of them, and copies, unless the step says otherwise: `ignore` names those that may differ, `fingerprint` puts
another value in the place of all, `key` one in the place of the object that a method is bound to. What may differ need
not be storable: it is copied where it can be, else handed over as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, Protocol

from .._entries import Stored
from ..errors import SerializationError, UsageError
from .binder import Arguments
from .bound import attributes_of, changes_of, identity_of, share_cached, twin_of
from .serialization import Serializer
from .serialization.sameness import same

_PLAIN: Final = (str, bytes, int, float, bool, type(None))


class Identity:
    """What a step declares; checked when it is defined."""

    __slots__ = ("fingerprint", "ignored", "key", "places")

    def __init__(
        self,
        what: str,
        signature: inspect.Signature,
        *,
        binds: bool,
        ignore: Collection[str] = (),
        fingerprint: Callable[..., object] | None = None,
        key: Callable[[Any], object] | None = None,
    ) -> None:
        is_none = isinstance(ignore, str) or not isinstance(ignore, Collection)
        if is_none or not all(isinstance(name, str) for name in ignore):
            raise UsageError(f"{what}: ignore= takes the names of parameters, such as {{'client'}}")
        self.ignored = frozenset(ignore)
        self.fingerprint, self.key = fingerprint, key
        self.places = {name: place for place, name in enumerate(signature.parameters)}
        """Of the parameters, among those that may be positional."""
        for name in sorted(self.ignored):
            if name not in signature.parameters:
                raise UsageError(
                    f"{what}: ignore= names {name!r}, which is no parameter; it has {', '.join(self.places)}"
                )
            if signature.parameters[name].kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                raise UsageError(
                    f"{what}: ignore= names {name!r}, which takes any number of arguments: use fingerprint="
                )
        if fingerprint is not None and (self.ignored or key is not None):
            raise UsageError(f"{what}: fingerprint= stands for all arguments; leave out ignore= and key=")
        for option, function in (("fingerprint", fingerprint), ("key", key)):
            if function is not None and (not callable(function) or inspect.iscoroutinefunction(function)):
                raise UsageError(f"{what}: {option}= takes a plain function")
        first = next(iter(self.places), None)
        if key is not None and (not binds or first in self.ignored):
            raise UsageError(f"{what}: key= says what identifies the object of a method, and there is none to compare")

    @property
    def is_plain(self) -> bool:
        """Whether all arguments are compared as they are."""
        return not self.ignored and self.fingerprint is None


class Declared(Protocol):
    """What is asked here of the step's definition."""

    name: str
    what: str
    signature: inspect.Signature
    binds: bool
    identity: Identity


class Taken:
    """One call's arguments where not all of them are compared as they are, or one is what the method is bound to."""

    def __init__(self, definition: Declared, serializer: Serializer, args: tuple[Any, ...], kwargs: dict[str, Any]):
        identity = definition.identity
        self._serializer, self._key = serializer, identity.key
        self._args, self._kwargs = args, kwargs
        what = definition.what
        names = list(definition.signature.parameters)
        stands_for_all = identity.fingerprint is not None
        self._loose: dict[int | str, Stored | None] = {}
        """The places of what is not compared, with what it is copied from."""
        everything: list[tuple[int | str, object]] = [*enumerate(args), *kwargs.items()]
        for place, value in everything:
            name = names[place] if isinstance(place, int) and place < len(names) else place
            if stands_for_all or name in identity.ignored:
                self._loose[place] = self._storable(value)
        self._is_bound = definition.binds and 0 not in self._loose
        if identity.fingerprint is not None:
            compared: Arguments = (identity.fingerprint(*args, **kwargs),), {}
        else:
            compared = self._compared()
        try:
            self.fingerprint, self.preview, self.compared, decoded, named = serializer.accept_call(*compared, what=what)
        except SerializationError as error:
            self._explain(definition, compared[0], error)
            raise
        self._decoded = decoded, named
        self.args, self.kwargs = self._made(decoded, named)

    def _storable(self, value: object) -> Stored | None:
        try:
            stored, _ = self._serializer.accept(value, what="an argument")
        except SerializationError:
            return None
        return stored

    def _compared(self) -> Arguments:
        args = [None if place in self._loose else value for place, value in enumerate(self._args)]
        while args and len(args) - 1 in self._loose:  # the same as where it is left out
            args.pop()
        if self._is_bound:
            args[0] = identity_of(args[0], self._key)
        return tuple(args), {name: value for name, value in self._kwargs.items() if name not in self._loose}

    def _explain(self, definition: Declared, compared: tuple[Any, ...], error: SerializationError) -> None:
        """Where it is the object of a method that cannot be stored, say what to do about that."""
        if self._is_bound and self._storable(compared[0]) is None:
            cls = type(self._args[0]).__qualname__
            raise SerializationError(
                f"step {definition.name} is a method of a {cls} that cannot be stored, so that nothing tells whether "
                f"a replay has the same one ({error}). Say what identifies it, such as "
                "@step(key=lambda self: self.name), or @step(ignore={'self'}) where any will do.",
                path=error.path,
            ) from error

    def _made(self, decoded: tuple[Any, ...], named: dict[str, Any]) -> Arguments:
        """What the body gets."""
        args = [
            self._copy(value, self._loose[place]) if place in self._loose else decoded[place]
            for place, value in enumerate(self._args)
        ]
        kwargs = {
            name: self._copy(value, self._loose[name]) if name in self._loose else named[name]
            for name, value in self._kwargs.items()
        }
        if self._is_bound:
            args[0] = twin_of(self._args[0], args[0], self._key)
        return tuple(args), kwargs

    def _copy(self, value: object, stored: Stored | None) -> Any:
        return value if stored is None else self._serializer.load(stored)

    def again(self) -> Arguments:
        """What the body gets at the next attempt, whatever it did with the last."""
        return self._made(*self._read())

    def _read(self) -> Arguments:
        return self._decoded if self.compared is None else self._serializer.load_arguments(self.compared)

    @property
    def changes(self) -> Callable[[object], list[str]] | None:
        """See `StepCall`; None where a change does not count."""
        if not self._is_bound or isinstance(self._args[0], type):
            return None
        if self._key is not None:
            return partial(self._key_changes, self._key)
        state = attributes_of(self.args[0])
        return self._value_changes if state is None else partial(self._attribute_changes, state)

    def _value_changes(self, twin: object) -> list[str]:
        return [] if same(self._read()[0][0], twin) else ["its contents"]

    def _key_changes(self, key: Callable[[Any], object], bound: object) -> list[str]:
        return [] if same(self._read()[0][0], key(bound)) else ["what key= gives of it"]

    def _attribute_changes(self, state: dict[str, Any], twin: object) -> list[str]:
        share_cached(twin, self._args[0])
        now = attributes_of(twin)
        if (
            now is not None
            and now.keys() == state.keys()
            and all(now[name] is value and isinstance(value, _PLAIN) for name, value in state.items())
        ):
            return []
        return changes_of(self._read()[0][0][1], twin)
