"""What is told to a hook: checked against what it waits for, in the process in which it is said."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from .._core.answers import Misfit, check_schema, plain_of, shape_of
from .._core.definitions import DEFINITIONS
from .._core.flows.resolve import Problem
from .._core.flows.send import message_id
from .._core.given import text_name
from .._core.serialization import Serializer
from .._engine.ids import fresh_id
from .._entries import HookResolved, HookRow
from ..errors import UsageError
from ..stores.protocol import Store
from ..typing import TERMINAL

LONGEST_TOKEN: Final = 200
"""In characters."""


class Answer:
    """What somebody tells a hook: a value, or that it is rejected. `key` tells it from all other answers."""

    def __init__(self, token: str, told: list[Any], *, what: str, key: str | None = None, call: str = "") -> None:
        self.token = token_of(token, f"{what}: token")
        self.told = told
        self._key = None if key is None else text_name(key, f"{what}: key")
        self._drawn = message_id("hook call", call) if call else fresh_id()

    def prepare(self, store: Store, serializer: Serializer, claim: str | None = None) -> HookResolved | Problem:
        """The entry, or why there is none. Reads the hook. Raises `SerializationError`."""
        hook = store.finder.hook(self.token)
        if hook is None:
            return ["unknown", None]
        told = self.told
        if told[0] == "answered":
            try:
                told = ["answered", fitting(hook, told[1])]
            except Misfit as misfit:
                return over(hook) or ["misfit", str(misfit)]
        stored, _ = serializer.accept(told, what=f"the answer to hook {self.token}")
        own_id = self._drawn if self._key is None else message_id("hook key", hook.run_id, hook.key, self._key)
        return HookResolved(hook.run_id, claim, own_id, hook.topic, stored, token=self.token, key=hook.key)


def fitting(hook: HookRow, value: Any) -> Any:
    """The value as it is sent: plain JSON data, where the hook waits for what JSON can say. Raises `Misfit`."""
    if hook.schema is None:
        return value
    data = plain_of(value)
    check_schema(hook.schema, data)
    with suppress(UsageError):
        if (known := DEFINITIONS.types.resolve(hook.shape)) is not None:
            shape_of(known).make(data)  # more than the schema says, such as a model's own validators
    return data


def over(hook: HookRow) -> Problem | None:
    """Why the hook takes no answer any more, as far as was read."""
    if hook.resolved_at is not None:
        return ["resolved", None]
    if hook.closed_at is not None:
        return ["closed", None]
    return ["ended", hook.state] if hook.state in TERMINAL else None


def resolution(value: object) -> list[Any]:
    """A value, told."""
    return ["answered", value]


def rejection(error: BaseException | str, serializer: Serializer) -> list[Any]:
    """That there is no answer, and why."""
    if isinstance(error, str):
        return ["refused", error]
    if not isinstance(error, Exception):
        raise UsageError(f"reject: error={error!r}: give an exception, or a text")
    stored = serializer.dump_error(error)
    return ["rejected", stored.codec, stored.text]


def token_of(token: object, what: str) -> str:
    """A token. Raises `UsageError` where it cannot be one."""
    text = text_name(token, what)  # type: ignore[arg-type]  # which it checks
    if len(text) > LONGEST_TOKEN:
        raise UsageError(f"{what}: give a text of at most {LONGEST_TOKEN} characters")
    return text
