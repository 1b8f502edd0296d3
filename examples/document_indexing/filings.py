"""Filings: which ones there are, and each as a PDF of several pages with running text and tables.

`python filings.py DIRECTORY [COUNT]` writes them as files. Serving them is `serve.py`'s part.
"""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from examples.document_indexing.companies import Company, Figures, made_up_company, real_companies

_LINE, _LEFT, _TOP = 15, 60, 780
_COLUMNS = (380, 450, 520)


@dataclass(frozen=True, slots=True)
class Filing:
    """One company's annual report for one fiscal year."""

    company: Company
    year: int

    @property
    def path(self) -> str:
        """Where the file server has it, and the name of its file."""
        return f"{self.company.slug}-{self.year}.pdf"

    def figures(self) -> Figures:
        """The figures of the year that the filing reports on."""
        figures = self.company.figures(self.year)
        if figures is None:
            raise LookupError(f"{self.company.name} has no figures for {self.year}")
        return figures


def all_filings() -> Iterator[Filing]:
    """Every filing, the real companies' first; more than 49,000, in the same order on every machine."""
    apple, *others = real_companies()
    yield Filing(apple, 2021)  # the reference question is about this one, so even a demo of one document has it
    yield from (Filing(apple, year) for year in apple.years() if year != 2021)
    yield from (Filing(company, year) for company in others for year in company.years())
    for number in range(6144):
        company = made_up_company(number)
        yield from (Filing(company, year) for year in company.years())


def first_filings(count: int) -> list[Filing]:
    """The first `count` filings."""
    return list(islice(all_filings(), count))


@cache
def filings_by_path() -> dict[str, Filing]:
    """Every filing by its path on the file server."""
    return {filing.path: filing for filing in all_filings()}


def render(filing: Filing) -> bytes:
    """The filing as a PDF of five pages; the same bytes each time."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(f"{filing.company.name}: annual report {filing.year}")
    for number, lines in enumerate(_pages(filing), start=1):
        _draw(canvas, lines, f"{filing.company.name} | Annual report {filing.year} | {number}")
    canvas.save()
    return out.getvalue()


_Row = tuple[str, ...]
_Line = str | _Row
"""A paragraph or heading, or a table row: a label and one cell per year."""


def _draw(canvas: Canvas, lines: list[_Line], footer: str) -> None:
    y = _TOP
    for line in lines:
        if isinstance(line, tuple):
            canvas.setFont("Helvetica", 10)
            canvas.drawString(_LEFT, y, line[0])
            for x, cell in zip(_COLUMNS, line[1:], strict=False):
                canvas.drawRightString(x, y, cell)
            y -= _LINE
            continue
        is_heading = len(line) < 80 and not line.endswith((".", ":"))
        canvas.setFont("Helvetica-Bold" if is_heading else "Helvetica", 12 if is_heading else 10)
        for part in textwrap.wrap(line, 92):
            canvas.drawString(_LEFT, y, part)
            y -= _LINE
        y -= _LINE // 2
    canvas.setFont("Helvetica", 8)
    canvas.drawString(_LEFT, 40, footer)
    canvas.showPage()


def _pages(filing: Filing) -> list[list[_Line]]:
    return [_cover(filing), _discussion(filing), _operations(filing), _position(filing), _notes(filing)]


def _cover(filing: Filing) -> list[_Line]:
    company, year = filing.company, filing.year
    origin = (
        "The figures are those of the company's public annual report; the text around them was written for an example "
        "program and is not the company's."
        if company.is_real
        else "This company does not exist: its name and all its figures were made up for an example program."
    )
    return [
        company.name,
        f"Annual report for the fiscal year {year}",
        f"{company.name} {company.business}.",
        origin,
        "Contents: discussion of the year's results, statements of operations, financial position, notes.",
    ]


def _discussion(filing: Filing) -> list[_Line]:
    name, year, now = filing.company.name, filing.year, filing.figures()
    before = filing.company.figures(year - 1)
    lines: list[_Line] = [
        "Discussion of results",
        f"Net sales of {name} in fiscal year {year} were {now.net_sales:,} million dollars.",
        f"Net income was {now.net_income:,} million dollars, and operating income {now.operating_income:,} million "
        f"dollars. Basic earnings per share were {now.basic_eps:.2f} dollars and diluted earnings per share "
        f"{now.diluted_eps:.2f} dollars in {year}.",
    ]
    if before is not None:
        change = 100 * (now.net_sales - before.net_sales) / before.net_sales
        lines.append(
            f"Net sales {'rose' if change >= 0 else 'fell'} by {abs(change):.1f} percent from the "
            f"{before.net_sales:,} million dollars of {year - 1}, with changes in volume weighing more than prices."
        )
    return [
        *lines,
        "Liquidity",
        "The company meets its obligations from cash generated by operations. It expects that this will be enough "
        "for at least the next twelve months, investments already decided upon included.",
    ]


def _operations(filing: Filing) -> list[_Line]:
    years = _years_shown(filing)
    rows = [(year, figures) for year in years if (figures := filing.company.figures(year)) is not None]
    return [
        "Statements of operations",
        "In millions of dollars, except earnings per share.",
        ("Fiscal years ended", *(str(year) for year, _ in rows)),
        ("Net sales", *(f"{f.net_sales:,}" for _, f in rows)),
        ("Costs and operating expenses", *(f"{f.net_sales - f.operating_income:,}" for _, f in rows)),
        ("Operating income", *(f"{f.operating_income:,}" for _, f in rows)),
        ("Taxes and other items", *(f"{f.operating_income - f.net_income:,}" for _, f in rows)),
        ("Net income", *(f"{f.net_income:,}" for _, f in rows)),
        ("Earnings per share:",),
        ("Basic", *(f"$ {f.basic_eps:.2f}" for _, f in rows)),
        ("Diluted", *(f"$ {f.diluted_eps:.2f}" for _, f in rows)),
    ]


def _position(filing: Filing) -> list[_Line]:
    rows = [(year, figures) for year in _years_shown(filing)[:2] if (figures := filing.company.figures(year))]
    return [
        "Financial position",
        "In millions of dollars, at the end of each fiscal year.",
        ("At year end", *(str(year) for year, _ in rows)),
        ("Total assets", *(f"{f.total_assets:,}" for _, f in rows)),
        "Total assets are stated after depreciation. No asset was pledged as security for debts of others.",
    ]


def _notes(filing: Filing) -> list[_Line]:
    return [
        "Notes",
        f"The fiscal year {filing.year} had 52 weeks. Amounts are rounded, so that sums may differ by one.",
        "Revenue is recognized when control of goods passes to the customer, for services over the time of the "
        "contract. Earnings per share are computed from the weighted average of the shares outstanding; diluted "
        "earnings per share add the shares that employees may receive.",
        "Demand may fall, suppliers may fail, laws may change, and any of these would lower the results.",
    ]


def _years_shown(filing: Filing) -> list[int]:
    return [filing.year, filing.year - 1, filing.year - 2]


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for item in first_filings(int(sys.argv[2]) if len(sys.argv) > 2 else 10):
        (directory / item.path).write_bytes(render(item))
