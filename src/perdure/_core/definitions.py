"""Workflows and steps as they are defined: what a decorator knows of a function, and the register of all of them.

The register belongs to the process, not to a `Perdure` instance: a function finds its instance when it is called.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from .._entries import Stored
from ..errors import SerializationError, UsageError
from ..typing import RunKind, Seconds
from .binder import Binder
from .given import flag, seconds_of, text_name, whole_number
from .names import module_name, name_of_function
from .retry import NO_RETRY, Retry
from .serialization import Serializer, TypeRegistry

CLASS_MARK = "perdure:class"
"""In stored arguments, in the place of the class that a class method is bound to, before the class's name."""


class Definition:
    """A decorated function: its name, its kind and how it is to be run."""

    __slots__ = (
        "_binder",
        "at_most_once",
        "binds",
        "function",
        "is_async",
        "kind",
        "max_attempts",
        "name",
        "qualname",
        "retry",
        "signature",
        "source",
        "timeout",
        "what",
        "what_it_gives",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        kind: RunKind,
        *,
        name: str | None = None,
        retry: Retry = NO_RETRY,
        timeout: Seconds | None = None,
        at_most_once: bool = False,
        max_attempts: int = 10,
    ) -> None:
        if not inspect.isfunction(function):
            raise UsageError(f"@{kind} decorates functions and methods; got {type(function).__name__}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(f"@{kind} cannot decorate the generator {function.__qualname__}: return a list instead")
        self.function: Callable[..., Any] = function
        self.qualname = function.__qualname__
        self.kind = kind
        self.name = text_name(name if name is not None else name_of_function(function), "name")
        self.what, self.what_it_gives = f"{kind} {self.name}, its arguments", f"the result of {kind} {self.name}"
        """What is stored of it, for errors."""
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = inspect.signature(function)
        self._binder = Binder(self.signature)
        self.retry = retry
        self.timeout = None if timeout is None else seconds_of(timeout, f"step {self.name}: timeout", above_zero=True)
        self.at_most_once = flag(at_most_once, f"step {self.name}: at_most_once")
        self.max_attempts = whole_number(max_attempts, f"{kind} {self.name}: max_attempts")
        self.binds = bound_parameter(function, self.signature)
        self.source = (function.__code__.co_filename, function.__code__.co_firstlineno)
        self.check()

    def check(self) -> None:
        """Raise `UsageError` where the options do not go together."""
        if self.timeout is not None and not self.is_async:
            raise UsageError(
                f"step {self.name} has a timeout and is not async: a thread cannot be stopped. Make it `async def`, or "
                "give the timeout to what it calls."
            )
        if self.at_most_once and self.retry.attempts > 1:
            raise UsageError(f"step {self.name} cannot be retried and run at most once: choose one")

    def renamed(self, name: str, function: Callable[..., Any]) -> Definition:
        """The same of another function with the same signature, under another name."""
        made = copy(self)
        made.name, made.function = name, function
        made.what, made.what_it_gives = f"{self.kind} {name}, its arguments", f"the result of {self.kind} {name}"
        return made

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments in one form however they were passed; `TypeError` as Python's own where they do not fit."""
        try:
            return self._binder.bind(args, kwargs)
        except TypeError as error:
            raise TypeError(f"{self.function.__qualname__}() {error}") from None

    def accept_step_arguments(
        self, serializer: Serializer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Fingerprint and decoded arguments of a step called in a run; what a method is bound to stays as it is."""
        args, kwargs = self.bind(args, kwargs)
        if not self.binds:
            return serializer.accept_call(args, kwargs, what=self.what)
        fingerprint, rest, kwargs = serializer.accept_call(args[1:], kwargs, what=self.what)
        return fingerprint, args[:1] + rest, kwargs

    def store_arguments(
        self, serializer: Serializer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Stored, str]:
        """The arguments of a run as they are stored, and their fingerprint."""
        args, kwargs = self.bind(args, kwargs)
        if self.binds and isinstance(args[0], type):
            args = (f"{CLASS_MARK} {module_name(args[0].__module__)}:{args[0].__qualname__}", *args[1:])
        stored, _, _ = serializer.accept_arguments(args, kwargs, what=self.what)
        return stored, serializer.fingerprint(stored)

    def load_arguments(self, serializer: Serializer, stored: Stored) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a run, decoded."""
        args, kwargs = serializer.load_arguments(stored)
        if self.binds and args and isinstance(args[0], str) and args[0].startswith(CLASS_MARK + " "):
            args = (self._find_class(args[0].removeprefix(CLASS_MARK + " ")), *args[1:])
        return args, kwargs

    def _find_class(self, name: str) -> type:
        """The class of this name, if it has this class method and its module is loaded: nothing is imported for
        data.
        """
        module, _, qualname = name.partition(":")
        here: Any = sys.modules.get(module)
        if here is None:
            here = (
                sys.modules.get(self.function.__module__) if module_name(self.function.__module__) == module else None
            )
        for part in qualname.split("."):
            here = vars(here).get(part) if isinstance(here, type) or inspect.ismodule(here) else None
        if not isinstance(here, type) or find_definition(getattr(here, self.function.__name__, None)) is not self:
            raise SerializationError(f"class {name} is not in this process, or has no class method {self.name}")
        return here

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


def bound_parameter(function: Callable[..., Any], signature: inspect.Signature) -> bool:
    """Whether the first argument is what a method is bound to. By name: a decorator cannot see more of it."""
    nested = function.__qualname__.rpartition("<locals>.")[2]
    first = next(iter(signature.parameters), None)
    return "." in nested and first in ("self", "cls")


def find_definition(function: object) -> Definition | None:
    """The definition behind a decorated function, a bound method of one, or a static or class method of one."""
    definition = getattr(function, "__perdure__", None)
    return definition if isinstance(definition, Definition) else None


class Definitions:
    """All workflows, steps and queues that this process has defined, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Definition] = {}
        self._queues: dict[str, int] = {}
        self._on_queue: list[Callable[[str, int], None]] = []
        self.types = TypeRegistry()

    def add(self, definition: Definition) -> None:
        """Register; the same place in the same file again is a re-import, another one is a clash."""
        known = self._by_name.get(definition.name)
        if known is not None and known.source != definition.source:
            raise UsageError(
                f"two functions are called {definition.name}: {known.source[0]}:{known.source[1]} and "
                f"{definition.source[0]}:{definition.source[1]}. Give one of them `name=`."
            )
        self._by_name[definition.name] = definition
        self.types.learn(definition.function)

    def add_queue(self, name: str, concurrency: int) -> None:
        """This process works on the queue. Named twice, it must mean the same."""
        known = self._queues.get(name, concurrency)
        if known != concurrency:
            raise UsageError(
                f"queue {name!r} is defined with concurrency={known} and with concurrency={concurrency}: make it once "
                "and import it, or give both the same number."
            )
        self._queues[name] = concurrency
        for tell in self._on_queue:
            tell(name, concurrency)

    def tell_queues(self, tell: Callable[[str, int], None]) -> None:
        """Call `tell` for every queue there is, and for every one that comes."""
        self._on_queue.append(tell)
        for name, concurrency in self._queues.items():
            tell(name, concurrency)

    def forget_queues(self, tell: Callable[[str, int], None]) -> None:
        """Call it no more."""
        if tell in self._on_queue:
            self._on_queue.remove(tell)

    def get(self, name: str) -> Definition | None:
        """The definition of this name, or None."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """The names of all that this process can run."""
        return list(self._by_name)

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


DEFINITIONS = Definitions()
