"""A session of the OpenAI Agents SDK that is the same on replay."""

from __future__ import annotations

from typing import Any

from .. import call


class PerdureSession:
    """`run(agent, question, session=PerdureSession("ada"))`: what was said before, for the next question.

    Without `session` it is kept in memory by the workflow that has made it: it belongs to that run, and is there again
    after a crash, since a replay says everything again. With another session of the framework's (SQLite, SQLAlchemy, …)
    as `session` it is read and written by steps, so it outlives the run. What a step has added before a crash, it does
    not add again; for that no two runs may use one such session at once.
    """

    session_settings: Any = None

    def __init__(self, session_id: str, session: Any = None) -> None:
        self.session_id = session_id
        self._session = session
        self._items: list[Any] = []

    async def get_items(self, limit: int | None = None) -> list[Any]:
        """The items, oldest first; with a limit the latest ones."""
        if self._session is None:
            return list(self._items if limit is None else self._items[max(0, len(self._items) - limit) :])
        items: list[Any] = await call(f"openai_agents.session:{self.session_id}, get", self._session.get_items, limit)
        return items

    async def add_items(self, items: list[Any]) -> None:
        """Add items at the end."""
        if self._session is None:
            self._items += items
        elif items:
            before = len(await self._all())
            await call(f"openai_agents.session:{self.session_id}, add", self._add, before, items)

    async def pop_item(self) -> Any:
        """Remove the latest item and return it; None if there is none."""
        if self._session is None:
            return self._items.pop() if self._items else None
        before = await self._all()
        if not before:
            return None
        await call(f"openai_agents.session:{self.session_id}, pop", self._pop, len(before))
        return before[-1]

    async def clear_session(self) -> None:
        """Remove all items."""
        self._items.clear()
        if self._session is not None:
            await call(f"openai_agents.session:{self.session_id}, clear", self._session.clear_session)

    async def _all(self) -> list[Any]:
        return await self.get_items()

    async def _add(self, before: int, items: list[Any]) -> None:
        """Add them, unless an attempt that was cut off has done so."""
        there = len(await self._session.get_items())
        if there < before + len(items):
            await self._session.add_items(items[max(0, there - before) :])

    async def _pop(self, before: int) -> None:
        """Remove the latest, unless an attempt that was cut off has done so."""
        if len(await self._session.get_items()) == before:
            await self._session.pop_item()
