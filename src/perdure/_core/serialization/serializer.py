"""The serializer: what the engine asks to store a value, to read one, and to recognise arguments again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ..._entries import Stored
from ...errors import SerializationError
from . import json_text
from .codecs import Codec, JsonCodec, ZlibCodec
from .encoding import INT_LIMIT, Tree
from .former import is_as_before
from .headed import without_head
from .json_text import digest_of
from .parts import replaced_in
from .preview import PREVIEW_LENGTH, preview_of
from .raised import message_of, tamed
from .recording import ErrorReader, ErrorWriter, add_note, least_tree
from .refusal import Refusal
from .registry import TypeRegistry
from .sameness import Comparison
from .tags import TUPLE

DEFAULT_MAX_BYTES: Final = 64 * 1024 * 1024
SAFE_CODECS: Final[tuple[Codec, ...]] = (JsonCodec(), ZlibCodec(JsonCodec()))
"""Those that come with us and run no code of the text's choice."""
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Serializer:
    """Stores values by one codec and reads those of every codec it was given.

    `max_bytes` limits the stored text. `readable` are further codecs that may be met in the database, such as the
    one that was used before. JSON, compressed or not, can always be read; pickle only where the user has named it.

    What comes back: a value that is equal and of the same type at every level. NaN equals NaN, -0.0 is not 0.0, True
    is not 1, subclasses of builtin types are refused. Identity is not kept: an object that is met twice comes back
    as two equal ones, live and on replay alike, and a value that contains itself is refused. Dicts keep their order.
    Arguments are written as a list (positional only), as an object (by keyword only), or as a tuple of both.
    """

    def __init__(
        self,
        registry: TypeRegistry,
        codec: Codec | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        readable: Iterable[Codec] = (),
    ) -> None:
        self._registry = registry
        self._codec: Codec = JsonCodec() if codec is None else codec
        self._is_json = type(self._codec) is JsonCodec
        self._comparison = Comparison(registry, trusts=getattr(self._codec, "trusts", False))
        self._max_bytes = max_bytes
        self._codecs: dict[str, Codec] = {known.name: known for known in (*SAFE_CODECS, *readable, self._codec)}

    def accept(self, value: object, *, what: str) -> tuple[Stored, Any]:
        """Encode a value, decode it again, and return both; refuse what does not come back as it was."""
        if self._is_json and (text := _scalar_text(value)) is not None:
            return self._checked(text, what), value
        stored = self._checked(self._encode(value, what), what)
        try:
            decoded = self._codec.decode(stored.text, self._registry)
            has_come_back = self._is_same(value, decoded, stored.text)
        except SerializationError as error:
            raise SerializationError(f"{what}: does not come back: {error}", path=error.path) from error.__cause__
        except Exception as error:  # comparing runs the value's own code
            raise SerializationError(f"{what}: $ cannot be compared with what comes back") from error
        if not has_come_back:
            raise SerializationError(
                f"{what}: "
                + (
                    replaced_in(value, self._registry)
                    or f"$ of type {type(value).__name__} does not come back equal and of the same type; use types "
                    "that Perdure knows, or pass what it is made from"
                )
            )
        return stored, decoded

    def load(self, stored: Stored) -> Any:
        """Return the value; raises `SerializationError` for anything that this process cannot read."""
        codec = self._codecs.get(stored.codec)
        if codec is None:
            raise SerializationError(
                f"stored by the codec {stored.codec[:80]!r}, which this process was not given; it reads "
                f"{', '.join(sorted(self._codecs))}: name the codec where Perdure is configured"
            )
        try:
            return codec.decode(stored.text, self._registry)
        except SerializationError:
            raise
        except Exception as error:  # a user's codec may raise anything
            raise SerializationError(f"the codec {stored.codec!r} failed: {type(error).__name__}") from error

    def _is_same(self, value: object, decoded: object, text: str) -> bool:
        """Compare; what was written without any tag consists of exact plain types, for which `==` is enough."""
        return value == decoded if self._is_json and '"$' not in text else self._comparison.one(value, decoded)

    def _encode(self, value: object, what: str) -> str:
        try:
            if self._is_json:
                return json_text.write(value, self._registry, budget=self._max_bytes)
            return self._codec.encode(value, self._registry)
        except SerializationError as error:
            raise SerializationError(f"{what}: {error}", path=error.path) from error.__cause__
        except Exception as error:  # a user's codec may raise anything
            raise SerializationError(
                f"{what}: the codec {self._codec.name!r} failed: {type(error).__name__}"
            ) from error

    def _checked(self, text: str, what: str) -> Stored:
        self._check_size(text, what)
        return Stored(self._codec.name, text)

    def _check_size(self, text: str, what: str) -> None:
        if len(text) * 4 > self._max_bytes and (size := len(text.encode())) > self._max_bytes:
            raise SerializationError(
                f"{what}: $ takes {size} bytes, more than the limit of {self._max_bytes}; store a reference to it "
                f"instead, such as a path or a key"
            )

    def accept_arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, what: str
    ) -> tuple[Stored, tuple[Any, ...], dict[str, Any]]:
        """Encode a call's arguments and return them decoded; as `accept`."""
        if self._is_json and (text := _scalar_arguments_text(args, kwargs)) is not None:
            return self._checked(text, what), args, kwargs
        stored, decoded = self.accept(_joined(args, kwargs), what=what)
        return stored, *_parted(decoded)

    def accept_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, what: str
    ) -> tuple[str, str | None, Stored | None, tuple[Any, ...], dict[str, Any]]:
        """As `accept_arguments`, for a call whose arguments are not kept: their fingerprint and preview, and they
        decoded; between them what to decode them from again, None for plain ones, which no body can change.
        """
        if self._is_json and not kwargs and (text := _scalar_arguments_text(args, kwargs)) is not None:
            self._check_size(text, what)
            is_short = len(text) <= PREVIEW_LENGTH and "://" not in text
            preview = text if is_short else preview_of(text, self._registry)
            return digest_of(text.encode()), preview, None, args, kwargs
        stored, args, kwargs = self.accept_arguments(args, kwargs, what=what)
        return *self.digest(stored), stored, args, kwargs

    def digest(self, stored: Stored) -> tuple[str, str | None]:
        """The fingerprint and the preview; of another codec than JSON, which may keep a secret, there is none."""
        if stored.codec != JsonCodec.name:
            return self.fingerprint(stored), None
        text, versions = json_text.canonical_parts(stored.text, self._registry)
        return digest_of(text, versions), preview_of(text, self._registry)

    def together(self, values: Iterable[tuple[list[str], Stored]]) -> Stored:
        """Several stored values as one, each after the words that it comes with; to be compared, not to be read."""
        rows = [(words, stored.codec, stored.text) for words, stored in values]
        return Stored(JsonCodec.name, json_text.joined(rows, self._registry))

    def preview(self, text: str) -> str | None:
        """The preview of stored JSON, or of its beginning; None where a field is in it that is not to be shown."""
        try:
            return preview_of(without_head(text, PREVIEW_LENGTH), self._registry)
        except Exception:  # the beginning alone cannot be taken apart
            return None

    def load_arguments(self, stored: Stored) -> Arguments:
        """Return positional and keyword arguments; as `load`."""
        return _parted(self.load(stored))

    def fingerprint(self, stored: Stored) -> str:
        """Return 16 hexadecimal digits that are the same for equal arguments, in every process and Python version.

        Taken from the JSON of the arguments, with sets and dicts sorted, also where another codec stores them.
        Equal means equal and of the same types; two dicts that differ in order only are equal. Versions of classes
        beyond the first follow, after a point, as a digest of their own.
        """
        if stored.codec != JsonCodec.name:
            return self.fingerprint_of(*self.load_arguments(stored))
        try:
            return digest_of(*json_text.canonical_parts(stored.text, self._registry))
        except Exception as error:  # the text comes from outside: as in `load`
            raise SerializationError(f"the stored text cannot be read: {type(error).__name__}") from error

    def fingerprint_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return the fingerprint of arguments at hand; of values that JSON cannot hold only the type counts."""
        try:
            text = json_text.write(_joined(args, kwargs), self._registry, is_lenient=True)
        except SerializationError:  # a cycle, which another codec may allow
            text = '"$opaque"'
        return digest_of(*json_text.canonical_parts(text, self._registry))

    def is_as_before(self, recorded: str, preview: str | None, asked: str, stored: Stored | None) -> bool:
        """Whether a call asks for what is recorded, though its fingerprint differs; see `former`."""
        return is_as_before(self._registry, recorded, preview, asked, stored)

    def dump_error(self, error: BaseException) -> Stored:
        """Encode an error with its cause, notes and traceback. Never fails: what cannot be stored of it is left out."""
        error = tamed(error)
        for make in (self._full_tree, self._short_tree, least_tree):
            try:
                text = json_text.encode_tree(make(error)).decode()
                if len(text.encode()) <= self._max_bytes:
                    break
            except BaseException:  # noqa: S112 - an error's parts may raise anything; the next form asks less of them
                continue
        if self._is_json:
            return Stored(JsonCodec.name, text)
        return Stored(self._codec.name, self._codec.encode(text, self._registry))

    def load_error(self, stored: Stored) -> BaseException:
        """Return the error, as its own type or as `RecordedError`; its traceback of then is a note.

        Raises `SerializationError` only if this is no recorded error at all.
        """
        try:
            text = stored.text if stored.codec == JsonCodec.name else self.load(stored)
            error = ErrorReader(self._registry).read(json_text.decode_tree(text))
        except SerializationError:
            raise
        except Exception as damage:  # the text comes from outside: as in `load`
            reason = damage.reason if isinstance(damage, Refusal) else type(damage).__name__
            raise SerializationError(f"the stored error cannot be read: it {reason}") from damage
        return error

    def _full_tree(self, error: BaseException) -> Tree:
        """Everything; and the message as a note where the rebuilt error would not say it."""
        writer = ErrorWriter(self._registry, budget=self._max_bytes)
        tree = writer.write(error)
        rebuilt = ErrorReader(self._registry).read(tree)
        if type(rebuilt) is type(error) and message_of(rebuilt) != message_of(error):
            add_note(tree, f"Recorded message: {message_of(error)}")
        return tree

    def _short_tree(self, error: BaseException) -> Tree:
        return ErrorWriter(self._registry, budget=self._max_bytes, has_tracebacks=False).write(error)


def _scalar_text(value: Any) -> str | None:
    """Return the JSON of a plain scalar that is stored as it is; None for everything else."""
    kind = type(value)
    if kind is str:
        try:
            text = json_text.encode_tree(value).decode()
        except UnicodeEncodeError:  # a lone surrogate
            return None
        return None if "\\u0000" in text else text
    if value is None:
        return "null"
    if kind is bool or (kind is int and -INT_LIMIT <= value < INT_LIMIT) or (kind is float and value - value == 0.0):
        return json_text.encode_tree(value).decode()
    return None


def _scalar_arguments_text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """Return the JSON of a call's arguments, if all of them are plain scalars."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            continue
        if (kind is int and -INT_LIMIT <= value < INT_LIMIT) or (kind is float and value - value == 0.0):
            continue
        return None
    if len(kwargs) == 1 and next(iter(kwargs)).startswith("$"):  # would read as a tag
        return None
    joined: object = args
    if kwargs:
        joined = {TUPLE.name: (args, kwargs)} if args else kwargs
    try:
        text = json_text.encode_tree(joined).decode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return None if "\\u0000" in text else text


def _joined(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    if not kwargs:
        return list(args)
    return (list(args), kwargs) if args else kwargs


def _parted(joined: object) -> Arguments:
    if type(joined) is list:
        return tuple(joined), {}
    if type(joined) is dict and all(type(name) is str for name in joined):
        return (), joined
    if type(joined) is tuple and len(joined) == 2 and type(joined[0]) is list and type(joined[1]) is dict:
        return tuple(joined[0]), _parted(joined[1])[1]
    raise SerializationError(
        "the stored arguments are neither a list (positional) nor an object (by keyword) nor a tuple of both"
    )
