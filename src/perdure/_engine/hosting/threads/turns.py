"""How a sync run's calls wait for their turns: one thread at a time runs the run's own code, see `baton`."""

from __future__ import annotations

import threading
import time
from heapq import heapify, heappop, heappush
from math import inf

from ...._core.flow import BeginReplay, CatchUp, GiveBack, LogTurn, Pause, Record, StayOpen, Turn
from ...._core.flows.turn import NO_TURN
from ..host import ANSWERS, Host, interrupted
from ..replays import LOOK_SECONDS
from .state import ThreadRun


class ThreadTurns(Host[ThreadRun]):
    """The part of the sync host that hands outcomes over."""

    def stay_open(self, run: ThreadRun, request: StayOpen) -> None:
        state = run.state
        self._came_back(run)
        with state.changed:
            run.order.stays_open(request.key)
            try:
                while run.interruption is None:
                    state.changed.wait()
            finally:
                run.order.was_closed(request.key)
        run.check_alive()

    def begin_replay(self, run: ThreadRun, request: BeginReplay) -> None:
        since = time.monotonic()
        while not self.replays.may_begin(run, since):
            self.pause(run, Pause(LOOK_SECONDS))

    def turn(self, run: ThreadRun, request: Turn) -> tuple[int | None, bool]:
        """One at a time: when it is due, and no other thread runs the run's code or is about to. In a run with one
        branch nothing else can run.
        """
        run.check_alive()
        if not request.is_numbered:
            return NO_TURN
        if not run.is_concurrent and run.order.is_due(request.key):
            return run.order.advance(request.key)
        state = run.state
        order, key = run.order, request.key
        self._came_back(run)
        with state.changed:
            state.turn_count += 1
            came_at = inf if request.due_at is None else request.due_at
            entry = (order.rank(key), came_at, state.turn_count, key)
            heappush(state.turns, entry)
            since, seen = time.monotonic(), order.next_position
            while run.interruption is None:
                if state.turns[0] is entry and order.is_due(key):
                    if state.recording is not None:
                        state.changed.wait()
                    elif state.baton.is_free():
                        heappop(state.turns)
                        return self._hand_over(run, key)
                    else:
                        state.baton.watch(state.changed)
                    continue
                if order.next_position != seen or order.awaited_key in order.open_keys:
                    since, seen = time.monotonic(), order.next_position
                state.changed.wait(self._patience_left(run, key, since) if order.is_replaying else None)
            state.turns.remove(entry)  # others may still finish what they began
            heapify(state.turns)
            state.changed.notify_all()
        raise interrupted(run)

    @staticmethod
    def _hand_over(run: ThreadRun, key: str) -> tuple[int, bool]:
        state = run.state
        position, was_recorded = run.order.advance(key)
        state.baton.take()
        run.is_loose = state.baton.is_loose
        if not was_recorded:
            state.recording = threading.get_ident()
        state.changed.notify_all()
        return position, was_recorded

    @staticmethod
    def _came_back(run: ThreadRun) -> None:
        """This thread waits, or runs a body: another one may run the run's code."""
        state = run.state
        with state.changed:
            if state.baton.put_down():
                state.changed.notify_all()

    def record(self, run: ThreadRun, request: Record) -> None:
        try:
            super().record(run, request)
        finally:
            self._recorded(run)
        if type(request.entry) in ANSWERS:
            self.journal.call_writer()

    def give_back(self, run: ThreadRun, request: GiveBack) -> None:
        super().give_back(run, request)
        self._recorded(run)

    def log_turn(self, run: ThreadRun, request: LogTurn) -> None:
        try:
            super().log_turn(run, request)
        finally:
            self._recorded(run)

    @staticmethod
    def _recorded(run: ThreadRun) -> None:
        """This thread's delivery is in the journal, behind all earlier ones, or was none: the next may follow."""
        state = run.state
        if state.recording == threading.get_ident():
            with state.changed:
                state.recording = None
                state.changed.notify_all()

    def catch_up(self, run: ThreadRun, request: CatchUp) -> None:
        state = run.state
        self._came_back(run)
        with state.changed:
            state.catching_up += 1
            state.changed.notify_all()
            try:
                since, seen = time.monotonic(), run.order.next_position
                while run.is_behind and run.interruption is None:
                    if run.order.next_position != seen or run.order.awaited_key in run.order.open_keys:
                        since, seen = time.monotonic(), run.order.next_position
                    state.changed.wait(self._patience_left(run, request.key, since))
            finally:
                state.catching_up -= 1
        run.check_alive()

    def _patience_left(self, run: ThreadRun, key: str, since: float) -> float:
        """How long to wait yet for the call that is to come next. Gives up where nothing can make it any more."""
        state = run.state
        waiting = len(state.turns) + state.catching_up
        is_certain = state.branches - state.joining <= waiting and not state.timed and not state.waits
        left = since + self.options.replay_patience_seconds - time.monotonic()
        if run.order.awaited_key not in run.order.open_keys:
            if is_certain and not any(run.order.is_due(turn_key) for *_, turn_key in state.turns):
                self.give_up(run, key, False)
            elif left <= 0:
                self.give_up(run, key, True)
        return max(left, 0.0) if run.interruption is None else 0.0

    def pause(self, run: ThreadRun, request: Pause) -> None:
        state = run.state
        until = time.monotonic() + request.seconds
        with state.changed:
            while run.interruption is None and (left := until - time.monotonic()) > 0:
                state.changed.wait(left)
        run.check_alive()
