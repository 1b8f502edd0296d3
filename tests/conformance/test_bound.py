"""Methods: what they are bound to is an argument, and what a body does to its arguments stays in the body."""

from __future__ import annotations

import asyncio
import enum
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import attrs
import pydantic
import pytest

import perdure
from perdure import Retry, step, workflow
from tests.conformance.ledger import areplay, ran, replay

pytestmark = pytest.mark.usefixtures("app")
AT_ONCE = Retry(attempts=3, initial_seconds=0)


class Cart:
    """A plain object, with attributes of several kinds."""

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self.items: list[str] = []
        self.rates = {"eur": 1.5}

    @step
    def add(self, price: int) -> int:
        """Changes a number."""
        self.total += price
        return self.total

    @step(retries=AT_ONCE)
    async def put(self, item: str) -> int:
        """Changes a list in place."""
        ran.append("put")
        self.items.append(item)
        return len(self.items)

    @step
    def cost(self, price: int) -> float:
        """Changes nothing."""
        ran.append("cost")
        return price * self.rates["eur"]


@workflow
def adds() -> int:
    """A step that forgets what it did, were it not refused."""
    return Cart().add(10)


@workflow
async def puts() -> int:
    """The same, deeper, and async."""
    return await Cart().put("bread")


def test_a_step_that_changes_its_object_says_so() -> None:
    """Live the change would be there, on replay gone: a result that is silently another one."""
    with pytest.raises(perdure.UsageError, match=r"Cart.add has changed the object .*\(total\)"):
        adds()
    with pytest.raises(perdure.UsageError, match=r"Cart.put has changed the object .*\(items\)"):
        asyncio.run(puts())
    assert ran == ["put"]  # a retry would do the same again


@workflow
def costs() -> list[float]:
    """Its object changes between two steps, in the workflow's own code, which is replayed."""
    cart = Cart()
    seen = [cart.cost(2)]
    cart.rates["eur"] = 2.0
    seen.append(cart.cost(2))
    replay()
    return seen


def test_an_object_that_the_workflow_changes_is_the_same_on_replay() -> None:
    """It is made and changed by code that runs again."""
    assert costs() == [3.0, 4.0]
    assert ran == ["cost", "cost"]


CONFIGURED: list[Cart] = []


@workflow
def uses_what_is_configured() -> float:
    """Of an object that the process brings along."""
    seen = CONFIGURED[0].cost(2)
    CONFIGURED[0].rates["eur"] += 1.0
    replay()
    return seen


def test_another_configuration_of_an_object_does_not_take_over_its_outcomes(next_complaint: Any) -> None:
    """The recorded outcome is of other attributes: the run waits for a mend, and the difference is shown."""
    CONFIGURED[:] = [Cart()]
    perdure.start(uses_what_is_configured)
    complaint = next_complaint()
    assert '"eur":1.5' in complaint
    assert '"eur":2.5' in complaint


class Service:
    """An object that holds what cannot be stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()

    @step
    def greet(self) -> str:
        """Nobody says what identifies it."""
        return self.name

    @step(key=lambda self: self.name)
    def call(self) -> str:
        """Its name does."""
        ran.append("call")
        with self.lock:
            return self.name

    @step(key=lambda self: self.name)
    def rename(self) -> str:
        """Changes what identifies it."""
        self.name = "renamed"
        return self.name

    @step(ignore={"self"})
    async def ask(self) -> str:
        """Any object will do."""
        ran.append("ask")
        self.name = "asked"
        return self.name


@workflow
def greets() -> str:
    """Cannot."""
    return Service("ann").greet()


@workflow
def serves() -> list[str]:
    """With what its key says."""
    service = Service("ann")
    seen = [service.call(), service.call()]
    replay()
    return [*seen, service.rename()]


@workflow
async def asks() -> str:
    """With whatever there is."""
    seen = await Service("ann").ask()
    await areplay()
    return seen


def test_an_object_that_cannot_be_stored_is_refused_unless_the_step_says_what_identifies_it() -> None:
    """Before the body runs, with the mend; `key=` is compared, and watched."""
    with pytest.raises(perdure.SerializationError, match=r"\$\[0\]\[1\].lock.*@step\(key=lambda self"):
        greets()
    with pytest.raises(perdure.UsageError, match="what key= gives"):
        serves()
    assert ran == ["call", "call"]
    assert asyncio.run(asks()) == "asked"
    assert ran == ["call", "call", "ask"]


@dataclass(frozen=True, slots=True)
class Point:
    """Slots, frozen, and registered nowhere."""

    x: int
    tags: list[str] = field(default_factory=list)

    @step
    def moved(self) -> int:
        """Reads."""
        return self.x + 1

    @step
    def tagged(self) -> int:
        """Changes what cannot be assigned."""
        self.tags.append("new")
        return len(self.tags)


class Client:
    """It keeps what it can make again."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def connection(self) -> threading.Lock:
        """Made at the first use."""
        ran.append("connects")
        return threading.Lock()

    @step
    def fetch(self) -> str:
        """Uses it."""
        with self.connection:
            return self.url


class Settings(pydantic.BaseModel):
    """pydantic's, with what it keeps in slots."""

    url: str
    _seen: list[str] = pydantic.PrivateAttr(default_factory=list)

    @step
    def read(self) -> str:
        """Reads."""
        return self.url

    @step
    def note(self) -> None:
        """Changes what is private."""
        self._seen.append("note")


@attrs.define
class Door:
    """attrs', with slots."""

    color: str

    @step
    def paint(self, color: str) -> str:
        """Changes."""
        self.color = color
        return color


@perdure.register
class Color(enum.Enum):
    """Its members are there once."""

    RED = 1

    @step
    def mix(self) -> bool:
        """The body gets the member itself."""
        return self is Color.RED


@workflow
def of_libraries() -> list[Any]:
    """Those that change nothing."""
    seen = [Settings(url="db").read(), Color.RED.mix()]
    replay()
    return seen


@workflow
def notes_in_settings() -> None:
    """Changes."""
    Settings(url="db").note()


@workflow
def paints() -> str:
    """Changes."""
    return Door("red").paint("blue")


def test_objects_of_pydantic_and_attrs_and_members_of_enums_are_arguments_too() -> None:
    """Whatever they keep their fields in."""
    assert of_libraries() == ["db", True]
    with pytest.raises(perdure.UsageError, match="__pydantic_private__"):
        notes_in_settings()
    with pytest.raises(perdure.UsageError, match=r"\(color\)"):
        paints()


class Names(tuple[str, ...]):
    """Its contents are no attributes."""

    __slots__ = ()

    @step
    def first(self) -> str:
        """Of the tuple."""
        return self[0]


@workflow
def of_all_kinds() -> list[Any]:
    """Objects that consist of their attributes."""
    client = Client("db")
    seen = [Point(1).moved(), client.fetch(), client.fetch()]
    replay()
    return seen


@workflow
def of_a_tuple() -> str:
    """One that does not."""
    return Names(["ann"]).first()


@workflow
def of_a_frozen_one() -> int:
    """A list inside."""
    return Point(1).tagged()


def test_slots_frozen_dataclasses_and_cached_properties_are_known_by_their_attributes() -> None:
    """What a cached property keeps is no state; what C keeps is more than attributes."""
    assert of_all_kinds() == [2, "db", "db"]
    assert ran == ["connects"]
    with pytest.raises(perdure.UsageError, match=r"\(tags\)"):
        of_a_frozen_one()
    with pytest.raises(perdure.SerializationError, match="Names that cannot be stored"):
        of_a_tuple()


@step(retries=AT_ONCE)
def drains(queue: list[int]) -> int:
    """Empties its argument, and fails at first."""
    ran.append("drains")
    taken = len(queue)
    queue.clear()
    if len(ran) < 3:
        raise OSError("flaky")
    return taken


@step(retries=AT_ONCE)
async def adrains(queue: list[int], *, note: dict[str, int]) -> int:
    """The same, async and by keyword."""
    ran.append("drains")
    taken = len(queue) + len(note)
    queue.clear()
    note.clear()
    if len(ran) < 3:
        raise OSError("flaky")
    return taken


@step(retries=AT_ONCE, ignore={"note"})
def ignores_and_drains(queue: list[int], note: dict[str, int]) -> int:
    """The same where one is not compared."""
    ran.append("drains")
    taken = len(queue) + len(note)
    queue.clear()
    note.clear()
    if len(ran) < 3:
        raise OSError("flaky")
    return taken


@workflow
def calls_draining() -> list[Any]:
    """The arguments stay what they are in the workflow, too."""
    queue, note = [1, 2, 3], {"a": 1}
    return [drains(queue), queue, note]


@workflow
async def acalls_draining() -> list[Any]:
    """Async."""
    queue, note = [1, 2, 3], {"a": 1}
    return [await adrains(queue, note=note), queue, note]


@workflow
def calls_ignoring() -> list[Any]:
    """With one that is not compared."""
    queue, note = [1, 2, 3], {"a": 1}
    return [ignores_and_drains(queue, note), queue, note]


def test_every_attempt_gets_the_arguments_as_they_were() -> None:
    """The second one would get them so in another process, where the first one never was."""
    assert calls_draining() == [3, [1, 2, 3], {"a": 1}]
    ran.clear()
    assert asyncio.run(acalls_draining()) == [4, [1, 2, 3], {"a": 1}]
    ran.clear()
    assert calls_ignoring() == [4, [1, 2, 3], {"a": 1}]
    ran.clear()
    assert perdure.start(drains, [1, 2]).result() == 2
    assert ran == ["drains"] * 3
