"""The forms on DBOS and on Temporal do the same work as the plain one, and are what their documentation says.

Neither package is needed here: the files are read, not run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from examples.document_indexing.forms import EXAMPLE, FORMS

BODY = ("index_document", "download", "read_pages")
PLACES = {"durable": "durable/app.py", "dbos": "dbos/app.py", "temporal": "temporal/activities.py"}


def tree_of(file: str) -> ast.Module:
    """A file of the example."""
    return ast.parse((EXAMPLE / file).read_text(), file)


def functions_of(file: str) -> dict[str, ast.FunctionDef]:
    """The file's plain functions."""
    return {node.name: node for node in tree_of(file).body if isinstance(node, ast.FunctionDef)}


def classes_of(file: str) -> list[ast.ClassDef]:
    """The file's classes."""
    return [node for node in tree_of(file).body if isinstance(node, ast.ClassDef)]


def decorators_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    """As they are written."""
    return [ast.unparse(decorator) for decorator in node.decorator_list]


def calls_of(file: str, name: str) -> Iterator[dict[str, str]]:
    """The keyword arguments of every call of that name."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg}


@pytest.mark.parametrize("form", PLACES)
@pytest.mark.parametrize("name", BODY)
def test_every_form_runs_the_same_body(form: str, name: str) -> None:
    """But for the decorator that makes it a step or an activity."""
    plain, other = functions_of("plain/app.py")[name], functions_of(PLACES[form])[name]

    assert ast.unparse(other.args) == ast.unparse(plain.args)
    assert list(map(ast.unparse, other.body)) == list(map(ast.unparse, plain.body))


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_every_file_of_a_form_compiles(form: object) -> None:
    """Also those whose packages are not installed here."""
    for path in form.files:  # type: ignore[attr-defined]  # pytest's ids want the parameter's type loose
        compile(path.read_text(), str(path), "exec")


def test_the_body_is_a_synchronous_activity() -> None:
    """As Temporal advises for code that blocks: on a thread pool, and no more of them at once than it has threads."""
    assert decorators_of(functions_of("temporal/activities.py")["index_document"]) == ["activity.defn"]
    (worker,) = calls_of("temporal/worker.py", "Worker")

    assert worker["activities"] == "[index_document]"
    assert worker["activity_executor"] == "executor"
    assert worker["max_concurrent_activities"] == "THREADS"


def test_temporals_workflows_are_classes_with_one_run_each() -> None:
    """And the worker knows all of them."""
    workflows = classes_of("temporal/workflows.py")
    (worker,) = calls_of("temporal/worker.py", "Worker")

    for node in workflows:
        assert decorators_of(node) == ["workflow.defn"]
        (run,) = [part for part in node.body if isinstance(part, ast.AsyncFunctionDef)]
        assert decorators_of(run) == ["workflow.run"]
    assert set(ast.unparse(ast.parse(worker["workflows"])).strip("[]").split(", ")) == {node.name for node in workflows}


def test_an_activity_has_a_timeout_and_bad_documents_are_not_tried_again() -> None:
    """Temporal refuses an activity without one; by itself it would try a missing document for ever."""
    calls = list(calls_of("temporal/workflows.py", "workflow.execute_activity"))

    assert calls
    assert all("start_to_close_timeout" in call for call in calls)
    assert all("DocumentError" in call["retry_policy"] for call in calls)


def test_what_the_sandbox_would_load_anew_is_passed_through() -> None:
    """Beside Temporal's own, a workflow's module imports only the standard library by itself."""
    own = [node for node in tree_of("temporal/workflows.py").body if isinstance(node, ast.Import | ast.ImportFrom)]
    named = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in own]

    assert {str(name).partition(".")[0] for name in named} <= {"temporalio", *sys.stdlib_module_names}


def test_dbos_is_launched_after_all_decorators() -> None:
    """As its documentation asks; the queue is registered last, for it is a row of the database."""
    last = [ast.unparse(node.value.func) for node in tree_of("dbos/app.py").body[-2:] if isinstance(node, ast.Expr)]  # type: ignore[attr-defined]

    assert last == ["DBOS.launch", "DBOS.register_queue"]
