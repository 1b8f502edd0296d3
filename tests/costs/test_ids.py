"""Ids that are drawn many at a time are as good as those drawn one by one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from uuid import RFC_4122, UUID

from perdure._engine.ids import fresh_id


def test_ids_are_random_uuids() -> None:
    """Version 4, in the usual spelling, each but once."""
    ids = [fresh_id() for _ in range(2_000)]

    assert len(set(ids)) == 2_000
    assert all(str(UUID(one)) == one and UUID(one).version == 4 and UUID(one).variant == RFC_4122 for one in ids)


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
