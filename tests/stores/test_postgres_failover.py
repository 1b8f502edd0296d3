"""What a failover, or a service that hides things, must not break; and plans beside a long history.

These tests change functions, rights and statistics, so each has a database of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from perdure._entries import Accepted
from perdure.stores.postgres import PostgresStore
from perdure.stores.protocol import Fenced
from tests.stores.entries import C1, W1, W2, WORK, claim, created, join, recorded
from tests.stores.rivals import DECISIONS, Rival


@pytest.fixture
def rival(own_postgres_url: str) -> Iterator[Rival]:
    """A session of the test's own."""
    rival = Rival(own_postgres_url)
    yield rival
    rival.connection.close()
    rival.watcher.close()


@pytest.fixture
def postgres(own_postgres_url: str) -> Iterator[PostgresStore]:
    """The store that the rival meets."""
    store = PostgresStore(own_postgres_url)
    yield store
    store.close()


@pytest.mark.parametrize("decision", ["apply", "claim", "reconcile"])
def test_a_failover_that_changes_the_timeline_fences_every_worker(
    postgres: PostgresStore, rival: Rival, decision: str
) -> None:
    """Rule 1: the memory of the process may be ahead of the database then."""
    join(postgres, W1)
    postgres.apply(W1, [created("r", held_as=C1)])
    rival.connection.execute("UPDATE perdure.workers SET timeline = '00000000'")
    rival.commit()
    decide: dict[str, Callable[[], object]] = {
        "apply": lambda: postgres.apply(W1, [recorded("r", C1)]),
        "claim": lambda: claim(postgres, W1, 1),
        "reconcile": lambda: postgres.reconcile(W1, []),
    }
    with pytest.raises(Fenced):
        decide[decision]()
    postgres.workers.leave(W1)
    assert postgres.workers.all() == []


@pytest.fixture
def untold(postgres: PostgresStore, rival: Rival) -> PostgresStore:
    """A service that refuses to tell its timeline."""
    rival.replace_timeline("NULL")
    rival.commit()
    join(postgres, W1)
    return postgres


def test_without_a_timeline_a_lost_write_fences(untold: PostgresStore, rival: Rival) -> None:
    """A failover that lost the last transaction shows in the row's own count."""
    untold.apply(W1, [created("r", held_as=C1)])
    untold.apply(W1, [recorded("r", C1)])
    rival.connection.execute("UPDATE perdure.workers SET writes = writes - 1")
    rival.commit()
    with pytest.raises(Fenced):
        untold.apply(W1, [recorded("r", C1, "2")])


def test_without_a_timeline_a_lost_reply_does_not_fence(untold: PostgresStore, rival: Rival) -> None:
    """The same batch goes again and is success."""
    rival.apply(W1, created("r"))
    rival.commit()
    assert untold.apply(W1, [created("r")]) == [Accepted()]
    assert untold.apply(W1, [created("s")]) == [Accepted()]


def test_only_with_a_timeline_a_claim_may_go_beside_a_batch(untold: PostgresStore, rival: Rival) -> None:
    """Two that count at once would both expect the same number, and one of them be fenced."""
    assert not untold.may_claim_beside
    rival.replace_timeline("'told'")
    rival.commit()
    join(untold, W2)
    assert untold.may_claim_beside


def test_a_role_without_the_right_gets_no_timeline(postgres: PostgresStore, rival: Rival) -> None:
    """The function answers NULL instead of failing; all other roles get one."""
    question = DECISIONS.marked("SELECT perdure.current_timeline()").encode()
    assert rival.watcher.execute(question).fetchall() != [(None,)]
    connection = rival.connection
    connection.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")
    connection.execute("CREATE ROLE perdure_ordinary")
    connection.execute("GRANT USAGE ON SCHEMA perdure TO perdure_ordinary")
    connection.execute("SET ROLE perdure_ordinary")
    assert connection.execute(question).fetchall() == [(None,)]
    connection.rollback()


def test_questions_use_indexes_whatever_the_history(postgres: PostgresStore, rival: Rival) -> None:
    """Twenty thousand ended runs are not looked at by the pulse, by waiting, or by loading a history."""
    connection = rival.connection
    connection.execute(
        "INSERT INTO perdure.runs (id, kind, name, queue, state, priority, attempts, max_attempts, created_by, "
        "fingerprint, finished_at) SELECT n::text, 'step', %s, '', 'succeeded', 0, 1, 10, n::text, 'f', now() "
        "FROM generate_series(1, 20000) AS n",
        [WORK],
    )
    connection.execute(
        "INSERT INTO perdure.messages (run_id, kind, consumed_at) SELECT id, 'cancel', now() FROM perdure.runs"
    )
    connection.commit()
    connection.autocommit = True
    connection.execute("ANALYZE perdure.runs, perdure.messages, perdure.checkpoints")
    values = {"worker_id": W1, "queues": '{""}', "names": f"{{{WORK}}}", "run_ids": "{1,2}", "run_id": "1"}
    values["floors"] = "[]"
    for name in ("pulse", "ended_runs", "history_children", "run", "has_open_cancels", "mend_runs", "cancel_runs"):
        query = b"EXPLAIN (FORMAT json) " + DECISIONS.text(name).encode()
        [(plan,)] = connection.execute(query, values).fetchall()
        assert "Seq Scan" not in json.dumps(plan), (name, plan)
