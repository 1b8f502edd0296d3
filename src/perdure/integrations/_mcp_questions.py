"""A run's open hooks as what a task asks of its client's user: forms, by `elicitation/create`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

from .. import HookSummary

ANSWER: Final = "answer"
"""The field of a form that asks for something that is no object."""
ACTIONS: Final = ("accept", "decline", "cancel")
"""What a user does with a form."""


def question_id(hook: HookSummary) -> str:
    """By which the client names the question; the token, which is a permission, stays here."""
    return blake2b(hook.token.encode(), digest_size=8).hexdigest()


def open_questions(hooks: Iterable[HookSummary]) -> dict[str, HookSummary]:
    """Those that nobody has answered, by their ids."""
    return {question_id(hook): hook for hook in hooks if hook.state == "open"}


def request_of(hook: HookSummary) -> dict[str, Any]:
    """The question as the protocol has it."""
    params = {
        "mode": "form",
        "message": hook.question or f"The tool waits for an answer ({hook.type}).",
        "requestedSchema": form_of(hook.schema),
    }
    return {"method": "elicitation/create", "params": params}


def form_of(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """A schema with properties and no references: those of the hook's own, or one property for all of it."""
    whole = inlined(schema, schema, 0) if schema is not None else {"type": "string"}
    if is_object(whole):
        return {"type": "object", "properties": whole["properties"], "required": list(whole.get("required", ()))}
    return {"type": "object", "properties": {ANSWER: whole}, "required": [ANSWER]}


def answer_of(hook: HookSummary, content: Any) -> Any:
    """What was filled in, as the hook waits for it."""
    whole = None if hook.schema is None else inlined(hook.schema, hook.schema, 0)
    if is_object(whole) or not isinstance(content, Mapping):
        return content
    return content.get(ANSWER)


def malformed(response: Any) -> str | None:
    """What is wrong with an answer, whatever was asked; None where nothing is."""
    if not isinstance(response, Mapping):
        return f"an answer is {response!r}: give an object with the user's action"
    if (action := response.get("action")) not in ACTIONS:
        return f"the action of an answer is {action!r}: it is one of {', '.join(ACTIONS)}"
    return None


def is_object(schema: Any) -> bool:
    """Whether it is one with properties of its own."""
    return isinstance(schema, Mapping) and schema.get("type") == "object" and "properties" in schema


def inlined(schema: Any, root: Mapping[str, Any] | None, depth: int) -> Any:
    """The schema with what it refers to in the place of each reference; one that refers to itself, to some depth."""
    if isinstance(schema, list):
        return [inlined(part, root, depth) for part in schema]
    if not isinstance(schema, Mapping) or root is None or depth > 8:
        return {} if depth > 8 else schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        named = root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
        return inlined({**named, **{name: part for name, part in schema.items() if name != "$ref"}}, root, depth + 1)
    return {name: inlined(part, root, depth) for name, part in schema.items() if name != "$defs"}
