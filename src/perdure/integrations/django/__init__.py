"""Django's own tasks (`django.tasks`) on Perdure: a backend, an app with its tables, a worker, an admin list.

INSTALLED_APPS = [..., "perdure.integrations.django"]
TASKS = {"default": {"BACKEND": "perdure.integrations.django.PerdureBackend"}}
"""

from __future__ import annotations

from .._needs import needs

with needs("Django 6", "django"):
    from ._backend import PerdureBackend as PerdureBackend

__all__ = ["PerdureBackend"]
