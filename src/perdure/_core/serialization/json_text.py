"""The JSON text of a value: written, read back, and brought into the one form that fingerprints are taken of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from ...errors import SerializationError
from .columns import PIECE, pieces_of
from .decoding import Decoder
from .encoding import Encoder, Tree, canonical, sort_key
from .refusal import Refusal
from .registry import TypeRegistry

TEXT_LIMIT: Final = 2**30
"""No text may be longer (in bytes), whatever a serializer allows: PostgreSQL takes no more."""

_LONG_TEXT: Final = 500_000

encode_tree: Final = msgspec.json.Encoder().encode
decode_tree: Final = msgspec.json.Decoder().decode
_decode_members: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

_UNORDERED = ("$dict", "$counter")
_TOLD_OTHERWISE = ("message", "traceback")
"""Parts of an error that follow from the others and from the place: the message may even show a set in any order."""


def write(value: object, registry: TypeRegistry, *, budget: int = TEXT_LIMIT, is_lenient: bool = False) -> str:
    """Return the value's JSON; raises `SerializationError` with the path to the part that cannot be written."""
    try:
        try:
            text = _text_of(value, Encoder(registry, budget=budget, is_lenient=is_lenient, is_bulk=True))
            if "\\u0000" not in text:
                return text
        except (Refusal, UnicodeEncodeError):  # done again one by one, which says where; or a lone surrogate
            pass
        return _write_again(value, partial(Encoder, registry, budget=budget, is_lenient=is_lenient))
    except Refusal as refusal:
        reason = "contains itself; store a tree, or ids instead of references" if refusal.is_cycle else refusal.reason
        raise SerializationError(f"{refusal.path} {reason}", path=refusal.path) from refusal.__cause__
    except RecursionError as error:
        raise SerializationError("$ is nested too deeply for the present stack; flatten it") from error
    except Exception as error:  # reading a value runs its class's code: anything can come out of it
        raise SerializationError(f"$ could not be taken apart: {type(error).__name__}; see the cause") from error


def _write_again(value: object, make: Callable[..., Encoder]) -> str:
    """Look at each text for NUL and lone surrogates; then one by one, without looking and with."""
    for options in ({"is_bulk": True, "is_escaping": True}, {}):
        with suppress(Refusal, UnicodeEncodeError):
            text = _text_of(value, make(**options))
            if options or "\\u0000" not in text:
                return text
    return _text_of(value, make(is_escaping=True))


def _text_of(value: object, encoder: Encoder) -> str:
    if type(value) is not list or len(value) <= PIECE or not encoder.is_bulk:
        return encode_tree(encoder.encode(value)).decode()
    texts = [encode_tree(encoder.encode(piece)).decode()[1:-1] for piece in pieces_of(value)]
    return f"[{','.join(texts)}]"


def read(text: str, registry: TypeRegistry) -> Any:
    """Return the value; raises `SerializationError`, and nothing else, for whatever is no JSON of ours."""
    try:
        try:
            return _value_of(text, registry)
        except Refusal:  # done again one by one, which says where
            return Decoder(registry).decode(decode_tree(text))
    except Refusal as refusal:
        raise SerializationError(f"{refusal.path} {refusal.reason}", path=refusal.path) from refusal.__cause__
    except RecursionError:
        raise SerializationError("the stored text is nested too deeply to be read") from None
    except msgspec.MsgspecError as error:
        raise SerializationError(f"the stored text cannot be read: {error}") from error
    except Exception as error:  # such as text that is no Unicode
        raise SerializationError(f"the stored text cannot be read: {type(error).__name__}") from error


def _value_of(text: str, registry: TypeRegistry) -> Any:
    is_plain = '"$' not in text
    if len(text) < _LONG_TEXT or text[0] != "[":
        tree = decode_tree(text)
        return tree if is_plain else Decoder(registry, is_bulk=True).decode(tree)
    decoder = Decoder(registry, is_bulk=True)
    made: list[Any] = []
    for piece in pieces_of(_decode_members(text)):
        tree = decode_tree(b"[" + b",".join(piece) + b"]")
        made += tree if is_plain else decoder.decode(tree)
    return made


def canonical_bytes(text: str) -> bytes:
    """Return the same bytes for all values that are equal and of the same types, whatever the order of their dicts."""
    if "{" not in text:
        return text.encode()
    tree = decode_tree(text)
    return canonical(_sorted(tree) if any(f'"{tag}"' in text for tag in (*_UNORDERED, "$error")) else tree)


def _sorted(tree: Tree) -> Tree:
    """Sort the pairs of dicts that are written as pairs (objects are sorted by `canonical`); see to errors."""
    if isinstance(tree, list):
        return [_sorted(member) for member in tree]
    if not isinstance(tree, dict):
        return tree
    made = {key: _sorted(member) for key, member in tree.items()}
    for tag in _UNORDERED:
        pairs = made.get(tag)
        if len(made) == 1 and isinstance(pairs, list):
            made[tag] = sorted(pairs, key=sort_key)
    error = made.get("$error")
    if len(made) == 1 and isinstance(error, dict):
        made["$error"] = {name: part for name, part in error.items() if name not in _TOLD_OTHERWISE}
    return made
