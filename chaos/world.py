"""A world: servers, a proxy, workers, somebody who submits, a ledger; all of it ends with the block."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from perdure import Client

from .feeder import Feeder
from .ledger import BODY, ENTRY, Ledger
from .network import Machine
from .proxy import Proxy
from .servers import DATABASE, ROLE, Server, free_port, start_with_standby
from .statements import statement
from .workers import Worker, environment, started_together, until

CACHE = Path(__file__).parents[1] / ".cache" / "chaos"
PATIENCE_SECONDS = 120.0
_PARAMETERS = "sslmode=disable&gssencmode=disable"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fault needs of its world. `orders` are under way at a time; a body works for `pace` seconds on average."""

    workers: int = 6
    settings: Mapping[str, object] = field(default_factory=dict)
    orders: int = 24
    pace: float = 0.02
    has_standby: bool = False
    has_proxy: bool = False
    has_machine: bool = False
    has_own_names: bool = False
    server_environment: Callable[[], Mapping[str, str]] = dict


class World:
    """What there is while a fault is at work."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.server: Server
        self.standby: Server | None = None
        self.proxy: Proxy | None = None
        self.machine: Machine | None = None
        self.workers: list[Worker] = []
        self.ledger = Ledger(folder / "ledger")
        self.feeder: Feeder

    @property
    def store_url(self) -> str:
        """Where clients and workers on this machine find the database."""
        return self._url("127.0.0.1")

    def _url(self, host: str) -> str:
        if self.proxy is not None:
            return f"postgresql://{ROLE}@{host}:{self.proxy.port}/{DATABASE}?{_PARAMETERS}"
        servers = [self.server, *([self.standby] if self.standby else [])]
        hosts = ",".join(f"{host}:{server.port}" for server in servers)
        is_several = "&target_session_attrs=read-write" if self.standby else ""
        return f"postgresql://{ROLE}@{hosts}/{DATABASE}?{_PARAMETERS}&connect_timeout=3{is_several}"

    def build(self, held: ExitStack) -> None:
        """Start everything, in order; `held` ends it."""
        if self.plan.has_standby:
            self.server, self.standby = start_with_standby(self.folder / "servers")
            for server in (self.server, self.standby):
                held.callback(server.close)
        else:
            self.server = Server(self.folder / "server", self.plan.server_environment())
            self.server.create()
            held.callback(self.server.close)
            self.server.start()
        if self.plan.has_proxy:
            self.proxy = held.enter_context(Proxy(free_port(), self.server.port))
        if self.plan.has_machine:
            self.machine = held.enter_context(Machine())
        with Client(self.server.url) as client:
            client.migrate()
        with self.server.connect() as session:
            session.execute(statement("world"))
        self.workers = [self._worker(number) for number in range(self.plan.workers)]
        held.callback(self._end_workers)
        started_together(self.workers)
        self.feeder = Feeder(self.store_url, self.ledger, self.plan.orders)
        held.callback(self.feeder.close)
        self.feeder.start()

    def _worker(self, number: int) -> Worker:
        is_elsewhere = self.machine is not None and number % 2 == 1
        url = self._url(self.machine.address if self.machine and is_elsewhere else "127.0.0.1")
        prefix = self.machine.prefix if self.machine and is_elsewhere else ()
        if self.plan.has_own_names:
            alone = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
            prefix = (*alone, "sh", "-c", 'hostname app && exec "$@"', "sh")
        told = environment(url, url, self.ledger.path, self.plan.settings, self.plan.pace, number % 3 + 2)
        return Worker(f"w{number}", told, self.folder, prefix)

    def ask(self, name: str) -> list[tuple[object, ...]]:
        """The rows of a statement of `sql/`, past every proxy."""
        with self.server.connect() as session:
            return session.execute(statement(name)).fetchall()

    def joined(self) -> dict[int, tuple[str, int]]:
        """Of each process that has a row as a worker: the row's id, and how many runs it holds."""
        return {int(str(pid)): (str(row), int(str(held))) for row, pid, held in self.ask("workers")}

    def rows(self) -> set[str]:
        """The ids of the workers' rows."""
        return {row for row, _ in self.joined().values()}

    def taken_over(self, struck: Mapping[str, float], what: str) -> list[float]:
        """Wait until the rows of all of these are gone; how long each took from the moment that is given with it."""
        found: list[float] = []
        left = dict(struck)

        def are_gone() -> bool:
            for row in left.keys() - self.rows():
                found.append(time.time() - left.pop(row))
            return not left

        self.wait(are_gone, f"{what} taken over")
        return found

    def start_again(self, worker: Worker) -> None:
        """Another process comes in the place of one that was killed."""
        started_together([worker])
        self.workers.append(worker)
        self.wait_until_all_work()

    def wait_until_all_work(self) -> None:
        """Until every worker has a row and some of them hold runs."""
        pids = {worker.pid for worker in self.workers}
        if self.plan.has_own_names:  # each of them is its own process 1
            self.wait(lambda: len(self.ask("workers")) == len(pids), "every worker has a row")
            return
        self.wait(lambda: pids <= self.joined().keys(), "every worker has a row")

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Until it is so; a world where it never is has failed."""

        def is_so_by_now() -> bool:
            self.look()
            try:
                return is_so()
            except psycopg.OperationalError:
                return False

        if not until(is_so_by_now, PATIENCE_SECONDS):
            raise RuntimeError(f"not within {PATIENCE_SECONDS:g} s: {what}")

    def look(self) -> None:
        """Fails where a worker has ended by itself, or nobody can submit."""
        for worker in self.workers:
            if not worker.is_stopped and worker.has_ended():
                raise RuntimeError(f"{worker.name} ended by itself: {worker.complaints()}")
        if self.feeder.failure is not None:
            raise RuntimeError("nothing can be submitted") from self.feeder.failure

    def back_after(self, moment: float) -> float:
        """How long after that moment a body began that builds on an outcome of after it, which is committed then."""
        found: list[float] = []
        at = len(self.ledger.lines)

        def is_back() -> bool:
            nonlocal at
            self.ledger.read()
            lines, begun = self.ledger.lines, self.ledger.begun
            for line in lines[at:]:
                if line.kind in (BODY, ENTRY) and any(
                    begun[token].at > moment for token in line.seen if token in begun
                ):
                    found.append(line.at - moment)
            at = len(lines)
            return bool(found)

        self.wait(is_back, "a body begins after the fault")
        return max(0.0, min(found))

    def settle(self) -> list[str]:
        """Submit no more, wait for the end of everything, and let the workers leave; the orders that did not end."""
        self.feeder.stop()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := self.feeder.unended()) and time.monotonic() < deadline:
            self.look()
            time.sleep(0.05)
        while self.workers:
            self.workers.pop().leave()
        self.ledger.read()
        return left

    def _end_workers(self) -> None:
        for worker in self.workers:
            worker.kill()


@contextmanager
def world(plan: Plan) -> Iterator[World]:
    """A world for the block; its folder stays where the block fails, to be looked at."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=CACHE))
    folder.chmod(0o755)  # as root, the servers run as another user
    with ExitStack() as held:
        made = World(plan, folder)
        held.callback(made.ledger.close)
        made.build(held)
        made.wait_until_all_work()
        yield made
    shutil.rmtree(folder, ignore_errors=True)
