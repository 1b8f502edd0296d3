"""Hooks for gunicorn's configuration file: each of its workers launches when it is there, and hands back when it ends.

from perdure.integrations.gunicorn import post_worker_init, worker_exit
"""

from __future__ import annotations

from typing import Any

from .. import launch, shutdown
from .wsgi import Launched


def post_worker_init(worker: Any) -> None:
    """Launch in the worker before its first request, which recovers what was left: the app's own database where it is
    wrapped by `launched`, else that of `PERDURE_URL`.
    """
    app = getattr(worker.wsgi, "wsgi_app", worker.wsgi)
    if isinstance(app, Launched):
        app.launch()
    else:
        launch()


def worker_exit(server: Any, worker: Any) -> None:
    """Hand the worker's runs back, uncharged, so that another one goes on with them at once."""
    shutdown()
