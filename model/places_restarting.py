"""The same table for new starts, forks and deletions (rule 15)."""

from __future__ import annotations

from .guards import Guard, at

WRITING = "with self._database.steering.writing() as connection:"

RESTARTING: tuple[Guard, ...] = (
    Guard(
        "restart_locks",
        "Rule 15: a plan is looked at and done in one transaction that has the runs locked.",
        "new starts",
        {
            "postgres": at("postgres/perdure.restart_runs", "ORDER BY id FOR NO KEY UPDATE;"),
            "sqlite": at("sqlite/steering.SqliteSteering.restart", WRITING),
        },
    ),
    Guard(
        "not_held",
        "Rule 15: a run that somebody holds is not started anew.",
        "new starts",
        {
            "postgres": at("postgres/perdure.restart_runs", "run.state = 'held' OR"),
            "sqlite": at("sqlite/steering.still_holds", "!= 'held'"),
        },
    ),
    Guard(
        "plan_state",
        "Rule 15: a new start is done only if the run is in the state that was read.",
        "new starts",
        {
            "postgres": at("postgres/perdure.restart_runs", "run.state <> plan.state"),
            "sqlite": at("sqlite/steering.still_holds", "past.state == plan.state"),
        },
    ),
    Guard(
        "plan_life",
        "Rule 15: and in the life that was read: of two plans one is done.",
        "new starts",
        {
            "postgres": at("postgres/perdure.restart_runs", "run.incarnation <> plan.incarnation"),
            "sqlite": at("sqlite/steering.still_holds", "past.incarnation == plan.incarnation"),
        },
    ),
    Guard(
        "plan_records",
        "Rule 15: and has recorded nothing since.",
        "new starts",
        {
            "postgres": at("postgres/perdure.restart_runs", "WHERE run_id = run.id), 0) <> plan.last_seq"),
            "sqlite": at("sqlite/steering.still_holds", "(last_seq or 0) == plan.last_seq"),
        },
    ),
    Guard(
        "open_parent",
        "Rule 15: a child is not started anew while the run goes on that made it.",
        "new starts of a child",
        {
            "postgres": at("postgres/perdure.restart_runs", "AND parent.finished_at IS NULL OFFSET 0))"),
            "sqlite": at("sqlite/steering.still_holds", "(not past.has_open_parent or past.parent_id in together)"),
        },
    ),
    Guard(
        "next_life",
        "Rule 15: a new start is the next life, of which the ids of its children are made.",
        "new starts",
        {
            "both": at("engine/claiming/fresh_runs.claimed_run", "run.incarnation = claimed.incarnation"),
            "postgres": at("postgres/perdure.restart_runs", "incarnation = incarnation + 1"),
            "sqlite": at("sqlite/begin_anew", "incarnation = incarnation + 1"),
        },
    ),
    Guard(
        "cuts_children",
        "Rule 15: the children of calls that are cut are cancelled in the same transaction.",
        "new starts",
        {
            "postgres": at(
                "postgres/perdure.restart_runs", "INSERT INTO perdure.messages (run_id, kind) SELECT unnest(dropped)"
            ),
            "sqlite": at("sqlite/steering.begin_anew", "connection.query('cancel_runs', [texts(plan.cancelled)])"),
        },
    ),
    Guard(
        "forgets_cancel",
        "Rule 15: who asked for the end of a former life asked for no other.",
        "new starts",
        {
            "postgres": at(
                "postgres/perdure.restart_runs",
                "DELETE FROM perdure.messages WHERE run_id = ANY (ids) AND kind = 'cancel'",
            ),
            "sqlite": (
                *at("sqlite/steering.begin_anew", "'forget_cancel'"),
                *at("sqlite/forget_cancel", "DELETE FROM messages WHERE run_id = :run_id AND kind = 'cancel'"),
            ),
        },
    ),
    Guard(
        "forgets_output",
        "Rule 15: nor has it given what that one gave.",
        "new starts",
        {
            "postgres": at("postgres/perdure.restart_runs", "DELETE FROM perdure.outputs WHERE run_id = ANY (ids)"),
            "sqlite": (
                *at("sqlite/steering.begin_anew", "'forget_output'"),
                *at("sqlite/forget_output", "DELETE FROM outputs WHERE run_id = :run_id"),
            ),
        },
    ),
    Guard(
        "delete_ended",
        "Rule 15: a run is deleted when all of its family has ended.",
        "new starts",
        {
            "postgres": at(
                "postgres/perdure.delete_runs",
                "FROM perdure.runs WHERE id = ANY (family) AND finished_at IS NULL)",
            ),
            "sqlite": at("sqlite/steering.SqliteSteering.delete", "all((has_ended for _, _, has_ended in family))"),
        },
    ),
    Guard(
        "delete_locks",
        "Rule 15: and locked, before that is looked at.",
        "new starts",
        {
            "postgres": at("postgres/perdure.delete_runs", "WHERE id = ANY (family) ORDER BY id FOR UPDATE;"),
            "sqlite": at("sqlite/steering.SqliteSteering.delete", WRITING),
        },
    ),
    Guard(
        "fork_whole",
        "Rule 15: a fork has all that was planned, or is not made.",
        "new starts",
        {
            "postgres": at("postgres/perdure.fork_run", "IF copied <> json_array_length(plan -> 'kept') THEN"),
            "sqlite": at("sqlite/steering.SqliteSteering.fork", "if change('fork_records') != len(plan.kept):"),
        },
    ),
    Guard(
        "fork_locks",
        "Rule 15: and is made in one transaction that has the other run locked.",
        "new starts",
        {
            "postgres": at("postgres/perdure.fork_run", "PERFORM 1 FROM perdure.runs WHERE id = origin FOR SHARE;"),
            "sqlite": at("sqlite/steering.SqliteSteering.fork", WRITING),
        },
    ),
)
