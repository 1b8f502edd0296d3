"""What many runs do, each step for all of them at once: the lives of a batch, for tests of what a step costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from perdure._entries import (
    AttributesSet,
    Entry,
    EventSet,
    ProgressMade,
    RunContinued,
    RunParked,
    SlotGiven,
    Stored,
    ValueSaved,
    Wait,
)
from perdure._steering import By
from perdure._streams import StreamRewound, StreamWritten
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import W1, W2, WORK, child, created, finished, fresh_claims, join, received, recorded, sent
from tests.stores.limiting import QUEUE, limit
from tests.stores.test_asking import answered, refused
from tests.stores.test_hooks import opened, resolved, taken, timed_out
from tests.stores.test_restarting import plan_of, restart

Step = tuple[str, Callable[[Store], object]]
Life = Callable[["Many"], Iterator[Step]]
ME = By("somebody")
ONE = Stored("json", "1")


class Many:
    """So many runs, under the claims that they have just now."""

    def __init__(self, prefix: str, number: int) -> None:
        self.names = [f"{prefix}{n:03}" for n in range(number)]
        self.claims: dict[str, str] = {}

    def create(self, **changes: Any) -> Callable[[Store], object]:
        """Make them."""
        return lambda store: store.create([created(name, **changes) for name in self.names])

    def take(self, worker: str = W1, queue: str = "") -> Callable[[Store], object]:
        """Claim all that there are, at most so many."""

        def do(store: Store) -> None:
            request = ClaimRequest({queue: len(self.names)}, [WORK])
            runs = store.claim(worker, request, fresh_claims(len(self.names))).runs
            assert runs
            self.claims = {run.run_id: run.claim for run in runs}

        return do

    def apply(self, entry_of: Callable[[str, str], Entry], worker: str = W1) -> Callable[[Store], object]:
        """One entry of each that is held."""
        return lambda store: store.apply(worker, [entry_of(name, claim) for name, claim in self.claims.items()])

    def park(self, *waits: Wait, **changes: Any) -> Callable[[Store], object]:
        """They wait, each for the same; `{}` stands for its name."""

        def parked(name: str, claim: str) -> RunParked:
            own = [Wait(wait.kind, wait.what.format(name), wait.seen, wait.run_id.format(name)) for wait in waits]
            return RunParked(name, claim, waits_for=tuple(own), **changes)

        return self.apply(parked)

    def steered(self, steer: Callable[[Store], Callable[..., object]], *by: By) -> Callable[[Store], object]:
        """Something that is done to all of them from outside."""
        return lambda store: steer(store)(self.names, *by)


def hear(store: Store) -> None:
    """A look at what was told, and another one that says what was heard."""
    store.hear(W1, [told.seq for told in store.hear(W1, ()).told])


def ended(name: str, claim: str) -> Entry:
    """It has done what it had to do."""
    return finished(name, claim)


def told(many: Many, waits: Iterable[Wait]) -> Iterator[Step]:
    """They are taken, record, make a child, wait and go on."""
    own = dict(zip(many.names, fresh_claims(len(many.names)), strict=True))
    yield "create", many.create()
    yield "claim", many.take()
    yield "record", many.apply(recorded)
    yield "make a child", many.apply(lambda name, claim: child(f"of {name}", name, claim, held_as=own[name]))
    yield "park", many.park(*waits)
    yield "look", hear
    yield "send", lambda store: store.apply(W1, [sent(name, f"to {name}") for name in own])
    yield "look again", hear
    yield "end the child", lambda store: store.apply(W1, [finished(f"of {name}", own[name]) for name in own])
    yield "look once more", hear
    yield "claim again", many.take()
    yield "end", many.apply(ended)


def with_a_message(many: Many) -> Iterator[Step]:
    """They wait for a message."""
    return told(many, [Wait("message", what="a")])


def with_a_child(many: Many) -> Iterator[Step]:
    """They wait for their child."""
    return told(many, [Wait("children", seen=0)])


def with_a_run(many: Many) -> Iterator[Step]:
    """They wait for a run's end."""
    return told(many, [Wait("run", what="of {}")])


def of_the_dead(many: Many) -> Iterator[Step]:
    """Their worker dies, some have a cancel; the next one leaves, and the one after it has forgotten them."""
    yield "create", many.create()
    yield "join", lambda store: join(store, W2)
    yield "claim", many.take(W2)
    yield "cancel some", lambda store: store.cancels.ask(many.names[::2])
    yield "take over", lambda store: store.workers.take_over(W2)
    yield "join again", lambda store: join(store, W2)
    yield "claim again", many.take(W2)
    yield "leave", lambda store: store.workers.leave(W2)
    yield "claim once more", many.take()
    yield "hand back", lambda store: store.reconcile(W1, ())
    yield "claim for the last time", many.take()
    yield "end", many.apply(ended)


def cancelled(many: Many) -> Iterator[Step]:
    """Some while they are held, some that wait, with their children, and some by their deadline."""
    late = Many(f"late {many.names[0]}", len(many.names))
    yield "create", many.create()
    yield "claim", many.take()
    yield "make a child", many.apply(lambda name, claim: child(f"of {name}", name, claim))
    yield "cancel", many.steered(lambda store: store.cancels.ask)
    yield "hear", hear
    yield "park", many.park(Wait("run", what="of {}"))
    yield "sweep", lambda store: store.cancels.sweep()
    yield "look", hear
    yield "create late", late.create(deadline_at=1.0)
    yield "claim late", late.take()
    yield "expire", lambda store: store.cancels.expire()
    yield "hear of it", hear
    yield "end late", late.apply(lambda name, claim: finished(name, claim, "cancelled"))
    yield "look again", hear


def asleep(many: Many) -> Iterator[Step]:
    """They are delayed, sleep, and have their time before their message comes."""
    yield "create", many.create(due_at=1.0)
    yield "claim", many.take()
    yield "sleep", many.park(Wait("message", what="a"), due_at=2.0)
    yield "claim again", many.take()
    yield "sleep long", many.park(Wait("message", what="a"), due_at=4e9)
    yield "send", lambda store: store.create([sent(name, f"to {name}") for name in many.names])
    yield "claim once more", many.take()
    yield "receive", many.apply(lambda name, claim: received(name, claim, f"to {name}"))
    yield "end", many.apply(ended)


def by_key(many: Many) -> Iterator[Step]:
    """Three of each key, one of which may run; they give their slots back and have them again; what waits is ended."""
    limits = {"key_concurrency": 1, "key_rate": [100, 60.0], "concurrency": 1_000, "rate": [10_000, 60.0]}
    keys = {name: f"{many.names[0]} {n // 3}" for n, name in enumerate(many.names)}
    keyed = [created(name, queue=QUEUE, flow_key=key) for name, key in keys.items()]
    yield "limit", lambda store: limit(store, **limits, on_overflow=None)
    yield "create", lambda store: store.create(keyed)
    yield "claim", many.take(queue=QUEUE)
    yield "end", many.apply(ended)
    yield "claim again", many.take(queue=QUEUE)
    yield "give", many.apply(SlotGiven)
    resuming = lambda: {QUEUE: [*many.claims.values()]}  # noqa: E731  # the claims of that time
    yield "resume", lambda store: store.claim(W1, ClaimRequest({QUEUE: 0}, [WORK], resuming=resuming()), ())
    yield "limit more", lambda store: limit(store, on_overflow="cancel_newest")
    yield "overflow", lambda store: store.claim(W1, ClaimRequest({QUEUE: 9}, [WORK]), fresh_claims(9))
    yield "end the rest", many.apply(ended)


def paused(many: Many) -> Iterator[Step]:
    """While they are held, and when they wait; then their retries are used up, or their code does not fit."""
    yield "create", many.create()
    yield "claim", many.take()
    yield "pause", many.steered(lambda store: store.steering.pause, ME)
    yield "hear", hear
    yield "park", many.park(Wait("message", what="a"), stopped="paused")
    yield "look", hear
    yield "resume", many.steered(lambda store: store.steering.resume, ME)
    yield "pause again", many.steered(lambda store: store.steering.pause, ME)
    yield "resume again", many.steered(lambda store: store.steering.resume, ME)
    yield "send", lambda store: store.create([sent(name, f"to {name}") for name in many.names])
    yield "claim again", many.take()
    yield "use up", many.park(stopped="retries")
    yield "resume once more", many.steered(lambda store: store.steering.resume, ME)
    yield "claim once more", many.take()
    yield "stop", many.park(stopped="mend")
    yield "mend", lambda store: store.mending.mend([WORK])
    yield "cancel", many.steered(lambda store: store.steering.cancel, ME)
    yield "sweep", lambda store: store.cancels.sweep()


def restarted(many: Many) -> Iterator[Step]:
    """They have done everything that there is to do, begin anew, and are deleted."""
    dropped = ["1", "2", "3"]
    yield "create", many.create(attributes={"a": "b"})
    yield "claim", many.take()
    yield "record", many.apply(recorded)
    yield "send", many.apply(lambda name, _: sent(name, f"to {name}"))
    yield "receive", many.apply(lambda name, claim: received(name, claim, f"to {name}", "2"))
    yield "open", many.apply(lambda name, claim: opened(f"at {name}", "3", name, claim))
    yield "write", many.apply(lambda name, claim: StreamWritten(name, claim, "w", "s", "1", 1, "json", ["1"]))
    yield "make a child", many.apply(lambda name, claim: child(f"of {name}", name, claim))
    yield "fail", many.apply(lambda name, claim: finished(name, claim, "failed"))
    plan = lambda store, name: plan_of(store, name, dropped=dropped, cancelled=[f"of {name}"])  # noqa: E731
    yield "restart", lambda store: restart(store, *[plan(store, name) for name in many.names])
    yield "sweep", lambda store: store.cancels.sweep()
    yield "claim again", many.take()
    yield "end", many.apply(ended)
    yield "delete", many.steered(lambda store: store.steering.delete, ME)


def asked(many: Many) -> Iterator[Step]:
    """By hooks, of which one is answered and one is not; and by updates."""
    yield "create", many.create()
    yield "claim", many.take()
    yield "open", many.apply(lambda name, claim: opened(f"at {name}", "1", name, claim))
    yield "open another", many.apply(lambda name, claim: opened(f"late at {name}", "2", name, claim))
    yield "park", many.park(Wait("message", what="hook:at {}"))
    yield (
        "resolve",
        lambda store: store.create([resolved(f"at {name}", f"to {name}", "1", name) for name in many.names]),
    )
    yield "claim again", many.take()
    yield "take", many.apply(lambda name, claim: taken(f"at {name}", f"to {name}", "3", name, claim))
    yield "time out", many.apply(lambda name, claim: timed_out(f"late at {name}", "4", "2", name, claim))
    yield "ask", lambda store: store.create([sent(name, f"ask {name}") for name in many.names])
    yield "ask more", lambda store: store.create([sent(name, f"ask more {name}") for name in many.names])
    yield "receive", many.apply(lambda name, claim: received(name, claim, f"ask {name}", "5"))
    yield "answer", many.apply(lambda name, claim: answered(name, claim, f"ask {name}", "6"))
    yield "refuse", many.apply(lambda name, claim: refused(name, claim, f"ask more {name}"))
    yield "end", many.apply(ended)


def saying(many: Many) -> Iterator[Step]:
    """They say what they do, by all that there is, wait for each other's events, and go on as new ones."""

    def event(name: str, claim: str) -> EventSet:
        return EventSet(name, claim, "e", "2", "event", "e", "-", False, ONE)

    def saved(*, is_over: bool) -> Callable[[str, str], Entry]:
        return lambda name, claim: ValueSaved(
            name, claim, f"saved {is_over}", "3", "saved", "n", "-", False, ONE, is_over=is_over
        )

    others = Many(f"other {many.names[0]}", len(many.names))
    others.claims = dict(zip(others.names, fresh_claims(len(others.names)), strict=True))
    other = dict(zip(many.names, others.names, strict=True))
    waits = lambda name, claim: RunParked(name, claim, waits_for=(Wait("event", "e", 0, other[name]),))  # noqa: E731
    yield "create", many.create(attributes={"a": "b"})
    yield "claim", many.take()
    yield "make others", others.apply(lambda name, claim: created(name, held_as=claim))
    yield "wait for an event", many.apply(waits)
    yield "set it", others.apply(event)
    yield "look", hear
    yield "claim again", many.take()
    yield (
        "set attributes",
        many.apply(lambda n, claim: AttributesSet(n, claim, "a", "1", "-", ONE, {"a": None, "b": ""})),
    )
    yield "make progress", many.apply(lambda name, claim: ProgressMade(name, claim, "1", "n", 1, 1.0, None, None))
    yield "save", many.apply(saved(is_over=False))
    yield "save no more", many.apply(saved(is_over=True))
    yield "write", many.apply(lambda name, claim: StreamWritten(name, claim, "w", "s", "1", 1, "json", ["1"]))
    yield "rewind", many.apply(lambda name, claim: StreamRewound(name, claim, "r", "1", 2))
    yield "go on as new", many.apply(lambda name, claim: RunContinued(name, claim, ONE))
    yield "claim what is new", many.take()
    yield "end", many.apply(ended)
    yield "end the others", others.apply(ended)


def waiting(many: Many) -> Iterator[Step]:
    """They wait for what does not come, with a message that nobody receives."""
    yield "create", many.create()
    yield "claim", many.take()
    yield "send", many.apply(lambda name, claim: sent(name, f"to {name}"))
    yield "park", many.park(Wait("message", what="b"))
    yield "look", hear
    yield "hand back", lambda store: store.reconcile(W1, ())


LIVES: tuple[Life, ...] = (
    *(with_a_message, with_a_child, with_a_run, of_the_dead, cancelled, asleep, by_key, paused, restarted, asked),
    saying,
)
