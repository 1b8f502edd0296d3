"""What libraries put into their classes beside the fields: kept hashes, computed slots, constructors of their own."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

import attrs
import msgspec
import pytest

from perdure._core.serialization import Serializer, TypeRegistry
from tests.serialization.test_libraries import round_trip


@attrs.frozen(cache_hash=True)
class Key:
    """A key of a dict, whose hash attrs keeps on it."""

    name: str


@attrs.frozen(cache_hash=True, slots=False)
class KeyInDict:
    name: str


computed: list[str] = []


@attrs.define
class Lazy:
    """On slots; attrs puts one in the place of the cached property."""

    name: str

    @functools.cached_property
    def answer(self) -> object:
        computed.append(self.name)
        return object()


class Counted(msgspec.Struct, frozen=True):
    x: int

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "x", self.x + 1)


@pytest.mark.parametrize("cls", [Key, KeyInDict])
def test_a_hash_that_attrs_keeps_is_no_part_of_the_value(cls: Any) -> None:
    """It is of this process: whether somebody has asked for it changes nothing, and the copy computes its own."""
    asked = cls("a")
    assert {asked} == {cls("a")}
    assert round_trip({asked: [asked] * 5}, cls) == {cls("a"): [cls("a")] * 5}
    serializer = Serializer(TypeRegistry())
    assert serializer.fingerprint_of((asked,), {}) == serializer.fingerprint_of((cls("a"),), {})


def test_a_cached_property_on_slots_is_not_computed_to_store_its_instance() -> None:
    """Nor stored where it has been: it may be a connection."""
    assert round_trip([Lazy("a")] * 5, Lazy) == [Lazy("a")] * 5
    assert computed == []
    used = Lazy("b")
    assert used.answer is used.answer
    assert round_trip(used, Lazy) == used
    assert computed == ["b"]


def test_what_a_struct_has_made_of_its_fields_is_not_made_again() -> None:
    """msgspec calls `__post_init__` wherever it makes one: alone and among others."""
    assert round_trip(Counted(1), Counted).x == 2
    assert round_trip([Counted(1)] * 5, Counted) == [Counted(1)] * 5


SPEAKS = """
import sys
if "without" in sys.argv:
    sys.modules["pydantic"] = None
from perdure._core.serialization import Serializer, TypeRegistry
class Instant:
    def __init__(self, text): self.text = text
    def __eq__(self, other): return other.text == self.text
    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        from pydantic_core.core_schema import no_info_plain_validator_function, plain_serializer_function_ser_schema
        return no_info_plain_validator_function(
            cls, serialization=plain_serializer_function_ser_schema(lambda value: value.text))
registry = TypeRegistry()
registry.register(Instant)
print(Serializer(registry).accept(Instant("noon"), what="it")[1].text)
"""


def test_a_type_that_speaks_to_pydantic_needs_nobody_to_have_loaded_it() -> None:
    """As of `whenever`: a process that reads one may have imported nothing else. It is refused without pydantic."""
    run = subprocess.run([sys.executable, "-c", SPEAKS], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("noon\n", "")
    run = subprocess.run([sys.executable, "-c", SPEAKS, "without"], capture_output=True, text=True, check=False)
    assert "Instant, which cannot be stored; pass what it is made from" in run.stderr
