"""Hints as text: what processes say to each other beside the database (`Hint` in the protocol). Never the truth."""

from __future__ import annotations

import json
from typing import Final

from .protocol import Hint

MOST_IDS: Final = 100
"""Of runs that one message names."""
MOST_BYTES: Final = 7_900
"""A notification of Postgres holds 8,000."""
MOST_MESSAGES: Final = 10
"""Who has more to say says only that something has changed: nobody would read it as fast."""

VAGUE: Final = Hint(is_vague=True)


def texts_of(hint: Hint) -> list[str]:
    """The messages that say it, each within what a notification holds."""
    told = [{"q": sorted(hint.queues)}] if hint.queues else []
    for letter, run_ids in (("e", sorted(hint.ended)), ("s", sorted(hint.said))):
        told += [{letter: run_ids[first : first + MOST_IDS]} for first in range(0, len(run_ids), MOST_IDS)]
    texts = [json.dumps(each, separators=(",", ":")) for each in told]
    if hint.is_vague or len(texts) > MOST_MESSAGES or any(len(text) > MOST_BYTES for text in texts):
        return ["{}"]
    return texts


def hint_of(text: str) -> Hint:
    """What a message says; a vague hint where it cannot be read: another release may say more."""
    try:
        told = json.loads(text)
        queues, ended, said = (frozenset(map(str, told.get(letter, ()))) for letter in "qes")
    except (ValueError, TypeError, AttributeError):
        return VAGUE
    return Hint(queues, ended, is_vague=not (queues or ended or said), said=said)
