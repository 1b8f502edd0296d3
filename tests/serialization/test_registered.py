"""Types that the user's own functions write, names by which moved types are found, and pickle where it is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest

from perdure import errors
from perdure._core.serialization import PickleCodec, Serializer, TypeRegistry
from tests.serialization.test_libraries import round_trip

HERE = "tests.serialization.test_registered"


def numbers_registry() -> TypeRegistry:
    """numpy and pandas by functions of the user's."""
    registry = TypeRegistry()
    registry.register(
        np.ndarray,
        encode=lambda array: {"dtype": array.dtype.str, "shape": array.shape, "bytes": array.tobytes()},
        decode=lambda parts: np.frombuffer(parts["bytes"], parts["dtype"]).reshape(parts["shape"]),
    )
    registry.register(np.float64, encode=float, decode=np.float64)
    registry.register(
        pd.DataFrame, encode=lambda frame: frame.to_dict("split"), decode=lambda parts: pd.DataFrame(**parts)
    )
    return registry


def test_a_type_is_written_by_the_functions_that_were_registered() -> None:
    """Arrays, frames and numbers of other libraries, alone and in containers; `==` of an array is not asked."""
    registry = numbers_registry()
    array = np.arange(6).reshape(2, 3)
    back = round_trip({"a": [array] * 5, "b": np.float64(1.5)}, registry=registry)
    assert (back["a"][4] == array).all()
    assert type(back["b"]) is np.float64
    frame = pd.DataFrame({"x": [1, 2]})
    assert round_trip(frame, registry=registry).equals(frame)


def test_a_registered_function_that_loses_something_is_found_out() -> None:
    """What does not come back as it went in is refused, whoever wrote it; one of another type too."""
    for decode in (lambda parts: np.array([1.0]), list):
        registry = TypeRegistry()
        registry.register(np.ndarray, encode=lambda array: array.tolist(), decode=decode)
        with pytest.raises(errors.SerializationError, match="does not come back equal and of the same type"):
            Serializer(registry).accept(np.arange(3), what="it")


@pytest.mark.parametrize("value", [np.arange(2), np.float64(1.0), pd.Timestamp(2024, 1, 1)])
def test_a_type_of_an_extension_module_is_refused_with_the_mend(value: Any) -> None:
    """Such as `register(ndarray, encode=…, decode=…)`; never half stored."""
    with pytest.raises(errors.SerializationError, match=rf"register\({type(value).__name__}, encode=…, decode=…\)"):
        round_trip(value, type(value))


@pytest.mark.parametrize(
    "value", [np.arange(2), np.float64(1.0), np.int64(3), np.bool_(True), pd.Series([1])], ids=repr
)
def test_a_number_or_array_of_a_library_is_refused_with_what_makes_it_plain(value: Any) -> None:
    """Which most steps that meet one want."""
    with pytest.raises(errors.SerializationError, match=r"or convert it with \.tolist\(\)"):
        round_trip([value], int)
    assert round_trip(value.tolist(), int) == value.tolist()


class Plain:
    def __init__(self, part: object) -> None:
        self.part = part


@dataclass
class Lossy:
    part: int

    def __reduce__(self) -> Any:
        return (Lossy, (0,))


def test_pickle_takes_what_one_names_it_for() -> None:
    """Arrays, frames, objects of plain classes, errors with their cause; still not what says itself that it differs."""
    serializer = Serializer(TypeRegistry(), PickleCodec())
    error = ValueError("x")
    error.__cause__ = KeyError("y")
    value = {"a": np.arange(3), "f": pd.DataFrame({"a": [1]}), "p": [Plain(1)] * 5, "e": error}
    stored, live = serializer.accept(value, what="it")
    assert (live["a"] == value["a"]).all()
    assert live["p"][4].part == 1
    assert repr(serializer.load(stored)["e"].__cause__) == "KeyError('y')"
    with pytest.raises(errors.SerializationError, match="does not come back equal"):
        serializer.accept(Lossy(1), what="it")


class Renamed(pydantic.BaseModel):
    a: int = 1


def test_a_moved_type_finds_home() -> None:
    """Under its alias what is stored is found; and stored, so that a process with the old code reads it as well."""
    old, new = TypeRegistry(), TypeRegistry()
    new.register(Renamed, aliases=["old.module:Named", "older:Name"])
    text = '{"$model":["%s",{"fields":{"a":2},"set":[]}]}'
    for name in ("old.module:Named", "older:Name", f"{HERE}:Renamed"):
        stored = Serializer(old).accept(None, what="it")[0]
        assert Serializer(new).load(type(stored)("json", text % name)) == Renamed.model_construct(a=2)
    assert '"old.module:Named"' in Serializer(new).accept(Renamed(), what="it")[0].text


@pytest.mark.parametrize(
    ("tp", "options", "match"),
    [
        (Plain, {"encode": str}, "two functions"),
        (Plain, {"encode": str, "decode": 3}, "two functions"),
        (int, {"encode": str, "decode": int}, "a class of yours"),
        (list[Plain], {"aliases": ["a:b"]}, "a class of yours"),
        (Plain, {"aliases": ["Plain"]}, "no name like"),
        (Plain, {"aliases": [Plain]}, "no name like"),
        (Plain, {"aliases": [f"{HERE}:Lossy"]}, "the name of another class"),
    ],
)
def test_a_registration_that_cannot_work_is_refused(tp: Any, options: dict[str, Any], match: str) -> None:
    """Where it is written, and nothing of it is kept."""
    registry = TypeRegistry()
    registry.register(Lossy)
    with pytest.raises(errors.UsageError, match=match):
        registry.register(tp, **options)
    assert registry.resolve(f"{HERE}:Plain") is None
