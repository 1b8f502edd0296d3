"""Which functions can be durable, and how they are known: methods, inheritance, re-imports, code without a file."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import ran, replay

pytestmark = pytest.mark.usefixtures("sqlite_app")


@perdure.register
@dataclass
class Account:
    """Methods of every kind; its instances are data."""

    owner: str
    rate: int = 2

    @step
    def charge(self, amount: int) -> int:
        """An instance's step."""
        ran.append(f"charge {self.owner}")
        return amount * self.rate

    @workflow
    def settle(self, amount: int) -> int:
        """An instance's workflow."""
        total = self.charge(amount) + self.fixed(amount) + self.named(amount) + self.doubled
        replay()
        return total

    @staticmethod
    @step
    def fixed(amount: int) -> int:
        """A static one."""
        ran.append("fixed")
        return amount

    @classmethod
    @step
    def named(cls, amount: int) -> int:
        """A class's one."""
        ran.append(f"named {cls.__name__}")
        return amount

    @property
    def doubled(self) -> int:
        """A property that calls a step."""
        return self.charge(100)

    @classmethod
    @workflow
    def open(cls, owner: str) -> str:
        """A class's workflow."""
        return f"{cls.__name__} {owner}"


@perdure.register
@dataclass
class Premium(Account):
    """It overrides a step and calls the one above."""

    @step
    def charge(self, amount: int) -> int:
        """Called through `super()` the other is a part of this step."""
        ran.append("premium")
        return super().charge(amount) - 1

    @workflow
    def settle(self, amount: int) -> int:
        """Called through `super()` the other is a child."""
        total = super().settle(amount) + self.charge(1)
        replay()
        return total


def test_methods_static_methods_class_methods_and_properties_are_durable() -> None:
    """DBOS (dbos-transact-py#212) had to mend steps and recovery of instances again and again."""
    assert Account("ann").settle(10) == 20 + 10 + 10 + 200
    assert ran == ["charge ann", "fixed", "named Account", "charge ann"]


def test_an_overriding_method_and_the_one_above_it_are_two() -> None:
    """Names are qualified by the class that defines them."""
    assert Premium("bob").settle(10) == (19 + 10 + 10 + 199) + 1
    assert ran.count("premium") == 3


def test_a_method_can_be_started_with_its_instance() -> None:
    """DBOS (#645): a recovered method without its instance must not fail silently; here it is an argument."""
    assert perdure.start(Account("cy", rate=3).settle, 1).result() == 3 + 1 + 1 + 300
    assert perdure.start(Premium.open, "dora").result() == "Premium dora"
    assert perdure.start(Account.fixed, 4).result() == 4


class Service:
    """An object that is no data."""

    def __init__(self) -> None:
        self.prefix = "hello "

    @step
    def greet(self, name: str) -> str:
        """It uses the object, which is not recorded."""
        ran.append("greet")
        return self.prefix + name

    @workflow
    def serve(self, name: str) -> str:
        """It cannot be started, its object could not be had elsewhere."""
        return self.greet(name)


SERVICE = Service()


@workflow
def uses_a_service(name: str) -> str:
    """A step of an object of the module."""
    seen = SERVICE.greet(name)
    replay()
    return seen


def test_a_step_of_an_object_that_is_no_data_is_a_step() -> None:
    """DBOS asks for a registered instance; a step needs its instance only while its body runs."""
    assert uses_a_service("eve") == "hello eve"
    assert ran == ["greet"]


def test_a_workflow_of_an_object_that_is_no_data_is_refused_with_the_reason() -> None:
    """A worker of another process could not find the object."""
    with pytest.raises(perdure.SerializationError, match="Service"):
        SERVICE.serve("eve")


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Somebody's decorator."""

    @functools.wraps(function)
    def around(*args: Any, **kwargs: Any) -> Any:
        ran.append("around")
        return function(*args, **kwargs)

    return around


@logged
@step
def inside() -> str:
    """Under another decorator."""
    return "inside"


@step
@logged
def outside() -> str:
    """Over another decorator."""
    return "outside"


@workflow
def decorated() -> list[str]:
    """Both."""
    seen = [inside(), outside()]
    replay()
    return seen


def test_other_decorators_may_stand_above_and_below() -> None:
    """Hatchet and DBOS are order-sensitive; above is the workflow's code, below is the body's."""
    assert decorated() == ["inside", "outside"]
    assert ran == ["around", "around", "around"]


def test_a_decorated_function_is_an_ordinary_one() -> None:
    """Frameworks look at the signature, the name, and whether it is a coroutine function."""
    assert str(inspect.signature(Account.charge)) == "(self, amount: 'int') -> 'int'"
    assert Account.charge.__doc__ == "An instance's step."
    assert inspect.iscoroutinefunction(acoroutine)
    assert not inspect.iscoroutinefunction(inside)


@step
async def acoroutine() -> None:
    """Async."""


@logged
@workflow
def audited() -> str:
    """A workflow under another decorator."""
    return "audited"


def test_a_start_does_not_leave_out_a_decorator_that_stands_above() -> None:
    """`functools.wraps` copies all attributes, ours too: the function is another one all the same."""
    assert audited() == "audited"
    assert ran == ["around"]
    for start in (perdure.start, perdure.Queue("conformance_above").submit):
        with pytest.raises(perdure.NotDurableError, match="above @workflow"):
            start(audited)


class Described:
    """What a class may hold besides methods."""

    def describe(self) -> None:
        """A method."""

    @property
    def price(self) -> int:
        """A property."""
        return 1


@functools.singledispatch
@step
def kind_of(value: object) -> str:
    """By type, of steps."""
    return "object"


@kind_of.register
@step
def kind_of_number(value: int) -> str:
    """Of a number."""
    return "number"


@workflow
def dispatches() -> list[str]:
    """Both."""
    seen = [kind_of(1), kind_of("x")]
    replay()
    return seen


def test_a_generic_function_chooses_among_steps() -> None:
    """`functools.singledispatch` above @step: each implementation is a step."""
    assert dispatches() == ["number", "object"]


def local_definitions() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What cannot be found again, with a word of the error."""

    def local() -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    async def agenerator() -> Any:
        yield 1

    class Callable_:  # noqa: N801
        def __call__(self) -> None: ...

    yield "name=", lambda: step(local)
    yield "name=", lambda: workflow(lambda: None)
    yield "generator", lambda: step(name="conformance:generator")(generator)
    yield "generator", lambda: workflow(name="conformance:agenerator")(agenerator)
    yield "functions", lambda: step(Callable_())  # type: ignore[call-overload]
    yield "functions", lambda: step(functools.partial(local))  # type: ignore[call-overload]
    yield "decorate its methods", lambda: workflow(Callable_)
    yield "under @property", lambda: step(Described.__dict__["price"])
    yield "in its class", lambda: step(Described().describe)
    yield "`def`", lambda: step(len)
    yield "is a step already", lambda: step(step(name="conformance:once")(local))
    yield "is a step already", lambda: workflow(logged(step(name="conformance:inner")(local)))
    yield "generator", lambda: step(name="conformance:managed")(contextlib.contextmanager(generator))


@pytest.mark.parametrize(("word", "define"), list(local_definitions()))
def test_what_cannot_be_found_again_is_refused_when_it_is_defined(word: str, define: Callable[[], Any]) -> None:
    """DBOS and Celery find out at recovery that a name is not there."""
    with pytest.raises(perdure.UsageError, match=word):
        define()


def test_a_partial_of_a_step_cannot_be_started_and_the_error_says_why() -> None:
    """It has no name; `NotDurableError`, with the mend."""
    with pytest.raises(perdure.NotDurableError, match="partial"):
        perdure.start(functools.partial(Account.fixed, 1))


@workflow
def called_from_a_coroutine() -> list[str]:
    """A sync workflow with a step and a branch."""
    with perdure.threads(1) as pool:
        seen = [inside(), pool.submit(inside).result()]
    replay()
    return seen


@workflow
def starts_an_async_child() -> str:
    """Its child cannot run on the loop that this one blocks."""
    return perdure.start(says_hello).result()


@workflow
async def says_hello() -> str:
    """Async."""
    return "hello"


def test_a_sync_workflow_may_be_called_from_a_coroutine() -> None:
    """It blocks the loop, as any sync function; the task that calls it is not taken for a foreign one."""

    async def go() -> list[str]:
        return [*called_from_a_coroutine(), starts_an_async_child()]

    assert asyncio.run(go()) == ["inside", "inside", "hello"]
