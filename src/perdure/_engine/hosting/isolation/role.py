"""Whether this process is one that runs bodies: no worker, and nothing that may begin to be one."""

from __future__ import annotations

from typing import Final

from ....errors import UsageError


class Role:
    """Of this process."""

    runs_bodies = False


ROLE: Final = Role()


def check_may_work() -> None:
    """Raise `UsageError` in a process that runs the body of a step: it is killed when that has ended."""
    if ROLE.runs_bodies:
        raise UsageError(
            "this is the process of a step with isolation='process', and no worker: return what is to be started, and "
            'let the workflow start it. What starts the program belongs under if __name__ == "__main__":'
        )
