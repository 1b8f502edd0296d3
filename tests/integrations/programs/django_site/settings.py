"""Settings for the tests."""

from __future__ import annotations

import os

from psycopg.conninfo import conninfo_to_dict

SECRET_KEY = "of tests"  # noqa: S105  # it guards nothing
DEBUG = True
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "tests.integrations.programs.django_site.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "perdure.integrations.django",
    "tests.integrations.programs.django_site",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_url = os.environ["SITE_DATABASE"]
_server = conninfo_to_dict(_url) if _url.startswith("postgres") else {}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _server["dbname"],
        "USER": _server.get("user", ""),
        "PASSWORD": _server.get("password", ""),
        "HOST": _server.get("host", ""),
        "PORT": _server.get("port", ""),
    }
    if _server
    else {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["SITE_DATABASE"],
        "OPTIONS": {"timeout": 30},
        "TEST": {"NAME": os.environ["SITE_DATABASE"] + ".test"},
    }
}
TASKS = {
    "default": {
        "BACKEND": "perdure.integrations.django.PerdureBackend",
        "QUEUES": ["default", "mail"],
        "OPTIONS": {"settings": {"poll_seconds": 0.1}},
    },
    "one": {
        "BACKEND": "perdure.integrations.django.PerdureBackend",
        "OPTIONS": {"settings": {"poll_seconds": 0.1}, "concurrency": 1},
    },
}
LOGGING = {"version": 1, "disable_existing_loggers": False}
