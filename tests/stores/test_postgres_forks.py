"""A forked child never speaks on its parent's connections, whatever it does and however it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perdure.stores.postgres import PostgresStore
from tests.stores.entries import W1, join

PARENT = """
import ctypes, os, sys, threading
import psycopg
from perdure.stores.postgres import PostgresStore
from perdure.stores.protocol import NothingDone
from tests.stores.entries import W1, created

def backend(store):
    with store._database.turn.transaction() as transaction:
        return transaction.cursor.execute("SELECT pg_backend_pid()").fetchall()

store = PostgresStore(sys.argv[1])
store.apply(W1, [created("by the parent")])
store.runs.row("by the parent")
before = backend(store)
CHILD
assert os.waitstatus_to_exitcode(status) == 0, status
store.apply(W1, [created("by the parent again")])
assert store.runs.row("by the parent") is not None
assert backend(store) == before, "the parent had to connect again"
store.close()
"""

CHILDREN = {
    "writes and ends": """
child = os.fork()
if child == 0:
    store.apply(W1, [created("by the child")])
    assert backend(store) != before
    store.close()
    sys.exit(0)
_, status = os.waitpid(child, 0)
""",
    "ends at once": """
child = os.fork()
if child == 0:
    sys.exit(0)
_, status = os.waitpid(child, 0)
""",
    "forgets its store": """
child = os.fork()
if child == 0:
    store.abandon()
    del store
    import gc
    gc.collect()
    sys.exit(0)
_, status = os.waitpid(child, 0)
""",
    "is born while a batch is under way": """
rival = psycopg.connect(sys.argv[1])
rival.execute("LOCK TABLE perdure.runs IN EXCLUSIVE MODE")
def apply():
    while True:
        try:
            store.apply(W1, [created("by a thread")])
        except NothingDone:  # it waits for a lock for a moment only
            continue
        return

thread = threading.Thread(target=apply)
thread.start()
blocked = "SELECT 1 FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
while not rival.execute(blocked).fetchall():
    pass
child = os.fork()
if child == 0:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(rival))  # no warning about the test's own connection
    assert store.runs.row("by the parent") is not None
    sys.exit(0)
_, status = os.waitpid(child, 0)
rival.rollback()
rival.close()
thread.join()
assert store.runs.row("by a thread") is not None
""",
}


@pytest.mark.parametrize("child", CHILDREN.values(), ids=CHILDREN.keys())
def test_a_fork_leaves_the_parents_connections_whole(postgres_url: str, child: str) -> None:
    """The parent goes on with the same sessions; warnings are errors on both sides."""
    store = PostgresStore(postgres_url)
    join(store, W1)
    store.close()
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            PARENT.replace("CHILD", child),
            postgres_url,
        ],
        capture_output=True,
        text=True,
        cwd=root,
        env={"PYTHONPATH": f"{root / 'src'}:{root}"},
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
