"""A worker's own session: its lock, and what processes say to each other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from perdure.stores.hints import MOST_BYTES, hint_of, texts_of
from perdure.stores.protocol import Hint, Session, Store, WorkerRow
from tests.stores.entries import OpenAnother


def joined(store: Store, closing: list[Session]) -> tuple[str, Session]:
    """A worker that has joined and holds its lock."""
    worker_id = str(uuid.uuid4())
    store.workers.join(WorkerRow(worker_id, "here", 1), 30.0)
    session = store.session()
    closing.append(session)
    session.hold(worker_id)
    session.wait(0.0)
    return worker_id, session


@pytest.fixture
def closing() -> Iterator[list[Session]]:
    """Sessions that are closed after the test."""
    sessions: list[Session] = []
    yield sessions
    for session in sessions:
        session.close()


def test_what_another_process_says_is_heard(store: Store, open_another: OpenAnother, closing: list[Session]) -> None:
    """Of queues and of ends, or at least that something has changed."""
    _, session = joined(store, closing)
    other_store = open_another()
    worker_id, other = joined(other_store, closing)
    session.wait(0.0)

    other_store.workers.renew(worker_id)  # a commit, which is all that a file tells
    other.say(Hint(frozenset({"mail"}), frozenset({"a run"})))

    heard = session.wait(60.0)
    while not any(hint.ended or hint.is_vague for hint in heard):
        heard += session.wait(60.0)
    assert any(hint.is_vague or "mail" in hint.queues for hint in heard)


def test_a_poke_ends_the_wait(store: Store, closing: list[Session]) -> None:
    """Whoever has something to say, or to stop, wakes the thread."""
    _, session = joined(store, closing)
    session.poke()
    assert session.wait(600.0) == []


def test_locks_are_seen(postgres_url: str, closing: list[Session]) -> None:
    """Held while its session lives; free when that ends, however it does."""
    from perdure.stores.open import open_store

    one, two = open_store(postgres_url), open_store(postgres_url)
    one.migrate()
    first, session = joined(one, closing)
    second, other = joined(two, closing)

    seen = session.locks()
    assert seen is not None
    assert seen.held == {first, second}
    two.close()
    while (seen := session.locks()) is not None and second in seen.held:
        pass
    assert seen is not None
    assert seen.free == {second}
    other.hold(second)
    again = session.locks()
    assert again is not None
    assert again.held == {first, second}
    assert again.session == seen.session
    one.close()
    two.close()


def test_a_file_has_no_locks_of_sessions(tmp_path: object, closing: list[Session]) -> None:
    """There the file lock is the sign of life."""
    from perdure.stores.open import open_store

    store = open_store(f"{tmp_path}/perdure.db")
    store.migrate()
    _, session = joined(store, closing)
    assert session.locks() is None
    store.close()


@pytest.mark.parametrize(
    "hint",
    [
        Hint(frozenset({"a", "b"}), frozenset({"x"})),
        Hint(frozenset(), frozenset(str(n) for n in range(950))),
        Hint(frozenset({"ü" * 40})),
    ],
)
def test_hints_are_read_as_they_are_said(hint: Hint) -> None:
    """Over several messages, each of which fits into a notification."""
    texts = texts_of(hint)
    assert all(len(text.encode()) <= MOST_BYTES for text in texts)
    read = [hint_of(text) for text in texts]
    assert frozenset().union(*(each.queues for each in read)) == hint.queues
    assert frozenset().union(*(each.ended for each in read)) == hint.ended


@pytest.mark.parametrize(
    "hint", [Hint(is_vague=True), Hint(frozenset({"q" * 9_000})), Hint(frozenset(), frozenset(map(str, range(5_000))))]
)
def test_what_cannot_be_said_is_vague(hint: Hint) -> None:
    """Who hears it looks for itself."""
    assert [hint_of(text).is_vague for text in texts_of(hint)] == [True]


@pytest.mark.parametrize("text", ["", "no json", "[]", "3", '{"q": 5}', '{"later": ["x"]}'])
def test_what_cannot_be_read_is_vague(text: str) -> None:
    """Another release may say more."""
    assert hint_of(text).is_vague
