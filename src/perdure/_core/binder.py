"""Arguments in one form, however they were passed: what `Signature.bind` says, without its price.

It costs twenty times as much as a step's own bookkeeping. What decides is looked up once for each signature; calls
that are plain (enough positional arguments, or keywords that continue them) take a short way, all others the long one.
"""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Any

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""Those by place, and those by name."""
Bound = Arguments
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Binder:
    """Binds the arguments of one signature. Defaults are not filled in: what was passed is what is recorded."""

    __slots__ = ("_least", "_most", "_names", "_signature")

    def __init__(self, signature: Signature) -> None:
        parameters = signature.parameters.values()
        positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
        keyword_only = [parameter for parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY]
        has_rest = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters)
        needs_keyword = any(parameter.default is Parameter.empty for parameter in keyword_only)
        self._signature = signature
        self._least = sum(parameter.default is Parameter.empty for parameter in positional)
        """With so many positional arguments nothing is missing."""
        self._most = -1 if needs_keyword else 1 << 30 if has_rest else len(positional)
        self._names = [
            parameter.name if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD else "" for parameter in positional
        ]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
        """Positional ones first, also those that were passed by name. Raises `TypeError` where they do not fit."""
        if kwargs:
            return self._bind_named(args, kwargs)
        if self._least <= len(args) <= self._most:
            return args, kwargs
        bound = self._signature.bind(*args)
        return bound.args, bound.kwargs

    def _bind_named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
        names = self._names[len(args) :]
        if len(kwargs) <= len(names) and self._least <= len(args) + len(kwargs) <= self._most:
            following = names[: len(kwargs)]
            if all(name in kwargs for name in following):
                return (*args, *[kwargs[name] for name in following]), {}
        bound = self._signature.bind(*args, **kwargs)
        return bound.args, bound.kwargs
