"""A client answers hooks, with or without the code that waits for them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import perdure
from perdure import Client, HookAnswerError, HookNotFoundError, HookRejectedError, HookResolvedError, UsageError
from tests.inside.stores import HookOpened, Stored, open_store
from tests.stores.entries import C1, W1, created, join


@perdure.workflow
def approval() -> bool:
    """Waits for one."""
    return perdure.hook(bool, token=perdure.current().run_id).wait()


def opened(client: Client, run_id: str) -> bool:
    """Whether it waits."""
    return bool(client.runs.get(run_id).hooks)


async def until(client: Client, run_id: str) -> None:
    """It waits."""
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(opened, client, run_id):  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.01)


def test_a_client_answers(client: Client, store_url: str) -> None:
    """From a thread and from an event loop; a rejection too; what cannot be is told."""

    async def main(handles: list[Any]) -> None:
        for handle in handles:
            await until(client, handle.run_id)
        await client.aresolve(handles[1].run_id, False)
        await client.areject(handles[2].run_id, "no")

    with perdure.running(store_url, park_after_seconds=0.0, poll_seconds=0.2):
        handles = [client.submit(approval) for _ in range(3)]
        asyncio.run(main(handles))
        client.resolve(handles[0].run_id, True, key="k")
        client.resolve(handles[0].run_id, True, key="k")
        with pytest.raises(HookResolvedError):
            client.reject(handles[1].run_id, "no")
        assert [handle.result(20) for handle in handles[:2]] == [True, False]
        with pytest.raises(HookRejectedError, match="no"):
            handles[2].result(20)
    with pytest.raises(HookNotFoundError):
        client.resolve("nobody", 1)


SCHEMA = {
    "$ref": "#/$defs/Choice",
    "$defs": {
        "Choice": {
            "type": "object",
            "properties": {
                "colour": {"enum": ["red", "blue"]},
                "count": {"type": "integer", "minimum": 1},
                "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
                "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 3},
                "child": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Choice"}]},
            },
            "required": ["colour"],
        }
    },
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"colour": "green"}, r"\$\.colour is none of 'red', 'blue'"),
        ({}, "has no 'colour'"),
        ({"colour": "red", "count": 0}, r"\$\.count is below 1"),
        ({"colour": "red", "count": True}, r"\$\.count is a boolean"),
        ({"colour": "red", "pair": ["a", "b"]}, r"\$\.pair\[1\] is a string"),
        ({"colour": "red", "code": "A"}, r"\$\.code does not match"),
        ({"colour": "red", "code": "abcd"}, r"\$\.code has the length 4, and maxLength is 3"),
        ({"colour": "red", "child": {"colour": 1}}, r"\$\.child is none of what is allowed: .*\$\.child\.colour"),
    ],
)
def test_who_has_not_the_code_is_told_by_the_schema(client: Client, store_url: str, value: Any, told: str) -> None:
    """What does not fit is refused where it is given; what fits is taken."""
    client.migrate()
    store = open_store(store_url)
    join(store, W1)
    outcome = Stored("json", '["t",null]')
    entry = HookOpened(
        "r", C1, "e", "1", "hook", "hook", "-", False, outcome, token="t", topic="perdure:hook:t",  # noqa: S106
        shape="nobody:Choice", schema=json.dumps(SCHEMA),
    )  # fmt: skip
    store.apply(W1, [created("r", held_as=C1), entry])
    store.close()
    with pytest.raises(HookAnswerError, match=told):
        client.resolve("t", value)
    client.resolve("t", {"colour": "red", "count": 2, "code": "ab", "pair": ["a", 1], "child": {"colour": "blue"}})


def test_bad_input_is_refused(client: Client) -> None:
    """Before anything happens."""
    with pytest.raises(UsageError, match="resolve: token"):
        client.resolve("", 1)
    with pytest.raises(UsageError, match="reject: error"):
        client.reject("t", 1)  # type: ignore[arg-type]  # that is the mistake
