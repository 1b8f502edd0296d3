"""How values become text: JSON by default, pickle only for those who name it, and codecs that wrap another.

A codec's name is stored with each value. Encrypt or compress by a codec that wraps `JsonCodec`, as `ZlibCodec` does.
"""

from __future__ import annotations

import pickle
import zlib
from binascii import a2b_base64, b2a_base64
from typing import Any, Protocol

from ...errors import SerializationError, UsageError
from . import json_text
from .registry import TypeRegistry


class Codec(Protocol):
    """Turns values into text and back. Both ways raise `SerializationError` for what they cannot do.

    The text must be storable in any database: no NUL, no lone surrogates. A codec with an attribute `trusts = True` is
    believed about objects of no type that Perdure knows: see `PickleCodec`.
    """

    @property
    def name(self) -> str:
        """What is stored with each value, so that another process finds the codec that can read it."""

    def encode(self, value: object, registry: TypeRegistry) -> str:
        """Return the value's text."""

    def decode(self, text: str, registry: TypeRegistry) -> object:
        """Return the value of a text that `encode` has made, perhaps in another process."""


class JsonCodec:
    """Readable JSON. Data, never code: reading runs nothing that the text could choose."""

    name = "json"

    def encode(self, value: object, registry: TypeRegistry) -> str:
        """Return JSON in which plain values look plain."""
        return json_text.write(value, registry)

    def decode(self, text: str, registry: TypeRegistry) -> object:
        """Return the value, with types that the registry knows."""
        return json_text.read(text, registry)


class _Pickled(bytearray):
    """What a pickler writes into."""

    def write(self, part: bytes) -> int:
        self.extend(part)
        return len(part)


class _Pickler(pickle.Pickler):
    """Keeps what pickle itself forgets of an error: its cause and its context."""

    def reducer_override(self, value: object) -> Any:
        if not isinstance(value, BaseException) or (value.__cause__ is None and value.__context__ is None):
            return NotImplemented
        reduced: Any = value.__reduce_ex__(5)
        make, args, *state = reduced
        chain = (value.__cause__, value.__context__, value.__suppress_context__)
        return make, args, (state[0] if state else None, *chain), None, None, _restore_error


def _restore_error(error: BaseException, state: tuple[Any, Any, Any, bool]) -> None:
    """Give an unpickled error its state and its chain."""
    own, error.__cause__, error.__context__, error.__suppress_context__ = state
    if own is not None:
        error.__setstate__(own)


class PickleCodec:
    """Python's pickle, in base64. Reading it runs code: whoever can write to the database then owns the process.

    It takes whatever pickle takes. Of objects that say nothing about being equal (no `__eq__`, or one that gives no yes
    or no, as an array's) it is believed.
    """

    name = "pickle"
    trusts = True

    def encode(self, value: object, registry: TypeRegistry) -> str:
        """Return the pickle of any value that pickle can take; the registry is not asked."""
        try:
            pickled = _Pickled()
            _Pickler(pickled, protocol=5).dump(value)
            return b2a_base64(pickled, newline=False).decode("ascii")
        except Exception as error:  # pickle runs the value's own code
            raise SerializationError(
                f"$ cannot be pickled: {type(error).__name__}; pass what it is made from and make it inside the step"
            ) from error

    def decode(self, text: str, registry: TypeRegistry) -> object:
        """Unpickle the text, which runs what it says."""
        try:
            return pickle.loads(a2b_base64(text))  # noqa: S301 - the user has named pickle
        except Exception as error:  # as above
            raise SerializationError(f"the stored pickle cannot be read: {type(error).__name__}") from error


class ZlibCodec:
    """Compresses what another codec has written; named after it, such as `zlib+json`."""

    def __init__(self, inner: Codec) -> None:
        if not isinstance(getattr(inner, "name", None), str) or isinstance(inner, type):
            raise UsageError(f"ZlibCodec: {inner!r} is no codec; give one, such as ZlibCodec(JsonCodec())")
        self._inner = inner
        self.trusts = getattr(inner, "trusts", False)
        self.name = f"zlib+{inner.name}"

    def encode(self, value: object, registry: TypeRegistry) -> str:
        """Return the compressed text of the inner codec, in base64."""
        packed = zlib.compress(self._inner.encode(value, registry).encode())
        return b2a_base64(packed, newline=False).decode("ascii")

    def decode(self, text: str, registry: TypeRegistry) -> object:
        """Return the value; a text that would grow beyond 1 GiB is refused."""
        unpacking = zlib.decompressobj()
        try:
            inner_text = unpacking.decompress(a2b_base64(text, strict_mode=True), json_text.TEXT_LIMIT).decode()
        except (ValueError, zlib.error) as error:
            raise SerializationError(f"the stored text cannot be unpacked: {type(error).__name__}") from error
        if not unpacking.eof:
            raise SerializationError("the stored text is cut off, or unpacks to more than 1 GiB")
        return self._inner.decode(inner_text, registry)
