"""A real PgBouncer in transaction mode: the system's, or what Debian's package holds, unpacked and not installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

PACKAGES = ("pgbouncer", "libc-ares2", "libevent-2.1-7")
SETTINGS = """
[databases]
* = host={host} port={port} user={role}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
{user}
"""


def found(cache: Path) -> Path:
    """The program; skips the test where there is none and none can be had."""
    if (installed := shutil.which("pgbouncer")) is not None:
        return Path(installed)
    program = cache / "usr/sbin/pgbouncer"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            pytest.skip("no PgBouncer here, and no Debian to take it from")
        if subprocess.run(["apt-get", "download", *PACKAGES], cwd=cache, capture_output=True).returncode:
            pytest.skip("no PgBouncer here, and Debian's package cannot be had")
        for package in cache.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, cache], check=True)
    return program


@contextmanager
def pooled(url: str, cache: Path, folder: Path) -> Iterator[str]:
    """The URL of the same database behind a PgBouncer that lives meanwhile."""
    program, info = found(cache), conninfo_to_dict(url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own_port = free.getsockname()[1]
    host = str(info["host"])
    owner = Path(host).owner() if os.getuid() == 0 else ""  # it does not run as root
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            host=host,
            port=info.get("port", 5432),
            role=info["user"],
            own_port=own_port,
            user=f"user = {owner}" if owner else "",
        )
    )
    for path in (settings, *settings.parents[:3]):
        path.chmod(path.stat().st_mode | 0o055)
    libraries = next(iter(cache.glob("usr/lib/*/")), cache)
    with subprocess.Popen(
        [program, settings], stderr=subprocess.DEVNULL, env=os.environ | {"LD_LIBRARY_PATH": str(libraries)}
    ) as process:
        try:
            yield f"postgresql://{info['user']}@127.0.0.1:{own_port}/{info['dbname']}?prepare_threshold=none"
        finally:
            process.terminate()
