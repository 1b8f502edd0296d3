"""What of a LangGraph thread can go when only some of its checkpoints are to stay.

A checkpoint names versions of channels, whose values several checkpoints share. Of a delta channel most checkpoints
have no value: it is made of what was written since an earlier checkpoint that has one. So that stays, and all between.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

Place = tuple[str, str]
"""A checkpoint within its thread: its namespace and id."""
DELTA_CHANNELS = "counters_since_delta_snapshot"
"""In a checkpoint's metadata: the channels of which it has no value of its own."""


def deletions(
    scratch: Any, thread_id: str, stays: Callable[[Place, Any], bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements that delete all checkpoints of the thread but those that shall stay, and what these are built on.
    `stays` is asked with the place and the metadata of each; `scratch` has the whole thread.
    """
    thread = Thread(scratch, thread_id)
    kept = thread.with_foundations([place for place in thread.places if stays(place, thread.metadata(place))])
    values = {(ns, *value) for ns, found in kept for value in thread.versions((ns, found)).items()}
    for ns, found in thread.places:
        if (ns, found) not in kept:
            key = {"thread_id": thread_id, "ns": ns, "id": found}
            yield "delete_writes_of", key
            yield "delete_checkpoint", key
    for _, ns, channel, version in list(scratch.blobs):
        if (ns, channel, version) not in values:
            key = {"thread_id": thread_id, "ns": ns, "channel": channel, "version": json.dumps(version)}
            yield "delete_value", key


class Thread:
    """The checkpoints of a thread that the framework's saver in memory has."""

    def __init__(self, scratch: Any, thread_id: str) -> None:
        self._thread_id = thread_id
        self._serde = scratch.serde
        self._values = scratch.blobs
        self._rows: dict[Place, Any] = {
            (ns, found): row
            for ns, checkpoints in scratch.storage[thread_id].items()
            for found, row in checkpoints.items()
        }
        self.places = list(self._rows)

    def metadata(self, place: Place) -> Any:
        """What its run has noted of the checkpoint."""
        return self._serde.loads_typed(self._rows[place][1])

    def versions(self, place: Place) -> dict[str, Any]:
        """The version of each channel."""
        versions: dict[str, Any] = self._serde.loads_typed(self._rows[place][0])["channel_versions"]
        return versions

    def with_foundations(self, places: list[Place]) -> set[Place]:
        """These, and the earlier ones without which a delta channel of theirs would come out empty."""
        kept = set(places)
        for place in places:
            missing = set(self.metadata(place).get(DELTA_CHANNELS) or ())
            while missing and (parent := self._parent(place)) is not None:
                kept.add(parent)
                missing -= {channel for channel in missing if self._has_value(parent, channel)}
                place = parent
        return kept

    def _parent(self, place: Place) -> Place | None:
        ns, parent = place[0], self._rows[place][2]
        return (ns, parent) if (ns, parent) in self._rows else None

    def _has_value(self, place: Place, channel: str) -> bool:
        value = self._values.get((self._thread_id, place[0], channel, self.versions(place).get(channel)))
        return value is not None and value[0] != "empty"
