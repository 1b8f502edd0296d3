"""Answers a question by quoting: finds the sentence or table cell in given passages that fits it best.

No model of language: words, years and the shape of tables. `models.py` makes a language model of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from examples.document_indexing.words import FIGURE, is_common, words, years


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. `subject` says what the document is about: its first lines and its file's name."""

    text: str
    url: str
    page: str
    subject: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that a passage says: a sentence, or one row of a table with one cell per year."""

    passage: Passage
    text: str
    label: str
    section: str = ""
    cells: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Question:
    names: frozenset[str]
    """Words that tell which document is meant, because some passage's subject has them or they are written large."""
    wanted: frozenset[str]
    """Words that tell which line is meant."""
    years: frozenset[str]


_TITLE = 120
"""So many characters of a subject surely belong to the document's title."""
_CELL = re.compile(FIGURE)
_FOOTNOTE_MARKS = re.compile(r"^(?:\(\d\)\s*)+(?=[^%])")
_BRACKETS = re.compile(r"\([^)]*\)")
_FIGURES = re.compile(r"\d")
_ROW = re.compile(rf"(?P<label>.*?[^\W\d_].*?)\s*(?P<cells>(?:(?:{FIGURE}|[$€£%)\u2013\u2014-])(?:\s+|$))+)$")
_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
_HEADER_WORDS = re.compile(
    rf"(?i)\b(?:{_MONTH}|(?:fiscal )?years?|ended|ending|end|at|as|of|in|for|the|and|fy|usd|eur|item|note|notes|change|"
    r"thousands|millions|billions|dollars|except|per|share|data|amounts|twelve|months)\b|\d{1,2}(?=,)|[\s,.:;()$%|/-]"
)
_UNIT = re.compile(r"(?i)\bin (?:thousands|millions|billions)(?: of [a-z. ]*?dollars| of euros)?\b")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“])")
_ABBREVIATION = re.compile(r"\b(?:Inc|Ltd|Corp|Co|No|U\.S|[A-Z])\.$")


def answer(question: str, passages: Iterable[Passage]) -> str:
    """The best quotation with its source, or a sentence saying that the passages do not hold the answer."""
    passages = list(passages)
    asked = _understand(question, passages)
    missing = _missing_names(question, passages)
    if not passages or missing:
        about = f" about {', '.join(missing)}" if missing else ""
        return f"The indexed documents say nothing{about} that answers this."
    scored = [(_score(asked, said), said) for passage in passages for said in statements(passage)]
    if not scored:
        return "The indexed documents say nothing that answers this."
    best_score, best = max(scored, key=lambda pair: pair[0])
    is_about_it = not asked.wanted or asked.wanted & set(words(f"{best.section} {best.label}"))
    if best_score < 1.5 or not is_about_it or any(_score_year(year, best) <= -3 for year in asked.years):
        return "The indexed documents say nothing that answers this."
    quoted = [_quote(best, asked)]
    if best.cells and best.section and not (asked.wanted | asked.names) & set(words(best.label)):
        siblings = (said for _, said in scored if said.passage is best.passage and said.section == best.section)
        quoted += [_quote(said, asked) for said in siblings if said.cells and said is not best]
    return f"{' '.join(dict.fromkeys(quoted[:3]))}\nSource: {best.passage.url}, page {best.passage.page}."


def statements(passage: Passage) -> Iterator[Statement]:
    """Every sentence and every table row of a passage, in order."""
    columns: tuple[str, ...] = ()
    section = unit = ""
    prose: list[str] = []
    for line in passage.text.splitlines():
        unit = found[0] if (found := _UNIT.search(line)) else unit
        is_open = bool(prose) and not prose[-1].endswith((".", ":", "!", "?"))
        if not is_open and _is_header(line):
            yield from _sentences(passage, prose)
            columns, section = years(line), ""
        elif not is_open and (row := _ROW.match(line)):
            yield from _sentences(passage, prose)
            cells = _aligned(row["cells"], len(columns))
            # A row that does not fit the columns is a page's footer, perhaps: it belongs to no section either.
            fitting = (section, cells, columns, unit) if cells else ("", (), (), "")
            yield Statement(passage, line, row["label"], *fitting)
            section = "" if row["label"].lower().startswith("total") else section
        elif not is_open and _is_heading(line):
            yield from _sentences(passage, prose)
            section = line if line.endswith(":") else ""
            prose.append(line + ("" if line.endswith(":") else ":"))
        else:
            prose.append(line)
    yield from _sentences(passage, prose)


def _sentences(passage: Passage, prose: list[str]) -> Iterator[Statement]:
    """The sentences of the lines gathered so far, which are then forgotten."""
    parts = _SENTENCE_END.split(" ".join(line for line in prose if not (_is_heading(line) and line.endswith(":"))))
    prose.clear()
    sentence = ""
    for part in parts:
        sentence = f"{sentence} {part}".strip()
        if sentence and not _ABBREVIATION.search(sentence):
            yield Statement(passage, sentence, sentence)
            sentence = ""
    if sentence:
        yield Statement(passage, sentence, sentence)


def _is_header(line: str) -> bool:
    """Whether the line names a table's columns: years, and hardly anything that is not usual around them."""
    count, rest = len(years(line)), len(_HEADER_WORDS.sub("", _without_years(line)))
    return (count >= 2 and rest < 12) or (count == 1 and rest < 3)


def _is_heading(line: str) -> bool:
    return len(line) < 70 and line[:1].isupper() and not line.endswith((".", ",", ";", "!", "?")) and "," not in line


def _without_years(line: str) -> str:
    return re.sub(r"\b(?:19|20)\d\d\b", "", line)


def _aligned(text: str, count: int) -> tuple[str, ...]:
    """The row's cells, one per column; empty if they cannot be told apart. Percent columns between are left out."""
    cells = [cell.strip() for cell in _CELL.findall(_FOOTNOTE_MARKS.sub("", text))]
    if len(cells) != count:
        cells = [cell for cell in cells if "%" not in cell]
    return tuple(cells) if len(cells) == count else ()


def _understand(question: str, passages: list[Passage]) -> _Question:
    asked = frozenset(words(question))
    subjects = {word for passage in passages for word in words(passage.subject)}
    first = {word for word in words(question.split(" ", 1)[0]) if question[:1].isupper() and word in subjects}
    names = first.union(*map(words, _capitals(question)))
    if not names:
        names = {word for passage in passages for word in words(passage.subject[:_TITLE])}
    names = {word for word in names if word in asked and not is_common(word)}
    return _Question(frozenset(names), asked - names, frozenset(years(question)))


def _capitals(question: str) -> list[str]:
    """The words written large, without the first one unless it is somebody's ("Apple's sales")."""
    return re.findall(r"(?:(?<=\s)[A-Z][\w.&-]*(?:['’]s)?|^[A-Z][\w.&-]*['’]s?)", question)


def _missing_names(question: str, passages: list[Passage]) -> list[str]:
    """Names in the question, told by their capital letter, that no passage has anywhere."""
    texts: set[str] = set()
    for passage in passages:
        texts.update(words(passage.text), words(passage.subject))
    return [
        re.sub(r"['’]s?$", "", name)
        for name in _capitals(question)
        if any(not is_common(word) and word not in texts for word in words(name))
    ]


def _score(asked: _Question, said: Statement) -> float:
    subject = set(words(said.passage.subject))
    label = words(f"{said.section} {said.label}")
    own = set(label) - subject if not said.cells else set(label)
    score = sum(3.0 if name in subject else 1.5 if name in label else -4.0 for name in asked.names)
    if asked.wanted:
        score += 5.0 * _weight(asked.wanted & set(label)) / _weight(asked.wanted)
        # What the line says beyond the question: "shares used in computing earnings per share" is not the latter.
        score -= (3.0 if said.cells else 1.0) * len(own - asked.wanted - asked.names) / max(1, len(own))
        score += 0.2 * _common_pairs(label, asked.wanted)
        if asked.years and not _FIGURES.search(_without_years(said.text)):
            score -= 3.0  # what was how much in a year is answered by a figure
    elif not asked.years:
        says_more = any(word not in asked.names and not is_common(word) for word in label)
        score += 2.0 * (says_more and asked.names.issubset(label)) - 1.0 * bool(_FIGURES.search(said.text))
    return score + sum(_score_year(year, said) for year in asked.years)


def _weight(some: frozenset[str]) -> int:
    """A rare word such as a product's name says more about which line is meant than "revenue"."""
    return sum(1 if is_common(word) else 2 for word in some)


def _score_year(year: str, said: Statement) -> float:
    subject_years = years(said.passage.subject)
    own_report = 0.5 if year in subject_years else 0.0
    # "Earnings per share were 1.17 (2018: 0.98)" is about the report's own year.
    stated = said.columns or years(_BRACKETS.sub("", said.text)) or years(said.text) * (not own_report)
    if stated:
        return 2.5 + own_report + 1.0 * bool(said.cells) if year in stated else -4.0
    return 1.0 if own_report else -3.0


def _common_pairs(label: tuple[str, ...], wanted: frozenset[str]) -> int:
    return sum(one in wanted and two in wanted for one, two in pairwise(label))


def _quote(said: Statement, asked: _Question) -> str:
    year = next((year for year in asked.years if year in said.columns), said.columns[0] if said.columns else "")
    if not said.cells or not year:
        return said.text if said.text.endswith((".", "!", "?")) else f"{said.text}."
    cell = said.cells[said.columns.index(year)]
    label = f"{said.section} {said.label}".strip().rstrip(":")
    unit = f" ({said.unit.lower()})" if said.unit and "." not in cell and "shares" not in label.lower() else ""
    return f"{label} in {year}: {cell}{unit}."
