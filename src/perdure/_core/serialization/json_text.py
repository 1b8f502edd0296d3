"""The JSON text of a value: written, read back, and brought into the one form that fingerprints are taken of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from ...errors import SerializationError
from .columns import PIECE, pieces_of
from .decoding import Decoder
from .encoding import Encoder, Tree, canonical, sort_key
from .headed import Head, head_of, parted, with_head
from .older import OlderDecoder
from .parts import reason_of
from .refusal import Refusal
from .registry import TypeRegistry
from .revisions import Mark

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
        path, reason = reason_of(refusal, registry)
        reason = "contains itself; store a tree, or ids instead of references" if refusal.is_cycle else reason
        raise SerializationError(f"{path} {reason}", path=path) from refusal.__cause__
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
        text = encode_tree(encoder.encode(value)).decode()
    else:
        text = f"[{','.join(encode_tree(encoder.encode(piece)).decode()[1:-1] for piece in pieces_of(value))}]"
    return with_head(text, encoder.met, encoder.registry) if encoder.met else text


def read(text: str, registry: TypeRegistry) -> Any:
    """Return the value; raises `SerializationError`, and nothing else, for whatever is no JSON of ours."""
    try:
        head, text = parted(text, registry)
        try:
            return _value_of(text, _decoder(text, head, registry, is_bulk=True))
        except Refusal:  # done again one by one, which says where
            one_by_one = _decoder(text, head, registry, is_bulk=False)
            return None if one_by_one is None else one_by_one.decode(decode_tree(text))
    except Refusal as refusal:
        raise SerializationError(f"{refusal.path} {refusal.reason}", path=refusal.path) from refusal.__cause__
    except RecursionError:
        raise SerializationError("the stored text is nested too deeply to be read") from None
    except msgspec.MsgspecError as error:
        raise SerializationError(f"the stored text cannot be read: {error}") from error
    except Exception as error:  # such as text that is no Unicode
        raise SerializationError(f"the stored text cannot be read: {type(error).__name__}") from error


def _decoder(text: str, head: Head, registry: TypeRegistry, *, is_bulk: bool) -> Decoder | None:
    """What makes the value; None where the text is plain, and what it says is the value."""
    if '"$' not in text:
        return None
    if head.changed:
        return OlderDecoder(registry, head.changed, is_bulk=is_bulk)
    return Decoder(registry, is_bulk=is_bulk)


def _value_of(text: str, decoder: Decoder | None) -> Any:
    if len(text) < _LONG_TEXT or text[0] != "[":
        tree = decode_tree(text)
        return tree if decoder is None else decoder.decode(tree)
    made: list[Any] = []
    for piece in pieces_of(_decode_members(text)):
        tree = decode_tree(b"[" + b",".join(piece) + b"]")
        made += tree if decoder is None else decoder.decode(tree)
    return made


def joined(values: list[tuple[list[str], str, str]], registry: TypeRegistry) -> str:
    """One text of several, each with words before it and its codec; of another codec than JSON it is a text in it."""
    marks: dict[str, Mark] = {}
    rows = []
    for words, codec, text in values:
        inner = encode_tree(text).decode()
        if codec == "json":
            head, inner = parted(text, registry)
            marks |= head.marks
        rows.append(f"[{encode_tree([*words, codec]).decode()},{inner}]")
    head_text = head_of(marks)
    return f"{head_text}[{','.join(rows)}]{']}' if head_text else ''}"


def canonical_parts(text: str, registry: TypeRegistry) -> tuple[bytes, str]:
    """Return the same bytes for all values that are equal and of the same types, whatever the order of their dicts;
    and the versions of their classes, where there are any beyond the first.
    """
    if "{" not in text:
        return text.encode(), ""
    head, text = parted(text, registry)
    return canonical(canonical_tree(text)), head.versions


def canonical_tree(text: str) -> Tree:
    """The tree of a text without its head, of which the canonical bytes are."""
    tree = decode_tree(text)
    return _sorted(tree) if any(f'"{tag}"' in text for tag in (*_UNORDERED, "$error")) else tree


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


_UNDIGESTED: Final = hashlib.blake2b(digest_size=8)


def digest_of(text: bytes, versions: str = "") -> str:
    """The fingerprint of canonical bytes; of the versions in them a digest of their own comes after a point."""
    digest = _UNDIGESTED.copy()  # twice as fast as to set one up
    digest.update(text)
    return f"{digest.hexdigest()}.{digest_of(versions.encode())[:8]}" if versions else digest.hexdigest()
