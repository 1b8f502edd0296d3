"""Words of a text as the local models see them: folded, with one word for what filings call by several names."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

FIGURE = r"(?:[$€£]\s*)?\(?[-\u2212]?(?:[$€£]\s*)?\d[\d,]*(?:\.\d+)?\s*%?\)?%?"
"""A number as it stands in a table, with currency, brackets for negatives or a percent sign."""

_YEAR = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?![.,]?\d)")
_WORD = re.compile(r"[^\W\d_]+")

# In this order: later rules see what earlier ones wrote.
_SAME = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"[’`]", "'"),
        (r"'s\b|(?<=s)'(?=\s|$)", ""),
        (r"\bfy\s*'?(\d{4})\b", r"\1"),
        (r"\bfy\s*'?(\d\d)\b", r"20\1"),
        (r"\br\s*&\s*d\b", "research and development"),
        (r"\bp\s*&\s*l\b", "profit and loss"),
        (r"\beps\b|\b(?:income|profit|earn(?:ed)?) per (?:common )?share\b", "earnings per share"),
        (r"\bper[- ](?:common |ordinary )?share\b", "per share"),
        (r"\bnet (?:earnings|profits?)\b|\bprofits? (?:after tax|for the year)\b", "net income"),
        (r"\bearnings\b(?! per)|\b(?<!gross )(?<!operating )profits?\b|\bearn(?:ed)?\b", "net income"),
        (r"\boperating profit\b", "operating income"),
        (r"\bturnover\b|\btotal (?:net )?(?:sales|revenues?)\b|\bnet (?:sales|revenues?)\b", "revenue"),
        (r"\bsales\b|\brevenues\b|\bsell\b", "revenue"),
        (r"\b(?:headcount|workforce|staff|employ(?:s|ed)?)\b", "employees"),
        (r"\bceo\b", "chief executive"),
        (r"\bcfo\b", "chief financial officer"),
        (r"\bcogs\b", "cost of sales"),
    )
)


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STOP = _listed(
    "a about all also an and any are as at be been being but by can could did do does each for from give had has have "
    "he her his how i if in into is it its itself know let like many may me more most much my no not of on or our "
    "out please said say shall she should show so such tell than that the their them then there these they this "
    "those to under up upon us was we were what when where which who whom whose why will with would you your "
    "amount figure value report reported year fiscal ended end during company business"
)
"""Words that say nothing about which document or which line is meant."""

_COMMON = _listed(
    "account act amount annual asset average balance basic billion board cash change common consolidated corp "
    "corporation cost current cover commission content date diluted director discussion dollar earning employee "
    "equity exchange expense financial following form gross growth group half held inc income increase interest "
    "investment item law liability limited llc loss ltd management margin market million net note number obligation "
    "operating operation other page part per percent period plc position price product public quarter rate registrant "
    "report research development result revenue risk sale securities section service share shareholder state "
    "statement stock tax thousand total united washington weighted"
)
"""Words that most filings have, so that they tell little about which filing is meant."""


@lru_cache(maxsize=4096)
def years(text: str) -> tuple[str, ...]:
    """The years named in a text, in order; a number such as 2,021 or 20.21 is none."""
    return tuple(_YEAR.findall(_same(text)))


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The telling words in order: lower case, without accents and plurals, one word for one idea."""
    return tuple(
        stem for word in _WORD.findall(_same(text)) if word not in _STOP and (stem := _stem(word)) not in _STOP
    )


def is_common(word: str) -> bool:
    """Whether the word stands in most filings."""
    return word in _COMMON


def _same(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(c for c in folded if not unicodedata.combining(c))
    for pattern, word in _SAME:
        text = pattern.sub(word, text)
    return text


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
