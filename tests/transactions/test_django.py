"""Transactional steps on Django's connection, in a program of their own: its settings are the process's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("django")

PROGRAM = """
import sys

import django
from django.conf import settings

path, body = sys.argv[1:]
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}})
django.setup()
from django.db import connections, transaction

import perdure
from perdure import Transactions


@Transactions(connections["default"]).step(name="enter")
def enter(connection):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO account VALUES ('ada')")
    if body == "nested":
        with transaction.atomic():
            connection.cursor().execute("INSERT INTO account VALUES ('bob')")
    if body == "marked":
        transaction.set_rollback(True)
    return "entered"


with perdure.running(path):
    with connections["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE account (name text)")
    try:
        print(perdure.start(enter).result(60))
    except perdure.UsageError as error:
        print("refused:", error)
with connections["default"].cursor() as cursor:
    print(cursor.execute("SELECT name FROM account ORDER BY name").fetchall())
"""


def printed(tmp_path: Path, body: str) -> list[str]:
    """What the program says."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "perdure.db"), body]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_block_in_the_body_is_a_savepoint(tmp_path: Path) -> None:
    """All of it is one commit."""
    assert printed(tmp_path, "nested") == ["entered", "[('ada',), ('bob',)]"]


def test_what_is_marked_for_rollback_is_not_said_to_be_done(tmp_path: Path) -> None:
    """As after an error of the database that the body has caught: Django would roll back, and raise nothing."""
    said, rows = printed(tmp_path, "marked")
    assert said.startswith("refused: the body of step enter has ended its transaction, or marked it for rollback")
    assert rows == "[]"
