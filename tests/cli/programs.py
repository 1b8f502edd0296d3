"""What the command line's tests look at."""

from __future__ import annotations

import perdure

queue = perdure.Queue("cli-tests", worker_concurrency=2)


@perdure.step
def double(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is too small")
    return 2 * number


@perdure.workflow
def quadruple(number: int) -> int:
    return perdure.start(double, double(number)).result()


@perdure.workflow
def asks(token: str) -> bool:
    """Waits for an answer."""
    return perdure.hook(bool, token=token).wait()


@perdure.step
def unbook(name: str) -> None: ...


@perdure.step(undo=unbook)
def book(name: str) -> str:
    return name


@perdure.workflow
def talkative() -> None:
    """Says, is told, and fails when it has booked."""
    if perdure.patched("a-change"):
        book("a room")
    perdure.set_event("price", 3)
    perdure.recv("number")
    perdure.recv("number")
    raise ValueError("not this one")
