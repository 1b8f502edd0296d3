"""Companies and their yearly figures: a few real ones with public figures, the rest made up and deterministic.

Nothing here knows how a filing looks; `filings.py` does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

FIRST_YEAR = 2017
LAST_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Figures:
    """One company's fiscal year. Amounts are in millions of dollars, earnings per share in dollars."""

    net_sales: int
    net_income: int
    basic_eps: float
    diluted_eps: float
    operating_income: int
    total_assets: int


@dataclass(frozen=True, slots=True)
class Company:
    """A company that files; `is_real` tells public figures from made-up ones."""

    name: str
    business: str
    is_real: bool

    @property
    def slug(self) -> str:
        """The name as it stands in URLs."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.name.lower()).split())

    def years(self) -> list[int]:
        """The fiscal years that have figures, oldest first."""
        return sorted(_REAL[self.name]) if self.is_real else list(range(FIRST_YEAR, LAST_YEAR + 1))

    def figures(self, year: int) -> Figures | None:
        """The figures of a fiscal year, or None if there are none for it."""
        if self.is_real:
            return _REAL[self.name].get(year)
        return _made_up(self.name, year) if FIRST_YEAR <= year <= LAST_YEAR else None


# Net sales, net income, basic and diluted earnings per share, operating income, total assets: from the companies'
# annual reports. Apple's earnings per share before fiscal 2020 are restated for the split of that year.
_REAL: dict[str, dict[int, Figures]] = {
    "Apple Inc.": {
        2018: Figures(265595, 59531, 3.00, 2.98, 70898, 365725),
        2019: Figures(260174, 55256, 2.99, 2.97, 63930, 338516),
        2020: Figures(274515, 57411, 3.31, 3.28, 66288, 323888),
        2021: Figures(365817, 94680, 5.67, 5.61, 108949, 351002),
        2022: Figures(394328, 99803, 6.15, 6.11, 119437, 352755),
        2023: Figures(383285, 96995, 6.16, 6.13, 114301, 352583),
        2024: Figures(391035, 93736, 6.11, 6.08, 123216, 364980),
    },
    "Microsoft Corporation": {
        2019: Figures(125843, 39240, 5.11, 5.06, 42959, 286556),
        2020: Figures(143015, 44281, 5.82, 5.76, 52959, 301311),
        2021: Figures(168088, 61271, 8.12, 8.05, 69916, 333779),
        2022: Figures(198270, 72738, 9.70, 9.65, 83383, 364840),
        2023: Figures(211915, 72361, 9.72, 9.68, 88523, 411976),
        2024: Figures(245122, 88136, 11.86, 11.80, 109433, 512163),
    },
    "Amazon.com, Inc.": {
        2020: Figures(386064, 21331, 42.64, 41.83, 22899, 321195),
        2021: Figures(469822, 33364, 65.96, 64.81, 24879, 420549),
    },
    "Alphabet Inc.": {
        2022: Figures(282836, 59972, 4.59, 4.56, 74842, 365264),
        2023: Figures(307394, 73795, 5.84, 5.80, 84293, 402392),
    },
    "Meta Platforms, Inc.": {
        2021: Figures(117929, 39370, 13.99, 13.77, 46753, 165987),
        2022: Figures(116609, 23200, 8.63, 8.59, 28944, 185727),
        2023: Figures(134902, 39098, 15.19, 14.87, 46751, 229623),
    },
}

_BUSINESS = {
    "Apple Inc.": "designs smartphones, personal computers, tablets and wearables, and sells services around them",
    "Microsoft Corporation": "develops software, cloud services and devices",
    "Amazon.com, Inc.": "sells goods online and in stores, and rents out computing services",
    "Alphabet Inc.": "runs search, video and advertising services, and a cloud platform",
    "Meta Platforms, Inc.": "runs social networks and messaging services, and sells advertising on them",
}

_NAMES = """
Amber Birch Cobalt Dapple Ember Fallow Garnet Hazel Indigo Juniper Kestrel Larch Marlow Nimbus Ochre Pewter
Quill Russet Saffron Thistle Umber Verdant Willow Xanthe Yarrow Zephyr Alder Bramble Cinder Drift Elder Fen
Anchor Bridge Crest Delta Fjord Grove Harbor Island Junction Knoll Lagoon Meadow Narrows Orchard Prairie Quarry
Ridge Summit Tundra Upland Valley Wharf Basin Canyon
"""
_FIRST, _SECOND = _NAMES.split()[:32], _NAMES.split()[32:]
_SECTOR = {
    "Foods": "makes packaged foods and sells them to grocers",
    "Logistics": "moves and stores goods for manufacturers",
    "Robotics": "builds industrial robots and maintains them",
    "Textiles": "weaves technical textiles for vehicles and buildings",
    "Energy": "operates wind and solar parks",
    "Devices": "makes measuring devices for laboratories and hospitals",
    "Chemicals": "makes coatings and adhesives",
    "Publishing": "publishes school books and journals",
}


@cache
def real_companies() -> tuple[Company, ...]:
    """The companies whose public figures are known here."""
    return tuple(Company(name, _BUSINESS[name], is_real=True) for name in _REAL)


def made_up_company(number: int) -> Company:
    """The made-up company with this number, from 0; the same on every machine, 6144 different ones."""
    sectors = list(_SECTOR)
    number, sector = divmod(number, len(sectors))
    number, first = divmod(number, len(_FIRST))
    # Neighbours in the numbering share no word, so that a small demo looks varied.
    second = (number + 7 * first + 3 * sector) % len(_SECOND)
    name = f"{_FIRST[first]} {_SECOND[second]} {sectors[sector]} Ltd."
    return Company(name, _SECTOR[sectors[sector]], is_real=False)


@cache
def _made_up(name: str, year: int) -> Figures:
    """Figures that follow from the name and the year alone."""
    chance = random.Random(name)  # noqa: S311 - made-up figures, not secrets
    sales = chance.uniform(300, 60_000)
    shares = chance.uniform(50, 900)
    margin = chance.uniform(0.03, 0.22)
    for _ in range(FIRST_YEAR, year + 1):
        sales *= chance.uniform(0.94, 1.17)
        margin = min(0.3, max(0.02, margin + chance.uniform(-0.02, 0.02)))
    income = sales * margin
    basic = round(income / shares, 2)
    return Figures(
        net_sales=round(sales),
        net_income=round(income),
        basic_eps=basic,
        diluted_eps=max(0.01, round(basic * 0.985 - 0.01, 2)),
        operating_income=round(income * 1.27),
        total_assets=round(sales * 1.4),
    )
