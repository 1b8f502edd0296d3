"""From a URL to a store, and no password in anything that people read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perdure.errors import UnsupportedStoreError
from perdure.stores.open import open_store, read_url, redact
from perdure.stores.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("perdure.db", "perdure.db"),
        ("./a dir/perdure.db", "a dir/perdure.db"),
        ("/abs/perdure.db", "/abs/perdure.db"),
        ("sqlite:///perdure.db", "perdure.db"),
        ("sqlite:////abs/perdure.db", "/abs/perdure.db"),
        ("sqlite:///a%20dir/perdure.db", "a dir/perdure.db"),
        ("sqlite:///what%3F.db", "what?.db"),
        ("sqlite+pysqlite:///perdure.db", "perdure.db"),
        ("sqlite+aiosqlite:////abs/perdure.db", "/abs/perdure.db"),
    ],
)
def test_a_path_or_a_sqlite_url_is_a_file(url: str, path: str) -> None:
    """Relative to the current directory, unless it says otherwise; nothing is made by opening."""
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    assert store.path == Path.cwd() / path


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "PostgreSQL", "postgresql+psycopg", "postgres+asyncpg"])
def test_a_postgres_url_may_name_a_driver_that_is_not_ours(scheme: str) -> None:
    """As SQLAlchemy's do; the rest of it stays as it is."""
    assert read_url(f"{scheme}://u:p%40w@h:5/d?sslmode=require") == (
        "postgres",
        "postgresql://u:p%40w@h:5/d?sslmode=require",
    )


@pytest.mark.parametrize(
    "url", ["sqlite:///perdure.db?timeout=5", "sqlite:perdure.db", "sqlite://perdure.db", "postgresql:/u:s3cret@h/d"]
)
def test_a_url_that_is_nearly_right_says_what_is_right(url: str) -> None:
    """In words, without its password."""
    with pytest.raises(UnsupportedStoreError, match=r"slashes|%3F") as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", [":memory:", "sqlite://", "sqlite:///:memory:", "sqlite:///", "file:x?mode=memory", ""])
def test_a_database_in_memory_is_refused(url: str) -> None:
    """It would die with the process."""
    with pytest.raises(UnsupportedStoreError, match="possible are"):
        open_store(url)


@pytest.mark.parametrize(
    "text", ["host=h password=s3cret dbname=d", "dbname = d password='s3cret'", "password=s3cret", "service=mine"]
)
def test_a_connection_string_is_no_path(text: str) -> None:
    """The driver's other way to name a Postgres would become a file with the password as its name."""
    with pytest.raises(UnsupportedStoreError, match="write it as postgresql://") as caught:
        open_store(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://u:s3cret@h/d", "redis://:s3cret@h", "http://x", "postgressql://u:s3cret@h/d"])
def test_another_scheme_is_refused_with_what_is_possible(url: str) -> None:
    """And without the password."""
    with pytest.raises(UnsupportedStoreError, match=r"postgresql://") as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@host:5432/db",
        "postgres://:s3cret@host/db",
        "postgresql://user:s3cret@host1,host2:99/db?sslmode=require",
        "postgresql://user:p%40s3cret@host/db",
        "postgresql://user:with@s3cret@host/db",
        "postgresql://user:with/s3cret@host/db",
        "postgresql://user:with?s3cret#s3cret@host/db",
        "postgresql://host/db?user=u&password=s3cret",
        "postgresql://host/db?sslpassword=s3cret&password=s3cret&x=1",
        "host=h password=s3cret dbname=d",
        "host=h password='with s3cret' dbname=d",
        "password = s3cret host=h",
    ],
)
def test_a_password_is_redacted(url: str) -> None:
    """Wherever a connection string can carry one."""
    assert "s3cret" not in redact(url)
    assert "***" in redact(url)


@pytest.mark.parametrize("url", ["perdure.db", "sqlite:////abs/x.db", "postgresql://user@host/db?sslmode=require"])
def test_what_carries_no_password_is_shown_as_it_is(url: str) -> None:
    """Nothing else is hidden."""
    assert redact(url) == url


def test_a_missing_driver_is_named_with_its_mend() -> None:
    """`pip install perdure[postgres]`, and no password."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from perdure.stores.open import open_store\n"
        "try: open_store('postgresql://u:s3cret@h/d')\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": source}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("UnsupportedStoreError")
    assert "pip install perdure[postgres]" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
