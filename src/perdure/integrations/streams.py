"""Streams over HTTP, as an ASGI app to mount in any framework: server-sent events, and the Durable Streams protocol."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, is_dataclass
from random import randrange
from typing import Any, Final
from urllib.parse import parse_qs

from .. import Client, Handle, RunNotFoundError, StoreUnavailableError, StreamPage, StreamReader, UsageError, handle
from ._keys import Answer, problem
from .asgi import Receive, Scope, Send, run_id_in

EPOCH: Final = 1_728_432_000
INTERVAL_SECONDS: Final = 20
"""Cursors for caches, as the protocol counts them: since 9 October 2024."""
BEATS_SECONDS: Final = 15.0
"""So often a comment says that the line is alive."""

BROWSER: Final = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
NOT_FOUND: Final = problem(404, "Not found", "There is no such stream.")
AWAY: Final = problem(503, "The database is away", "Ask again.", Retry_After="1")


def plain(value: Any) -> Any:
    """What JSON does not know: dataclasses and pydantic models by their fields, anything else as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else str(value)


class StreamsApp:
    """`app.mount("/streams", StreamsApp())`: `GET /streams/RUN_ID/KEY` reads a run's stream.

    For a browser's `EventSource`, which asks for `text/event-stream`: each value is an event, its `id` the place to
    resume at, which the browser sends as `Last-Event-ID`; `event: rewound` says from which offset on all is void,
    `event: end` that it is over, and then 204 ends the reconnecting.

    Else by the Durable Streams protocol, read only: `?offset=` catches up, with `&live=long-poll` or `&live=sse` it
    waits; `HEAD` tells the end; values are JSON. Where what the client has got is void, 410: it begins anew.

    `allow(scope, run_id)`, sync or async, says whether the one who asks may read (404 where not); who has none lets
    everybody read who knows the id. `longest_wait` is for long polls, `longest_line` for how long events are sent
    before the client is to reconnect, in seconds. `client`: for a process that executes nothing.
    """

    def __init__(
        self,
        *,
        allow: Callable[[Scope, str], Any] | None = None,
        longest_wait: float = 20.0,
        longest_line: float = 60.0,
        client: Client | None = None,
    ) -> None:
        self._allow = allow
        self._longest_wait = longest_wait
        self._longest_line = longest_line
        self._handle: Callable[[str], Handle[Any]] = handle if client is None else client.handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] != "http":
            return
        try:
            await self._serve(scope, receive, send)
        except RunNotFoundError:
            await answer(send, NOT_FOUND, scope["method"])
        except StoreUnavailableError:
            await answer(send, AWAY, scope["method"])

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, (run_id, _, key) = scope["method"], run_id_in(scope).rpartition("/")
        if method not in ("GET", "HEAD"):
            refusal = problem(405, "Method not allowed", "Runs write, others read.", Allow="GET, HEAD")
            await answer(send, refusal, method)
            return
        if not run_id or not key or not await self._may_read(scope, run_id):
            await answer(send, NOT_FOUND, method)
            return
        try:
            found = await asyncio.to_thread(self._handle, run_id)
            reader = found.stream(key)
        except UsageError:
            await answer(send, NOT_FOUND, method)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        request = Request(reader, f"{run_id}/{key}", headers, asked)
        wants_events = method == "GET" and "live" not in asked and "text/event-stream" in headers.get("accept", "")
        try:
            if wants_events:
                await self._send_events(request, receive, send)
            elif method == "GET" and asked.get("live") == ["sse"]:
                await self._send_lines(request, receive, send)
            else:
                await answer(send, await self._answer(request, method), method)
        except UsageError as error:
            await answer(send, problem(400, "Malformed", str(error)), method)

    async def _may_read(self, scope: Scope, run_id: str) -> bool:
        if self._allow is None:
            return True
        allowed = self._allow(scope, run_id)
        return bool(await allowed if isinstance(allowed, Awaitable) else allowed)

    async def _answer(self, request: Request, method: str) -> Answer:
        """One answer: the end of the stream, what is there, or what comes next."""
        tail = await request.reader.atail()
        if tail.is_over and not tail.is_known:
            return NOT_FOUND
        over = {"stream-closed": "true"} if tail.is_over else {}
        if method == "HEAD":
            return Answer(200, [], {"stream-next-offset": tail.cursor, "cache-control": "no-store", **over})
        is_live = request.is_live()
        start = request.start()
        at_tail = {"stream-next-offset": tail.cursor, "stream-up-to-date": "true", "cache-control": "no-store"}
        if start == "now" and not is_live:
            return Answer(200, [], at_tail | over)
        wait = self._longest_wait if is_live else 0.0
        page = await request.reader.apage(tail.cursor if start == "now" else start, wait=wait)
        if page.rewound is not None:
            return gone(page)
        headers = request.headers_of(page, is_live=is_live)
        if is_live and not page.chunks:
            return Answer(204, None, headers | {"cache-control": "no-store"})
        tag = f'"{request.name}:{start or ""}:{page.cursor}{":over" if page.is_over else ""}"'
        headers |= {"etag": tag, "cache-control": "private, max-age=60, stale-while-revalidate=300"}
        if not page.is_over:
            headers["cache-control"] = "no-store" if not page.chunks else "private, max-age=0, must-revalidate"
        if request.headers.get("if-none-match") == tag:
            return Answer(304, None, headers)
        return Answer(200, [chunk.value for chunk in page.chunks], headers)

    async def _send_lines(self, request: Request, receive: Receive, send: Send) -> None:
        """The protocol's events: data, and after them where the reader is."""
        tail = await request.reader.atail()
        request.is_live()
        start = request.start()
        if tail.is_over and not tail.is_known:
            await answer(send, NOT_FOUND, "GET")
            return
        cursor = tail.cursor if start == "now" else start
        first = await request.reader.apage(cursor)
        if first.rewound is not None:
            await answer(send, gone(first), "GET")
            return
        await begin_events(send)

        async def lines() -> AsyncIterator[str]:
            page, is_first = first, True
            while True:
                if page.rewound is not None:  # whoever comes again is told so
                    return
                if page.chunks:
                    yield event("data", f"[{','.join(json_of(chunk.value) for chunk in page.chunks)}]")
                if page.chunks or page.is_over or is_first:
                    yield event("control", json.dumps(request.control_of(page)))
                if page.is_over:
                    return
                is_first = False
                page = await request.reader.apage(page.cursor, wait=BEATS_SECONDS)
                if not page.chunks and not page.is_over:
                    yield ": still here\n\n"

        await self._send_all(lines(), receive, send)

    async def _send_events(self, request: Request, receive: Receive, send: Send) -> None:
        """One event for each value, as a browser takes them."""
        last = request.headers.get("last-event-id")
        cursor = last or request.start()
        if cursor == "now":
            cursor = (await request.reader.atail()).cursor
        first = await request.reader.apage(cursor)
        if first.is_over and not first.chunks and last:
            await answer(send, Answer(204, None, {"cache-control": "no-store"}), "GET")
            return
        await begin_events(send)

        async def events() -> AsyncIterator[str]:
            page = first
            while True:
                upto = page.cursor.partition("_")[2]
                for chunk in page.chunks:
                    yield f"id: {chunk.offset + 1:016d}_{upto}\ndata: {json_of(chunk.value)}\n\n"
                if page.rewound is not None:
                    yield f"id: {page.cursor}\n{event('rewound', json.dumps({'offset': page.rewound}))}"
                if page.is_over:
                    yield f"id: {page.cursor}\n{event('end', '{}')}"
                    return
                page = await request.reader.apage(page.cursor, wait=BEATS_SECONDS)
                if not page.chunks and page.rewound is None and not page.is_over:
                    yield ": still here\n\n"

        await self._send_all(events(), receive, send)

    async def _send_all(self, texts: AsyncIterator[str], receive: Receive, send: Send) -> None:
        """Until they end, the client hangs up, or the line is old."""

        async def send_each() -> None:
            async for text in texts:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

        async def hear() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        sending, hanging_up = asyncio.ensure_future(send_each()), asyncio.ensure_future(hear())
        try:
            done, _ = await asyncio.wait(
                [sending, hanging_up], timeout=self._longest_line, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (sending, hanging_up):
                task.cancel()
            await asyncio.gather(sending, hanging_up, return_exceptions=True)
        if hanging_up not in done:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class Request:
    """What is asked of one stream."""

    def __init__(
        self, reader: StreamReader, name: str, headers: Mapping[str, str], asked: Mapping[str, list[str]]
    ) -> None:
        self.reader = reader
        self.name = name
        self.headers = headers
        self._asked = asked

    def start(self) -> str | None:
        """Behind which cursor; None for the beginning."""
        given = self._asked.get("offset", ["-1"])
        if len(given) != 1 or not given[0]:
            raise UsageError("give one offset: -1, now, or what Stream-Next-Offset said")
        return None if given[0] == "-1" else given[0]

    def is_live(self) -> bool:
        """Whether to wait. Raises `UsageError` for what the protocol does not know."""
        live = self._asked.get("live")
        if live is None:
            return False
        if live not in (["long-poll"], ["sse"]):
            raise UsageError("live is long-poll or sse")
        if "offset" not in self._asked:
            raise UsageError("give the offset from which to go on")
        return True

    def next_cursor(self) -> str:
        """For caches: the interval of time; beyond that of a client who has come in the same one."""
        now = int(time.time() - EPOCH) // INTERVAL_SECONDS
        given = self._asked.get("cursor", [""])[0]
        if given.isdigit() and len(given) < 16 and int(given) >= now:
            return str(int(given) + 1 + randrange(180))  # noqa: S311  # keeps no secret
        return str(now)

    def headers_of(self, page: StreamPage, *, is_live: bool) -> dict[str, str]:
        """Where the reader is after this page."""
        headers = {"stream-next-offset": page.cursor}
        if page.is_last or page.is_over:
            headers["stream-up-to-date"] = "true"
        if page.is_over:
            headers["stream-closed"] = "true"
        if is_live:
            headers["stream-cursor"] = self.next_cursor()
        return headers

    def control_of(self, page: StreamPage) -> dict[str, Any]:
        """The same in an event."""
        control: dict[str, Any] = {"streamNextOffset": page.cursor}
        if page.is_last or page.is_over:
            control["upToDate"] = True
        return control | ({"streamClosed": True} if page.is_over else {"streamCursor": self.next_cursor()})


def gone(page: StreamPage) -> Answer:
    """What the client has got is void from there on."""
    return problem(
        410,
        "Rewound",
        f"What was read from chunk {page.rewound} on is void: the step that wrote it is tried again. Begin anew.",
        Cache_Control="no-store",
    )


def json_of(value: Any) -> str:
    """In one line."""
    return json.dumps(value, default=plain, separators=(",", ":"))


def event(name: str, text: str) -> str:
    """A server-sent event."""
    return f"event: {name}\ndata: {text}\n\n"


async def begin_events(send: Send) -> None:
    """The head of a line that stays open."""
    headers = {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no", **BROWSER}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    await send({"type": "http.response.body", "body": b": \n\n", "more_body": True})


async def answer(send: Send, found: Answer, method: str) -> None:
    """One answer, whole."""
    has_body = method != "HEAD" and found.status not in (204, 304)
    headers = {"content-type": found.media_type, "cache-control": "no-store", **BROWSER}
    headers |= {name.lower(): value for name, value in found.headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": found.status, "headers": raw})
    await send({"type": "http.response.body", "body": json_of(found.body).encode() if has_body else b""})
