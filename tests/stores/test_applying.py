"""The contract of `apply`: what each entry does, once, under its claim, and what it does to its neighbours."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted, Entry, Existed, Refused, RunCreated, Stored
from perdure.errors import StoreRefusedError
from perdure.stores.protocol import Fenced, Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    WORK,
    child,
    claim,
    claim_one,
    created,
    finished,
    join,
    parked,
    recorded,
    released,
    state,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def test_a_created_run_is_ready(store: Store) -> None:
    """Without `held_as` a new run waits for a claim, with all that was said about it."""
    entry = created("r", queue="q", kind="step", due_at=None)
    assert store.apply(W1, [entry]) == [Accepted()]
    run = store.runs.row("r")
    assert run is not None
    assert (run.state, run.queue, run.kind, run.name, run.fingerprint) == ("ready", "q", "step", WORK, "f1")
    assert (run.attempts, run.started_at, run.worker_id, run.parent_id) == (0, None, None, None)


def test_a_run_may_be_created_held(store: Store) -> None:
    """With `held_as` the run is in its creator's hands at once, its first attempt charged."""
    store.apply(W1, [created("r", held_as=C1)])
    run = store.runs.row("r")
    assert run is not None
    assert (run.state, run.worker_id, run.attempts) == ("held", W1, 1)
    assert run.started_at is not None
    assert claim(store, W2) == []


def test_a_run_and_its_steps_and_its_end_fit_one_batch(store: Store) -> None:
    """A run that is made, recorded and finished at once is one batch."""
    verdicts = store.apply(W1, [created("r", held_as=C1), recorded("r", C1), finished("r", C1)])
    assert verdicts == [Accepted(), Accepted(), Accepted("succeeded")]
    [ended] = store.runs.ended(["r"])
    assert (ended.state, ended.output, ended.reason) == ("succeeded", Stored("json", "42"), None)


ENDINGS = {
    "finished": finished("r", C1),
    "failed": finished("r", C1, "failed", '"boom"'),
    "parked": parked("r", C1, children_seen=0),
    "needing a mend": parked("r", C1, stopped="mend", reason="the code differs"),
    "released": released("r", C1),
    "released and charged": released("r", C1, charged=True, reason="sys.exit"),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_the_same_batch_again_is_success_and_changes_nothing(store: Store, ending: Entry) -> None:
    """After a lost reply the batch goes again and finds its own traces (rule 6)."""
    batch = [created("r", held_as=C1), child("c", "r", C1), recorded("r", C1, "1"), recorded("r", C1, "2"), ending]
    first = store.apply(W1, batch)
    before = (store.runs.row("r"), store.runs.row("c"), store.runs.histories(["r"])[0], store.runs.ended(["r"]))
    assert store.apply(W1, batch) == first
    assert (store.runs.row("r"), store.runs.row("c"), store.runs.histories(["r"])[0], store.runs.ended(["r"])) == before
    assert all(isinstance(verdict, Accepted) for verdict in first)


def test_a_batch_that_was_half_sent_before_is_completed(store: Store) -> None:
    """Old and new entries may stand side by side in a batch: the old ones are success, the new ones are written."""
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, "1")])
    verdicts = store.apply(W1, [recorded("r", C1, "1"), recorded("r", C1, "2"), created("s")])
    assert verdicts == [Accepted()] * 3
    assert [checkpoint.key for checkpoint in store.runs.checkpoints("r")] == ["1", "2"]
    assert state(store, "s") == "ready"


def test_another_run_with_the_same_id_is_reported(store: Store) -> None:
    """The second creator of an id hears what is there and writes nothing."""
    store.apply(W1, [created("r", fingerprint="first")])
    [verdict] = store.apply(W2, [created("r", entry_id="other", name="app:other", fingerprint="second")])
    assert verdict == Existed("r", WORK, "first", "ready")
    run = store.runs.row("r")
    assert run is not None
    assert (run.name, run.fingerprint) == (WORK, "first")


def test_of_two_creators_in_one_batch_the_first_wins(store: Store) -> None:
    """Two requests may name one id in the same batch."""
    verdicts = store.apply(W1, [created("r", entry_id="a"), created("r", entry_id="b"), created("s")])
    assert verdicts == [Accepted(), Existed("r", WORK, "f1", "ready"), Accepted()]


def test_a_run_that_existed_does_not_refuse_its_creators_claim(store: Store) -> None:
    """Meeting another run is an answer, not a refusal: the creator goes on."""
    store.apply(W1, [created("r", held_as=C1), created("s")])
    verdicts = store.apply(W1, [child("s", "r", C1, entry_id="mine"), recorded("r", C1)])
    assert verdicts == [Existed("s", WORK, "f1", "ready"), Accepted()]


def test_what_would_be_held_but_existed_holds_nothing(store: Store) -> None:
    """Entries under the claim of a run that was not created are refused."""
    store.apply(W1, [created("r")])
    verdicts = store.apply(W1, [created("r", entry_id="mine", held_as=C2), recorded("r", C2)])
    assert isinstance(verdicts[0], Existed)
    assert isinstance(verdicts[1], Refused)
    assert store.runs.checkpoints("r") == []


STALE: dict[str, Entry] = {
    "recorded": recorded("r", C1),
    "finished": finished("r", C1),
    "parked": parked("r", C1),
    "released": released("r", C1, charged=True),
    "child": child("c", "r", C1),
    "held child": child("c", "r", C1, held_as=C3),
}


@pytest.mark.parametrize("entry", STALE.values(), ids=STALE.keys())
def test_an_entry_of_an_ended_claim_writes_nothing(store: Store, entry: Entry) -> None:
    """A leftover of a claim that has ended is refused, also when the same worker holds the run again (rule 2)."""
    store.apply(W1, [created("r", held_as=C1)])
    store.reconcile(W1, [])
    claim_one(store, W1, "r")
    before = store.runs.row("r")
    [verdict] = store.apply(W1, [entry])
    assert isinstance(verdict, Refused)
    assert store.runs.row("r") == before
    assert store.runs.checkpoints("r") == []
    assert store.runs.row("c") is None


def test_an_entry_of_another_workers_claim_writes_nothing(store: Store) -> None:
    """A claim belongs to one worker: knowing its id is not enough."""
    store.apply(W1, [created("r", held_as=C1)])
    [verdict] = store.apply(W2, [recorded("r", C1)])
    assert isinstance(verdict, Refused)
    assert store.runs.checkpoints("r") == []


def test_an_entry_of_an_unknown_run_is_refused(store: Store) -> None:
    """What was never created cannot be written to."""
    [verdict] = store.apply(W1, [recorded("nothing", C1)])
    assert isinstance(verdict, Refused)


def test_a_key_is_recorded_once(store: Store) -> None:
    """Another outcome under a recorded key is refused, and the first stays."""
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, "1")])
    [verdict] = store.apply(W1, [recorded("r", C1, "1", entry_id="another", outcome=Stored("json", "2"))])
    assert isinstance(verdict, Refused)
    assert [checkpoint.outcome.text for checkpoint in store.runs.checkpoints("r")] == ['"outcome of 1"']


def test_a_refused_entry_refuses_the_later_ones_of_its_claim(store: Store) -> None:
    """A result must never be computed from an unrecorded step; the runs beside it commit."""
    store.apply(W1, [created("bad", held_as=C1), created("good", held_as=C2), recorded("bad", C1, "1")])
    verdicts = store.apply(
        W1,
        [
            recorded("bad", C1, "0"),
            recorded("good", C2, "1"),
            recorded("bad", C1, "1", entry_id="another"),
            recorded("bad", C1, "2"),
            child("child of bad", "bad", C1),
            finished("bad", C1),
            finished("good", C2),
            created("outsider"),
        ],
    )
    assert [isinstance(verdict, Refused) for verdict in verdicts] == [
        False,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]
    assert [checkpoint.key for checkpoint in store.runs.checkpoints("bad")] == ["1", "0"]
    assert (state(store, "bad"), state(store, "good"), state(store, "outsider")) == ("held", "succeeded", "ready")
    assert store.runs.row("child of bad") is None


def test_the_steps_of_a_refused_child_are_refused(store: Store) -> None:
    """A run that was not created has no claim to write under."""
    store.apply(W1, [created("r", held_as=C1)])
    store.reconcile(W1, [])
    verdicts = store.apply(W1, [child("c", "r", C1, held_as=C2), recorded("c", C2), finished("c", C2)])
    assert all(isinstance(verdict, Refused) for verdict in verdicts)
    assert store.runs.row("c") is None


def test_a_claim_ends_once(store: Store) -> None:
    """Of two claim-ending entries of one claim the later is refused."""
    store.apply(W1, [created("r", held_as=C1)])
    verdicts = store.apply(W1, [finished("r", C1), released("r", C1)])
    assert isinstance(verdicts[0], Accepted)
    assert isinstance(verdicts[1], Refused)
    assert state(store, "r") == "succeeded"


def test_a_worker_without_a_row_writes_nothing(store: Store) -> None:
    """Takeover deletes the row, and with it the right to write (rule 1)."""
    store.apply(W1, [created("r", held_as=C1)])
    store.workers.take_over(W1)
    for entry in (created("s"), recorded("r", C1), finished("r", C1)):
        with pytest.raises(Fenced):
            store.apply(W1, [entry])
    with pytest.raises(Fenced):
        claim(store, W1)
    with pytest.raises(Fenced):
        store.reconcile(W1, [])
    assert store.runs.row("s") is None
    assert store.runs.checkpoints("r") == []
    assert state(store, "r") == "ready"


def test_an_outsiders_entry_is_sent_again_under_a_new_worker_id(store: Store) -> None:
    """A web request's run is not lost with the worker that carried it: the entry finds itself, whoever sends it."""
    entry = created("r")
    store.apply(W1, [entry])
    store.workers.take_over(W1)
    assert store.apply(W2, [entry]) == [Accepted()]


def test_a_park_gives_the_attempt_back(store: Store) -> None:
    """A run that merely sleeps often does not use up its attempts (rule 11)."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=2)])
    store.apply(W1, [parked("r", C1, due_at=1.0)])
    for _ in range(5):
        taken = claim_one(store, W1, "r")
        store.apply(W1, [parked("r", taken, due_at=1.0)])
    run = store.runs.row("r")
    assert run is not None
    assert (run.state, run.attempts) == ("parked", 0)


def test_a_release_gives_the_attempt_back_unless_it_is_charged(store: Store) -> None:
    """Hand-back is free; a body that wanted to end the process pays."""
    store.apply(W1, [created("free", held_as=C1), created("charged", held_as=C2)])
    store.apply(W1, [released("free", C1), released("charged", C2, charged=True)])
    attempts = {run_id: row.attempts for run_id in ("free", "charged") if (row := store.runs.row(run_id))}
    assert attempts == {"free": 0, "charged": 1}


def test_a_charged_release_at_the_limit_is_the_end(store: Store) -> None:
    """A run that wants to end its process at every attempt ends as `dead`, with a reason."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=1)])
    assert store.apply(W1, [released("r", C1, charged=True, reason="sys.exit")]) == [Accepted("dead")]
    [ended] = store.runs.ended(["r"])
    assert ended.state == "dead"
    assert ended.output is None
    assert ended.reason


def test_a_charged_release_at_the_limit_goes_on_if_the_run_got_further(store: Store) -> None:
    """The count starts anew with every recorded step (rule 11)."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=1)])
    assert store.apply(W1, [recorded("r", C1), released("r", C1, charged=True)]) == [Accepted(), Accepted("ready")]


def test_a_value_that_the_database_refuses_refuses_the_batch(store: Store) -> None:
    """What the database itself rejects is an error of the data, and nothing of the batch is written."""
    broken: RunCreated = created("r", kind="nonsense")
    with pytest.raises(StoreRefusedError):
        store.apply(W1, [created("s"), broken])
    assert store.runs.row("s") is None
    assert store.apply(W1, [created("s")]) == [Accepted()]


def test_an_unencodable_text_is_refused(store: Store) -> None:
    """A lone surrogate is no text that a database can keep."""
    with pytest.raises(StoreRefusedError):
        store.apply(W1, [created("r", held_as=C1), recorded("r", C1, outcome=Stored("json", "\ud800"))])
    assert store.runs.row("r") is None


def test_an_empty_batch_is_nothing(store: Store) -> None:
    """Nothing in, nothing out, but the fence."""
    assert store.apply(W1, []) == []


@pytest.mark.parametrize("is_claimed_again", [False, True])
def test_a_resent_creation_says_where_its_run_is_held_no_more(store: Store, is_claimed_again: bool) -> None:
    """Handed back since: whoever sent it begins nothing under that claim (rule 16)."""
    entry = created("r", held_as=C1)
    assert store.apply(W1, [entry]) == [Accepted()]
    assert store.apply(W1, [entry]) == [Accepted()]
    assert store.reconcile(W1, []) == ["r"]
    if is_claimed_again:
        claim_one(store, W1, "r")
    assert store.apply(W1, [entry]) == [Accepted("held" if is_claimed_again else "ready")]


@pytest.mark.parametrize(
    "end", [finished("r", C1), parked("r", C1), released("r", C1)], ids=lambda end: type(end).__name__
)
def test_a_resent_creation_whose_claim_has_ended_in_the_same_batch_is_plainly_accepted(
    store: Store, end: Entry
) -> None:
    """What ended it is the run's own."""
    entries = [created("r", held_as=C1), recorded("r", C1), end]
    first = store.apply(W1, entries)
    assert first[0] == Accepted()
    assert store.apply(W1, entries) == first


def test_a_batch_of_nothing_tells_whether_the_worker_may_write(store: Store) -> None:
    """So that a journal finds out whether the trouble is the store's."""
    assert store.apply(W1, []) == []
    store.workers.leave(W1)
    with pytest.raises(Fenced):
        store.apply(W1, [])
