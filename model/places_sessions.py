"""The same table for the lock of a worker's session (rules 10 and 12); SQLite's workers are seen by their files."""

from __future__ import annotations

from .guards import Guard, at

SESSIONS: tuple[Guard, ...] = (
    Guard(
        "watches_it_free",
        "Rule 10: a lock that is free must be free again after a grace: its worker may just be taking it anew.",
        "a session's lock",
        {
            "postgres": (
                *at("engine/membership/witness.LockWitness.look", "if seconds >= self._patience(worker_id)"),
                *at("engine/membership/witness.LockWitness._patience", "GRACE_SECONDS if"),
            )
        },
    ),
    Guard(
        "unseen_for_longer",
        "Rule 10: one that was never seen held, for longer than a living worker needs after an outage.",
        "a session's lock",
        {"postgres": at("engine/membership/witness.LockWitness._patience", "else UNSEEN_SECONDS")},
    ),
    Guard(
        "forgets_with_session",
        "Rule 10: what another session has seen is forgotten: it broke, and so may all others have.",
        "a session's lock",
        {
            "postgres": at(
                "engine/membership/witness.LockWitness.look",
                "if locks.session != self._session: self._session = locks.session self._were_held.clear()",
            )
        },
    ),
    Guard(
        "looks_where_noted",
        "Rule 10: only a lock that was noted is looked at; behind a pooler there is none.",
        "a pooler",
        {
            "postgres": (
                *at("postgres/look_at_locks", "WHERE has_lock"),
                *at("postgres/session.PostgresSession.hold", "is_taken and (not self._is_pooled(line, worker_id))"),
            )
        },
    ),
    Guard(
        "ends_sessions",
        "Rule 12: a dead worker's sessions are ended before it is taken over; the second belt of `session_timeout`.",
        "a session's lock",
        {
            "postgres": (
                *at("postgres/perdure.end_sessions", "PERFORM pg_terminate_backend(activity.pid)"),
                *at(
                    "postgres/workers.PostgresWorkers.take_over",
                    "self._database.turn.query('end_sessions', parameters)",
                ),
            )
        },
        without=("session_timeout",),
    ),
)
