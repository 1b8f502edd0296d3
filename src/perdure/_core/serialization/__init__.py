"""How values are kept: readable JSON with tags for what JSON lacks; data, never code.

`Serializer` is what the engine uses; `TypeRegistry` knows the types that may come back; codecs make the text.
"""

from .codecs import Codec, JsonCodec, PickleCodec, ZlibCodec
from .raised import tamed
from .registry import TypeRegistry
from .serializer import DEFAULT_MAX_BYTES, Serializer

__all__ = ["DEFAULT_MAX_BYTES", "Codec", "JsonCodec", "PickleCodec", "Serializer", "TypeRegistry", "ZlibCodec", "tamed"]
