"""`python -m chaos.worker`: one worker of the world, until the world ends."""

from __future__ import annotations

import json
import logging
import os
import sys

import perdure

from . import program as program  # its functions are what is executed

DATABASE, SETTINGS = "PERDURE_CHAOS_STORE", "PERDURE_CHAOS_SETTINGS"


def main() -> None:
    """Work until standard input ends, as it does when whoever started this is gone."""
    logging.basicConfig(level=logging.WARNING)
    perdure.launch(os.environ[DATABASE], **json.loads(os.environ[SETTINGS]))
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
