"""`durable_endpoint` for Starlette: each request is a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

from ._needs import needs

with needs("Starlette", "starlette"):
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import JSONResponse, Response

from ._endpoints import StreamingOptions, check_known, plain
from ._keys import Answer, RequestRefused
from ._requests import PlainEndpoint, arguments_of, takes
from .asgi import RunStatus as RunStatus


def durable_endpoint(
    function: Callable[..., Any] | None = None, /, **options: Unpack[StreamingOptions[Request]]
) -> Any:
    """`Route("/orders/{shop}", durable_endpoint(place_order), methods=["POST"])`: make a function, sync or async, a
    workflow, and each request a run of it.

    The function gets what the path has by name, the JSON body as `body` (as its annotation says: plain JSON, a
    dataclass, a pydantic model, `bytes`), and the query as `query`, a dict. Its value is answered as JSON, if it is
    there within `answer_within` seconds (2); else 202 with the run's status URL below `status_at` (`/runs`), where
    `RunStatus` is to be mounted, and the URLs of the `streams` that it writes to, given by their keys, below
    `streams_at` (`/streams`), where `StreamsApp` is to be mounted.

    The header `Idempotency-Key` makes the run's id, `name:key`, or `name:scope:key` with what `scope` gives of the
    request, such as its user; without the header one is drawn, or the request is refused where `require_key` says so
    (400). The same key with other arguments is refused (422). A client that hangs up changes nothing.

    Raises `UsageError` where it is decorated, for parameters that cannot be stored.
    """
    check_known(options, StreamingOptions.__annotations__)
    if function is None:
        return partial(durable_endpoint, **options)
    served = PlainEndpoint(function, [HTTPConnection, Response], **options)

    async def endpoint(request: Request) -> Response:
        root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
        body = await request.body() if takes(served.signature, "body") else b""
        try:
            run_id = served.run_id(request.headers.get("idempotency-key"), request)
            arguments = arguments_of(served.signature, request.path_params, request.query_params, body)
            value = await served.aserve(run_id, arguments, root)
        except RequestRefused as refused:
            value = refused.answer
        return response_of(value) if isinstance(value, Answer) else JSONResponse(plain(value))

    endpoint.workflow = served.workflow  # type: ignore[attr-defined]  # for tests and for starting it otherwise
    endpoint.__name__, endpoint.__doc__ = getattr(function, "__name__", "endpoint"), function.__doc__
    return endpoint


def response_of(answer: Answer) -> Response:
    """The answer as a response."""
    return JSONResponse(answer.body, answer.status, dict(answer.headers), answer.media_type)
