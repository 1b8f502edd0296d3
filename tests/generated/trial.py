"""Trials: some programs live together in one process after another, each of which is killed, but for the last."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.generated import cancel_constructs, shared_constructs, talking_constructs, vocabulary  # noqa: F401  # all
from tests.generated.hosts import Host, read
from tests.generated.live import Life
from tests.generated.looking import RUNS, STEPS, ask
from tests.generated.notes import LEAVES
from tests.generated.program import HEADER, Program
from tests.generated.rules import Recorded, Story, breaches, parse


def plain_ending(program: Program) -> list[Any]:
    """How the same source ends without Perdure: what it means."""
    source = program.source()
    assert source.startswith(HEADER)
    names = {"asyncio": asyncio, **vars(vocabulary), **vocabulary.PLAIN}
    imports = "import contextlib, contextvars\n"
    code = compile(imports + source.removeprefix(HEADER), program.name, "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102  # our own text
    function = names[program.name]
    try:
        return ["value", asyncio.run(function()) if program.world == "async" else function()]
    except ValueError as error:
        return ["error", "ValueError", str(error).partition("#")[0]]


def write(programs: Iterable[Program], folder: Path) -> None:
    """Each as a module of its own, for the hosts to import and for people to look at."""
    for program in programs:
        (folder / f"{program.name}.py").write_text(program.source())


class Trial:
    """Programs that live together on one database, and the story of each."""

    def __init__(self, stories: Sequence[Story], url: str, folder: Path) -> None:
        self.stories = {story.name: story for story in stories}
        self.url = url
        self.folder = folder
        self.lives = 0
        folder.mkdir(parents=True, exist_ok=True)

    def live(
        self,
        host: Host,
        *,
        kills: str = "store",
        kill_at: int = 0,
        how: str = "kill",
        loop: str = "stock",
        begins: str = "named",
        **settings: Any,
    ) -> bool:
        """One life more; whether it was killed."""
        self.lives += 1
        names, folder = list(self.stories), str(self.folder)
        life = Life(self.lives, self.url, names, loop, kills, kill_at, how, begins, folder, settings)
        ended = host.run(life)
        for name, ending in ended.endings.items():
            self.stories[name].endings[self.lives] = ending
        self._look()
        return ended.is_killed

    def _look(self) -> None:
        """What is recorded now."""
        runs = ask(self.url, RUNS)
        parents = {run: parent for run, parent, *_ in runs}
        for story in self.stories.values():
            story.recorded[self.lives] = []
            story.states = {}
        for run, _, state, needs_mend, reason in runs:
            story = self._story(root_of(run, parents))
            story.states[run] = f"{state} ({reason})" if needs_mend else state
        for run, key, kind, outcome in ask(self.url, STEPS):
            row = Recorded(run, key, kind, str(outcome))
            self._story(root_of(run, parents)).recorded[self.lives].append(row)

    def _story(self, root: str) -> Story:
        """Whose run it is; a run whose id nobody has chosen is the only program's."""
        if root not in self.stories and len(self.stories) == 1:
            story = next(iter(self.stories.values()))
            story.run = root
            return story
        return self.stories[root]

    def failures(self) -> dict[str, list[str]]:
        """By program: what does not hold."""
        owners: dict[str, str] = {}
        for name, story in self.stories.items():
            owners |= dict.fromkeys([name, *story.states], name)
            story.notes = []
        leaving: set[int] = set()
        for line in read(self.folder / "notes").splitlines():
            note = parse(line)
            if note.what == LEAVES:
                leaving.add(note.life)
            elif (name := owners.get(note.run)) is not None and not (note.what == "seen" and note.life in leaving):
                self.stories[name].notes.append(note)
        return {name: found for name, story in self.stories.items() if (found := breaches(story))}

    def warnings(self) -> str:
        """What the lives have logged."""
        return "\n".join(f"life {path.stem[4:]}: {read(path)}" for path in sorted(self.folder.glob("log-*")))


def root_of(run: str, parents: dict[str, str | None]) -> str:
    """The run that nobody started from another."""
    while (parent := parents.get(run)) is not None:
        run = parent
    return run


def is_ordered(program: Program) -> bool:
    """Whether what it sees before a body begins must come again: not in threads, where the rule cannot tell what was
    seen before the body's call from what another thread saw while it began.
    """
    return not any("thread" in kind for kind in program.kinds())


def try_together(
    programs: Sequence[Program],
    url: str,
    folder: Path,
    hosts: Sequence[Host],
    chance: random.Random,
    *,
    kills: int,
    ways: Sequence[str] = ("kill",),
    loops: Sequence[str] = ("stock",),
) -> Trial:
    """Kill them at so many random boundaries, each life in another host and on another loop, then let them end. `ways`:
    how a life may end, see `Death`; gracefully at once, or with a second for the bodies.

    A replay sees again what was seen before, so later deaths are sought later. The hosts share one folder.
    """
    write(programs, hosts[0].folder)
    stories = [Story(program.name, plain_ending(program), is_ordered(program)) for program in programs]
    trial = Trial(stories, url, folder)
    for number in range(kills + 1):
        kind = chance.choice(["store", "note"])
        most = (20 if kind == "store" else 50) * len(programs) * (number + 1) // (kills or 1)
        kill_at = chance.randint(5, most) if number < kills else 0
        how, settings = chance.choice(ways), {"shutdown_seconds": chance.choice([0.0, 1.0])} if len(ways) > 1 else {}
        host, loop = hosts[number % len(hosts)], loops[number % len(loops)]
        trial.live(host, kills=kind, kill_at=kill_at, how=how, loop=loop, **settings)
    return trial
