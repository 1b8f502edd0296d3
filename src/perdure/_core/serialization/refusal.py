"""How one value inside another is refused: the reason, and the path that is put together on the way out."""

from __future__ import annotations

from collections.abc import Hashable


class Refusal(Exception):  # noqa: N818 - a verdict on a value; the error that people meet is SerializationError
    """A part of a value cannot be stored or read. Never leaves this package: it becomes a `SerializationError`.

    `steps` holds, innermost first, each container passed on the way out: its identity and the key inside it.
    `owners` are the objects with fields that the part lies in, or is, each with its number of steps, from the innermost
    that a user sees: what lies in a private field is somebody else's affair. `is_for_good`: no class that is made known
    helps.
    """

    def __init__(self, reason: str, *, is_for_good: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_for_good = is_for_good
        self.steps: list[tuple[int, Hashable]] = []
        self.owners: list[tuple[object, int]] = []

    def within(self, container: object, key: Hashable) -> Refusal:
        """Note that the refused part lies at `key` of `container`."""
        self.steps.append((id(container), key))
        return self

    def lies_in(self, owner: object) -> None:
        """Note that the refused part is this object, or is in it."""
        if self.steps and str(self.steps[-1][1]).startswith("_"):
            self.owners.clear()
        self.owners.append((owner, len(self.steps)))

    def path_to(self, steps: int) -> str:
        """The way to the object that is so many steps around the refused part."""
        return "$" + "".join(shown_step(key) for _, key in self.steps[steps:][::-1])

    @property
    def path(self) -> str:
        """The way to the refused part, such as `$.pages[3].author`; of a cycle, up to where it closes."""
        outermost_first = self.steps[::-1]
        if self.is_cycle:
            seen: set[int] = set()
            for index, (container, _) in enumerate(outermost_first):
                if container in seen:
                    outermost_first = outermost_first[:index]
                    break
                seen.add(container)
        return "$" + "".join(shown_step(key) for _, key in outermost_first)

    @property
    def is_cycle(self) -> bool:
        """Whether one container was met inside itself."""
        return len({container for container, _ in self.steps}) < len(self.steps)


class TooDeep(Refusal):
    """The value is nested too deeply, which a cycle always is."""


def shown_step(key: Hashable) -> str:
    """One step of a path. Of the keys only names and integers are shown: others may be anybody's secret."""
    if isinstance(key, str):
        return f".{key[:80]}" if key.isidentifier() else "[…]"
    return f"[{key}]" if isinstance(key, int) else "[…]"
