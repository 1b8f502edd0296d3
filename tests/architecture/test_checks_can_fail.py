"""Each check of the architecture fails on a small package that breaks its rule, and passes once that is mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import checks
from tests.architecture.checks import Check, read_tree

SOUND = {
    "__init__.py": '"""The surface."""\nfrom .queue import Queue\n',
    "queue.py": '"""Queues."""\nfrom ._engine.journal import Journal\n\nclass Queue:\n    """A queue."""\n',
    "errors.py": '"""Errors."""\n',
    "typing.py": '"""Words."""\n',
    "_entries.py": '"""Entries."""\nfrom .typing import X\n',
    "_core/__init__.py": '"""Rules."""\n',
    "_core/order.py": '"""Order."""\nfrom asyncio import CancelledError\nfrom ..errors import PerdureError\n',
    "_engine/__init__.py": '"""Jobs."""\n',
    "_engine/parts.py": '"""The whole."""\nfrom .journal import Journal\n',
    "_engine/runtime.py": '"""Its life."""\nfrom .parts import Parts\n',
    "_engine/journal.py": '"""Journal."""\nimport threading\nfrom .._core.order import x\n'
    'from ..stores.protocol import Store\n\nclass Journal:\n    """One writer."""\n',
    "stores/__init__.py": '"""Rows."""\n',
    "stores/protocol.py": '"""Protocol."""\nfrom typing import Protocol\nfrom .._entries import Entry\n\n'
    'class Store(Protocol):\n    """A database."""\n    def close(self):\n        """Close it."""\n',
    "stores/sqlite/__init__.py": '"""SQLite."""\nimport sqlite3\nfrom ..protocol import Store\n\n'
    'class SqliteStore:\n    """One file."""\n    def close(self): ...\n',
}

Broken = tuple[Check, str, str]
BROKEN: list[Broken] = [
    (checks.no_arrow_points_up, "_core/order.py", "from ..stores.protocol import Store\n"),
    (checks.no_arrow_points_up, "_core/order.py", "from .. import _engine\n"),
    (checks.no_arrow_points_up, "_engine/journal.py", "def f():\n    from ..stores.sqlite import SqliteStore\n"),
    (checks.no_arrow_points_up, "_engine/journal.py", "from ..queue import Queue\n"),
    (checks.no_arrow_points_up, "_engine/journal.py", "import perdure.queue\n"),
    (checks.no_arrow_points_up, "stores/sqlite/__init__.py", "from ..._core.order import x\n"),
    (checks.no_arrow_points_up, "errors.py", "if TYPE_CHECKING:\n    from ._core.order import x\n"),
    (checks.no_arrow_points_up, "cli/__init__.py", '"""Command line."""\nfrom .._engine.journal import Journal\n'),
    (checks.no_arrow_points_up, "_engine/journal.py", "x = import_module('perdure.stores.sqlite')\n"),
    (checks.no_cycles, "_core/order.py", "from .other import y\n|_core/other.py|from .order import x\n"),
    (
        checks.no_cycles,
        "_core/order.py",
        "if TYPE_CHECKING:\n    from .other import y\n|_core/other.py|from .order import x\n",
    ),
    (checks.no_cycles, "_core/order.py", "def f():\n    from .other import y\n|_core/other.py|from .order import x\n"),
    (checks.rules_have_no_world, "_core/order.py", "import threading\n"),
    (checks.rules_have_no_world, "_core/order.py", "from sqlite3 import connect\n"),
    (checks.rules_have_no_world, "_core/order.py", "from time import monotonic\n"),
    (checks.rules_have_no_world, "_core/order.py", "from asyncio import get_running_loop\n"),
    (checks.rules_have_no_world, "_core/order.py", "from os import urandom\n"),
    (
        checks.rules_have_no_world,
        "_core/order.py",
        "import datetime\nx = datetime.datetime.now\n|_core/a.py|datetime.now()\n",
    ),
    (checks.rules_have_no_world, "_core/order.py", "import uuid\nx = uuid.uuid4()\n"),
    (checks.rules_have_no_world, "_core/order.py", "text = open('file').read()\n"),
    (checks.late_imports_give_a_reason, "queue.py", "def f():\n    import json\n"),
    (checks.files_are_short, "queue.py", "x = 1\n" * 400),
    (checks.definitions_are_short, "queue.py", "def f():\n" + "    x = 1\n" * 50),
    (checks.definitions_are_short, "queue.py", "class C:\n" + "    x = 1\n" * 330),
    (checks.parameters_are_few, "queue.py", "def f(a, b, c, d, e, f, g, h): ...\n"),
    (checks.parameters_are_few, "queue.py", "def f(*, a, b, c, d, e, f, g, h, i, j, k, l, m): ...\n"),
    (checks.parts_do_not_know_the_whole, "_engine/journal.py", "from .runtime import Runtime\n"),
    (checks.parts_do_not_know_the_whole, "_engine/journal.py", "from .parts import Parts\n"),
    (checks.parts_do_not_know_the_whole, "_engine/journal.py", "if TYPE_CHECKING:\n    from .runtime import Runtime\n"),
    (checks.no_sql_in_python, "stores/sqlite/__init__.py", "x = 'SELECT id FROM runs'\n"),
    (checks.no_sql_in_python, "stores/sqlite/__init__.py", "x = f'DELETE FROM runs WHERE {1}'\n"),
    (checks.no_sql_in_python, "stores/sqlite/__init__.py", "x = 'select id from runs'\n"),
    (checks.no_sql_in_python, "stores/sqlite/__init__.py", "x = 'insert or ignore into runs values (1)'\n"),
    (checks.no_sql_in_python, "stores/sqlite/__init__.py", "x = '''\n  CREATE TABLE runs (id)'''\n"),
    (checks.modules_are_nouns, "_core/retry_utils.py", '"""Bits."""\n'),
    (checks.modules_are_nouns, "_core/base.py", '"""Bits."""\n'),
    (checks.public_names_have_docstrings, "queue.py", "def flush(): ...\n"),
    (checks.public_names_have_docstrings, "queue.py", "class Q:\n    '''A queue.'''\n    def flush(self): ...\n"),
    (checks.public_names_have_docstrings, "_core/silent.py", "x = 1\n"),
]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package that keeps every rule."""
    root = tmp_path / "perdure"
    for name, text in SOUND.items():
        append(root / name, text)
    return root


def append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: str(check.__name__))
def test_a_sound_package_passes(package: Path, check: Check) -> None:
    """No check cries wolf on a package that keeps the rules."""
    assert check(read_tree(package)) == []


@pytest.mark.parametrize(("check", "file", "text"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_package_fails(package: Path, check: Check, file: str, text: str) -> None:
    """One line that breaks a rule is found, with its place; the other rules do not hide it."""
    first, *others = text.split("|")
    append(package / file, first)
    for other, extra in zip(others[::2], others[1::2], strict=True):
        append(package / other, extra)

    assert check(read_tree(package)) != []


def test_every_check_was_seen_to_fail() -> None:
    """A check without a broken example proves nothing, so none may be added without one."""
    assert {check for check, _, _ in BROKEN} == set(checks.CHECKS)


def test_a_reason_excuses_a_late_import(package: Path) -> None:
    """A comment beside or above a lazy import is what the rule asks for."""
    append(package / "queue.py", "def f():\n    # slow to import, and only needed here\n    import json\n")

    assert checks.late_imports_give_a_reason(read_tree(package)) == []


def test_what_a_request_documents_its_answer_need_not(package: Path) -> None:
    """A flow's request says what it asks; the method that answers it is excused, and no other."""
    append(package / "_core/order.py", 'class Ask:\n    """What time is it?"""\n    method = "now"\n')
    append(package / "_engine/journal.py", "    def now(self): ...\n    def then(self): ...\n")

    assert [breach.rpartition(": ")[2] for breach in checks.public_names_have_docstrings(read_tree(package))] == [
        "then has no docstring"
    ]
