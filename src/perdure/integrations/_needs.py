"""Which extra an integration needs, said where what it is made for cannot be imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(framework: str, extra: str) -> Iterator[None]:
    """Around the imports of a framework's packages. Raises `ImportError`, which says what to install."""
    try:
        yield
    except ImportError as error:
        module = extra.replace("-", "_")
        raise ImportError(
            f"perdure.integrations.{module} needs {framework}: pip install 'perdure[{extra}]' ({error})"
        ) from error
