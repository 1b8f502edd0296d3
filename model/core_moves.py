"""Who does what in the core model: the surroundings, the taker of dead workers, and each worker with its journal."""

from __future__ import annotations

from collections.abc import Iterator

from .checker import Model, Move
from .core import DONE, TERMINAL, Entry, Process, State, Thread, World
from .core_journal import commit, rejoined, sending, unsent, with_row


def model(world: World) -> Model:
    """The core model with the world's guards and bounds."""

    def moves(state: State) -> Iterator[Move]:
        yield from surroundings(world, state)
        yield from taker(world, state)
        for place, process in enumerate(state.processes):
            if process is None:
                new = state.workers + 1
                started = state.with_process(place, Process(new))._replace(workers=new)
                yield Move("a new process starts", with_row(started, new))
            elif process.is_frozen:
                yield from server(world, state, place, process)
            else:
                yield from worker(world, state, place, process)

    return Model(world.first(), moves, lambda state: breach_in(world, state), is_done)


def is_done(state: State) -> bool:
    """Every run has ended, or waits for somebody to mend what it cannot record."""
    return all(run.state in DONE for run in state.runs)


def breach_in(world: World, state: State) -> str | None:
    """The invariants that a state shows by itself; the others are seen at the writes (`_commit`)."""
    for number, (run, count) in enumerate(zip(state.runs, state.counts, strict=True)):
        if count.bodies - run.recorded > count.claims + count.lost:
            return f"I8 more than one uncommitted body per claim of run {number}"
        if run.attempts > world.max_attempts or count.deaths > world.max_attempts * (run.recorded + count.lost + 1):
            return f"I7 run {number} was claimed more often than its limit"
        if run.state == "dead" and not count.deaths:
            return f"I13 run {number} is dead although no worker died"
        if run.state == "held" and state.row(run.worker) is None:
            return f"I5 run {number} is held by a worker without a row"
        if run.state == "held" and is_forgotten(world, state, number):
            return f"I15 run {number} is held by a living worker that knows nothing of it"
    return None


def is_forgotten(world: World, state: State, number: int) -> bool:
    """Whether the holder lives, may write, has nothing of the run in memory, and will not look for what it has lost."""
    run = state.runs[number]
    for process in state.processes:
        if process is None or process.worker != run.worker or process.is_frozen or process.is_unknown:
            continue
        entries = (*process.outbox, *(process.batch.entries if process.batch is not None else ()))
        is_known = any(each.run == number for each in (*process.threads, *entries))
        return not is_known and world.may_write(state, process.worker)
    return False


def surroundings(world: World, state: State) -> Iterator[Move]:
    """Time, users and the database's own mishaps."""
    living = {process.worker for process in state.processes if process is not None and not process.is_frozen}
    for row in state.rows:
        rows = tuple(row._replace(has_lease=not row.has_lease) if other is row else other for other in state.rows)
        if row.has_lease and row.worker not in living:
            yield Move(f"the lease of worker {row.worker} runs out", state._replace(rows=rows))
        elif row.has_lease and state.has("expire") and any(run.worker == row.worker for run in state.runs):
            label = f"the lease of living worker {row.worker} runs out"
            yield Move(label, state.spend("expire")._replace(rows=rows), is_system=False)
        elif not row.has_lease and row.worker in living:
            yield Move(f"worker {row.worker} renews", state._replace(rows=rows))
    for number, run in enumerate(state.runs):
        if run.state == "parked" and not run.slept:
            yield Move(f"run {number} is due", state.with_run(number, run._replace(slept=True)))
        if run.state in TERMINAL:
            continue
        if state.has("cancel") and not run.cancel and not world.is_run_locked(state, number):
            cancelled = state.spend("cancel").with_run(number, run._replace(cancel=True))
            yield Move(f"a cancel of run {number} is acknowledged", cancelled, is_system=False)
        if run.cancel and run.state in ("ready", "parked") and "sweep_cancel" in world.guards:
            yield Move(f"run {number} is swept", state.with_run(number, run._replace(state="cancelled")))
    if state.has("failover"):
        yield failover(state)


def failover(state: State) -> Move:
    """A replica stops receiving the log; later it is promoted, and what was committed between is gone."""
    if state.replica is None:
        label = "a replica stops receiving the log"
        return Move(label, state._replace(replica=(state.rows, state.runs)), is_system=False)
    rows, runs = state.replica
    after = state.spend("failover")._replace(rows=rows, runs=runs, timeline=state.timeline + 1, replica=None)
    for number, (old, new) in enumerate(zip(state.runs, runs, strict=True)):
        after = after.with_count(number, lost=sum(a and not b for a, b in zip(old.steps, new.steps, strict=True)))
    for place, process in enumerate(after.processes):
        if process is not None:
            after = after.with_process(place, unsent(process))
    return Move("failover: the replica is promoted, the log's tail is lost", after, is_system=False)


def taker(world: World, state: State) -> Iterator[Move]:
    """Rule 3. `two_statements` missing: the runs are those that a snapshot from before the lock has shown."""
    for row in state.rows:
        if row.has_lease or not any(process and process.worker != row.worker for process in state.processes):
            continue
        held = tuple(number for number, run in enumerate(state.runs) if run.worker == row.worker)
        if "two_statements" not in world.guards:
            if state.taking is None:
                yield Move(f"takeover of worker {row.worker}: snapshot", state._replace(taking=(row.worker, held)))
        elif not world.is_locked(state, row.worker):
            yield Move(f"worker {row.worker} is taken over", taken_over(world, state, row.worker, held))
    if state.taking is not None:
        victim, held = state.taking
        row_of = state.row(victim)
        if row_of is None or row_of.has_lease:
            yield Move("the takeover finds nothing", state._replace(taking=None))
        elif not world.is_locked(state, victim):
            after = taken_over(world, state, victim, held)._replace(taking=None)
            yield Move(f"takeover of worker {victim}: done", after)


def taken_over(world: World, state: State, victim: int, held: tuple[int, ...]) -> State:
    """The victim's row goes, its runs go back."""
    after = state._replace(rows=tuple(row for row in state.rows if row.worker != victim))
    for number in held:
        run = after.runs[number]
        if run.worker == victim and "put_back" in world.guards:
            after = after.with_run(number, world.put_back(run, is_charged=True)).with_count(number, deaths=1)
    return after


def server(world: World, state: State, place: int, process: Process) -> Iterator[Move]:
    """What the server does for a process that is stopped for ever."""
    if process.batch is not None and "session_timeout" in world.guards:
        yield Move("the server ends an idle transaction", state.with_process(place, process._replace(batch=None)))


def worker(world: World, state: State, place: int, process: Process) -> Iterator[Move]:
    """A living process: its end, its claims, its threads, its journal."""
    name = f"worker {process.worker}"
    if state.has("crash"):
        yield Move(f"{name} crashes", state.spend("crash").with_process(place, None), is_system=False)
    if state.has("freeze"):
        frozen = state.spend("freeze").with_process(place, process._replace(is_frozen=True))
        yield Move(f"{name} is stopped for ever", frozen, is_system=False)
    if state.row(process.worker) is None and process.batch is None:
        yield Move(f"{name}: the heartbeat finds no row", rejoined(world, state, place, process))
    yield from claims(world, state, place, process)
    yield from reconciling(world, state, place, process)
    for number, thread in enumerate(process.threads):
        yield from execution(world, state, place, process, number, thread)
    if process.batch is not None:
        yield from commit(world, state, place, process, process.batch)
    elif process.outbox and not (world.one_writer and world.is_locked(state, 0)):
        yield from sending(world, state, place, process)


def claims(world: World, state: State, place: int, process: Process) -> Iterator[Move]:
    """Rules 1, 4, 7 and 11. A claim is one transaction: nothing of it is seen before its commit."""
    if world.one_writer and world.is_locked(state, 0):
        return
    may_write = world.may_write(state, process.worker)
    for number, run in enumerate(state.runs):
        is_woken = run.state == "parked" and run.slept and "wake" in world.guards and not run.cancel
        if not (run.state == "ready" or is_woken):
            continue
        if not may_write and "claim_fence" in world.guards:
            if "fenced_claim_rejoins" in world.guards:
                yield Move(f"worker {process.worker} is fenced at a claim", rejoined(world, state, place, process))
            continue
        claim = state.counts[number].claims + 1
        is_further = run.recorded > run.mark
        charged = 1 if is_further else run.attempts + 1
        held = run._replace(
            state="held",
            worker=process.worker,
            claim=claim,
            attempts=charged if "charge" in world.guards else run.attempts,
            mark=max(run.mark, run.recorded),
        )
        after = state.with_run(number, held).with_count(number, claims=1)
        thread = Thread(number, process.worker, claim, 0, ())
        taken = process._replace(threads=(*process.threads, thread))
        label = f"worker {process.worker} claims run {number} (claim {claim})"
        yield Move(label, after.with_process(place, taken))
        if state.has("reply"):
            unknown = after.spend("reply").with_process(place, process._replace(is_unknown=True))
            yield Move(f"{label}, the reply is lost", unknown, is_system=False)


def reconciling(world: World, state: State, place: int, process: Process) -> Iterator[Move]:
    """Rule 5: what the database says we hold and we do not know goes back, while no batch and no claim is under way."""
    if "reconcile" not in world.guards or not process.is_unknown or process.batch is not None:
        return
    if not world.may_write(state, process.worker):
        if "fenced_claim_rejoins" in world.guards:
            yield Move(f"worker {process.worker} is fenced at reconciling", rejoined(world, state, place, process))
        return
    known = {thread.run for thread in process.threads} | {entry.run for entry in process.outbox}
    after = state
    for number, run in enumerate(state.runs):
        if run.worker == process.worker and number not in known:
            after = after.with_run(number, world.put_back(run, is_charged=False))
    # Known by run, not by claim: what hides behind a thread that is still leaving is found by a later round.
    is_sure = after != state or not known or "reconciles_again" not in world.guards
    settled = process._replace(is_unknown=not is_sure)
    yield Move(f"worker {process.worker} reconciles", after.with_process(place, settled))
    if state.has("again") and "reconciles_again" not in world.guards:
        lost = state.spend("again").with_process(place, process._replace(is_unknown=False))
        yield Move(f"worker {process.worker} reconciles, the database does not answer", lost, is_system=False)


def execution(world: World, state: State, place: int, process: Process, at: int, thread: Thread) -> Iterator[Move]:
    """A thread's next move: through the steps of its run, to its end or a park."""
    run, program = state.runs[thread.run], world.programs[thread.run]
    who = f"worker {process.worker}: run {thread.run}"

    def goes_on(new: Thread | None, *entries: Entry) -> State:
        threads = (*process.threads[:at], *((new,) if new is not None else ()), *process.threads[at + 1 :])
        return state.with_process(place, process._replace(threads=threads, outbox=process.outbox + entries))

    if state.has("release") and thread.is_live and thread.phase != "waits":
        left = thread._replace(is_live=False) if thread.phase == "body" else None
        entry = Entry("release", thread.run, thread.claim)
        yield Move(f"{who} is handed back", goes_on(left, entry).spend("release"), is_system=False)
    if thread.phase == "body":
        value = (*thread.seen, thread.claim)
        entry = Entry("step", thread.run, thread.claim, thread.step, value)
        entries: tuple[Entry, ...] = (entry,)
        if thread.is_live and thread.step + 1 == len(program):  # what only touches the journal follows at once
            entries = (entry, Entry("finish", thread.run, thread.claim, thread.step + 1, value))
        yield Move(f"{who}: the body of step {thread.step} returns", goes_on(thread._replace(phase="waits"), *entries))
    elif thread.phase == "next" and not thread.is_live:
        yield Move(f"{who}: the thread ends", goes_on(None))
    elif thread.phase == "next" and run.cancel and "leaving_ends_claim" not in world.guards:
        yield Move(f"{who}: a cancel meets what it does between two steps", goes_on(None))
    elif thread.phase == "next":
        operation = program[thread.step] if thread.step < len(program) else "end"
        on = thread._replace(step=thread.step + 1)
        if operation == "end" or run.cancel:
            entry = Entry("finish", thread.run, thread.claim, thread.step, thread.seen)
            yield Move(f"{who} ends", goes_on(thread._replace(phase="waits"), entry))
        elif operation == "z" and run.slept:
            yield Move(f"{who} has slept", goes_on(on))
        elif operation == "z":
            entry = Entry("park", thread.run, thread.claim)
            yield Move(f"{who} parks", goes_on(thread._replace(phase="waits"), entry))
        elif run.steps[thread.step] and run.steps[thread.step] != thread.claim:
            seen = (*thread.seen, run.steps[thread.step])
            yield Move(f"{who} replays step {thread.step}", goes_on(on._replace(seen=seen)))
        else:
            body = goes_on(thread._replace(phase="body")).with_count(thread.run, bodies=1)
            yield Move(f"{who}: the body of step {thread.step} runs", body)
