"""What a decision costs, counted in statements: a batch of many runs uses as many as a batch of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from perdure._entries import Accepted, Entry, Refused
from perdure.stores.protocol import Store
from tests.stores.entries import (
    W1,
    WORK,
    child,
    claim,
    created,
    finished,
    fresh_claims,
    join,
    parked,
    recorded,
    released,
)

Statements = Callable[[Callable[[], Any]], list[str]]
MANY = 500


@pytest.fixture
def statements(store: Store) -> Statements:
    """The names of the statements that an action runs."""

    def count(action: Callable[[], Any]) -> list[str]:
        names: list[str] = []
        store.on_statement = names.append  # type: ignore[attr-defined]  # the stores' own hook, not in the protocol
        action()
        store.on_statement = None  # type: ignore[attr-defined]
        return names

    join(store, W1)
    store.apply(W1, [])  # a connection's first use may cost more
    store.workers.renew(W1)
    return count


def ids(number: int) -> list[str]:
    """That many run ids, of runs that no other batch of the test has."""
    return [f"run {n} of {number}" for n in range(number)]


def held(store: Store, number: int) -> list[tuple[str, str]]:
    """That many held runs, each with its claim."""
    pairs = list(zip(ids(number), fresh_claims(number), strict=True))
    store.apply(W1, [created(run_id, held_as=taken) for run_id, taken in pairs])
    return pairs


BATCHES: dict[str, Callable[[Store, int], Sequence[Entry]]] = {
    "created": lambda store, n: [created(run_id) for run_id in ids(n)],
    "created held": lambda store, n: [
        created(run_id, held_as=taken) for run_id, taken in zip(ids(n), fresh_claims(n), strict=True)
    ],
    "children": lambda store, n: [child(f"child of {r}", r, taken) for r, taken in held(store, n)],
    "recorded": lambda store, n: [recorded(run_id, taken) for run_id, taken in held(store, n)],
    "finished": lambda store, n: [finished(run_id, taken) for run_id, taken in held(store, n)],
    "parked": lambda store, n: [parked(run_id, taken, due_at=4e9) for run_id, taken in held(store, n)],
    "released": lambda store, n: [released(run_id, taken) for run_id, taken in held(store, n)],
    "all kinds": lambda store, n: [
        entry
        for run_id, taken in held(store, n)
        for entry in (child(f"child of {run_id}", run_id, taken), recorded(run_id, taken), finished(run_id, taken))
    ],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
def test_a_batch_of_many_uses_as_many_statements_as_a_batch_of_one(
    store: Store, statements: Statements, batch: Callable[[Store, int], Sequence[Entry]]
) -> None:
    """Set-wise, whatever the kind; a step alone may need even fewer."""
    one, two, many = batch(store, 1), batch(store, 2), batch(store, MANY)
    alone, of_two = statements(lambda: store.apply(W1, one)), statements(lambda: store.apply(W1, two))
    assert statements(lambda: store.apply(W1, many)) == of_two
    assert len(alone) <= len(of_two)
    assert all(isinstance(verdict, Accepted) for verdict in store.apply(W1, [*one, *two, *many]))


def test_a_batch_with_refused_entries_uses_as_many_statements_however_long(
    store: Store, statements: Statements
) -> None:
    """The slow way is set-wise too."""

    def half_refused(number: int) -> Sequence[Entry]:
        pairs = held(store, number)
        return [recorded(run_id, taken, key) for run_id, taken in pairs for key in ("1", "2")] + [
            recorded(run_id, fresh_claims(1)[0], "3") for run_id, _ in pairs
        ]

    one, many = half_refused(1), half_refused(MANY)
    assert statements(lambda: store.apply(W1, one)) == statements(lambda: store.apply(W1, many))
    verdicts = store.apply(W1, [*one, *many])
    assert sum(isinstance(verdict, Refused) for verdict in verdicts) == MANY + 1


def test_cancelled_ends_use_as_many_statements_however_many(store: Store, statements: Statements) -> None:
    """Passing cancels on to children is one statement, too."""

    def cancelled(number: int) -> Sequence[Entry]:
        pairs = held(store, number)
        for run_id, _ in pairs:
            store.cancels.ask([run_id])
        return [finished(run_id, taken) for run_id, taken in pairs]

    one, many = cancelled(1), cancelled(20)
    assert statements(lambda: store.apply(W1, one)) == statements(lambda: store.apply(W1, many))


def test_a_claim_of_many_uses_as_many_statements_as_a_claim_of_one(store: Store, statements: Statements) -> None:
    """However many slots are free."""
    store.apply(W1, [created(run_id) for run_id in ids(MANY)])
    one = statements(lambda: claim(store, W1, 1))
    assert statements(lambda: claim(store, W1, MANY)) == one


def test_ended_is_one_statement(store: Store, statements: Statements) -> None:
    """A waiter for ten thousand children asks once."""
    store.apply(W1, [finished(run_id, taken) for run_id, taken in held(store, MANY)])
    assert len(statements(lambda: store.runs.ended(ids(MANY)))) == 1
    assert len(store.runs.ended(ids(MANY))) == MANY


def test_a_pulse_is_one_statement(store: Store, statements: Statements) -> None:
    """This is what an idle second costs."""
    assert len(statements(lambda: store.pulse(W1, ["", "q"], [WORK]))) == 1


def test_a_cancel_and_a_renewal_are_one_statement(store: Store, statements: Statements) -> None:
    """Both are committed by themselves."""
    held(store, 1)
    assert len(statements(lambda: store.cancels.ask(ids(1)))) == 1
    assert len(statements(lambda: store.workers.renew(W1))) == 1
