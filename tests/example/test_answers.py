"""Questions are answered from the filings, with the right company, year and figure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.document_indexing.answers import Passage, answer
from examples.document_indexing.chunks import chunks_of, readable
from examples.document_indexing.filings import Filing, first_filings
from examples.document_indexing.index import DocumentIndex
from tests.example.pages import pages_of, url_of

KNOWN = (
    ("What was Apple's earnings per share in 2021?", "5.67"),
    ("what was apple's eps in fiscal 2021", "5.67"),
    ("What was Apple's diluted EPS in 2021?", "5.61"),
    ("What were Apple's net sales in 2021?", "365,817"),
    ("What was Apple's profit in FY2020?", "57,411"),
    ("How much net income did Microsoft make in 2022?", "72,738"),
    ("What was Alphabet's revenue in 2023?", "307,394"),
    ("What were the total assets of Meta Platforms in 2022?", "185,727"),
    ("Operating income Amazon 2021", "24,879"),
    ("What was the diluted EPS of Microsoft in 2019?", "5.06"),
    ("In 2021, what were Apple's earnings per share?", "5.67"),
    ("What did Apple earn per share in fiscal 2021?", "5.67"),
    ("How much did Apple sell in 2021?", "365,817"),
)

TEN_K = """CONSOLIDATED STATEMENTS OF OPERATIONS
(In millions, except number of shares which are reflected in thousands and per share amounts)
Years ended
September 25,
2021
September 26,
2020
Net sales:
Products $ 297,392 $ 220,747
Services  68,425  53,768
Total net sales  365,817  274,515
Earnings per share:
Basic $ 5.67 $ 3.31
Diluted $ 5.61 $ 3.28
Shares used in computing earnings per share:
Basic  16,701,272  17,352,119
2021 Change 2020
iPhone (1) $ 191,973  39 % $ 137,781
Apple Inc. | 2021 Form 10-K | 29"""


@pytest.fixture(scope="module")
def filled(postgres: str) -> Iterator[DocumentIndex]:
    """An index of the real companies' filings and as many made-up ones."""
    from examples.document_indexing.database import new_database

    index = DocumentIndex(new_database(postgres, "answers"))
    for filing in first_filings(45):
        index.replace(url_of(filing), pages_of(filing))
    yield index
    index.close()


@pytest.mark.parametrize(("question", "figure"), KNOWN)
def test_a_question_about_a_public_figure_is_answered_with_it(
    filled: DocumentIndex, question: str, figure: str
) -> None:
    """The figure stands in the first sentence of the answer, and the source behind it."""
    reply = filled.ask(question)
    assert figure in reply.splitlines()[0].split(". ")[0]
    assert "Source: http://filings.example/" in reply


@pytest.mark.parametrize("number", range(20, 45, 6))
def test_every_filing_answers_for_its_own_year(filled: DocumentIndex, number: int) -> None:
    """Companies whose names share a word are told apart."""
    filing: Filing = first_filings(number + 1)[number]
    name = filing.company.name.removesuffix(" Ltd.")
    reply = filled.ask(f"What was {name}'s basic earnings per share in {filing.year}?")
    assert f"{filing.figures().basic_eps:.2f}" in reply.splitlines()[0]
    assert filing.path in reply


def test_the_answer_says_that_the_model_is_the_local_one(filled: DocumentIndex) -> None:
    """Nobody should take the quotation for a large model's word."""
    assert "small local model" in filled.ask("What was Apple's earnings per share in 2021?")


@pytest.mark.parametrize(
    "question",
    [
        "What was Contoso's earnings per share in 2021?",
        "What was Apple's earnings per share in 1999?",
        "How many lawsuits did Apple have in 2021?",
    ],
)
def test_what_is_not_indexed_is_not_answered(filled: DocumentIndex, question: str) -> None:
    """Another company's figure, another year's, or a line that only names the company would be worse than none."""
    assert "say nothing" in filled.ask(question)


def test_an_empty_index_says_so(index: DocumentIndex) -> None:
    """No error, and no invention."""
    assert "Nothing is indexed yet" in index.ask("What was Apple's earnings per share in 2021?")


@pytest.mark.parametrize(
    ("question", "figure"),
    [
        ("What was Apple's earnings per share in 2021?", "5.67"),
        ("What was Apple's diluted EPS in 2020?", "3.28"),
        ("What were Apple's total net sales in 2020?", "274,515"),
        ("What was Apple's iPhone revenue in 2021?", "191,973"),
        ("What were Apple's services sales in 2020?", "53,768"),
    ],
)
def test_tables_of_other_makers_are_read(question: str, figure: str) -> None:
    """Dates on several lines, sections, footnote marks and percent columns, as annual reports have them."""
    passage = Passage(
        readable(TEN_K), "http://filings.example/10k.pdf", "29", "Form 10-K September 25, 2021 Apple Inc."
    )
    assert figure in answer(question, [passage]).split(". ")[0]


def test_figures_follow_their_label_where_each_cell_has_a_line_of_its_own() -> None:
    """Many PDFs are read so; sentences are left alone."""
    assert (
        readable("Net sales\n365,817\n274,515\n\nThis is text.\n12") == "Net sales 365,817 274,515\nThis is text.\n12"
    )


def test_long_pages_are_cut_and_every_piece_knows_its_document() -> None:
    """A piece in the middle of a page carries the document's first lines."""
    (page, *_) = pages_of(first_filings(1)[0])
    page.set_content("Apple Inc.\n" + "\n".join(f"Line {number} of a long page." for number in range(600)))
    chunks = chunks_of("http://filings.example/long.pdf", [page])
    assert len(chunks) > 3
    assert all(chunk.metadata["heading"].startswith("Apple Inc.") for chunk in chunks)
    assert "Line 599 of a long page." in chunks[-1].text
