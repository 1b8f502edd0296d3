"""What a LangGraph node was answered when it interrupted, in a life of the run that only hands over its record, too.

The framework keeps a node's answers with its task, and looks for them under an id made of the task's, which it draws
anew in every life. So an interrupt keeps the id that was recorded, and an answer given under that one is handed to the
task that the node has now; and what a recorded call of the node had taken is taken again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from langchain_core.runnables.config import var_child_runnable_config
from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_RESUME_MAP,
    CONFIG_KEY_SCRATCHPAD,
    CONFIG_KEY_SEND,
    RESUME,
)


class Answers:
    """Of the nodes of one copy of a graph."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}
        """By the place of a task that only was recorded: the id of the interrupt that it waits by."""

    def hand_over(self, config: Any) -> None:
        """Give the node's task the answer to the interrupt by which an earlier life has left it."""
        found = _configurable(config)
        scratchpad, given = found.get(CONFIG_KEY_SCRATCHPAD), found.get(CONFIG_KEY_RESUME_MAP) or {}
        asked = self._asked.pop(found.get(CONFIG_KEY_CHECKPOINT_NS, ""), None)
        if scratchpad is not None and asked in given:
            scratchpad.resume.append(given[asked])

    @contextmanager
    def attempt(self, config: Any) -> Iterator[Any]:
        """The node's configuration for one attempt, which counts its interrupts from the first."""
        found, made = _configurable(config), config
        if CONFIG_KEY_SCRATCHPAD in found:
            scratchpad = replace(found[CONFIG_KEY_SCRATCHPAD], interrupt_counter=count().__next__)
            made = {**config, "configurable": {**found, CONFIG_KEY_SCRATCHPAD: scratchpad}}
        before = var_child_runnable_config.set(made)
        try:
            yield made
        finally:
            var_child_runnable_config.reset(before)

    def taken(self, config: Any) -> int:
        """How many answers the node has taken."""
        scratchpad = _configurable(config).get(CONFIG_KEY_SCRATCHPAD)
        return 0 if scratchpad is None else len(scratchpad.resume)

    def take_again(self, config: Any, number: int) -> None:
        """Take so many answers, as the recorded call has."""
        found = _configurable(config)
        if number == 0 or CONFIG_KEY_SCRATCHPAD not in found:
            return
        scratchpad = found[CONFIG_KEY_SCRATCHPAD]
        if len(scratchpad.resume) < number:
            scratchpad.resume.append(scratchpad.get_null_resume(True))
        found[CONFIG_KEY_SEND]([(RESUME, scratchpad.resume[:number])])

    def remember(self, config: Any, interrupts: Iterable[Any]) -> None:
        """By which interrupt the node's task waits, of which only a record is there."""
        for interrupt in interrupts:
            self._asked[_configurable(config).get(CONFIG_KEY_CHECKPOINT_NS, "")] = interrupt.id


def _configurable(config: Any) -> Any:
    return (config or {}).get("configurable") or {}
