"""Launching under WSGI servers, which know no start-up: in the processes that serve, never in one that only forks them.

A worker that was launched before a fork stays the parent's: a child launches its own. So `launched(app)` at import
launches nothing, and is right whether the server forks before the import or after it (`preload`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from .. import Perdure, launch

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Launched:
    """A WSGI app that launches the default instance in each process that serves it; made by `launched`."""

    def __init__(self, app: WSGIApp, url: str | None, settings: dict[str, Any]) -> None:
        Perdure(url, **settings)  # so that what cannot be is refused here, not at the first request
        self._app, self._url, self._settings = app, url, settings
        self._launched_in: int | None = None
        self._launching = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Launch, where this process has not, and answer."""
        self.launch()
        return self._app(environ, start_response)

    def launch(self) -> None:
        """Launch in this process, once. For a server's own hook."""
        if self._launched_in != os.getpid():
            with self._launching:
                if self._launched_in != os.getpid():
                    launch(self._url, **self._settings)
                    self._launched_in = os.getpid()


def launched(app: WSGIApp, url: str | os.PathLike[str] | None = None, **settings: Any) -> Launched:
    """`app.wsgi_app = launched(app.wsgi_app, url)`: launch the default instance in each process at its first request.

    Works under every WSGI server, preloading or not. What an earlier process has left is recovered at that moment; a
    server that has a hook for the start of a process recovers it before the first request: see
    `perdure.integrations.gunicorn`. `settings` are those of `Perdure`; a URL or a value that cannot be is refused at
    once.
    """
    return Launched(app, None if url is None else os.fspath(url), settings)
