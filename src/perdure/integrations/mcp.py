"""MCP tools as runs: the extension `io.modelcontextprotocol/tasks` for servers of the official SDK.

mcp = MCPServer("indexer", extensions=[PerdureTasks(index_documents)])
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from ._needs import needs

with needs("the SDK of MCP", "mcp"):
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.extension import Extension, MethodBinding, ToolBinding
    from mcp.server.mcpserver.server import require_client_extension
    from mcp.server.mcpserver.tools import Tool
    from mcp.shared.exceptions import MCPError
    from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
    from mcp_types import (
        INTERNAL_ERROR,
        INVALID_PARAMS,
        CallToolRequestParams,
        CallToolResult,
        ClientCapabilities,
        MissingRequiredClientCapabilityErrorData,
        RequestParams,
        TextContent,
    )
    from mcp_types.jsonrpc import HEADER_MISMATCH, MISSING_REQUIRED_CLIENT_CAPABILITY
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS
    from pydantic import Field

from .. import (
    Handle,
    HookAnswerError,
    HookError,
    HookSummary,
    PerdureError,
    RunCancelledError,
    RunDeadError,
    RunDetails,
    RunNotFoundError,
    RunSummary,
    SerializationError,
    StepProgress,
    StoreUnavailableError,
    UsageError,
    handle,
    reject,
    resolve,
    runs,
    with_options,
)
from ._endpoints import let_go
from ._mcp_listening import asked_for, serve
from ._mcp_questions import answer_of, malformed, open_questions, request_of

IDENTIFIER: Final = "io.modelcontextprotocol/tasks"
"""As the client declares it."""
_ENDED: Final = frozenset({"succeeded", "failed", "cancelled", "dead"})


_begins_tasks: ContextVar[bool] = ContextVar("_begins_tasks", default=False)
"""Whether the call of a tool that the SDK makes now is to begin a run, and to leave it at that."""


class _BegunError(MCPError):
    """Carries the run through the SDK, which lets errors of the protocol pass."""

    def __init__(self, run: Handle[Any]) -> None:
        super().__init__(INTERNAL_ERROR, "a task has begun")
        self.run = run


class _TaskParams(RequestParams):
    """Which task."""

    task_id: str = Field(alias="taskId")


class _UpdateParams(_TaskParams):
    """And answers to its questions."""

    input_responses: dict[str, Any] = Field(alias="inputResponses", default_factory=dict)


class PerdureTasks(Extension):
    """`PerdureTasks(index, summarize)`: these workflows or steps are tools, and each call of one is a run.

    A client that has declared the extension gets a task at once, and asks for its result by `tasks/get`, of this server
    process or of any later one; if the run ends within `answer_within` seconds (0) it gets the result itself. For
    other clients the call waits for the run. `tasks/cancel` cancels the run. While the run has open hooks the task is
    `input_required`: it asks each as a form, with the hook's `question`, and `tasks/update` resolves them, or rejects
    one that the user declines. `required` are further functions, which only clients with the extension may call.
    Parameters that are `Resolve`d are asked for by the SDK before the run begins, and are arguments of it.

    `MCPServer(..., extensions=[tasks], middleware=[tasks.listen])` also tells clients that listen of their tasks.

    `poll_seconds` (1) is how often clients are asked to look, and how often we do for those who listen. A task's id is
    hard to guess, and who knows it may ask: where users are told apart, give `allow(context, task_id)`, which says
    whether this one may; a task that one may not see is not there.

    Raises `UsageError` for a function that is neither a workflow nor a step, or asks for the request's context, which
    cannot be stored with the run.
    """

    identifier = IDENTIFIER

    def __init__(
        self,
        *functions: Callable[..., Any],
        answer_within: float = 0.0,
        poll_seconds: float = 1.0,
        allow: Callable[[ServerRequestContext[Any, Any], str], bool] | None = None,
        required: Sequence[Callable[..., Any]] = (),
    ) -> None:
        self._tools: dict[str, Tool] = {}
        self._required = {Tool.from_function(function).name for function in required}
        for function in (*functions, *required):
            if not hasattr(function, "__perdure__"):
                name = getattr(function, "__qualname__", repr(function))
                raise UsageError(f"PerdureTasks: decorate {name} with @perdure.workflow or @perdure.step")
            tool = Tool.from_function(function)
            if tool.context_kwarg is not None:
                raise UsageError(f"PerdureTasks: {tool.name} takes the request's context, which no run can keep")
            self._tools[tool.name] = tool
        self._answer_within = answer_within
        self._poll_ms = round(poll_seconds * 1000)
        self._allow = allow

    def tools(self) -> Sequence[ToolBinding]:
        """For the server."""
        return [ToolBinding(callable_by_the_sdk(tool)) for tool in self._tools.values()]

    def methods(self) -> Sequence[MethodBinding]:
        """For the server."""
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", _TaskParams, self._get, versions),
            MethodBinding("tasks/update", _UpdateParams, self._update, versions),
            MethodBinding("tasks/cancel", _TaskParams, self._cancel, versions),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """A call: a task for who can take one, else as ever."""
        if params.name not in self._tools:
            return await call_next(ctx)
        if not takes_tasks(ctx):
            if params.name in self._required:
                raise missing_capability()
            return await call_next(ctx)
        before = _begins_tasks.set(True)
        try:
            return await call_next(ctx)  # arguments that are wrong, or a question of the SDK's
        except _BegunError as begun:
            started = begun.run
        finally:
            _begins_tasks.reset(before)
        return await self._begun(started)

    async def listen(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware of the server: `subscriptions/listen` with `taskIds` gets `notifications/tasks`.

        Each is the task as `tasks/get` has it: first as it is now, then whenever its status, its message or its
        questions have changed, until it has ended. Tasks that the client may not see are left out of the
        acknowledgement. After a lost stream, as when the server has died, a client listens again, and misses nothing.
        """
        if (wanted := asked_for(ctx)) is None:
            return await call_next(ctx)
        require_client_extension(ctx, IDENTIFIER)
        seen = [task_id for task_id in wanted if self._may_see(ctx, task_id) and await self._is_there(task_id)]
        return await serve(ctx, call_next, seen, self._tell)

    async def _tell(self, task_id: str, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Send the task whenever it has changed; return when it has ended, or is removed."""
        last: dict[str, Any] | None = None
        followed = await asyncio.to_thread(handle, task_id)
        knows_more = False
        while last is None or last["status"] in ("working", "input_required"):
            task: dict[str, Any] | None = None
            try:
                task = await self._task(task_id)
            except StoreUnavailableError:  # the stream outlives an outage
                pass
            except MCPError:
                return
            if task is not None and task != last:
                await send(task)
                last = task
            elif knows_more:  # a run that waits for a mend
                await asyncio.sleep(self._poll_ms / 1000)
            knows_more = await ends_within(followed, self._poll_ms / 1000)

    async def _begun(self, started: Handle[Any]) -> HandlerResult:
        task_id = started.run_id
        if self._answer_within > 0 and await ends_within(started, self._answer_within):
            answer = await self._task(task_id)
            if "result" in answer:
                return answer["result"]
        return {**task_of((await runs.aget(task_id, limit=1)).run, self._poll_ms), "resultType": "task"}

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: _TaskParams) -> HandlerResult:
        self._check(ctx, params.task_id)
        return {**await self._task(params.task_id), "resultType": "complete"}

    async def _update(self, ctx: ServerRequestContext[Any, Any], params: _UpdateParams) -> HandlerResult:
        """Each answer resolves its hook, once; one to a question that is not open is ignored, as the protocol says."""
        self._check(ctx, params.task_id)
        questions = open_questions((await self._find(params.task_id)).hooks)
        answers = {name: response for name, response in params.input_responses.items() if name in questions}
        for response in answers.values():  # all of them before any is taken
            if (wrong := malformed(response)) is not None:
                raise MCPError(INVALID_PARAMS, wrong)
        for name, response in answers.items():
            await self._answer(questions[name], response)
        return {"resultType": "complete"}

    async def _answer(self, hook: HookSummary, response: dict[str, Any]) -> None:
        try:
            if response["action"] == "accept":
                await resolve(hook.token, answer_of(hook, response.get("content")))
            else:
                await reject(hook.token, f"The user has said: {response['action']}")
        except (HookAnswerError, SerializationError) as error:
            raise MCPError(INVALID_PARAMS, str(error).replace(hook.token, "…")) from None
        except HookError:  # somebody was first, or it is too late
            return

    async def _cancel(self, ctx: ServerRequestContext[Any, Any], params: _TaskParams) -> HandlerResult:
        self._check(ctx, params.task_id)
        await self._find(params.task_id)
        await (await asyncio.to_thread(handle, params.task_id)).acancel()
        return {"resultType": "complete"}

    def _check(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> None:
        require_client_extension(ctx, IDENTIFIER)
        check_header(ctx, task_id)
        if not self._may_see(ctx, task_id):
            raise no_such_task()

    def _may_see(self, ctx: ServerRequestContext[Any, Any], task_id: str) -> bool:
        return tool_name_of(task_id) in self._tools and (self._allow is None or self._allow(ctx, task_id))

    async def _is_there(self, task_id: str) -> bool:
        try:
            return await self._find(task_id) is not None
        except MCPError:
            return False

    async def _find(self, task_id: str) -> RunDetails:
        try:
            return await runs.aget(task_id, limit=1)
        except RunNotFoundError:
            raise no_such_task() from None

    async def _task(self, task_id: str) -> dict[str, Any]:
        details = await self._find(task_id)
        task = task_of(details.run, self._poll_ms)
        if details.run.status not in _ENDED:
            questions = open_questions(details.hooks)
            task |= {"statusMessage": said_of(details.progress[-1])} if details.progress else {}
            if not questions:
                return task
            requests = {name: request_of(hook) for name, hook in questions.items()}
            return {**task, "status": "input_required", "inputRequests": requests}
        ended = await asyncio.to_thread(handle, task_id)
        return {**task, **await self._outcome(ended, self._tools[tool_name_of(task_id)])}

    async def _outcome(self, ended: Handle[Any], tool: Tool) -> dict[str, Any]:
        """What the task's end is for its client."""
        try:
            result = tool.fn_metadata.convert_result(await ended.wait())
        except RunCancelledError:
            return {"status": "cancelled"}
        except MCPError as error:
            return failed(*error.args[:2])  # a recorded one has no more
        except RunDeadError as error:
            return failed(INTERNAL_ERROR, str(error))
        except PerdureError as error:  # such as a value that this process cannot read
            return failed(INTERNAL_ERROR, str(error))
        except Exception as error:  # the tool's own: for the model to read, as the SDK has it
            text = TextContent(type="text", text=f"Error executing tool {tool.name}: {error}")
            result = CallToolResult(content=[text], is_error=True)
        return {"status": "completed", "result": result.model_dump(by_alias=True, mode="json", exclude_none=True)}


def callable_by_the_sdk(tool: Tool) -> Callable[..., Any]:
    """What the SDK calls with arguments that it has checked, and with what it has asked the user for."""
    function = tool.fn

    @functools.wraps(function)
    async def called(*args: Any, **kwargs: Any) -> Any:
        if _begins_tasks.get():
            task_id = f"mcp:{tool.name}:{uuid4()}"
            raise _BegunError(await with_options(id=task_id).astart(function, *args, **kwargs))
        if tool.is_async:
            return await function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)

    return called


def missing_capability() -> MCPError:
    """For a tool whose calls can only be tasks."""
    data = MissingRequiredClientCapabilityErrorData(
        required_capabilities=ClientCapabilities(extensions={IDENTIFIER: {}})
    )
    return MCPError(
        MISSING_REQUIRED_CLIENT_CAPABILITY,
        f"This tool is only called by clients with {IDENTIFIER}",
        data.model_dump(by_alias=True, mode="json", exclude_none=True),
    )


def check_header(ctx: ServerRequestContext[Any, Any], task_id: str) -> None:
    """Over HTTP a header names the task, by which proxies may send requests on; the SDK checks its own methods only."""
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(
            HEADER_MISMATCH, f"{MCP_NAME_HEADER} header does not match the request body's 'taskId' parameter"
        )


def takes_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client of this request has said that it knows tasks."""
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and IDENTIFIER in declared


async def ends_within(started: Handle[Any], seconds: float) -> bool:
    """Wait so long; the run is not touched."""
    waiting = asyncio.ensure_future(started.wait())
    try:
        await asyncio.wait([waiting], timeout=seconds)
        return waiting.done()
    finally:
        let_go(waiting)


def tool_name_of(task_id: str) -> str:
    """The tool whose call the task is; of another run's id nothing that is a tool."""
    first, _, rest = task_id.partition(":")
    return rest.rpartition(":")[0] if first == "mcp" else ""


def no_such_task() -> MCPError:
    """The same for a task that is none, and for one that the client may not see."""
    return MCPError(INVALID_PARAMS, "Task not found")


def failed(code: int, message: str) -> dict[str, Any]:
    """The end of a task that the protocol calls an error."""
    return {"status": "failed", "statusMessage": message, "error": {"code": code, "message": message}}


def task_of(run: RunSummary, poll_ms: int) -> dict[str, Any]:
    """The run as a task, as far as its row tells."""
    task = {
        "taskId": run.run_id,
        "status": "working",
        "createdAt": moment(run.created_at),
        "lastUpdatedAt": moment(run.finished_at or run.started_at or run.created_at),
        "ttlMs": None,
        "pollIntervalMs": poll_ms,
    }
    if run.needs_mend and run.reason is not None:
        task["statusMessage"] = "It waits until its code or data is mended."
    return task


def said_of(progress: StepProgress) -> str:
    """How far a step has come, for people."""
    whole = "" if progress.total is None else f" of {progress.total:g}"
    return f"{progress.done:g}{whole}" + (f": {progress.note}" if progress.note else "")


def moment(at: datetime) -> str:
    """As JSON has it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
