"""A process that does what the test tells it, line by line: an expression's value goes back as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from typing import Any

import perdure
from perdure._api.app import current_runtime
from tests.processes.programs import functions


def say(line: str) -> None:
    """In one write: the process may be killed at any moment."""
    os.write(1, (line + "\n").encode())


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    namespace: dict[str, Any] = {
        "asyncio": asyncio,
        "os": os,
        "threading": threading,
        "perdure": perdure,
        "runtime": current_runtime,
        **vars(functions),
    }
    say("ready")
    for line in sys.stdin:
        try:
            try:
                value = eval(line, namespace)  # noqa: S307  # the test's own line
            except SyntaxError:
                value = exec(line, namespace)  # noqa: S102  # the test's own line
            say(f"= {json.dumps(value, default=repr)}")
        except Exception as error:
            say(f"! {type(error).__name__} {error}".replace("\n", " "))


if __name__ == "__main__":
    main()
