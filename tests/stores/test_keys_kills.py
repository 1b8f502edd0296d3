"""Submitters that are killed in the middle: a key is one run's at a time, by a count from outside. On every store."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

import psycopg
import pytest

from perdure.stores.protocol import Store
from tests.stores.entries import W1, claim, finished, fresh_claims, join

SUBMITTER = """
import random, sys
from perdure import Client, DuplicateRunError

chance = random.Random(sys.argv[2])
with Client(sys.argv[1]) as client:
    while True:
        key = chance.choice("xyz")
        try:
            made = client.with_options(dedup=key).submit("app:work", key)
        except DuplicateRunError:
            continue
        print(made.run_id, flush=True)
"""

TWICE = """
SELECT dedup_key FROM {}runs WHERE finished_at IS NULL AND dedup_key IS NOT NULL GROUP BY dedup_key HAVING count(*) > 1
"""
ALL = "SELECT id FROM {}runs WHERE dedup_key IS NOT NULL"


def rows_of(url: str, query: str) -> list[Any]:
    """Asked by somebody else."""
    if url.startswith("postgres"):
        with psycopg.connect(url) as postgres:
            return postgres.execute(query.format("perdure.").encode()).fetchall()
    with closing(sqlite3.connect(url, timeout=30)) as sqlite:
        return sqlite.execute(query.format("")).fetchall()


@pytest.mark.long
def test_killed_submitters_leave_one_run_for_each_key(store: Store, store_url: str) -> None:
    """Three at a time, twelve deaths; what a submitter was told of is there, and no key has two that are unfinished."""
    join(store, W1)
    processes: list[subprocess.Popen[str]] = []
    told: list[str] = []
    ended = 0

    def spawn(number: int) -> None:
        command = [sys.executable, "-c", SUBMITTER, store_url, str(number)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))

    def reap(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        told.extend(line.strip() for line in process.stdout if line.endswith("\n"))
        process.wait()
        process.stdout.close()

    for number in range(3):
        spawn(number)
    for number in range(3, 15):
        goal = ended + 12
        while ended < goal:
            for run in claim(store, W1, claims=fresh_claims(10)):
                store.apply(W1, [finished(run.run_id, run.claim)])
                ended += 1
            assert rows_of(store_url, TWICE) == []
        reap(processes.pop(0))
        spawn(number)
    for process in processes:
        reap(process)
    there = {run_id for (run_id,) in rows_of(store_url, ALL)}
    assert set(told) <= there
    assert len(told) >= len(there) - 15  # the last of each life may have been told to nobody
    assert rows_of(store_url, TWICE) == []
