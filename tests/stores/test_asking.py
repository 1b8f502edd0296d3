"""The contract of updates and questions: an answer is kept with what asked for it, and the first one counts."""

from __future__ import annotations

from typing import Any

import pytest

from perdure._entries import Accepted, Answer, Refused, Stored, UpdateAnswered, UpdateRefused, UpdateSeen
from perdure.stores.protocol import Question, Store
from tests.stores.entries import (
    C1,
    C2,
    EMPTY,
    W1,
    W2,
    WORK,
    arrived,
    created,
    finished,
    join,
    named_uuid,
    received,
    released,
    sent,
    state,
)

YES = Stored("json", '"yes"')
NO = Stored("json", '"no"')


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def answered(run_id: str, claim: str, message_id: str, key: str = "2", **changes: Any) -> UpdateAnswered:
    """The outcome of what the message asked for."""
    values: dict[str, Any] = {
        "entry_id": f"answered {key}",
        "key": key,
        "kind": "answer",
        "name": "add",
        "fingerprint": "-",
        "is_error": False,
        "outcome": YES,
    }
    return UpdateAnswered(run_id, claim, message_id=named_uuid(message_id), **(values | changes))


def refused(run_id: str, claim: str, message_id: str) -> UpdateRefused:
    """The run does not do it."""
    return UpdateRefused(run_id, claim, named_uuid(message_id), NO)


def seen(store: Store, *message_ids: str, run_id: str = "r") -> list[UpdateSeen]:
    """What whoever asked sees."""
    return store.said.answers([(run_id, named_uuid(name)) for name in message_ids])


def asked(store: Store, *names: str) -> None:
    """A held run, with these messages."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [sent("r", name) for name in names])


def test_an_answer_is_seen_by_whoever_asked(store: Store) -> None:
    """Before that, whether it was accepted; with the state of the run, in the order of the question."""
    asked(store, "m", "n", "o")
    store.apply(W1, [received("r", C1, "m", kind="update")])
    assert seen(store, "n", "m", "o") == [UpdateSeen("held"), UpdateSeen("held", True), UpdateSeen("held")]
    store.apply(W1, [answered("r", C1, "m"), refused("r", C1, "n")])
    store.apply(W1, [received("r", C1, "o", "3", kind="update"), answered("r", C1, "o", "4", is_error=True)])
    assert seen(store, "n", "m", "o") == [
        UpdateSeen("held", True, "refusal", NO),
        UpdateSeen("held", True, "value", YES),
        UpdateSeen("held", True, "error", YES),
    ]
    store.apply(W1, [finished("r", C1)])
    assert seen(store, "m")[0].state == "succeeded"
    assert seen(store, "m", run_id="nobody") == [UpdateSeen(None)]


def test_the_same_batch_again_is_success(store: Store) -> None:
    """After a lost reply; and the first answer stays."""
    asked(store, "m", "n")
    batch = [received("r", C1, "m", kind="update"), answered("r", C1, "m"), refused("r", C1, "n")]
    assert store.apply(W1, batch) == store.apply(W1, batch) == [Accepted()] * 3
    [verdict] = store.apply(W1, [answered("r", C1, "m", entry_id="another", outcome=NO)])
    assert isinstance(verdict, Refused)
    assert [one.answer for one in seen(store, "m", "n")] == [YES, NO]
    assert [row.kind for row in store.runs.checkpoints("r")] == ["update", "answer"]


def test_who_has_lost_the_run_answers_nothing(store: Store) -> None:
    """Rule 2; a refusal, too."""
    asked(store, "m", "n")
    store.apply(W1, [released("r", C1)])
    for entry in (answered("r", C1, "m"), refused("r", C1, "n")):
        [verdict] = store.apply(W1, [entry])
        assert isinstance(verdict, Refused)
    assert seen(store, "m", "n") == [UpdateSeen("ready"), UpdateSeen("ready")]
    assert len(arrived(store, "r", "a")) == 2


def test_a_fork_answers_nobody(store: Store) -> None:
    """The outcome is recorded; what was asked of another run is that one's to answer."""
    asked(store, "m")
    store.apply(W1, [created("fork", held_as=C2)])
    assert store.apply(W1, [answered("fork", C2, "m")]) == [Accepted()]
    assert seen(store, "m") == [UpdateSeen("held")]


def test_an_outsider_sends_messages(store: Store) -> None:
    """What a client asks for, once."""
    store.apply(W1, [created("r", held_as=C1)])
    batch = [sent("r", "m"), created("s")]
    assert [type(verdict) for _ in range(2) for verdict in store.create(batch)] == [Accepted] * 4
    assert [told.run_id for told in store.hear(W1, ()).told] == ["r"]
    assert len(arrived(store, "r", "a")) == 1


def question(name: str, run_id: str = "r") -> Question:
    """What somebody asks."""
    return Question(named_uuid(name), run_id, name, EMPTY)


def has_questions(store: Store) -> bool:
    """What the pulse says."""
    return store.pulse(W1, [""], [WORK]).has_questions


def test_a_question_is_for_the_holder_or_for_whoever_has_the_code(store: Store) -> None:
    """Of a run that nobody holds; also when it has ended."""
    store.apply(W1, [created("r", held_as=C1), created("s")])
    assert not has_questions(store)
    for name, run_id in (("q", "r"), ("p", "s")):
        store.questions.ask(question(name, run_id), 60.0)
        store.questions.ask(question(name, run_id), 60.0)
    assert has_questions(store)
    assert store.questions.open(W1, [WORK], 10) == [question("q"), question("p", "s")]
    assert store.questions.open(W1, ["other"], 10) == [question("q")]
    assert store.questions.open(W2, [WORK], 10) == [question("p", "s")]
    assert store.questions.open(W2, ["other"], 10) == []
    store.apply(W1, [finished("r", C1)])
    assert store.questions.open(W2, [WORK], 1) == [question("q")]


def test_the_first_answer_counts(store: Store) -> None:
    """One from memory only under the claim that the run is held under."""
    store.apply(W1, [created("r", held_as=C1)])
    store.questions.ask(question("q"), 60.0)
    asked_id = question("q").question_id
    assert store.said.replies([asked_id])[0].answer is None
    assert not store.questions.answer(asked_id, Answer("value", YES), C2)
    assert store.questions.answer(asked_id, Answer("value", YES), C1)
    assert not store.questions.answer(asked_id, Answer("error", NO), None)
    assert store.said.replies([named_uuid("other"), asked_id])[1].answer == Answer("value", YES)
    assert not has_questions(store)
    store.questions.withdraw(asked_id)
    assert store.said.replies([asked_id])[0].answer is None


def test_a_question_that_nobody_waits_for_is_forgotten(store: Store) -> None:
    """It is not answered any more, and the next one takes it away."""
    store.apply(W1, [created("r", held_as=C1)])
    store.questions.ask(question("old"), 0.0)
    assert store.questions.open(W1, [WORK], 10) == []
    assert not has_questions(store)
    store.questions.ask(question("q"), 60.0)
    assert store.questions.answer(question("old").question_id, Answer("value", YES), None) is False
    store.questions.ask(question("of nobody", "nobody"), 60.0)
    assert store.questions.open(W1, [WORK], 10) == [question("q")]


def test_a_run_is_read_as_it_would_be_claimed(store: Store) -> None:
    """Whatever its state, and it stays in that."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [finished("r", C1)])
    found = store.questions.run("r")
    assert found is not None
    assert (found.run_id, found.name, found.input) == ("r", WORK, created("r").input)
    assert state(store, "r") == "succeeded"
    assert store.questions.run("nobody") is None
