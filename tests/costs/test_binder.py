"""The short way to bind arguments gives what `Signature.bind` gives, whatever the signature and the call."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure._core.binder import Binder


def nothing() -> None: ...
def plain(a: Any, b: Any) -> None: ...
def defaults(a: Any, b: Any = 1, c: Any = 2) -> None: ...
def only_positional(a: Any, b: Any = 1, /, c: Any = 2) -> None: ...
def rest(a: Any, *b: Any) -> None: ...
def keyword(a: Any, *, b: Any = 1) -> None: ...
def needs_keyword(a: Any, *, b: Any) -> None: ...
def everything(a: Any, /, b: Any = 1, *c: Any, d: Any = 2, **e: Any) -> None: ...
def any_name(a: Any, **b: Any) -> None: ...


def by_signature(signature: inspect.Signature, args: list[int], kwargs: dict[str, int]) -> Any:
    bound = signature.bind(*args, **kwargs)
    return bound.args, bound.kwargs


def outcome(bind: Any) -> tuple[Any, ...]:
    """What it gives, with the order of the keywords, or how it refuses."""
    try:
        args, kwargs = bind()
    except TypeError as refusal:
        return (str(refusal),)
    return args, kwargs, list(kwargs)


FUNCTIONS = [nothing, plain, defaults, only_positional, rest, keyword, needs_keyword, everything, any_name]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@given(args=st.lists(st.integers(), max_size=4), kwargs=st.dictionaries(st.sampled_from("abcdez"), st.integers()))
def test_binding_is_what_the_signature_says(function: Any, args: list[int], kwargs: dict[str, int]) -> None:
    """The same arguments in the same form, or the same refusal: fingerprints depend on it."""
    signature = inspect.signature(function)
    binder = Binder(signature)

    assert outcome(lambda: binder.bind(tuple(args), kwargs)) == outcome(lambda: by_signature(signature, args, kwargs))
