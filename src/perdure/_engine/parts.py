"""Which parts a worker has: each is handed what it needs; what it has to tell others, it tells `news`, connected here.

Here alone all parts are known. What becomes of them, from `launch` to `shutdown`, is `runtime`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from .._core.definitions import Definitions
from .._core.serialization import Serializer
from ..stores.protocol import Hint, Served, Store
from .cancels import Cancels
from .claiming.claims import Claims
from .claiming.dispatcher import Dispatcher
from .claiming.held_runs import Held
from .claiming.room import Room
from .claiming.starts import Starts
from .duties.dead_workers import AGAIN_SECONDS, DeadWorkers
from .duties.duty import Duties, Duty
from .duties.limits import QueueLimits
from .duties.mending import Mending
from .duties.retention import Retention
from .duties.scheduling import Scheduling
from .hosting.asyncio.wakeups import Wakes
from .hosting.ends_ahead import EndsAhead
from .hosting.execution import ORDINARY, Execution, Hosts
from .hosting.histories import Histories
from .hosting.replays import Replays
from .hosting.surroundings import Surroundings
from .hosting.threads.pool import Threads
from .hosting.together import Together
from .ids import fresh_id
from .journal.journal import Journal
from .leaving import Leaving
from .listeners import Listeners
from .membership.worker import RENEWALS, Worker
from .news import News
from .options import Options
from .phase import Phase
from .steering import Steers
from .told import Told
from .watching.arrivals import Arrivals
from .watching.awaited_ends import Ends
from .watching.following import Following
from .watching.mailbox import Mailbox
from .watching.poller import Poller
from .watching.pulse import Pulse
from .watching.questions import Questions
from .watching.reports import Reports
from .watching.uncollected import Uncollected

UNNAMED = "~"
"""So begins the version of a process whose program has named none."""
HOUSEKEEPING_SECONDS = 30.0
"""How often what nobody calls for is done all the same."""


class Parts:
    """Made and connected, and nothing is started. `make_claims` and `hosts`: others where runs are only replayed."""

    def __init__(
        self,
        store: Store,
        options: Options,
        definitions: Definitions,
        *,
        make_claims: Callable[..., Claims] = Claims,
        hosts: Hosts = ORDINARY,
    ) -> None:
        self.store = store
        self.options = options
        self.definitions = definitions
        self.serializer = Serializer(
            definitions.types, options.codec, max_bytes=options.max_value_bytes, readable=options.readable
        )
        self.news = News()
        self.listeners = Listeners(options.listeners)
        self.phase = Phase()
        self.version = options.version or f"{UNNAMED}{fresh_id()}"
        self._make_members()
        self._make_claiming(make_claims)
        self._make_hosting(hosts)
        self._make_watching()
        self._make_duties()
        self._connect()

    def _make_members(self) -> None:
        """What knows no other part."""
        store, news = self.store, self.news
        self.held = Held()
        self.leaving = Leaving(self.held)
        self.wakes = Wakes()
        self.threads = Threads("perdure-run")
        self.worker = Worker(
            store,
            lease_seconds=self.options.lease_seconds,
            on_lost=news.right_lost,
            on_dead=news.dead,
            on_hint=self.heed,
            serves=self._serves,
        )
        self.journal = Journal(
            store,
            worker_id=lambda: self.worker.worker_id,
            on_fenced=news.fenced,
            on_lost=news.lost,
            on_unknown=news.unknown,
        )
        self.uncollected = Uncollected(store.runs, self.serializer)
        self.ends = Ends(store.runs, self.held.active.get, news.look)
        self.told = Told(held=self.held, ends=self.ends, say=self.worker.line.say, news=news)
        self.cancels = Cancels(store, self.ends, self.told)
        self.steering = Steers(store, self.serializer, self.told)
        self.following = Following()
        together = partial(Together, threads=self.threads, is_stopping=lambda: self.phase.is_stopping)
        self.arrivals = Arrivals(store=store, held=self.held, following=self.following, news=news, together=together)
        self.histories = together(Histories(store.runs, self.ends.unlearn).read, activity="the histories of runs")
        self.ends_ahead = together(EndsAhead(store.runs).read, activity="the ends of runs")

    def _make_claiming(self, make_claims: Callable[..., Claims]) -> None:
        self.room = Room(
            definitions=self.definitions,
            solitude_seconds=self.options.solitude_seconds,
            may_start=lambda: self.worker.may_start,
            news=self.news,
        )
        self.claims = make_claims(
            store=self.store,
            journal=self.journal,
            worker=self.worker,
            held=self.held,
            room=self.room,
            ends=self.ends,
            uncollected=self.uncollected,
            threads=self.threads,
            phase=self.phase,
            listeners=self.listeners,
            told=self.told,
            news=self.news,
        )
        self.starts = Starts(
            journal=self.journal,
            held=self.held,
            room=self.room,
            line=self.worker.line,
            serializer=self.serializer,
            news=self.news,
        )
        self.dispatcher = Dispatcher(
            store=self.store,
            definitions=self.definitions,
            worker=self.worker,
            held=self.held,
            room=self.room,
            claims=self.claims,
            listeners=self.listeners,
            news=self.news,
        )

    def _make_hosting(self, hosts: Hosts) -> None:
        around = Surroundings(
            instance=self,
            options=self.options,
            journal=self.journal,
            worker=self.worker,
            held=self.held,
            room=self.room,
            claims=self.claims,
            told=self.told,
            starts=self.starts,
            ends=self.ends,
            arrivals=self.arrivals,
            histories=self.histories,
            ends_ahead=self.ends_ahead,
            replays=Replays(),
            threads=self.threads,
            listeners=self.listeners,
            news=self.news,
        )
        self.execution = Execution(
            definitions=self.definitions,
            serializer=self.serializer,
            wakeups=self.wakes,
            phase=self.phase,
            around=around,
            hosts=hosts,
        )

    def _make_watching(self) -> None:
        mailbox = Mailbox(
            store=self.store,
            worker=self.worker,
            held=self.held,
            told=self.told,
            cancels=self.cancels,
            arrivals=self.arrivals,
            news=self.news,
        )
        known = (self.store, self.definitions, self.serializer, self.worker, self.threads)
        self.questions = Questions(*known, journal=self.journal, find_run=self.held.active.get, news=self.news)
        self.reports = Reports(journal=self.journal, poll_seconds=self.options.poll_seconds, news=self.news)
        self.pulse = Pulse(
            store=self.store,
            definitions=self.definitions,
            worker=self.worker,
            room=self.room,
            mailbox=mailbox,
            answer=self.questions.look,
            let_waiting_leave=self.execution.park_if_all_wait,
            expire=self.cancels.expire,
            held=self.held,
            news=self.news,
        )
        self.dead_workers = DeadWorkers(store=self.store, journal=self.journal, worker=self.worker, news=self.news)
        self.mending = Mending(
            store=self.store, definitions=self.definitions, worker=self.worker, queues=self.room.queues, news=self.news
        )
        self.scheduling = Scheduling(
            store=self.store,
            definitions=self.definitions,
            serializer=self.serializer,
            journal=self.journal,
            worker=self.worker,
            news=self.news,
        )

    def _make_duties(self) -> None:
        self.retention = Retention(self.store, self.definitions, self.options, self.journal, self.worker, self.news)
        self.limits = QueueLimits(store=self.store, room=self.room, serves=self.options.serves, look=self.news.look)
        self.duties = duties_of(self)
        self.poller = Poller(look=self.duties.tick, pause=self._pause, news=self.news)

    def _pause(self) -> float:
        """How long until the next round."""
        seconds = self.options.poll_seconds
        return min(seconds, AGAIN_SECONDS) if self.dead_workers.is_hindered else seconds

    def _connect(self) -> None:
        """Who hears what."""
        news = self.news
        self.store.on_cancelled = self.told.cancelled
        news.backlog.reach(self.room.expect_backlog)
        news.wanted.reach(self.dispatcher.poke)
        news.begins.reach(self.execution.begin_claimed)
        news.unwanted.reach(self.execution.return_unbegun)
        news.made.reach(self.execution.begin_made)
        news.slot_given.reach(self.claims.give_slot)
        news.look.reach(self.poller.poke)
        news.said.reach(self.following.tell, lambda run_id: self.worker.line.say(said=[run_id]))
        news.ended.reach(self.following.tell)
        news.due.reach(self.poller.expect)
        news.look_at.reach(self.poller.look_at)
        news.scheduled.reach(self.scheduling.call)
        news.unknown.reach(self.claims.note_unknown)
        news.fenced.reach(self.claims.rejoin)
        news.right_lost.reach(self.claims.lost_right)
        news.lost.reach(self.claims.lose)
        news.dead.reach(self.dead_workers.note_dead)

    def heed(self, hint: Hint) -> None:
        """Another process says that it has committed something: look, if it may be for this one."""
        if not hint.queues.isdisjoint(self.room.queues()):
            self.news.backlog()
        if hint.is_vague or self.ends.are_news(hint.ended):
            self.news.look()
        self.following.heed(hint)

    def _serves(self) -> Served:
        return Served(tuple(sorted(self.room.queues())), tuple(sorted(self.definitions.names())), self.version)


def duties_of(parts: Parts) -> Duties:
    """What a worker does again and again, for all: a line for each."""
    return Duties(
        Duty(parts.limits.declare, every=math.inf, is_called=parts.limits.is_to_declare),
        Duty(parts.pulse.feel),
        Duty(parts.reports.write),
        Duty(parts.ends.poll),
        Duty(parts.ends.poll_stuck),
        Duty(parts.uncollected.look_for_orphans),
        Duty(parts.execution.look_for_stranded),
        Duty(parts.room.return_late),
        Duty(parts.dead_workers.take_over_seen),
        Duty(parts.worker.tell_served),
        Duty(parts.dead_workers.check_leases, every=parts.options.lease_seconds / RENEWALS, at_once=True),
        Duty(parts.mending.mend),
        Duty(parts.scheduling.declare),
        Duty(parts.scheduling.fire, every=HOUSEKEEPING_SECONDS, is_called=lambda: parts.scheduling.is_called),
        Duty(parts.cancels.sweep, every=HOUSEKEEPING_SECONDS),
        Duty(parts.retention.remove, every=HOUSEKEEPING_SECONDS, is_called=lambda: parts.retention.is_called),
        Duty(parts.mending.reconsider, every=HOUSEKEEPING_SECONDS),
        Duty(parts.limits.heal, every=HOUSEKEEPING_SECONDS),
        Duty(parts.mending.explain, every=HOUSEKEEPING_SECONDS, is_called=parts.mending.is_to_explain),
        Duty(parts.claims.reconcile, every=HOUSEKEEPING_SECONDS, is_called=lambda: parts.claims.is_unknown),
    )
