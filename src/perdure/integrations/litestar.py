"""`durable_endpoint` for Litestar: each request is a run, with Litestar's own parameters and dependencies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter
from typing import Any, Unpack

from ._needs import needs

with needs("Litestar", "litestar"):
    from litestar import Request, Response
    from litestar.connection import ASGIConnection
    from litestar.handlers import asgi
    from litestar.types import Receive, Scope, Send

from .. import UsageError
from ._endpoints import Endpoint, StreamingOptions, check_known
from ._keys import Answer, RequestRefused
from .asgi import RunStatus


def durable_endpoint(
    function: Callable[..., Any] | None = None, /, **options: Unpack[StreamingOptions[Request[Any, Any, Any]]]
) -> Any:
    """Below `@post("/orders")`: make the function, sync or async, a workflow, and each request a run of it.

    As `perdure.integrations.fastapi.durable_endpoint`; `data`, the path and the query are read by Litestar. The
    function has no parameter `request`: what is needed of it is a parameter or dependency of its own.
    """
    check_known(options, StreamingOptions.__annotations__)
    if function is None:
        return partial(durable_endpoint, **options)
    served = Endpoint(function, [ASGIConnection, Response], **options)
    if "request" in served.signature.parameters or "socket" in served.signature.parameters:
        raise UsageError(f"durable_endpoint {served.name}: a request cannot be stored with its run: take what you need")

    async def endpoint(*, request: Request[Any, Any, Any], **arguments: Any) -> Any:
        try:
            run_id = served.run_id(request.headers.get("idempotency-key"), request)
            value = await served.aserve(run_id, arguments, request.scope.get("root_path", ""))
        except RequestRefused as refused:
            value = refused.answer
        return response_of(value) if isinstance(value, Answer) else value

    given = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in served.signature.parameters.values()]
    own = Parameter("request", Parameter.KEYWORD_ONLY, annotation=Request)
    signature = served.signature.replace(parameters=[*given, own])
    endpoint.__signature__ = signature  # type: ignore[attr-defined]  # what Litestar reads, with the annotations
    endpoint.__annotations__ = {parameter.name: parameter.annotation for parameter in (*given, own)}
    endpoint.__annotations__["return"] = signature.return_annotation
    endpoint.__name__, endpoint.__doc__ = getattr(function, "__name__", "endpoint"), function.__doc__
    endpoint.__module__, endpoint.__qualname__ = function.__module__, function.__qualname__
    endpoint.workflow = served.workflow  # type: ignore[attr-defined]  # for tests and for starting it otherwise
    return endpoint


def response_of(answer: Answer) -> Response[Any]:
    """The answer as a response."""
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers), media_type=answer.media_type)


def run_status(path: str = "/runs", **options: Any) -> Any:
    """A route handler with the status of the runs, for `Litestar(route_handlers=[...])`; options of `RunStatus`."""
    status = RunStatus(**options)

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await status(scope, receive, send)  # type: ignore[arg-type]  # the same dictionaries under other names

    return asgi(path, is_mount=True, copy_scope=True)(mounted)
