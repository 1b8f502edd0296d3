"""Types that a module imports for type checkers only are named in its annotations like all others."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure._core.serialization import Serializer, TypeRegistry

DOCUMENTS = """
    from dataclasses import dataclass

    @dataclass
    class Page:
        number: int

    @dataclass
    class Document:
        pages: list[Page]
"""
STEPS = """
    from __future__ import annotations
    import typing
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        import papers.documents as papers_of
        from nowhere.at_all import Missing
        from .documents import Document as Doc

    if typing.TYPE_CHECKING:
        import papers.documents

    def relative(): "-> Doc"
    def make() -> {annotation}: ...
"""


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of which nothing is loaded yet."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "__init__.py").touch()
    (tmp_path / "papers" / "documents.py").write_text(textwrap.dedent(DOCUMENTS))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path / "papers"
    for name in [name for name in sys.modules if name.partition(".")[0] == "papers"]:
        del sys.modules[name]


@pytest.mark.parametrize("annotation", ["Doc", "papers_of.Document", "list[papers.documents.Document]"])
def test_a_type_that_is_imported_for_type_checkers_only_is_known(papers: Path, annotation: str) -> None:
    """In a fresh process too, which has not loaded its module: the import in the source says where it is."""
    name = f"papers.steps_{annotation.encode().hex()}"
    (papers / f"{name.partition('.')[2]}.py").write_text(textwrap.dedent(STEPS).format(annotation=annotation))
    registry = TypeRegistry()
    registry.learn(importlib.import_module(name).make)
    assert "papers.documents" not in sys.modules
    document = registry.resolve("papers.documents:Document")
    assert document is not None
    value = document([sys.modules["papers.documents"].Page(1)])
    stored, decoded = Serializer(registry).accept(value, what="it")
    assert decoded == value
    assert '"papers.documents:Page"' in stored.text
