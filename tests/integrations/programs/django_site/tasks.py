"""The site's tasks."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.tasks import TaskContext, task

import perdure
from tests.integrations.programs import orders


@task
def add(a: int, b: int = 0) -> int:
    """A sum."""
    return a + b


@task
async def aadd(a: int, b: int = 0) -> int:
    """The same on a loop."""
    return a + b


@task(queue_name="mail", priority=5)
def count_users() -> int:
    """Through the ORM."""
    return int(User.objects.count())


@task
async def acount_users() -> int:
    """The same, async."""
    return int(await User.objects.acount())


@task
def fail(word: str) -> None:
    """Fails."""
    raise LookupError(word)


@task
def give(value: str) -> Any:
    """What is no JSON."""
    return {value}


@task(takes_context=True)
def tell(context: TaskContext, word: str) -> list[Any]:
    """What the context says."""
    return [context.task_result.id, context.attempt, word]


order_of_begin: list[int] = []


@task(backend="one")
def note(number: int) -> None:
    """Who begins when."""
    order_of_begin.append(number)


@task
@perdure.workflow
def pack(item: str) -> str:
    """A workflow of two steps."""
    return f"{orders.charge(item)} {orders.pack(item)}"
