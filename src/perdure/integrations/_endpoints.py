"""A durable endpoint, whatever the framework: a run for each request, its answer if it is quick, else its place."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Collection, Mapping
from inspect import Signature, signature
from typing import Any, Final, Generic, TypedDict, TypeVar
from urllib.parse import quote

from .. import (
    Handle,
    PerdureError,
    RunCancelledError,
    RunExistsError,
    RunStuckError,
    StoreUnavailableError,
    UsageError,
    stream,
    with_options,
    workflow,
)
from ._keys import LONGEST_NAME, Answer, problem, run_id_of

RequestT = TypeVar("RequestT")

ENDED: Final = frozenset({"succeeded", "failed", "cancelled", "dead"})
ENDPOINTS: Final[dict[str, Endpoint]] = {}
"""By the beginning of the ids of their runs: what a status page may show."""


class EndpointOptions(TypedDict, Generic[RequestT], total=False):
    """The options of `durable_endpoint`; see that of FastAPI. Their defaults are `Endpoint`'s."""

    name: str | None
    answer_within: float
    status_at: str
    require_key: bool
    scope: Callable[[RequestT], str] | None


class StreamingOptions(EndpointOptions[RequestT], total=False):
    """The same where the framework can serve streams."""

    streams: Collection[str]
    streams_at: str


def check_known(options: Mapping[str, object], known: Collection[str]) -> None:
    """Raise `UsageError` for what is no option of this framework's `durable_endpoint`."""
    if unknown := [name for name in options if name not in known]:
        given = ", ".join(f"{name}=" for name in unknown)
        raise UsageError(f"durable_endpoint has no option {given}; it has {', '.join(f'{name}=' for name in known)}")


class Endpoint:
    """What `durable_endpoint` has made of a function."""

    def __init__(
        self,
        function: Callable[..., Any],
        unsuitable: Collection[type],
        *,
        name: str | None = None,
        answer_within: float = 2.0,
        status_at: str = "/runs",
        require_key: bool = False,
        scope: Callable[[Any], str] | None = None,
        streams: Collection[str] = (),
        streams_at: str = "/streams",
    ) -> None:
        self.function = function
        self.shown = name or getattr(function, "__qualname__", repr(function))
        if name is not None and len(name) > LONGEST_NAME:
            raise UsageError(f"durable_endpoint: name={name!r}: give one of at most {LONGEST_NAME} characters")
        is_number = isinstance(answer_within, (int, float)) and not isinstance(answer_within, bool)
        if not (is_number and 0 <= answer_within <= 3600):
            raise UsageError(f"durable_endpoint {self.shown}: answer_within={answer_within!r}: give 0 to 3600 seconds")
        self.status_at = self._read_place("status_at", status_at, "/runs")
        self.streams_at = self._read_place("streams_at", streams_at, "/streams")
        self.streams = self._read_streams(streams)
        self.signature = self._read_signature(function)
        self._refuse(tuple(unsuitable))
        self.answer_within = float(answer_within)
        self.require_key = require_key
        self.scope = scope
        decorate = workflow if name is None else workflow(name=name)
        made: Any = function if hasattr(function, "__perdure__") else decorate(function)
        self.workflow: Callable[..., Any] = made
        self.name: str = made.__perdure__.name  # what the database calls it
        if len(self.name) > LONGEST_NAME:
            raise UsageError(f"durable_endpoint {self.name}: give it a name= of at most {LONGEST_NAME} characters")
        ENDPOINTS[f"{self.name}:"] = self

    def _read_place(self, option: str, path: str, such_as: str) -> str:
        if not path.startswith("/"):
            raise UsageError(f"durable_endpoint {self.shown}: {option}={path!r}: give a path such as {such_as}")
        return path.rstrip("/")

    def _read_streams(self, keys: Collection[str]) -> tuple[str, ...]:
        if isinstance(keys, str):
            raise UsageError(
                f"durable_endpoint {self.shown}: streams={keys!r}: give a list of keys, such as [{keys!r}]"
            )
        for key in keys:
            try:
                stream(key)
            except UsageError as error:
                raise UsageError(f"durable_endpoint {self.shown}: streams: {error}") from error
            if "/" in key:  # it is the last part of a path
                raise UsageError(f"durable_endpoint {self.shown}: streams: {key!r}: give keys without slashes")
        return tuple(keys)

    def _read_signature(self, function: Callable[..., Any]) -> Signature:
        try:
            return signature(function, eval_str=True)
        except NameError as error:
            raise UsageError(
                f"durable_endpoint {self.shown}: its annotations must be known where it is decorated: {error}"
            ) from error

    def _refuse(self, unsuitable: tuple[type, ...]) -> None:
        """Raise `UsageError` where a parameter or the answer is of a class that cannot be stored."""
        for parameter in self.signature.parameters.values():
            if isinstance(parameter.annotation, type) and issubclass(parameter.annotation, unsuitable):
                raise UsageError(
                    f"durable_endpoint {self.shown}: its parameter {parameter.name} is a "
                    f"{parameter.annotation.__name__}, which cannot be stored with the run: take what you need of it "
                    "as parameters of their own"
                )
        answer = self.signature.return_annotation
        if isinstance(answer, type) and issubclass(answer, unsuitable):
            raise UsageError(
                f"durable_endpoint {self.shown}: it returns a {answer.__name__}, which cannot be stored: return the "
                "data that it is made of"
            )

    def run_id(self, header: str | None, request: Any) -> str:
        """The id of the request's run. Raises `RequestRefused`."""
        scope = None
        if self.scope is not None and (not isinstance(scope := self.scope(request), str) or not scope):
            raise UsageError(f"durable_endpoint {self.name}: scope gave {scope!r}: give a text, or refuse the request")
        return run_id_of(self.name, header, scope, require_key=self.require_key)

    async def aserve(self, run_id: str, arguments: dict[str, Any], root: str = "") -> Any:
        """The run's value; its error raised; or an `Answer`, where there is neither yet or never will be."""
        try:
            handle = await with_options(id=run_id).astart(self.workflow, **arguments)
            waiting = asyncio.ensure_future(handle.wait())
            try:
                await asyncio.wait([waiting], timeout=self.answer_within)
                if not waiting.done() and (state := await handle.astatus()) not in ENDED:
                    return self.accepted(run_id, state, root)
                return await waiting
            finally:
                let_go(waiting)
        except Exception as error:
            return self.answer_to(error, run_id, root)

    def serve(self, run_id: str, arguments: dict[str, Any], root: str = "") -> Any:
        """`aserve` on a thread of a sync framework."""
        try:
            handle = with_options(id=run_id).start(self.workflow, **arguments)
            ended, _ = concurrent.futures.wait([handle], self.answer_within)
            if not ended and (state := handle.status()) not in ENDED:
                return self.accepted(run_id, state, root)
            return handle.result()
        except Exception as error:
            return self.answer_to(error, run_id, root)

    def answer_to(self, error: Exception, run_id: str, root: str) -> Answer:
        """What is told instead of an error of ours; the run's own error is raised again."""
        if isinstance(error, RunExistsError) and error.run_id == run_id:
            return problem(
                422,
                "Idempotency-Key was used before",
                "Another request was sent with this key: give a new request a key of its own, or repeat the first one "
                "unchanged.",
            )
        if isinstance(error, RunCancelledError) and error.run_id == run_id:
            return cancelled(run_id)
        if isinstance(error, RunStuckError) and error.run_id == run_id:
            return self.accepted(run_id, "parked", root)
        if isinstance(error, StoreUnavailableError):
            return problem(
                503,
                "The database is away",
                "It is not known whether the request was taken: repeat it with the same Idempotency-Key.",
                Retry_After="1",
            )
        if type(error) is PerdureError:  # this process shuts down; the run goes on at the next start
            return self.accepted(run_id, "ready", root)
        raise error

    def accepted(self, run_id: str, state: str, root: str) -> Answer:
        """202: the run is durable, and has not ended."""
        root, run = root.rstrip("/"), quote(run_id, safe=":")
        url = f"{root}{self.status_at}/{run}"
        body: dict[str, Any] = {"run_id": run_id, "state": state, "status_url": url}
        if self.streams:
            body["streams"] = {key: f"{root}{self.streams_at}/{run}/{quote(key, safe='')}" for key in self.streams}
        return Answer(202, body, {"Location": url, "Retry-After": "1"})

    def render(self, value: Any, app: Any) -> tuple[int, Any]:
        """Status and body of the endpoint's own answer with this value, for the status page."""
        return 200, plain(value)


def let_go(waiting: asyncio.Future[Any]) -> None:
    """Wait no more; what it has ended with is told elsewhere."""
    if not waiting.cancel() and not waiting.cancelled():
        waiting.exception()


def cancelled(run_id: str) -> Answer:
    """The run was cancelled: there is no answer and there will be none."""
    return problem(409, "Cancelled", f"The run {run_id} was cancelled.")


def plain(value: Any) -> Any:
    """The value as JSON takes it."""
    # late: the core's own dependency, of no use before a status page is asked for
    import msgspec

    return msgspec.to_builtins(value, enc_hook=_dump, str_keys=True)


def _dump(value: Any) -> Any:
    if callable(dump := getattr(value, "model_dump", None)):
        return dump(mode="json")
    raise NotImplementedError(f"a {type(value).__name__} has no JSON form")


def find_endpoint(run_id: str) -> Endpoint | None:
    """The endpoint whose run it is, if it is one of this process' endpoints."""
    found = [beginning for beginning in ENDPOINTS if run_id.startswith(beginning)]
    return ENDPOINTS[max(found, key=len)] if found else None


def error_answer(error: BaseException, run_id: str) -> tuple[int, Any]:
    """Status and body of a run that has ended without a value. No message but one that was meant for clients."""
    is_meant = any(cls.__name__ == "HTTPException" for cls in type(error).__mro__)
    status = (getattr(error, "status_code", None) or getattr(error, "code", None)) if is_meant else None
    if isinstance(error, RunCancelledError):
        answer = cancelled(run_id)
        return answer.status, answer.body
    if isinstance(status, int) and 400 <= status <= 599:
        detail = getattr(error, "detail", None) or getattr(error, "description", None)
        return status, {"detail": plain(detail)}
    return 500, {"detail": "Internal Server Error"}


async def aread_outcome(handle: Handle[Any], endpoint: Endpoint, app: Any) -> tuple[int, Any]:
    """Status and body of a run that has ended."""
    try:
        value = await handle.wait()
    except Exception as error:
        return error_answer(error, handle.run_id)
    return endpoint.render(value, app)


def read_outcome(handle: Handle[Any], endpoint: Endpoint, app: Any) -> tuple[int, Any]:
    """The same on a thread."""
    try:
        value = handle.result()
    except Exception as error:
        return error_answer(error, handle.run_id)
    return endpoint.render(value, app)
