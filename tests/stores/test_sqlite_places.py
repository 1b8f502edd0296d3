"""Where the SQLite store may live: what cannot work is refused at once, with the mend, and nothing is half made."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from perdure._entries import Stored
from perdure.errors import StoreUnavailableError, UnsupportedStoreError
from perdure.stores.hints import VAGUE
from perdure.stores.sqlite import SqliteStore
from perdure.stores.sqlite.checkpointing import WAL_LIMIT_BYTES, is_wal_reset_fixed
from perdure.stores.sqlite.places import check_place, check_version, mount_of
from tests.stores.entries import C1, W1, claim, created, join, recorded

NETWORK = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:50 / /srv/shared\\040files rw,relatime - nfs4 server:/export rw
31 22 0:51 / /mnt/c rw - 9p drvfs rw
32 22 0:52 / /home/me/remote rw - fuse.sshfs me@host: rw
33 30 254:1 / /srv/shared\\040files/local rw - ext4 /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/perdure.db", "ext4"),
        ("/srv/shared files/perdure.db", "nfs4"),
        ("/srv/shared files/local/perdure.db", "ext4"),
        ("/srv/shared files elsewhere/perdure.db", "ext4"),
        ("/mnt/c/perdure.db", "9p"),
        ("/home/me/remote/x/perdure.db", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_its_mount(path: str, kind: str) -> None:
    """The longest mount point above it, with escapes in the table undone."""
    assert mount_of(Path(path), NETWORK)[1] == kind


SHARES = ["nfs", "nfs4", "cifs", "smb3", "9p", "drvfs", "virtiofs", "fuse", "fuse.sshfs", "fuse.anything", "fakeowner"]


@pytest.mark.parametrize("kind", SHARES)
def test_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    """WAL loses data there."""
    mounts = f"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:50 / {tmp_path} rw - {kind} server rw\n"
    with pytest.raises(UnsupportedStoreError, match="network file system"):
        check_place(tmp_path / "perdure.db", mounts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["9p", "virtiofs", "fuse.fuse-overlayfs"])
def test_a_sandboxs_own_root_is_no_share(tmp_path: Path, kind: str) -> None:
    """Some sandboxes show their root as one; it is nobody else's."""
    check_place(tmp_path / "perdure.db", f"22 1 0:1 / / rw - {kind} none rw\n")


@pytest.mark.parametrize("linked", ["file", "directory", "file that is not there yet"])
def test_a_database_behind_a_link_is_where_the_link_leads(tmp_path: Path, linked: str) -> None:
    """SQLite keeps its log beside the real file: there it is looked for, and there the workers' locks are."""
    real, elsewhere = tmp_path / "real" / "perdure.db", tmp_path / "elsewhere"
    real.parent.mkdir()
    if linked == "directory":
        elsewhere.symlink_to(real.parent)
        path = elsewhere / "perdure.db"
    else:
        elsewhere.mkdir()
        path = elsewhere / "link.db"
        path.symlink_to(real)
    if linked == "file":
        real.touch()
    direct, behind = SqliteStore(real), SqliteStore(path)
    behind.migrate()
    assert (behind.path, behind.lock_directory) == (direct.path, direct.lock_directory)
    behind.close()


def test_the_log_of_a_database_behind_a_link_is_checkpointed(tmp_path: Path) -> None:
    """It was looked for beside the link, and grew without end."""
    link = tmp_path / "link.db"
    (tmp_path / "real").mkdir()
    link.symlink_to(tmp_path / "real" / "perdure.db")
    store = SqliteStore(link)
    store.migrate()
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    for number in range(40):
        store.apply(W1, [recorded("r", C1, str(number), outcome=Stored("json", "x" * 500_000))])
    assert (tmp_path / "real" / "perdure.db-wal").stat().st_size < 3 * WAL_LIMIT_BYTES
    store.close()


def test_a_database_with_two_names_is_refused(tmp_path: Path) -> None:
    """Who opens it by the other one keeps another log beside that, and each undoes what the other has committed."""
    path = tmp_path / "perdure.db"
    store = SqliteStore(path)
    store.migrate()
    store.close()
    (tmp_path / "again.db").hardlink_to(path)
    with pytest.raises(UnsupportedStoreError, match="hard link"):
        SqliteStore(path).migrate()


def test_a_database_that_is_mounted_alone_is_refused(tmp_path: Path) -> None:
    """As containers are given a single file: its log is elsewhere, and gone with the container."""
    path = tmp_path / "perdure.db"
    path.touch()
    mounts = f"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 254:0 /srv/my.db {path} rw - ext4 /dev/vda rw\n"
    with pytest.raises(UnsupportedStoreError, match="mount its directory"):
        check_place(path, mounts)


def test_links_that_lead_in_a_ring_are_refused(tmp_path: Path) -> None:
    """There is no file at their end."""
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(UnsupportedStoreError, match="no ordinary file"):
        SqliteStore(one).migrate()


@pytest.mark.parametrize("name", ["a" * 248, "é" * 124, "a" * 5_000, f"{'d' * 200}/{'d' * 200}/{'d' * 200}"])
def test_a_path_that_is_too_long_is_refused(tmp_path: Path, name: str) -> None:
    """It was an error of the operating system, or said that the file cannot be written."""
    with pytest.raises(UnsupportedStoreError, match="the path of the database is too long: "):
        SqliteStore(tmp_path / name).migrate()


def test_a_path_of_the_longest_name_is_opened(tmp_path: Path) -> None:
    """With all that lies beside it."""
    with contextlib.closing(SqliteStore(tmp_path / ("a" * 247))) as store:
        store.migrate()
    assert (tmp_path / ("a" * 247 + "-workers")).is_dir()


def test_an_old_sqlite_is_refused() -> None:
    """With the oldest that works."""
    with pytest.raises(UnsupportedStoreError, match=r"3\.36\.0 is too old: Perdure needs 3\.37\.0"):
        check_version((3, 36, 0))
    check_version((3, 37, 0))


def test_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    """A typing error in a path must not become a new database."""
    with pytest.raises(StoreUnavailableError, match="does not exist"):
        SqliteStore(tmp_path / "nowhere" / "perdure.db").migrate()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """And the message says how to name one in it."""
    with pytest.raises(UnsupportedStoreError, match=r"perdure\.db"):
        SqliteStore(tmp_path).migrate()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Not one byte of it changes."""
    path = tmp_path / "notes.txt"
    path.write_text("no database at all, " * 100)
    with pytest.raises(UnsupportedStoreError, match="is not a SQLite database"):
        SqliteStore(path).migrate()
    assert path.read_text() == "no database at all, " * 100


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    """Its tables may have our names; neither they nor its journal mode change."""
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE runs (x)")
    theirs.commit()
    with pytest.raises(UnsupportedStoreError, match="something else"):
        (store := SqliteStore(path)).migrate()
    assert not any(connection.is_open for connection in store._database._all())
    assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]
    assert theirs.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
    theirs.close()


def migrate_as_nobody(path: Path) -> str:
    """What a process without rights is told, by a forked one that gives its rights up."""
    answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            SqliteStore(path).migrate()
        except BaseException as failure:
            os.write(answer[1], f"{type(failure).__name__} {failure}".encode())
        os._exit(0)
    os.close(answer[1])
    os.waitpid(pid, 0)
    with open(answer[0], encoding="utf-8") as told:  # noqa: PTH123  # a pipe has no path
        return told.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become nobody")
@pytest.mark.parametrize("what", ["directory", "file"])
def test_what_cannot_be_written_is_said(what: str) -> None:
    """Before anything is made."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own directory is closed to others
        directory, path = Path(name), Path(name) / "perdure.db"
        if what == "file":
            store = SqliteStore(path)
            store.migrate()
            store.close()
        directory.chmod(0o777 if what == "file" else 0o755)
        before = sorted(directory.iterdir())
        told = migrate_as_nobody(path)
        assert told.startswith("StoreUnavailableError")
        assert "writable" in told
        assert sorted(directory.iterdir()) == before


def test_a_writer_that_waits_in_vain_says_who_holds_the_lock(tmp_path: Path) -> None:
    """After its patience, with the process and its state."""
    path = tmp_path / "perdure.db"
    store = SqliteStore(path, patience_seconds=0.2)
    store.migrate()
    join(store, W1)
    program = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreUnavailableError) as caught:
            store.apply(W1, [created("r")])
        assert store.workers.all() != []  # readers do not wait
        holder.send_signal(signal.SIGCONT)
        holder.kill()
    if Path("/proc/locks").exists():
        assert f"process {holder.pid}" in str(caught.value)
    assert store.apply(W1, [created("r")])
    store.close()


def test_a_busy_neighbour_does_not_starve_a_writer(tmp_path: Path) -> None:
    """Beside a store that commits without a pause another one gets its turn, hundreds of times."""
    mine, neighbour = SqliteStore(tmp_path / "perdure.db"), SqliteStore(tmp_path / "perdure.db", patience_seconds=30)
    mine.migrate()
    join(mine, W1)
    stop = threading.Event()

    def commit_without_end() -> None:
        while not stop.is_set():
            mine.workers.renew(W1)

    busy = threading.Thread(target=commit_without_end)
    busy.start()
    neighbour.apply(W1, [created("r", held_as=C1)])
    for number in range(200):
        neighbour.apply(W1, [recorded("r", C1, str(number))])
    stop.set()
    busy.join()
    assert len(mine.runs.checkpoints("r")) == 200
    mine.close()
    neighbour.close()


@pytest.mark.parametrize(
    ("version", "is_fixed"),
    [
        ((3, 37, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version: tuple[int, int, int], is_fixed: bool) -> None:
    """3.7.0 to 3.51.2, but for the two branches that got the fix."""
    assert is_wal_reset_fixed(version) is is_fixed


@pytest.mark.parametrize("runs_alone", [True, False])
def test_the_wal_is_copied_now_and_then(tmp_path: Path, runs_alone: bool) -> None:
    """By its length; below the fix under the write lock, so that no commit runs beside it."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    store._checkpointer.runs_alone = runs_alone
    join(store, W1)
    names: list[str] = []
    store.on_statement = names.append
    store.apply(W1, [created("r", held_as=C1)])
    large = created("x").input
    large.text = '"' + "x" * 300_000 + '"'
    for number in range(40):
        store.apply(W1, [recorded("r", C1, str(number), outcome=large)])
    assert 2 <= names.count("checkpoint_wal") <= 5
    place = names.index("checkpoint_wal")
    around = names[place - 1], names[place + 1]
    assert around == (("begin", "commit") if runs_alone else ("record_lone_checkpoint",) * 2)
    assert Path(f"{store.path}-wal").stat().st_size < 2 * WAL_LIMIT_BYTES
    store.close()
    assert claim(store, W1) == []
    store.close()


def test_a_reader_does_not_make_every_commit_a_checkpoint(tmp_path: Path) -> None:
    """While an old reader keeps pages back, it is tried again only after as much more has been written."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM runs").fetchall()
    names: list[str] = []
    store.on_statement = names.append
    large = created("x").input
    large.text = '"' + "x" * 300_000 + '"'
    for number in range(60):
        store.apply(W1, [recorded("r", C1, str(number), outcome=large)])
    assert 2 <= names.count("checkpoint_wal") <= 8
    reader.close()
    store.close()


def test_opening_waits_for_a_neighbour_that_has_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last connection of another process copies the WAL when it closes, and lets nobody in meanwhile."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    store.close()
    neighbour = sqlite3.connect(store.path, isolation_level=None)
    neighbour.execute("PRAGMA locking_mode = EXCLUSIVE")
    neighbour.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("perdure.stores.sqlite.connections.time.sleep", lambda seconds: neighbour.close())
    assert store.workers.all() == []
    store.close()


def test_who_listens_is_not_told_of_a_neighbour_that_has_the_whole_file(tmp_path: Path) -> None:
    """For a moment, when it closes the file or mends it after a crash: that was said to have lasted for 30 seconds."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    store.close()
    neighbour = sqlite3.connect(store.path, isolation_level=None)
    neighbour.execute("PRAGMA locking_mode = EXCLUSIVE")
    neighbour.execute("BEGIN EXCLUSIVE")
    listening = store.session()
    assert listening.wait(0.0) == []
    neighbour.close()
    assert listening.wait(0.0) == [VAGUE]
    assert listening.wait(0.0) == []
    store.close()


def test_what_a_statement_may_undo_is_kept_in_memory(tmp_path: Path) -> None:
    """A temporary file for each batch would cost more than the batch."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    with contextlib.closing(store._database.connect()) as connection:
        assert connection.execute("PRAGMA temp_store").fetchall() == [(2,)]
    store.close()
