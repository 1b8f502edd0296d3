"""What values and errors promise to a workflow: what it sees live it sees after a restart, and no loop stops."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pydantic
import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import areplay, ran, replay

if TYPE_CHECKING:
    from collections import UserString

pytestmark = pytest.mark.usefixtures("app")


@dataclass
class Shape:
    name: str


@dataclass
class Circle(Shape):
    radius: float


class Order(pydantic.BaseModel):
    count: int


class Marked:
    """Written by functions that tell on which thread they were called."""


threads: set[str] = set()


def encode(value: Marked) -> list[int]:
    threads.add(threading.current_thread().name)
    return []


def decode(simple: Any) -> Marked:
    threads.add(threading.current_thread().name)
    return Marked()


perdure.register(Marked, encode=encode, decode=decode)


@step
def make_shapes() -> list[Shape]:
    ran.append("make")
    return [Circle("c", 1.5), Shape("s")] * 5


@workflow
def shapes() -> str:
    made = make_shapes()
    replay()
    return ",".join(type(each).__name__ for each in made[:2])


def test_a_step_may_return_a_subclass_of_what_it_names() -> None:
    """Its body has run and was paid for: the value is not refused for being more than was promised."""
    assert shapes() == "Circle,Shape"
    assert ran == ["make"]


@step
def parse(text: str) -> int:
    ran.append("parse")
    return Order.model_validate_json(text).count


@step
async def fetch(status: int) -> str:
    ran.append("fetch")
    httpx.Response(status, request=httpx.Request("GET", "http://a/")).raise_for_status()
    return "ok"


@workflow
def parses() -> str:
    try:
        return str(parse('{"count": "many"}'))
    except pydantic.ValidationError as error:
        replay()
        return str(error.errors()[0]["type"])


@workflow
async def fetches() -> int:
    try:
        await fetch(503)
    except httpx.HTTPStatusError as error:
        await areplay()
        return error.response.status_code
    return 0


def test_an_error_of_a_library_is_caught_as_what_it_is() -> None:
    """By `except ValidationError` in a sync workflow, by `error.response.status_code` in an async one."""
    assert parses() == "int_parsing"
    assert asyncio.run(fetches()) == 503
    assert ran == ["parse", "fetch"]


@step
async def make_many(count: int) -> list[Marked]:
    ran.append("many")
    return [Marked() for _ in range(count)]


@workflow
async def many(count: int) -> int:
    made = await make_many(count)
    await areplay()
    return len(made)


def test_a_large_value_is_written_and_read_beside_the_event_loop() -> None:
    """The outcome of a step, and again at its replay."""
    threads.clear()
    assert asyncio.run(many(5_000)) == 5_000
    assert threads
    assert not any(name.startswith(("MainThread", "perdure-loop")) for name in threads)
    assert ran == ["many"]


@step
def name_it(text: str) -> UserString:
    from collections import UserString  # as a program that imports late

    return UserString(text)


@workflow
def names_it() -> str:
    return str(name_it("x"))


def test_a_type_that_cannot_be_stored_is_said_with_its_mend() -> None:
    """Also where its annotation is for type checkers only."""
    with pytest.raises(perdure.SerializationError, match=r"UserString, encode=…, decode=…\)"):
        names_it()
