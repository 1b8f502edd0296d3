"""`Steering` on SQLite: each operation a transaction that has the write lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from ..._steering import AuditRow, By, Deleted, Fork, ForkVerdict, Past, Record, Restart, Undoer
from ...typing import RunId
from ..pasts import child_of, past_of, record_of
from .connections import Connection, Database
from .rows import in_order, texts

UNBOUNDED: Final = -1
"""As `LIMIT` has it: a family is deleted whole."""


class SqliteSteering:
    """See `stores.steering`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancel(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        with self._database.steering.writing() as connection:
            asked = [run_id for (run_id,) in connection.query("cancel_runs", [texts(run_ids)])]
            note_steered(connection, "cancel", asked, by)
        return asked

    def pause(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        with self._database.steering.writing() as connection:
            asked = ids_of(connection, "unfinished_among", run_ids)
            connection.change("ask_for_pauses", [texts(asked)])
            _steered(connection, "pause", asked, by)
        return asked

    def resume(self, run_ids: Sequence[RunId], by: By) -> list[RunId]:
        with self._database.steering.writing() as connection:
            asked = ids_of(connection, "stopped_among", run_ids)
            connection.change("end_pauses", [texts(asked)])
            connection.change("go_on_trying", [texts(asked)])
            connection.change("tell_steered", [texts(asked)])
            _steered(connection, "resume", asked, by)
        return asked

    def past(self, run_id: RunId) -> Past | None:
        with self._database.spare().reading() as connection:
            for row in connection.rows("past_run", [run_id]):
                records = sorted(
                    (record_of(record) for record in connection.rows("past_records", [run_id])), key=by_seq
                )
                children = [child_of(child) for child in in_order(connection.rows("past_children", [run_id]))]
                return past_of(row, records, children)
        return None

    def undoer(self, run_id: RunId) -> Undoer | None:
        with self._database.spare().alone() as connection:
            return undoer_of(connection, run_id)

    def restart(self, plans: Sequence[Restart], action: str, by: By) -> bool:
        together = {plan.run_id for plan in plans}
        with self._database.steering.writing() as connection:
            if not all(still_holds(connection, plan, together) for plan in plans):
                return False
            for plan in plans:
                begin_anew(connection, plan)
                note_steered(connection, action, [plan.run_id], By(by.who, plan.detail))
            connection.change("tell_steered", [texts(together)])
        return True

    def fork(self, plan: Fork, by: By) -> ForkVerdict:
        with self._database.steering.writing() as connection:
            if not connection.rows("past_run", [plan.run_id]):
                return "gone"
            stored = (None, None) if plan.input is None else (plan.input.codec, plan.input.text)
            row: dict[str, object] = {
                "fork_id": plan.fork_id,
                "run_id": plan.run_id,
                "codec": stored[0],
                "body": stored[1],
            }
            row |= {"name": plan.name, "max_attempts": plan.max_attempts, "fingerprint": plan.fingerprint}
            row |= {"kept": texts(plan.kept), "order": json.dumps(plan.order), "since": plan.since}

            def change(statement: str) -> int:
                return connection.change(statement, connection.arranged(statement, row))

            if change("fork_row") != 1:
                return "taken"
            change("fork_input")
            if change("fork_records") != len(plan.kept):
                connection.change("remove_runs", [texts([plan.fork_id])])
                return "gone"
            change("fork_streams")
            change("fork_attributes")
            connection.change("tell_steered", [texts([plan.fork_id])])
            why = "" if by.detail is None else f"; {by.detail}"
            note_steered(connection, "fork", [plan.run_id], By(by.who, f"into {plan.fork_id}{why}"))
            note_steered(connection, "forked", [plan.fork_id], By(by.who, f"from {plan.run_id}"))
        return "made"

    def delete(self, run_ids: Sequence[RunId], by: By) -> Deleted:
        deleted, total = list[RunId](), 0
        with self._database.steering.writing() as connection:
            for run_id in ids_of(connection, "free_among", run_ids):
                family = connection.rows("families_of", [texts([run_id]), UNBOUNDED])
                members = [member for _, member, _ in family]
                if family and all(has_ended for _, _, has_ended in family) and not are_needed(connection, members):
                    connection.change("remove_runs", [texts(members)])
                    note_steered(connection, "delete", members, by)
                    deleted.append(run_id)
                    total += len(members)
        return Deleted(deleted, total)

    def audited(self, run_id: RunId, most: int) -> list[AuditRow]:
        return [AuditRow(*row) for row in in_order(self._database.rows("audit_of", run_id, most))]


def _steered(connection: Connection, action: str, run_ids: Sequence[RunId], by: By) -> None:
    """Who did it; and what these runs were told is looked at here, as far as nobody holds them."""
    note_steered(connection, action, run_ids, by)
    connection.change("read_wakes")


def note_steered(connection: Connection, action: str, run_ids: Sequence[RunId], by: By) -> None:
    """A row of the audit for each of them."""
    connection.change("note_steered", [by.who, action, by.detail, texts(run_ids)])


def ids_of(connection: Connection, statement: str, run_ids: Sequence[RunId]) -> list[RunId]:
    """The runs among these that the statement names."""
    return [run_id for (run_id,) in connection.rows(statement, [texts(run_ids)])]


def are_needed(connection: Connection, members: Sequence[RunId]) -> bool:
    """Whether something unfinished waits for one of these, was made of one, or has called one that was there."""
    bodies = texts([json.dumps(member) for member in members])
    return any(connection.rows("needed_among", [texts(members)])) or any(connection.rows("called_among", [bodies]))


def by_seq(record: Record) -> int:
    """The order of insertion."""
    return record.seq


def undoer_of(connection: Connection, run_id: RunId) -> Undoer | None:
    """How far the run has come that undoes another one."""
    for row in connection.rows("past_undoer", [run_id]):
        return Undoer(*row)
    return None


def still_holds(connection: Connection, plan: Restart, together: set[RunId]) -> bool:
    """Whether all that the plan goes by is still so."""
    for row in connection.rows("past_run", [plan.run_id]):
        past = past_of(row, [], [])
        [(last_seq,)] = connection.rows("last_seq", [plan.run_id])
        undoer = undoer_of(connection, plan.undoer)
        return (
            past.state == plan.state != "held"
            and past.incarnation == plan.incarnation
            and (last_seq or 0) == plan.last_seq
            and (undoer or Undoer(None, 0)) == (plan.undoer_state, plan.undoer_records)  # type: ignore[arg-type]  # none
            and (not past.has_open_parent or past.parent_id in together)
        )
    return False


def begin_anew(connection: Connection, plan: Restart) -> None:
    """Its next life, with what it keeps."""
    dropped = texts(plan.dropped)
    given = {"run_id": plan.run_id, "is_whole": plan.is_whole, "dropped": dropped, "since": plan.since}
    for statement in ("rewind_streams", "void_streams"):
        connection.change(statement, connection.arranged(statement, given))
    for statement in ("drop_records", "return_messages", "take_back_answers", "forget_answers", "forget_hooks"):
        connection.change(statement, [plan.run_id, dropped])
    connection.change("reopen_hooks", [plan.run_id, texts(plan.reopened)])
    order = json.dumps(plan.order)
    connection.change("cut_order", [order, plan.run_id, order])
    for statement in ("forget_cancel", "forget_output", "forget_progress", "forget_waits", "begin_anew"):
        connection.change(statement, [plan.run_id])
    connection.change("end_pauses", [texts([plan.run_id])])
    connection.query("cancel_runs", [texts(plan.cancelled)])
