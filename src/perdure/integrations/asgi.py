"""The status of the runs that durable endpoints have started, as an ASGI app to mount in any framework."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from .. import Handle, RunNotFoundError, handle
from ._endpoints import ENDED, Endpoint, aread_outcome, find_endpoint, let_go
from ._keys import Answer, problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NOT_FOUND = problem(404, "Not found", "There is no such run of an endpoint of this service.")


class RunStatus:
    """`app.mount("/runs", RunStatus())`: GET gives the state of a run, and when it has ended the endpoint's answer in
    it; DELETE cancels it.

    Only runs that a `durable_endpoint` of this process has started are shown. `allow(scope, run_id)`, sync or async,
    says whether the one who asks may see the run (as 404 where not); who has none lets everybody see it who knows its
    id. `may_cancel` allows DELETE. `GET ...?wait=10` answers when the run has ended, or after that many seconds, at
    most `longest_wait`.
    """

    def __init__(
        self,
        *,
        allow: Callable[[Scope, str], Any] | None = None,
        may_cancel: bool = False,
        longest_wait: float = 30.0,
    ) -> None:
        self._allow = allow
        self._may_cancel = may_cancel
        self._longest_wait = longest_wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] == "http":
            answer = await self._answer(scope)
            body = b"" if scope["method"] == "HEAD" else json.dumps(answer.body).encode()
            headers = {"content-type": answer.media_type, "cache-control": "no-store", **answer.headers}
            raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope) -> Answer:
        methods = ("GET", "HEAD", "DELETE") if self._may_cancel else ("GET", "HEAD")
        if scope["method"] not in methods:
            return problem(405, "Method not allowed", f"Possible are {', '.join(methods)}.", Allow=", ".join(methods))
        run_id = run_id_in(scope)
        endpoint = find_endpoint(run_id)
        if endpoint is None or not await self._may_see(scope, run_id):
            return NOT_FOUND
        try:
            found = await asyncio.to_thread(handle, run_id)
        except RunNotFoundError:
            return NOT_FOUND
        if scope["method"] == "DELETE":
            await found.acancel()
        else:
            await self._wait(found, scope)
        return await self._describe(found, endpoint, scope.get("app"))

    async def _may_see(self, scope: Scope, run_id: str) -> bool:
        if self._allow is None:
            return True
        allowed = self._allow(scope, run_id)
        return bool(await allowed if isinstance(allowed, Awaitable) else allowed)

    async def _wait(self, found: Handle[Any], scope: Scope) -> None:
        seconds = wait_in(scope.get("query_string", b"").decode("latin-1"), self._longest_wait)
        if seconds > 0:
            waiting = asyncio.ensure_future(found.wait())
            try:
                await asyncio.wait([waiting], timeout=seconds)
            finally:
                let_go(waiting)

    async def _describe(self, found: Handle[Any], endpoint: Endpoint, app: Any) -> Answer:
        state = await found.astatus()
        body: dict[str, Any] = {"run_id": found.run_id, "state": state}
        if state not in ENDED:
            return Answer(200, body, {"Retry-After": "1"})
        status, content = await aread_outcome(found, endpoint, app)
        return Answer(200, {**body, "answer": {"status": status, "body": content}})


def wait_in(query: str, longest: float) -> float:
    """The seconds that `?wait=` asks for, within what is allowed; what is no number asks for none."""
    try:
        return max(0.0, min(float(parse_qs(query)["wait"][0]), longest))
    except (KeyError, ValueError):
        return 0.0


def run_id_in(scope: Scope) -> str:
    """What stands in the path behind the place where the app is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    if root and path.startswith(root):
        path = path[len(root) :]
    return path.strip("/")
