"""Class methods, interfaces, and classes that inherit steps and workflows."""

from __future__ import annotations

import abc

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import replay

pytestmark = pytest.mark.usefixtures("sqlite_app")


class Shop:
    """Class methods that others override, or cannot see."""

    @classmethod
    @workflow
    def make(cls, name: str) -> str:
        """Overridden, and asked for by `super()`."""
        return f"{cls.__name__} {name}"

    @classmethod
    @workflow
    def __hidden(cls) -> str:
        return f"hidden of {cls.__name__}"

    @classmethod
    def show(cls) -> str:
        """Calls the private one."""
        return cls.__hidden()

    @step
    @staticmethod
    def price() -> int:
        """The other order."""
        return 3


class Bakery(Shop):
    """It overrides."""

    @classmethod
    @workflow
    def make(cls, name: str) -> str:
        """Calls the one above, as a child."""
        return "fresh " + super().make(name)


def test_an_overridden_class_method_is_found_by_super_and_a_private_one_by_its_class() -> None:
    """The class is an argument; that it has the method is what counts, under whatever name."""
    assert Bakery.make("bun") == "fresh Bakery bun"
    assert Bakery.show() == "hidden of Bakery"
    assert perdure.start(Shop.price).result() == Shop.price() == 3


def test_a_class_that_no_other_process_could_find_is_refused_when_it_is_called() -> None:
    """Not when the run is recovered, which would wait for it without end."""

    class Local(Shop): ...

    with pytest.raises(perdure.SerializationError, match="Local is not in this process"):
        Local.make("bun")


class Printer(abc.ABC):
    """An interface of steps."""

    @step
    @abc.abstractmethod
    def put(self, text: str) -> str:
        """Print."""


class Loud(Printer):
    """It has no attributes: nothing but its class identifies it."""

    @step
    def put(self, text: str) -> str:
        """Loudly."""
        return text.upper()


@workflow
def prints() -> str:
    """Through the interface."""
    printer: Printer = Loud()
    seen = printer.put("hello")
    replay()
    return seen


def test_an_abstract_step_stays_abstract_and_is_overridden() -> None:
    """Two names: that of the interface, and that of the class."""
    assert Printer.__abstractmethods__ == {"put"}
    assert prints() == "HELLO"
