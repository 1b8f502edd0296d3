"""Which database the module-level surface works on, and who may say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import UnsupportedStoreError, UsageError, step


class Service:
    """What a framework's application looks like to a lifespan."""

    router = None


@step(name="launching:echo")
def echo(text: str) -> str:
    """Something to start."""
    return text


@pytest.fixture(autouse=True)
def _no_default() -> Iterator[None]:
    """The default instance does not outlive the test."""
    yield
    perdure.shutdown()
    perdure._api.app._default = None


def test_launch_takes_the_database_and_its_settings(tmp_path: Path) -> None:
    """They are those of the default instance from then on; again the same is nothing new."""
    perdure.launch(tmp_path / "own.db", poll_seconds=0.1)
    perdure.launch(tmp_path / "own.db", poll_seconds=0.1)
    perdure.launch()
    assert perdure.start(echo, "a").result(20) == "a"
    assert perdure._api.app.default_app().url == str(tmp_path / "own.db")


def test_launch_does_not_change_the_database_of_what_works(tmp_path: Path) -> None:
    """That would leave runs in two places without a word; after a shutdown it may."""
    perdure.launch(tmp_path / "one.db")
    for other in ({"url": tmp_path / "two.db"}, {"url": tmp_path / "one.db", "poll_seconds": 9.0}):
        with pytest.raises(UsageError, match=r"works on .*one\.db already"):
            perdure.launch(**other)
    perdure.shutdown()
    perdure.launch(tmp_path / "two.db")
    assert perdure._api.app.default_app().url == str(tmp_path / "two.db")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_database_that_is_opened_unasked_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    """With the whole path, once; not one that somebody has named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERDURE_URL", raising=False)
    if is_async:
        asyncio.run(begin_on_a_loop())
    else:
        perdure.start(echo, "a")
    perdure.start(echo, "b")
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 1
    assert f"opened {tmp_path / 'perdure.db'} by itself" in said[0]


async def begin_on_a_loop() -> None:
    """The first durable call is one of a coroutine."""
    await (await perdure.astart(echo, "a"))


def test_a_database_that_was_named_is_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the environment, or by a launch."""
    monkeypatch.setenv("PERDURE_URL", str(tmp_path / "named.db"))
    perdure.start(echo, "a")
    perdure.shutdown()
    monkeypatch.delenv("PERDURE_URL")
    monkeypatch.chdir(tmp_path)
    perdure.launch()
    perdure.start(echo, "a")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_database_that_cannot_be_is_refused_by_launch_and_lifespan() -> None:
    """At once, with what is possible."""
    with pytest.raises(UnsupportedStoreError, match="postgresql://"):
        perdure.launch("mysql://h/d")
    with pytest.raises(UnsupportedStoreError, match="postgresql://"):
        perdure.lifespan(url="mysql://h/d")
    with pytest.raises(UsageError, match="another lifespan"):
        perdure.lifespan("perdure.db")


@pytest.mark.parametrize("is_around", [False, True])
def test_lifespan_takes_the_database_and_its_settings(tmp_path: Path, is_around: bool) -> None:
    """Alone, or around another lifespan."""
    told: list[str] = []

    @asynccontextmanager
    async def existing(app: Any) -> AsyncIterator[dict[str, str]]:
        told.append("begins")
        yield {"state": "theirs"}
        told.append("ends")

    made = perdure.lifespan(*([existing] if is_around else []), url=tmp_path / "own.db", poll_seconds=0.1)

    async def serve() -> tuple[Any, str]:
        async with made(Service()) as state:
            return state, await (await perdure.astart(echo, "a"))

    assert asyncio.run(serve()) == ({"state": "theirs"} if is_around else None, "a")
    assert told == (["begins", "ends"] if is_around else [])
    assert (tmp_path / "own.db").exists()
