"""Who runs this process: what the audit says of whoever gave no name."""

from __future__ import annotations

import getpass
import socket


def this_user() -> str:
    """The user and the machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a name for its user
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
