"""`perdure worker`: import a program, and execute its queues until told to stop, or until nothing is left to do."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from ... import Perdure, UsageError
from ..._api.working import WorkerProcess
from ..command import DONE, MISUSED, NO_DATABASE, Command, Context
from ..programs import program_of
from ..screen import Screen

AGAIN_SECONDS = 1.0
"""Between two starts of a process that ends by itself, badly."""
LOOK_SECONDS = 0.05
IN_VAIN = (MISUSED, NO_DATABASE)
"""So a process ends that could not begin."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to import, what to serve, how much at once, and when to end."""
    parser.add_argument(
        "program", metavar="MODULE[:NAME]", help="the module with the workflows; NAME, a Perdure instance in it"
    )
    parser.add_argument("--queues", metavar="A,B", help="serve these alone (all that the program has)")
    parser.add_argument(
        "--concurrency", type=int, metavar="N", help="sync runs outside queues at once, in each process"
    )
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="so many worker processes (1)")
    parser.add_argument("--until-idle", action="store_true", help="end when nothing is left to do now")
    parser.add_argument(
        "--grace", type=float, default=5.0, metavar="SECONDS", help="after the first signal runs go on so long (5)"
    )
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)


def run(context: Context) -> int:
    """One process, or several with one that looks after them."""
    if context.arguments.processes < 1 or not context.arguments.grace >= 0:  # nan is neither
        raise UsageError("worker: --processes is 1 or more, and --grace 0 or more")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(process)d %(message)s")
    if context.arguments.processes > 1:
        return Processes(context).run()
    worker = WorkerProcess(app_of(context), context.arguments.grace, until_idle=context.arguments.until_idle)
    if context.arguments.with_parent:
        threading.Thread(target=tell_at_end, args=(worker,), daemon=True).start()
    worker.run(lambda: announce(context.screen))
    return DONE


def announce(screen: Screen) -> None:
    """For who started it, and waits for that."""
    if screen.is_json:
        screen.json({"working": os.getpid()})
    else:
        screen.line(f"working as process {os.getpid()}; Ctrl-C or SIGTERM ends it")
    screen.flush()


def tell_at_end(worker: WorkerProcess) -> None:
    """The process that looks after this one is gone: its end of the pipe is closed."""
    sys.stdin.read()
    worker.tell()


def app_of(context: Context) -> Perdure:
    """The program's instance, or one on the database that is named, with what the command line says."""
    arguments = context.arguments
    settings: dict[str, Any] = {"handle_sigterm": False}
    if arguments.queues is not None:
        settings["serve"] = [queue for queue in arguments.queues.split(",") if queue]
        if not settings["serve"]:
            raise UsageError("worker: --queues names no queue")
    if arguments.concurrency is not None:
        settings["concurrency"] = arguments.concurrency
    return program_of(arguments.program, context.url, **settings)


class Processes:
    """Starts worker processes, starts one anew that ends badly, and hands signals on."""

    def __init__(self, context: Context) -> None:
        self._arguments = context.arguments
        self._screen = context.screen
        self._url = context.url
        self._processes: list[subprocess.Popen[bytes]] = []
        self._told = 0
        self._handed_on = 0

    def run(self) -> int:
        """Until all have ended."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._processes = [self._start() for _ in range(self._arguments.processes)]
            self._screen.line(f"{len(self._processes)} worker processes, looked after by {os.getpid()}")
            self._screen.flush()
            return self._look_after()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for process in self._processes:
                assert process.stdin is not None
                process.stdin.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # in a group of its own: Ctrl-C reaches the one that looks after it alone, which hands it on
        # the URL goes by the environment, for everybody may read a command line, and it may hold a password
        environment = os.environ if self._url is None else {**os.environ, "PERDURE_URL": self._url}
        command = self._command()
        return subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0, env=environment)  # noqa: S603  # ourselves

    def _command(self) -> Sequence[str]:
        given = self._arguments
        command = [sys.executable, "-m", "perdure", "worker", given.program, "--grace", str(given.grace)]
        command += ["--with-parent", *(["--until-idle"] if given.until_idle else [])]
        command += ["--json"] if self._screen.is_json else []
        for option, value in (("--queues", given.queues), ("--concurrency", given.concurrency)):
            command += [option, str(value)] if value is not None else []
        return command

    def _look_after(self) -> int:
        codes: list[int] = []
        first = list(self._processes)
        while self._processes:
            for process in list(self._processes):
                code = process.poll()
                if code is None:
                    continue
                self._processes.remove(process)
                if self._told or code == DONE:
                    codes.append(DONE if code == -signal.SIGTERM else code)  # it was told before it could listen
                elif code in IN_VAIN and process in first:
                    codes.append(code)
                    self._told += 1
                else:
                    logging.getLogger("perdure").warning("a worker process ended with %s; another is started", code)
                    time.sleep(AGAIN_SECONDS)
                    if not self._told:
                        self._processes.append(self._start())
            self._hand_on()
            time.sleep(LOOK_SECONDS)
        return max(map(abs, codes), default=DONE)

    def _hand_on(self) -> None:
        """One signal at a time: two at once would be one for who gets them."""
        if self._handed_on < self._told:
            self._handed_on += 1
            for process in self._processes:
                process.send_signal(signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._told += 1  # and no more: a process may be starting just now, and must be told too


COMMAND = Command(
    "worker",
    "Execute a program's queues until told to stop.",
    "perdure worker app.main --queues documents,mails --processes 4",
    add_arguments,
    run,
)
