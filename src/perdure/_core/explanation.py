"""Why a run does not go on, or that it does: sentences for people, of what its row, its queue and the workers say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from .._entries import Wait
from ..typing import RunState


class Facts(Struct, kw_only=True, frozen=True):
    """What is known of a run at one moment. Times are seconds from it; what is not set is None."""

    state: RunState
    name: str
    queue: str
    stopped: str | None
    reason: str | None
    due_in: float | None
    deadline_in: float | None
    attempts: int
    max_attempts: int
    key: str | None
    has_given_slot: bool
    is_asking: bool
    """It has given its slot back, and wants one again."""
    waits_for: list[Wait]
    is_cancelled: bool
    is_pausing: bool
    unfinished_children: int
    holder: str | None
    is_gone: bool
    """The holder's lock is free."""
    silent_seconds: float | None
    lease_seconds: float | None
    workers: int
    """Of those that live: who has been silent for longer than its lease does not count, here and below."""
    gone_seconds: float | None
    """So long ago the last of all workers was heard of."""
    serving: int
    knowing: int
    willing: int
    quiet_seconds: float | None
    """So long none of the willing has been heard of, where that is half a lease."""
    refused_by: list[str]
    paused: tuple[str, str | None] | None
    """Who has paused it last, and why."""
    is_queue_paused: bool
    is_name_paused: bool
    concurrency: int | None
    worker_concurrency: int | None
    rate: int | None
    period_seconds: float | None
    key_concurrency: int | None
    key_rate: int | None
    key_period_seconds: float | None
    held: int
    asking: int
    """So many of the held."""
    held_here: int
    holders: list[str]
    held_of_key: int
    used: int
    opens_in: float | None
    used_of_key: int
    key_opens_in: float | None
    ahead: int


MOST_COUNTED = 1_000


def sentences(facts: Facts) -> list[str]:
    """What is to be said, the most telling first."""
    match facts.state:
        case "ready":
            found = list(why_not_taken(facts))
        case "held":
            found = list(how_held(facts))
        case "parked":
            found = list(why_parked(facts))
        case _:
            found = [f"It has ended: {facts.state}{because(facts)}."]
            if facts.state == "failed":
                found.append("`perdure runs retry` lets it go on from where it failed.")
            return found
    if facts.deadline_in is not None:
        late = "has passed, and it ends with it" if facts.deadline_in <= 0 else f"is in {span(facts.deadline_in)}"
        found.append(f"Its deadline {late}.")
    return found


def how_held(facts: Facts) -> Iterator[str]:
    """It is in a worker's hands."""
    held = f"It is held by {facts.holder}, attempt {facts.attempts} of {facts.max_attempts}"
    silent, lease = facts.silent_seconds or 0.0, facts.lease_seconds or 0.0
    if facts.is_gone:
        yield f"{held}, whose lock is free: it has ended, or lost its connection to the database."
        yield "Another worker takes it over." if facts.workers else "No other is there to take it over: start one."
    elif silent > lease:
        yield f"{held}, which has not shown that it lives for {span(silent)}, longer than its lease of {span(lease)}."
        yield "Another worker takes it over." if facts.workers else "No other is there to take it over: start one."
    else:
        yield (
            f"{held}: a body runs there, or it waits in that process' memory; `perdure runs show` has its steps and "
            "open hooks."
        )
        if silent > lease / 2:
            then = (
                "another takes over" if facts.workers > 1 else "another could take over, and none is there: start one"
            )
            yield f"That worker has not shown that it lives for {span(silent)}; after {span(lease)} {then}."
    if facts.is_cancelled:
        yield "It was told to end, and does so at its next durable call, or when its body returns."
    elif facts.is_pausing:
        yield "It was told to pause, and does so at its next durable call, or when its body returns."
    if facts.has_given_slot:
        yield "All its branches wait: it has given its slot of the queue back."
    if facts.is_asking:
        yield "It has begun, and goes on once it has a slot of its queue again."
    if facts.unfinished_children:
        yield f"{children_of(facts)} not over."


def why_parked(facts: Facts) -> Iterator[str]:
    """It has left memory until something comes."""
    reason = because(facts)
    match facts.stopped:
        case "mend":
            yield f"It waits for a mend of its code or data{reason}."
            if facts.refused_by:
                yield f"Refused by the code of {refusing(facts)}."
            yield "A worker that starts with mended code tries it again; `perdure runs cancel` gives it up."
            return
        case "paused":
            who, why = facts.paused or ("", None)
            yield f"It is paused{f' by {who}' if who else ''}{f': {why}' if why else reason}."
            yield "`perdure runs resume` lets it go on."
            return
        case "retries":
            yield f"Its retries are used up{reason}. `perdure runs resume` does that."
            return
    for wait in facts.waits_for:
        yield waited_for(wait, facts)
    if facts.due_in is not None:
        if facts.due_in > 0:
            yield f"It sleeps, or rests between two attempts, for {span(facts.due_in)} more."
        else:
            yield from nobody_takes(facts)
            yield "It has slept enough, and is woken next."
    if facts.is_cancelled:
        yield "It was told to end; the next worker that looks ends it."
    if facts.is_name_paused:
        yield paused_name(facts)


def waited_for(wait: Wait, facts: Facts) -> str:
    """One of the things that it waits for."""
    match wait.kind:
        case "children":
            return f"It waits for its children: {children_of(facts)} not over."
        case "run":
            return f"It waits for the end of run {wait.what}."
        case "message":
            topic = wait.what
            if topic.startswith("perdure:hook:"):
                return "It waits for the answer to a hook: `perdure hooks list` has it."
            return f"It waits for a message{f' under {topic!r}' if topic else ''}."
        case "event":
            return f"It waits for the event {wait.what!r} of run {wait.run_id}."
    return f"It waits for: {wait.kind} {wait.what}".rstrip() + "."


def why_not_taken(facts: Facts) -> Iterator[str]:
    """It is ready, and no worker has taken it yet."""
    if facts.is_cancelled:
        yield "It was told to end; the next worker that looks ends it."
        return
    if facts.due_in is not None and facts.due_in > 0:
        yield f"It may begin in {span(facts.due_in)}."
        return
    found = [*nobody_takes(facts), *in_the_way(facts)]
    yield from found
    if not found:
        yield "Nothing is in its way: a worker takes it as soon as one has a free slot."
        if facts.quiet_seconds is not None:
            yield f"But none that would has shown that it lives for {span(facts.quiet_seconds)}."
        if facts.attempts >= facts.max_attempts - 1 > 0:
            yield "It is at its last attempt, which it makes alone: a worker with nothing else takes it, or one later."
        if facts.worker_concurrency is not None or facts.held_here:
            limit = "" if facts.worker_concurrency is None else f", at most {facts.worker_concurrency} by each worker"
            yield f"{counted(facts.held_here, 'run', 'runs')} of its queue {verb(facts.held_here)} executed now{limit}."
    if facts.ahead:
        many = "1,000 or more" if facts.ahead >= MOST_COUNTED else str(facts.ahead)
        yield f"{many} of its queue{of_key(facts)} come{'s' if facts.ahead == 1 else ''} before it."


def nobody_takes(facts: Facts) -> Iterator[str]:
    """No worker is there that would."""
    queue = f"the queue {facts.queue!r}" if facts.queue else "what was started outside queues"
    if not facts.workers:
        last = "" if facts.gone_seconds is None else f", and the last was heard of {span(facts.gone_seconds)} ago"
        yield f"No worker works on this database{last}: start one, with `perdure worker` or by launching the program."
    elif not facts.serving:
        mend = "whose program has it, and that serves it" if facts.queue else "that serves any queue"
        yield f"No living worker serves {queue}, of {facts.workers}: start one {mend} (`--queues`, `serve=`)."
    elif not facts.knowing:
        yield (
            f"No living worker that serves {queue} knows {facts.name}, of {facts.serving}: start one whose program "
            "imports the module that defines it."
        )
    elif not facts.willing:
        yield (
            f"No living worker has code that can go on with it: refused by {refusing(facts)}{because(facts)}. Start "
            "one whose code can; `perdure check` says whether."
        )


def in_the_way(facts: Facts) -> Iterator[str]:
    """The limits, and who has set a pause."""
    if facts.is_queue_paused:
        yield f"The queue {facts.queue!r} is paused: `perdure queues resume {facts.queue}`."
    if facts.is_name_paused:
        yield paused_name(facts)
    if facts.concurrency is not None and facts.held >= facts.concurrency:
        executed = facts.held - facts.asking
        held = ", ".join(facts.holders) + (", …" if executed > len(facts.holders) else "")
        asking = ""
        if facts.asking:
            they = "waits for a slot, and comes" if facts.asking == 1 else "wait for slots, and come"
            asking = f" {facts.asking} that {'has' if facts.asking == 1 else 'have'} begun {they} first."
        yield f"The queue is full: {executed} of at most {facts.concurrency} are executed ({held}).{asking}"
    if facts.rate is not None and facts.period_seconds is not None and facts.used >= facts.rate:
        yield (
            f"The queue may start {facts.rate} in {span(facts.period_seconds)}, and has: "
            f"the next begins in {span(max(0.0, facts.opens_in or 0.0))}."
        )
    if facts.key is None:
        return
    if facts.key_concurrency is not None and facts.held_of_key >= facts.key_concurrency:
        yield f"Its key {facts.key!r} is full: {facts.held_of_key} of at most {facts.key_concurrency} are executed."
    if facts.key_rate is not None and facts.key_period_seconds is not None and facts.used_of_key >= facts.key_rate:
        yield (
            f"Its key {facts.key!r} may start {facts.key_rate} in {span(facts.key_period_seconds)}, and has: "
            f"the next begins in {span(max(0.0, facts.key_opens_in or 0.0))}."
        )


def paused_name(facts: Facts) -> str:
    """Nothing of its function begins."""
    return f"Runs of {facts.name} are paused: `perdure functions resume {facts.name}`."


def because(facts: Facts) -> str:
    """The reason, to stand before a full stop."""
    return f": {facts.reason.rstrip('.')}" if facts.reason else ""


def refusing(facts: Facts) -> str:
    """Whose code; what has no version of its own has that of its worker."""
    versions = sorted(facts.refused_by)
    return ", ".join(f"worker {one[1:]}" if one.startswith("~") else f"version {one}" for one in versions)


def children_of(facts: Facts) -> str:
    """How many are meant."""
    return f"{counted(facts.unfinished_children, 'child', 'children')} {verb(facts.unfinished_children)}"


def of_key(facts: Facts) -> str:
    """Among whom its place is counted."""
    return "" if facts.key is None else f" with the key {facts.key!r}"


def counted(number: int, one: str, many: str) -> str:
    """`1 child`, `2 children`, `1,000 or more children`."""
    return f"{number} {one}" if number == 1 else f"{'1,000 or more' if number >= MOST_COUNTED else number} {many}"


def verb(number: int) -> str:
    """Of so many."""
    return "is" if number == 1 else "are"


def span(seconds: float) -> str:
    """For people: the two largest units."""
    whole = round(seconds)
    if whole < 1:
        return f"{max(0.0, seconds):.1f} s"
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if whole >= length and len(parts) < 2:
            parts.append(f"{whole // length} {unit}")
            whole %= length
    return " ".join(parts)


def facts_of(found: dict[str, Any]) -> Facts:
    """From the row that a store gives."""
    flags = {name: bool(found[name]) for name in found if name.startswith(("is_", "has_"))}
    waits = [Wait(wait["kind"], wait["what"], wait["seen"], wait.get("run_id", "")) for wait in found["waits_for"]]
    return Facts(**{**found, **flags, "waits_for": waits})
