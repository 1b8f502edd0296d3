"""What an error of the driver says about users' values, keys and passwords goes no further than the store."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import psycopg
import pytest

from perdure._entries import Stored
from perdure.errors import StoreError, StoreRefusedError
from perdure.stores.open import open_store
from perdure.stores.postgres import PostgresStore
from tests.stores.entries import W1, created, join

PRIVATE = "the patient's name"


def said(action: Callable[[], object]) -> str:
    """All that a log with a traceback shows of the error that this raises."""
    with pytest.raises(StoreError) as caught:
        action()
    return "".join(traceback.format_exception(caught.value))


def test_a_refused_value_is_not_shown(postgres_url: str) -> None:
    """Postgres tells the context of what it refuses: the JSON around it, with its values."""
    store = PostgresStore(postgres_url)
    join(store, W1)
    entry = created("r", input=Stored("json", f'"{PRIVATE} \0"'))
    with pytest.raises(StoreRefusedError, match="SQLSTATE 22P05"):
        store.apply(W1, [entry])
    assert PRIVATE not in said(lambda: store.apply(W1, [entry]))
    store.close()


def test_a_key_that_is_taken_is_not_shown(postgres_url: str) -> None:
    """Its detail names the values of the key."""
    store = PostgresStore(postgres_url)
    join(store, W1)
    with psycopg.connect(postgres_url) as person:
        person.execute("INSERT INTO perdure.inputs (run_id, codec, body) VALUES (%s, 'json', '1')", [PRIVATE])
    text = said(lambda: store.apply(W1, [created(PRIVATE)]))
    assert PRIVATE not in text
    assert "inputs_pkey" in text
    store.close()


def test_a_text_without_utf8_is_not_shown(store_url: str) -> None:
    """On both stores: a lone surrogate in an id or a value."""
    store = open_store(store_url)
    store.migrate()
    join(store, W1)
    for entry in (created(f"{PRIVATE} \ud800"), created("r", input=Stored("json", f"{PRIVATE} \ud800"))):
        assert PRIVATE not in said(lambda entry=entry: store.apply(W1, [entry]))
    assert PRIVATE not in said(lambda: store.runs.row(f"{PRIVATE} \ud800"))
    store.close()
