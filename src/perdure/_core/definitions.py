"""Workflows and steps as they are defined: what a decorator knows of a function, and the register of all of them.

The register belongs to the process, not to a `Perdure` instance: a function finds its instance when it is called.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from .._entries import Stored
from ..errors import UsageError
from ..typing import CatchUp, Overlap, RunKind, Seconds
from .binder import Arguments, Binder
from .bound import bound_parameter, class_of_mark, mark_of
from .given import flag, seconds_of, text_name, whole_number
from .identity import Identity, Taken
from .instants import Rule
from .kept import kept_of
from .names import name_of_function, origin_of
from .replacing import is_defined_anew, what_differs
from .retry import NO_RETRY, Retry
from .serialization import Serializer, TypeRegistry


class Definition:
    """A decorated function: its name, its kind and how it is to be run."""

    __slots__ = (
        "_binder",
        "at_most_once",
        "binds",
        "executor",
        "found_as",
        "function",
        "identity",
        "is_async",
        "is_found_decorated",
        "is_pure",
        "kept",
        "kind",
        "max_attempts",
        "name",
        "origin",
        "qualname",
        "reconcile",
        "retry",
        "signature",
        "spec",
        "timeout",
        "undo",
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
        ignore: Collection[str] = (),
        fingerprint: Callable[..., object] | None = None,
        key: Callable[[Any], object] | None = None,
        keep_for: Seconds | None = None,
        keep_runs: int | None = None,
    ) -> None:
        check_decorated(function, kind)
        self.function: Callable[..., Any] = function
        self.qualname = function.__qualname__
        self.kind = kind
        self.origin = origin_of(function)
        self.spec = self.origin.__globals__.get("__spec__")
        """What its module was loaded by, when it was defined."""
        self.name = text_name(name if name is not None else name_of_function(function), "name")
        self.what, self.what_it_gives = f"{kind} {self.name}, its arguments", f"the result of {kind} {self.name}"
        """What is stored of it, for errors."""
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = inspect.signature(function)
        self._binder = Binder(self.signature)
        self.retry = retry
        self.timeout = None if timeout is None else seconds_of(timeout, f"step {self.name}: timeout", above_zero=True)
        self.at_most_once = flag(at_most_once, f"step {self.name}: at_most_once")
        self.is_pure = False
        """Whether its body has no effects; see `purity`."""
        self.reconcile: Definition | None = None
        """What says how a body ended that was cut off, where it may run at most once; see `reconciling`."""
        self.executor: Any = None
        """Where its body runs, or what makes that, or an `OwnProcess`; None: here."""
        self.found_as, self.is_found_decorated = (function.__module__, function.__qualname__), True
        """Where another process finds the body: module and name; and whether what stands there is the step."""
        self.undo: Definition | None = None
        """The step that undoes what this one does; see `reconciling`."""
        self.max_attempts = whole_number(max_attempts, f"{kind} {self.name}: max_attempts")
        self.kept = kept_of(keep_for, keep_runs, f"{kind} {self.name}")
        self.binds = bound_parameter(function, self.signature)
        self.identity = Identity(
            f"{kind} {self.name}", self.signature, binds=self.binds, ignore=ignore, fingerprint=fingerprint, key=key
        )
        self.check()

    def check(self) -> None:
        """Raise `UsageError` where the options do not go together."""
        if self.timeout is not None and not self.is_async and self.executor is None:
            raise UsageError(
                f"step {self.name} has a timeout and is not async: a thread cannot be stopped. Make it `async def`, "
                "give the timeout to what it calls, or have the body run elsewhere: isolation='process', or executor=…"
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

    def store_arguments(
        self, serializer: Serializer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Stored, str]:
        """The arguments of a run as they are stored, and their fingerprint."""
        args, kwargs = self.bind(args, kwargs)
        if self.binds and isinstance(args[0], type):
            mark = mark_of(args[0])
            class_of_mark(mark, module=self.function.__module__, is_method=self._is_this)
            args = (mark, *args[1:])
        stored, _, _ = serializer.accept_arguments(args, kwargs, what=self.what)
        if self.identity.is_plain:
            return stored, serializer.fingerprint(stored)
        return stored, Taken(self, serializer, args, kwargs).fingerprint

    def load_arguments(self, serializer: Serializer, stored: Stored) -> Arguments:
        """The arguments of a run, decoded."""
        args, kwargs = serializer.load_arguments(stored)
        if self.binds and args:
            cls = class_of_mark(args[0], module=self.function.__module__, is_method=self._is_this)
            args = args if cls is None else (cls, *args[1:])
        return args, kwargs

    def _is_this(self, found: object) -> bool:
        definition = find_definition(found)
        return definition is not None and definition.name == self.name

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


_MENDS: dict[type, str] = {
    property: "put it under @property, on the function",
    functools.cached_property: "put it under @cached_property, on the function",
    functools.partial: "write a function (`def`) that makes the call; a partial has no name",
    type: "decorate its methods",
}


def check_decorated(function: object, kind: RunKind) -> None:
    """Raise `UsageError` for what cannot be a workflow or step, with what to do instead."""
    known = getattr(function, "__perdure__", None)
    if isinstance(known, Definition):
        raise UsageError(f"@{kind} over @{known.kind}: {known.name} is a {known.kind} already; keep one of the two")
    if not inspect.isfunction(function):
        mend = next((mend for cls, mend in _MENDS.items() if isinstance(function, cls)), None)
        mend = mend or ("decorate the method in its class" if inspect.ismethod(function) else "wrap it in a `def`")
        raise UsageError(f"@{kind} decorates functions and methods; got {type(function).__name__}: {mend}")
    inner = inspect.unwrap(function)
    if any(map(inspect.isgeneratorfunction, (function, inner))) or any(
        map(inspect.isasyncgenfunction, (function, inner))
    ):
        raise UsageError(
            f"@{kind} cannot decorate the generator {function.__qualname__}: an outcome is recorded as a whole. Return "
            "a list, or make each item a step of its own"
        )


DURABLE_CODE: set[CodeType] = set()
"""The code of the functions that the decorators return: what has it is one, and not merely wrapped around one."""


def find_definition(function: object) -> Definition | None:
    """The definition behind a decorated function, a bound method of one, or a static or class method of one. None for
    what another decorator has made of it: started without that, it would do something else than called.
    """
    while (inner := getattr(function, "__func__", None)) is not None:
        function = inner
    if not isinstance(function, FunctionType) or function.__code__ not in DURABLE_CODE:
        return None
    definition = getattr(function, "__perdure__", None)
    return definition if isinstance(definition, Definition) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A schedule as the program declares it."""

    name: str
    definition: Definition
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    queue: str
    priority: int
    rule: Rule
    overlap: Overlap
    catch_up: CatchUp


QueueLimits = Mapping[str, Any]
"""What a program declares for a queue that holds for all workers, as `stores.limits.Changes`."""


def _queue_text(meant: tuple[int, QueueLimits]) -> str:
    own, declaration = meant
    return ", ".join(f"{name}={value!r}" for name, value in {"worker_concurrency": own, **declaration}.items())


class Definitions:
    """All workflows, steps and queues that this process has defined, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Definition] = {}
        self.revision = 0
        """How often a function was added, or took another's place."""
        self._schedules: dict[str, Declaration] = {}
        self._queues: dict[str, tuple[int, QueueLimits]] = {}
        self._on_queue: list[Callable[[str, int, QueueLimits], None]] = []
        self.types = TypeRegistry()

    def add(self, definition: Definition) -> None:
        """Register. What is defined anew takes its own place; another function of the name is refused."""
        known = self._by_name.get(definition.name)
        if known is not None and not is_defined_anew(known.origin, known.spec, definition.origin):
            raise UsageError(clash(known, definition))
        self._by_name[definition.name] = definition
        self.revision += 1
        self.types.learn(definition.function)

    def add_queue(self, name: str, worker_concurrency: int, declaration: QueueLimits | None = None) -> None:
        """This process works on the queue, on so many runs at once; what is declared holds for all workers. Named
        twice, it must mean the same.
        """
        meant = worker_concurrency, declaration or {}
        known = self._queues.get(name, meant)
        if known != meant:
            raise UsageError(
                f"queue {name!r} is defined with {_queue_text(known)} and with {_queue_text(meant)}: make it once and "
                "import it, or give both the same limits."
            )
        self._queues[name] = meant
        for tell in self._on_queue:
            tell(name, *meant)

    def add_schedule(self, declaration: Declaration) -> None:
        """This program has the schedule. What is defined anew takes its own place; two of one name are refused."""
        known = self._schedules.get(declaration.name)
        if known is not None and (
            known.definition is declaration.definition or known.definition.name != declaration.definition.name
        ):
            raise UsageError(
                f"two schedules are called {declaration.name!r}, of {known.definition.name} and of "
                f"{declaration.definition.name}: give one of them `name=`"
            )
        self._schedules[declaration.name] = declaration
        self.revision += 1

    def schedules(self) -> list[Declaration]:
        """All of them."""
        return list(self._schedules.values())

    def queues(self) -> list[str]:
        """The names of all queues."""
        return list(self._queues)

    def tell_queues(self, tell: Callable[[str, int, QueueLimits], None]) -> None:
        """Call `tell` for every queue there is, and for every one that comes."""
        self._on_queue.append(tell)
        for name, meant in self._queues.items():
            tell(name, *meant)

    def forget_queues(self, tell: Callable[[str, int, QueueLimits], None]) -> None:
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


def clash(known: Definition, definition: Definition) -> str:
    """Why a second function cannot have the name."""
    was, now = known.origin.__code__, definition.origin.__code__
    if was is now:
        differs = ", ".join(what_differs(known.origin, definition.origin))
        return (
            f"{definition.qualname} is defined twice under the name {definition.name}, with other values ({differs}): "
            "a recovered run could not know which of both it is of. Give each a name of its own, or pass what differs "
            "as an argument."
        )
    return (
        f"two functions are called {definition.name}: {was.co_filename}:{was.co_firstlineno} and "
        f"{now.co_filename}:{now.co_firstlineno}. Give one of them `name=`."
    )


DEFINITIONS = Definitions()
