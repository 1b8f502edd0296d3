"""Which arguments of a step must be the same on replay, and what is shown where they are not."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pydantic
import pytest

import perdure
from perdure import step, workflow
from perdure._core.step_call import step_call
from tests.conformance.ledger import ran, replay

pytestmark = pytest.mark.usefixtures("app")
COUNTS: Iterator[int] = itertools.count()
"""Another number each time that somebody asks, as a clock."""


@step(ignore={"now", "client"})
def stamps(text: str, now: int, *, client: Any = None) -> str:
    """Two arguments are not compared, one of them cannot be stored."""
    ran.append("stamps")
    assert client is None or client.locked() is False
    return f"{text} {now >= 0}"


@step(fingerprint=lambda document, *rest: document["id"])
def indexes(document: dict[str, Any], *rest: object) -> int:
    """Compared by its id."""
    ran.append("indexes")
    document["id"] = "changed"
    return len(rest)


@workflow
def calls_with_what_differs() -> list[Any]:
    """At each replay the arguments are others."""
    document = {"id": "d", "seen": next(COUNTS)}
    seen = [
        stamps("a", next(COUNTS), client=threading.Lock()),
        stamps("b", now=next(COUNTS)),
        indexes(document, next(COUNTS), threading.Lock()),
        document["id"],
    ]
    replay()
    return seen


def test_what_a_step_ignores_or_puts_in_its_place_may_differ_on_replay() -> None:
    """And need not be storable; what is, is a copy as ever."""
    assert calls_with_what_differs() == ["a True", "b True", 2, "d"]
    assert ran == ["stamps", "stamps", "indexes"]


@step
async def counts(rows: list[list[int]]) -> int:
    return len(rows)


@workflow
async def changes_what_it_has_given() -> list[int]:
    """Many rows, and more of them as soon as the call is made."""
    rows = [[number, number] for number in range(20_000)]
    call = asyncio.create_task(counts(rows))
    rows.append([])
    await asyncio.sleep(0)
    rows.clear()
    return [await call, len(rows)]


def test_what_a_call_is_given_is_what_it_was_when_the_call_was_made() -> None:
    """However large: its fingerprint would else depend on what other tasks do while it is written."""
    assert asyncio.run(changes_what_it_has_given()) == [20_000, 0]


def test_an_argument_that_is_ignored_may_be_left_out() -> None:
    """The same call, with it and without it, and by name or position, is the same."""
    definition = stamps.__perdure__  # type: ignore[attr-defined]
    serializer = perdure._api.app.current_runtime().serializer
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (("a", 1), {}),
        (("a", 2), {"client": threading.Lock()}),
        (("a",), {"now": 3}),
        ((), {"now": 4, "text": "a", "client": None}),
    ]
    fingerprints = {definition.store_arguments(serializer, args, kwargs)[1] for args, kwargs in calls if not kwargs}
    calls_of = [step_call(Holder(serializer), definition, "0", args, kwargs) for args, kwargs in calls]
    assert len({call.fingerprint for call in calls_of} | fingerprints) == 1


@dataclass
class Holder:
    """As much of a run as a call asks for."""

    serializer: Any


def method_of_nothing(self: object) -> None:
    """A function with a parameter called self."""


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"ignore": "now"}, "names of parameters"),
        ({"ignore": {"clock"}}, "'clock', which is no parameter; it has text, now, rest"),
        ({"ignore": {"rest"}}, "any number of arguments"),
        ({"ignore": {"now"}, "fingerprint": len}, "leave out ignore="),
        ({"fingerprint": "text"}, "plain function"),
        ({"key": len}, "none to compare"),
        ({"key": len, "fingerprint": len}, "leave out"),
    ],
    ids=str,
)
def test_what_a_step_declares_is_checked_when_it_is_defined(options: dict[str, Any], word: str) -> None:
    """A misspelt name would never be found otherwise."""

    def writes(text: str, now: int, *rest: str) -> None: ...

    with pytest.raises(perdure.UsageError, match=word):
        step(name="conformance:writes", **options)(writes)


@step
def notes(*values: Any) -> None:
    """Takes anything."""


@workflow
def child(*values: Any) -> None:
    """The same, as a run."""


ASKED: list[Any] = []


@workflow
def asks_for(kind: str) -> None:
    """The next of what is asked for, at each replay."""
    {"notes": notes, "child": child}[kind](*ASKED.pop(0))
    replay()


LONG = "x" * 150


@pytest.mark.parametrize("kind", ["notes", "child"])
@pytest.mark.parametrize(
    ("was", "now", "shown"),
    [
        ((1, "two"), (1, "three"), ['the arguments [1,"two"]', 'the arguments [1,"three"]']),
        (({"b": 1, "a": LONG, "z": 5},), ({"b": 1, "a": LONG, "z": 6},), ['"z":5}]', '"z":6}]']),
        ((LONG, LONG, 1), (LONG, LONG, 2), ["arguments that begin with", "in what is not shown"]),
        ((1,), (1, 2), ["the arguments [1]", "the arguments [1,2]"]),
    ],
    ids=["scalars", "objects", "long", "more"],
)
def test_a_difference_shows_both_arguments_where_they_part(
    next_complaint: Callable[[], str], kind: str, was: Any, now: Any, shown: list[str]
) -> None:
    """Two hashes tell nobody what to mend."""
    ASKED[:] = [was, now]
    perdure.start(asks_for, kind)
    complaint = next_complaint()
    assert [text for text in shown if text not in complaint] == []


@perdure.register
@dataclass
class Login:
    """A field that is not to be shown."""

    user: str
    password: str = field(repr=False)


@perdure.register
class Account(pydantic.BaseModel):
    """The same of pydantic's, around another."""

    login: Login
    token: str = pydantic.Field(repr=False)


def test_what_is_not_to_be_shown_is_not_kept(next_complaint: Callable[[], str], app: perdure.Perdure) -> None:
    """Neither in the error, nor in the database beside the checkpoint."""
    hidden = Account(login=Login("ann", "hunter2"), token="t0ken")  # noqa: S106
    url = "postgresql://ann:hunter3@db/app"
    ASKED[:] = [(hidden, url), (Account(login=Login("bob", "hunter2"), token="t0ken"), url)]  # noqa: S106
    handle = perdure.start(asks_for, "notes")
    complaint = next_complaint()
    assert '"user":"ann"' in complaint
    assert '"user":"bob"' in complaint
    assert app._runtime is not None
    kept = "".join(row.arguments or "" for row in app._runtime.store.runs.checkpoints(handle.run_id))
    assert '"ann"' in kept
    assert [secret for secret in ("hunter2", "hunter3", "t0ken") if secret in complaint + kept] == []


def test_another_codec_keeps_no_preview() -> None:
    """It may be there to encrypt."""
    serializer = perdure._api.app.current_runtime().serializer
    other = type(serializer)(serializer._registry, perdure.ZlibCodec(perdure.JsonCodec()))
    assert other.accept_call(([1],), {}, what="x")[1] is None
    assert serializer.accept_call(([1],), {}, what="x")[1] == "[[1]]"
