"""Ids that are drawn many at a time are as good as those drawn one by one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from uuid import RFC_4122, UUID

from perdure._core.flows.child import child_id
from perdure._engine.ids import fresh_id


def test_ids_are_uuids_in_the_order_of_time() -> None:
    """Version 7, in the usual spelling, each but once; half of it random."""
    before = time.time_ns()
    ids = [fresh_id() for _ in range(2_000)]
    after = time.time_ns()

    assert len(set(ids)) == 2_000
    assert all(str(UUID(one)) == one and UUID(one).version == 7 and UUID(one).variant == RFC_4122 for one in ids)
    assert [one[:18] for one in ids] == sorted(one[:18] for one in ids)
    assert all(before // 1_000_000 <= UUID(one).int >> 80 <= after // 1_000_000 for one in ids)
    assert len({one[19:] for one in ids}) == 2_000


def test_a_family_lies_together() -> None:
    """A child's id is a UUID that begins as its parent's does; of a parent whose id is no UUID, a UUID all the same."""
    parent = fresh_id()
    child = child_id(parent, "0")
    grandchild = child_id(child, "step.0/7")

    assert parent[:11] == child[:11] == grandchild[:11]
    for one in (child, grandchild, child_id("order-17", "0")):
        assert str(UUID(one)) == one
        assert UUID(one).version == 8
    assert len({child_id(parent, str(number)) for number in range(2_000)}) == 2_000


def test_threads_never_share_an_id() -> None:
    """However they meet at an empty store."""
    ids: list[str] = []

    def draw() -> None:
        ids.extend([fresh_id() for _ in range(3_000)])

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(ids)) == 18_000


FORKED = """
import os
from perdure._core.flows.child import child_id
from perdure._engine.ids import fresh_id
fresh_id()
child = os.fork()
if child:
    os.waitpid(child, 0)
print(fresh_id(), flush=True)
"""


def test_a_forked_child_draws_its_own() -> None:
    """It throws away what its parent had drawn for itself."""
    ran = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, env=os.environ)

    theirs, ours = ran.stdout.split()
    assert theirs != ours
