"""How values are kept: readable JSON with tags for what JSON lacks; data, never code.

`Serializer` is what the engine uses; `TypeRegistry` knows the types that may come back; codecs make the text.
"""

from .codecs import Codec, JsonCodec, PickleCodec, ZlibCodec
from .former import is_as_before
from .raised import tamed
from .registry import TypeRegistry
from .serializer import DEFAULT_MAX_BYTES, Serializer
from .weight import LONG_TEXT, is_heavy

__all__ = [
    "DEFAULT_MAX_BYTES",
    "LONG_TEXT",
    "Codec",
    "JsonCodec",
    "PickleCodec",
    "Serializer",
    "TypeRegistry",
    "ZlibCodec",
    "is_as_before",
    "is_heavy",
    "tamed",
]
