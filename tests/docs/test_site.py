"""The site finds its pages by itself: a page, a public name and a link need no line in a central file."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import check
import links
import nav
import pictures
import places
import pytest
import reference

import perdure

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
WRITTEN = ("guide", "how-to", "start", "operating", "integrations")


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The pages of the reference."""
    return reference.pages()


def test_the_reference_has_every_public_name(made: dict[str, str]) -> None:
    """Each once, with a signature and what the docstring says."""
    anchors = [name for text in made.values() for name in links.ANCHOR.findall(text)]

    assert sorted(name for name in perdure.__all__ if anchors.count(f"perdure.{name}") != 1) == []
    assert "\nMake a function a step:" in made["workflows-and-steps"]


def test_the_reference_has_every_setting_view_and_command(made: dict[str, str]) -> None:
    """What is no docstring of a public name has pages too."""
    assert "{ #setting-lease_seconds }" in made["settings"]
    assert made["sql"].count("CREATE VIEW") == 4
    assert ("{ #command-perdure-doctor }" in made.get("commands", "")) == (find_spec("perdure.cli") is not None)


def test_a_new_public_name_finds_a_page() -> None:
    """A module that no page is planned for gets one of its own."""
    assert reference.place_of("decorators") == ("workflows-and-steps", "Workflows and steps")
    assert reference.place_of("late_arrivals") == ("late-arrivals", "Late arrivals")


def test_every_public_name_is_on_a_page_that_people_read() -> None:
    """The reference says what a name is; a page of the guide says what it is for: as code, for many are words, too."""
    pages = [page for folder in WRITTEN for page in (ROOT / "docs" / folder).rglob("*.md")]
    shown = {word for page in pages for code in CODE.findall(page.read_text()) for word in re.findall(r"\w+", code)}

    assert sorted(name for name in perdure.__all__ if name not in shown) == []


def test_a_new_page_is_in_the_navigation_by_its_folder() -> None:
    """After the pages that are named to come first, by its title."""
    pages = {"guide/zebras.md": "Zebras", "guide/apes.md": "Apes", "guide/settings.md": "Settings", "costs.md": "Costs"}

    assert nav.in_order("guide", pages) == ["guide/settings.md", "guide/apes.md", "guide/zebras.md"]
    assert nav.in_order("", pages) == ["costs.md"]


def test_every_folder_of_pages_is_in_the_navigation() -> None:
    """No page is reached by the search alone; the decisions by the page that lists them."""
    folders = {str(page.parent.relative_to(places.DOCS)).replace(".", "") for page in places.DOCS.rglob("*.md")}

    assert folders - {folder for some in nav.SECTIONS.values() for folder in some} == {"decisions"}


def test_a_link_leads_where_the_site_has_its_target() -> None:
    """To a page wherever the repository keeps it; to a file that is no page there is none; a wrong one stays wrong."""
    source = ROOT / "docs" / "guide" / "settings.md"

    def relinked(text: str) -> str:
        return links.relinked(text, source, "guide/settings.md")

    assert relinked("[a](steps-and-retries.md#at-most-once)") == "[a](steps-and-retries.md#at-most-once)"
    assert relinked("[a](../../ARCHITECTURE.md)") == "[a](../project/architecture.md)"
    assert relinked("[`x.py`](../../tests/conftest.py)") == "`x.py`"
    assert relinked("[a](nowhere.md)") == "[a](nowhere.md)"
    assert relinked("![p](../pictures/x-light.svg)").count("x-dark.svg#only-dark") == 1


def test_what_a_page_would_fetch_is_found(tmp_path: Path) -> None:
    """A script, picture, font or style from elsewhere fails the build; a link that a reader follows does not."""
    (tmp_path / "a.html").write_text('<a href="https://x.example/"></a><script src="https://y.example/z.js"></script>')
    (tmp_path / "a.css").write_text("@import 'https://z.example/f.css';")

    assert [breach.rpartition(" ")[2] for breach in check.fetched(tmp_path)] == [
        "https://y.example/z.js",
        "https://z.example/f.css",
    ]


def test_the_pictures_are_what_the_script_draws() -> None:
    """Whoever changes a picture changes the script; each is there for a light and a dark page."""
    made = pictures.drawn()

    assert {path.name: path.read_text() for path in pictures.FOLDER.glob("*.svg")} == made
    assert {name.rpartition("-")[2] for name in made} == {"light.svg", "dark.svg"}
