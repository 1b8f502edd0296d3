"""Run by the test of hostile rows, in a process of its own: reads each of them under an audit hook.

Prints one JSON object: the events that must not happen, and what was neither refused nor harmless.
"""

from __future__ import annotations

import json
import pickle
import sys
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import pydantic

from perdure._core.serialization import Codec, JsonCodec, PickleCodec, Serializer, TypeRegistry, ZlibCodec
from perdure._entries import Stored
from perdure.errors import PerdureError, RecordedError, SerializationError

WATCHED = (
    "import",
    "exec",
    "compile",
    "open",
    "os.",
    "subprocess.",
    "pickle.",
    "marshal.",
    "code.",
    "ctypes",
    "socket.",
    "shutil.",
    "sys._getframe",
    "builtins.input",
    "function.__new__",
    "object.__setattr__",
)

called: list[str] = []


def spring() -> None:
    """What a hostile row would like to call."""
    called.append("spring")


class TrapError(Exception):
    """An exception whose every way in is a trap."""

    def __new__(cls, *args: object) -> TrapError:
        called.append("TrapError.__new__")
        return super().__new__(cls, *args)

    def __init__(self, *args: object) -> None:
        called.append("TrapError.__init__")
        super().__init__(*args)

    def __setattr__(self, name: str, value: object) -> None:
        called.append("TrapError.__setattr__")

    def __setstate__(self, state: object) -> None:
        called.append("TrapError.__setstate__")

    def __reduce__(self) -> Any:
        called.append("TrapError.__reduce__")
        return (TrapError, ())


@dataclass
class Sprung:
    """A known class that would act when it is initialised."""

    x: Any

    def __post_init__(self) -> None:
        called.append("Sprung.__post_init__")


class Model(pydantic.BaseModel):
    x: Any

    @pydantic.model_validator(mode="after")
    def act(self) -> Model:
        called.append("Model.act")
        return self

    def model_post_init(self, context: Any, /) -> None:
        called.append("Model.model_post_init")


class Late(Model):
    """Known because it extends a known class."""

    y: Any = 0


class Gadget:
    def __reduce__(self) -> Any:
        return (spring, ())


def __getattr__(name: str) -> Any:
    called.append(f"module __getattr__ {name}")
    raise AttributeError(name)


PICKLE = b64encode(pickle.dumps(Gadget())).decode()
NAMES = [
    *"""
    os:system subprocess:Popen builtins:eval builtins:exec types:CodeType types:FunctionType builtins:__import__
    importlib:import_module os:_wrap_close.__init__ antigravity:x this:x ctypes:CDLL builtins:type builtins:object
    builtins:SystemExit builtins:KeyboardInterrupt perdure.errors:RunInterrupted __main__:spring __main__:missing
    __main__:Gadget __main__:TrapError read_hostile_rows:TrapError : a:b.c.d os.path:join sys:modules zoneinfo:ZoneInfo
    pydantic:BaseModel pydantic:create_model read_hostile_rows:Model read_hostile_rows:Late read_hostile_rows:Late[Any]
    read_hostile_rows:Model[int] read_hostile_rows:Sprung pathlib:Path read_hostile_rows:Sprung.__init__.__globals__
    """.split(),  # noqa: SIM905 - fifty quoted words are harder to read
    "",
    "\0",
    "x" * 100_000,
]
TAGS = """
    $dataclass $model $attrs $enum $named_tuple $url $error $call $reduce $object $pickle $opaque py/object
    py/reduce __reduce__ $type $zone $path $bytes $int $set $dict $counter $ordered_dict $datetime $time $date
    $timedelta $timezone $decimal $fraction $complex $range $uuid $deque $ipv4_address $ipv6_network $float $str
    $tuple $frozenset $bytearray $pydantic_zone $ $$ $pydantic $struct $subclass $registered $pattern $default_dict
    $recorded_object
""".split()  # noqa: SIM905 - as above


def payloads() -> list[str]:
    """Every tag with every body, at the top and inside valid tags."""
    bodies: list[Any] = [
        PICKLE,
        None,
        True,
        1,
        -1,
        2**62,
        1.5,
        "",
        "x",
        [],
        {},
        [[]],
        [None],
        [1, 2, 3],
        [[1, 1], [1, 2]],
        [[{}, 1]],
        "../../etc/passwd",
        "/etc/passwd",
        "os/system",
        "tzdata",
        "nan",
        "0x",
        "0xzz",
        "9" * 10_000,
        "1E999999999",
        [1, 0],
        [0, 5, 0],
        ["2024-01-01", {"$zone": "os/system"}, 0],
        {"x": {"$zone": "../x"}},
        [10**18, 10**18, 10**18],
        {"__class__": "os:system"},
    ]
    for name in NAMES:
        error = {"type": name, "message": "rm", "args": ["touch /tmp/pwned"]}
        bodies += [
            name,
            [name, {}],
            [name, ["x"]],
            [name, "touch /tmp/pwned"],
            [name, {"x": 1}],
            [name, {"fields": {"x": 1}}],
            error,
            error | {"attributes": {"__class__": "x", "with_traceback": 1}, "slots": {"errno": [1], "x": 2}},
            error | {"members": [error]},
            error | {"cause": {"$error": error}},
            error | {"args": 5},
        ]
    for builtin in (
        "UnicodeDecodeError",
        "UnicodeEncodeError",
        "OSError",
        "SyntaxError",
        "ExceptionGroup",
        "StopIteration",
    ):
        for args in ([], [1], ["a", 1, 2, 3, 4], ["utf-8", {"$bytes": "YQ=="}, -9, 10**9, "r"], ["x", []]):
            bodies.append({"type": f"builtins:{builtin}", "args": args, "slots": {"filename": [1], "object": 5}})
    texts = [json.dumps({tag: body}) for tag in TAGS for body in bodies]
    inside = [
        '{"$tuple":[%s]}',
        '{"$dict":[[%s,1]]}',
        '{"$set":[%s]}',
        '["read_hostile_rows:Sprung",%s]',
        '{"a":[%s]}',
        '{"$dataclass":["read_hostile_rows:Sprung",{"x":%s}]}',
        '{"$model":["read_hostile_rows:Model",{"fields":{"x":%s}}]}',
        '{"$error":{"type":"read_hostile_rows:TrapError","message":"m","args":[%s],"attributes":{"a":%s}}}',
    ]
    texts += [outer.replace("%s", text) for outer in inside for text in texts[:: len(inside) + 1]]
    deep = 100_000
    texts += [
        "[" * deep,
        "[" * deep + "]" * deep,
        '{"a":' * deep + "1" + "}" * deep,
        '{"$tuple":[' * deep + "]}" * deep,
        '{"$set":[' * 3000 + "]}" * 3000,
        "[" * 3000 + '"$"' + "]" * 3000,
        '{"$error":{"cause":' * deep,
        '{"$error":{"type":"builtins:ValueError","message":"m","cause":' * 2000 + "null" + "}}" * 2000,
    ]
    texts += [
        "1" * 1_000_000,
        "-" + "9" * 5000,
        "1e999",
        "NaN",
        "Infinity",
        "nan",
        '"\\ud800"',
        "",
        " ",
        "\0",
        "{",
        '{"a"',
        "[1,]",
        PICKLE,
        "cos\nsystem\n(S'true'\ntR.",
        '{"$int":"0x' + "f" * 1_000_000 + '"}',
        "\ud800",
        "null",
        "[]",
        "{}",
    ]
    return texts


def read_all(readable: list[Codec]) -> dict[str, Any]:
    registry = TypeRegistry()
    registry.register(Sprung)
    registry.register(Model)
    registry.resolve("read_hostile_rows:Late")  # the annotations of the program's own classes are evaluated once
    serializer = Serializer(registry, readable=readable)
    texts = payloads() if "--with-pickle" not in sys.argv else [PICKLE]
    events: list[str] = []
    wrong: list[str] = []
    is_watching = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if is_watching and event.startswith(WATCHED):
            events.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hook)
    counts = {"read": 0, "refused": 0}
    for text in texts:
        for codec in ("json", "pickle", "zlib+json", "zlib+pickle", "\0"):
            for read in (serializer.load, serializer.load_arguments, serializer.load_error, serializer.fingerprint):
                is_watching = True
                try:
                    result = read(Stored(codec, text))
                    counts["read"] += 1
                    if read == serializer.load_error and not isinstance(result, (Exception, RecordedError)):
                        wrong.append(f"{text[:100]} gave {type(result)}")
                except SerializationError as error:
                    is_watching = False
                    counts["refused"] += 1
                    if len(str(error)) > 2000:
                        wrong.append(f"a message of {len(str(error))} characters for {text[:100]}")
                except (PerdureError, Exception) as error:
                    is_watching = False
                    wrong.append(f"{read.__name__} raised {error!r:.200} for {text[:100]}")
                is_watching = False
    return {"events": events[:20], "called": called[:20], "wrong": wrong[:20], **counts}


if __name__ == "__main__":
    sys.modules["read_hostile_rows"] = sys.modules["__main__"]
    sys.stdout.write(
        json.dumps(read_all([ZlibCodec(JsonCodec()), *([PickleCodec()] if "--with-pickle" in sys.argv else [])]))
    )
