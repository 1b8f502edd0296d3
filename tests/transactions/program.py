"""Runs one workflow of transactional steps, and dies before the nth thing that is done on their connections."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import perdure
from perdure import Transactions
from perdure._api import transactions
from perdure._api.transacting.opened import Ask, Work
from tests.transactions.sources import POSTGRES, SQLITE

url, name, dies_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
way = (POSTGRES if url.startswith("postgres") else SQLITE)[name]
ledger = Transactions(way.source(url))
done = 0


def dying(work: Work[Any]) -> Work[Any]:
    """The same, until it is time to die."""
    global done
    try:
        asked = next(work)
        while True:
            done += 1
            if done == dies_at:
                os._exit(9)
            try:
                reply = yield Ask(asked.work, asked.is_whole)
            except BaseException as error:
                asked = work.throw(error)
            else:
                asked = work.send(reply)
    except StopIteration as stop:
        return stop.value


drive, adrive = transactions.drive, transactions.adrive
transactions.drive = lambda work: drive(dying(work))
transactions.adrive = lambda work: adrive(dying(work))

if way.is_async:

    @ledger.step
    async def enter(connection: Any, who: str) -> str:
        await way.write(connection, who)
        return who

    @perdure.workflow(max_attempts=100)
    async def enter_all() -> list[str]:
        return list(await asyncio.gather(*(enter(who) for who in ("ada", "bob"))))

else:

    @ledger.step
    def enter(connection: Any, who: str) -> str:
        way.write(connection, who)
        return who

    @perdure.workflow(max_attempts=100)
    def enter_all() -> list[str]:
        return [enter(who) for who in ("ada", "bob")]


with perdure.running(url, poll_seconds=0.1):
    assert perdure.with_options(id="all").start(enter_all).result(60) == ["ada", "bob"]
os._exit(0)
