"""Writes the reference from what the package says of itself: signatures and docstrings of every public name.

    .venv/bin/python tools/site/reference.py

Run with the Python that has Perdure. A public name needs no line here: it is on the page of its module, and a module
that `PAGES` does not place gets a page of its own.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import commands
import places
import tables
import unimported

PAGES = {
    "workflows-and-steps": ("Workflows and steps", ("decorators", "steps", "_core.retry")),
    "starting": ("Starting runs", ("queue", "handle", "starting")),
    "queues": ("The limits of queues", ("queues",)),
    "waiting": ("Waiting for several", ("several", "limits", "gathering", "mapping", "_core.policy", "polling")),
    "talking": (
        "Messages, hooks, events and streams",
        ("messages", "hooks", "events", "streams", "stream_pages", "_core.reading"),
    ),
    "effects": ("Effects and long steps", ("transactions", "undoing", "long_steps")),
    "in-a-run": ("In a run", ("recorded_values", "whereabouts", "threads", "continuing", "patching", "logs")),
    "schedules": ("Schedules", ("schedule_options", "schedules", "shown_schedules")),
    "instances": ("Instances", ("app", "lifespan", "_engine.listeners")),
    "clients": (
        "Clients, finding and steering runs",
        ("client", "inspection", "steered", "steering", "shown_runs", "explaining", "attributes", "overview"),
    ),
    "values": ("Types and codecs", ("types", "_core.serialization")),
    "errors": ("Errors", ("errors",)),
}
"""The pages, each with the modules whose public names it has."""

SENTENCES = {
    "workflows-and-steps": "What makes a function durable, and how its steps are tried again.",
    "starting": "Runs are started here or put on a queue; a handle is the caller's end of one.",
    "queues": "What is set for a queue, changed while all works, and pauses.",
    "waiting": "Several runs or tasks at once, how long a block waits, and what is asked until it is so.",
    "talking": "What runs are told, what they ask of people, and what they say to others while they go on.",
    "effects": "Steps in a transaction of yours, what undoes a step, and how far a long one has come.",
    "in-a-run": "What a workflow asks for instead of the clock, chance and threads, and who it is.",
    "schedules": "What comes by the clock.",
    "instances": "Perdure on a database: launched, shut down, tied to a web application's life.",
    "clients": "What a process does that executes nothing: start runs, find them, look at them, steer them.",
    "values": "How values become text: your own types, and the codecs.",
}

HIDDEN = {"__reduce__", "__getattr__", "__eq__", "__hash__", "__repr__", "__init__", "__await__"}
INTERNAL = {
    "Handle.delivered_to",
    "Handle.deliver",
    "Handle.branch_in",
    "Perdure.launch_unasked",
    "Perdure.forget_parent",
    "Perdure.is_like",
    "Client.outside",
    "Client.opened",
    "Client.forget_parent",
}
"""Without an underscore, since other modules of the package call them, and nobody else should."""

MADE_BY_PERDURE = {"Handle", "Current"}
"""Classes that nobody else makes: their constructor is not shown."""

ATTACHED = ("testing", "integrations", "dashboard", "typing")
"""Public modules beside the package itself, where they exist."""


def main() -> None:
    """Write all pages anew."""
    shutil.rmtree(places.REFERENCE, ignore_errors=True)
    places.REFERENCE.mkdir(parents=True)
    for name, text in pages().items():
        (places.REFERENCE / f"{name}.md").write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Every page of the reference by its name."""
    perdure = importlib.import_module("perdure")
    made: dict[str, list[str]] = {}
    titles: dict[str, str] = {page: title for page, (title, _) in PAGES.items()}
    for name in perdure.__all__:
        value = getattr(perdure, name)
        page, title = place_of(home_of(value, name))
        titles.setdefault(page, title)
        made.setdefault(page, []).append(entry(name, value, "perdure"))
    order = [*[page for page in PAGES if page in made], *sorted(page for page in made if page not in PAGES)]
    texts = {page: "\n\n".join([f"# {titles[page]}", *introduction(page), *made[page]]) + "\n" for page in order}
    texts |= dict(attached_pages())
    texts |= {"settings": tables.settings(), "sql": tables.sql_views()}
    if (page_of_commands := commands.page()) is not None:
        texts["commands"] = page_of_commands
    titles |= {"settings": "Settings", "sql": "SQL views", "commands": "Commands"} | {
        module: f"`{module}`" for module in texts if "." in module
    }
    return {"index": index(perdure, texts, titles)} | texts


def introduction(page: str) -> Iterator[str]:
    """What stands above a page's entries: a sentence on what is here; of the errors, their tree."""
    if page in SENTENCES:
        yield SENTENCES[page]
    if page == "errors":
        head, _, tree = (importlib.import_module("perdure.errors").__doc__ or "").partition("\n\n")
        tree, _, rest = tree.partition("\n\n")
        yield f"{head}\n\n```text\n{tree}\n```\n\n{rest.strip()}"


def index(perdure: ModuleType, texts: dict[str, str], titles: dict[str, str]) -> str:
    """The first page: every public name, and where it is."""
    lines = [
        "# Reference",
        "",
        "Made from the docstrings. What `from perdure import …` gives, and where it is described:",
        "",
        "| name | in a sentence |",
        "| --- | --- |",
    ]
    for page, text in texts.items():
        for name in perdure.__all__:
            if f"{{ #perdure.{name} }}" in text:
                sentence = first_sentence(getattr(perdure, name)).replace("|", "\\|")
                lines.append(f"| [`{name}`]({page}.md#perdure.{name}) | {sentence} |")
    lines += ["", "## Pages", ""]
    lines += [f"- [{titles[page]}]({page}.md)" for page in texts]
    return "\n".join(lines) + "\n"


def attached_pages() -> Iterator[tuple[str, str]]:
    """The pages of the public modules that exist, with those below them that have public names of their own."""
    perdure = importlib.import_module("perdure")
    for path in sorted(Path(perdure.__path__[0]).rglob("*.py")):
        parts = path.relative_to(perdure.__path__[0]).with_suffix("").parts
        name = ".".join(("perdure", *parts)).removesuffix(".__init__")
        if parts[0] not in ATTACHED or any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        if parts[0] == "integrations":
            if unimported.has_public_names(path):
                yield name, unimported.page_of_source(name, path)
        elif public_names(module := importlib.import_module(name)):
            yield name, page_of_module(module)


def public_names(module: ModuleType) -> list[str]:
    """`__all__` of the module; without one, what it defines itself and does not hide."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    syntax = ast.parse(inspect.getsource(module))
    own = {node.name for node in syntax.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= set(documented_variables(syntax))
    return [name for name in vars(module) if name in own and not name.startswith("_")]


def page_of_module(module: ModuleType) -> str:
    """The page of one public module."""
    notes = documented_variables(ast.parse(inspect.getsource(module)))
    parts = [f"# `{module.__name__}`", inspect.getdoc(module) or ""]
    parts += [entry(name, getattr(module, name), module.__name__, notes.get(name)) for name in public_names(module)]
    return "\n\n".join(part for part in parts if part) + "\n"


def documented_variables(syntax: ast.Module | ast.ClassDef) -> dict[str, str]:
    """The variables of a module or class that have a string below them, with it."""
    notes = {}
    for node, after in zip(syntax.body, syntax.body[1:], strict=False):
        target = (
            node.target
            if isinstance(node, ast.AnnAssign)
            else node.targets[0]
            if isinstance(node, ast.Assign)
            else None
        )
        is_note = (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        )
        if isinstance(target, ast.Name) and is_note:
            notes[target.id] = inspect.cleandoc(after.value.value)
    return notes


def home_of(value: Any, name: str) -> str:
    """The module in which a public name is defined, without the package's name."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).removeprefix("perdure.").removeprefix("_api.")


def place_of(module: str) -> tuple[str, str]:
    """The page of a module, and its title."""
    for page, (title, modules) in PAGES.items():
        if any(module == one or module.startswith(f"{one}.") for one in modules):
            return page, title
    name = module.rpartition(".")[2].strip("_")
    return name.replace("_", "-"), name.replace("_", " ").capitalize()


def first_sentence(value: Any) -> str:
    """The first sentence of the docstring."""
    text = " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".:") + "." if text else ""


def entry(name: str, value: Any, module: str, note: str | None = None) -> str:
    """One public name: its heading, signature, docstring, and what a class has."""
    parts = [f"## `{name}` {{ #{module}.{name} }}"]
    if inspect.isclass(value):
        parts.append(code(class_line(name, value)))
    elif callable(value) and not is_alias(value):
        parts.append(code(line_of_call(name, value)))
    elif is_own(value):
        parts.append(code(f"{name}: {type(value).__name__}"))
    else:
        parts.append(code(f"{name} = {value!r}".replace("typing.", "")))
    parts.append(note or (prose(value) if is_own(value) or not is_alias(value) else ""))
    if inspect.isclass(value) or is_own(value):
        parts += list(members(name, value if inspect.isclass(value) else type(value), module))
    return "\n\n".join(part for part in parts if part)


def is_own(value: Any) -> bool:
    """Whether it is an object of a class of the package, whose methods are what it is there for."""
    return type(value).__module__.startswith("perdure.")


def is_alias(value: Any) -> bool:
    """Whether it is a type by another name, or a plain value, whose docstring is that of its type."""
    return typing.get_origin(value) is not None or not (inspect.isclass(value) or callable(value))


def prose(value: Any) -> str:
    """The docstring, with what it draws as code."""
    return inspect.getdoc(value) or ""


def class_line(name: str, value: type) -> str:
    """How a class is made, and what it is."""
    bases = [base.__name__ for base in value.__bases__ if base is not object and not base.__name__.startswith("_")]
    above = f"({', '.join(bases)})" if bases else ""
    try:
        made = line_of_call(name, value)
    except (ValueError, TypeError):
        made = ""
    takes_nothing_own = (
        name in MADE_BY_PERDURE
        or made.endswith("(*args, **kwargs)")
        or (issubclass(value, BaseException) and "*args" in made)
    )
    return f"class {name}{above}" + (f"\n\n{made}" if made and not takes_nothing_own else "")


def line_of_call(name: str, value: Any) -> str:
    """The signature as people write it, broken into lines where it is long."""
    signature = inspect.signature(value)
    own = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    whole = str(signature.replace(parameters=own)).replace("typing.", "").replace("'", "")
    word = "async " if inspect.iscoroutinefunction(value) else ""
    line = f"{word}{name}{whole}"
    if len(line) <= 88:
        return line
    pieces = marked(own)
    returned = whole.rpartition(" -> ")[2] if " -> " in whole else ""
    inside = "".join(f"    {piece},\n" for piece in pieces)
    return f"{word}{name}(\n{inside})" + (f" -> {returned}" if returned else "")


def marked(parameters: list[inspect.Parameter]) -> list[str]:
    """The parameters as text, with `/` and `*` where they belong."""
    pieces: list[str] = []
    for before, one in zip([None, *parameters], parameters, strict=False):
        was = before.kind if before is not None else None
        if was is one.POSITIONAL_ONLY and one.kind is not one.POSITIONAL_ONLY:
            pieces.append("/")
        if one.kind is one.KEYWORD_ONLY and was not in (one.KEYWORD_ONLY, one.VAR_POSITIONAL):
            pieces.append("*")
        pieces.append(str(one).replace("'", "").replace("typing.", ""))
    return pieces


def members(name: str, value: type, module: str) -> Iterator[str]:
    """The public methods, properties and fields of a class, its own and those of its bases in the package."""
    if fields := fields_of(value):
        yield fields
    seen = set(HIDDEN)
    for base in value.__mro__:
        if not base.__module__.startswith("perdure"):
            continue
        for member, raw in vars(base).items():
            if member in seen or member.startswith("_") or f"{name}.{member}" in INTERNAL:
                continue
            seen.add(member)
            if isinstance(raw, property | classmethod | staticmethod) or inspect.isfunction(raw):
                yield member_entry(f"{name}.{member}", raw, f"{module}.{name}.{member}")


def member_entry(name: str, raw: Any, anchor: str) -> str:
    """One method or property."""
    function = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
    if not inspect.getdoc(function):
        return ""
    if isinstance(raw, property):
        kind = str(inspect.signature(function).return_annotation).replace("typing.", "")
        line = f"{name}: {kind}"
    else:
        line = line_of_call(name, function)
    return "\n\n".join([f"### `{name}` {{ #{anchor} }}", code(line), prose(function)])


def fields_of(value: type) -> str:
    """The fields of a dataclass that say something of themselves."""
    if not dataclasses.is_dataclass(value):
        return ""
    syntax = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    notes = documented_variables(typing.cast(ast.ClassDef, syntax))
    if not notes:
        return ""
    lines = ["| field | type | |", "| --- | --- | --- |"]
    for field in dataclasses.fields(value):
        kind = str(field.type).replace("|", "\\|")
        lines.append(f"| `{field.name}` | `{kind}` | {' '.join(notes.get(field.name, '').split())} |")
    return "\n".join(lines)


def code(text: str) -> str:
    """A block of Python."""
    return f"```python\n{text}\n```"


if __name__ == "__main__":
    main()
