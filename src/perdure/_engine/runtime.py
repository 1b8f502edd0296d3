"""One launched instance: the store and the parts, tied together, from `launch` to `shutdown`. It decides nothing.

Here alone all parts are known. Each is handed what it needs; what it has to tell others, it tells `news`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection

from .._core.definitions import Definitions
from .._core.serialization import Serializer
from ..errors import ForkedError, RunInterrupted, UsageError
from ..stores.protocol import Hint, Served, Store
from ..typing import DEFAULT_QUEUE
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
from .hosting.execution import Execution
from .hosting.histories import Histories
from .hosting.replays import Replays
from .hosting.surroundings import Surroundings
from .hosting.threads.pool import Threads
from .ids import fresh_id
from .journal.journal import Journal
from .leaving import Leaving
from .listeners import Listeners
from .membership.worker import RENEWALS, Worker
from .news import News
from .options import Options
from .phase import Phase
from .steering import Steers
from .watching.arrivals import Arrivals
from .watching.awaited_ends import Ends
from .watching.following import Following
from .watching.mailbox import Mailbox
from .watching.poller import Poller
from .watching.pulse import Pulse
from .watching.questions import Questions
from .watching.reports import Reports
from .watching.uncollected import Uncollected

STOPPING_SECONDS = 1.0
"""How long the shutdown waits for each loop: one that waits for a database that does not answer must not hold it up."""
LEAVING_SECONDS = 5.0
"""The same for the hand-back itself: runs that were not handed back are charged."""
UNNAMED = "~"
"""So begins the version of a process whose program has named none."""
HOUSEKEEPING_SECONDS = 30.0
"""How often what nobody calls for is done all the same."""


class Runtime:
    """A worker: from `launch` to `shutdown` it holds runs and executes them."""

    def __init__(self, store: Store, options: Options, definitions: Definitions) -> None:
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
        self._make_claiming()
        self._make_hosting()
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
            on_hint=self._heed,
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
        self.following = Following()
        self.arrivals = Arrivals(store=store, held=self.held, following=self.following, news=news)
        self.histories = Histories(store.runs, self.threads, lambda: self.phase.is_stopping, self.ends.unlearn)

    def _make_claiming(self) -> None:
        self.room = Room(
            definitions=self.definitions,
            solitude_seconds=self.options.solitude_seconds,
            may_start=lambda: self.worker.may_start,
            news=self.news,
        )
        self.claims = Claims(
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
            news=self.news,
        )
        self.steering = Steers(self.store, self.serializer, self.claims)
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

    def surroundings(self) -> Surroundings:
        """What the hosts of runs are handed."""
        return Surroundings(
            instance=self,
            options=self.options,
            journal=self.journal,
            worker=self.worker,
            held=self.held,
            room=self.room,
            claims=self.claims,
            starts=self.starts,
            ends=self.ends,
            arrivals=self.arrivals,
            histories=self.histories,
            replays=Replays(),
            threads=self.threads,
            listeners=self.listeners,
            news=self.news,
        )

    def _make_hosting(self) -> None:
        self.execution = Execution(
            definitions=self.definitions,
            serializer=self.serializer,
            wakeups=self.wakes,
            phase=self.phase,
            around=self.surroundings(),
        )

    def _make_watching(self) -> None:
        mailbox = Mailbox(
            store=self.store,
            worker=self.worker,
            held=self.held,
            claims=self.claims,
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
            expire=self.claims.expire,
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
        self.store.on_cancelled = self.claims.cancel_all_here
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
        news.scheduled.reach(self.scheduling.call)
        news.unknown.reach(self.claims.note_unknown)
        news.fenced.reach(self.claims.rejoin)
        news.right_lost.reach(self.claims.lost_right)
        news.lost.reach(self.claims.lose)
        news.dead.reach(self.dead_workers.note_dead)

    def _heed(self, hint: Hint) -> None:
        """Another process says that it has committed something: look, if it may be for this one."""
        if not hint.queues.isdisjoint(self.room.queues()):
            self.news.backlog()
        if hint.is_vague or self.ends.are_news(hint.ended):
            self.news.look()
        self.following.heed(hint)

    def _serves(self) -> Served:
        return Served(tuple(sorted(self.room.queues())), tuple(sorted(self.definitions.names())), self.version)

    def launch(self) -> int:
        """Open, join, recover, start the loops; how many runs were recovered. After an error nothing stays behind."""
        try:
            return self._start()
        except BaseException:
            self.shutdown(0.0)
            raise

    def _start(self) -> int:
        self.store.migrate()
        if self.options.serves(DEFAULT_QUEUE):
            self.room.declare_started(self.options.concurrency)
        self.definitions.tell_queues(self.limits.note)
        self.limits.declare()
        self.worker.join()
        recovered = self.dead_workers.recover()
        self.keep_house()
        self.worker.start()
        self.journal.start()
        self.dispatcher.start()
        self.poller.start()
        return recovered

    def keep_house(self) -> None:
        """What depends on the code that is loaded, and what nobody else would end."""
        self.mending.mend()
        self.scheduling.declare()
        self.claims.sweep_cancelled()
        self.mending.explain()

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running bodies end for `timeout` seconds, hand everything back, leave; tell who waits here."""
        is_answered = self.hand_back(timeout)
        for run in list(self.held.active.values()):
            self.journal.fail_lane(run.lane, RunInterrupted("this process has shut down"))
        self.ends.close()
        self.following.close()
        self.uncollected.close()
        self.definitions.forget_queues(self.limits.note)
        self.execution.own_loop.stop()
        if is_answered:  # else a thread of ours may still wait for the database, on a connection that cannot be closed
            self.store.close()

    def hand_back(self, timeout: float | None = None) -> bool:
        """The same, but for who waits here and never goes on: the process is about to end. Whether the database has
        answered.
        """
        self.phase.is_stopping = True
        deadline = time.monotonic() + (self.options.shutdown_seconds if timeout is None else timeout)
        self.room.close()
        self.dispatcher.stop(STOPPING_SECONDS)
        self.poller.stop(STOPPING_SECONDS)
        for run in list(self.held.active.values()):
            if run.interrupt("released"):
                run.host.interrupt(run)
        self.leaving.wait_until_empty(deadline)
        self.journal.stop(max(deadline, time.monotonic() + 1.0))
        self.journal.close(STOPPING_SECONDS)
        self.phase.has_left = True
        return self.worker.leave(max(LEAVING_SECONDS, deadline - time.monotonic()))

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that launched, for async runs that are not started on another one."""
        return self.execution.loop

    @loop.setter
    def loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.execution.loop = loop

    @property
    def is_stopping(self) -> bool:
        """Whether it is on its way out."""
        return self.phase.is_stopping

    def say_ready(self, queues: Collection[str]) -> None:
        """Somebody else has made runs in these queues: look, and tell the other processes."""
        self.worker.line.say(queues)
        self._heed(Hint(frozenset(queues)))

    def check_owner(self) -> None:
        """Raise `ForkedError` in a forked child of the process that launched this."""
        if self.phase.is_forked:
            raise ForkedError(
                "this handle belongs to the process that forked this one, and nobody would complete it here: "
                "perdure.handle(run_id) gives the child one of its own"
            )

    def open(self, *, writes: bool = False) -> None:
        """It is open: the launch has seen to that."""
        self.check_open()

    def check_open(self) -> None:
        """Raise where nothing can be asked here any more."""
        self.check_owner()
        if self.phase.has_left:
            raise UsageError("perdure has shut down here: perdure.handle(run_id) gives a handle of what works now")

    def abandon(self) -> None:
        """In a forked child: everything here belongs to the parent."""
        self.phase.is_stopping = self.phase.is_forked = True
        self.held.renew_locks()
        self.room.abandon()
        self.dispatcher.abandon()
        self.ends.abandon()
        self.following.abandon()
        self.arrivals.abandon()
        for run in list(self.held.active.values()):
            run.interrupt("forked")
        self.definitions.forget_queues(self.limits.note)
        self.store.abandon()
        self.worker.drop(keep_file=True)


def duties_of(parts: Runtime) -> Duties:
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
        Duty(parts.claims.sweep_cancelled, every=HOUSEKEEPING_SECONDS),
        Duty(parts.retention.remove, every=HOUSEKEEPING_SECONDS, is_called=lambda: parts.retention.is_called),
        Duty(parts.mending.reconsider, every=HOUSEKEEPING_SECONDS),
        Duty(parts.limits.heal, every=HOUSEKEEPING_SECONDS),
        Duty(parts.mending.explain, every=HOUSEKEEPING_SECONDS, is_called=parts.mending.is_to_explain),
        Duty(parts.claims.reconcile, every=HOUSEKEEPING_SECONDS, is_called=lambda: parts.claims.is_unknown),
    )
