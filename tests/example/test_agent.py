"""The reference service's agent: answers over the index, asks a person before it deletes, and survives its process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

import perdure
from examples.document_indexing.filings import first_filings
from examples.document_indexing.index import DocumentIndex
from tests.agents.kills import kill_everywhere
from tests.example.pages import pages_of, url_of
from tests.inside.stores import open_store
from tests.stores.conftest import KINDS

PATIENCE_SECONDS = 60
ANSWER = "http://filings.example/apple-inc-2021.pdf is deleted: 7 chunks."
"""Of the program that is killed, which must not be imported here: it puts others in the place of what it calls."""


@pytest.fixture(params=["sqlite", *(pytest.param(kind, marks=pytest.mark.long) for kind in KINDS if kind != "sqlite")])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives the URL of an empty database, as often as one is wanted."""
    numbers = count(1)

    def make() -> str:
        if request.param == "postgres":
            from tests.stores.postgres_server import server_of

            return server_of(request.config).emptied()
        url = str(tmp_path / f"{next(numbers)}.db")
        store = open_store(url)
        store.migrate()
        store.close()
        return url

    return make


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.long)])
def test_the_agent_survives_a_kill_at_every_boundary(fresh: Callable[[], str], tmp_path: Path, every: int) -> None:
    """Nobody is asked twice of what is recorded, and the answer is right: the model, the person and the index are."""
    outcome = kill_everywhere("document_agent", ANSWER, fresh, tmp_path / "lives", every=every, calls=4)
    assert outcome.deaths > 1
    assert (outcome.wrong, outcome.repeated) == (0, 0)


async def ended(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """The answer, once it is there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (said := (await client.get(f"/agent/{run_id}")).json())["state"] not in ("succeeded", "failed"):  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.02)
    return said  # type: ignore[no-any-return]  # JSON


async def asked(client: httpx.AsyncClient, count: int) -> list[dict[str, str]]:
    """So many questions that people are asked."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(waiting := (await client.get("/approvals")).json()) < count:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)
    return waiting  # type: ignore[no-any-return]  # as above


@pytest.mark.filterwarnings(
    "ignore::pydantic.warnings.PydanticDeprecationWarning"
)  # LlamaIndex looks at all attributes
def test_a_document_is_deleted_when_somebody_has_said_yes(index: DocumentIndex, tmp_path: Path) -> None:
    """And not when the answer is no; questions are answered from what is left."""
    apple, microsoft = first_filings(2)
    for filing in (apple, microsoft):
        index.replace(url_of(filing), pages_of(filing))

    async def use() -> list[Any]:
        from examples.document_indexing.agent.app import app

        transport = httpx.ASGITransport(app=app)
        async with (
            perdure.running(str(tmp_path / "perdure.db")),
            httpx.AsyncClient(transport=transport, base_url="http://docs") as client,
        ):

            async def tell(message: str) -> str:
                return str((await client.post("/agent", json={"message": message})).json()["id"])

            question = "What was Apple's earnings per share in 2021?"
            answers = [(await ended(client, await tell(question)))["answer"]]
            yes, no = await tell(f"Delete {url_of(apple)}, please."), await tell(f"remove {url_of(microsoft)}")
            for one in await asked(client, 2):
                decision = {"approved": one["run"] == yes, "note": "we need it"}
                assert one["question"] == f"Delete {url_of(apple if one['run'] == yes else microsoft)} from the index?"
                assert (await client.post(f"/approvals/{one['token']}", json={"approved": 3})).status_code == 422
                assert (await client.post(f"/approvals/{one['token']}", json=decision)).status_code == 200
            answers += [(await ended(client, run_id))["answer"] for run_id in (yes, no)]
            answers.append((await ended(client, await tell("Which documents are indexed?")))["answer"])
            assert (await client.get("/agent/nobody")).status_code == 404
            return answers

    told, deleted, kept, listed = asyncio.run(use())
    assert "5.67" in told
    assert deleted.startswith(f"{url_of(apple)} is deleted: ")
    assert kept == f"{url_of(microsoft)} was not deleted: we need it"
    assert "'indexed': 1" in listed
    assert index.remove(url_of(apple)) == 0
