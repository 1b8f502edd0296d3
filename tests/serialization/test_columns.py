"""Many values of one type at a time: the same texts, values and verdicts as one by one, for every shape of list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure import errors
from perdure._core.serialization import TypeRegistry
from perdure._core.serialization.columns import FEW, are_same, decode_many, encode_many
from perdure._core.serialization.decoding import Decoder
from perdure._core.serialization.encoding import Encoder
from perdure._core.serialization.json_text import encode_tree
from perdure._core.serialization.refusal import Refusal
from perdure._core.serialization.sameness import Comparison
from tests.serialization import samples
from tests.serialization.samples import Box, Invoice, Item, Open, Pair, Point, Tag, make_serializer

registry = TypeRegistry()
registry.learn(samples.example)
comparison = Comparison(registry)
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

zones = st.sampled_from(
    [None, dt.UTC, dt.timezone(dt.timedelta(hours=1), "A"), dt.timezone(dt.timedelta(hours=1), "B")]
)
inner = st.one_of(
    samples.scalars, st.floats(), st.datetimes(timezones=zones), st.none(), st.sampled_from(samples.Colour)
)
cells = st.one_of(
    inner, st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3), inner.map(Point), samples.frozen
)
rows = st.one_of(
    st.lists(st.builds(Point, cells, cells), min_size=FEW, max_size=8),
    st.lists(cells.map(Pair), min_size=FEW, max_size=8),
    st.lists(cells.map(Tag), min_size=FEW, max_size=8),
    st.lists(st.builds(Item, name=st.text(), price=cells), min_size=FEW, max_size=8),
    st.lists(cells.map(lambda price: Open(other=price)), min_size=FEW, max_size=8),
    st.lists(st.lists(cells.map(Box), max_size=3), min_size=FEW, max_size=6),
    st.lists(st.dictionaries(st.text(), cells.map(Box), max_size=3), min_size=FEW, max_size=6),
    st.lists(st.lists(cells, max_size=2).map(tuple), min_size=FEW, max_size=6),
    st.lists(st.sampled_from(samples.Colour), min_size=FEW, max_size=8),
    st.lists(st.datetimes(timezones=zones), min_size=FEW, max_size=8),
    st.lists(cells, min_size=FEW, max_size=8),
)


def encoder(*, is_bulk: bool) -> Encoder:
    return Encoder(registry, budget=1 << 30, is_escaping=True, is_bulk=is_bulk)


def test_equal_moments_of_two_zones_are_not_the_same() -> None:
    """`==` takes them for one, and what a zone is called does not count for it."""
    one, other = (dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1), name)) for name in "AB")
    assert are_same(comparison, [one] * FEW, [one] * FEW)
    assert not are_same(comparison, [one] * FEW, [one] * (FEW - 1) + [other])


def test_members_of_enums_are_read_as_one_by_one() -> None:
    """Also what no enum has, and what is only equal to something that it has."""
    name = "tests.serialization.samples:Colour"
    for state in ("RED", "BROWN", 1, True, ["RED"], {}):
        trees = [{"$enum": [name, "RED"]}] * FEW + [{"$enum": [name, state]}]
        if state == "RED":
            assert decode_many(Decoder(registry, is_bulk=True), trees) == [samples.Colour.RED] * len(trees)
        else:
            with pytest.raises(Refusal):
                decode_many(Decoder(registry, is_bulk=True), trees)


@many
@given(rows)
def test_a_column_is_written_and_read_as_its_values_are(values: list[Any]) -> None:
    """One text whichever way it is written, one value whichever way it is read."""
    one_by_one = [encoder(is_bulk=False).encode(value, 1) for value in values]
    assert encode_tree(encode_many(encoder(is_bulk=True), values, 1)) == encode_tree(one_by_one)
    made = decode_many(Decoder(registry, is_bulk=True), one_by_one)
    expected = [Decoder(registry).decode(encoder(is_bulk=False).encode(value, 1)) for value in values]
    assert all(map(comparison.one, made, expected))
    assert all(map(comparison.one, made, values))
    assert are_same(comparison, made, values)


@many
@given(rows, rows)
def test_columns_are_the_same_only_if_their_values_are(left: list[Any], right: list[Any]) -> None:
    """The verdict of the whole is that of its parts."""
    expected = len(left) == len(right) and all(map(comparison.one, left, right))
    assert (len(left) == len(right) and are_same(comparison, left, right)) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, True), (1, 1.0), (0.0, -0.0), (Point(1), Point(True)), ("a", samples.Mode.FAST), ([1], (1,))],
)
def test_one_different_cell_makes_another_column(left: Any, right: Any) -> None:
    """Types and signs count in a column as they do alone."""
    for kind in (Point, lambda cell: [cell], lambda cell: {"a": cell}, lambda cell: Item(name="a", price=cell)):
        rows_left, rows_right = ([kind(cell) for cell in [*[left] * 6, last]] for last in (left, right))
        assert are_same(comparison, rows_left, rows_left)
        assert not are_same(comparison, rows_left, rows_right)


def test_a_refusal_in_a_column_names_its_row() -> None:
    """As if each row had been written alone; a cycle through many rows ends, and says where it closes."""
    serializer = make_serializer()
    bad: list[Any] = [Point(i) for i in range(100)]
    bad[57] = Point({"k": [object()]})
    with pytest.raises(errors.SerializationError) as caught:
        serializer.accept({"rows": bad}, what="it")
    assert caught.value.path == "$.rows[57].x.k[0]"
    ring: list[Any] = []
    ring.extend(Invoice(lines=[Point(ring)] * 8) for _ in range(8))
    with pytest.raises(errors.SerializationError, match="contains itself") as caught:
        serializer.accept(ring, what="it")
    assert caught.value.path == "$[0].lines[0].x"


def test_a_damaged_row_among_many_is_named() -> None:
    """Reading a column falls back to its rows: old ones get the default of a new field, damaged ones are refused."""
    serializer = make_serializer()
    stored = serializer.accept([Point(i, i) for i in range(20)], what="it")[0]
    grown = type(stored)("json", stored.text.replace('{"x":7,"y":7}', '{"x":7}'))
    assert serializer.load(grown)[7] == Point(7, 0)
    broken = type(stored)("json", stored.text.replace('{"x":7,"y":7}', '{"x":7,"z":7}'))
    with pytest.raises(errors.SerializationError, match="has the field 'z'") as caught:
        serializer.load(broken)
    assert caught.value.path.startswith("$[7]")


def test_no_row_shares_its_parts_with_the_value_that_was_given() -> None:
    """The workflow gets a copy: rows, lists and dicts in them too."""
    given_rows = [Invoice(lines=[Point([i])]) for i in range(9)]
    live = make_serializer().accept(given_rows, what="it")[1]
    given_rows[3].lines[0].x.append(5)
    given_rows[4].total = 99
    assert live[3].lines[0].x == [3]
    assert live[4].total == 1
