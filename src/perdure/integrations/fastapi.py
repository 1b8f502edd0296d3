"""`durable_endpoint` for FastAPI: each request is a run, with FastAPI's own parameters, dependencies and models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from inspect import Parameter, Signature
from typing import Annotated, Any, Unpack

from ._needs import needs

with needs("FastAPI", "fastapi"):
    from fastapi import BackgroundTasks, Header, Request
    from fastapi.encoders import jsonable_encoder
    from fastapi.routing import APIRoute
    from pydantic import TypeAdapter
    from starlette.requests import HTTPConnection
    from starlette.responses import Response

from ._endpoints import Endpoint, StreamingOptions, check_known
from ._keys import Answer, RequestRefused
from .asgi import RunStatus as RunStatus
from .starlette import response_of


def durable_endpoint(
    function: Callable[..., Any] | None = None, /, **options: Unpack[StreamingOptions[Request]]
) -> Any:
    """Below `@app.post("/orders")`: make the function, sync or async, a workflow, and each request a run of it.

    FastAPI reads its parameters and dependencies as ever; their values are the run's arguments, and stored. Its value
    is answered as the route says (`response_model`, `status_code`), if it is there within `answer_within` seconds (2);
    else 202 with the run's status URL below `status_at` (`/runs`), where `RunStatus` is to be mounted, and the URLs of
    the `streams` that it writes to, given by their keys, below `streams_at` (`/streams`), where `StreamsApp` is to be
    mounted.

    The header `Idempotency-Key` makes the run's id, `name:key`, or `name:scope:key` with what `scope` gives of the
    request, such as its user; without the header one is drawn, or the request is refused where `require_key` says so
    (400). The same key with other arguments is refused (422). An `HTTPException` of the function is recorded, and
    raised again at each repetition. A client that hangs up changes nothing.

    Raises `UsageError` where it is decorated, for parameters that cannot be stored.
    """
    check_known(options, StreamingOptions.__annotations__)
    if function is None:
        return partial(durable_endpoint, **options)
    served = FastAPIEndpoint(function, [HTTPConnection, Response, BackgroundTasks], **options)

    async def endpoint(*, perdure_request: Request, perdure_key: str | None, **arguments: Any) -> Any:
        root = perdure_request.scope.get("app_root_path", perdure_request.scope.get("root_path", ""))
        try:
            run_id = served.run_id(perdure_key, perdure_request)
            value = await served.aserve(run_id, arguments, root)
        except RequestRefused as refused:
            value = refused.answer
        return response_of(value) if isinstance(value, Answer) else value

    endpoint.__signature__ = extended(served.signature)  # type: ignore[attr-defined]  # what FastAPI reads
    endpoint.__name__, endpoint.__doc__ = getattr(function, "__name__", "endpoint"), function.__doc__
    endpoint.__module__ = function.__module__
    endpoint.workflow = served.workflow  # type: ignore[attr-defined]  # for tests and for starting it otherwise
    endpoint.perdure_endpoint = served  # type: ignore[attr-defined]  # how the status page finds the route
    return endpoint


def extended(signature: Signature) -> Signature:
    """With the request and its key, which the function itself does not get."""
    own = [
        Parameter("perdure_request", Parameter.KEYWORD_ONLY, annotation=Request),
        Parameter(
            "perdure_key",
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None, Header(alias="Idempotency-Key", description="The same at every repetition of a request.")
            ],
        ),
    ]
    given = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in signature.parameters.values()]
    return signature.replace(parameters=[*given, *own])


class FastAPIEndpoint(Endpoint):
    """Its answers look as its route says, on the status page too: what a `response_model` leaves out is not shown."""

    def render(self, value: Any, app: Any) -> tuple[int, Any]:
        """Status and body, as FastAPI itself would answer with this value."""
        route = next((route for route in api_routes(getattr(app, "routes", ())) if self._is_of(route)), None)
        if route is None or route.response_model is None:
            answer = self.signature.return_annotation
            shown = value if answer in (Signature.empty, None) else dump(answer, value)
            return (getattr(route, "status_code", None) or 200), jsonable_encoder(shown)
        shown = dump(
            route.response_model,
            value,
            include=route.response_model_include,
            exclude=route.response_model_exclude,
            by_alias=route.response_model_by_alias,
            exclude_unset=route.response_model_exclude_unset,
            exclude_defaults=route.response_model_exclude_defaults,
            exclude_none=route.response_model_exclude_none,
        )
        return route.status_code or 200, shown

    def _is_of(self, route: APIRoute) -> bool:
        return getattr(route.endpoint, "perdure_endpoint", None) is self


def dump(model: Any, value: Any, **options: Any) -> Any:
    """The value as the model shows it: fields that it does not have are left out."""
    adapter = TypeAdapter(model)
    return adapter.dump_python(adapter.validate_python(value, from_attributes=True), mode="json", **options)


def api_routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    """The routes, those of routers and mounted apps too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            yield from api_routes(getattr(route, "routes", None) or ())
