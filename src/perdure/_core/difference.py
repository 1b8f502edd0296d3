"""What a call was recorded with and what it is asked with now, so that a reader sees where they differ."""

from __future__ import annotations

CONTEXT = 60
"""Characters that are shown before the first one that differs, and after it."""


def show_difference(recorded: str | None, asked: str | None) -> tuple[str, str]:
    """Both, from a little before the place where they part; `recorded` and `asked` are previews, or None."""
    if recorded is None or asked is None:
        return "arguments that are not shown, for another codec than JSON keeps them", "others"
    if recorded == asked:
        shown = f"arguments that begin with {asked}" if asked.endswith("…") else f"the arguments {asked}"
        return shown, "others, which differ from them in what is not shown"
    pairs = enumerate(zip(recorded, asked, strict=False))
    place = next((at for at, (was, now) in pairs if was != now), min(len(recorded), len(asked)))
    start = max(0, place - CONTEXT)
    return tuple(f"the arguments {_around(text, start, place)}" for text in (recorded, asked))  # type: ignore[return-value]


def _around(text: str, start: int, place: int) -> str:
    """From `start` to a little behind `place`."""
    end = place + CONTEXT
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
