"""A database of Django's: the body works through the ORM, or with `connection.cursor()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections, transaction

from ...stores.tails import DatabaseKind, Statement
from .opened import Complaint, kind_of
from .sqlite import TAKE_WRITE_LOCK, with_colons


class Django:
    """This thread's connection under the alias, in an `atomic` block, so that `on_commit` works as everywhere."""

    is_async = False

    def __init__(self, alias: str) -> None:
        self.subject = connections[alias]
        self._alias = alias
        self._block: Any = None

    @property
    def database(self) -> DatabaseKind:
        """What it reaches."""
        return kind_of(self.subject.vendor)

    def ask(self, statement: Statement) -> Any:
        self.subject.ensure_connection()
        cursor = self.subject.connection.cursor()  # the driver's own, whose parameters the statement has
        try:
            text = with_colons(statement.text) if self.subject.vendor == "sqlite" else statement.text
            cursor.execute(text, dict(statement.parameters))
            return cursor.fetchall() if cursor.description is not None else []
        finally:
            cursor.close()

    def complaint(self) -> Complaint | None:
        if self.subject.needs_rollback:
            return "failed"
        return "autocommit" if self.subject.get_autocommit() and not self.subject.in_atomic_block else None

    def after_commit(self, tell: Callable[[], None]) -> None:
        transaction.on_commit(tell, using=self._alias, robust=True)

    def begin(self, *, is_exclusive: bool) -> None:
        block = transaction.atomic(using=self._alias, durable=True)
        block.__enter__()
        self._block = block
        if is_exclusive:
            self.ask(TAKE_WRITE_LOCK)

    def is_begun(self) -> bool:
        """Django refuses to end it within the block; one that is marked for rollback it would roll back in silence."""
        return bool(self.subject.in_atomic_block and not self.subject.needs_rollback)

    def commit(self) -> None:
        block, self._block = self._block, None
        block.__exit__(None, None, None)

    def rollback(self) -> None:
        block, self._block = self._block, None
        if block is not None:
            error = RuntimeError("the step has failed")
            block.__exit__(type(error), error, None)

    def close(self) -> None:
        """It stays open for the thread, as Django's connections do; one that broke is opened again."""
        self.subject.close_if_unusable_or_obsolete()


class DjangoSource:
    """The connections of one alias."""

    is_async = False

    def __init__(self, alias: str) -> None:
        self._alias = alias

    def open(self) -> Django:
        return Django(self._alias)


def joined(given: Any) -> Django:
    """This thread's connection as it is."""
    return Django(given.alias)


def source(given: Any) -> DjangoSource:
    """What `Transactions` takes for `django.db.connections[alias]`, or `django.db.connection`."""
    return DjangoSource(given.alias)
