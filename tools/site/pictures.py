"""Draws the pages' pictures, each for a light and a dark page: docs/pictures/NAME-light.svg and NAME-dark.svg.

    .venv/bin/python tools/site/pictures.py

A picture is a function that draws on a `Canvas`. The terminal is what `docs/pictures/demo.txt` has: real output.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, 'DejaVu Sans Mono', monospace"

Colours = dict[str, str]
LIGHT: Colours = {
    "ink": "#1d2733", "soft": "#5b6773", "line": "#b9c3cd", "paper": "#ffffff", "box": "#f2f5f8",
    "done": "#0f8a7e", "done_soft": "#d4f0ec", "again": "#b26a00", "again_soft": "#fdebcf",
    "dead": "#c0343f", "dead_soft": "#fbdfe1", "store": "#3b5bb5", "store_soft": "#e0e7fb", "screen": "#f6f8fa",
}  # fmt: skip
DARK: Colours = {
    "ink": "#e4e9ee", "soft": "#a3aebb", "line": "#4b5766", "paper": "#1e2129", "box": "#2a2f3a",
    "done": "#4fd1c2", "done_soft": "#163f3b", "again": "#f0b45c", "again_soft": "#4a3512",
    "dead": "#ff8b92", "dead_soft": "#4d2226", "store": "#9db4ff", "store_soft": "#26335c", "screen": "#171a20",
}  # fmt: skip


@dataclass
class Canvas:
    """A sheet of some size, and what is drawn on it, in order."""

    width: int
    height: int
    colours: Colours
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, fill: str, line: str, *, dash: str = "") -> None:
        """A rectangle with round corners."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{self.colours[fill]}" '
            f'stroke="{self.colours[line]}" stroke-width="1.5"{dashed}/>'
        )

    def text(
        self, x: float, y: float, text: str, *, colour: str = "ink", size: int = 14, anchor: str = "middle",
        font: str = FONT, bold: bool = False,
    ) -> None:  # fmt: skip
        """A line of text; `y` is its base line."""
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x}" y="{y}" fill="{self.colours[colour]}" font-family="{font}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight} xml:space="preserve">{escape(text)}</text>'
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: str = "") -> None:
        """A line with a head at its second end."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{self.colours[colour]}" stroke-width="1.8" '
            f'marker-end="url(#{colour})"{dashed}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: str = "") -> None:
        """A line."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{self.colours[colour]}"{dashed}/>')

    def drum(self, x: float, y: float, width: float, height: float, title: str, below: str) -> None:
        """A database."""
        fill, line, lid = self.colours["store_soft"], self.colours["store"], 9
        self.parts.append(
            f'<path d="M{x} {y + lid} a{width / 2} {lid} 0 0 1 {width} 0 v{height - 2 * lid} '
            f'a{width / 2} {lid} 0 0 1 -{width} 0 z" fill="{fill}" stroke="{line}" stroke-width="1.5"/>'
            f'<path d="M{x} {y + lid} a{width / 2} {lid} 0 0 0 {width} 0" fill="none" stroke="{line}"/>'
        )
        self.text(x + width / 2, y + height / 2 + 8, title, bold=True)
        self.text(x + width / 2, y + height / 2 + 27, below, colour="soft", size=12)

    def svg(self, title: str) -> str:
        """The file."""
        heads = "".join(
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{self.colours[name]}"/></marker>'
            for name in ("ink", "soft", "done", "again", "dead", "store")
        )
        inside = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
            f"<defs>{heads}</defs>\n"
            f'<rect width="{self.width}" height="{self.height}" rx="8" fill="{self.colours["paper"]}"/>\n'
            f"{inside}\n</svg>\n"
        )


def timeline(canvas: Canvas) -> None:
    """A run over two processes."""
    rows = {"first process": 70, "database": 150, "second process": 230}
    for name, y in rows.items():
        canvas.text(20, y + 5, name, anchor="start", colour="soft", size=13)
        canvas.line(130, y, 880, y, "line", dash="2 4")
    done, again = ("done_soft", "done"), ("again_soft", "again")
    for x, width, label, (fill, line), y in (
        (140, 130, "step 1", done, 70), (290, 110, "step 2 …", again, 70),
        (520, 64, "step 1", done, 230), (600, 130, "step 2", again, 230), (745, 120, "step 3", done, 230),
    ):  # fmt: skip
        canvas.box(x, y - 22, width, 44, fill, line, dash="4 3" if x == 520 else "")
        canvas.text(x + width / 2, y + 5, label)
    canvas.text(415, 77, "✕", colour="dead", size=24, bold=True)
    canvas.text(432, 75, "killed", colour="dead", anchor="start", bold=True)
    for x, label in ((270, "1"), (730, "2"), (865, "3")):
        canvas.parts.append(
            f'<circle cx="{x}" cy="150" r="12" fill="{canvas.colours["store_soft"]}" '
            f'stroke="{canvas.colours["store"]}" stroke-width="1.5"/>'
        )
        canvas.text(x, 155, label, size=13, colour="store", bold=True)
    canvas.arrow(270, 94, 270, 134, "store")
    canvas.arrow(284, 154, 530, 204, "store")
    canvas.arrow(730, 206, 730, 166, "store")
    canvas.arrow(865, 206, 865, 166, "store")
    canvas.text(552, 273, "replayed: no body runs", size=12, colour="soft")
    canvas.text(665, 291, "runs again: it was not recorded", size=12, colour="again")
    canvas.text(120, 30, "time", size=12, colour="soft", anchor="end")
    canvas.arrow(130, 26, 880, 26, "soft")


def layers(canvas: Canvas) -> None:
    """What lies on what."""
    rows = (
        ("surface", "decorators, Queue, Handle, Perdure", "what you import", "box", "line"),
        ("jobs", "journal, claiming, hosting, watching, membership, duties", "when it happens", "done_soft", "done"),
        ("rules", "keys, retries, replay, time limits: no I/O, no clock", "what may happen", "again_soft", "again"),
        ("rows", "SQLite, Postgres: one contract, the same statements' names", "how it is kept", "store_soft", "store"),
    )
    y = 66
    canvas.box(30, 14, 840, 36, "paper", "line", dash="4 3")
    canvas.text(450, 37, "your app: def, async def, FastAPI, a script, a notebook", size=14)
    for name, what, when, fill, line in rows:
        canvas.box(30, y, 840, 56, fill, line)
        canvas.text(50, y + 34, name, anchor="start", bold=True, size=16)
        canvas.text(170, y + 34, what, anchor="start", size=14)
        canvas.text(850, y + 34, when, anchor="end", colour="soft", size=13)
        y += 68
    note = "Imports point down. Rules and rows do not know each other; jobs are handed a store."
    canvas.text(450, y + 16, note, colour="soft", size=13)


def failover(canvas: Canvas) -> None:
    """Three processes on one database."""
    for place, (name, below, fill, line) in enumerate((
        ("process 1", "holds runs A, B", "box", "line"),
        ("process 2", "killed", "dead_soft", "dead"),
        ("process 3", "goes on with C", "done_soft", "done"),
    )):  # fmt: skip
        x = 40 + place * 290
        canvas.box(x, 24, 240, 72, fill, line, dash="5 4" if name == "process 2" else "")
        canvas.text(x + 120, 55, name, bold=True)
        canvas.text(x + 120, 77, below, colour="dead" if name == "process 2" else "soft", size=13)
    canvas.drum(330, 190, 240, 96, "your Postgres", "runs, outcomes, workers")
    canvas.arrow(160, 98, 345, 196, "soft")
    canvas.text(232, 158, "1  shows that it lives", anchor="end", size=13, colour="soft")
    canvas.arrow(450, 98, 450, 186, "dead", dash="5 4")
    canvas.text(462, 138, "2  does not", anchor="start", size=13, colour="dead")
    canvas.arrow(740, 98, 555, 196, "done")
    canvas.text(672, 150, "3  sees that, deletes", anchor="start", size=13, colour="done")
    canvas.text(672, 168, "    its row, claims C", anchor="start", size=13, colour="done")
    note = "A process that was taken over can write nothing more: every transaction asks whether its row is there."
    canvas.text(450, 318, note, size=13, colour="soft")


def demo(canvas: Canvas) -> None:
    """A terminal with what the demo printed."""
    colours = {"$": "store", "kill": "dead", "Nothing": "dead", "indexed": "done", "─── ": "soft"}
    canvas.parts.append(
        f'<rect x="6" y="6" width="{canvas.width - 12}" height="{canvas.height - 12}" rx="8" '
        f'fill="{canvas.colours["screen"]}" stroke="{canvas.colours["line"]}"/>'
    )
    for place, colour in enumerate(("dead", "again", "done")):
        canvas.parts.append(f'<circle cx="{26 + 18 * place}" cy="25" r="5.5" fill="{canvas.colours[colour]}"/>')
    for number, line in enumerate(transcript()):
        colour = next((colours[word] for word in colours if line.startswith(word)), "ink")
        canvas.text(24, 62 + 17 * number, line, anchor="start", font=MONO, size=13, colour=colour)


def transcript() -> list[str]:
    """The terminal's lines: the whole output of `make demo` without the questions and answers and the small print."""
    text = (FOLDER / "demo.txt").read_text(encoding="utf-8").partition("Bodies are counted")[0]
    text = re.sub(r"^Q: (?:.*\n)*?.*OPENAI_API_KEY.*\n", "", text, flags=re.MULTILINE)
    return text.rstrip().splitlines()


PICTURES: dict[str, tuple[Callable[[Canvas], None], int, int, str]] = {
    "timeline": (timeline, 900, 310, "A run is killed during its second step and goes on in another process"),
    "layers": (layers, 900, 366, "The layers: surface, jobs, rules and rows"),
    "failover": (failover, 900, 336, "A process dies and another one goes on with its runs"),
}


def drawn() -> dict[str, str]:
    """Every picture by the name of its file."""
    lines = transcript()
    pictures = PICTURES | {
        "demo": (demo, 60 + max(map(len, lines)) * 8, 84 + 17 * len(lines), "The demo in a terminal"),
    }
    made = {}
    for name, (draw, width, height, title) in pictures.items():
        for form, colours in (("light", LIGHT), ("dark", DARK)):
            canvas = Canvas(width, height, colours)
            draw(canvas)
            made[f"{name}-{form}.svg"] = canvas.svg(title)
    return made


def main() -> int:
    """Write them all."""
    for name, text in drawn().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
