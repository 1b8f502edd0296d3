"""A deploy changes a class: runs whose recorded values were of the class before go on, or wait with what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import ran, until
from tests.inside.functions import TYPES, forget_functions

running = functools.partial(perdure.running, **SETTINGS)
NAMES = "older:"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Of the functions, of the classes and their versions."""
    types = TYPES
    kept = dict(types._types), dict(types._names), dict(types._revisions)
    yield
    forget_functions(NAMES)
    types._types, types._names, types._revisions = kept


def first() -> type:
    @dataclass(frozen=True)
    class Bill:
        total: float

    return Bill


def with_default() -> type:
    @dataclass(frozen=True)
    class Bill:
        total: float
        currency: str = "EUR"
        note: str | None = None

    return Bill


def in_cents() -> type:
    @dataclass(frozen=True)
    class Bill:
        cents: int

    return Bill


def to_cents(old: dict[str, Any]) -> dict[str, Any]:
    return {"cents": int(old["total"] * 100)}


VERSION: dict[str, Any] = {"version": 2, "upcasters": {1: to_cents}}


@dataclass
class Program:
    """What a deploy has made."""

    cls: Any
    run: Callable[..., Any]
    child: Callable[..., Any]
    listener: Callable[..., Any]


def deploy(make: Callable[[], type], **options: Any) -> Program:
    """The program with this class."""
    forget_functions(NAMES)
    cls: Any = make()
    cls.__qualname__ = "Bill"
    perdure.register(cls, **options)

    @step(name=NAMES + "bill")
    def make_bill() -> Any:
        ran.append("bill")
        return cls(1.5)

    @step(name=NAMES + "charge", undo=undo_charge)
    def charge(bill: Any, why: str) -> Any:
        ran.append(f"charge {why}")
        return [bill]

    @workflow(name=NAMES + "child")
    def child(bill: Any) -> Any:
        ran.append("child")
        return {"bill": bill}

    @workflow(name=NAMES + "listener")
    def listener() -> Any:
        return perdure.recv(type=cls)

    @workflow(name=NAMES + "run")
    def run(given: Any, other: str) -> Any:
        bill = make_bill()
        charged = charge(bill, "this")
        charge(given, "given")
        made = perdure.start(child, bill).result()
        perdure.set_event("bill", bill)
        perdure.send(other, bill)
        perdure.set_attributes({"a": 1})
        word = perdure.recv("go on")
        ran.append("end")
        return [bill, charged, made, given, word]

    return Program(cls, run, child, listener)


@step(name="kept:undo_charge")
def undo_charge(bill: Any, why: str) -> None:
    """Never run: nothing fails."""


def begun(url: str) -> tuple[str, str]:
    """A run that has recorded all this and waits, and one that was sent a bill and has not read it."""
    program = deploy(first)
    with running(url):
        other = perdure.with_options(id="other").start(program.listener)
        handle = perdure.start(program.run, program.cls(2.5), other.run_id)
        until(lambda: bool(perdure.runs.get(handle.run_id).attributes))
        until(lambda: handle.status() == "parked")
    return handle.run_id, other.run_id


BODIES = ["bill", "charge this", "charge given", "child"]


@pytest.mark.parametrize(("make", "options"), [(first, {}), (with_default, {}), (in_cents, VERSION)])
def test_a_run_goes_on_with_what_was_recorded(url: str, make: Callable[[], type], options: dict[str, Any]) -> None:
    """Results, arguments, children, events, messages and undos are of the class as it is now, and the calls that were
    made with what came of them are the same calls: no body is run again.
    """
    run_id, other_id = begun(url)
    cls = deploy(make, **options).cls
    ours, given = (cls(150), cls(250)) if make is in_cents else (cls(1.5), cls(2.5))
    with running(url), perdure.Client(url) as client:
        handle = client.handle(run_id)
        assert handle.events() == {"bill": ours}
        perdure.send(run_id, ours, topic="go on")
        assert handle.result(20) == [ours, [ours], {"bill": ours}, given, ours]
        assert ran == [*BODIES, "end"]
        assert client.handle(other_id).result(20) == ours


def test_a_run_that_cannot_read_its_values_waits_and_goes_on_once_there_is_an_upcaster(url: str) -> None:
    """It says which run, which step, which field, and what to do; so does who asks from outside."""
    run_id, _ = begun(url)
    deploy(in_cents)
    with running(url), perdure.Client(url) as client:
        perdure.send(run_id, "go", topic="go on")
        handle = client.handle(run_id)
        until(lambda: "mend" in str(handle.explain()))
        assert ".." not in str(handle.explain())
        assert "by the code of worker " in str(handle.explain())  # it has no version of its own
        reason = str(handle.reason)
        for part in ("was declared otherwise", "has the field 'total', which Bill has no more", "upcasters={1: …}"):
            assert part in reason
        with pytest.raises(perdure.SerializationError, match="has the field 'total'"):
            handle.events()
    assert ran == BODIES
    cls = deploy(in_cents, **VERSION).cls
    with running(url), perdure.Client(url) as client:
        assert client.handle(run_id).result(20)[3] == cls(250)
    assert ran == [*BODIES, "end"]


def test_a_result_that_cannot_be_read_names_its_run(url: str) -> None:
    """Who asks for it is told as much as the run itself would be."""
    program = deploy(first)
    with running(url):
        handle = perdure.start(program.child, program.cls(1.5))
        run_id = handle.run_id
        handle.result(20)
    deploy(in_cents)
    with perdure.Client(url) as client, pytest.raises(perdure.SerializationError) as raised:
        client.handle(run_id).result(20)
    assert f"the result of run {run_id} cannot be read: $.bill was stored when" in str(raised.value)


def test_the_same_id_is_the_same_work_after_the_deploy(url: str) -> None:
    """A request that comes again after a deploy is answered by the run that it made before."""
    program = deploy(first)
    with running(url):
        perdure.with_options(id="one").start(program.child, program.cls(1.5)).result(20)
    for make, options, same, other in (
        (with_default, {}, (1.5,), (1.5, "USD")),
        (in_cents, VERSION, (150,), None),
    ):
        program = deploy(make, **options)
        again, bill = perdure.with_options(id="one"), program.cls(*same)
        with running(url):
            assert again.start(program.child, bill).result(20) == {"bill": bill}
            if other is not None:
                with pytest.raises(perdure.RunExistsError, match="exists with other arguments"):
                    again.start(program.child, program.cls(*other))


def test_other_arguments_are_still_a_difference(url: str, next_complaint: Callable[[], str]) -> None:
    """A default that was not there before hides nothing."""
    cls = deploy(first).cls

    def body(currency: list[Any]) -> Callable[..., Any]:
        @step(name=NAMES + "pay")
        def pay(bill: Any) -> None:
            ran.append("pay")

        @workflow(name=NAMES + "pays")
        def pays() -> None:
            pay(cls(1.5, *currency))
            perdure.recv()

        return pays

    with running(url):
        handle = perdure.start(body([]))
        until(lambda: handle.status() == "parked")
    cls = deploy(with_default).cls
    body(["USD"])
    with running(url):
        perdure.send(handle.run_id, "go")
        assert "the code now asks for the same with the arguments" in next_complaint()
    assert ran == ["pay"]
