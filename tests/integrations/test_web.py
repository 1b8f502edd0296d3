"""Durable endpoints in FastAPI, Starlette and Litestar, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from litestar import Litestar, asgi, post
from litestar.params import FromPath
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import perdure
from perdure.integrations import fastapi as ours
from perdure.integrations import litestar as lights
from perdure.integrations import starlette as stars
from perdure.integrations.streams import StreamsApp

may_end = threading.Event()
ran: list[str] = []


QUICK_SECONDS = 2.0
"""Long enough for a loaded machine: what is slow here is so until it is told to end."""


class Order(BaseModel):
    """What is ordered."""

    item: str


class Receipt(BaseModel):
    """With something that clients do not see."""

    number: int
    margin: int = 3


class Shown(BaseModel):
    """What they see."""

    number: int


@perdure.step(name="web.charge")
def charge(item: str) -> int:
    """Ends as the item says."""
    ran.append(item)
    if item == "slow":
        may_end.wait(20)
    if item == "none":
        raise HTTPException(409, "there is none left")
    if item == "bug":
        raise ValueError("the password is swordfish")
    return 7


def who(request: Request) -> str:
    """The user who asks."""
    return request.headers.get("user", "anybody")


fast = FastAPI()
fast.mount(
    "/runs", ours.RunStatus(may_cancel=True, allow=lambda scope, run_id: b"secret" not in dict(scope["headers"]))
)


@fast.post("/orders/{shop}", response_model=Shown, status_code=201)
@ours.durable_endpoint(name="web.order", answer_within=QUICK_SECONDS)
async def order(shop: str, order: Order, user: str = Depends(who)) -> Receipt:
    """Async, with a body, a path and a dependency."""
    return Receipt(number=await perdure.start(charge, order.item))


@fast.post("/sync")
@ours.durable_endpoint(name="web.sync", answer_within=QUICK_SECONDS, require_key=True, scope=who)
def order_in_thread(order: Order) -> Shown:
    """Sync, with a scope."""
    return Shown(number=charge(order.item))


async def starred(shop: str, body: Order, query: dict[str, str]) -> dict[str, Any]:
    """An endpoint of Starlette."""
    return {"shop": shop, "number": await perdure.start(charge, body.item), **query}


plain = Starlette(
    routes=[
        Route(
            "/orders/{shop}",
            stars.durable_endpoint(starred, name="web.star", answer_within=QUICK_SECONDS),
            methods=["POST"],
        ),
        Mount("/runs", stars.RunStatus()),
    ]
)

Ask = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def _fresh(launched: str) -> Iterator[None]:
    may_end.clear()
    ran.clear()
    yield
    may_end.set()


def ask(method: str, path: str, app: Any = fast, key: str | None = None, **options: Any) -> httpx.Response:
    """One request."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            headers = {**({"Idempotency-Key": key} if key is not None else {}), **options.pop("headers", {})}
            return await client.request(method, path, headers=headers, **options)

    return asyncio.run(send())


def test_a_quick_run_is_answered_as_the_route_says() -> None:
    """Model and status are FastAPI's own; repeated, the same answer comes without a second run."""
    answers = [ask("POST", "/orders/a", key="1", json={"item": "tea"}) for _ in range(2)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(201, {"number": 7})] * 2
    assert ran == ["tea"]
    assert perdure.handle("web.order:1").status() == "succeeded"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/orders/a", {"json": {"item": "coffee"}}),
        ("/orders/b", {"json": {"item": "tea"}}),
        ("/orders/a", {"json": {"item": "tea"}, "headers": {"user": "another"}}),
    ],
)
def test_another_request_under_the_same_key_is_refused(path: str, options: dict[str, Any]) -> None:
    """Body, path and what dependencies give are the arguments; nothing is run."""
    ask("POST", "/orders/a", key="1", json={"item": "tea"})

    answer = ask("POST", path, key="1", **options)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert ran == ["tea"]


@pytest.mark.parametrize("key", ["", "two words", "ä", "x" * 256, "\x7f"])
def test_a_key_that_cannot_be_is_refused(key: str) -> None:
    """Visible ASCII without spaces, 255 at most."""
    answer = ask("POST", "/orders/a", json={"item": "tea"}, headers={"Idempotency-Key": key.encode()})

    assert (answer.status_code, ran) == (400, [])


def test_a_quoted_key_is_the_bare_one() -> None:
    """Structured fields write it in quotes."""
    ask("POST", "/orders/a", key='"k-1"', json={"item": "tea"})
    ask("POST", "/orders/a", key="k-1", json={"item": "tea"})

    assert ran == ["tea"]


def test_without_a_key_each_request_is_a_run_unless_one_is_required() -> None:
    """400 where the endpoint requires it."""
    for _ in range(2):
        assert ask("POST", "/orders/a", json={"item": "tea"}).status_code == 201

    assert ask("POST", "/sync", json={"item": "tea"}).status_code == 400
    assert ran == ["tea", "tea"]


def test_a_scope_parts_the_keys_of_its_users() -> None:
    """What one user has sent under a key is nothing to another one's, whatever characters they have."""
    for user in ("a:b", "a", "ü@x.org"):
        answer = ask("POST", "/sync", key="b:k", json={"item": "tea"}, headers={"user": user.encode()})
        assert answer.status_code == 200

    assert len(ran) == 3
    assert perdure.handle("web.sync:a~3Ab:b~3Ak").status() == "succeeded"


@pytest.mark.parametrize("path", ["/orders/a", "/sync"])
def test_a_slow_run_is_accepted_and_its_status_has_the_answer(path: str) -> None:
    """202, a place to look, the state there, and in the end what the endpoint would have answered."""
    accepted = ask("POST", path, key="1", json={"item": "slow"})
    place = accepted.headers["location"]
    assert accepted.status_code == 202
    assert accepted.json()["status_url"] == place
    assert "answer" not in ask("GET", place).json()
    may_end.set()

    ended = ask("GET", f"{place}?wait=20").json()

    assert ended["state"] == "succeeded"
    assert ended["answer"] == {"status": 201 if path == "/orders/a" else 200, "body": {"number": 7}}
    assert ask("POST", path, key="1", json={"item": "slow"}).json() == {"number": 7}
    assert ran == ["slow"]


def test_an_http_exception_is_the_answer_at_every_repetition() -> None:
    """It is recorded; other errors show nothing of themselves."""
    answers = [ask("POST", "/orders/a", key="1", json={"item": "none"}) for _ in range(2)]
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [(409, "there is none left")] * 2
    assert ask("GET", "/runs/web.order:1").json()["answer"]["status"] == 409

    assert ask("POST", "/orders/a", key="2", json={"item": "bug"}).status_code == 500
    assert "swordfish" not in ask("GET", "/runs/web.order:2").text
    assert ran == ["none", "bug"]


def test_a_run_can_be_cancelled_by_its_status_url() -> None:
    """Where the service allows it; the endpoint then says so."""
    place = ask("POST", "/orders/a", key="1", json={"item": "slow"}).headers["location"]

    ask("DELETE", place)
    may_end.set()

    assert ask("GET", f"{place}?wait=20").json()["state"] == "cancelled"
    assert ask("POST", "/orders/a", key="1", json={"item": "slow"}).status_code == 409
    assert ask("DELETE", "/runs/web.star:1", app=plain).status_code == 405


def test_only_runs_of_endpoints_are_shown_and_only_to_whom_they_may_be() -> None:
    """Others are as if they were not there."""
    perdure.with_options(id="private").start(charge, "tea").result(20)
    ask("POST", "/orders/a", key="1", json={"item": "tea"})

    assert ask("GET", "/runs/private").status_code == 404
    assert ask("GET", "/runs/web.order:nobody").status_code == 404
    assert ask("GET", "/runs/web.order:1", headers={"secret": "1"}).status_code == 404
    assert ask("GET", "/runs/web.order:1").status_code == 200


def test_a_client_that_hangs_up_loses_nothing() -> None:
    """The task of the request is cancelled, as servers do; the run goes on, and its answer is there."""

    async def hang_up() -> None:
        transport = httpx.ASGITransport(app=fast)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            request = client.post("/orders/a", json={"item": "slow"}, headers={"Idempotency-Key": "1"})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(request, 0.1)

    asyncio.run(hang_up())
    while not ran:  # it may have been cut off before it was durable: then the client repeats it, as after any error
        ask("POST", "/orders/a", key="1", json={"item": "slow"})
    may_end.set()

    assert ask("GET", "/runs/web.order:1?wait=20").json()["answer"]["body"] == {"number": 7}
    assert ran == ["slow"]


async def tells(shop: str) -> str:
    """What it says is read while it goes on."""
    perdure.stream("two words").write(shop)
    await perdure.start(charge, "slow")
    return shop


TELLS: dict[str, Any] = {"answer_within": 0, "streams": ["two words"], "streams_at": "/told"}


def telling(framework: str) -> Any:
    """The endpoint, and where its streams are read."""
    name, app = f"web.tells.{framework}", StreamsApp()
    if framework == "starlette":
        endpoint = stars.durable_endpoint(tells, name=name, **TELLS)
        return Starlette(routes=[Route("/tell/{shop}", endpoint, methods=["POST"]), Mount("/told", app)])
    if framework == "litestar":

        @post("/tell/{shop:str}")
        @lights.durable_endpoint(name=name, **TELLS)
        async def tells_too(shop: FromPath[str]) -> str:
            return await tells(shop)

        return Litestar([tells_too, asgi("/told", is_mount=True, copy_scope=True)(app)])
    fast_too = FastAPI()
    fast_too.post("/tell/{shop}")(ours.durable_endpoint(tells, name=name, **TELLS))
    fast_too.mount("/told", app)
    return fast_too


@pytest.mark.parametrize("framework", ["fastapi", "starlette", "litestar"])
def test_who_is_told_to_come_again_knows_where_to_read_along(framework: str) -> None:
    """The 202 has the places of the streams that the endpoint writes; so has every repetition."""
    app = telling(framework)
    accepted = [ask("POST", "/tell/ada", app=app, key="k") for _ in range(2)]

    assert [answer.status_code for answer in accepted] == [202, 202]
    places = {"two words": f"/told/web.tells.{framework}:k/two%20words"}
    assert [answer.json()["streams"] for answer in accepted] == [places] * 2
    assert ask("GET", f"{places['two words']}?offset=-1&live=long-poll", app=app).json() == ["ada"]
    may_end.set()


@pytest.mark.parametrize("decorator", [ours, stars, lights], ids=["fastapi", "starlette", "litestar"])
def test_an_option_that_there_is_not_is_refused_with_those_that_there_are(decorator: Any) -> None:
    """Where it is given."""
    with pytest.raises(perdure.UsageError, match="has no option within=; it has name=, answer_within="):
        decorator.durable_endpoint(within=1)


def test_starlette_gives_path_query_and_body() -> None:
    """By the names of the parameters; a body that does not fit is refused and begins nothing."""
    answer = ask("POST", "/orders/a?x=1", app=plain, key="1", json={"item": "tea"})
    assert answer.json() == {"shop": "a", "number": 7, "x": "1"}

    assert ask("POST", "/orders/a", app=plain, key="2", json={"thing": 1}).status_code == 422
    assert ran == ["tea"]


def test_what_cannot_be_stored_is_refused_where_it_is_decorated() -> None:
    """Requests, responses; a name that is too long; a path that is none."""

    def takes_request(request: Request) -> str:
        return ""

    def gives_response() -> PlainTextResponse:
        return PlainTextResponse("")

    for function, options in (
        (takes_request, {"name": "web.x"}),
        (gives_response, {"name": "web.x"}),
        (who, {"name": "x" * 121}),
        (test_starlette_gives_path_query_and_body, {"status_at": "runs"}),
        (test_starlette_gives_path_query_and_body, {"answer_within": -1}),
        (test_starlette_gives_path_query_and_body, {"streams": "words"}),
        (test_starlette_gives_path_query_and_body, {"streams": ["a/b"]}),
        (test_starlette_gives_path_query_and_body, {"streams": ["a"], "streams_at": "told"}),
        (test_starlette_gives_path_query_and_body, {"answer_within": float("inf")}),
    ):
        with pytest.raises(perdure.UsageError, match="durable_endpoint"):
            ours.durable_endpoint(function, **options)
