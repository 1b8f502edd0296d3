"""Every page as plain Markdown beside its HTML, and `llms.txt`: what the site has, for programs that read.

`llms.txt` names the pages with a line on each (llmstxt.org), `llms-full.txt` is all of them one after the other.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))
import links

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page


pages: dict[str, Page] = {}
"""The pages of this build by their paths, with the Markdown that the links' hook has left in them."""
navigation: list[Navigation] = []

MARKS = re.compile(r" *\{ *[#.:][^}\n]*\} *$", re.MULTILINE)
TWO_FORMS = re.compile(r"(!\[[^\]]*\]\([^)]*)-light\.svg#only-light\)!\[[^)]*\)")
TARGET = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Remember the order."""
    navigation[:] = [nav]
    pages.clear()
    return nav


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Remember the page."""
    pages[page.file.src_uri] = page
    return html


def on_post_build(config: MkDocsConfig) -> None:
    """Write the Markdown of every page, and the two lists."""
    site = Path(config.site_dir)
    for path, page in pages.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(plain(page), encoding="utf-8")
    order = [page for page in navigation[0].pages if page.file.src_uri in pages]
    (site / "llms.txt").write_text(contents(config, navigation[0]), encoding="utf-8")
    whole = "\n\n".join(f"<!-- {page.file.src_uri} -->\n\n{plain(page).strip()}" for page in order)
    (site / "llms-full.txt").write_text(whole + "\n", encoding="utf-8")


def plain(page: Page) -> str:
    """The page's Markdown without what only the site understands."""
    return MARKS.sub("", TWO_FORMS.sub(r"\1-light.svg)", page.markdown or ""))


def contents(config: MkDocsConfig, nav: Navigation) -> str:
    """`llms.txt`: a heading, a line on the whole, and the pages by section."""
    lines = [
        f"# {config.site_name}",
        "",
        f"> {config.site_description}",
        "",
        "All in one file: [llms-full.txt](llms-full.txt)",
    ]
    for item in nav.items:
        if item.is_section:
            lines += ["", f"## {item.title}", ""]
            lines += [line_of(child) for child in item.children or [] if child.is_page]
        elif item.is_page:
            lines += ["", line_of(item)]
    return "\n".join(lines) + "\n"


def line_of(page: Page) -> str:
    """A page in the list: its title, its place and its first sentence."""
    paragraphs = re.split(r"\n\s*\n", links.FENCED.sub("", page.markdown or ""))
    prose = (part for part in paragraphs if part.strip() and part.strip()[0] not in "#|<!-*")
    text = " ".join(TARGET.sub(r"\1", next(prose, "")).split())
    sentence = re.split(r"(?<=[.:?!])\s", text)[0].rstrip(":") if text else ""
    return f"- [{page.title}]({page.file.src_uri})" + (f": {sentence}" if sentence else "")
