"""Constructs of async workflows whose branches share something: a list, a queue, locks, events, futures, callbacks."""

from __future__ import annotations

from tests.generated.branch_constructs import calls
from tests.generated.program import Node, Writer, construct
from tests.generated.steps_constructs import chance_of


def items(w: Writer, node: Node) -> str:
    """Some tags as a list."""
    return "[" + ", ".join(w.tag() for _ in range(chance_of(node).randint(3, 7))) + "]"


def any_step(node: Node) -> str:
    """A step that suspends, one that does not, or one that is tried again."""
    return chance_of(node).choice(["work", "work", "quick", "flaky"])


def run_workers(w: Writer, node: Node, worker: str) -> None:
    """Two or three of the same, in one of the usual ways."""
    width = chance_of(node).randint(2, 3)
    if chance_of(node).random() < 0.5:
        w.add(f"await asyncio.gather(*({worker}() for _ in range({width})))")
        return
    with w.block("async with asyncio.TaskGroup() as group:"), w.block(f"for _ in range({width}):"):
        w.add(f"group.create_task({worker}())")


@construct("async")
def list_pool(w: Writer, node: Node) -> None:
    """Workers that pop from one list."""
    todo, done, worker = w.name("todo"), w.name("done"), w.name("worker")
    w.add(f"{todo}, {done} = {items(w, node)}, []")
    with w.block(f"async def {worker}() -> None:"), w.block(f"while {todo}:"):
        w.add(f"{done}.append(seen(await {any_step(node)}({todo}.pop(0))))")
    run_workers(w, node, worker)
    w.add(f"out += sorted({done})")


@construct("async")
def queue_pool(w: Writer, node: Node) -> None:
    """Workers that take from an `asyncio.Queue` until it is empty."""
    todo, done, worker = w.name("todo"), w.name("done"), w.name("worker")
    w.add(f"{todo}, {done} = asyncio.Queue(), []")
    with w.block(f"for tag in {items(w, node)}:"):
        w.add(f"{todo}.put_nowait(tag)")
    with w.block(f"async def {worker}() -> None:"), w.block(f"while not {todo}.empty():"):
        w.add(f"{done}.append(seen(await {any_step(node)}(await {todo}.get())))")
    run_workers(w, node, worker)
    w.add(f"out += sorted({done})")


@construct("async")
def queue_join(w: Writer, node: Node) -> None:
    """The pool of the documentation: endless workers, cancelled when the queue has been worked off."""
    todo, done, worker, tasks = (w.name(stem) for stem in ("todo", "done", "worker", "tasks"))
    w.add(f"{todo}, {done} = asyncio.Queue({chance_of(node).choice(['', '1'])}), []")
    with w.block(f"async def {worker}() -> None:"), w.block("while True:"):
        w.add(f"tag = await {todo}.get()")
        w.add(f"{done}.append(seen(await work(tag)))")
        w.add(f"{todo}.task_done()")
    w.add(f"{tasks} = [asyncio.create_task({worker}()) for _ in range(2)]")
    with w.block(f"for tag in {items(w, node)}:"):
        w.add(f"await {todo}.put(tag)")
    w.add(f"await {todo}.join()")
    with w.block(f"for task in {tasks}:"):
        w.add("task.cancel()")
    w.add(f"await asyncio.gather(*{tasks}, return_exceptions=True)")
    w.add(f"out += sorted({done})")


@construct("async")
def producer(w: Writer, node: Node) -> None:
    """One task makes what another consumes, until a sentinel comes."""
    todo, produce = w.name("todo"), w.name("produce")
    w.add(f"{todo} = asyncio.Queue(2)")
    with w.block(f"async def {produce}() -> None:"):
        with w.block(f"for tag in [{w.tag()}, {w.tag()}, {w.tag()}]:"):
            w.add(f"await {todo}.put(seen(await work(tag)))")
        w.add(f"await {todo}.put(None)")
    task = w.name("task")
    w.add(f"{task} = asyncio.create_task({produce}())")
    with w.block(f"while (made := await {todo}.get()) is not None:"):
        w.add('out.append(seen(await tell(f"{made} consumed", seen.log[-3:])))')
    w.add(f"await {task}")


@construct("async", parts=(2, 3))
def lock(w: Writer, node: Node) -> None:
    """Branches that enter one after the other: a lock, or a semaphore for two."""
    made = calls(w, node)
    gate, entered, inside, order = w.name("gate"), w.name("entered"), w.name("inside"), w.name("order")
    w.add(f"{gate} = asyncio.{chance_of(node).choice(['Lock()', 'Semaphore(2)', 'BoundedSemaphore(1)'])}")
    w.add(f"{order} = []")
    with w.block(f"async def {entered}({inside}, tag: str) -> list[str]:"), w.block(f"async with {gate}:"):
        w.add(f"{order}.append(tag)")
        w.add(f"seen(await tell(tag, list({order})))")
        w.add(f"return [tag, *await {inside}]")
    both = [f"{entered}({one}, {w.tag()})" for one in made]
    with w.block(f"for tags in await asyncio.gather({', '.join(both)}):"):
        w.add("out += tags")


@construct("async", parts=(1, 2))
def event(w: Writer, node: Node) -> None:
    """Branches that wait until another says go."""
    go, waiter = w.name("go"), w.name("waiter")
    made = calls(w, node)
    w.add(f"{go} = asyncio.Event()")
    with w.block(f"async def {waiter}(inside) -> list[str]:"):
        w.add(f"await {go}.wait()")
        w.add("return await inside")
    with w.block(f"async def {go}_sayer() -> list[str]:"):
        w.add(f"tag = seen({w.step()})")
        w.add(f"{go}.set()")
        w.add(f"return [tag, seen({w.step()})]")
    waiting = ", ".join(f"{waiter}({one})" for one in made)
    with w.block(f"for tags in await asyncio.gather({waiting}, {go}_sayer()):"):
        w.add("out += tags")


@construct("async")
def condition(w: Writer, node: Node) -> None:
    """A consumer that waits for enough of what others have made."""
    changed, made, maker, taker = w.name("changed"), w.name("made"), w.name("maker"), w.name("taker")
    w.add(f"{changed}, {made} = asyncio.Condition(), []")
    with w.block(f"async def {maker}(tag: str) -> None:"):
        w.add("value = seen(await work(tag))")
        with w.block(f"async with {changed}:"):
            w.add(f"{made}.append(value)")
            w.add(f"{changed}.notify_all()")
    with w.block(f"async def {taker}(enough: int, tag: str) -> str:"), w.block(f"async with {changed}:"):
        w.add(f"await {changed}.wait_for(lambda: len({made}) >= enough)")
        w.add(f"return seen(await tell(tag, list({made})))")
    w.add(
        f"out += (await asyncio.gather({taker}(2, {w.tag()}), {taker}(1, {w.tag()}), "
        f"{maker}({w.tag()}), {maker}({w.tag()})))[:2]"
    )
    w.add(f"out += sorted({made})")


@construct("async", parts=(2, 3))
def barrier(w: Writer, node: Node) -> None:
    """Branches that wait for each other in their middle."""
    made = calls(w, node)
    meeting, met = w.name("meeting"), w.name("met")
    w.add(f"{meeting} = asyncio.Barrier({len(made)})")
    with w.block(f"async def {met}(inside, tag: str) -> list[str]:"):
        w.add("tags = await inside")
        w.add(f"await {meeting}.wait()")
        w.add("return [*tags, seen(await work(tag))]")
    both = ", ".join(f"{met}({one}, {w.tag()})" for one in made)
    with w.block(f"for tags in await asyncio.gather({both}):"):
        w.add("out += tags")


@construct("async")
def call_soon(w: Writer, node: Node) -> None:
    """A callback of the loop, or of a task, has fired when an outcome comes."""
    called = w.name("called")
    w.add(f"{called} = []")
    if chance_of(node).random() < 0.5:
        w.add(f"asyncio.get_running_loop().call_soon({called}.append, {w.tag()})")
        w.add(w.take())
    else:
        w.add(f"task = asyncio.create_task(work({w.tag()}))")
        w.add(f"task.add_done_callback(lambda _: {called}.append({w.tag()}))")
        w.add("out.append(seen(await task))")
        w.add(w.take())
    w.add(f"out += [seen(tag) for tag in {called}]")


@construct("async")
def future(w: Writer, node: Node) -> None:
    """A future that another task sets."""
    promised, setter = w.name("promised"), w.name("setter")
    w.add(f"{promised} = asyncio.get_running_loop().create_future()")
    with w.block(f"async def {setter}() -> str:"):
        w.add(f"{promised}.set_result(seen({w.step()}))")
        w.add(f"return seen({w.step()})")
    w.add(f"task = asyncio.create_task({setter}())")
    w.add(f"out.append(seen(await {promised}))")
    w.add(w.take())
    w.add("out.append(await task)")


@construct("async")
def generator(w: Writer, node: Node) -> None:
    """An async generator that takes steps, consumed by code that takes steps."""
    made = w.name("generated")
    with w.block(f"async def {made}():"):
        with w.block("try:"), w.block(f"for tag in {items(w, node)}:"):
            w.add("yield await work(tag)")
        with w.block("finally:"):
            w.add(f"seen({w.step()})")
    if chance_of(node).random() < 0.5:
        with w.block(f"async for value in {made}():"):
            w.add("out.append(seen(value))")
        return
    with w.block(f"async with contextlib.aclosing({made}()) as values:"), w.block("async for value in values:"):
        w.add("out.append(seen(value))")
        w.add("break")


@construct("async", parts=(2, 3))
def context(w: Writer, node: Node) -> None:
    """Context variables are a branch's own."""
    variable, named = w.name("variable"), w.name("named")
    made = calls(w, node)
    w.add(f'{variable} = contextvars.ContextVar("{variable}", default="none")')
    with w.block(f"async def {named}(inside, name: str) -> list[str]:"):
        w.add(f"{variable}.set(name)")
        w.add(f"return [*await inside, {variable}.get()]")
    both = ", ".join(f"{named}({one}, {w.tag()})" for one in made)
    with w.block(f"for tags in await asyncio.gather({both}):"):
        w.add("out += tags")
    w.add(f"out.append({variable}.get())")


@construct("async")
def shared_list(w: Writer, node: Node) -> None:
    """Branches that add to one list, read by each next call."""
    log, adder = w.name("log"), w.name("adder")
    w.add(f"{log} = []")
    with w.block(f"async def {adder}(tag: str) -> None:"), w.block("for number in range(2):"):
        w.add(f'{log}.append(seen(await work(f"{{tag}} {{number}}")))')
        w.add(f'seen(await tell(f"{{tag}} {{number}} told", list({log})))')
    w.add(f"await asyncio.gather({adder}({w.tag()}), {adder}({w.tag()}), {adder}({w.tag()}))")
    w.add(f"out += sorted({log})")
