"""The forms of the service: which processes each consists of, how they are started, and what is theirs.

Where a command or a setting has {python}, {bin}, {port} or the like, `Service` fills it in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Part:
    """A process of the service."""

    name: str
    command: tuple[str, ...]
    ports: tuple[str, ...] = ()
    """The ports that are named in commands and settings; they are kept when the process is started again."""
    health: tuple[str, ...] = ()
    """A command that succeeds when the process is ready; without one, nothing but its work tells."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write the service. Its parts are started in this order."""

    name: str
    title: str
    parts: tuple[Part, ...]
    api: str
    """The part that answers HTTP, on {port}."""
    worker: str
    """The part that indexes."""
    files: tuple[Path, ...]
    """What its author writes."""
    settings: dict[str, str] = field(default_factory=dict)
    store_setting: str = ""
    """The setting that says in which Postgres it keeps what it records; empty if it cannot."""
    survives: bool = True
    """Whether work that was accepted is expected to go on after a kill."""


def uvicorn(module: str) -> tuple[str, ...]:
    """The command that serves an app; the same for every form."""
    app = f"examples.document_indexing.{module}:app"
    options = ("--port", "{port}", "--log-level", "warning", "--timeout-graceful-shutdown", "10")
    return ("{python}", "-m", "uvicorn", app, *options)


def _embedded(name: str, title: str, *, store_setting: str = "", survives: bool = True) -> Form:
    """A form that is one process: the service."""
    return Form(
        name,
        title,
        (Part("service", uvicorn(f"{name}.app")),),
        api="service",
        worker="service",
        files=(EXAMPLE / name / "app.py",),
        store_setting=store_setting,
        survives=survives,
    )


_SERVER = Part(
    "server",
    (
        *("{bin}/temporal", "server", "start-dev", "--ip", "127.0.0.1", "--port", "{server}", "--ui-port", "{ui}"),
        *("--db-filename", "temporal.db", "--log-level", "error"),
    ),
    ports=("server", "ui"),
    health=("{bin}/temporal", "operator", "cluster", "health", "--address", "127.0.0.1:{server}"),
)
_TEMPORAL = Form(
    "temporal",
    "Temporal",
    (
        _SERVER,
        Part("worker", ("{python}", "-m", "examples.document_indexing.temporal.worker")),
        Part("api", uvicorn("temporal.app")),
    ),
    api="api",
    worker="worker",
    files=tuple(EXAMPLE / "temporal" / f"{name}.py" for name in ("app", "workflows", "activities", "worker")),
    settings={"TEMPORAL_ADDRESS": "127.0.0.1:{server}"},
)

FORMS = {
    form.name: form
    for form in (
        _embedded("plain", "plain", survives=False),
        _embedded("durable", "Perdure", store_setting="PERDURE_URL"),
        _embedded("dbos", "DBOS", store_setting="DBOS_SYSTEM_DATABASE_URL"),
        _TEMPORAL,
    )
}
"""By name, the plain one first."""
