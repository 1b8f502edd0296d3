"""Who does what with the slots that all workers share: holders, claims, deaths, and people who set the limit."""

from __future__ import annotations

from collections.abc import Iterator

from .checker import Model, Move
from .limits import ASKS, EXECUTES, GONE, WAITS, Claim, Play, Run, State, Worker


def model(
    guards: frozenset[str],
    programs: tuple[tuple[int, ...], ...] = ((1,), (), ()),
    *,
    limit: int = 1,
    workers: int = 2,
    one_writer: bool = False,
    is_limited: bool = True,
    parks: bool = False,
    **faults: int,
) -> Model:
    """So many workers, and a queue of so many slots; without a limit at first unless `is_limited`."""
    made = {child for program in programs for child in program}
    runs = tuple(Run("none" if number in made else "ready") for number in range(len(programs)))
    known = 1 if is_limited else 0
    there = tuple(Worker(number, known) for number in range(1, workers + 1))
    first = State(runs, there, tuple(sorted(faults.items())), known, numbers=workers)
    play = Play(guards, programs, limit, one_writer, parks)

    def moves(state: State) -> Iterator[Move]:
        for number, run in enumerate(state.runs):
            if run.state == "held" and run.phase != GONE:
                yield from _holder(play, state, number, run)
            elif run.state == "parked" and state.runs[play.programs[number][run.nth]].state == "done":
                yield Move(f"run {number} is woken", state.with_run(number, run._replace(state="ready")))
        for place, worker in enumerate(state.workers):
            yield from _worker(play, state, place, worker)
        for claim in state.claims:
            yield from _claim(play, state, claim)
        yield from _people(play, state)
        if state.late:
            yield _late(play, state)

    return Model(first, moves, _breach_in, lambda state: all(run.state == "done" for run in state.runs))


def _breach_in(state: State) -> str | None:
    """What a state shows by itself; more slots than there are is seen where one is given."""
    if state.limited and all(worker.knows == state.limited for worker in state.workers):
        for number, run in enumerate(state.runs):
            if run.phase == EXECUTES and run.slot is not True:
                return f"S4 run {number} executes and has no slot in the database"
    return None


def _holder(play: Play, state: State, number: int, run: Run) -> Iterator[Move]:
    """What the run does in its holder's memory."""
    children = play.programs[number]
    if run.giving and not state.is_locked(number):
        given = run._replace(slot=None, giving=run.giving - 1)
        yield Move(f"run {number} has given its slot back", state.with_run(number, given).awake(run.worker))
    if run.phase in (EXECUTES, ASKS) and run.nth < len(children):
        yield Move(f"run {number} waits for run {children[run.nth]}", _waiting(play, state, number, run))
    elif run.phase == EXECUTES and not state.is_locked(number):
        ended = state.with_run(number, Run("done", slot=run.slot))
        yield Move(f"run {number} ends", ended.awake(run.worker))
    if run.phase != WAITS:
        return
    if state.runs[children[run.nth]].state == "done":
        shares = state.knows(run.worker)
        on = run._replace(phase=ASKS if shares else EXECUTES, nth=run.nth + 1)
        what = "wants to go on" if shares else "goes on"
        yield Move(f"run {number} {what}", state.with_run(number, on).awake(run.worker))
    elif play.parks and not state.is_locked(number):
        parked = state.with_run(number, run._replace(state="parked", worker=0, phase=GONE, giving=0))
        yield Move(f"run {number} is parked", parked.awake(run.worker))


def _waiting(play: Play, state: State, number: int, run: Run) -> State:
    """It gives its slot back, or its asking for one, where limits are known to hold for all."""
    child = play.programs[number][run.nth]
    if state.runs[child].state == "none":
        state = state.with_run(child, Run("ready"))
    had = run.phase == EXECUTES or "asking_is_given" in play.guards
    gives = had and bool(state.knows(run.worker)) and "gives_back" in play.guards
    return _given(state, number, run._replace(phase=WAITS), gives).awake(run.worker)


def _given(state: State, number: int, run: Run, gives: int = 1) -> State:
    """The giving back is handed in; the answer to what it asked for before is not meant for it any more."""
    if not gives:
        return state.with_run(number, run)
    mine = (claim for claim in state.claims if claim.worker == run.worker)
    for claim in mine:
        state = state.changed(claim, outdated=claim.outdated | {number})
    return state.with_run(number, run._replace(giving=min(run.giving + 1, 2)))


def _worker(play: Play, state: State, place: int, worker: Worker) -> Iterator[Move]:
    """It learns what is set, asks for slots, and may be gone."""
    name = f"worker {worker.number}"
    if worker.knows != state.limited:
        yield Move(f"{name} learns of the limit", _learnt(play, state, place, worker))
    if worker.is_quiet and "asks_again" in play.guards:
        yield Move(f"{name} feels the pulse", state.awake(worker.number))
    asking = [
        (number, run.claim)
        for number, run in enumerate(state.runs)
        if run.worker == worker.number and run.phase == ASKS and _may_ask(play, run)
    ]
    has_new = any(run.state == "ready" for run in state.runs)
    is_busy = any(claim.worker == worker.number for claim in state.claims)
    if not is_busy and (has_new or (asking and not worker.is_quiet)):
        asked = tuple(asking) if worker.knows else ()
        claim = Claim(worker.number, asked)
        yield Move(f"{name} asks", state._replace(claims=(*state.claims, claim)))
    for fault, what in (("death", "dies"), ("fence", "is fenced")):
        if state.has(fault) and not any(c.worker == worker.number and c.stage == "counted" for c in state.claims):
            after = _gone(state, place, worker, is_alive=fault == "fence").spend(fault)
            yield Move(f"{name} {what}, and is taken over", after, is_system=False)


def _may_ask(play: Play, run: Run) -> bool:
    return not run.giving or "asks_when_committed" not in play.guards


def _learnt(play: Play, state: State, place: int, worker: Worker) -> State:
    """The pulse: who waits has no slot, and says so; who asks and needs none goes on."""
    knew_any = worker.knows
    state = state.with_worker(place, worker._replace(knows=state.limited, is_quiet=False))
    for number, run in enumerate(state.runs):
        if run.worker != worker.number:
            continue
        became = state.limited and (not knew_any or "knows_each_change" in play.guards)
        if became and run.phase in (WAITS, ASKS) and "waiting_gives" in play.guards:
            state = _given(state, number, run)
        elif not state.limited and run.phase == ASKS:
            state = state.with_run(number, run._replace(phase=EXECUTES))
    return state


def _gone(state: State, place: int, worker: Worker, *, is_alive: bool) -> State:
    """Its runs go back; a new worker is in its place. What a living one had handed in may arrive yet."""
    late = list(state.late)
    for number, run in enumerate(state.runs):
        if run.worker == worker.number:
            late += [(number, run.claim, worker.number)] * (is_alive and bool(run.giving))
            state = state.with_run(number, run._replace(state="ready", worker=0, phase=GONE, giving=0))
    new = Worker(state.numbers + 1, state.limited)
    kept = tuple(claim for claim in state.claims if claim.worker != worker.number)
    return state.with_worker(place, new)._replace(numbers=state.numbers + 1, claims=kept, late=tuple(late[:1]))


def _late(play: Play, state: State) -> Move:
    """A fenced worker's giving back arrives."""
    number, claim, worker = state.late[0]
    run, after = state.runs[number], state._replace(late=state.late[1:])
    joins = "given_joins" not in play.guards or (run.claim, run.worker) == (claim, worker)
    if "fence" not in play.guards and joins and run.state == "held":
        after = after.with_run(number, run._replace(slot=None))
    return Move(f"what worker {worker} had handed in arrives", after)


def _claim(play: Play, state: State, claim: Claim) -> Iterator[Move]:
    """Its transaction, then its answer."""
    name = f"worker {claim.worker}"
    others = any(one.stage == "counted" for one in state.claims if one is not claim)
    if claim.stage == "asked" and not (others and (play.one_writer or "queue_lock" in play.guards)):
        counted = _counted(play, state, claim)
        if play.one_writer:
            yield _committed(play, state, claim, counted)
        else:
            yield Move(f"the claim of {name} counts", state.changed(claim, **counted._asdict()))
    elif claim.stage == "counted":
        yield _committed(play, state, claim, claim)
    elif claim.stage == "committed":
        yield _answered(play, state, claim)
        if state.has("reply"):
            yield Move(f"the answer to {name} is lost", _unanswered(play, state, claim).spend("reply"), is_system=False)


def _counted(play: Play, state: State, claim: Claim) -> Claim:
    """First those that go on, then one that is new, as the limit has room."""
    taken, refused = list[int](), list[int]()
    own = {number for number, run in enumerate(state.runs) if run.worker == claim.worker}
    asked = [number for number, nth in claim.asked if number in own and state.runs[number].claim == nth]
    asked = [number for number in asked if state.runs[number].state == "held" and not state.is_locked(number)]
    used = state.count(True) if "resumes_by_slots" in play.guards else state.count(True, False)
    for number in asked:
        has_slot = state.runs[number].slot is True
        if has_slot or used + sum(state.runs[one].slot is not True for one in taken) < play.limit or not state.limited:
            taken.append(number)
        else:
            refused.append(number)
    resumed = [*taken]
    after = state
    for number in resumed:
        after = after.with_run(number, after.runs[number]._replace(slot=True))
    for number in refused:
        after = after.with_run(number, after.runs[number]._replace(slot=False))
    picked = [number for number, run in enumerate(state.runs) if run.state == "ready" and not state.is_locked(number)]
    room = play.limit - _used(play, after) if state.limited else 1
    return claim._replace(
        stage="counted",
        resumed=tuple(resumed),
        refused=tuple(refused),
        picked=tuple(picked[: max(0, min(room, 1))]),
        is_shared=bool(state.limited),
    )


def _used(play: Play, state: State) -> int:
    """What a claim counts before it takes something new."""
    slots = (True, False) if "askers_count" in play.guards else (True,)
    if "ends_with_claim" in play.guards:
        return state.count(*slots)
    return sum(run.slot in slots for run in state.runs)


def _committed(play: Play, state: State, claim: Claim, counted: Claim) -> Move:
    """The rows say so; whether that is right, nobody but the checker knows."""
    breach = None
    after = state.changed(claim, **counted._replace(stage="committed")._asdict())
    if counted.is_shared:
        for number in counted.resumed:
            after = after.with_run(number, after.runs[number]._replace(slot=True))
        for number in counted.refused:
            after = after.with_run(number, after.runs[number]._replace(slot=False))
    for number in counted.picked:
        run = after.runs[number]
        slot = True if counted.is_shared else None
        after = after.with_run(number, run._replace(state="held", worker=claim.worker, claim=run.claim + 1, slot=slot))
    gives = any(state.runs[number].slot is not True for number in (*counted.resumed, *counted.picked))
    if counted.is_shared and gives and after.count(True) > play.limit:
        breach = f"S2 {after.count(True)} slots are given, there are {play.limit}"
    elif counted.is_shared and counted.picked and after.count(True, False) > play.limit:
        breach = "S5 something new takes a slot that one which goes on has asked for"
    return Move(f"the claim of worker {claim.worker} is committed", after, breach=breach)


def _answered(play: Play, state: State, claim: Claim) -> Move:
    """What was resumed goes on, if it still wants to; what was picked begins."""
    after = state.without(claim)
    for number, nth in claim.asked:
        run = after.runs[number]
        if run.claim != nth or run.worker != claim.worker:
            continue
        is_meant = run.phase == ASKS and not (number in claim.outdated and "answer_is_meant" in play.guards)
        if is_meant and number in claim.resumed:
            after = after.with_run(number, run._replace(phase=EXECUTES))
        elif is_meant:
            after = after.quieted(claim.worker)
        elif "unwanted_goes_back" in play.guards:
            after = _given(after, number, run)
    for number in claim.picked:
        after = after.with_run(number, after.runs[number]._replace(phase=EXECUTES))
    return Move(f"worker {claim.worker} hears the answer", after)


def _unanswered(play: Play, state: State, claim: Claim) -> State:
    """Who asked and does not any more gives back what it may have; what was picked is handed back (rule 5)."""
    after = state.without(claim)
    for number, nth in claim.asked:
        run = after.runs[number]
        is_same = run.claim == nth and run.worker == claim.worker
        is_meant = run.phase == ASKS and not (number in claim.outdated and "answer_is_meant" in play.guards)
        if is_same and not is_meant and "unwanted_goes_back" in play.guards:
            after = _given(after, number, run)
    for number in claim.picked:
        after = after.with_run(number, after.runs[number]._replace(state="ready", worker=0))
    return after


def _people(play: Play, state: State) -> Iterator[Move]:
    """Somebody sets the limit, or takes it away; no sooner than what was under way is over."""
    if state.claims or any(run.giving for run in state.runs):
        return
    if state.has("set") and not state.limited:
        after = state.spend("set")._replace(limited=state.changes + 1, changes=state.changes + 1)
        for number, run in enumerate(after.runs):
            if "marks_held" in play.guards and run.state == "held" and run.slot is not True:
                after = after.with_run(number, run._replace(slot=True))
        yield Move("a limit is set", after, is_system=False)
    if state.has("unset") and state.limited:
        yield Move("the limit is taken away", state.spend("unset")._replace(limited=0), is_system=False)
