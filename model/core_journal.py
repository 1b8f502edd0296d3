"""A worker's journal in the core model: batches, their verdicts and commits, and what it does when it is fenced."""

from __future__ import annotations

from collections.abc import Iterator

from .checker import Move
from .core import NO_CHECKPOINT, TERMINAL, Batch, Entry, Process, Row, Run, State, Thread, World


def sending(world: World, state: State, place: int, process: Process) -> Iterator[Move]:
    """Rules 1, 2 and 6: the batch is applied; whether it is committed comes later."""
    if "fence" in world.guards and not world.may_write(state, process.worker):
        yield Move(f"worker {process.worker} is fenced", rejoined(world, state, place, process))
        return
    can_fail = [entry for entry in process.outbox if entry.kind in ("step", "finish")]
    failing = (None, *can_fail) if state.has("entry") else (None,)
    for entry in failing:
        batch = applied(world, state, process, entry)
        after = state.with_process(place, process._replace(outbox=(), batch=batch))
        if entry is None:
            yield Move(f"worker {process.worker} applies a batch", after)
        else:
            label = f"worker {process.worker} applies a batch, its {entry.kind} of run {entry.run} cannot be kept"
            yield Move(label, after.spend("entry"), is_system=False)


def applied(world: World, state: State, process: Process, failing: Entry | None) -> Batch:
    """Which entries are written, which refused. Steps come first, ends of claims last."""
    runs = list(state.runs)
    effects: list[tuple[Entry, str]] = []
    refused: list[Entry] = []
    poisoned: set[tuple[int, int]] = set()
    for entry in sorted(process.outbox, key=lambda entry: entry.kind != "step"):
        run = runs[entry.run]
        joins = world.joins(run, process.worker, entry.claim)
        is_poisoned = "poison" in world.guards and (entry.run, entry.claim) in poisoned
        if entry is failing or is_poisoned or not _is_new_or_own(world, run, entry, joins):
            refused.append(entry)
            poisoned.add((entry.run, entry.claim))
        elif _is_written(world, run, entry, joins):
            after = _written(world, run, entry)
            effects.append((entry, after.state))
            runs[entry.run] = after
    return Batch(process.worker, process.outbox, tuple(effects), tuple(refused), failing)


def _is_written(world: World, run: Run, entry: Entry, joins: bool) -> bool:
    """Whether the entry changes anything: not when it was recorded by an earlier sending."""
    if entry.kind == "step" and "first_write" in world.guards:
        return run.steps[entry.step] != entry.value[-1]
    return joins or entry.kind != "finish"


def _is_new_or_own(world: World, run: Run, entry: Entry, joins: bool) -> bool:
    """An entry that was recorded by an earlier sending is success."""
    if entry.kind == "step":
        recorded = run.steps[entry.step]
        return recorded == entry.value[-1] or (joins and not (recorded and "first_write" in world.guards))
    return joins or (entry.kind == "finish" and run.ended_by == entry.claim)


def _written(world: World, run: Run, entry: Entry) -> Run:
    """The run after the entry."""
    if entry.kind == "step":
        steps = (*run.steps[: entry.step], entry.value[-1], *run.steps[entry.step + 1 :])
        is_twice = run.steps[entry.step] > 0
        return run._replace(steps=steps, state="conflict" if is_twice else run.state)
    if entry.kind == "finish":
        is_whole = len(entry.value) == len(run.steps) - run.steps.count(NO_CHECKPOINT)
        is_cancelled = (run.cancel and "finish_reads_cancel" in world.guards) or not is_whole
        state = "cancelled" if is_cancelled else "succeeded"
        return world.cleared(run)._replace(state=state, ended_by=entry.claim)
    state = {"park": "parked", "mend": "to mend"}.get(entry.kind, "ready")
    return world.cleared(run)._replace(state=state, attempts=world.refund(run))


def commit(world: World, state: State, place: int, process: Process, batch: Batch) -> Iterator[Move]:
    """The batch becomes true. Each write is compared with what nobody but the checker knows."""
    breach: str | None = None
    after = state
    for entry, outcome in batch.effects:
        run = after.runs[entry.run]
        breach = breach or _breach_of(state, run, entry, batch.worker, outcome)
        written = _written(world, run, entry)
        if entry.kind == "finish":
            written = written._replace(state=outcome)
        after = after.with_run(entry.run, written)
    outbox = process.outbox
    if (failing := batch.failing) is not None and f"refused_{failing.kind}_parks" in world.guards:
        outbox = (*outbox, Entry("mend", failing.run, failing.claim))
    told = process._replace(batch=None, outbox=outbox, threads=tuple(_told(process, batch)))
    yield Move(f"worker {process.worker} commits", after.with_process(place, told), breach=breach)
    if state.has("reply"):
        again = process._replace(batch=None, outbox=batch.entries + process.outbox, is_unknown=True)
        label = f"worker {process.worker} commits, the reply is lost"
        yield Move(label, after.spend("reply").with_process(place, again), is_system=False, breach=breach)


def _breach_of(state: State, run: Run, entry: Entry, holder: int, outcome: str) -> str | None:
    if run.state in TERMINAL:
        return f"I2 a {entry.kind} is written after the end of run {entry.run}"
    is_current = run.worker == holder and state.counts[entry.run].claims == entry.claim
    if run.state == "held" and not is_current:
        return f"I3 a {entry.kind} of run {entry.run} is written under a claim that is not the current one"
    if run.state not in ("held", "conflict"):
        return f"I3 a {entry.kind} is written for run {entry.run}, which nobody holds"
    if entry.kind == "step":
        if run.steps[entry.step] not in (0, entry.value[-1]):
            return f"I1 a recorded outcome of run {entry.run} changes"
        if not all(run.steps[: entry.step]):
            return f"I6 the history of run {entry.run} has a gap"
    if entry.kind == "finish" and outcome == "succeeded":
        if entry.value != tuple(step for step in run.steps if step > 0):
            return f"I4 the result of run {entry.run} is built on outcomes that are not the recorded ones"
        if run.cancel:
            return f"I12 run {entry.run} succeeds after an acknowledged cancel"
    return None


def _told(process: Process, batch: Batch) -> Iterator[Thread]:
    """The threads that go on after the verdicts."""
    for thread in process.threads:
        own = [entry for entry in batch.entries if (entry.run, entry.claim) == (thread.run, thread.claim)]
        if any(entry in batch.refused or entry.kind in ("finish", "park", "mend") for entry in own):
            continue
        steps = [entry for entry in own if entry.kind == "step"]
        if steps and thread.phase == "waits" and steps[-1].step == thread.step:
            thread = thread._replace(phase="next", step=thread.step + 1, seen=steps[-1].value)
        yield thread


def rejoined(world: World, state: State, place: int, process: Process) -> State:
    """Fenced: drop every run, hand back what the old row may still say, join under a new id."""
    after = state
    if state.row(process.worker) is not None:
        for number, run in enumerate(state.runs):
            if run.worker == process.worker:
                after = after.with_run(number, world.put_back(run, is_charged=False))
    left = tuple(thread._replace(is_live=False) for thread in process.threads if thread.phase == "body")
    new = state.workers + 1
    rows = tuple(row for row in after.rows if row.worker != process.worker)
    after = after._replace(rows=rows, workers=new).with_process(place, Process(new, left))
    return with_row(after, new)


def with_row(state: State, worker: int) -> State:
    return state._replace(rows=(*state.rows, Row(worker, timeline=state.timeline)))


def unsent(process: Process) -> Process:
    """After the session is gone: what was under way goes again."""
    if process.batch is None:
        return process._replace(is_unknown=True)
    return process._replace(batch=None, outbox=process.batch.entries + process.outbox, is_unknown=True)
