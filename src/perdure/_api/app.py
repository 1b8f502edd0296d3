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
import weakref
from collections.abc import Iterator
from contextvars import ContextVar, Token
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Unpack

from .._core.definitions import DEFINITIONS
from .._core.given import limit_of
from .._core.lineage import StepScope, scope
from .._core.purity import check_may_act
from .._core.run import Run
from .._engine.door import Door
from .._engine.hosting.isolation.role import check_may_work
from .._engine.options import Settings, changed, options_of
from .._engine.runtime import Runtime
from ..errors import UsageError
from ..stores.open import open_store, read_url, redact
from ..typing import Seconds
from .replayed import replayed_answer
from .served import check_served
from .termination import Termination

log = logging.getLogger("perdure")

DEFAULT_URL = "perdure.db"


class Perdure:
    """Durable execution on the database at `url`.

    `url` is a path or `sqlite:///...` URL of a SQLite file, or a `postgresql://` URL; without one `PERDURE_URL`, else
    `perdure.db` in the current directory. Nothing is opened before the first durable call or `launch`.

    Keyword arguments are the settings of `perdure._engine.options.Options`, times in seconds or as a `timedelta`:
    `lease_seconds`, `solitude_seconds`, `poll_seconds`, `park_after_seconds`, `replay_patience_seconds`,
    `shutdown_seconds`, `handle_sigterm`, `concurrency`, `most_threads`, `max_value_bytes`, `strict`, `listeners`,
    `codec`, `readable`, `serve`, `keep_for`, `keep_runs`, `archive`. Values that cannot be raise `UsageError` here.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None, **settings: Unpack[Settings]) -> None:
        self._url = None if url is None else text_of_url(url)
        self._options = options_of(settings)
        self._lock = threading.RLock()  # a signal's handler may shut down in the middle of a launch
        self._runtime: Runtime | None = None
        self._living: list[Runtime] = []
        """What launches, works or shuts down: a forked child must let go of it."""
        with _registering:
            INSTANCES.add(self)

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return redact(self._find_url())

    def _find_url(self) -> str:
        return self._url or os.environ.get("PERDURE_URL") or DEFAULT_URL

    def is_like(self, other: Perdure) -> bool:
        """Whether it is on the same database with the same settings."""
        return self._find_url() == other._find_url() and self._options == other._options

    def __repr__(self) -> str:
        return f"<Perdure {self.url} {'launched' if self._runtime else 'not launched'}>"

    @property
    def is_launched(self) -> bool:
        """Whether it is working."""
        return self._runtime is not None

    def with_settings(self, url: str | os.PathLike[str] | None = None, **settings: Unpack[Settings]) -> Perdure:
        """Another instance with the settings of this one, but for these; on its database unless another is given."""
        made = Perdure(url if url is not None else self._url)
        made._options = replace(self._options, **changed(settings))
        return made

    def launch(self) -> None:
        """Open the database, recover what dead workers of this machine left, and begin to work. Idempotent.

        Called on an event loop's thread, queued async runs execute on that loop.
        """
        self._launched()

    def launch_unasked(self) -> Runtime:
        """The same for the first durable call of a program that launches nothing. Where nobody has named the database,
        that one is opened is a warning: it may be another one than somebody thinks.
        """
        return self._launched(is_unasked=True)

    def _launched(self, *, is_unasked: bool = False) -> Runtime:
        runtime = self._runtime
        if runtime is not None:
            if runtime.loop is None:
                runtime.loop = running_loop()
            return runtime
        with self._lock:
            if self._runtime is None:
                self._runtime = self._launch()
                if is_unasked and self._find_url() == DEFAULT_URL:
                    log.warning(
                        "perdure has opened %s by itself, since nothing was launched: perdure.launch(url), "
                        "perdure.running(url) or the variable PERDURE_URL choose the database",
                        Path(DEFAULT_URL).absolute(),
                    )
                with _registering:
                    _at_work.add(self)
                if self._options.handle_sigterm:
                    _termination.install()
            return self._runtime

    def _launch(self) -> Runtime:
        check_may_work()
        check_served(self._options)
        runtime = Runtime(open_store(self._find_url()), self._options, DEFINITIONS)
        runtime.loop = running_loop()
        runtime.questions.replay = partial(replayed_answer, runtime)
        self._living.append(runtime)
        try:
            recovered = runtime.launch()
        except BaseException:
            self._living.remove(runtime)
            raise
        log.info("perdure works on %s as worker %s; %d runs recovered", self.url, runtime.worker.worker_id, recovered)
        return runtime

    def shutdown(self, timeout: Seconds | None = None) -> None:
        """Stop: let running bodies end for `timeout` seconds (by default `shutdown_seconds`), hand all runs back,
        leave.

        Nothing is lost: what was not finished goes on at the next start of any process. Who still waits here for a
        run is told so. Idempotent.
        """
        seconds = limit_of(timeout, "timeout")
        _termination.wait()
        with self._lock:
            runtime, self._runtime = self._runtime, None
            with _registering:
                _at_work.discard(self)
            if not _runtimes_to_end():
                _termination.remove()
        if runtime is not None:
            try:
                runtime.shutdown(seconds)
            finally:
                self._living.remove(runtime)

    async def ashutdown(self, timeout: Seconds | None = None) -> None:  # noqa: ASYNC109  # it is handed on
        """`shutdown` from an event loop, which goes on meanwhile so that its runs can end."""
        await asyncio.get_running_loop().run_in_executor(None, self.shutdown, timeout)

    def running(self) -> Running:
        """`with app.running():` or `async with app.running():` launches, makes this the instance of the block,
        shuts down.
        """
        return Running(self)

    def forget_parent(self) -> None:
        """In a forked child: the parent's runtimes are not ours; the next durable call launches one of our own."""
        self._lock = threading.RLock()
        self._runtime = None
        while self._living:
            self._living.pop().abandon()


class Running:
    """See `Perdure.running`. Blocks may be nested, and overlap in several threads: each calls its own instance, and an
    instance is shut down at the end of its last block.
    """

    def __init__(self, app: Perdure) -> None:
        self._app = app
        self._token: Token[Perdure | None] | None = None

    def __enter__(self) -> Perdure:
        self._app.launch()
        global _blocks
        with _registering:
            _blocks = (*_blocks, self._app)
        self._token = _block.set(self._app)
        return self._app

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_last():
            self._app.shutdown()

    async def __aenter__(self) -> Perdure:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_last():
            await self._app.ashutdown()

    def _is_last(self) -> bool:
        """The block ends; whether no other one of its instance is open."""
        if self._token is not None:
            with contextlib.suppress(ValueError):  # a framework may end it in another context than it began in
                _block.reset(self._token)
        global _blocks
        with _registering:
            latest = max(place for place, app in enumerate(_blocks) if app is self._app)
            _blocks = _blocks[:latest] + _blocks[latest + 1 :]
            return self._app not in _blocks


INSTANCES: weakref.WeakSet[Perdure] = weakref.WeakSet()
"""Every instance of this process, for its forks."""

_at_work: set[Perdure] = set()
"""The launched ones, for the end of the process: they work, even where nobody refers to them any more."""

_blocks: tuple[Perdure, ...] = ()
"""The instances of the open `running` blocks; the latest is the default one where the calling code is in none. A tuple,
replaced as a whole: every durable call reads it.
"""

_block: ContextVar[Perdure | None] = ContextVar("perdure_block", default=None)
"""The instance of the block that the calling code stands in. It may have ended: the context outlives the block."""

_registering = threading.RLock()
"""Guards all these. Taken after an instance's own lock, never before."""

_default: Perdure | None = None


def default_app() -> Perdure:
    """The instance of the module-level surface: the run's own in a run, else of the block that the call is made in,
    else of the latest block, else the one that the first call makes.
    """
    global _default
    chosen = _chosen()
    if chosen is not None:
        return chosen
    made = Perdure()
    with _registering:
        chosen = _chosen()  # another thread may have made one meanwhile
        if chosen is None:
            chosen = _default = made
        return chosen


def _chosen() -> Perdure | None:
    inside = scope.get()
    if inside is not None and (
        own := [app for app in list(_at_work) if app._runtime is getattr(inside.run.host, "instance", "")]
    ):
        return own[0]
    here, blocks = _block.get(), _blocks
    if here is not None and here in blocks:
        return here
    return blocks[-1] if blocks else _default


def current_runtime(*, is_within: bool = False) -> Runtime:
    """The runtime that a durable call made here belongs to; launches the default instance if there is none.
    `is_within`: what the call writes goes through the caller's own connection.
    """
    here = scope.get()
    if here is not None and here.run.interruption != "forked":
        if isinstance(here, StepScope) and here.holds_database and not is_within:
            raise UsageError(
                f"{here.call.definition.name if here.call else 'this step'} is a transaction in the file that Perdure "
                "works in, and nothing else can be written there before it has ended: start runs before or after "
                "it, or in it, with_options(connection=...)"
            )
        check_may_act(here, "what it asks Perdure for")
        return runtime_of(here.run)
    return default_app().launch_unasked()


def runtime_of(run: Run) -> Runtime:
    """The runtime that holds the run."""
    runtime: Runtime = run.host.instance  # type: ignore[attr-defined]  # the engine's hosts know whose they are
    return runtime


def launched_runtimes() -> Iterator[Runtime]:
    """The runtimes that work right now in this process."""
    return (app._runtime for app in list(_at_work) if app._runtime is not None)


def text_of_url(url: str | os.PathLike[str]) -> str:
    """The URL or path as text; one that names no database is refused."""
    text = os.fspath(url) if isinstance(url, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise UsageError(f"the database is given as a URL or path, a text or pathlib.Path, not as {type(url).__name__}")
    read_url(text)
    return text


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if one does."""
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


@contextlib.contextmanager
def blocked_loop(runtime: Door) -> Iterator[None]:
    """While a coroutine waits for a sync run its loop stands still: async runs begin on another one meanwhile."""
    loop = running_loop()
    if loop is None or runtime.loop is not loop:
        yield
        return
    runtime.loop = None
    try:
        yield
    finally:
        runtime.loop = runtime.loop or loop


def launch(url: str | os.PathLike[str] | None = None, **settings: Unpack[Settings]) -> None:
    """Launch the default instance; see `Perdure.launch`. With `url` or settings one that is made so."""
    configured(url, settings).launch()


def configured(url: str | os.PathLike[str] | None, settings: Settings) -> Perdure:
    """The default instance, made anew where something is given for it. Raises `UsageError` while another one works."""
    global _default
    if url is None and not settings:
        return default_app()
    made = Perdure(url, **settings)
    with _registering:
        if (working := _chosen()) is not None and working.is_launched:
            if working.is_like(made):
                return working
            raise UsageError(
                f"the default instance works on {working.url} already: launch it with its URL and settings before the "
                "first durable call, shut it down first, or make a second one: Perdure(url, ...).launch()"
            )
        _default = made
        return made


def shutdown(timeout: Seconds | None = None) -> None:
    """Shut the default instance down; see `Perdure.shutdown`."""
    chosen = _chosen()
    if chosen is not None:
        chosen.shutdown(timeout)


def running(url: str | os.PathLike[str] | None = None, **settings: Unpack[Settings]) -> Running:
    """`with perdure.running(url):` makes an instance on this database the default one for the block, launched."""
    return Perdure(url, **settings).running()


def _runtimes_to_end() -> list[Runtime]:
    """Those that hand their runs back when this process is told to end."""
    return [runtime for runtime in launched_runtimes() if runtime.options.handle_sigterm]


def _hand_all_back() -> None:
    threads = [threading.Thread(target=runtime.hand_back, daemon=True) for runtime in _runtimes_to_end()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


_termination = Termination(lambda: bool(_runtimes_to_end()), _hand_all_back)


def _shut_all_down() -> None:
    _termination.wait()
    for app in list(_at_work):
        try:
            app.shutdown()
        except Exception:
            log.exception("%r did not shut down cleanly; nothing is lost, the next start goes on", app)


atexit.register(_shut_all_down)
