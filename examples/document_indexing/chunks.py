"""From the pages of a PDF to the chunks that are indexed. Nothing here knows the database."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from llama_index.core.schema import Document, NodeRelationship, RelatedNodeInfo, TextNode

from examples.document_indexing.words import FIGURE

CHUNK_CHARACTERS = 3000
OVERLAP_CHARACTERS = 400
HEADING_CHARACTERS = 700

_ONLY_FIGURES = re.compile(rf"(?:{FIGURE}|[$€£%)\u2013\u2014-])(?:\s+(?:{FIGURE}|[$€£%)\u2013\u2014-]))*")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATE = rf"(?:{_MONTH} \d{{1,2}},?(?: (?:19|20)\d\d)?|(?:19|20)\d\d)"
_ONLY_DATES = re.compile(rf"{_DATE}(?: {_DATE})*", re.IGNORECASE)


def chunks_of(url: str, pages: Iterable[Document]) -> list[TextNode]:
    """The chunks of one document, in order.

    A chunk's id follows from the URL and its position, so that indexing the document again gives the same ids. Each
    chunk carries the start of the document as `heading`: a page in the middle rarely says whose report it is.
    """
    texts = [(page.metadata.get("page_label", ""), readable(page.text)) for page in pages]
    heading = " ".join(next((text for _, text in texts if text), "").split())[:HEADING_CHARACTERS]
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    pieces = [(label, piece) for label, text in texts for piece in _pieces(text)]
    return [
        TextNode(
            id_=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{url}#chunk={position}")),
            text=piece,
            metadata={"url": url, "page_label": label, "file_name": name, "heading": heading},
            excluded_embed_metadata_keys=["url", "page_label"],
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=url)},
        )
        for position, (label, piece) in enumerate(pieces)
    ]


def readable(text: str) -> str:
    """The text without what a database refuses, without empty lines, and with each table row on one line.

    Many PDFs give every cell a line of its own; the figures then follow their label, the columns' dates one another.
    """
    text = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    lines: list[str] = []
    for line in (" ".join(raw.split()) for raw in text.splitlines()):
        if not line:
            continue
        continues = lines and (
            (_ONLY_FIGURES.fullmatch(line) and not lines[-1].endswith((".", ",", ";", "!", "?")))
            or (_ONLY_DATES.fullmatch(line) and _ONLY_DATES.fullmatch(lines[-1]))
        )
        if continues:
            lines[-1] += " " + line
        else:
            lines.append(line)
    return "\n".join(lines)


def _pieces(text: str) -> list[str]:
    """The text in pieces of whole lines; each piece after the first begins with the end of the one before."""
    pieces: list[str] = []
    piece: list[str] = []
    size = 0
    for line in (part for whole in text.splitlines() for part in _short_lines(whole)):
        if piece and size + len(line) > CHUNK_CHARACTERS:
            pieces.append("\n".join(piece))
            piece = _tail(piece)
            size = sum(len(kept) + 1 for kept in piece)
        piece.append(line)
        size += len(line) + 1
    return [*pieces, "\n".join(piece)] if piece else pieces


def _tail(lines: list[str]) -> list[str]:
    kept: list[str] = []
    room = OVERLAP_CHARACTERS
    for line in reversed(lines):
        if (room := room - len(line)) < 0:
            break
        kept.insert(0, line)
    return kept


def _short_lines(line: str) -> list[str]:
    return [line[start : start + CHUNK_CHARACTERS] for start in range(0, len(line), CHUNK_CHARACTERS)]
