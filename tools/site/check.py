"""What must hold of the built site, beside what mkdocs itself is strict about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FETCHED = re.compile(r"""<(?:script|img|source|iframe|video|audio)\b[^>]*\bsrc=["']?((?:https?:)?//[^"'\s>]+)"""
                     r"""|<link\b[^>]*\bhref=["']?((?:https?:)?//[^"'\s>]+)""")  # fmt: skip
FETCHED_BY_STYLE = re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


def breaches(site: Path) -> list[str]:
    """Everything that is wrong, each with its page."""
    return [*fetched(site), *without_markdown(site), *not_listed(site)]


def fetched(site: Path) -> Iterator[str]:
    """Nothing is fetched from elsewhere when a page is read."""
    for page in [*site.rglob("*.html"), *site.rglob("*.css")]:
        pattern = FETCHED if page.suffix == ".html" else FETCHED_BY_STYLE
        for found in pattern.finditer(page.read_text(encoding="utf-8")):
            address = next(group for group in found.groups() if group)
            if "www.w3.org" not in address:
                yield f"{page.relative_to(site)}: is fetched from elsewhere: {address}"


def without_markdown(site: Path) -> Iterator[str]:
    """Every page is there as plain Markdown too."""
    for page in site.rglob("*.html"):
        other = page.with_suffix(".md")
        if page.name != "404.html" and not other.exists() and not (page.with_name("README.md")).exists():
            yield f"{page.relative_to(site)}: has no Markdown beside it"


def not_listed(site: Path) -> Iterator[str]:
    """Whatever is listed in `llms.txt` exists, and nothing is listed twice."""
    listed = re.findall(r"^- \[.*?\]\(([^)]+)\)", (site / "llms.txt").read_text(encoding="utf-8"), re.MULTILINE)
    yield from (f"llms.txt: {path} does not exist" for path in listed if not (site / path).exists())
    yield from (
        f"llms.txt: {path} is listed twice" for path in sorted({one for one in listed if listed.count(one) > 1})
    )
    if not listed:
        yield "llms.txt: lists no page"
