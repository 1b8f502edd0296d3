r"""Turns a page into what a reader would make of it: its files, its program, and what is typed into a terminal.

- A block with a title (```` ```python title="tour.py" ````) is a file of that name.
- All other Python blocks, in order, are one program, each on the line where the page has it.
- A `console` block with lines that begin with `$ ` is a session: commands, and what they print.

Of a session the commands that begin with `python` are typed, in order, in the folder of the files. `…` in a line that
is expected stands for any text. A line `^C` or `^\` is that key, pressed as soon as the line above it has been printed.
"""

from __future__ import annotations

import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ELSEWHERE = "<!-- environment: agents -->"
"""Stands on a page whose program needs packages that the lock does not have: `make agents` runs it."""

FENCE = re.compile(r'^```(\w*)(?: +title="([^"]+)")?\s*$')
KEYS = {"^C": signal.SIGINT, "^\\": signal.SIGQUIT}
LONGEST_SECONDS = 100


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its title or "", and its lines with the number of the first."""

    language: str
    title: str
    first: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    blocks: list[Block] = []
    is_open = False
    for number, line in enumerate(page.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and not is_open:
            blocks.append(Block(fence[1] or "text", fence[2] or "", number + 1))
            is_open = True
        elif line.startswith("```"):
            is_open = False
        elif is_open:
            blocks[-1].lines.append(line)
    if is_open:
        raise ValueError("a block is not closed")
    return blocks


def program_of(page: str) -> str:
    """The page with everything but its Python blocks blanked out, so that a traceback names the page's own lines."""
    lines = [""] * len(page.splitlines())
    for block in blocks_of(page):
        if block.language == "python" and not block.title:
            lines[block.first - 1 : block.first - 1 + len(block.lines)] = block.lines
    return "\n".join(lines) + "\n"


def files_of(page: str) -> dict[str, str]:
    """The page's files by their names; two blocks of one title are two parts of it."""
    files: dict[str, str] = {}
    for block in blocks_of(page):
        if block.title:
            files[block.title] = files.get(block.title, "") + block.text
    return files


def commands_of(page: str) -> list[str]:
    """What the page's terminals are told, without prompts and comments; continued lines joined."""
    texts = (
        block.text.replace("\\\n", " ") for block in blocks_of(page) if block.language in ("console", "bash", "sh")
    )
    lines = [line for text in texts for line in lines_told(text)]
    return [line for line in (line.partition("  #")[0].strip() for line in lines) if line and not line.startswith("#")]


def lines_told(text: str) -> list[str]:
    """The lines that are typed: those with a prompt, or all of them where none has one."""
    lines = text.splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return typed or lines


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of a session, and the lines that it is to print."""

    command: str
    printed: list[str]


def sessions_of(page: str) -> Iterator[Typed]:
    """The commands that are typed, each with what the page says that it prints."""
    for block in blocks_of(page):
        if block.language != "console":
            continue
        parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
        for command, *printed in (part.splitlines() for part in parts):
            if command.startswith("python "):
                yield Typed(command, printed)


def write_files(page: str, folder: Path) -> None:
    """Write the page's files where a reader would."""
    for name, text in files_of(page).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def run_page(page: str, folder: Path, *, warnings: str = "error") -> subprocess.CompletedProcess[str]:
    """Write the page's files, and run its program in a fresh process whose current directory is `folder`; warnings are
    errors there too, unless they are said to be something else.
    """
    write_files(page, folder)
    program = folder / "page.py"
    program.write_text(program_of(page), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", warnings, str(program)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def type_session(page: str, folder: Path) -> None:
    """Type the page's sessions, and assert that what is printed is what the page says.

    Between a key and the end of the process a slow machine may print a line more than the page has; the next command
    then has that many less to do.
    """
    write_files(page, folder)
    may_lack = 0
    for typed in sessions_of(page):
        printed, more = run_typed(typed, folder)
        wanted = typed.printed[: cut(typed.printed)]
        assert any(is_like(printed, wanted[missing:]) for missing in range(may_lack + 1)), (
            f"$ {typed.command}\nprinted:\n{chr(10).join(printed)}\nthe page says:\n{chr(10).join(wanted)}"
        )
        may_lack = more


def cut(printed: list[str]) -> int:
    """How many lines come before a key is pressed; what a shell says after it is not compared."""
    return next(
        (place for place, line in enumerate(printed) if any(line.startswith(key) for key in KEYS)), len(printed)
    )


def run_typed(typed: Typed, folder: Path) -> tuple[list[str], int]:
    """Run one command; return the lines that it printed, up to the key, and the number of those after it."""
    at = cut(typed.printed)
    key = next(
        (sent for name, sent in KEYS.items() if at < len(typed.printed) and typed.printed[at].startswith(name)), None
    )
    arguments = [sys.executable, "-u", *shlex.split(typed.command, comments=True)[1:]]
    errors = folder / "stderr.txt"
    with (
        errors.open("w") as said,
        subprocess.Popen(
            arguments, cwd=folder, stdout=subprocess.PIPE, stderr=said, text=True, preexec_fn=leave_no_core
        ) as process,
    ):
        assert process.stdout is not None
        lines: list[str] = []
        while key is None or len(lines) < at:
            line = process.stdout.readline()
            if not line:
                break
            lines.append(line.rstrip("\n"))
        if key is not None:
            process.send_signal(key)
        more = len(process.stdout.readlines())
        status = process.wait(LONGEST_SECONDS)
    assert (status == 0) == (key is None), f"$ {typed.command}\nended with {status}\n{errors.read_text()}"
    return lines, more


def leave_no_core() -> None:
    """A process that is quit by its key leaves no core file in the reader's folder, and none here."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def is_like(printed: list[str], wanted: list[str]) -> bool:
    """Whether the lines are those, `…` standing for anything."""
    patterns = [".*".join(re.escape(part) for part in line.split("…")) for line in wanted]
    return len(printed) == len(wanted) and all(map(re.fullmatch, patterns, printed))
