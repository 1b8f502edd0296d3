"""A task as a run: a step of its own, or, where its function is a workflow, a workflow; sync and async.

The function is found by its path when the run is executed, so that each process can execute every task.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from traceback import format_exception
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.tasks import TaskContext, TaskResult, TaskResultStatus
from django.tasks.base import TaskError
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json
from django.utils.module_loading import import_string

from ... import current, step, workflow


def is_workflow(function: Callable[..., Any]) -> bool:
    """Whether `@perdure.workflow` stands below `@task`."""
    return hasattr(function, "__perdure__")


class Attempt:
    """One attempt of a task."""

    def __init__(self, alias: str, path: str, call: str) -> None:
        task, now, here = import_string(path), timezone.now(), current()
        self.args, self.kwargs = json.loads(call)
        self.function = getattr(task.func, "__wrapped__", task.func) if is_workflow(task.func) else task.func
        self.result = TaskResult(
            task=task,
            id=here.run_id,
            status=TaskResultStatus.RUNNING,
            enqueued_at=None,
            started_at=now,
            finished_at=None,
            last_attempted_at=now,
            args=self.args,
            kwargs=self.kwargs,
            backend=alias,
            errors=[],
            worker_ids=["unknown"] * (max(1, here.attempt) - 1) + [f"{socket.gethostname()}:{os.getpid()}"],
        )
        if task.takes_context:
            self.args = [TaskContext(task_result=self.result), *self.args]
        self._backend = type(task.get_backend())

    def begin(self) -> None:
        """Tell who listens, on a connection that works."""
        close_old_connections()
        task_started.send(self._backend, task_result=self.result)

    def succeed(self, value: Any) -> str:
        """The value as it is recorded; told before it is."""
        value = normalize_json(value)
        self._finish(TaskResultStatus.SUCCESSFUL, _return_value=value)
        return json.dumps(value)

    def fail(self, error: Exception) -> None:
        """Tell of the error."""
        cls = type(error)
        path = f"{cls.__module__}.{cls.__qualname__}"
        self.result.errors.append(TaskError(exception_class_path=path, traceback="".join(format_exception(error))))
        self._finish(TaskResultStatus.FAILED)

    def _finish(self, status: TaskResultStatus, **more: Any) -> None:
        for name, value in {"status": status, "finished_at": timezone.now(), **more}.items():
            object.__setattr__(self.result, name, value)
        task_finished.send(self._backend, task_result=self.result)


def run_task(alias: str, path: str, call: str) -> str:
    """A sync task."""
    attempt = Attempt(alias, path, call)
    try:
        attempt.begin()
        try:
            return attempt.succeed(attempt.function(*attempt.args, **attempt.kwargs))
        except Exception as error:
            attempt.fail(error)
            raise
    finally:
        close_old_connections()


async def arun_task(alias: str, path: str, call: str) -> str:
    """An async task."""
    attempt = Attempt(alias, path, call)
    await sync_to_async(attempt.begin)()
    try:
        value = await attempt.function(*attempt.args, **attempt.kwargs)
        return await sync_to_async(attempt.succeed)(value)
    except Exception as error:
        await sync_to_async(attempt.fail)(error)
        raise
    finally:
        await sync_to_async(close_old_connections)()


FUNCTIONS: Final[dict[tuple[bool, bool], Callable[..., Any]]] = {
    (False, False): step(name="django:task")(run_task),
    (False, True): step(name="django:async-task")(arun_task),
    (True, False): workflow(name="django:workflow")(run_task),
    (True, True): workflow(name="django:async-workflow")(arun_task),
}
"""What executes a task: whether it is a workflow, whether it is async."""
