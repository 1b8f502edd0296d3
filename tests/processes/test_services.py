"""Perdure in a web service: lifespan, clients that hang up, a real server."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import perdure
from tests.processes.conftest import ROOT, Rows
from tests.processes.ledger import VARIABLE, read_notes

began = threading.Event()
may_end = threading.Event()


@perdure.workflow(name="services.slow")
async def slow() -> str:
    """It waits until the test lets it go, and ends well."""
    began.set()
    await nothing()
    await asyncio.to_thread(may_end.wait, 20)
    return await nothing()


@perdure.step(name="services.nothing")
async def nothing() -> str:
    """A step."""
    return "done"


@perdure.workflow(name="services.loop")
async def which_loop() -> bool:
    """Whether it runs on the loop that launched."""
    return asyncio.get_running_loop() is launched_on[-1]


launched_on: list[asyncio.AbstractEventLoop] = []


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, store_url: str) -> Iterator[None]:
    monkeypatch.setenv("PERDURE_URL", store_url)
    monkeypatch.setattr("perdure._api.app._default", None)
    began.clear()
    may_end.clear()
    yield
    perdure.shutdown()


async def serve(app: Any, ask: Any) -> Any:
    """Run the application's lifespan around the questions, as a server does."""
    async with app.router.lifespan_context(app) as state:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await ask(client, state)


def test_a_lifespan_launches_and_shuts_down_and_may_come_again() -> None:
    """FastAPI and Starlette; queued async runs execute on the service's loop."""

    async def endpoint(_: Request) -> PlainTextResponse:
        launched_on.append(asyncio.get_running_loop())
        handle = await perdure.astart(which_loop)
        return PlainTextResponse(str(await handle))

    async def ask(client: httpx.AsyncClient, _: Any) -> str:
        return (await client.get("/")).text

    fast = FastAPI(lifespan=perdure.lifespan)
    fast.add_route("/", endpoint)
    plain = Starlette(lifespan=perdure.lifespan, routes=[Route("/", endpoint)])
    for app in (fast, plain, fast):
        assert asyncio.run(serve(app, ask)) == "True"
        assert not perdure._api.app.default_app().is_launched


def test_an_existing_lifespan_is_kept_with_its_state() -> None:
    """It runs inside ours, and may use durable calls itself."""
    seen: list[str] = []

    @asynccontextmanager
    async def existing(_: Any) -> AsyncIterator[dict[str, str]]:
        seen.append(await (await perdure.astart(nothing)))
        yield {"greeting": "hello"}
        seen.append(await (await perdure.astart(nothing)))

    async def ask(_: httpx.AsyncClient, state: Any) -> Any:
        return state

    assert asyncio.run(serve(FastAPI(lifespan=perdure.lifespan(existing)), ask)) == {"greeting": "hello"}
    assert seen == ["done", "done"]


def test_a_waiter_that_is_cancelled_does_not_cancel_the_run(rows: Rows) -> None:
    """wait_for, wrap_future, a task of a request, a direct call: all let go, and the run ends well."""

    async def scenario() -> None:
        async with perdure._api.app.default_app().running():
            handle = await perdure.astart(slow)
            direct = asyncio.create_task(slow())
            waiter = asyncio.create_task(handle.wait())
            wrapped = asyncio.wrap_future(handle)
            await asyncio.to_thread(began.wait, 20)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(handle, 0.05)
            for one in (direct, waiter, wrapped):
                one.cancel()
            await asyncio.wait([direct, waiter, wrapped])
            may_end.set()
            assert await handle == "done"
            for (run_id,) in rows.ask("SELECT id FROM runs"):
                assert await perdure.handle(str(run_id)) == "done"

    asyncio.run(scenario())
    assert list(rows.states().values()) == ["succeeded", "succeeded"]


@pytest.fixture
def server(store_url: str, ledger: Path, tmp_path: Path) -> Iterator[Any]:
    """`server()` starts uvicorn with the service; its address and process."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PERDURE_URL": store_url, VARIABLE: str(ledger)}
    command = [sys.executable, "-m", "uvicorn", "tests.processes.programs.service:app", "--timeout-graceful-shutdown"]

    def start() -> tuple[str, subprocess.Popen[bytes]]:
        with socket.create_server(("127.0.0.1", 0)) as door, (tmp_path / "server.err").open("ab") as errors:
            processes.append(  # requests wait at the door until it is up
                subprocess.Popen(
                    [*command, "1", "--fd", str(door.fileno())],
                    pass_fds=[door.fileno()],
                    env=environment,
                    cwd=tmp_path,
                    stdout=errors,
                    stderr=errors,
                )
            )
            return f"http://127.0.0.1:{door.getsockname()[1]}", processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # the example's tests do it on Postgres
def test_a_real_server_is_stopped_and_started_and_its_work_goes_on(
    server: Any, rows: Rows, ledger: Path, tmp_path: Path
) -> None:
    """SIGTERM with work in flight: an orderly end in seconds, the application's own lifespan included."""
    names = ["a", "b", "c", "hung-up"]
    address, process = server()
    with httpx.Client(base_url=address, timeout=20) as client:
        for name in names[:3]:
            assert client.post(f"/submit/{name}").json() == name
        with pytest.raises(httpx.ReadTimeout):
            client.get("/wait/hung-up", timeout=0.3)
        assert client.get("/state/hung-up").json() is False
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (0, -signal.SIGTERM)
    assert "Exception in thread" not in (tmp_path / "server.err").read_text()
    assert [words for _, words in read_notes(ledger) if words[0] == "existing"] == [
        ["existing", "begins"],
        ["existing", "ends"],
    ]
    assert rows.ask("SELECT DISTINCT state, attempts FROM runs") == [("ready", 0)]
    address, _ = server()
    with httpx.Client(base_url=address, timeout=20) as client:
        for name in names:
            client.post(f"/let/{name}")
            assert client.get(f"/wait/{name}").json() == name
    assert rows.states() == dict.fromkeys(names, "succeeded")
