"""The same table for pauses (rule 13)."""

from __future__ import annotations

from .guards import Guard, at

PAUSING: tuple[Guard, ...] = (
    Guard(
        "pause_tells",
        "Rule 13: a pause is told to the run, or to who holds it.",
        "pausing",
        {
            "postgres": at(
                "postgres/perdure.pause_runs",
                "INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM perdure.runs WHERE id = ANY (asked)",
            ),
            "sqlite": at("sqlite/tell_cancels", "WHEN NEW.kind <> 'message'"),
        },
    ),
    Guard(
        "resume_tells",
        "Rule 13: that a pause is over, too.",
        "pausing",
        {
            "postgres": at(
                "postgres/perdure.resume_runs",
                "INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM perdure.runs WHERE id = ANY (asked)",
            ),
            "sqlite": at("sqlite/steering.SqliteSteering.resume", "connection.change('tell_steered', [texts(asked)])"),
        },
    ),
    Guard(
        "heeds_pauses",
        "Rule 13: what nobody holds and somebody has paused is stopped, by data.",
        "pausing",
        {
            "postgres": at("postgres/perdure.heed_pauses", "SET state = 'parked', stopped = 'paused'"),
            "sqlite": at("sqlite/read_wakes", "SET state = 'parked', stopped = 'paused'"),
        },
    ),
    Guard(
        "heeds_resumes",
        "Rule 13: what is stopped by a pause that is over goes on, by data.",
        "pausing",
        {
            "postgres": at("postgres/perdure.heed_pauses", "WHERE run.id = ANY (told) AND run.stopped = 'paused'"),
            "sqlite": at("sqlite/read_wakes", "AND stopped = 'paused'"),
        },
    ),
    Guard(
        "paused_park_tells",
        "Rule 13: a run that its holder parks for a pause tells itself: the pause may be over.",
        "pausing",
        {
            "postgres": at("postgres/perdure.write_parked", "OR stopped = 'paused'"),
            "sqlite": at("sqlite/write_parked", "OR json_extract(value, '$.stopped') = 'paused'"),
        },
    ),
    Guard(
        "told_until_stopped",
        "Rule 13: a pause is told until the run is in nobody's hands, since it may be let go of in another way.",
        "pausing",
        {
            "both": at(
                "engine/watching/mailbox.Mailbox.read",
                "elif one.is_paused: self._told.paused([one.run_id]) elif",
            )
        },
    ),
)
