"""Hooks over HTTP: pages and webhooks answer them, and each refusal has its status."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.routing import Mount

import perdure
from perdure import UsageError
from perdure.integrations.hooks import (
    GitHubSignature,
    HooksApp,
    Signature,
    StandardWebhooks,
    StripeSignature,
    Webhook,
)
from tests.conformance.ledger import until

SECRET = "swordfish"  # noqa: S105  # a test's
PATIENCE_SECONDS = 20


@perdure.workflow
def paid(number: int) -> str:
    """Waits for a webhook."""
    try:
        return str(perdure.hook(dict[str, int], token=f"paid {number}").wait())
    except perdure.HookRejectedError as error:
        return f"rejected: {error}"


@pytest.fixture(scope="module", autouse=True)
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[perdure.Perdure]:
    """An instance for the module."""
    with perdure.running(str(tmp_path_factory.mktemp("hooks") / "perdure.db"), park_after_seconds=0.0) as app:
        yield app


def waiting(number: int) -> perdure.Handle[str]:
    """A run that waits for `paid NUMBER`."""
    handle = perdure.start(paid, number)
    until(lambda: perdure.runs.get(handle.run_id).hooks)
    return handle


def ask(app: Any, method: str, path: str, **request: Any) -> httpx.Response:
    """One request."""

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


def in_fastapi(hooks: HooksApp) -> Any:
    """Mounted."""
    app = FastAPI()
    app.mount("/hooks", hooks)
    return app


def in_starlette(hooks: HooksApp) -> Any:
    """The same."""
    return Starlette(routes=[Mount("/hooks", hooks)])


def in_litestar(hooks: HooksApp) -> Any:
    """The same."""
    return Litestar([asgi("/hooks", is_mount=True, copy_scope=True)(hooks)])


@pytest.mark.parametrize("mounted", [in_fastapi, in_starlette, in_litestar])
def test_a_page_answers_a_hook(mounted: Callable[[HooksApp], Any]) -> None:
    """It sees what is asked, is told what does not fit, and answers once."""
    app = mounted(HooksApp(longest_body=100))
    handle = waiting(1)
    shown = ask(app, "GET", "/hooks/paid 1")
    assert (shown.status_code, shown.json()["state"], shown.json()["schema"]["type"]) == (200, "open", "object")
    assert shown.headers["cache-control"] == "no-store"
    wrong = ask(app, "POST", "/hooks/paid 1", json={"amount": "much"})
    assert (wrong.status_code, wrong.json()["detail"]) == (422, "$.amount is a string, not of type integer")
    assert ask(app, "POST", "/hooks/paid 1", content=b"{").status_code == 400
    assert ask(app, "POST", "/hooks/paid 1", content=b'"' + b"x" * 100 + b'"').status_code == 413
    assert ask(app, "PUT", "/hooks/paid 1", json={}).status_code == 405
    assert ask(app, "POST", "/hooks/nobody", json={}).status_code == 404
    assert ask(app, "GET", "/hooks/nobody").status_code == 404
    assert ask(app, "GET", "/hooks/").status_code in (404, 405)
    for _ in range(2):
        taken = ask(app, "POST", "/hooks/paid 1", json={"amount": 3}, headers={"Idempotency-Key": "k"})
        assert (taken.status_code, taken.json()) == (200, {"state": "resolved"})
    assert ask(app, "POST", "/hooks/paid 1", json={"amount": 4}).status_code == 409
    assert handle.result(PATIENCE_SECONDS) == "{'amount': 3}"
    assert ask(app, "GET", "/hooks/paid 1").json()["state"] == "resolved"


def test_a_hook_is_rejected_over_http() -> None:
    """With a reason; and one whose run has ended is gone."""
    app = in_starlette(HooksApp())
    handle = waiting(2)
    assert ask(app, "POST", "/hooks/paid 2/reject", json={"reason": "no money"}).status_code == 200
    assert handle.result(PATIENCE_SECONDS) == "rejected: no money"
    ended = waiting(3)
    ended.cancel()
    until(lambda: ended.status() == "cancelled")
    assert ask(app, "POST", "/hooks/paid 3", json={}).status_code == 410


def test_who_may_not_answer_finds_nothing() -> None:
    """As 404: whether there is such a hook is not told."""

    async def allow(scope: Any, token: str) -> bool:
        return (b"user", b"ada") in scope["headers"]

    app = in_starlette(HooksApp(allow=allow))
    handle = waiting(4)
    assert ask(app, "GET", "/hooks/paid 4").status_code == 404
    assert ask(app, "POST", "/hooks/paid 4", json={}).status_code == 404
    assert ask(app, "POST", "/hooks/paid 4", json={}, headers={"user": "ada"}).status_code == 200
    assert handle.result(PATIENCE_SECONDS) == "{}"


def standard(body: bytes, at: int | None = None, key: bytes = SECRET.encode(), delivery: str = "d") -> dict[str, str]:
    """As standardwebhooks.com has it."""
    stamp = str(int(time.time()) if at is None else at)
    digest = hmac.new(key, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1a,x v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": delivery, "webhook-timestamp": stamp, "webhook-signature": signature}


def stripe(body: bytes, at: int | None = None, key: bytes = SECRET.encode()) -> dict[str, str]:
    """As Stripe has it."""
    stamp = str(int(time.time()) if at is None else at)
    digest = hmac.new(key, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={'0' * 64},v1={digest}"}


def github(body: bytes, at: int | None = None, key: bytes = SECRET.encode()) -> dict[str, str]:
    """As GitHub has it."""
    return {
        "x-hub-signature-256": f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}",
        "x-github-delivery": "d",
    }


STANDARD = StandardWebhooks([f"whsec_{base64.b64encode(b'old').decode()}", base64.b64encode(SECRET.encode()).decode()])
SCHEMES = pytest.mark.parametrize(
    ("signature", "sign"),
    [(STANDARD, standard), (StripeSignature(SECRET), stripe), (GitHubSignature(["old", SECRET]), github)],
    ids=["standard", "stripe", "github"],
)


def order_of(webhook: Webhook) -> str | None:
    """The token, of what was sent."""
    number = webhook.data.get("order")
    return None if number is None else f"paid {number}"


@SCHEMES
def test_a_signed_webhook_resolves_its_hook(signature: Signature, sign: Any, request: pytest.FixtureRequest) -> None:
    """The token is in what was sent; sent again it is no other answer, where the sender tells deliveries apart."""
    number = 10 + len(request.node.name)
    hooks = HooksApp(signature=signature, token_of=order_of, value_of=lambda webhook: webhook.data["data"])
    app = in_starlette(hooks)
    handle = waiting(number)
    body = json.dumps({"order": number, "data": {"amount": 5}}).encode()
    again = [ask(app, "POST", "/hooks/", content=body, headers=sign(body)).status_code for _ in range(2)]
    assert again == ([200, 409] if sign is stripe else [200, 200])
    assert handle.result(PATIENCE_SECONDS) == "{'amount': 5}"
    other = b'{"kind": "of no interest"}'
    assert ask(app, "POST", "/hooks/", content=other, headers=sign(other)).status_code == 202


@SCHEMES
def test_a_webhook_that_is_not_signed_is_refused(signature: Signature, sign: Any) -> None:
    """Another secret, another body, an old time, no header, or something that is none; and nothing is told of it."""
    app = in_starlette(HooksApp(signature=signature))
    body = b'{"amount": 1}'
    headers = [sign(body, key=b"another"), sign(b"another"), {}, dict.fromkeys(sign(body), "v1,é t=1,v1=x")]
    if sign is not github:
        headers += [sign(body, at=int(time.time()) - 1000), sign(body, at=int(time.time()) + 1000)]
    for one in headers:
        encoded = {name: value.encode("latin-1") for name, value in one.items()}
        assert ask(app, "POST", "/hooks/nobody", content=body, headers=encoded).status_code == 401
    assert ask(app, "POST", "/hooks/nobody", content=body, headers=sign(body)).status_code == 404
    assert ask(app, "GET", "/hooks/nobody").status_code == 405
    assert SECRET not in repr(signature)


def test_bad_settings_are_refused_where_they_are_given() -> None:
    """Before a request comes."""
    with pytest.raises(UsageError, match="whsec_ and base64"):
        StandardWebhooks("not base64!")
    with pytest.raises(UsageError, match="none of them empty"):
        StripeSignature("")
    with pytest.raises(UsageError, match="none of them empty"):
        GitHubSignature([])
    with pytest.raises(UsageError, match="an object that checks"):
        HooksApp(signature=SECRET)  # type: ignore[arg-type]  # that is the mistake


def test_a_process_that_executes_nothing_answers(launched: perdure.Perdure) -> None:
    """By its client."""
    handle = waiting(5)
    assert launched._runtime is not None
    with perdure.Client(launched._url) as client:
        app = in_starlette(HooksApp(client=client))
        assert ask(app, "GET", "/hooks/paid 5").json()["state"] == "open"
        assert ask(app, "POST", "/hooks/paid 5", json={"amount": 7}).status_code == 200
        assert ask(app, "POST", "/hooks/paid 5/reject").status_code == 409
    assert handle.result(PATIENCE_SECONDS) == "{'amount': 7}"
