"""The options by which runs are found, for every command that takes a filter."""

from __future__ import annotations

import argparse
from typing import Any

from .. import Client, UsageError
from .times import moment


def add_filter(parser: argparse.ArgumentParser) -> None:
    """`--status`, `--workflow` and the like."""
    group = parser.add_argument_group("which runs")
    group.add_argument("--status", action="append", metavar="STATUS", help="in this state; may be given several times")
    group.add_argument("--workflow", metavar="NAME", help="of this workflow or step, module:function")
    group.add_argument("--queue", metavar="NAME", help="of this queue; '' finds what was started, not submitted")
    group.add_argument("--since", type=moment, metavar="TIME", help="made at this time or later; or so long ago: 2h")
    group.add_argument("--until", type=moment, metavar="TIME", help="made before this time")
    group.add_argument("--parent", metavar="ID", help="children of this run")
    group.add_argument("--id", dest="id_prefix", metavar="PREFIX", help="whose ids begin so")
    group.add_argument(
        "--attribute", action="append", type=attribute, metavar="NAME=VALUE", help="with this attribute; several: all"
    )
    group.add_argument("--text", metavar="TEXT", help="with this text in id, name, reason, arguments or outcome")


def attribute(text: str) -> tuple[str, str]:
    """A name and its value."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE")
    return name, value


def filter_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was given, as `runs.list` takes it."""
    found = {
        name: getattr(arguments, name)
        for name in ("status", "workflow", "queue", "since", "until", "parent", "id_prefix", "text")
        if getattr(arguments, name) is not None
    }
    if arguments.attribute:
        found["attributes"] = dict(arguments.attribute)
    return found


def whole_id(client: Client, given: str) -> str:
    """The id of the only run whose id begins so; what was given where it is an id, or nobody's."""
    alike = [run.run_id for run in client.runs.list(id_prefix=given, limit=2).runs]
    if len(alike) > 1 and given not in alike:
        raise UsageError(f"several runs begin with {given}: {', '.join(alike)}, …")
    return alike[0] if len(alike) == 1 else given
