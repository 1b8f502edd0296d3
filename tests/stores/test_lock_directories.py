"""Each database has a directory of its own for the lock files of a machine's workers."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from perdure.errors import StoreUnavailableError, UnsupportedStoreError
from perdure.stores.postgres import PostgresStore
from perdure.stores.postgres.places import own_directory


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for `/tmp`."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def directory_of(url: str) -> str:
    """Where a process that connects by this URL keeps its lock file."""
    store = PostgresStore(url)
    try:
        store.migrate()
    finally:
        store.close()
    return store.lock_directory


def test_two_databases_of_one_server_do_not_share(temporary: Path, postgres_url: str, own_postgres_url: str) -> None:
    """Also where both are copies of one template, as these are."""
    assert directory_of(postgres_url) != directory_of(own_postgres_url)


def test_every_address_of_a_database_leads_to_the_same(temporary: Path, postgres_url: str) -> None:
    """And so does every time zone of a session."""
    elsewhere = make_conninfo(postgres_url, application_name="other", options="-c TimeZone=Asia/Tokyo")
    assert directory_of(postgres_url) == directory_of(elsewhere)
    assert Path(directory_of(elsewhere)).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("where", ["root", "database"])
@pytest.mark.parametrize("what", ["open to others", "a link", "a file"])
def test_a_directory_that_others_may_have_filled_is_refused(temporary: Path, where: str, what: str) -> None:
    """Whose lock file is free there would be taken for dead."""
    directory = own_directory("1-2-3")
    path = directory.parent if where == "root" else directory
    path.rename(temporary / "aside")
    if what == "a link":
        path.symlink_to(temporary / "aside")
    elif what == "a file":
        path.touch()
    else:
        path.mkdir()
        path.chmod(0o777)
    expected = StoreUnavailableError if what == "a file" else UnsupportedStoreError
    with pytest.raises(expected, match="TMPDIR"):
        own_directory("1-2-3")
    assert str(os.getuid()) in directory.parent.name
