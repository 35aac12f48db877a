"""Who and what the invented organisation is: functions, portfolios, projects, reference classes and planted stories.

Sources of the reference classes: Mott MacDonald, *Review of Large Public Procurement in the UK* (2002), lower and upper
bounds of optimism bias as in HM Treasury's *Supplementary Green Book Guidance: Optimism Bias*, table 2; the spread
between them leans to the upper end as in Flyvbjerg and COWI, *Procedures for Dealing with Optimism Bias in Transport
Planning* (DfT, 2004): half of the projects stay near the lower bound, and few come near the upper one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pmo_lib.demo.months import month_number

ORGANISATION = "demo"
ROOT_UNIT = "northshire"
LAST_PERIOD = "2026-09"
LAST = month_number(LAST_PERIOD)
CURRENCY = "GBP"
NEVER = 999  # months after the last period

Domain = Literal["works", "digital", "service"]
Candour = Literal["candid", "hopeful", "watermelon"]


@dataclass(frozen=True)
class ReferenceClass:
    """How far projects of one kind miss their approved cost and duration, and how large they are here.

    ``cost_bounds`` and ``time_bounds``: lower and upper bound of (actual ÷ approved − 1). ``budget_thousands`` and
    ``months`` are the smallest and largest size in this organisation.
    """

    name: str
    cost_bounds: tuple[float, float]
    time_bounds: tuple[float, float]
    budget_thousands: tuple[int, int]
    months: tuple[int, int]
    domain: Domain
    cost_type: str = "capex"


CLASSES: dict[str, ReferenceClass] = {
    "B": ReferenceClass("Standard building", (0.02, 0.24), (0.01, 0.04), (1_500, 14_000), (14, 28), "works"),
    "H": ReferenceClass("Non-standard building", (0.04, 0.51), (0.02, 0.39), (2_000, 26_000), (18, 38), "works"),
    "R": ReferenceClass("Standard civil engineering", (0.03, 0.44), (0.01, 0.20), (1_200, 22_000), (14, 32), "works"),
    "V": ReferenceClass(
        "Non-standard civil engineering", (0.06, 0.66), (0.03, 0.25), (4_000, 38_000), (20, 42), "works"
    ),
    "E": ReferenceClass("Equipment and development", (0.10, 2.00), (0.10, 0.54), (400, 7_500), (12, 30), "digital"),
    # The study has no duration figure for outsourcing: the bounds of standard civil engineering stand in.
    "O": ReferenceClass("Outsourcing", (0.00, 0.41), (0.01, 0.20), (250, 3_000), (12, 24), "service", "opex"),
}


@dataclass(frozen=True)
class Unit:
    """A portfolio: ``works`` are its projects as ``number class name``; the first four form its programme."""

    id: str
    name: str
    parent_id: str
    owner: str
    code: str
    programme: str
    works: tuple[str, ...]

    @property
    def programme_id(self) -> str:
        """Id of its programme."""
        return f"PRG-{self.code}"


# Units above the portfolios, by id: name, unit above, level, owner.
ABOVE: dict[str, tuple[str, str | None, str, str]] = {
    ROOT_UNIT: ("Northshire Council", None, "enterprise", "Chief Executive"),
    "place": ("Place", ROOT_UNIT, "function", "Director of Place"),
    "resources": ("Resources", ROOT_UNIT, "function", "Director of Resources"),
    "people": ("People", ROOT_UNIT, "function", "Director of People"),
}
# The order is part of the design: a larger organisation only adds to the end.
UNITS: tuple[Unit, ...] = (
    Unit("highways", "Highways and Transport", "place", "Aileen Ó Briain", "HWY", "Northern Corridors", (
        "01 V River Wend second crossing", "02 R A61 Northgate corridor", "03 R Station Quarter junctions",
        "04 V Harbour relief road", "61 E Car park payment and permit platform", "05 R Market Street resurfacing",
        "06 E Traffic signal upgrade", "07 V Kürschner's Mill <b>footbridge</b>", "08 R School streets, phase 2",
        "09 R Eastfield cycleway", "10 O Winter maintenance contract", "11 R Bus priority on Mill Lane",
        "12 E Street lighting to LED", "13 R Ashby roundabout",
    )),
    Unit("estates", "Property and Estates", "place", "Graham Whitlock", "EST", "Places to Learn", (
        "01 B Fernhill Primary, new building", "02 B Oakwood Special School", "03 B Moor Lane Secondary extension",
        "04 H Victoria Baths restoration", "05 H Town Hall roof and façade", "06 B =SUM(depots): depot consolidation",
        "07 B Library hub at Westgate", "08 H Guildhall heating to heat pumps", "09 B Community hospital annexe",
        "10 O Facilities management contract", "11 B Riverside nursery", "12 B Archive store",
    )),
    Unit("digital", "Digital and Data", "resources", "Nadia Rahman-Smith", "DIG", "Modern Council", (
        "01 E Finance and HR platform", "02 E Customer portal", "03 E Social care case management",
        "04 E Identity and access", "05 O Data centre exit", "06 E @Home assisted living sensors",
        "07 E Planning system replacement", "08 E Data warehouse, release 2", "09 E Telephony to the cloud",
        "10 O Print and post contract", "11 E Robotic processing in revenues", "12 E Networks refresh",
        "13 E Electronic records", "14 E Mobile working for inspectors",
    )),
    Unit("housing", "Housing", "place", "Siobhán Keane", "HSG", "Homes for Northshire", (
        "01 B Canal Street, 84 homes", "02 B Hawthorn Estate, phase 1", "03 H Tower block cladding",
        "04 B Bungalows at Lea",
        "05 R Estate roads and drainage", "62 E Repairs scheduling system", "07 O Voids contract",
        "08 B Extra care at Elmsett",
        "09 H Listed terraces, Castle Row", "10 B Modular homes pilot", "11 E Damp sensors",
        "12 B Hostel refurbishment",
        "13 B Garage sites, 22 homes",
    )),
    Unit("regeneration", "Regeneration", "place", "Tom Ashdown", "RGN", "Town Centre Renewal", (
        "01 H Corn Exchange", "02 R Market square public realm", "03 B Enterprise units at Northgate",
        "04 V Quayside walls",
        "05 B Innovation centre", "06 H Theatre Royal stage house", "07 R Station forecourt", "08 B Skills hub",
        "09 E Footfall counters", "10 O Business support contract", "11 H Mill conversion", "63 R Green corridor",
        "13 B Market hall",
    )),
    Unit("waste", "Waste and Environment", "place", "Ingrid Møller", "WST", "Net Zero Northshire", (
        "01 V Energy recovery link", "02 B Household waste site, south", "03 E Fleet to electric",
        "04 R Flood wall, Lower Wend",
        "05 O Collections contract", "06 V Sea defence at Saltby", "07 B Materials recovery shed",
        "08 E Food waste bins",
        "09 R Tree planting on verges", "10 V Reservoir spillway", "11 E Air quality network",
        "12 B Depot charging hub",
    )),
    Unit("adults", "Adult Care", "people", "Moira Featherstone", "ADC", "Living Well at Home", (
        "01 B Respite centre", "02 E Care finance system", "03 O Home care contract", "04 E Falls detection",
        "05 B Dementia day centre", "06 O Advocacy contract", "07 E Provider portal", "08 H Almshouse adaptation",
        "09 O Reablement service", "64 E Shared care record", "11 B Supported living, Elm Road", "12 O Carers' service",
    )),
    Unit("children", "Children and Families", "people", "Dele Akinwande", "CHF", "Closer to Home", (
        "01 B Children's home, north", "02 E Education case system", "03 B Family hub at Lea",
        "04 O Fostering recruitment",
        "05 B Children's home, south", "06 E School admissions online", "07 O Short breaks contract", "08 B Youth zone",
        "09 O Transport for pupils", "10 E Safeguarding dashboard", "11 B Resource base at Moor Lane",
        "12 H Outdoor centre",
    )),
    Unit("health", "Public Health", "people", "Rhiannon Pugh", "PHL", "Healthy Places", (
        "01 O Stop smoking service", "02 B Leisure centre, east", "03 E Population health data",
        "04 O Sexual health contract",
        "05 H Lido restoration", "06 E Health checks booking", "07 O Drug and alcohol service",
        "08 R Active travel links",
        "09 B Changing places toilets", "10 O School nursing", "11 E Air quality alerts", "12 O Weight management",
    )),
    Unit("finance", "Finance and Procurement", "resources", "Piotr Zieliński", "FIN", "Spend Wisely", (
        "01 E Purchase to pay", "02 E Contract register", "03 O Insurance tender", "04 E Budget planning tool",
        "05 E Income and cash office", "06 O Audit service", "07 E Debt recovery", "08 E Grants register",
        "09 O Banking services", "10 E Asset valuation", "11 E Supplier portal", "12 O Energy supply tender",
    )),
    Unit("customer", "Customer and Communities", "resources", "Hannah Fox", "CUS", "One Front Door", (
        "01 E Contact centre platform", "02 B One-stop shop at Westgate", "03 E Website rebuild",
        "04 O Translation contract",
        "05 E Registrars booking", "06 B Crematorium second hall", "07 E Blue badge online",
        "08 O Voluntary sector grants",
        "09 H Museum store", "10 E Complaints system", "11 B Library at Elmsett", "12 E Residents' survey panel",
    )),
    Unit("workforce", "Workforce", "resources", "Oluwaseun Bright", "WRK", "Fit for the Future", (
        "01 E Learning platform", "02 E Rostering", "03 O Agency staff contract", "04 B Office fit-out, Civic Two",
        "05 E Recruitment system", "06 O Occupational health", "07 E Payroll controls", "08 B Training centre",
        "09 E Staff app", "10 O Pensions administration", "11 E Records digitised", "12 O Apprenticeship levy",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Story:
    """What is decided by hand for one project; the rest is drawn. Months are counted from the last period (0)."""

    starts: int | None = None
    months: int | None = None
    lasts: int | None = None
    cost_rank: float | None = None
    candour: Candour | None = None
    flat: bool | None = None
    rebaselined: int | None = None
    paused_from: int | None = None
    moves_to: str | None = None
    moves: int = 0
    first_seen: int | None = None


STORIES: dict[str, Story] = {
    "HWY-01": Story(starts=-19, months=34, cost_rank=0.90, candour="candid", rebaselined=-1),
    "HWY-03": Story(starts=-18, months=17, lasts=18, candour="candid"),  # closes in the period before the last
    "HWY-04": Story(starts=-16, months=27, cost_rank=0.97, candour="watermelon", flat=True),
    "HWY-07": Story(starts=-24),
    "HWY-09": Story(starts=-1, first_seen=-1),  # joins in the period before the last
    "HWY-13": Story(starts=3, first_seen=-2),  # proposed: no baseline and no money yet
    "HWY-61": Story(starts=-9, months=18, candour="candid", moves_to="digital"),  # moves in the last period
    "EST-02": Story(starts=-15, months=20, cost_rank=0.55, candour="candid", flat=False),
    "EST-04": Story(starts=-20, months=29, cost_rank=0.93, candour="hopeful", rebaselined=-2),
    "EST-05": Story(starts=-13, months=24, cost_rank=0.95, candour="watermelon", flat=True),
    "EST-06": Story(starts=-12),
    "EST-11": Story(starts=-15, months=16, lasts=16, candour="candid"),  # closes in the last period
    "DIG-01": Story(starts=-14, months=24, cost_rank=0.88, candour="watermelon", flat=True, rebaselined=NEVER),
    "DIG-05": Story(starts=-10, months=20, paused_from=-1),
    "DIG-08": Story(starts=0, first_seen=0),  # joins in the last period
    "DIG-12": Story(starts=2, first_seen=-1),
    # What belongs to a project moves with it: the number in its id is its own. Moves go to later portfolios of the
    # catalogue only, so that a larger organisation changes no return of a smaller one.
    "HSG-62": Story(starts=-14, months=22, moves_to="customer", moves=-3),
    "RGN-63": Story(starts=-16, months=26, moves_to="waste", moves=-7),
    "ADC-64": Story(starts=-19, months=24, moves_to="health", moves=-12),
    "HSG-03": Story(starts=-17, months=26, cost_rank=0.96, candour="watermelon", flat=True, rebaselined=NEVER),
    "WST-06": Story(starts=-22, months=34, cost_rank=0.92, candour="watermelon", rebaselined=NEVER),
    "FIN-01": Story(starts=-15, months=24, cost_rank=0.85, candour="hopeful", flat=True),
    "CHF-09": Story(starts=-9, months=16, paused_from=-6),
}
NO_RISK_REGISTER = frozenset({"estates"})
LATE_RETURNS = frozenset(
    {("digital", LAST - 1), ("housing", LAST - 3), ("customer", LAST), ("regeneration", LAST - 6), ("adults", LAST - 9),
     ("adults", LAST - 10), ("workforce", LAST - 12), ("highways", LAST - 14)}
)  # fmt: skip
# Never sent; the month after, the portfolio returns again.
MISSING_RETURNS = frozenset({("waste", LAST - 4), ("children", LAST - 11)})
