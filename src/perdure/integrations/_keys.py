"""From an `Idempotency-Key` header to a run's id, and the problems of a request that are told to its client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

LONGEST_KEY: Final = 255
LONGEST_SCOPE: Final = 100
LONGEST_NAME: Final = 120
"""In characters, as they stand in a run's id, which has 500 at most: see `escaped`."""
PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told in the place of the endpoint's own value."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


def problem(status: int, title: str, detail: str, **headers: str) -> Answer:
    """A refusal, as RFC 9457 writes it."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()}, PROBLEM)


class RequestRefused(Exception):  # noqa: N818  # it is an answer on its way, not an error of ours
    """The request cannot be taken; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body))
        self.answer = answer


def read_key(header: str | None) -> str | None:
    """The key in the header, bare (`order-17`) or as a structured field (`"order-17"`). Raises `RequestRefused`."""
    if header is None:
        return None
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    is_visible = all("!" <= letter <= "~" for letter in key)
    if not (is_visible and 1 <= len(escaped(key)) <= LONGEST_KEY):
        raise RequestRefused(
            problem(
                400,
                "Idempotency-Key cannot be used",
                f"Send 1 to {LONGEST_KEY} visible ASCII characters without spaces, such as a UUID.",
            )
        )
    return key


def run_id_of(name: str, header: str | None, scope: str | None, *, require_key: bool) -> str:
    """`name:key`, or `name:scope:key`; without a key one is drawn. Raises `RequestRefused`."""
    key = read_key(header)
    if key is None and require_key:
        raise RequestRefused(
            problem(400, "Idempotency-Key is missing", "Send the header Idempotency-Key: the same at every repetition.")
        )
    if scope is not None:
        scope = escaped(scope)
        if not 1 <= len(scope) <= LONGEST_SCOPE:
            raise ValueError(f"scope: it has {len(scope)} characters when escaped, 1 to {LONGEST_SCOPE} can be")
    return ":".join(part for part in (name, scope, escaped(key or str(uuid4()))) if part is not None)


def escaped(text: str) -> str:
    """The text without colons, which stand between the parts of an id, and without what a URL would quote."""
    return quote(text, safe="@").replace("~", "~7E").replace("%", "~")
