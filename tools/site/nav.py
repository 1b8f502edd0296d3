"""The site's navigation, from the folders: a page is in the section of its folder, under the title that it has.

A new page needs no edit here. `FIRST` only says which pages of a folder come first, and in which order; all others
follow by their titles. Pages that are kept elsewhere in the repository, and the reference, are added to the site.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import places

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


SECTIONS = {
    "Start": ["start"],
    "Guide": ["guide"],
    "How-to": ["how-to", "integrations"],
    "Operating": ["operating"],
    "Reference": ["reference"],
    "How it works": ["how-it-works", ""],
    "Taking part": ["recipes", "project"],
}
"""Each section's folders below docs/; "" are the pages of docs/ itself."""

FIRST = {
    "start": ["install", "tour", "to-postgres"],
    "guide": [
        "workflows",
        "steps-and-retries",
        "ids",
        "queues",
        "handles-and-errors",
        "errors",
        "workers-and-clients",
        "finding-runs",
        "waiting-for-several",
        "concurrency",
        "async-and-threads",
        "values",
        "functions",
        "stopping-and-recovery",
        "when-the-database-is-away",
        "settings",
        "testing",
    ],
    "how-to": ["fastapi", "flask", "django", "notebooks", "containers", "rolling-deploys", "sqlite-to-postgres"],
    "operating": ["sizing", "postgres", "pgbouncer", "backups", "upgrades", "at-three-in-the-morning", "security"],
    "reference": [
        "index",
        "workflows-and-steps",
        "starting",
        "waiting",
        "in-a-run",
        "instances",
        "clients",
        "values",
        "errors",
        "settings",
        "commands",
        "sql",
    ],
    "how-it-works": ["promise", "when-to-use", "chaos"],
    "": ["protocol", "costs", "benchmarks", "comparison"],
    "project": ["architecture"],
}
ONE_FOR_ALL = {"decisions/README.md": "how-it-works"}
"""A folder of many pages is reached by the page that lists them, which is among those of another folder."""
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation; a section without a page is left out."""
    pages = {path: title_of(text) for path, text in all_pages().items()}
    nav: list[dict[str, Any]] = [{"Home": "index.md"}]
    for section, folders in SECTIONS.items():
        entries = [{pages[path]: path} for folder in folders for path in in_order(folder, pages)]
        if entries:
            nav.append({section: entries})
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    from mkdocs.structure.files import File  # the tests look at this module without mkdocs

    for path, text in added_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def all_pages() -> dict[str, str]:
    """Every page of the site by its path in it."""
    own = {str(page.relative_to(places.DOCS)): page.read_text() for page in places.DOCS.rglob("*.md")}
    return own | added_pages()


def added_pages() -> dict[str, str]:
    """Pages of the repository that lie elsewhere, and the reference, which `reference.py` has written."""
    kept = {site: (places.ROOT / page).read_text() for page, site in places.KEPT_ELSEWHERE.items()}
    made = {f"reference/{page.name}": page.read_text() for page in sorted(places.REFERENCE.glob("*.md"))}
    return kept | made


def in_order(folder: str, pages: dict[str, str]) -> list[str]:
    """The paths of a folder's pages: first those that `FIRST` names, the others by their titles."""
    here = [path for path in pages if ONE_FOR_ALL.get(path, posixpath.dirname(path)) == folder and path != "index.md"]
    first = [posixpath.join(folder, f"{name}.md") for name in FIRST.get(folder, [])]
    others = sorted((path for path in here if path not in first), key=lambda path: pages[path].lower())
    return [path for path in first if path in here] + others


def title_of(text: str) -> str:
    """What stands in the page's heading, up to a colon, without marks."""
    found = TITLE.search(text)
    if found is None:
        raise ValueError("a page has no heading")
    return found[1].replace("`", "").partition(":")[0]
