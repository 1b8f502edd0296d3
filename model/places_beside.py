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
            "postgres": at("postgres/perdure.woken_runs", "child.finished_at IS NOT NULL) > children_seen"),
            "sqlite": at("sqlite/woken_runs", "child.finished_at IS NOT NULL) > children_seen"),
        },
    ),
    Guard(
        "seen_is_not_awaited",
        "Rule 7: a park has not seen the ends that a branch still waits for.",
        "family",
        {"both": at("engine/host.Host.parking", "seen = run.children.ended.difference(waits.runs)", "len(seen)")},
    ),
    Guard(
        "last_alone",
        "Rule 11: the last attempt is claimed alone.",
        "solitude",
        {
            "both": at("engine/dispatcher.Dispatcher._begin_to_ask", "if self._alone is not None"),
            "postgres": at("postgres/perdure.claim_runs", "alone = CASE WHEN run.attempts = 0"),
            "sqlite": at("sqlite/take_runs", "NEW.alone = iif(attempts = 0 OR attempts < max_attempts - 1, 0,"),
        },
    ),
    Guard(
        "waits_parked",
        "Rule 11: and waits for others parked, not held beside them.",
        "solitude",
        {"both": at("engine/runtime.Runtime.park_after", "if run.is_last_attempt: return 0.0")},
    ),
    Guard(
        "waits_without_slot",
        "Who waits durably gives its slot back: nested submits to one queue cannot deadlock.",
        "slots",
        {
            "both": (
                *at("engine/thread_host.ThreadHost._wait_durably", "dispatcher.yield_slot(run)"),
                *at("engine/loop_host.LoopHost._wait_durably", "dispatcher.yield_slot(run)"),
            )
        },
    ),
    Guard(
        "waiting_grants",
        "A run of which a branch waits durably takes no slot, also where another branch had asked for one.",
        "slots",
        {"both": at("engine/dispatcher.Dispatcher.yield_slot", "resumed = self._slots[run.queue].take_asking(run)")},
    ),
    Guard(
        "one_slot_per_run",
        "One slot lets all branches of a run go on that have asked.",
        "slots",
        {"both": at("engine/slots.Slots.resume", "resumed += self.take_asking(run)")},
    ),
    Guard(
        "one_turn_at_a_time",
        "A delivery is handed in before the next one gets its position.",
        "order",
        {
            "both": (
                *at("engine/thread_turns.ThreadTurns.turn", "if state.recording is not None: state.changed.wait()"),
                *at("engine/gate.Gate.look", "if self._granted is not None: return True"),
                *at("engine/gate.Gate.look", "if not is_at_rest and"),
            )
        },
    ),
    Guard(
        "replays_in_order",
        "A replay delivers what is recorded in its order, and the rest behind it.",
        "order",
        {
            "both": (
                *at("engine/thread_turns.ThreadTurns.turn", "state.turns[0] is entry and order.is_due(key)"),
                *at("engine/gate.Gate._hand_over", "not self.run.order.is_due(key)"),
                *at("engine/gate.Gate._hand_over_cancelled", "order.is_due(key)"),
            )
        },
    ),
    Guard(
        "lock_before_row",
        "Rule 10: a worker's file is locked before its row can be seen.",
        "files",
        {
            "both": at(
                "engine/worker.Worker.join",
                "_lock_file(lock_path(self._store.lock_directory, worker_id)) try: self._store.join(",
            )
        },
    ),
    Guard(
        "unlock_after_row",
        "Rule 10: and until its row is gone, or the database does not answer and nothing more is written.",
        "files",
        {
            "both": (
                *at("engine/worker.Worker._hand_all_back", "self._store.leave(self.worker_id)"),
                *at(
                    "engine/worker.Worker.leave",
                    "self._thread.join(seconds)",
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
                *at("engine/worker.Worker.join", "if old_lock is not None: old_lock.release()"),
                *at(
                    "engine/claims.Claims._rejoin",
                    "runtime.store.leave(runtime.worker.worker_id) runtime.worker.join()",
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
