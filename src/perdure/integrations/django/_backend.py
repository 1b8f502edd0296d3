"""The backend: `enqueue` when the caller's transaction commits, results from the run and its row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from inspect import iscoroutinefunction
from traceback import format_exception
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.core import checks
from django.db import connections, transaction
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskError
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.tasks.signals import task_enqueued
from django.utils import timezone
from django.utils.module_loading import import_string

from ... import Client, Perdure, Queue, RecordedError, UsageError, launch
from ._database import url_of, why_not
from ._execution import FUNCTIONS, is_workflow

OPTIONS: Final = ("database", "concurrency", "settings")
STATUSES: Final = {
    "ready": TaskResultStatus.READY,
    "held": TaskResultStatus.RUNNING,
    "cancelling": TaskResultStatus.RUNNING,
    "parked": TaskResultStatus.RUNNING,
    "succeeded": TaskResultStatus.SUCCESSFUL,
    "failed": TaskResultStatus.FAILED,
    "cancelled": TaskResultStatus.FAILED,
    "dead": TaskResultStatus.FAILED,
}

_clients: dict[str, Client] = {}
"""By URL: Django makes a backend for each thread, and a client is the process' own."""
_queues: dict[str, Queue] = {}


class PerdureBackend(BaseTaskBackend):
    """`{"BACKEND": "perdure.integrations.django.PerdureBackend", "QUEUES": [...], "OPTIONS": {...}}` in `TASKS`.

    `OPTIONS`: `database`, an alias of `DATABASES` ("default"); `concurrency`, of each queue in each worker; `settings`,
    those of `perdure.Perdure` for the workers. A task is enqueued when the transaction that it is enqueued in commits,
    on Postgres in that very commit, and not at all where that is rolled back. It runs at least once, in `manage.py
    perdure_worker` or another process that has called `serve`; who only enqueues executes nothing.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.database = self.options.get("database", "default")

    def client(self) -> Client:
        """This process' own end of the database."""
        url = url_of(self.database)
        if url not in _clients:
            _clients[url] = Client(url)
        return _clients[url]

    def serve(self, queues: list[str] | None = None, concurrency: int | None = None) -> list[str]:
        """Launch Perdure's default instance in this process, to execute the tasks of these queues, by default of all in
        `QUEUES`; their names. Until `perdure.shutdown()`.
        """
        names = sorted(queues or self.queues or {"default"})
        for name in names:
            full = f"{self.alias}:{name}"
            if full not in _queues:
                _queues[full] = Queue(full, concurrency or self.options.get("concurrency"))
        launch(url_of(self.database), **self.options.get("settings", {}))
        return names

    def close(self) -> None:
        """Let go of the database in this process; the next call opens it again."""
        if (client := _clients.pop(url_of(self.database), None)) is not None:
            client.close()

    def enqueue(self, task: Task, args: Any, kwargs: Any) -> TaskResult:
        """Enqueue it when the transaction of the calling code commits, at once where there is none.

        `enqueued_at` is None until then. Raises `InvalidTask` and `TypeError` (arguments that are no JSON) here.
        """
        self.validate_task(task)
        if not isinstance(found := import_string(task.module_path), Task) or found.func is not task.func:
            raise InvalidTask(f"{task.module_path} must be the task: a worker finds its function by that name.")
        result = TaskResult(
            task=task,
            id=str(uuid4()),
            status=TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        connection = connections[self.database]
        if is_joinable(connection):
            self._start(result, connection=connection)
            transaction.on_commit(partial(self._note, result), using=self.database)
        else:
            transaction.on_commit(partial(self._start_now, result), using=self.database)
        return result

    def _start_now(self, result: TaskResult) -> None:
        """In a transaction of its own."""
        self._start(result)
        self._note(result)

    def _note(self, result: TaskResult) -> None:
        """It is enqueued, and others may see it."""
        object.__setattr__(result, "enqueued_at", timezone.now())
        task_enqueued.send(type(self), task_result=result)

    def _start(self, result: TaskResult, **within: Any) -> None:
        task = result.task
        delay = None
        if task.run_after is not None and (left := task.run_after - timezone.now()) > timedelta(0):
            delay = left
        options = self.client().with_options(
            queue=f"{self.alias}:{task.queue_name}", id=result.id, priority=-task.priority, delay=delay, **within
        )
        function = FUNCTIONS[is_workflow(task.func), iscoroutinefunction(task.func)]
        options.submit(function, self.alias, task.module_path, json.dumps([result.args, result.kwargs]))

    def get_result(self, result_id: str) -> TaskResult:
        """The task's result as it stands in the database now. Raises `TaskResultDoesNotExist`."""
        # late: the app registry is not ready when Django reads its settings
        from .models import Run

        run = Run.objects.using(self.database).filter(pk=result_id, queue__startswith=f"{self.alias}:").first()
        if run is None:
            raise TaskResultDoesNotExist(result_id)
        return self.result_of(run)

    def result_of(self, run: Any) -> TaskResult:
        """The result that a row of `run_view` is."""
        try:
            _, path, call = json.loads(run.input)
            task = import_string(path)
        except (ImportError, ValueError) as error:
            raise TaskResultDoesNotExist(f"{run.pk} is of a task that is no more: {error}") from error
        args, kwargs = json.loads(call)
        status = STATUSES[run.state]
        result = TaskResult(
            task=replace(
                task,
                priority=-run.priority,
                queue_name=run.queue.removeprefix(f"{self.alias}:"),
                run_after=run.due_at,
                backend=self.alias,
            ),
            id=run.pk,
            status=status,
            enqueued_at=run.created_at,
            started_at=run.started_at,
            finished_at=run.finished_at,
            last_attempted_at=run.started_at,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=self._errors(run) if status == TaskResultStatus.FAILED else [],
            worker_ids=worker_ids(run),
        )
        if status == TaskResultStatus.SUCCESSFUL:
            object.__setattr__(result, "_return_value", json.loads(json.loads(run.output)))
        return result

    def _errors(self, run: Any) -> list[TaskError]:
        error = self.client().handle(run.pk).exception()
        if error is None:
            return []
        cls = type(error)
        path = error.type_name.replace(":", ".") if isinstance(error, RecordedError) else None
        path = path or f"{cls.__module__}.{cls.__qualname__}"
        return [TaskError(exception_class_path=path, traceback="".join(format_exception(error)))]

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Of `manage.py check`: whether these settings can work."""
        return list(self._complaints())

    def _complaints(self) -> Iterator[checks.CheckMessage]:
        where = f"TASKS[{self.alias!r}]"
        if unknown := set(self.options) - set(OPTIONS):
            hint = f"Possible are {', '.join(OPTIONS)}."
            yield checks.Error(
                f"{where} has unknown OPTIONS: {', '.join(sorted(unknown))}.", hint=hint, id="perdure.E001"
            )
        if self.database not in settings.DATABASES:
            yield checks.Error(f"{where}: DATABASES has no {self.database!r}.", id="perdure.E002")
        elif (reason := why_not(settings.DATABASES[self.database])) is not None:
            yield checks.Error(f"{where}: DATABASES[{self.database!r}]: {reason}.", id="perdure.E003")
        if (complaint := self._refusal()) is not None:
            yield checks.Error(f"{where}: {complaint}", id="perdure.E004")
        if "perdure.integrations.django" not in {name.partition(".apps.")[0] for name in settings.INSTALLED_APPS}:
            hint = "Its migration makes the tables."
            message = f'{where} needs "perdure.integrations.django" in INSTALLED_APPS.'
            yield checks.Error(message, hint=hint, id="perdure.E005")

    def _refusal(self) -> str | None:
        given, concurrency = self.options.get("settings", {}), self.options.get("concurrency")
        if "codec" in given:
            return "the backend reads what it has written as JSON: leave the setting codec as it is"
        if concurrency is not None and not (isinstance(concurrency, int) and concurrency >= 1):
            return f"concurrency={concurrency!r}: give a whole number from 1"
        try:
            Perdure("check.db", **given)
        except (UsageError, TypeError) as error:
            return str(error)
        return None


def is_joinable(connection: Any) -> bool:
    """Whether the run can be a part of the open transaction. Perdure's SQLite file is beside Django's; and what a
    `TestCase` never commits is shown by its `captureOnCommitCallbacks`.
    """
    blocks = connection.atomic_blocks
    return connection.vendor == "postgresql" and bool(blocks) and not getattr(blocks[0], "_from_testcase", False)


def worker_ids(run: Any) -> list[str]:
    """One for each attempt; which worker made an earlier one is not kept."""
    if run.started_at is None:
        return []
    return ["unknown"] * (max(1, run.attempts) - 1) + [run.worker or "unknown"]
