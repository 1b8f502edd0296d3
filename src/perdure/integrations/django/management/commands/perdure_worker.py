"""`manage.py perdure_worker`: executes tasks until it is told to end."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.tasks import task_backends
from django.utils.module_loading import autodiscover_modules

from ..... import shutdown
from ..._backend import PerdureBackend

LOOK_SECONDS = 0.2


class Command(BaseCommand):
    """The worker; any number of them share the work."""

    help = "Executes tasks until SIGTERM or Ctrl-C; what is under way goes on in another worker, or at the next start."

    def add_arguments(self, parser: CommandParser) -> None:
        """Of the command line."""
        parser.add_argument("--backend", default="default", help="a key of TASKS (default)")
        parser.add_argument("--queue", action="append", help="a queue to work on; may be given again; all by default")
        parser.add_argument("--concurrency", type=int, help="how many tasks of each queue at once in this process")

    def handle(self, *args: Any, backend: str, queue: list[str] | None, concurrency: int | None, **more: Any) -> None:
        """Work."""
        found = task_backends[backend]
        if not isinstance(found, PerdureBackend):
            raise CommandError(f"TASKS[{backend!r}] is a {type(found).__name__}, not a PerdureBackend")
        if concurrency is not None and concurrency < 1:
            raise CommandError(f"--concurrency {concurrency}: give a whole number from 1")
        told = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told.set())
        autodiscover_modules("tasks")
        names = found.serve(queue, concurrency)
        self.stdout.write(f"perdure works on {found.database}: {', '.join(names)}")
        self.stdout.flush()
        while not told.wait(LOOK_SECONDS):  # without an end it would miss a signal that comes just before it
            pass
        shutdown()
