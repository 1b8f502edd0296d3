"""The same table for what stands beside the core: families, last attempts, slots, order and locks."""

from __future__ import annotations

from .guards import Guard, at

WRITING = "self._database.turn.writing()"

BESIDE: tuple[Guard, ...] = (
    Guard(
        "create_join",
        "Rule 2: a child is made only while its parent's claim lasts.",
        "family",
        {
            "postgres": (
                *at("postgres/perdure.write_created", "creator.worker = me AND creator.claim = entry.claim"),
                *at("postgres/held_claims", "worker = %(worker_id)s::uuid AND claim IN"),
            ),
            "sqlite": (
                *at("sqlite/write_created", "runs.worker = NEW.worker_id AND runs.claim = making.claim"),
                *at("sqlite/held_claims", "runs.worker = :worker_id AND runs.claim = wanted.value"),
            ),
        },
    ),
    Guard(
        "creations_first",
        "Rule 6: a batch makes children before it ends their parent, so that a cancel finds them.",
        "family",
        {
            "both": at("stores/__init__.Kinds.sort", "for name in self.sections if found.get(name)"),
        },
    ),
    Guard(
        "passes_on",
        "Rule 8: a cancelled run takes its unfinished children with it, however it ended.",
        "family",
        {
            "postgres": (
                *at("postgres/perdure.consume_cancels", "PERFORM perdure.pass_cancel_on(ended)"),
                *at("postgres/perdure.write_finished", "PERFORM perdure.consume_cancels(cancelled)"),
                *at("postgres/perdure.take_over", "PERFORM perdure.consume_cancels(cancelled)"),
                *at("postgres/perdure.sweep_cancelled", "PERFORM perdure.consume_cancels(swept)"),
            ),
            "sqlite": (
                *at("sqlite/batches.end_cancelled", "connection.change('pass_cancel_on'"),
                *at("sqlite/pass_cancels_on", "'cancel', (SELECT now FROM clock) FROM json_each(NEW.entries) AS ended"),
                *at("sqlite/claims.put_back_all", "end_cancelled(connection, _ids(connection, 'cancelled_among'"),
                *at("sqlite/claims.sweep", "end_cancelled(connection, swept)"),
            ),
        },
    ),
    Guard(
        "wakes_by_data",
        "Rule 7: whether a parked parent wakes is counted when it is asked, never flagged.",
        "family",
        {
            "postgres": at(
                "postgres/perdure.is_over",
                "WHERE child.parent_id = run AND child.finished_at IS NOT NULL OFFSET wait.seen)",
            ),
            "sqlite": at("sqlite/read_wakes", "child.finished_at IS NOT NULL) > json_extract(wait.value, '$.seen')"),
        },
    ),
    Guard(
        "seen_is_not_awaited",
        "Rule 7: a park has not seen the ends that a branch still waits for.",
        "family",
        {"both": at("engine/hosting/host.Host.parking", "seen = run.children.ended.difference(runs)", "len(seen)")},
    ),
    Guard(
        "last_alone",
        "Rule 11: the last attempt is claimed alone, where that can be had.",
        "haunted",
        {
            "both": at("engine/claiming/dispatcher.Dispatcher._begin_to_ask", "if room.solitude.is_kept"),
            "postgres": (
                *at(
                    "postgres/perdure.candidates",
                    "AND (last_attempts = 'beside' OR CASE WHEN attempts = 0 OR attempts < max_attempts - 1 THEN true "
                    "ELSE perdure.progress_of(id) > progress_mark END)",
                ),
                *at(
                    "postgres/perdure.room",
                    "most := CASE WHEN EXISTS (SELECT 1 FROM perdure.runs WHERE worker = me) THEN 0 ELSE",
                ),
            ),
            "sqlite": (
                *at(
                    "sqlite/candidates",
                    "AND (asked.last_attempts = 'beside' OR one.attempts = 0 OR one.attempts < one.max_attempts - 1 OR",
                ),
                *at("sqlite/room", "WHEN last_attempts = 'alone' AND holds_some THEN 0"),
            ),
        },
    ),
    Guard(
        "last_beside",
        "Rule 11: one that could not be had alone for long is claimed beside others.",
        "one lasts",
        {"both": at("engine/claiming/dispatcher.Dispatcher._claim", "self._ask_on(group, solitude.beside(now))")},
    ),
    Guard(
        "alone_no_more",
        "Rule 11: one that has been alone for long is alone no more.",
        "one lasts",
        {
            "both": at(
                "engine/claiming/room.Room.note_last_attempts",
                "self.solitude.end_in_time(time.monotonic())",
            )
        },
    ),
    Guard(
        "dies_alone",
        "Rule 11: dead is only whose worker held nothing else when it died.",
        "solitude of strangers",
        {
            "postgres": at("postgres/perdure.take_over", "cardinality(back) = 1"),
            "sqlite": at(
                "sqlite/take_over_dead_runs",
                "NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.worker = runs.worker AND other.seq <> runs.seq)",
            ),
        },
    ),
    Guard(
        "claimed_beside",
        "Rule 11: nor when it was claimed, as far as the database or the worker's memory knows.",
        "haunted",
        {
            "postgres": (
                *at(
                    "postgres/perdure.take",
                    "is_not_alone OR EXISTS (SELECT 1 FROM perdure.runs AS mine WHERE mine.worker = me)",
                ),
                *at("postgres/perdure.take_over", "NOT is_beside"),
            ),
            "sqlite": (
                *at("sqlite/taking", "(SELECT last_attempts = 'beside' FROM asked) OR (SELECT holds_some FROM room)"),
                *at("sqlite/take_over_dead_runs", "is_beside = 0"),
            ),
        },
    ),
    Guard(
        "own_clock",
        "Rule 10: a lease is over when a worker has seen so by its own clock, no other one.",
        "silence",
        {
            "both": (
                *at(
                    "engine/duties/dead_workers.DeadWorkers.check_leases",
                    "self._witness.look(",
                    "seen=worker.renewed_at",
                ),
                *at("engine/membership/witness.Witness.look", "if asked_at - since > worker.lease_seconds"),
            ),
            "postgres": at("postgres/perdure.take_over", "extract(epoch FROM renewed_at)::double precision = seen"),
            "sqlite": at("sqlite/take_over_worker", "renewed_at = coalesce(:seen, renewed_at)"),
        },
    ),
    Guard(
        "unbroken",
        "Rule 10: and while it renewed without a gap: an outage silences all alike.",
        "silence",
        {
            "both": (
                *at("engine/duties/dead_workers.DeadWorkers.check_leases", "unbroken_since=me.unbroken_since"),
                *at("engine/membership/witness.Witness.look", "since = max(", "unbroken_since)"),
                *at(
                    "engine/membership/worker.Worker._renew",
                    "if not self._is_in_time(asked_at): self._unbroken_since = asked_at",
                ),
            )
        },
    ),
    Guard(
        "waits_without_slot",
        "Who waits durably gives its slot back: nested submits to one queue cannot deadlock.",
        "slots",
        {
            "both": (
                *at("engine/hosting/threads/host.ThreadHost._wait_durably", "room.yield_slot(run)"),
                *at("engine/hosting/asyncio/host.LoopHost._wait_durably", "room.yield_slot(run)"),
            )
        },
    ),
    Guard(
        "waiting_grants",
        "A run of which a branch waits durably takes no slot, also where another branch had asked for one.",
        "slots",
        {"both": at("engine/claiming/room.Room.yield_slot", "resumed = slots.take_asking(run)")},
    ),
    Guard(
        "one_slot_per_run",
        "One slot lets all branches of a run go on that have asked.",
        "slots",
        {"both": at("engine/claiming/slots.Slots.resume", "resumed += self.take_asking(run)")},
    ),
    Guard(
        "one_turn_at_a_time",
        "A delivery is handed in before the next one gets its position.",
        "order",
        {
            "both": (
                *at(
                    "engine/hosting/threads/turns.ThreadTurns.turn",
                    "if state.recording is not None: state.changed.wait()",
                ),
                *at("engine/hosting/asyncio/gate.Gate.look", "if self._granted is not None: return True"),
                *at("engine/hosting/asyncio/gate.Gate.look", "if not is_at_rest and"),
            )
        },
    ),
    Guard(
        "replays_in_order",
        "A replay delivers what is recorded in its order, and the rest behind it.",
        "order",
        {
            "both": (
                *at("engine/hosting/threads/turns.ThreadTurns.turn", "state.turns[0] is entry and order.is_due(key)"),
                *at("engine/hosting/asyncio/gate.Gate._hand_over", "not self.run.order.is_due(key)"),
                *at("engine/hosting/asyncio/gate.Gate._hand_over_cancelled", "order.is_due(key)"),
            )
        },
    ),
    Guard(
        "lock_before_row",
        "Rule 10: a worker's file is locked before its row can be seen.",
        "files",
        {
            "both": at(
                "engine/membership/worker.Worker.join",
                "locked_file(lock_path(self._store.lock_directory, worker_id)) try: self._store.workers.join(",
            )
        },
    ),
    Guard(
        "unlock_after_row",
        "Rule 10: and until its row is gone, or the database does not answer and nothing more is written.",
        "files",
        {
            "both": (
                *at("engine/membership/worker.Worker._hand_all_back", "self._store.workers.leave(self.worker_id)"),
                *at(
                    "engine/membership/worker.Worker.leave",
                    "self.line.stop(seconds)",
                    "self.drop(keep_file=not self._has_left)",
                ),
            )
        },
    ),
    Guard(
        "old_lock_last",
        "Rule 10: a worker that joins again keeps the old file locked until then.",
        "files",
        {
            "both": (
                *at("engine/membership/worker.Worker.join", "if old_lock is not None: old_lock.release()"),
                *at(
                    "engine/claiming/claims.Claims._rejoin",
                    "self._store.workers.leave(self._worker.worker_id) self._worker.join()",
                ),
            )
        },
    ),
    Guard(
        "copies_alone",
        "SQLite below its fix: the WAL is copied under the write lock.",
        "checkpoints",
        {"sqlite": at("sqlite/checkpointing.Checkpointer._checkpoint", f"with {WRITING}: return self._copy()")},
    ),
)
