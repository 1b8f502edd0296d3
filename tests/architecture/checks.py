"""The rules of the house as functions from a tree of modules to a list of breaches, each with its place and the mend.

`test_house_rules` applies them to the package, `test_checks_can_fail` to small trees that break one rule each.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from tests.architecture.tree import Import, Module, read_tree, target_of

Tree = dict[str, Module]
Check = Callable[[Tree], list[str]]

LONGEST_FILE = 400
LONGEST_CLASS = 330
LONGEST_FUNCTION = 50
MOST_BY_PLACE = 7
MOST_PARAMETERS = 12
"""Of one function, beside `self`: those that may be given by place, and all."""
PACKAGE = "perdure"
WORDS = (
    "perdure.errors",
    "perdure.typing",
    "perdure._entries",
    "perdure._read_back",
    "perdure._verdicts",
    "perdure._steering",
    "perdure._streams",
)
ATTACHMENTS = ("perdure.__main__", "perdure.cli", "perdure.dashboard", "perdure.testing", "perdure.integrations")

LAYERS: dict[str, tuple[str, ...]] = {
    # layer: what it may import of the package, beside itself
    "words": (),
    "rules": ("words",),
    "rows": ("words",),
    "jobs": ("words", "rules", "protocol"),
    "protocol": ("words",),
    "surface": ("words", "rules", "jobs", "protocol", "rows"),
    "attachments": ("words", "surface"),
}
"""Words <- rules <- jobs, and rows beside rules. A job is handed a store: of the rows it knows the protocol alone."""

FORBIDDEN_IN_RULES = re.compile(
    r"(asyncio|concurrent|ctypes|fcntl|io|logging|mmap|multiprocessing|queue|random|sched|secrets|select|selectors"
    r"|shutil|signal|socket|socketserver|sqlite3|ssl|subprocess|tempfile|threading|_thread|time|urllib|http"
    r"|psycopg|uvloop|anyio|os\.(?!path\b|sep\b|fspath\b|PathLike\b)\w+)(\.|$)"
)
"""Rules have no I/O, no threads, no clock and no chance: these are handed in, or asked for by a flow."""

ALLOWED_IN_RULES = frozenset({"asyncio.CancelledError"})
"""What of those modules is a mere word."""

CALLS_FORBIDDEN_IN_RULES = re.compile(
    r"(datetime\.)?(datetime\.(now|utcnow|today)|date\.today)|dt\.(datetime\.(now|utcnow|today)|date\.today)"
    r"|(uuid\.)?uuid[14]|open|print|input|os\.(?!path\.|fspath$)[\w.]+|os\.path\.(exists|is\w+|get\w+|realpath|samefile)"
)

MAY_CALL = {
    ("perdure._core.serialization.zones", "os.path.isfile"),
    ("perdure._core.names", "os.path.isfile"),
    ("perdure._core.names", "os.environ.get"),
}
"""The looks at the world that a rule takes: which time zones this machine has, before `zoneinfo` reads them; where the
package of the main script begins, and which notebook it is.
"""

FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|manager|base|misc)$")

SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+[\w.]+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+.*\sAS\s*\("
    r"|(CREATE|ALTER|DROP)\s+(OR\s+\w+\s+)?(TEMP\s+|UNIQUE\s+)?(TABLE|INDEX|VIEW|SCHEMA|FUNCTION|TRIGGER)\s"
    r"|(TRUNCATE|PRAGMA)\s)",
    re.DOTALL | re.IGNORECASE,
)


def layer_of(name: str) -> str:
    """The layer that a module belongs to, by its place."""
    if name in WORDS:
        return "words"
    if name == "perdure.stores.protocol":
        return "protocol"
    for folder, layer in (("_core", "rules"), ("_engine", "jobs"), ("stores", "rows")):
        if name == f"perdure.{folder}" or name.startswith(f"perdure.{folder}."):
            return layer
    if name.startswith(ATTACHMENTS):
        return "attachments"
    return "surface"


def arrows(tree: Tree) -> Iterator[tuple[Module, Import, str]]:
    """Every import from one module of the tree to another."""
    for module in tree.values():
        for imported in module.imports:
            target = target_of(imported, tree)
            if target is not None and target != module.name:
                yield module, imported, target


def named(tree: Tree) -> Iterator[tuple[Module, Import, str]]:
    """Every module of the tree that another one names in a text, as `importlib` wants it."""
    for module in tree.values():
        for node in module.nodes:
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and "." in node.value
                and node.value in tree
            ):
                yield module, Import(node.value, None, node.lineno, is_lazy=True, is_type_only=False), node.value


def no_arrow_points_up(tree: Tree) -> list[str]:
    """Imports point down the layers, lazy ones, those for types and those by a name too."""
    breaches = []
    for module, imported, target in (*arrows(tree), *named(tree)):
        below = layer_of(module.name)
        above = layer_of(target)
        # stores/__init__ and stores/protocol are the door to the rows: the protocol stands beside them, not above.
        is_same = below == above or {below, above} == {"rows", "protocol"}
        if not is_same and above not in LAYERS[below]:
            breaches.append(f"{module.path}:{imported.line}: {below} must not import {above} ({target})")
    return breaches


def no_cycles(tree: Tree) -> list[str]:
    """Modules do not import each other in a ring, for types neither: what two of them need is a third one's."""
    graph: dict[str, set[str]] = {name: set() for name in tree}
    for module, _, target in arrows(tree):
        graph[module.name].add(target)
    breaches = []
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            breaches.append("a ring of imports: " + " -> ".join([*trail[trail.index(name) :], name]))
            return
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, [*trail, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return breaches


def rules_have_no_world(tree: Tree) -> list[str]:
    """`_core` imports nothing that does I/O, starts threads, reads a clock or rolls dice, and calls no such thing."""
    breaches = []
    for module in tree.values():
        if layer_of(module.name) not in ("rules", "words"):
            continue
        for imported in module.imports:
            if FORBIDDEN_IN_RULES.match(imported.dotted) and imported.dotted not in ALLOWED_IN_RULES:
                breaches.append(f"{module.path}:{imported.line}: a rule must not import {imported.dotted}; ask for it")
        for node in module.nodes:
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if CALLS_FORBIDDEN_IN_RULES.fullmatch(called) and (module.name, called) not in MAY_CALL:
                breaches.append(f"{module.path}:{node.lineno}: a rule must not call {called}(); have it handed in")
    return breaches


def late_imports_give_a_reason(tree: Tree) -> list[str]:
    """An import inside a function has a comment on its line or the line above."""
    return [
        f"{module.path}:{imported.line}: import {imported.dotted} at the top, or say in a comment why not"
        for module in tree.values()
        for imported in module.imports
        if imported.is_lazy and not {imported.line, imported.line - 1} & module.commented_lines
    ]


def files_are_short(tree: Tree) -> list[str]:
    """No file has 400 lines."""
    lengths = {module.path: module.text.count("\n") for module in tree.values()}
    return [
        f"{path}: {length} lines; which two things is it?" for path, length in lengths.items() if length >= LONGEST_FILE
    ]


def definitions_are_short(tree: Tree) -> list[str]:
    """No class has 330 lines, and no function 50, beside their docstrings."""
    breaches = []
    for module in tree.values():
        for node in module.nodes:
            if isinstance(node, Definition):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                most = LONGEST_CLASS if isinstance(node, ast.ClassDef) else LONGEST_FUNCTION
                if length >= most:
                    breaches.append(f"{module.path}:{node.lineno}: {node.name} has {length} lines; part it")
    return breaches


def parameters_are_few(tree: Tree) -> list[str]:
    """A function takes at most seven arguments by place, and twelve in all."""
    breaches = []
    for module in tree.values():
        for node in module.nodes:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            by_place = [one.arg for one in (*node.args.posonlyargs, *node.args.args) if one.arg not in ("self", "cls")]
            if len(by_place) > MOST_BY_PLACE or len(by_place) + len(node.args.kwonlyargs) > MOST_PARAMETERS:
                breaches.append(f"{module.path}:{node.lineno}: {node.name} takes too much; which of it is one thing?")
    return breaches


def parts_do_not_know_the_whole(tree: Tree) -> list[str]:
    """`_engine/parts.py` hands each part what it needs; no part imports it, nor `runtime.py`, which lets it live."""
    parts, runtime = f"{PACKAGE}._engine.parts", f"{PACKAGE}._engine.runtime"
    return [
        f"{module.path}:{imported.line}: a part must not know the whole; have it handed what it needs"
        for module, imported, target in arrows(tree)
        if target in (parts, runtime)
        and module.name.startswith(f"{PACKAGE}._engine")
        and (module.name, target) != (runtime, parts)
    ]


def no_sql_in_python(tree: Tree) -> list[str]:
    """Statements live in .sql files."""
    breaches = []
    for module in tree.values():
        docstrings = {id(text) for text in docstring_nodes(module)}
        for node in module.nodes:
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            if is_text and SQL.match(node.value):
                breaches.append(f"{module.path}:{node.lineno}: SQL in Python; move it to a .sql file")
    return breaches


def docstring_nodes(module: Module) -> Iterator[ast.Constant]:
    """Every string that stands as a statement: docstrings, of attributes too."""
    for node in module.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def modules_are_nouns(tree: Tree) -> list[str]:
    """No `utils`, `helpers`, `common`, `manager`, `base`, `misc`: they say nothing of what lives there."""
    return [
        f"{module.path}: a module must not be called so; name what it holds"
        for module in tree.values()
        if FORBIDDEN_NAMES.search(module.name.rpartition(".")[2])
    ]


def public_names_have_docstrings(tree: Tree) -> list[str]:
    """Every module, and every public class, function and method, says what it promises.

    What a Protocol, a base class or a flow's request documents is documented there, once, and not at who fulfils it.
    """
    promised = set(promised_methods(tree))
    breaches = []
    for module in tree.values():
        if module.text.strip() and ast.get_docstring(module.syntax) is None:
            breaches.append(f"{module.path}:1: the module does not say what lives here")
        for node, is_method in public_definitions(module.syntax):
            if ast.get_docstring(node) is None and not (is_method and node.name in promised) and not is_excused(node):
                breaches.append(f"{module.path}:{node.lineno}: {node.name} has no docstring")
    return breaches


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(syntax: ast.Module) -> Iterator[tuple[Definition, bool]]:
    """Public functions and classes of a module, and the public methods of those classes (marked True)."""
    for node in syntax.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node, False
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
                        yield inner, True


def promised_methods(tree: Tree) -> Iterator[str]:
    """The names of the methods that a Protocol or a base class documents, or a request that names its `method`."""
    classes = [node for module in tree.values() for node in module.syntax.body if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for node in classes for base in node.bases}
    for node in classes:
        is_promise = node.name in bases or any("Protocol" in ast.unparse(base) for base in node.bases)
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and is_promise and ast.get_docstring(inner):
                yield inner.name
            elif isinstance(inner, ast.Assign | ast.AnnAssign) and isinstance(inner.value, ast.Constant):
                target = inner.target if isinstance(inner, ast.AnnAssign) else inner.targets[0]
                if ast.unparse(target) == "method" and ast.get_docstring(node):
                    yield str(inner.value.value)


def is_excused(node: Definition) -> bool:
    """Overloads, overrides and setters are documented where they come from."""
    marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(marks & {"overload", "override", "setter"})


CHECKS: tuple[Check, ...] = (
    no_arrow_points_up,
    no_cycles,
    rules_have_no_world,
    late_imports_give_a_reason,
    files_are_short,
    definitions_are_short,
    parameters_are_few,
    parts_do_not_know_the_whole,
    no_sql_in_python,
    modules_are_nouns,
    public_names_have_docstrings,
)

__all__ = ["CHECKS", "Check", "Tree", "read_tree"]
