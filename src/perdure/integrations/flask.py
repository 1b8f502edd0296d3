"""`durable_endpoint` and `run_status` for Flask: each request is a run. How the service starts: `gunicorn`, `wsgi`."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

from ._needs import needs

with needs("Flask", "flask"):
    from flask import Blueprint, Request, Response, jsonify, request

from .. import RunNotFoundError, handle
from ._endpoints import ENDED, EndpointOptions, check_known, find_endpoint, plain, read_outcome
from ._keys import Answer, RequestRefused
from ._requests import PlainEndpoint, arguments_of, takes
from .asgi import NOT_FOUND, wait_in


def durable_endpoint(function: Callable[..., Any] | None = None, /, **options: Unpack[EndpointOptions[Request]]) -> Any:
    """Below `@app.post("/orders/<shop>")`: make the function a workflow, and each request a run of it.

    The function gets what the path has by name, the JSON body as `body` (as its annotation says: plain JSON, a
    dataclass, a pydantic model, `bytes`), and the query as `query`, a dict; it runs outside the request's context, and
    `flask.request` is not there. For the rest see `perdure.integrations.fastapi.durable_endpoint`; an error that
    `werkzeug.exceptions` has is recorded and raised again. The function may be async: it runs on Perdure's own loop.
    """
    check_known(options, EndpointOptions.__annotations__)
    if function is None:
        return partial(durable_endpoint, **options)
    served = PlainEndpoint(function, [Request, Response], **options)

    def endpoint(**path: Any) -> Response:
        body = request.get_data() if takes(served.signature, "body") else b""
        try:
            run_id = served.run_id(request.headers.get("Idempotency-Key"), request)
            arguments = arguments_of(served.signature, path, request.args, body)
            value = served.serve(run_id, arguments, request.script_root)
        except RequestRefused as refused:
            value = refused.answer
        return response_of(value) if isinstance(value, Answer) else jsonify(plain(value))

    endpoint.__name__, endpoint.__doc__ = getattr(function, "__name__", "endpoint"), function.__doc__
    endpoint.__module__, endpoint.__qualname__ = function.__module__, function.__qualname__
    endpoint.workflow = served.workflow  # type: ignore[attr-defined]  # for tests and for starting it otherwise
    return endpoint


def response_of(answer: Answer) -> Response:
    """The answer as a response."""
    response = jsonify(answer.body)
    response.status_code, response.mimetype = answer.status, answer.media_type
    response.headers.extend(dict(answer.headers))
    return response


def run_status(
    *,
    url_prefix: str = "/runs",
    allow: Callable[[Request, str], bool] | None = None,
    may_cancel: bool = False,
    longest_wait: float = 30.0,
) -> Blueprint:
    """`app.register_blueprint(run_status())`: the state of the runs that durable endpoints have started, as
    `perdure.integrations.asgi.RunStatus`. A waiting request occupies a thread of the server.
    """
    blueprint = Blueprint("perdure_runs", __name__, url_prefix=url_prefix)
    methods = ["GET", "DELETE"] if may_cancel else ["GET"]

    @blueprint.route("/<path:run_id>", methods=methods)
    def status(run_id: str) -> Response:
        endpoint = find_endpoint(run_id)
        if endpoint is None or (allow is not None and not allow(request, run_id)):
            return response_of(NOT_FOUND)
        try:
            found = handle(run_id)
        except RunNotFoundError:
            return response_of(NOT_FOUND)
        if request.method == "DELETE":
            found.cancel()
        elif seconds := wait_in(request.query_string.decode("latin-1"), longest_wait):
            concurrent.futures.wait([found], seconds)
        state = found.status()
        body: dict[str, Any] = {"run_id": run_id, "state": state}
        if state not in ENDED:
            return response_of(Answer(200, body, {"Retry-After": "1"}))
        code, content = read_outcome(found, endpoint, None)
        return response_of(Answer(200, {**body, "answer": {"status": code, "body": content}}))

    return blueprint
