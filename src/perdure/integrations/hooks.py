"""Hooks over HTTP, as an ASGI app to mount in any framework: people's pages and webhooks answer them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .. import (
    Client,
    HookAnswerError,
    HookClosedError,
    HookError,
    HookNotFoundError,
    HookResolvedError,
    HookSummary,
    SerializationError,
    StoreUnavailableError,
    UsageError,
    reject,
    resolve,
    runs,
)
from ._keys import Answer, RequestRefused, problem, read_key
from ._signatures import GitHubSignature as GitHubSignature
from ._signatures import Signature as Signature
from ._signatures import SignatureRefused as SignatureRefused
from ._signatures import StandardWebhooks as StandardWebhooks
from ._signatures import StripeSignature as StripeSignature
from .asgi import Receive, Scope, Send, run_id_in

LONGEST_BODY: Final = 1 << 20


@dataclass(frozen=True)
class Webhook:
    """A webhook that has come, and is signed where that is asked for. `headers`: by their names in small letters."""

    headers: Mapping[str, str]
    body: bytes
    data: Any
    """The body, which is JSON."""


class HooksApp:
    """`app.mount("/hooks", HooksApp())`: `POST /hooks/TOKEN` resolves a hook with the JSON body, `POST
    /hooks/TOKEN/reject` rejects it for the `{"reason": …}` of the body, `GET /hooks/TOKEN` shows its state, and what
    the answer must be as JSON Schema.

    The token is the permission, unless more is asked for: `signature`, such as `StandardWebhooks(secret)`, refuses
    requests that are not signed (401), and `allow(scope, token)`, sync or async, says whether the one who asks may
    answer (404 where not). With `token_of`, a function of the `Webhook`, the app is one endpoint for a sender that
    knows no token in its path: it finds the token in what was sent, None where it is nobody's business (202).
    `value_of` makes the answer of it; otherwise that is the whole body. A delivery that is sent again, by the
    signature's delivery id or the header `Idempotency-Key`, is answered as the first time.

    200 where it was taken, 400 no JSON, 404 no such hook, 409 resolved before, 410 too late, 413 above `longest_body`
    bytes, 422 not what the hook waits for, 503 the database is away: send it again. `client`: for a process that
    executes nothing; else the launched instance answers.
    """

    def __init__(
        self,
        *,
        signature: Signature | None = None,
        allow: Callable[[Scope, str], Any] | None = None,
        token_of: Callable[[Webhook], str | None] | None = None,
        value_of: Callable[[Webhook], Any] | None = None,
        longest_body: int = LONGEST_BODY,
        client: Client | None = None,
    ) -> None:
        if signature is not None and not callable(getattr(signature, "check", None)):
            raise UsageError("HooksApp: signature is an object that checks, such as StandardWebhooks(secret)")
        self._signature = signature
        self._allow = allow
        self._token_of = token_of
        self._value_of = value_of
        self._longest_body = longest_body
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except RequestRefused as refused:
            answer = refused.answer
        body = b"" if scope["method"] == "HEAD" else json.dumps(answer.body).encode()
        headers = {"content-type": answer.media_type, "cache-control": "no-store", "referrer-policy": "no-referrer"}
        raw = [(name.lower().encode(), value.encode()) for name, value in {**headers, **answer.headers}.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], run_id_in(scope)
        token, slash, verb = path.rpartition("/")
        is_rejection = bool(slash) and verb == "reject" and self._token_of is None
        token = token if is_rejection else path
        if method in ("GET", "HEAD") and self._token_of is None and self._signature is None and not is_rejection:
            return await self._show(scope, token)
        if method != "POST":
            return problem(405, "Method not allowed", "Answers are sent by POST.", Allow="POST")
        webhook, delivery = await self._read(scope, receive)
        if self._token_of is not None:
            found = self._token_of(webhook)
            if found is None:
                return Answer(202, {"state": "ignored"})
            token = found
        if not await self._may_answer(scope, token):
            return NOT_FOUND
        return await self._tell(token, webhook, delivery, is_rejection=is_rejection)

    async def _show(self, scope: Scope, token: str) -> Answer:
        if not await self._may_answer(scope, token):
            return NOT_FOUND
        look = (runs if self._client is None else self._client.runs).hook
        try:
            hook: HookSummary = await asyncio.to_thread(look, token)
        except (HookNotFoundError, UsageError):
            return NOT_FOUND
        except StoreUnavailableError:
            return AWAY
        due_at = None if hook.due_at is None else hook.due_at.isoformat()
        shown = {"state": hook.state, "question": hook.question, "type": hook.type, "schema": hook.schema}
        return Answer(200, {**shown, "due_at": due_at})

    async def _read(self, scope: Scope, receive: Receive) -> tuple[Webhook, str | None]:
        """What has come, and the id of its delivery. Raises `RequestRefused`."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await read_body(receive, headers, self._longest_body)
        delivery = None
        if self._signature is not None:
            try:
                delivery = self._signature.check(headers, body)
            except SignatureRefused as refused:
                raise RequestRefused(problem(401, "The signature is refused", f"{refused}.")) from refused
        delivery = delivery or read_key(headers.get("idempotency-key"))
        try:
            data = json.loads(body) if body.strip() else None
        except (ValueError, RecursionError) as error:
            raise RequestRefused(problem(400, "The body is no JSON", "Send the answer as JSON.")) from error
        return Webhook(headers, body, data), delivery

    async def _may_answer(self, scope: Scope, token: str) -> bool:
        if self._allow is None:
            return True
        allowed = self._allow(scope, token)
        return bool(await allowed if isinstance(allowed, Awaitable) else allowed)

    async def _tell(self, token: str, webhook: Webhook, delivery: str | None, *, is_rejection: bool) -> Answer:
        key = None if delivery is None else delivery[:500]
        try:
            if is_rejection:
                reason = webhook.data.get("reason") if isinstance(webhook.data, dict) else None
                await self._reject(token, reason if isinstance(reason, str) else "rejected", key)
            else:
                value = webhook.data if self._value_of is None else self._value_of(webhook)
                await self._resolve(token, value, key)
        except HookError as error:
            return answer_to(error)
        except SerializationError as error:
            return problem(422, "The answer cannot be stored", str(error))
        except UsageError:  # no hook can have such a token
            return NOT_FOUND
        except StoreUnavailableError:
            return AWAY
        return Answer(200, {"state": "resolved"})

    async def _resolve(self, token: str, value: Any, key: str | None) -> None:
        if self._client is not None:
            await self._client.aresolve(token, value, key=key)
        else:
            await resolve(token, value, key=key)

    async def _reject(self, token: str, reason: str, key: str | None) -> None:
        if self._client is not None:
            await self._client.areject(token, reason, key=key)
        else:
            await reject(token, reason, key=key)


NOT_FOUND: Final = problem(404, "Not found", "There is no such hook.")
AWAY: Final = problem(
    503, "The database is away", "It is not known whether the answer was taken: send it again.", Retry_After="1"
)


def answer_to(error: HookError) -> Answer:
    """What is told whoever's answer was not taken."""
    if isinstance(error, HookResolvedError):
        return problem(409, "Answered before", "The first answer counts.")
    if isinstance(error, HookClosedError):
        return problem(410, "Too late", "The hook takes no answer any more.")
    if isinstance(error, HookAnswerError):
        return problem(422, "The answer does not fit", str(error).partition("still open: ")[2] or "See its schema.")
    return NOT_FOUND


async def read_body(receive: Receive, headers: Mapping[str, str], longest: int) -> bytes:
    """The body. Raises `RequestRefused` where it is too long, before more of it is read."""
    announced = headers.get("content-length", "0")
    too_long = problem(413, "The body is too long", f"At most {longest} bytes are read.")
    if announced.isdecimal() and int(announced[:20]) > longest:
        raise RequestRefused(too_long)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(problem(400, "The body is cut off", "Send it again."))
        body += message.get("body", b"")
        if len(body) > longest:
            raise RequestRefused(too_long)
        if not message.get("more_body", False):
            return bytes(body)
