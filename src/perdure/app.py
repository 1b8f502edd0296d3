"""`Perdure`: one instance of the library on one database, and which instance a call belongs to.

Inside a run that is the run's own instance; inside `with app.running():` that one; else the default, which is made and
launched by the first durable call.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any

from ._core.definitions import DEFINITIONS
from ._core.lineage import scope
from ._engine.options import Options
from ._engine.runtime import Runtime
from .errors import UsageError
from .stores.open import open_store, redact

log = logging.getLogger("perdure")

DEFAULT_URL = "perdure.db"


class Perdure:
    """Durable execution on the database at `url`.

    `url` is a path or `sqlite:///...` URL of a SQLite file, or a `postgresql://` URL; without one `PERDURE_URL`, else
    `perdure.db` in the current directory. Nothing is opened before the first durable call or `launch`.

    Keyword arguments are the settings of `perdure._engine.options.Options`, all times in seconds: `lease_seconds`,
    `poll_seconds`, `park_after_seconds`, `replay_patience_seconds`, `shutdown_seconds`, `concurrency`, `most_threads`,
    `max_value_bytes`, `strict`, `codec`.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None, **settings: Any) -> None:
        self._url = None if url is None else os.fspath(url)
        try:
            self._options = replace(Options(), **settings)
        except TypeError:
            known = ", ".join(name for name in Options.__dataclass_fields__)
            unknown = ", ".join(name for name in settings if name not in Options.__dataclass_fields__)
            raise UsageError(f"Perdure has no setting {unknown}; there are {known}") from None
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None
        INSTANCES.append(self)

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return redact(self._find_url())

    def _find_url(self) -> str:
        return self._url or os.environ.get("PERDURE_URL") or DEFAULT_URL

    def __repr__(self) -> str:
        return f"<Perdure {self.url} {'launched' if self._runtime else 'not launched'}>"

    @property
    def is_launched(self) -> bool:
        """Whether it is working."""
        return self._runtime is not None

    def launch(self) -> None:
        """Open the database, recover what dead workers of this machine left, and begin to work. Idempotent.

        Called on an event loop's thread, queued async runs execute on that loop.
        """
        self._launched()

    def _launched(self) -> Runtime:
        runtime = self._runtime
        if runtime is not None:
            if runtime.loop is None:
                runtime.loop = running_loop()
            return runtime
        with self._lock:
            if self._runtime is None:
                store = open_store(self._find_url())
                runtime = Runtime(store, self._options, DEFINITIONS)
                runtime.loop = running_loop()
                try:
                    recovered = runtime.launch()
                except BaseException:
                    runtime.worker.drop(keep_file=True)
                    store.close()
                    raise
                log.info(
                    "perdure works on %s as worker %s; %d runs recovered", self.url, runtime.worker.worker_id, recovered
                )
                self._runtime = runtime
            return self._runtime

    def shutdown(self, timeout: float | None = None) -> None:
        """Stop: let running bodies end for `timeout` seconds (by default `shutdown_seconds`), hand all runs back,
        leave.

        Nothing is lost: what was not finished goes on at the next start of any process. Idempotent.
        """
        with self._lock:
            runtime, self._runtime = self._runtime, None
        if runtime is not None:
            runtime.shutdown(timeout)

    async def ashutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # it is handed on
        """`shutdown` from an event loop, which goes on meanwhile so that its runs can end."""
        await asyncio.get_running_loop().run_in_executor(None, self.shutdown, timeout)

    def running(self) -> Running:
        """`with app.running():` or `async with app.running():` launches, makes this the instance of the block,
        shuts down.
        """
        return Running(self)

    def forget_parent(self) -> None:
        """In a forked child: the parent's runtime is not ours; the next durable call launches one of our own."""
        self._lock = threading.Lock()
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            runtime.abandon()


class Running:
    """See `Perdure.running`."""

    def __init__(self, app: Perdure) -> None:
        self._app = app
        self._previous: Perdure | None = None

    def __enter__(self) -> Perdure:
        global _default
        self._app.launch()
        self._previous, _default = _default, self._app
        return self._app

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        self._app.shutdown()

    async def __aenter__(self) -> Perdure:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._restore()
        await self._app.ashutdown()

    def _restore(self) -> None:
        global _default
        if _default is self._app:
            _default = self._previous


INSTANCES: list[Perdure] = []
"""Every instance of this process, for its forks and its end."""

_default: Perdure | None = None


def default_app() -> Perdure:
    """The instance of the module-level surface."""
    global _default
    if _default is None:
        _default = Perdure()
    return _default


def current_runtime() -> Runtime:
    """The runtime that a durable call made here belongs to; launches the default instance if there is none."""
    here = scope.get()
    if here is not None and here.run.interruption != "forked":
        runtime: Runtime = here.run.host.runtime  # type: ignore[attr-defined]  # the engine's hosts have one
        return runtime
    return default_app()._launched()


def launched_runtimes() -> Iterator[Runtime]:
    """The runtimes that work right now in this process."""
    return (app._runtime for app in INSTANCES if app._runtime is not None)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if one does."""
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


def launch() -> None:
    """Launch the default instance; see `Perdure.launch`."""
    default_app().launch()


def shutdown(timeout: float | None = None) -> None:
    """Shut the default instance down; see `Perdure.shutdown`."""
    if _default is not None:
        _default.shutdown(timeout)


def running(url: str | os.PathLike[str] | None = None, **settings: Any) -> Running:
    """`with perdure.running(url):` makes an instance on this database the default one for the block, launched."""
    return Perdure(url, **settings).running()


def _shut_all_down() -> None:
    for app in list(INSTANCES):
        try:
            app.shutdown()
        except Exception:
            log.exception("%r did not shut down cleanly; nothing is lost, the next start goes on", app)


def _forget_parent() -> None:
    for app in INSTANCES:
        app.forget_parent()


atexit.register(_shut_all_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
