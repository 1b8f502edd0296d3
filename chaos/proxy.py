"""A TCP proxy before a Postgres server, which delays, cuts, and swallows; it knows where messages end."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Awaitable, Callable
from typing import Self

NOTICE = b"A"  # NotificationResponse
ANSWERED = b"Z"  # ReadyForQuery
_CHUNK = 65536


class Connection:
    """One client's, and the one to the server that it is passed on to."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.is_swallowed = False

    def cut(self) -> None:
        """End both at once, with a reset: what was under way is lost."""
        for writer in (self.client, self.server):
            writer.transport.abort()


class Proxy:
    """Runs in a thread of its own; what is set here holds for all connections from then on."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self.delay_seconds = 0.0
        self.drops_notices = False
        self.dropped = self.swallowed = 0
        self._swallow_in, self._swallow_word = 0, b""
        self._connections: set[Connection] = set()
        self._serving: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._flows: asyncio.Event

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self, share: float, chance: Callable[[], float]) -> int:
        """Cut so large a share of the connections; how many."""

        async def do() -> int:
            chosen = [connection for connection in list(self._connections) if chance() < share]
            for connection in chosen:
                connection.cut()
            return len(chosen)

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(10)

    def swallow(self, nth: int, word: bytes = b"") -> None:
        """Of the nth message from now on that has this word in it the answer is lost, and then the connection."""
        self._swallow_in, self._swallow_word = nth, word

    def hold(self, *, is_held: bool) -> None:
        """Let nothing pass, and close nothing, as a cable that is out."""

        async def do() -> None:
            self._flows.clear() if is_held else self._flows.set()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(10)

    async def _listen(self) -> None:
        self._flows = asyncio.Event()
        self._flows.set()
        self._server = await asyncio.start_server(self._serve, "0.0.0.0", self.port)  # noqa: S104  # namespaces, too

    async def _end(self) -> None:
        self._server.close()
        self._flows.set()
        for connection in list(self._connections):
            connection.cut()
        await asyncio.gather(*filter(None, self._serving), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(task := asyncio.current_task())
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            self._connections.add(connection := Connection(writer, to_server))
            flows = (self._asked(connection, reader), self._answered(connection, from_server))
            await asyncio.gather(*(self._until_it_ends(flow, connection) for flow in flows))
            self._connections.discard(connection)
        except OSError:
            writer.transport.abort()
        finally:
            self._serving.discard(task)

    async def _until_it_ends(self, flow: Awaitable[None], connection: Connection) -> None:
        try:
            await flow
        except OSError:
            pass
        finally:
            connection.cut()

    async def _pass_on(self, writer: asyncio.StreamWriter, message: bytes) -> None:
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        await self._flows.wait()
        writer.write(message)
        await writer.drain()

    async def _asked(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._swallow_in and self._swallow_word in chunk:
                self._swallow_in -= 1
                connection.is_swallowed = self._swallow_in == 0
            await self._pass_on(connection.server, chunk)

    async def _answered(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        waiting = b""
        while chunk := await reader.read(_CHUNK):
            messages, waiting = _framed(waiting + chunk)
            if connection.is_swallowed:
                if any(message[:1] == ANSWERED for message in messages):
                    self.swallowed += 1
                    return
                continue
            if self.drops_notices:
                kept = [message for message in messages if message[:1] != NOTICE]
                self.dropped += len(messages) - len(kept)
                messages = kept
            if messages:
                await self._pass_on(connection.client, b"".join(messages))


def _framed(received: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages in what has come, each with its type and length in front, and the rest."""
    messages, at = [], 0
    while len(received) >= at + 5:
        end = at + 1 + struct.unpack_from("!I", received, at + 1)[0]
        if len(received) < end:
            break
        messages.append(received[at:end])
        at = end
    return messages, received[at:]
