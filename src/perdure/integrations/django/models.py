"""The runs as Django sees them: Perdure's own view `run_view`, read-only."""

from __future__ import annotations

import json

from django.conf import settings
from django.db import models

BACKEND = "perdure.integrations.django.PerdureBackend"


def aliases_of_databases() -> list[str]:
    """The aliases of the databases that the Perdure backends in `TASKS` name."""
    backends = getattr(settings, "TASKS", {}).values()
    return [one.get("OPTIONS", {}).get("database", "default") for one in backends if one.get("BACKEND") == BACKEND]


class Run(models.Model):
    """A run, of a task or of any workflow or step in this database."""

    id = models.TextField(primary_key=True)
    kind = models.TextField()
    name = models.TextField()
    queue = models.TextField()
    state = models.TextField()
    priority = models.IntegerField()
    attempts = models.IntegerField()
    max_attempts = models.IntegerField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.TextField(null=True)
    parent_id = models.TextField(null=True)
    needs_mend = models.BooleanField()
    reason = models.TextField(null=True)
    input = models.TextField(null=True)
    output = models.TextField(null=True)
    seq = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = '"perdure"."run_view"'  # of the schema, or the attached file: see `database.attach`

    def __str__(self) -> str:
        return f"{self.what} {self.pk}"

    @property
    def what(self) -> str:
        """The task's path; of other runs the workflow's or step's name."""
        if self.name.startswith("django:"):
            try:
                return str(json.loads(self.input or "")[1])
            except (ValueError, IndexError):
                pass
        return str(self.name)
