"""The same table for the slots that all workers share (rule 14)."""

from __future__ import annotations

from .guards import Guard, at

LIMITS: tuple[Guard, ...] = (
    Guard(
        "queue_lock",
        "Rule 14: the claims of a queue with limits come one after the other, and count in a later statement.",
        "limits",
        {
            "postgres": at(
                "postgres/perdure.pick_shared", "WHERE one.name = of_queue FOR NO KEY UPDATE; moment := perdure.now();"
            )
        },
    ),
    Guard(
        "ends_with_claim",
        "Rule 14: a slot is a row of a run that is held: whatever ends its claim frees it.",
        "limits",
        {
            "postgres": at("postgres/perdure.pick_shared", "queue = of_queue AND state = 'held'"),
            "sqlite": at("sqlite/choose_shared", "runs.queue = queues.name AND runs.state = 'held'"),
        },
    ),
    Guard(
        "askers_count",
        "Rule 14: nothing new takes the slot that one which goes on asks for, in whatever process.",
        "limits",
        {
            "postgres": at("postgres/perdure.pick_shared", "AND has_slot IS NOT NULL)::integer"),
            "sqlite": at("sqlite/choose_shared", "AND runs.has_slot IS NOT NULL)) AS free"),
        },
    ),
    Guard(
        "resumes_by_slots",
        "Rule 14: those that go on wait for slots, not for each other.",
        "limits",
        {
            "postgres": at("postgres/perdure.resume_slots", "queue = limits.name AND state = 'held' AND has_slot);"),
            "sqlite": at("sqlite/choose_shared", "AND other.has_slot)) AS free"),
        },
    ),
    Guard(
        "gives_back",
        "Rule 14: a run that waits gives its slot back in the database: parents and children in one queue finish.",
        "limits",
        {
            "both": (
                *at("engine/claiming/room.Room.yield_slot", "if gives: self._news.slot_given(run)"),
                *at("engine/claiming/claims.Claims.give_slot", "SlotGiven(run.run_id, run.claim)"),
            ),
            "postgres": at("postgres/perdure.write_given", "SET has_slot = NULL"),
            "sqlite": at("sqlite/write_given", "SET has_slot = NULL"),
        },
    ),
    Guard(
        "asking_is_given",
        "Rule 14: and its asking for one, when another branch of it waits.",
        "limits",
        {"both": at("engine/claiming/room.Room.yield_slot", "slots.is_shared and bool(had_slot or resumed)")},
    ),
    Guard(
        "asks_when_committed",
        "Rule 14: who asks again does so when the giving back is committed.",
        "limits",
        {"both": at("engine/claiming/slots.Slots.askers", "if run.claim not in self.giving")},
    ),
    Guard(
        "unwanted_goes_back",
        "Rule 14: what a claim gives to a run that waits by now goes back.",
        "limits",
        {
            "both": (
                *at("engine/claiming/slots.Slots.go_on", "elif run.state.uses_slots: unwanted.append(run)"),
                *at("engine/claiming/room.Room.receive", "for run in unwanted: self._news.slot_given(run)"),
            )
        },
    ),
    Guard(
        "answer_is_meant",
        "Rule 14: also when it asks again by now: the answer is for the asking before.",
        "limits",
        {
            "both": (
                *at("engine/claiming/slots.Slots.give", "self.asked.discard(run.claim)"),
                *at("engine/claiming/slots.Slots.go_on", "run.claim in wanting and run.claim in self.asked"),
            )
        },
    ),
    Guard(
        "asks_again",
        "Rule 14: who asked in vain asks again with the pulse, should nobody have told it.",
        "limits",
        {
            "both": at(
                "engine/claiming/room.Room.learn",
                "if slots.is_shared and slots.resuming: slots.has_backlog = is_to_ask = True",
            )
        },
    ),
    Guard(
        "given_joins",
        "Rules 2 and 14: a slot is given back under its claim; the second belt of `fence`.",
        "limits and a fence",
        {
            "postgres": at(
                "postgres/perdure.write_given", "run.claim = giver.claim AND run.worker = me AND run.state = 'held'"
            ),
            "sqlite": at("sqlite/write_given", "AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held'"),
        },
        without=("fence",),
    ),
    Guard(
        "marks_held",
        "Rule 14: what is held when a limit is set counts, whatever became of its slot before.",
        "a limit is set anew",
        {
            "postgres": (
                *at("postgres/perdure.count_held", "SET has_slot = true", "AND has_slot IS NOT TRUE"),
                *at("postgres/count_held", "AND coalesce(OLD.concurrency, OLD.key_concurrency) IS NULL)"),
            ),
            "sqlite": (
                *at("sqlite/count_held", "SET has_slot = 1", "AND has_slot IS NOT 1"),
                *at("sqlite/count_held", "AND coalesce(OLD.concurrency, OLD.key_concurrency) IS NULL BEGIN"),
            ),
        },
    ),
    Guard(
        "waiting_gives",
        "Rule 14: who waits then says so, once its worker knows.",
        "a limit is set",
        {
            "both": (
                *at("engine/claiming/room.Room.give_waiting", "if gives: self._news.slot_given(run)"),
                *at("engine/watching/pulse.Pulse.feel", "if run.queue in became_shared: self._room.give_waiting(run)"),
            )
        },
    ),
    Guard(
        "knows_each_change",
        "Rule 14: also when the limit was taken away and set again before its worker looked.",
        "a limit is set anew",
        {
            "both": at(
                "engine/claiming/room.Room.learn",
                "if slots.is_shared and changed_at != slots.changed_at: became.append(queue)",
            )
        },
    ),
    Guard(
        "moment_in_lock",
        "Rule 14: the moment of a claim is taken under its lock: moments and totals of a window grow together.",
        "a window of two",
        {
            "postgres": at("postgres/perdure.pick_shared", "FOR NO KEY UPDATE; moment := perdure.now();"),
            "sqlite": at("sqlite/take_runs", "NEW.last_attempts, NEW.claims, NEW.resuming, clock.now,"),
        },
    ),
    Guard(
        "same_moment",
        "Rule 14: `started_at` is the same moment as the window's row.",
        "a window",
        {"postgres": at("postgres/perdure.claim_runs", "coalesce(moment, perdure.now()), is_shared)")},
    ),
    Guard(
        "deaths_count",
        "Rule 14: a start after a death is a start.",
        "a window",
        {
            "postgres": (
                *at("postgres/perdure.note_starts", "OR last_state = 'held'"),
                *at("postgres/perdure.take_over", "last_state = CASE WHEN becomes = 'ready' THEN 'held'"),
            ),
            "sqlite": (
                *at("sqlite/choose_shared", "OR last_state IS 'held'"),
                *at("sqlite/take_over_runs", "last_state = 'held'"),
            ),
        },
    ),
    Guard(
        "stirs_ready",
        "Rule 14: whatever makes a run with a key ready stirs its key; `heals` is the second belt.",
        "keys with slots",
        {
            "postgres": (
                *at("postgres/stir_keys", "NEW.state = 'ready' AND NEW.due_at IS NULL AND (OLD.state <> 'ready'"),
                *at("postgres/perdure.stir_key", "INSERT INTO perdure.stirs (queue, key)"),
            ),
            "sqlite": (
                *at("sqlite/stir_keys", "NEW.state = 'ready' AND NEW.due_at IS NULL AND (OLD.state <> 'ready'"),
                *at("sqlite/stir_new_keys", "INSERT INTO stirs (queue, key)"),
            ),
        },
        without=("heals",),
    ),
    Guard(
        "stirs_ends",
        "Rule 14: so does whatever frees its slot; `heals` is the second belt.",
        "keys with slots",
        {
            store: at(
                f"{store}/stir_keys",
                "OLD.state = 'held' AND OLD.has_slot IS NOT NULL AND (NEW.state <> 'held' OR NEW.has_slot IS NULL)",
            )
            for store in ("postgres", "sqlite")
        },
        without=("heals",),
    ),
    Guard(
        "heals",
        "Rule 14: a key with ready runs that is in no line is stirred now and then; the second belt of `stirs_ready`.",
        "keys with slots",
        {
            "both": at("engine/parts.duties_of", "Duty(parts.limits.heal,"),
            "postgres": at("postgres/perdure.heal_keys", "INSERT INTO perdure.stirs (queue, key) SELECT of_queue, key"),
            "sqlite": at(
                "sqlite/queues.SqliteLimits.heal", "connection.change('stir_keys', [name, texts(keys), name])"
            ),
        },
        without=("stirs_ready",),
    ),
    Guard(
        "key_counts",
        "Rule 14: a key's slots are counted as the queue's are.",
        "keys with slots",
        {
            "postgres": at("postgres/perdure.keyed_candidates", "has_slot IS NOT NULL)::integer END AS by_slots"),
            "sqlite": at("sqlite/look_at_keys", "AND runs.state = 'held' AND runs.has_slot IS NOT NULL), 1000000)"),
        },
    ),
    Guard(
        "keys_wake",
        "Rule 14: a key that has used its window is in line again when that opens.",
        "keys with a rate",
        {
            "postgres": at("postgres/perdure.keyed_candidates", "UPDATE perdure.turns SET wakes_at = NULL, turn ="),
            "sqlite": at("sqlite/choose_by_key", "UPDATE turns SET wakes_at = NULL"),
        },
    ),
    Guard(
        "end_of_line",
        "Rule 14: a key that was served goes to the end of the line.",
        "keys",
        {
            "postgres": at(
                "postgres/perdure.keyed_candidates", "UPDATE perdure.turns SET turn = nextval('perdure.turns_given'),"
            ),
            "sqlite": at(
                "sqlite/look_at_keys",
                "SELECT (SELECT queue FROM asked), key FROM looked WHERE has_more AND by_slots > 0 AND by_window > 0",
            ),
        },
    ),
    Guard(
        "keyless_takes_turns",
        "Rule 14: runs without a key are one key more in that line.",
        "keys",
        {
            "postgres": at("postgres/perdure.share_without_key", "IF most = 1 AND others > 0 AND"),
            "sqlite": at("sqlite/choose_by_key", "WHEN room = 1 AND keyless_turn > first_turn THEN 0"),
        },
    ),
)
