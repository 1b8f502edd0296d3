"""The same table for the mailbox: what tells a run, and what brings it there."""

from __future__ import annotations

from .guards import Guard, at

TOLD: tuple[Guard, ...] = (
    Guard(
        "park_tells",
        "Rule 13: every park tells its own run: what it waits for may have come while it was held.",
        "mailbox",
        {
            "postgres": at("postgres/perdure.write_parked", "INSERT INTO perdure.wakes (run_id) SELECT id FROM parked"),
            "sqlite": at("sqlite/write_parked", "INSERT INTO wakes (run_id) SELECT json_extract(value, '$.run_id')"),
        },
    ),
    Guard(
        "tells_unseen",
        "Rule 13: a child's end tells its parent whatever it sees of that, unless the same worker holds it.",
        "mailbox",
        {
            "postgres": (
                *at(
                    "postgres/perdure.tell_runs",
                    "run.finished_at IS NULL AND (me IS NULL OR run.worker IS DISTINCT FROM me)",
                ),
                *at("postgres/perdure.write_finished", "PERFORM perdure.tell_runs(parents, me)"),
            ),
        },
    ),
    Guard(
        "goes_on",
        "Rule 13: what is told to a held run goes on to its worker.",
        "mailbox of busy runs",
        {
            "postgres": at(
                "postgres/perdure.read_wakes",
                "SET worker = (SELECT run.worker FROM perdure.runs AS run WHERE run.id = wakes.run_id)",
            ),
            "sqlite": at(
                "sqlite/read_wakes",
                "UPDATE wakes SET worker = (SELECT runs.worker FROM runs WHERE runs.id = wakes.run_id)",
            ),
        },
    ),
    Guard(
        "locked_keeps",
        "Rule 13: whose row somebody has locked keeps what it was told.",
        "mailbox of busy runs",
        {
            "postgres": at(
                "postgres/perdure.read_wakes",
                "WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
                "AND (run_id = ANY (free) OR NOT EXISTS",
            ),
        },
    ),
    Guard(
        "awaited_is_locked",
        "Rule 13: a run that waits for one which ends just now keeps its row: that one may have looked before.",
        "mailbox of others",
        {
            "postgres": at(
                "postgres/perdure.read_wakes",
                "WHERE id = ANY (awaited) ORDER BY id FOR SHARE SKIP LOCKED",
                "AND (kept IS NULL OR run_id <> ALL (kept))",
            ),
        },
    ),
    Guard(
        "cancel_addresses",
        "Rule 13: who addresses a row reads who holds the run under a lock, of the run or of that worker.",
        "mailbox",
        {
            "postgres": (
                *at("postgres/cancel_runs", "SELECT id, worker FROM perdure.runs", "FOR SHARE"),
                *at("postgres/perdure.tell_runs", "WHERE worker.id = run.worker FOR KEY SHARE SKIP LOCKED"),
            ),
        },
    ),
    Guard(
        "cancel_tells",
        "Rule 13: a cancel tells its run, by whichever way it comes.",
        "mailbox of cancels",
        {
            "postgres": (
                *at(
                    "postgres/cancel_runs",
                    "INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM target",
                ),
                *at(
                    "postgres/perdure.pass_cancel_on",
                    "INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM child",
                ),
            ),
            "sqlite": at("sqlite/tell_cancels", "INSERT INTO wakes (run_id, worker) SELECT id, worker FROM runs"),
        },
    ),
    Guard(
        "told_again",
        "Rule 13: a cancel is told until the run has ended, since its worker may not know the run yet.",
        "mailbox of cancels",
        {
            "both": at(
                "engine/watching/mailbox.Mailbox.read",
                "if one.is_cancelled: self._told.cancelled([one.run_id]) elif one.is_paused:",
            )
        },
    ),
    Guard(
        "mail_returns",
        "Rule 13: what was told to a worker that is gone is for anybody.",
        "mailbox",
        {
            "postgres": (
                *at("postgres/perdure.take_over", "UPDATE perdure.wakes SET worker = NULL WHERE worker = victim"),
                *at("postgres/perdure.leave", "UPDATE perdure.wakes SET worker = NULL WHERE worker = me"),
            ),
            "sqlite": (
                *at("sqlite/claims.put_back_all", "connection.change('return_wakes', [worker_id, ''])"),
                *at("sqlite/workers.SqliteWorkers.leave", "connection.change('return_wakes', [worker_id, ''])"),
            ),
        },
    ),
)
