"""The site's pages."""

from __future__ import annotations

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.integrations.programs.django_site.tasks import pack


@transaction.atomic
def order(request: HttpRequest, item: str) -> JsonResponse:
    """Enqueue in the request's transaction."""
    return JsonResponse({"id": pack.enqueue(item).id})


def look(request: HttpRequest, result: str) -> JsonResponse:
    """A task's status."""
    found = pack.get_result(result)
    value = found.return_value if found.status == "SUCCESSFUL" else None
    return JsonResponse({"status": found.status, "value": value, "attempts": found.attempts})


urlpatterns = [path("admin/", admin.site.urls), path("order/<item>", order), path("task/<result>", look)]
