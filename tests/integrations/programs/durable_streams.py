"""A server of Durable Streams for its conformance suite: a run for each stream, which writes what it is sent, and
`StreamsApp`, which is what is to be tried, for reading. `python -m tests.integrations.programs.durable_streams PORT`.

Creating and appending are here only to have something to read: JSON alone, and none of forks, expiry and producers.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from typing import Any

import uvicorn

import perdure
from perdure.integrations._keys import Answer
from perdure.integrations.streams import StreamsApp, answer

KEY = "s"


@perdure.workflow
async def holds() -> None:
    """Writes what it is sent, until that is None."""
    while (values := await perdure.recv("append")) is not None:
        for value in values:
            perdure.stream(KEY).write(value)
    perdure.stream(KEY).close()
    await perdure.recv("for ever")


class Server:
    """See the module."""

    def __init__(self) -> None:
        self._read = StreamsApp(longest_wait=1.0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        run_id = scope["path"].strip("/").replace("/", "|")
        if scope["method"] in ("PUT", "POST"):
            headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            found = await self._write(scope["method"], run_id, headers, body)
            await answer(send, found, scope["method"])
            return
        await self._read({**scope, "path": f"/{run_id}/{KEY}", "root_path": ""}, receive, send)

    async def _write(self, method: str, run_id: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            values = json.loads(body) if body.strip() else []
        except ValueError:
            return Answer(400, {"error": "no JSON"})
        values = values if isinstance(values, list) else [values]
        closes = headers.get("stream-closed") == "true"
        if method == "PUT":
            status = 201
            try:
                handle = await asyncio.to_thread(perdure.handle, run_id)
                status = 200
            except perdure.RunNotFoundError:
                handle = await perdure.with_options(id=run_id).astart(holds)
        else:
            if not values and not closes:
                return Answer(400, {"error": "nothing to append"})
            handle = await asyncio.to_thread(perdure.handle, run_id)
            status = 204
        reader = handle.stream(KEY)
        tail = await reader.atail()
        if values:
            await perdure.send(handle, values, topic="append")
        if closes:
            await perdure.send(handle, None, topic="append")
        missing, page = len(values), await reader.apage(tail.cursor)
        while missing > len(page.chunks) or (closes and not page.is_over):
            missing -= len(page.chunks)
            page = await reader.apage(page.cursor, wait=10)
        more = {"stream-closed": "true"} if closes else {}
        return Answer(status, None, {"stream-next-offset": page.cursor, "content-type": "application/json", **more})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, perdure.running(f"{folder}/p.db"):
        uvicorn.run(Server(), port=int(sys.argv[1]), log_level="warning")
