"""Links, as the site needs them.

A page is written for the repository, where a link may lead to any file. On the site a link to a page leads to that
page, wherever the repository keeps it, and one to a file that is no page is plain text: nobody knows here where a
reader can see it. A public name in the text is a link to its entry in the reference.
"""

from __future__ import annotations

import html
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))
import places

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page


LINK = re.compile(r"(?<!!)\[((?:[^\[\]`]|`[^`]*`)+)\]\(([^)\s#]*)(#[^)\s]*)?\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)-light\.svg\)")
CODE = re.compile(r"(<(a|h[1-6]|pre)\b.*?</\2>)|<code>(@?)([\w.]+)(\([^<]*\))?</code>", re.DOTALL)
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
ANCHOR = re.compile(r"^#+ .*\{ *#(perdure[\w.]+) *\}$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead every link to where its target is on the site."""
    source = repository_path(page.file.src_uri)
    parts = FENCED.split(markdown)
    return "".join(part if FENCED.fullmatch(part) else relinked(part, source, page.file.src_uri) for part in parts)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link public names, and give each picture its dark form."""
    here = posixpath.dirname(page.file.src_uri)
    anchors = reference_anchors()

    def link(found: re.Match[str]) -> str:
        mark, name, call = found[3], found[4] or "", found[5] or ""
        target = anchors.get(name) or anchors.get(f"perdure.{full_name(name)}")
        if name.islower() and not (mark or call or "." in name):  # `timeout` may be a parameter's name
            target = None
        if target is None or page.file.src_uri == target.partition("#")[0]:
            return found[0]
        path = posixpath.relpath(target.replace(".md#", ".html#"), here or ".")
        return f'<a href="{html.escape(path)}"><code>{mark}{name}{call}</code></a>'

    return CODE.sub(link, content)


def full_name(name: str) -> str:
    """What `handle.status` is to the reference, where a page calls its handle or queue by that word."""
    return re.sub(r"^(handle|queue)\.", lambda word: f"{word[1].capitalize()}.", name)


def relinked(text: str, source: Path, here: str) -> str:
    """The text with links for the site, and pictures in their two forms."""

    def lead(found: re.Match[str]) -> str:
        label, path, anchor = found[1], found[2], found[3] or ""
        if not path or "://" in path or path.startswith("mailto:"):
            return found[0]
        file = Path(os.path.normpath(source.parent / path))
        target = site_path(file)
        if target is None:
            return label if file.exists() else found[0]  # mkdocs says that it leads nowhere
        return f"[{label}]({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor})"

    def both(found: re.Match[str]) -> str:
        forms = (f"![{found[1]}]({found[2]}-{form}.svg#only-{form})" for form in ("light", "dark"))
        return "".join(forms)

    return PICTURE.sub(both, LINK.sub(lead, text))


def repository_path(page: str) -> Path:
    """The file that the site's page is made from; of the reference the place that it has on the site."""
    kept = {site: places.ROOT / source for source, site in places.KEPT_ELSEWHERE.items()}
    return kept.get(page, places.DOCS / page)


def site_path(target: Path) -> str | None:
    """The path on the site of a file or folder of the repository, or None where it is no page."""
    if target.is_dir():
        target = target / ("index.md" if target == places.DOCS else "README.md")
    relative = os.path.relpath(target, places.ROOT)
    if relative in places.KEPT_ELSEWHERE:
        return places.KEPT_ELSEWHERE[relative]
    if relative == "README.md":
        return "index.md"
    inside = os.path.relpath(target, places.DOCS)
    is_made = inside.startswith("reference/") and (places.REFERENCE / target.name).exists()
    return inside if is_made or (not inside.startswith("..") and target.exists()) else None


def reference_anchors() -> dict[str, str]:
    """Where each public name is described: `perdure.step` leads to `reference/workflows.md#perdure.step`."""
    return {
        name: f"reference/{page.name}#{name}"
        for page in places.REFERENCE.glob("*.md")
        for name in ANCHOR.findall(page.read_text())
    }
