"""What must hold of a run that was killed and resumed, looked at from outside: a result, the notes, public views.

Each rule is a function of what was seen and gives breaches, sentences for people.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.generated.looking import TERMINAL

OUTCOME = re.compile(r'"([^"#]+)#([0-9a-f]{6})"')


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the notes."""

    life: int
    run: str
    what: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of `step_view`."""

    run: str
    key: str
    kind: str
    outcome: str


@dataclass(slots=True)
class Story:
    """All that is known of one program's run and its children."""

    name: str
    expected: list[Any]
    is_ordered: bool
    """Whether `sees_the_same` can be said of it: not where it has threads."""
    run: str = ""
    """The id of its run where that is not its name."""
    endings: dict[int, list[Any]] = field(default_factory=dict)
    """By life: how it ended there."""
    notes: list[Note] = field(default_factory=list)
    recorded: dict[int, list[Recorded]] = field(default_factory=dict)
    """By life: what was recorded when that life was over."""
    states: dict[str, str] = field(default_factory=dict)
    """At the very end: the state of its run and of each child, with the reason where there is one."""


def ends_as_the_plain_program(story: Story) -> Iterator[str]:
    """It ends in the last life, and wherever it ends, with what the same program gives without Perdure."""
    if not story.endings:
        yield "it never ended"
    for life, ending in story.endings.items():
        if ending != story.expected:
            yield f"in life {life} it ended with {ending}, without Perdure with {story.expected}"


def is_not_parked(story: Story) -> Iterator[str]:
    """Every run of it is over, none dead; none waits for a mend."""
    for run, state in story.states.items():
        if state not in TERMINAL - {"dead"}:
            yield f"run {run} is {state}"


def sees_the_same(story: Story) -> Iterator[str]:
    """What a life had seen when a body began is the beginning of what each later life sees: a body begins only when all
    of that is committed.
    """
    executions: list[tuple[int, list[str]]] = []
    settled: list[int] = []
    for note in own_notes(story) if story.is_ordered else ():
        if note.what == "start":
            executions.append((note.life, []))
            settled.append(0)
        elif note.what == "seen":
            executions[-1][1].append(note.words[0])
        elif note.what == "begin":
            settled[-1] = len(executions[-1][1])
    for number, (earlier, values) in enumerate(executions):
        before = values[: settled[number]]
        for later, others in executions[number + 1 :]:
            after = others[: len(before)]
            if before[: len(after)] != after:
                place = next(n for n, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
                yield f"life {earlier} saw {before[place:]} from place {place} on, life {later} {after[place:]}"


def own_notes(story: Story) -> Iterator[Note]:
    """Those of the program itself, without its children's."""
    return (note for note in story.notes if note.run in {story.name, story.run})


def calls_keep_their_keys(story: Story) -> Iterator[str]:
    """A tag has one key and a key one tag, in all lives: no effect under another idempotency key."""
    keys, tags = defaultdict(set), defaultdict(set)
    for note in story.notes:
        if note.what == "begin":
            key, tag = note.words
            keys[tag].add(key)
            tags[key].add(tag)
    for tag, several in keys.items():
        if len(several) > 1:
            yield f"{tag!r} began under several keys: {sorted(several)}"
    for key, other in tags.items():
        if len(other) > 1:
            yield f"{key} began with several tags: {sorted(other)}"


def recorded_bodies_do_not_begin(story: Story) -> Iterator[str]:
    """A body whose outcome is recorded never begins again."""
    begun = [(note.life, note.words[0]) for note in story.notes if note.what == "begin"]
    for over, rows in story.recorded.items():
        keys = {f"{row.run}:{row.key}" for row in rows if row.kind == "step"}
        for life, key in begun:
            if life > over and key in keys:
                yield f"{key} was recorded in life {over} and began again in life {life}"


def bodies_begin_once_in_a_life(story: Story) -> Iterator[str]:
    """Nothing but a retry begins twice in one life."""
    begun = Counter((note.life, note.words[0]) for note in story.notes if note.what == "begin")
    ended = Counter((note.life, note.words[0]) for note in story.notes if note.what == "end")
    for (life, key), number in begun.items():
        if number > 2 or (number == 2 and ended[life, key] > 1):
            yield f"{key} began {number} times in life {life}"


def records_stay(story: Story) -> Iterator[str]:
    """A recorded outcome is there in all later lives, unchanged."""
    lives = sorted(story.recorded)
    for earlier, later in pairwise(lives):
        after = {(row.run, row.key): row.outcome for row in story.recorded[later]}
        for row in story.recorded[earlier]:
            if after.get((row.run, row.key)) != row.outcome:
                yield f"{row} of life {earlier} is {after.get((row.run, row.key))!r} after life {later}"


def recorded_outcomes_are_handed_over(story: Story) -> Iterator[str]:
    """A value that was recorded is what every later life sees."""
    seen = [
        (note.life, *note.words[0].split("#")) for note in story.notes if note.what == "seen" and "#" in note.words[0]
    ]
    for over, rows in story.recorded.items():
        values = {tag: nonce for row in rows for tag, nonce in OUTCOME.findall(row.outcome)}
        for life, tag, nonce in seen:
            if life > over and tag in values and values[tag] != nonce:
                yield f"{tag!r} was recorded as {values[tag]} in life {over}, life {life} saw {nonce}"


def ended_bodies_do_not_begin(story: Story, left: int) -> Iterator[str]:
    """A body that came to its end while its process left, life `left`, is recorded: it does not begin again."""
    ended = {note.words[0] for note in story.notes if note.life <= left and note.what == "end"}
    for note in story.notes:
        if note.life > left and note.what == "begin" and note.words[0] in ended:
            yield f"{note.words[0]} ({note.words[1]!r}) ended before life {left} was over, and began again"


RULES: tuple[Callable[[Story], Iterator[str]], ...] = (
    ends_as_the_plain_program,
    is_not_parked,
    sees_the_same,
    calls_keep_their_keys,
    recorded_bodies_do_not_begin,
    bodies_begin_once_in_a_life,
    records_stay,
    recorded_outcomes_are_handed_over,
)


def breaches(story: Story) -> list[str]:
    """All that does not hold, each with its rule's name."""
    return [f"{rule.__name__}: {breach}" for rule in RULES for breach in rule(story)]


def parse(line: str) -> Note:
    """A line of the notes."""
    life, run, what, *words = json.loads(line)
    return Note(life, run, what, tuple(words))
