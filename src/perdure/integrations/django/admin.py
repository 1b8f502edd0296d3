"""The runs in Django's admin: a list with filters, read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Run, aliases_of_databases


@admin.register(Run)
class RunAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for type checkers alone
    """Who may view runs sees their arguments and values, too."""

    list_display = ("what", "state", "queue", "attempts", "created_at", "started_at", "finished_at", "reason")
    list_filter = ("state", "queue", "name", "created_at")
    search_fields = ("id", "input")
    ordering = ("-seq",)  # as they were made: there is an index
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        """Of the database that the first backend works on."""
        return super().get_queryset(request).using(next(iter(aliases_of_databases()), "default"))

    def has_add_permission(self, request: HttpRequest, *more: Any) -> bool:
        """Runs are made by enqueuing."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A run's row is its worker's."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As above."""
        return False
