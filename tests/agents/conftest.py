"""Tests of this folder that are coroutines run on an event loop of their own."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: Any) -> None:
    """Make a plain function of a test that is `async def`."""
    if inspect.iscoroutinefunction(obj) and name.startswith("test_"):

        @functools.wraps(obj)
        def run(*args: Any, **kwargs: Any) -> None:
            asyncio.run(obj(*args, **kwargs))

        setattr(collector.obj, name, run)
