"""The table of the core: each guard, why it is there, where it stands, and the scenario that breaks without it."""

from __future__ import annotations

from .guards import Fragment, Guard, at

WRITING = "self._database.turn.writing()"
RECORDED = "SELECT RAISE(ABORT, 'a run that records is not held') WHERE changes() <> json_array_length(NEW.entries)"


def at_ends(held: str) -> tuple[Fragment, ...]:
    """On SQLite, where claims end: which rows are updated, and that it is as many as there are entries."""
    counted = "SELECT RAISE(ABORT, '{} is not held') WHERE changes() <> json_array_length(NEW.entries)"
    ends = (("a run that ends", "finished"), ("a run that parks", "parked"), ("a run that is let go of", "released"))
    return tuple(
        fragment for what, kind in ends for fragment in at(f"sqlite/write_{kind}", f"{held}; {counted.format(what)}")
    )


def at_endings(*texts: str) -> tuple[Fragment, ...]:
    """On Postgres, where claims end."""
    kinds = ("finished", "parked", "released")
    return tuple(fragment for kind in kinds for fragment in at(f"postgres/perdure.write_{kind}", *texts))


CORE: tuple[Guard, ...] = (
    Guard(
        "fence",
        "Rule 1: a batch is written only by a worker with a row.",
        "failover",
        {
            "postgres": (
                *at("postgres/perdure.demand", "IF NOT perdure.fence(me, expected) THEN"),
                *at("postgres/batches.statements_of", "return [fence, "),
                *at("postgres/batches.apply_in_order", "if not has_right: return None"),
            ),
            "sqlite": (
                *at("sqlite/fence_sections", "WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id)"),
                *at("sqlite/batches.write", "('fence', worker_id, None)"),
                *at("sqlite/record_lone_checkpoint", "FROM workers WHERE workers.id = runs.worker"),
                *at("sqlite/store.SqliteStore._commit", "check_fence(connection, worker_id)"),
                *at("sqlite/batches.check_fence", "raise Fenced"),
                *at("sqlite/fence", "FROM workers WHERE id = :worker_id"),
            ),
        },
    ),
    Guard(
        "lock",
        "Rule 1: a takeover waits for, or passes by, a worker that is just writing.",
        "core",
        {
            "postgres": (
                *at("postgres/perdure.fence", "FOR KEY SHARE"),
                *at("postgres/perdure.take_over", "FOR UPDATE SKIP LOCKED"),
            ),
            "sqlite": (
                *at("sqlite/begin", "BEGIN IMMEDIATE"),
                *at("sqlite/store.SqliteStore._commit", WRITING),
                *at("sqlite/workers.SqliteWorkers.take_over", WRITING),
            ),
        },
    ),
    Guard(
        "claim_join",
        "Rule 2: a write finds its run by the claim under which it was made.",
        "back",
        {
            "postgres": (
                *at("postgres/perdure.write_recorded", "run.claim = entry.claim"),
                *at_endings("id = entry.run_id AND claim = entry.claim AND worker = me"),
            ),
            "sqlite": (
                *at("sqlite/write_recorded", "runs.claim = json_extract(entry, '$.claim')"),
                *at("sqlite/record_lone_checkpoint", "runs.claim = :claim"),
                *at_ends("AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held'"),
            ),
        },
    ),
    Guard(
        "worker_join",
        "Rule 2: and by the worker, since a failover brings old claims back.",
        "failover+",
        {
            "postgres": (
                *at("postgres/perdure.write_recorded", "run.worker = me"),
                *at_endings("claim = entry.claim AND worker = me AND state = 'held'"),
            ),
            "sqlite": (
                *at("sqlite/write_recorded", f"runs.worker = NEW.worker_id AND runs.state = 'held'; {RECORDED}"),
                *at("sqlite/record_lone_checkpoint", "runs.worker = :worker_id"),
                *at_ends("AND +worker IS NEW.worker_id AND state = 'held'"),
            ),
        },
    ),
    Guard(
        "state_join",
        "Rule 2: and only while it is held; the second belt of `clears_claim`.",
        "back",
        {
            "postgres": (
                *at("postgres/perdure.write_recorded", "run.state = 'held'"),
                *at_endings("worker = me AND state = 'held'"),
            ),
            "sqlite": (
                *at("sqlite/write_recorded", f"runs.state = 'held'; {RECORDED}"),
                *at("sqlite/record_lone_checkpoint", "runs.state = 'held'"),
                *at_ends("AND state = 'held'"),
            ),
        },
        without=("clears_claim",),
    ),
    Guard(
        "clears_claim",
        "Rule 2: every end of a claim forgets claim and worker; the second belt of `state_join`.",
        "back",
        {
            "postgres": tuple(
                fragment
                for name in ("write_finished", "write_parked", "write_released", "reconcile", "leave", "take_over")
                for fragment in at(f"postgres/perdure.{name}", "worker = NULL, claim = NULL")
            ),
            "sqlite": (
                *at("sqlite/write_finished", "finished_by = claim, worker = NULL, claim = NULL"),
                *at("sqlite/write_parked", "SET state = 'parked', worker = NULL, claim = NULL"),
                *at("sqlite/write_released", "SET state = 'ready', worker = NULL, claim = NULL"),
                *(
                    fragment
                    for name in ("hand_back", "take_over", "take_over_dead", "take_over_cancelled")
                    for fragment in at(f"sqlite/{name}_runs", "worker = NULL, claim = NULL")
                ),
            ),
        },
        without=("state_join",),
    ),
    Guard(
        "claim_fence",
        "Rules 1 and 4: a claim, too.",
        "reply",
        {
            "postgres": at("postgres/perdure.claim_runs", "IF NOT perdure.fence(me, expected) THEN"),
            "sqlite": at("sqlite/take_runs", "WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id)"),
        },
    ),
    Guard(
        "fenced_claim_rejoins",
        "Rule 1: after a failover the heartbeat sees nothing; who only claims must join again, too.",
        "failover",
        {
            "both": (
                *at("engine/claiming/dispatcher.Dispatcher._ask", "except Fenced: self._claims.lost_right(worker_id)"),
                *at("engine/claiming/claims.Claims.reconcile", "except Fenced: self.lost_right(worker_id)"),
            )
        },
    ),
    Guard(
        "reconcile",
        "Rule 5: a claim whose reply was lost is handed back.",
        "reply",
        {
            "both": at(
                "engine/parts.duties_of",
                "Duty(parts.claims.reconcile,",
                "is_called=lambda: parts.claims.is_unknown)",
            ),
            "postgres": at("postgres/perdure.reconcile", "WHERE worker = me AND id NOT IN (SELECT unnest(known))"),
            "sqlite": at("sqlite/hand_back_runs", "id NOT IN (SELECT value FROM json_each(:known))"),
        },
    ),
    Guard(
        "reconciles_again",
        "Rule 5: until the database has answered, and nothing hides behind a thread that is still leaving.",
        "again",
        {
            "both": at(
                "engine/claiming/claims.Claims.reconcile",
                "is_hidden = any((run.interruption is not None for run in active))",
                "self.is_unknown = is_hidden or self._journal.is_unsure",
                "except BaseException: self.is_unknown = True raise",
            )
        },
    ),
    Guard(
        "timeline",
        "Rule 1: a failover that lost the log's tail ends every worker's right.",
        "failover",
        {
            "postgres": at(
                "postgres/perdure.fence",
                "(worker.timeline IS NULL OR worker.timeline = perdure.current_timeline())",
                "writes IN (expected, expected + 1)",
            )
        },
    ),
    Guard(
        "poison",
        "Rule 6: a refused entry refuses the later ones of its claim.",
        "entry",
        {
            "both": at("stores/verdicts.judge", "situation.refused.get(claim) if claim is not None else None"),
        },
    ),
    Guard(
        "refused_step_parks",
        "A checkpoint that cannot be kept parks its run; else it stays held by nobody's thread.",
        "entry",
        {"both": at("engine/claiming/claims.Claims.lose", "stopped='mend', reason=reason)")},
    ),
    Guard(
        "refused_finish_parks",
        "So does a result that cannot be kept, when the run has ended in memory.",
        "entry",
        {"both": at("engine/claiming/claims.Claims.lose", "if is_refused and run.interrupt('refused')")},
    ),
    Guard(
        "refund",
        "Rule 11: park, release and reconciling give the attempt back.",
        "sleep",
        {
            "postgres": (
                *at("postgres/perdure.write_parked", "attempts = greatest(run.attempts - 1, 0)"),
                *at("postgres/perdure.write_released", "ELSE greatest(run.attempts - 1, 0) END"),
                *at("postgres/perdure.reconcile", "attempts = greatest(attempts - 1, 0)"),
                *at("postgres/perdure.leave", "attempts = greatest(attempts - 1, 0)"),
            ),
            "sqlite": (
                *at("sqlite/write_parked", "attempts = max(attempts - 1, 0)"),
                *at(
                    "sqlite/write_released", "attempts = max(attempts - iif(json_extract(entry, '$.charged'), 0, 1), 0)"
                ),
                *at("sqlite/hand_back_runs", "attempts = max(attempts - 1, 0)"),
            ),
        },
    ),
    Guard(
        "charge",
        "Rule 11: a claim charges the attempt.",
        "crashes",
        {
            "postgres": at("postgres/perdure.take", "ELSE run.attempts + 1 END"),
            "sqlite": at("sqlite/take_runs", "iif(steps > progress_mark, 1, attempts + 1)"),
        },
    ),
    Guard(
        "attempt_limit",
        "Rule 11: at the limit a takeover ends the run as dead.",
        "crashes",
        {
            "postgres": at("postgres/perdure.take_over", "WHEN attempts >= max_attempts AND"),
            "sqlite": (
                *at("sqlite/take_over_dead_runs", "attempts >= max_attempts"),
                *at("sqlite/claims.put_back_all", "'take_over_dead_runs'"),
            ),
        },
    ),
    Guard(
        "two_statements",
        "Rule 3: the runs are looked up after the victim's row is locked.",
        "reply",
        {
            "postgres": at(
                "postgres/perdure.take_over", "RETURNING id INTO gone; IF gone IS NULL THEN RETURN NULL; END IF;"
            ),
            "sqlite": at("sqlite/workers.SqliteWorkers.take_over", WRITING),
        },
    ),
    Guard(
        "put_back",
        "Rule 3: the victim's runs go back.",
        "core",
        {
            "postgres": at("postgres/perdure.take_over", "UPDATE perdure.runs AS run SET state = becomes"),
            "sqlite": at("sqlite/claims.put_back_all", "'take_over_runs'"),
        },
    ),
    Guard(
        "finish_reads_cancel",
        "Rule 8: an acknowledged cancel decides how a run ends.",
        "cancel",
        {
            "both": at(
                "stores/verdicts._decided",
                "if is_cancelled and isinstance(entry, RunFinished | RunContinued): "
                "return RunFinished(entry.run_id, entry.claim, 'cancelled', None,",
            ),
            "postgres": at("postgres/perdure.write_finished", "IF FOUND THEN RAISE EXCEPTION 'a cancel decides' USING"),
            "sqlite": at(
                "sqlite/write_finished", "SELECT RAISE(ABORT, 'a cancel decides') FROM json_each(NEW.entries) AS entry"
            ),
        },
    ),
    Guard(
        "cancel_locks",
        "Rule 8: a cancel waits for a finish that has looked for it already.",
        "cancel",
        {
            "postgres": (
                *at("postgres/cancel_runs", "FOR SHARE"),
                *at("postgres/perdure.lock_held", "FOR NO KEY UPDATE"),
                *at("postgres/perdure.write_finished", "PERFORM perdure.lock_held(me, entries); PERFORM 1"),
                *at("postgres/lock_runs", "FOR NO KEY UPDATE"),
                *at("stores/verdicts.apply_what_is_new", "ask('lock_runs', "),
            ),
            "sqlite": at("sqlite/begin", "BEGIN IMMEDIATE"),
        },
    ),
    Guard(
        "first_write",
        "Rule 6: a checkpoint that is sent again changes nothing and is no error.",
        "reply",
        {
            "both": at(
                "stores/recorded.judge_recorded", "if trace == (entry.claim, entry.entry_id): return Accepted()"
            ),
            "postgres": (
                *at("postgres/perdure.write_recorded", "ON CONFLICT (run_id, key) DO NOTHING"),
                *at("postgres/store.PostgresStore.apply", "suppress(NotNew):"),
            ),
            "sqlite": at("sqlite/batches.apply_whole", "suppress(StoreRefusedError):"),
        },
    ),
    Guard(
        "wake",
        "Rule 7: every claim first wakes what is due.",
        "sleep",
        {
            "postgres": at("postgres/perdure.claim_runs", "has_woken := perdure.wake_due(queues, names)"),
            "sqlite": at("sqlite/take_runs", "WHERE seq IN (SELECT seq FROM due)"),
        },
    ),
    Guard(
        "sweep_cancel",
        "Rule 8: a cancelled run that nobody holds is ended by anybody.",
        "slept",
        {
            "both": at("engine/parts.duties_of", "Duty(parts.cancels.sweep, every="),
            "postgres": at("postgres/perdure.sweep_cancelled", "runs.state IN ('ready', 'parked')"),
            "sqlite": at("sqlite/sweepable_runs", "state IN ('ready', 'parked')"),
        },
    ),
    Guard(
        "leaving_ends_claim",
        "A run that leaves memory, wherever it was interrupted, ends its claim; else nobody ever does.",
        "cancel",
        {
            "both": (
                *at("engine/hosting/execution.Execution.leave", "self._claims.let_go(run)"),
                *at("engine/claiming/claims.Claims.let_go", "self.append(run, entry, lambda verdict: None)"),
            )
        },
    ),
    Guard(
        "session_timeout",
        "Rule 12: the server ends the transaction of a process that was stopped inside it.",
        "freeze",
        {
            "postgres": (
                *at("postgres/prepare_session", "'idle_in_transaction_session_timeout', '5s'"),
                *at("postgres/perdure.fence", "PERFORM perdure.check_session();"),
                *at("postgres/perdure.check_session", "current_setting('idle_in_transaction_session_timeout') <> '5s'"),
            )
        },
    ),
)
