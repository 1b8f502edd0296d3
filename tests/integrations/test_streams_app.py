"""Streams over HTTP: the cases of the Durable Streams protocol about reading, and a browser's `EventSource`."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.routing import Mount

import perdure
from perdure import Handle, Retry, recv, send, step, stream, workflow
from perdure.integrations.streams import StreamsApp

PATIENCE_SECONDS = 20.0
APP = StreamsApp(longest_wait=0.3)
may_fail = threading.Event()
tries: list[int] = []


@pytest.fixture(scope="module", autouse=True)
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[perdure.Perdure]:
    """An instance for the module."""
    with perdure.running(str(tmp_path_factory.mktemp("streams") / "perdure.db"), park_after_seconds=0.0) as app:
        yield app


@perdure.register
@dataclass(frozen=True)
class Point:
    """A value of a type of one's own."""

    x: int


@workflow
def lines(closes: bool) -> None:
    """Writes what it is told to, until that is None."""
    while (value := recv()) is not None:
        stream("lines").write(value)
    if closes:
        stream("lines").close()
        recv("end")


@step(retries=Retry(attempts=2, initial_seconds=0.0))
def stumbles() -> None:
    """Writes, fails when somebody has read that, and writes something else."""
    tries.append(1)
    for number in range(3):
        stream("lines").write(f"try {len(tries)}.{number}")
    if len(tries) == 1:
        assert may_fail.wait(PATIENCE_SECONDS)
        raise ConnectionError


@workflow
def stumbling() -> None:
    """Around it."""
    stream("lines").write("before")
    stumbles()
    stream("lines").write("after")


def written(*values: Any, ends: bool = False, closes: bool = False) -> Handle[None]:
    """A run that has written these."""
    handle = perdure.start(lines, closes)
    for value in values:
        send(handle, value)
    if ends or closes:
        send(handle, None)
    reading = iter(handle.stream("lines", timeout=PATIENCE_SECONDS))
    for _ in values:
        next(reading)
    if closes:
        assert list(reading) == []
    if ends:
        handle.result(PATIENCE_SECONDS)
    return handle


def finish(handle: Handle[None]) -> None:
    """Let it end."""
    with suppress(perdure.RunEndedError):  # by the first word
        send(handle, None)
        send(handle, None, topic="end")
    handle.result(PATIENCE_SECONDS)


async def ask_later(path: str, method: str = "GET", app: Any = APP, **headers: str) -> httpx.Response:
    """One request."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
        return await client.request(method, path, headers=headers, timeout=PATIENCE_SECONDS)


def ask(path: str, method: str = "GET", app: Any = APP, **headers: str) -> httpx.Response:
    """The same, outside any loop."""
    return asyncio.run(ask_later(path, method, app, **headers))


def beside(asking: Coroutine[Any, Any, httpx.Response], act: Callable[[], object]) -> httpx.Response:
    """The answer to a request during which something happens."""

    async def both() -> httpx.Response:
        asked = asyncio.create_task(asking)
        await asyncio.sleep(0)
        await asyncio.to_thread(act)
        return await asked

    return asyncio.run(both())


def events_of(response: httpx.Response) -> list[dict[str, str]]:
    """The events of a response, by their fields."""
    blocks = [block for block in response.text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]  # type: ignore[misc]  # pairs


def test_a_catch_up_gives_what_is_there_and_where_to_go_on() -> None:
    """As a JSON array; at the tail it is empty."""
    handle = written(1, [2], Point(3))
    first = ask(f"/{handle.run_id}/lines?offset=-1")
    assert (first.status_code, first.json()) == (200, [1, [2], {"x": 3}])
    assert first.headers["content-type"] == "application/json"
    assert first.headers["stream-up-to-date"] == "true"
    assert "stream-closed" not in first.headers
    assert first.headers["x-content-type-options"] == "nosniff"
    offset = first.headers["stream-next-offset"]
    rest = ask(f"/{handle.run_id}/lines?offset={offset}")
    assert (rest.status_code, rest.json(), rest.headers["stream-next-offset"]) == (200, [], offset)
    send(handle, "four")
    poll = ask(f"/{handle.run_id}/lines?offset={offset}&live=long-poll")
    assert poll.json() == ["four"]
    assert poll.headers["stream-next-offset"] > offset
    finish(handle)
    assert ask(f"/{handle.run_id}/lines").json() == [1, [2], {"x": 3}, "four"]


def test_a_tag_saves_what_has_not_changed() -> None:
    """`ETag` and 304; it changes with the end of the stream."""
    handle = written(1)
    first = ask(f"/{handle.run_id}/lines")
    again = ask(f"/{handle.run_id}/lines", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    finish(handle)
    ended = ask(f"/{handle.run_id}/lines", **{"if-none-match": first.headers["etag"]})
    assert (ended.status_code, ended.headers["stream-closed"]) == (200, "true")


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "its run has ended"])
def test_the_end_is_told(closes: bool) -> None:
    """By HEAD, with the last data, at the tail, to who polls, and to who follows."""
    handle = written(1, ends=not closes, closes=closes)
    place = f"/{handle.run_id}/lines"
    head = ask(place, "HEAD")
    assert (head.status_code, head.content, head.headers["stream-closed"]) == (200, b"", "true")
    assert head.headers["cache-control"] == "no-store"
    first = ask(place)
    assert (first.json(), first.headers["stream-closed"]) == ([1], "true")
    offset = first.headers["stream-next-offset"]
    tail = ask(f"{place}?offset={offset}")
    assert (tail.status_code, tail.json(), tail.headers["stream-closed"]) == (200, [], "true")
    poll = ask(f"{place}?offset={offset}&live=long-poll")
    assert (poll.status_code, poll.content, poll.headers["stream-closed"]) == (204, b"", "true")
    *_, control = events_of(ask(f"{place}?offset={offset}&live=sse"))
    closing = json.loads(control["data"])
    assert (control["event"], closing["streamClosed"], "streamCursor" in closing) == ("control", True, False)
    if closes:
        finish(handle)


def test_a_long_poll_waits_and_may_wait_in_vain() -> None:
    """204 says where the reader is; cursors for caches never go backwards."""
    handle = written(1)
    place = f"/{handle.run_id}/lines"
    now = ask(f"{place}?offset=now")
    assert (now.json(), now.headers["stream-up-to-date"]) == ([], "true")
    vain = ask(f"{place}?offset=now&live=long-poll")
    assert (vain.status_code, vain.headers["stream-up-to-date"]) == (204, "true")
    assert vain.headers["stream-next-offset"] == now.headers["stream-next-offset"]
    cursor = vain.headers["stream-cursor"]
    later = ask(f"{place}?offset=now&live=long-poll&cursor={cursor}")
    assert int(later.headers["stream-cursor"]) > int(cursor)
    patient = StreamsApp(longest_wait=PATIENCE_SECONDS)
    offset = vain.headers["stream-next-offset"]
    come = beside(ask_later(f"{place}?offset={offset}&live=long-poll", app=patient), lambda: send(handle, "new"))
    assert come.json() == ["new"]
    finish(handle)


def test_events_of_the_protocol() -> None:
    """Data, and after it where the reader is; from any offset; to the end."""
    handle = written(1, 2)
    answer = beside(ask_later(f"/{handle.run_id}/lines?offset=-1&live=sse"), lambda: finish(handle))
    assert answer.headers["content-type"] == "text/event-stream"
    events = events_of(answer)
    assert [event["event"] for event in events[:2]] == ["data", "control"]
    values = [value for event in events if event["event"] == "data" for value in json.loads(event["data"])]
    assert values == [1, 2]
    control = json.loads(events[1]["data"])
    assert control["streamNextOffset"]
    assert json.loads(events[-1]["data"])["streamClosed"] is True
    rest = events_of(ask(f"/{handle.run_id}/lines?offset={control['streamNextOffset']}&live=sse"))
    assert [event["event"] for event in rest] == ["control"]


def test_a_browser_follows_and_resumes() -> None:
    """Each value has an id; with the last one it goes on; when it is over it is told not to come again."""
    handle = written("a", "b\nc")
    place, accept = f"/{handle.run_id}/lines", {"accept": "text/event-stream"}
    events = events_of(beside(ask_later(place, **accept), lambda: finish(handle)))
    assert [json.loads(event["data"]) for event in events] == ["a", "b\nc", {}]
    assert events[-1]["event"] == "end"
    resumed = events_of(ask(place, **accept, **{"last-event-id": events[0]["id"]}))
    assert [json.loads(event["data"]) for event in resumed] == ["b\nc", {}]
    assert ask(place, **accept, **{"last-event-id": events[-1]["id"]}).status_code == 204


def test_who_has_read_what_is_void_is_told() -> None:
    """410 by the protocol, an event for a browser; who begins anew, or reads on page by page, is not told again."""
    tries.clear()
    may_fail.clear()
    handle = perdure.start(stumbling)
    reading = iter(handle.stream("lines", timeout=PATIENCE_SECONDS))
    assert [next(reading) for _ in range(4)] == ["before", "try 1.0", "try 1.1", "try 1.2"]
    place = f"/{handle.run_id}/lines"
    half = ask(place)
    assert half.json() == ["before", "try 1.0", "try 1.1", "try 1.2"]
    may_fail.set()
    handle.result(PATIENCE_SECONDS)
    for live in ("", "&live=long-poll", "&live=sse"):
        gone = ask(f"{place}?offset={half.headers['stream-next-offset']}{live}")
        assert (gone.status_code, gone.headers["cache-control"]) == (410, "no-store")
    whole = ["before", "try 2.0", "try 2.1", "try 2.2", "after"]
    assert ask(place).json() == whole
    events = events_of(ask(place, accept="text/event-stream", **{"last-event-id": half.headers["stream-next-offset"]}))
    assert [event.get("event") for event in events] == ["rewound", None, None, None, None, "end"]
    assert json.loads(events[0]["data"]) == {"offset": 1}
    assert [json.loads(event["data"]) for event in events[1:-1]] == whole[1:]

    async def page_by_page() -> list[Any]:
        reader, cursor, got = handle.stream("lines"), None, []
        for event in events_of(await ask_later(place, accept="text/event-stream"))[:-1]:
            page = await reader.apage(cursor)  # as if each request ended behind one value
            assert page.rewound is None
            got.append(page.chunks[0].value)
            cursor = event["id"]
        return got

    assert asyncio.run(page_by_page()) == whole


def test_what_is_malformed_or_not_there() -> None:
    """400, 404 and 405; and who may not read sees nothing."""
    handle = written(1)
    place = f"/{handle.run_id}/lines"
    for query in ("offset=x", "offset=", "offset=-1&offset=-1", "live=long-poll", "live=sse", "offset=-1&live=maybe"):
        assert ask(f"{place}?{query}").status_code == 400, query
    for path in ("/nobody/lines", "/lines", "/", f"/{handle.run_id}/"):
        assert ask(path).status_code == 404, path
    for method in ("PUT", "POST", "DELETE"):
        refused = ask(place, method)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert ask(f"/{handle.run_id}/other").json() == []
    finish(handle)
    assert ask(f"/{handle.run_id}/other").status_code == 404

    async def mine(scope: Any, run_id: str) -> bool:
        return dict(scope["headers"]).get(b"x-user") == b"me"

    guarded = StreamsApp(allow=mine)
    assert ask(place, app=guarded).status_code == 404
    assert ask(place, app=guarded, **{"x-user": "me"}).json() == [1]


@pytest.mark.parametrize("framework", ["fastapi", "starlette", "litestar"])
def test_it_is_mounted_in_any_framework(framework: str) -> None:
    """Behind a path."""
    mounted: Any
    if framework == "fastapi":
        mounted = FastAPI()
        mounted.mount("/streams", APP)
    elif framework == "starlette":
        mounted = Starlette(routes=[Mount("/streams", APP)])
    else:
        mounted = Litestar([asgi("/streams", is_mount=True, copy_scope=True)(APP)])
    handle = written(1, ends=True)
    assert ask(f"/streams/{handle.run_id}/lines", app=mounted).json() == [1]
