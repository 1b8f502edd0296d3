"""Constructs of async workflows that have branches: gather, groups, tasks, time limits."""

from __future__ import annotations

from tests.generated.program import Node, Writer, construct
from tests.generated.steps_constructs import chance_of


def calls(w: Writer, node: Node) -> list[str]:
    """The node's branches, called."""
    return [f"{w.branch(part)}()" for part in node.parts]


@construct("async", parts=(2, 4))
def gather(w: Writer, node: Node) -> None:
    made = calls(w, node)
    with w.block(f"for tags in await asyncio.gather({', '.join(made)}):"):
        w.add("out += tags")


@construct("async")
def gather_steps(w: Writer, node: Node) -> None:
    """Steps themselves are the branches."""
    made = [f"{one}({w.tag()})" for one in chance_of(node).choices(["work", "quick", "flaky"], k=3)]
    with w.block(f"for value in await asyncio.gather({', '.join(made)}):"):
        w.add("out.append(seen(value))")


@construct("async", parts=(1, 3))
def gather_errors(w: Writer, node: Node) -> None:
    made = [*calls(w, node), f"fail({w.tag()})", f"work({w.tag()})"]
    chance_of(node).shuffle(made)
    with w.block(f"for one in await asyncio.gather({', '.join(made)}, return_exceptions=True):"):
        w.add("out += one if isinstance(one, list) else [seen(one)]")


@construct("async", parts=(1, 3))
def gather_fails(w: Writer, node: Node) -> None:
    """The error comes at once, the others go on."""
    tasks, made = w.name("tasks"), [*calls(w, node), f"fail({w.tag()})"]
    w.add(f"{tasks} = [asyncio.ensure_future(one) for one in ({', '.join(made)},)]")
    with w.block("try:"):
        w.add(f"await asyncio.gather(*{tasks})")
    with w.block("except ValueError as error:"):
        w.add("out.append(seen(error))")
    w.add(w.take())
    with w.block(f"for one in await asyncio.gather(*{tasks}[:-1]):"):
        w.add("out += one")


@construct("async", parts=(1, 4))
def group(w: Writer, node: Node) -> None:
    *parts, own = node.parts
    made, tasks = [f"{w.branch(part)}()" for part in parts], w.name("tasks")
    with w.block("async with asyncio.TaskGroup() as group:"):
        w.add(f"{tasks} = [group.create_task(one) for one in ({', '.join([*made, f'work({w.tag()})'])},)]")
        w.body(own)
    with w.block(f"for task in {tasks}[:-1]:"):
        w.add("out += task.result()")
    w.add(f"out.append(seen({tasks}[-1].result()))")


@construct("async")
def group_raises(w: Writer, node: Node) -> None:
    """The body of a group raises after a step, or one of its tasks does; the others are cancelled."""
    chance = chance_of(node)
    with w.block("try:"), w.block("async with asyncio.TaskGroup() as group:"):
        for _ in range(chance.randint(1, 3)):
            w.add(f"group.create_task(never({w.tag()}))")
        if chance.random() < 0.5:
            w.add(w.take())
            w.add('raise ValueError("by the body")')
        else:
            w.add(f"group.create_task(fail({w.tag()}))")
            w.add(f"await never({w.tag()})")
    with w.block("except* ValueError as errors:"):
        w.add("out += [seen(error) for error in errors.exceptions]")


@construct("async")
def group_errors(w: Writer, node: Node) -> None:
    """Two tasks of a group may fail; the first to do so is the one that counts."""
    with w.block("try:"), w.block("async with asyncio.TaskGroup() as group:"):
        w.add(f"group.create_task(fail({w.tag()}))")
        w.add(f"group.create_task(fail({w.tag()}))")
        w.add(f"group.create_task(never({w.tag()}))")
    with w.block("except* ValueError as errors:"):
        w.add("seen([str(error) for error in errors.exceptions])")
    w.add(w.take())


@construct("async", parts=(1, 3))
def tasks(w: Writer, node: Node) -> None:
    """Tasks that begin now and are awaited after other work."""
    names = []
    for made in calls(w, node):
        names.append(w.name("task"))
        w.add(f"{names[-1]} = asyncio.create_task({made})")
        if chance_of(node).random() < 0.5:
            w.add("await asyncio.sleep(0)")
    w.add(w.take())
    for name in reversed(names):
        w.add(f"out += await {name}")


@construct("async")
def before_first_await(w: Writer, node: Node) -> None:
    """What tasks do before they first wait has happened when an outcome comes."""
    begun, task = w.name("begun"), w.name("task")
    w.add(f"{begun} = []")
    starter = w.name("starter")
    with w.block(f"async def {starter}(name: str) -> str:"):
        w.add(f"{begun}.append(name)")
        w.add("return await work(name)")
    w.add(f"{task} = [asyncio.create_task({starter}(tag)) for tag in [{w.tag()}, {w.tag()}]]")
    w.add(w.take())
    w.add(f"out.append(seen(','.join({begun})))")
    with w.block(f"for one in {task}:"):
        w.add("out.append(seen(await one))")


@construct("async", parts=(2, 3))
def first_completed(w: Writer, node: Node) -> None:
    tasks = w.name("tasks")
    w.add(f"{tasks} = [asyncio.create_task(one) for one in ({', '.join(calls(w, node))},)]")
    w.add(f"await asyncio.wait({tasks}, return_when=asyncio.FIRST_COMPLETED)")
    w.add(f"await asyncio.wait({tasks})")
    with w.block(f"for task in {tasks}:"):
        w.add("out += task.result()")


@construct("async", parts=(2, 3))
def as_completed(w: Writer, node: Node) -> None:
    tasks = w.name("tasks")
    w.add(f"{tasks} = [asyncio.create_task(one) for one in ({', '.join(calls(w, node))},)]")
    with w.block(f"for one in asyncio.as_completed({tasks}):"):
        w.add("await one")
    with w.block(f"for task in {tasks}:"):
        w.add("out += task.result()")


@construct("async", parts=(1, 2))
def in_time(w: Writer, node: Node) -> None:
    with w.block("async with asyncio.timeout(60):"):
        for made in calls(w, node):
            w.add(f"out += await asyncio.wait_for({made}, 60)")
    w.add(f"out.append(seen(await asyncio.shield(work({w.tag()}))))")


@construct("async", is_alone=True)
def too_late(w: Writer, node: Node) -> None:
    with w.block("try:"):
        if chance_of(node).random() < 0.5:
            w.add(f"await asyncio.wait_for(never({w.tag()}), 0.03)")
        else:
            with w.block("async with asyncio.timeout(0.03):"):
                w.add(f"await asyncio.gather(never({w.tag()}), never({w.tag()}))")
    with w.block("except TimeoutError:"):
        w.add(f"out.append(seen({w.tag()}))")


@construct("async", parts=(1, 2))
def shared_task(w: Writer, node: Node) -> None:
    """Several wait for one task."""
    task, waiter = w.name("task"), w.name("waiter")
    w.add(f"{task} = asyncio.create_task(work({w.tag()}))")
    with w.block(f"async def {waiter}(follow: str) -> list[str]:"):
        w.add(f"tags = [seen(await {task})]")
        w.add("return [*tags, seen(await work(follow))]")
    made = [f"{waiter}({w.tag()})", *calls(w, node), f"{waiter}({w.tag()})"]
    with w.block(f"for tags in await asyncio.gather({', '.join(made)}):"):
        w.add("out += tags")
