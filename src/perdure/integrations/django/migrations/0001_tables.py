"""Perdure's tables, in the databases that `TASKS` names for it; later releases change them when they launch."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

from perdure import Perdure
from perdure.integrations.django._database import url_of, why_not
from perdure.integrations.django.models import aliases_of_databases


def install(apps: Any, schema_editor: Any) -> None:
    """Make the tables, if this is a database of a Perdure backend. One in memory, as of tests, gets none."""
    alias = schema_editor.connection.alias
    if alias in aliases_of_databases() and why_not(schema_editor.connection.settings_dict) is None:
        app = Perdure(url_of(alias), handle_sigterm=False)
        app.launch()
        app.shutdown()


class Migration(migrations.Migration):
    """Not in a transaction: Perdure makes its tables on a connection of its own."""

    atomic = False
    initial = True
    dependencies: list[tuple[str, str]] = []  # noqa: RUF012  # as Django's migrations are written
    operations = [  # noqa: RUF012  # as Django's migrations are written
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.TextField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("name", models.TextField()),
                ("queue", models.TextField()),
                ("state", models.TextField()),
                ("priority", models.IntegerField()),
                ("attempts", models.IntegerField()),
                ("max_attempts", models.IntegerField()),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("worker", models.TextField(null=True)),
                ("parent_id", models.TextField(null=True)),
                ("needs_mend", models.BooleanField()),
                ("reason", models.TextField(null=True)),
                ("input", models.TextField(null=True)),
                ("output", models.TextField(null=True)),
                ("seq", models.BigIntegerField()),
            ],
            options={"managed": False, "db_table": '"perdure"."run_view"'},
        ),
    ]
