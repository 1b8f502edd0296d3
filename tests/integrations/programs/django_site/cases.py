"""What a backend of `django.tasks` promises, as Django's own runner tries it; `test_django` starts that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.db import connection, transaction
from django.tasks import TaskResultStatus, default_task_backend, task
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.urls import reverse
from django.utils import timezone

from perdure import UsageError
from perdure.integrations.django import PerdureBackend
from perdure.integrations.django.models import Run
from perdure.integrations.django.testing import executed_tasks
from tests.integrations.programs.django_site import tasks


class Execution(TransactionTestCase):
    """Tasks that are enqueued are executed, and their results kept."""

    def execute(self, *results: Any) -> None:
        """Wait for them."""
        for result in results:
            result.refresh()

    def test_sync_and_async_tasks_succeed(self) -> None:
        """With their values, times and workers."""
        User.objects.create_user("ada")
        with executed_tasks():
            results = [
                tasks.add.enqueue(1, b=2),
                tasks.aadd.enqueue(1, b=2),
                tasks.count_users.enqueue(),
                tasks.acount_users.enqueue(),
            ]
            assert {result.status for result in results} == {TaskResultStatus.READY}
            assert all(result.enqueued_at is not None and not result.is_finished for result in results)
        self.execute(*results)
        assert [result.return_value for result in results] == [3, 3, 1, 1]
        for result in results:
            assert result.status == TaskResultStatus.SUCCESSFUL
            assert result.is_finished
            assert result.errors == []
            assert result.attempts == 1
            assert result.enqueued_at <= result.started_at <= result.finished_at
            assert result.started_at == result.last_attempted_at
        assert results[2].task.queue_name == "mail"
        assert results[2].task.priority == 5

    def test_a_task_that_fails_keeps_its_error(self) -> None:
        """Its class and traceback; a value that is no JSON is a failure too."""
        with executed_tasks():
            failed, given = tasks.fail.enqueue("lost"), tasks.give.enqueue("x")
        self.execute(failed, given)
        assert failed.status == given.status == TaskResultStatus.FAILED
        assert failed.errors[0].exception_class is LookupError
        assert "lost" in failed.errors[0].traceback
        assert "tasks.py" in failed.errors[0].traceback
        assert given.errors[0].exception_class is TypeError
        with self.assertRaisesMessage(ValueError, "Task failed"):
            _ = failed.return_value

    def test_a_task_may_take_its_context(self) -> None:
        """With its own result and the attempt."""
        with executed_tasks():
            told = tasks.tell.enqueue("x")
        assert tasks.tell.get_result(told.id).return_value == [told.id, 1, "x"]

    def test_run_after_is_kept_and_waited_for(self) -> None:
        """It is ready until then."""
        at = timezone.now() + timedelta(hours=1)
        with executed_tasks():
            later = tasks.add.using(run_after=at).enqueue(1)
            sooner = tasks.add.using(run_after=timezone.now() - timedelta(hours=1)).enqueue(1)
        self.execute(later, sooner)
        assert (later.status, sooner.status) == (TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL)
        assert abs(tasks.add.get_result(later.id).task.run_after - at) < timedelta(seconds=5)

    def test_signals_are_sent(self) -> None:
        """When it is enqueued, when it begins, when it ends."""
        seen: list[tuple[str, str, type]] = []

        def listen(name: str) -> Any:
            def note(sender: type, task_result: Any, **more: Any) -> None:
                seen.append((name, task_result.status, sender))

            return note

        listeners = [listen(name) for name in ("enqueued", "started", "finished")]
        signals = (task_enqueued, task_started, task_finished)
        for signal, listener in zip(signals, listeners, strict=True):
            signal.connect(listener)
        try:
            with executed_tasks():
                tasks.add.enqueue(1)
        finally:
            for signal, listener in zip(signals, listeners, strict=True):
                signal.disconnect(listener)
        assert sorted(seen) == sorted(
            [
                ("enqueued", "READY", PerdureBackend),
                ("started", "RUNNING", PerdureBackend),
                ("finished", "SUCCESSFUL", PerdureBackend),
            ]
        ), seen

    def test_a_rolled_back_transaction_enqueues_nothing(self) -> None:
        """One that commits does it then, and not before."""
        with executed_tasks():
            with transaction.atomic():
                lost = tasks.add.enqueue(1)
                transaction.set_rollback(True)
            with transaction.atomic():
                kept = tasks.add.enqueue(2)
                with transaction.atomic():  # a savepoint
                    undone = tasks.add.enqueue(3)
                    transaction.set_rollback(True)
                assert kept.enqueued_at is None
            assert kept.enqueued_at is not None
        self.execute(kept)
        assert kept.return_value == 2
        for nowhere in (lost, undone):
            with self.assertRaises(TaskResultDoesNotExist):
                tasks.add.get_result(nowhere.id)

    def test_on_postgres_a_task_is_part_of_the_transaction(self) -> None:
        """Its row is there for whoever is in it, so no process can die between the two commits."""
        with transaction.atomic():
            result = tasks.add.enqueue(1)
            is_there = Run.objects.filter(pk=result.id).exists()
            assert is_there == (connection.vendor == "postgresql")
        assert Run.objects.filter(pk=result.id).exists()
        with self.assertRaises(UsageError), transaction.atomic():
            transaction.set_rollback(True)
            tasks.add.enqueue(2)
            if connection.vendor == "sqlite":
                raise UsageError

    def test_what_is_urgent_begins_first(self) -> None:
        """By priority, highest first, and then by age: where a worker executes one at a time."""
        for number, priority in enumerate([0, -100, 100, 0]):
            tasks.note.using(priority=priority).enqueue(number)
        with executed_tasks("one"):
            pass
        assert tasks.order_of_begin == [2, 0, 3, 1]

    def test_results_are_found_by_their_task(self) -> None:
        """And by no other, nor by an id that is none; async, too."""
        with executed_tasks():
            result = tasks.add.enqueue(1)
        assert default_task_backend.get_result(result.id).task.func is tasks.add.func
        with self.assertRaises(TaskResultMismatch):
            tasks.fail.get_result(result.id)
        with self.assertRaises(TaskResultDoesNotExist):
            default_task_backend.get_result("nobody")

    async def test_the_async_twins(self) -> None:
        """`aenqueue`, `aget_result`, `arefresh`."""
        later = tasks.add.using(run_after=timezone.now() + timedelta(hours=1))
        result = await later.aenqueue(1, b=3)
        await default_task_backend.aget_result(result.id)
        await result.arefresh()

    def tearDown(self) -> None:
        """So that the database can be dropped."""
        default_task_backend.close()

    def test_the_admin_lists_the_runs(self) -> None:
        """With filters, read-only."""
        User.objects.create_superuser("root", password="x")  # noqa: S106  # of a test
        with executed_tasks():
            result = tasks.fail.enqueue("lost")
        self.client.login(username="root", password="x")  # noqa: S106  # of a test
        page = self.client.get(reverse("admin:perdure_run_changelist"), {"state": "failed", "q": result.id})
        self.assertContains(page, "tasks.fail")
        self.assertNotContains(page, "Add run")
        shown = self.client.get(reverse("admin:perdure_run_change", args=[result.id]))
        self.assertContains(shown, "lost")
        self.assertNotContains(shown, "_save")


class Enqueuing(TestCase):
    """In a `TestCase`, whose transaction never commits."""

    def test_enqueued_on_commit_callbacks(self) -> None:
        """Nothing is enqueued without them."""
        with self.captureOnCommitCallbacks() as callbacks:
            result = tasks.add.enqueue(1)
        assert len(callbacks) == 1
        assert result.enqueued_at is None


class Definition(SimpleTestCase):
    """What is refused where it is defined or enqueued."""

    def test_what_is_supported(self) -> None:
        """Everything."""
        backend = default_task_backend
        assert backend.supports_defer
        assert backend.supports_async_task
        assert backend.supports_get_result
        assert backend.supports_priority

    def test_invalid_tasks(self) -> None:
        """Inner functions, unknown queues, priorities out of range, naive times, no context."""

        def inner() -> None:
            pass

        for invalid in (
            lambda: task(inner),
            lambda: tasks.add.using(queue_name="nobody"),
            lambda: tasks.add.using(priority=101),
            lambda: tasks.add.using(priority=0.5),
            lambda: tasks.add.using(run_after=timezone.now().replace(tzinfo=None)),
            lambda: task(takes_context=True)(tasks.add.func),
        ):
            with self.assertRaises(InvalidTask):
                invalid()

    def test_arguments_that_are_no_json(self) -> None:
        """Refused before anything is enqueued."""
        with self.assertRaises(TypeError):
            tasks.add.enqueue(object())

    def test_a_function_that_no_worker_would_find_by_its_name(self) -> None:
        """The name must lead to the task."""
        with self.assertRaises(InvalidTask):
            task(timezone.now).enqueue()

    def test_the_system_checks(self) -> None:
        """Each names what is wrong."""
        assert run_checks() == []
        for changes, options, ids in (
            ({}, {"nonsense": 1}, ["perdure.E001"]),
            ({}, {"database": "nobody"}, ["perdure.E002"]),
            ({}, {"settings": {"poll_seconds": -1}}, ["perdure.E004"]),
            ({}, {"settings": {"codec": None}}, ["perdure.E004"]),
            ({}, {"concurrency": 0}, ["perdure.E004"]),
            ({"INSTALLED_APPS": []}, {}, ["perdure.E005"]),
            (
                {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}},
                {},
                ["perdure.E003"],
            ),
            ({"DATABASES": {"default": {"ENGINE": "django.db.backends.mysql", "NAME": "x"}}}, {}, ["perdure.E003"]),
        ):
            backend = PerdureBackend("default", {"OPTIONS": options})
            kept = {name: getattr(settings, name) for name in changes}
            try:
                for name, value in changes.items():
                    setattr(settings, name, value)
                assert [complaint.id for complaint in backend.check()] == ids
            finally:
                for name, value in kept.items():
                    setattr(settings, name, value)
        assert connection.vendor in ("sqlite", "postgresql")
