"""Another "machine": a network namespace with a cable to this one, which can be pulled out. Needs root on Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

_NUMBER = os.getpid() % 250 + 1


class Machine:
    """A namespace whose processes reach this machine under `address` and nothing else."""

    def __init__(self) -> None:
        self.name = f"chaos{os.getpid()}"
        self.address = f"10.213.{_NUMBER}.1"
        self._here, self._there = f"ch{os.getpid()}", "cable"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command begins with that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.name)
        _ip("addr", "add", f"{self.address}/24", "dev", self._here)
        _ip("link", "set", self._here, "up")
        _ip("-n", self.name, "addr", "add", f"10.213.{_NUMBER}.2/24", "dev", self._there)
        _ip("-n", self.name, "link", "set", self._there, "up")
        return self

    def __exit__(self, *_: object) -> None:
        _ip("link", "del", self._here)
        _ip("netns", "del", self.name)

    def plug(self, *, is_in: bool) -> None:
        """Pull the cable out, or put it in again: nobody is told, nothing is closed."""
        _ip("link", "set", self._here, "up" if is_in else "down")


def machines_may_be_made() -> bool:
    """Whether this process may make namespaces and cables."""
    if shutil.which("ip") is None or os.getuid() != 0:
        return False
    try:
        with Machine():
            return True
    except subprocess.CalledProcessError:
        return False


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
