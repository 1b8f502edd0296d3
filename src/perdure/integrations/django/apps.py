"""The app."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from ._database import attach


class PerdureConfig(AppConfig):
    """`"perdure.integrations.django"` in `INSTALLED_APPS`."""

    name = "perdure.integrations.django"
    label = "perdure"
    verbose_name = "Perdure"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let Django's connections see the runs."""
        connection_created.connect(on_connection, dispatch_uid="perdure")


def on_connection(connection: Any, **more: Any) -> None:
    """A connection was made."""
    # late: models can be imported when the apps are ready
    from .models import aliases_of_databases

    if connection.alias in aliases_of_databases():
        attach(connection)
