"""What people ask of runs is found by indexes, and no table is read whole: every filter, and the SQL of the pages."""

from __future__ import annotations

import pytest

from benchmarks import listing
from benchmarks.plans import plans
from benchmarks.program import Order
from perdure.stores.protocol import Store


def order_of(store_url: str) -> Order:
    """As the benchmarks name a database."""
    url = store_url if "://" in store_url else f"sqlite:///{store_url}"
    return Order(url, "", 0, False, "")


@pytest.mark.usefixtures("store")
def test_every_page_has_an_index(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among twenty thousand runs, with what the database knows of them."""
    monkeypatch.setattr(listing, "TRIES", 1)
    order = order_of(store_url)
    assert listing.report("postgres" if order.is_postgres else "sqlite", order.url, 20_000)


def test_the_search_for_whole_tables_can_find_one(store: Store, store_url: str) -> None:
    """A check that has never failed proves nothing."""
    assert store is not None
    order = order_of(store_url)
    with plans(order) as planned:
        assert planned.scanned("SELECT * FROM runs WHERE reason = 'x'", {}) == {"runs"}  # on Postgres by search_path
