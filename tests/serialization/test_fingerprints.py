"""Equal arguments have equal fingerprints: in every process, under every hash seed, in every Python version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure._core.serialization import JsonCodec, PickleCodec, ZlibCodec
from perdure._core.serialization.sameness import same
from tests.serialization import samples
from tests.serialization.samples import make_serializer

serializer = make_serializer()
ROOT = Path(__file__).parents[2]
many = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def printed(python: str, seed: int) -> str:
    """What the printing program says under another interpreter and hash seed."""
    environment = os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT / "src")}
    script = Path(__file__).with_name("print_fingerprints.py")
    return subprocess.run([python, script], env=environment, check=True, capture_output=True, text=True).stdout


def test_fingerprints_do_not_depend_on_process_or_hash_seed() -> None:
    """Sets and dicts of many members, in three processes."""
    found = {printed(sys.executable, seed) for seed in (0, 1, 4242)}
    assert len(found) == 1
    assert all(of_text == of_values for of_text, of_values in json.loads(found.pop()))


def test_fingerprints_do_not_depend_on_the_python_version(other_pythons: list[str]) -> None:
    """A run that one version recorded is replayed by another."""
    for python in other_pythons:
        assert printed(python, 7) == printed(sys.executable, 8)


@many
@given(samples.values)
def test_the_fingerprint_of_values_and_of_their_text_agree(value: Any) -> None:
    """Whichever way it is taken, and whichever codec stores the arguments."""
    expected = serializer.fingerprint(serializer.accept_arguments((value,), {}, what="it")[0])
    assert len(expected) == 16
    assert serializer.fingerprint_of((value,), {}) == expected
    stored, args, kwargs = serializer.accept_arguments((value,), {}, what="it")
    assert serializer.fingerprint(stored) == serializer.fingerprint_of(args, kwargs) == expected


@many
@given(samples.values, samples.values)
def test_other_arguments_have_other_fingerprints(left: Any, right: Any) -> None:
    """Types count: 1, True and 1.0 are three."""
    if not same(left, right):
        texts = [serializer.accept(value, what="it")[0].text for value in (left, right)]
        if sorted(texts[0]) != sorted(texts[1]):  # not merely the order of a dict
            assert serializer.fingerprint_of((left,), {}) != serializer.fingerprint_of((right,), {})


@many
@given(st.dictionaries(samples.frozen, samples.scalars, min_size=2, max_size=5), st.randoms())
def test_the_order_of_a_dict_does_not_count(members: dict[Any, Any], random: Any) -> None:
    """Two dicts that are equal have equal fingerprints, by text and by other keys; keyword arguments too."""
    shuffled = list(members.items())
    random.shuffle(shuffled)
    assert serializer.fingerprint_of(([members],), {}) == serializer.fingerprint_of(([dict(shuffled)],), {})
    assert serializer.fingerprint_of((1,), {"a": 1, "b": 2}) == serializer.fingerprint_of((1,), {"b": 2, "a": 1})


@pytest.mark.parametrize("codec", [PickleCodec(), ZlibCodec(JsonCodec())])
def test_the_fingerprint_does_not_depend_on_the_codec(codec: Any) -> None:
    """It is taken from the JSON of the arguments, also where something else is stored."""
    args = ({"b", "a"}, samples.Point({"y": 1, "x": 2}))
    other = make_serializer(codec=codec)
    stored = other.accept_arguments(args, {"k": 1}, what="it")[0]
    assert other.fingerprint(stored) == serializer.fingerprint_of(args, {"k": 1})


def test_of_what_json_cannot_hold_the_type_counts() -> None:
    """A pickled argument of a strange type still tells a call from a call with another type."""
    one, other = serializer.fingerprint_of((object(),), {}), serializer.fingerprint_of((object(),), {})
    assert one == other
    assert one != serializer.fingerprint_of((print,), {})
    ring: list[Any] = []
    ring.append(ring)
    assert serializer.fingerprint_of((ring,), {})
