"""What this process and the one that runs a body say to each other: msgpack, values in it as Perdure's JSON.

No pickle: what arrives is data, and reading it imports nothing and calls nothing.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Final

import msgspec

from ...._core.definitions import DEFINITIONS
from ...._core.serialization import Serializer
from ...._entries import Stored

TRANSIT: Final = Serializer(DEFINITIONS.types)
"""Writes values for the way, whatever codec the instance stores them by."""


class Request(msgspec.Struct, tag="request"):
    """Run this body. `name` is the step's; empty where the function itself is meant, which is no step."""

    module: str
    qualname: str
    name: str
    arguments: str
    idempotency_key: str
    place: dict[str, str | int | None]
    """What a log record says of where it was logged."""
    memory: int | None
    log_level: int
    saved: str | None
    """What an earlier attempt has saved."""


class Kept(msgspec.Struct, tag="kept"):
    """What the body saves is durable; or why it is not, and whether the run is another worker's now."""

    refusal: str | None = None
    is_lost: bool = False


class Began(msgspec.Struct, tag="began"):
    """The body is found, its arguments are read, and it begins now."""


class Ended(msgspec.Struct, tag="ended"):
    """How the body ended. `is_spent`: its process has grown, and is not to run another one."""

    value: str
    is_error: bool
    is_spent: bool = False


class NotBegun(msgspec.Struct, tag="not_begun"):
    """The body cannot run there: what to mend."""

    reason: str


class Progressed(msgspec.Struct, tag="progressed"):
    """How far the body has come."""

    done: float
    total: float | None
    note: str | None


class Saves(msgspec.Struct, tag="saves"):
    """The body saves a value, and waits until it is durable."""

    value: str


class Logged(msgspec.Struct, tag="logged"):
    """A line of the log, for the handlers of the program."""

    name: str
    level: int
    text: str
    at: float
    place: dict[str, str | int | None]
    traceback: str | None
    where: tuple[str, int, str]
    """The file, the line and the function."""


ToChild = Request | Kept
FromChild = Began | Ended | NotBegun | Progressed | Saves | Logged
_to_child: Final[msgspec.msgpack.Decoder[ToChild]] = msgspec.msgpack.Decoder(ToChild)
_from_child: Final[msgspec.msgpack.Decoder[FromChild]] = msgspec.msgpack.Decoder(FromChild)
_encode: Final = msgspec.msgpack.Encoder().encode


def send(connection: Connection, message: ToChild | FromChild) -> None:
    """Raises `OSError` where nobody is there any more."""
    connection.send_bytes(_encode(message))


def hear_child(connection: Connection) -> FromChild:
    """The next message of the process that runs bodies; `EOFError` or `OSError` at its end."""
    return _from_child.decode(connection.recv_bytes())


def hear_parent(connection: Connection) -> ToChild:
    """The same on the other side."""
    return _to_child.decode(connection.recv_bytes())


def stored(text: str) -> Stored:
    """A value that has travelled, for `TRANSIT`."""
    return Stored("json", text)
