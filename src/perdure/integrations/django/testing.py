"""For tests that want their tasks executed: of a `TransactionTestCase`, or with `captureOnCommitCallbacks`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.tasks import task_backends
from django.utils import timezone

from ... import shutdown
from ._backend import PerdureBackend
from .models import Run


@contextmanager
def executed_tasks(backend: str = "default", timeout: float = 30.0) -> Iterator[None]:
    """`with executed_tasks(): ...`: at the end of the block every task that was enqueued has been executed.

    On the tests' own database, which must be Postgres or a SQLite file (`"TEST": {"NAME": ...}`). Tasks whose
    `run_after` is later are not waited for. Raises `TimeoutError` after `timeout` seconds for each; an error of a task
    is looked at by its result. Perdure is shut down then, so that the database can be dropped.
    """
    found = task_backends[backend]
    if not isinstance(found, PerdureBackend):
        raise TypeError(f"TASKS[{backend!r}] is a {type(found).__name__}, not a PerdureBackend")
    found.serve()
    try:
        yield
        open_runs = Run.objects.using(found.database).filter(finished_at=None, queue__startswith=f"{backend}:")
        while waiting := list(open_runs.exclude(state="ready", due_at__gt=timezone.now()).values_list("id", flat=True)):
            for run_id in waiting:
                found.client().handle(run_id).exception(timeout)
    finally:
        shutdown()
        found.close()
