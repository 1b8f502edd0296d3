"""Which functions can be durable, and how they are known: methods, inheritance, re-imports, code without a file."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
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
    assert asyncio.iscoroutinefunction(acoroutine)
    assert not asyncio.iscoroutinefunction(inside)


@step
async def acoroutine() -> None:
    """Async."""


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


MODULE = """
    from perdure import step, workflow
    from tests.conformance.ledger import ran, replay

    @step
    def one() -> str:
        ran.append("one")
        return "{word}"

    @workflow
    def both() -> str:
        seen = one()
        replay()
        return seen
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of its own, imported."""
    name = f"conformance_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE.format(word="first")))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    del sys.modules[name]


def test_a_reloaded_module_replaces_its_functions(module: ModuleType) -> None:
    """uvicorn's and notebooks' reloads: the same place in the same file is no clash."""
    assert module.both() == "first"
    again = importlib.reload(module)
    assert again.both() == "first"
    assert perdure.start(again.both).result() == "first"


@pytest.mark.parametrize("load", [importlib.reload, lambda module: import_anew(module.__name__)])
def test_a_function_that_was_edited_takes_its_own_place(
    module: ModuleType, load: Callable[[ModuleType], ModuleType]
) -> None:
    """Its module is the same, its name too, and the old code is gone; wherever in the file it stands now."""
    file = Path(str(module.__file__))
    file.write_text("# one line more\n" + textwrap.dedent(MODULE.format(word="second, longer")))
    importlib.invalidate_caches()
    again = load(module)
    assert again.both() == "second, longer"
    assert perdure.start(again.both).result() == "second, longer"


def import_anew(name: str) -> ModuleType:
    """As a server's own reload does."""
    del sys.modules[name]
    return importlib.import_module(name)


def test_a_function_of_the_same_name_further_down_its_module_is_a_clash(tmp_path: Path) -> None:
    """Both may be held by somebody, a route or a table, and neither is the other one edited."""
    file = tmp_path / "twice.py"
    file.write_text("from perdure import step\n" + 2 * "@step\ndef again(x): return x\n")
    with pytest.raises(perdure.UsageError, match=r"two functions are called .*twice.py:2 and .*twice.py:4"):
        exec(compile(file.read_text(), str(file), "exec"), {"__name__": "conformance_twice"})  # noqa: S102


def test_an_edited_cell_of_a_notebook_takes_the_place_of_the_one_before() -> None:
    """Every execution of a cell has a file name of its own, and the namespace of all cells."""
    namespace: dict[str, Any] = {"__name__": "conformance_cells"}
    for number, word in enumerate(["first", "second"]):
        cell = "\n" * number + textwrap.dedent(MODULE.format(word=word))
        exec(compile(cell, f"<cell {number}>", "exec"), namespace)  # noqa: S102
        assert namespace["both"]() == word


def test_autoreload_gives_the_new_code_to_what_was_imported_before() -> None:
    """IPython's %autoreload copies a new function's code and attributes into the old one, which others hold."""
    namespaces: list[dict[str, Any]] = [{"__name__": "conformance_autoreload"} for _ in range(2)]
    for word, namespace in zip(["first", "second"], namespaces, strict=True):
        exec(compile(textwrap.dedent(MODULE.format(word=word)), "<cell>", "exec"), namespace)  # noqa: S102
    old, new = (namespace["both"] for namespace in namespaces)
    old.__code__, old.__dict__ = new.__code__, new.__dict__
    assert old() == "second"
    assert perdure.start(old).result() == "second"


def multiply_by(factor: int) -> Callable[[int], int]:
    """A factory that gives what it makes one name."""

    @step(name="conformance:multiply")
    def multiply(number: int) -> int:
        return number * factor

    return multiply


def test_two_closures_of_one_name_are_refused_unless_they_are_the_same() -> None:
    """DBOS (dbos-transact-py#837, #283): the later one replaces the earlier, and what is queued runs the wrong one."""
    multiply_by(2)
    multiply_by(2)
    with pytest.raises(perdure.UsageError, match=r"multiply is defined twice .*\(factor\)"):
        multiply_by(3)


def test_a_default_is_a_part_of_a_function_that_a_loop_defines() -> None:
    """The other way to tie a value to a function."""

    def define() -> None:
        for number in (1, 2):

            @step(name="conformance:looped")
            def looped(number: int = number) -> int:
                return number

    with pytest.raises(perdure.UsageError, match="the defaults"):
        define()


def test_two_functions_of_one_name_are_a_clash() -> None:
    """DBOS raises its ConflictingRegistrationError; both places are named."""
    step(name="conformance:taken")(plain_one)
    with pytest.raises(perdure.UsageError, match=r"conformance:taken.*test_functions.*test_functions"):
        step(name="conformance:taken")(plain_two)


def plain_one() -> None:
    """A function."""


def plain_two() -> None:
    """Another."""


def test_code_without_a_file_can_be_durable_and_executed_again() -> None:
    """Notebooks define a cell's functions anew with every execution of the cell."""
    cell = textwrap.dedent(MODULE.format(word="cell"))
    namespace: dict[str, Any] = {"__name__": "conformance_notebook"}
    exec(compile(cell, "<cell 1>", "exec"), namespace)  # noqa: S102
    assert namespace["both"]() == "cell"
    exec(compile(cell, "<cell 1>", "exec"), namespace)  # noqa: S102
    assert namespace["both"]() == "cell"


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
