"""A pause is a message that lasts: asked for, heeded and ended by data, whoever holds the run meanwhile.

One run, two workers; each transaction is one move, since all of these lock the run's row. Somebody pauses the run and
resumes it again, worker 1 may be taken over, and a holder may let go of it at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move
from .mail import MOST, Mail, readers


class Paused(NamedTuple):
    """`asked`: a pause is open; `is_leaving`: its holder parks it for that. `mail`: as of the mailbox."""

    run: str = "held"
    worker: int = 1
    asked: bool = False
    is_leaving: bool = False
    mail: Mail = Mail()
    gone: int = 0
    pauses: int = 2
    takeovers: int = 1
    releases: int = 2

    def told(self, worker: int, rows: int = 1) -> Paused:
        return self._replace(mail=self.mail.told(worker, rows))


def model(guards: frozenset[str]) -> Model:
    """With these guards."""

    def moves(state: Paused) -> Iterator[Move]:
        if state.run == "done":
            return
        yield from _people(guards, state)
        yield from _holders(guards, state)
        yield from _readers(guards, state)

    return Model(Paused(), moves, _breach_in, lambda state: state.run == "done")


def _breach_in(state: Paused) -> str | None:
    if state.asked and state.run in ("held", "ready") and not state.is_leaving and not any(state.mail):
        return "P1 a run goes on, and nobody will ever tell it that it is to be paused"
    return None


def _people(guards: frozenset[str], state: Paused) -> Iterator[Move]:
    if state.pauses and not state.asked:
        asked = state._replace(asked=True, pauses=state.pauses - 1)
        asked = asked.told(state.worker) if "pause_tells" in guards else asked
        yield Move("somebody pauses the run", asked, is_system=False)
    if state.asked:
        resumed = state._replace(asked=False)
        resumed = resumed.told(state.worker) if "resume_tells" in guards else resumed
        yield Move("somebody resumes the run", resumed)


def _holders(guards: frozenset[str], state: Paused) -> Iterator[Move]:
    free = state._replace(worker=0, is_leaving=False)
    if state.run == "ready":
        for worker in {1, 2} - {state.gone}:
            yield Move(f"worker {worker} claims the run", state._replace(run="held", worker=worker))
    if state.run != "held":
        return
    if state.is_leaving:
        parked = free._replace(run="paused")
        yield Move("the holder parks it", parked.told(0) if "paused_park_tells" in guards else parked)
    else:
        yield Move("the run ends", state._replace(run="done"))
    if state.releases:
        yield Move("the holder lets go", free._replace(run="ready", releases=state.releases - 1), is_system=False)
    if state.takeovers and state.worker == 1:
        after = free._replace(run="ready", takeovers=0, gone=1, mail=state.mail.returned(1))
        yield Move("worker 1 is taken over", after, is_system=False)


def _readers(guards: frozenset[str], state: Paused) -> Iterator[Move]:
    if state.mail[0]:
        yield Move("somebody looks into the mailbox", _looked(guards, state))
    for worker, back in readers(state):
        if back is not None:
            yield back
        elif state.asked:
            leaving = state._replace(is_leaving=True)
            yield Move(
                f"worker {worker} hears of the pause",
                leaving if "told_until_stopped" in guards else leaving.told(worker, -MOST),
            )
        else:
            yield Move(f"worker {worker} hears and looks", state.told(worker, -MOST))


def _looked(guards: frozenset[str], state: Paused) -> Paused:
    if state.run == "held":
        return state.told(0, -MOST).told(state.worker, state.mail[0])
    after = state.told(0, -MOST)
    if state.asked and state.run == "ready" and "heeds_pauses" in guards:
        return after._replace(run="paused")
    if not state.asked and state.run == "paused" and "heeds_resumes" in guards:
        return after._replace(run="ready")
    return after
