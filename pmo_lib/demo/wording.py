"""The words of the invented organisation: people, milestones, risks, issues and what managers write.

Some of it is hostile on purpose (markup, formulas, quotes, umlauts): people paste such things into returns, and every
page and workbook must treat them as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

T = TypeVar("T")

FIRST_NAMES = (
    "Amara", "Ben", "Caoimhe", "Daniel", "Eleanor", "Farid", "Grace", "Hywel", "Imogen", "Jürgen", "Kavita", "Liam",
    "Maria", "Nils", "Olga", "Priya", "Quentin", "Rosa", "Samuel", "Tamsin", "Umar", "Verity", "Wei", "Yasmin", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Atkinson", "Bianchi", "Calder", "D'Souza", "Eriksson", "Fletcher", "Garside", "Hussain", "Iveson", "Jankowski",
    "Kaur", "Lockwood", "Müller", "Nwosu", "O'Neill", "Pemberton", "Quaye", "Robertshaw", "Sørensen", "Thwaite",
    "Underhill", "Varga", "Whitfield", "Yilmaz",
)  # fmt: skip
# By function: who answers for its projects, and what they serve.
SPONSORS = {
    "place": ("Director of Place", "Director of Place", "Head of Capital Delivery"),
    "resources": ("Director of Resources", "Section 151 Officer", "Chief Digital Officer"),
    "people": ("Director of Adult Care", "Director of Children's Services", "Director of Public Health"),
}
OBJECTIVES = {
    "place": ("A well-connected county", "Good homes for all", "Net zero by 2038"),
    "resources": ("A council that works", "Services that are simple to reach"),
    "people": ("A fair start for every child", "Living well for longer"),
}
METHODS = {"works": "Stage-gated", "digital": "Agile within gates", "service": "Procurement-led"}

# Life-cycle stages: share of the way at which each begins.
STAGES = {
    "works": ((0.0, "Design"), (0.25, "Procurement"), (0.40, "Construction"), (0.90, "Handover")),
    "digital": ((0.0, "Discovery"), (0.15, "Alpha"), (0.40, "Beta"), (0.85, "Live")),
    "service": ((0.0, "Specification"), (0.30, "Tender"), (0.60, "Mobilisation"), (0.90, "Operation")),
}  # fmt: skip

# Milestones: share of the way, kind, name.
MILESTONES = {
    "works": (
        (0.10, "delivery", "Concept design approved"), (0.25, "gate", "Gate 3: investment decision"),
        (0.40, "delivery", "Main contract awarded"), (0.50, "payment", "First stage payment"),
        (0.65, "delivery", "Structure complete"), (0.80, "delivery", "Services commissioned"),
        (0.90, "gate", "Gate 4: readiness for service"), (1.00, "delivery", "Handed over"),
    ),
    "digital": (
        (0.15, "delivery", "Discovery closed"), (0.30, "gate", "Gate 3: investment decision"),
        (0.45, "delivery", "First release to users"), (0.60, "payment", "Licence payment"),
        (0.70, "delivery", "Data migrated"), (0.85, "gate", "Gate 4: readiness for service"),
        (0.92, "other", "Old system switched off"), (1.00, "delivery", "Live for all users"),
    ),
    "service": (
        (0.12, "delivery", "Specification signed off"), (0.30, "delivery", "Tender published"),
        (0.55, "gate", "Gate 3: investment decision"), (0.65, "delivery", "Contract signed"),
        (0.85, "gate", "Gate 4: readiness for service"), (1.00, "delivery", "Service started"),
    ),
}  # fmt: skip
GATES = {
    "works": ((0.02, "Gate 1"), (0.12, "Gate 2"), (0.25, "Gate 3"), (0.90, "Gate 4")),
    "digital": ((0.02, "Gate 1"), (0.15, "Gate 2"), (0.30, "Gate 3"), (0.85, "Gate 4")),
    "service": ((0.02, "Gate 1"), (0.20, "Gate 2"), (0.55, "Gate 3"), (0.85, "Gate 4")),
}  # fmt: skip

# Artefacts: the stage (by its place in the life cycle, from 0) that requires it, and its name.
ARTEFACTS = (
    (0, "Business case"), (0, "Project initiation document"), (0, "Benefits realisation plan"),
    (1, "Risk management plan"), (1, "Procurement strategy"), (2, "Quality plan"), (2, "Equality impact assessment"),
    (3, "Handover plan"), (3, "Lessons report"),
)  # fmt: skip

SLIP_CAUSES = {
    "works": (
        "the utility diversion took longer than the statutory undertaker had offered",
        "ground conditions differ from the survey",
        "steel arrived six weeks after the ordered date", "the planning condition on drainage was discharged late",
    ),
    "digital": (
        "the supplier's second release failed user acceptance", "data cleansing needs more effort from the services",
        "the interface to payroll was specified late", "two key developers left",
    ),
    "service": (
        "the tender drew one bid only", "legal advice on staff transfer is outstanding",
        "the specification was reopened by members",
    ),
}  # fmt: skip
COST_CAUSES = {
    "works": ("tender prices above the estimate", "compensation events on drainage", "temporary works left in longer"),
    "digital": ("more licences than assumed", "extended parallel running", "day rates for scarce skills"),
    "service": ("indexation in the incumbent's extension", "higher mobilisation costs"),
}  # fmt: skip


class RiskWords(NamedTuple):
    """One risk in words; ``kind`` is threat or opportunity."""

    kind: str
    category: str
    title: str
    cause: str
    event: str
    effect: str
    fallback: str


def _threat(words: str) -> RiskWords:
    return RiskWords("threat", *words.split(" | "))


def _chance(words: str) -> RiskWords:
    return RiskWords("opportunity", *words.split(" | "))


RISKS: dict[str, tuple[RiskWords, ...]] = {
    "works": (
        _threat(
            "Ground | Uncharted services under the carriageway | Old records are incomplete | "
            "the trial holes miss a main | a diversion on the critical path | Night works to recover two weeks"
        ),
        _threat(
            "Supply chain | Main contractor's liquidity | Thin margins across the sector | "
            "the contractor fails before completion | re-tendering of the remaining work | "
            "Step-in with the second bidder"
        ),
        _threat(
            "Consents | Late discharge of planning conditions | The ecology report needs a second season | "
            "the condition on bats is not discharged in time | no start on the roof | Work in a changed order"
        ),
        _threat(
            "Price | Steel and bitumen inflation | The price adjustment clause has no cap | "
            "indices rise above the allowance | a higher final account | Draw on contingency"
        ),
        _threat(
            "Stakeholders | Judicial review by a residents' group | The route affects the conservation area | "
            "a claim is admitted | a stop of several months | Phase the works around the area"
        ),
        _threat(
            "Environment | Flooding of the works | The compound lies below the 1-in-20 level | "
            "the river is in spate in winter | lost weeks and damage | Move the compound"
        ),
        _threat(
            "Interfaces | Track possession refused | The network operator's plan is full | "
            "the booked possession is withdrawn | the beam lift moves by a season | "
            "-2 weekends by road crane; =NOW() is not a plan"
        ),
        _chance(
            "Price | Re-use of site-won material | Tests show good gravel | the fill need not be bought | "
            "lower material cost | Buy as planned"
        ),
        _chance(
            "Funding | Grant for active travel | The fund has a second round | the bid succeeds | "
            "lower call on council money | None needed"
        ),
    ),
    "digital": (
        _threat(
            "Supplier | Supplier cannot staff the second release | The supplier's order book is full | "
            "named people are withdrawn | a later release | Ask for the parent company's help"
        ),
        _threat(
            "Data | Poor quality of migrated records | Records were kept in three systems | "
            "duplicates block the cut-over | a second dress rehearsal | Migrate open cases only"
        ),
        _threat(
            "Security | Penetration test finds a critical fault | Old libraries are in use | the test fails | "
            "no go-live approval | Restrict access to the internal network"
        ),
        _threat(
            "People | Key person dependency | One analyst knows the payroll rules | she leaves | "
            "slower design decisions | Buy days from the vendor"
        ),
        _threat(
            "Adoption | Services keep their spreadsheets | Training is voluntary | old ways go on | "
            "benefits do not arrive | Switch off the shared drive"
        ),
        _threat(
            "Integration | Interface to <script>alert('finance')</script> ledger | "
            "The interface is undocumented | field lengths differ | rejected postings | "
            'Manual upload, "as today"'
        ),
        _threat(
            "Price | Exchange rate on licences | Licences are priced in dollars | sterling weakens | "
            "a higher renewal | Hedge through the treasury team"
        ),
        _chance(
            "Benefits | Licences can be shared with the fire service | Both buy the same product | "
            "a joint contract is signed | a lower unit price | Buy alone"
        ),
        _chance(
            "Time | Standard connector replaces custom interface | The vendor's roadmap has it | "
            "it is released early | less build effort | Build as planned"
        ),
    ),
    "service": (
        _threat(
            "Market | Single bid | The lot is large | only the incumbent bids | no price tension | "
            "Extend and split the lot"
        ),
        _threat(
            "People | Staff transfer disputed | Terms differ between providers | a union ballots for action | "
            "a later start | Agency cover for eight weeks"
        ),
        _threat(
            "Legal | Challenge to the award | Scores are close | the runner-up issues proceedings | "
            "automatic suspension | Apply to lift the suspension"
        ),
        _threat(
            "Demand | Volumes above the forecast | Referrals have doubled since 2023 | "
            "the cap is passed in year one | variation payments | Triage by need"
        ),
        _threat(
            "Quality | Weak mobilisation | The new provider has no local base | "
            "sites are not staffed on day one | complaints and step-in | Retain the old provider for a month"
        ),
        _chance(
            "Price | Joint commissioning with the neighbour | Contracts end in the same year | "
            "a joint tender is agreed | lower overheads | Tender alone"
        ),
    ),
}
PORTFOLIO_RISKS = (
    _threat(
        "Capacity | Not enough project managers | Three posts are vacant | recruitment fails again | "
        "projects share managers | Framework for interims"
    ),
    _threat(
        "Funding | Capital receipts fall short | The property market is slow | "
        "two sales slip into next year | borrowing above the limit | Re-phase starts"
    ),
    _threat(
        "Inflation | Tender inflation across the programme | Regional demand is high | "
        "bids exceed estimates | fewer projects for the money | Value engineering"
    ),
)  # fmt: skip
ISSUES = {
    "works": (
        ("dependency", "Utility company has withdrawn its crew"),
        ("resourcing", "Clerk of works post vacant"),
        ("structure", "Unclear who instructs the designer"),
        ("funding", "Grant condition not yet met"),
    ),
    "digital": (
        ("resourcing", "Test team shared with another project"),
        ("dependency", "Network change freeze blocks the pilot"),
        ("other", "Supplier's defect count is rising"),
        ("funding", "Licence budget sits in another service"),
    ),
    "service": (
        ("structure", "Two boards claim the decision"),
        ("other", "Data room incomplete for bidders"),
        ("resourcing", "Legal adviser on long-term leave"),
    ),
}
# What a project of each kind provides to another.
NEEDS = {
    "works": ("Cleared site for the compound", "Traffic management at the junction", "Power supply upgrade"),
    "digital": ("Customer data extract", "Single sign-on for staff", "Agreed chart of accounts"),
    "service": ("Named service manager", "Transferred staff list", "Price schedule"),
}
RESPONSES = {
    "threat": ("reduce", "transfer", "avoid", "accept"),
    "opportunity": ("enhance", "exploit", "share", "accept"),
}
ACTIONS = (
    "Agree a recovery plan with the contractor", "Commission an independent survey", "Write to the supplier's director",
    "Bring a paper to the portfolio board", "Recruit to the vacant post", "Secure written confirmation from finance",
    "Test the fallback in a rehearsal",
)  # fmt: skip


def person(rng: np.random.Generator) -> str:
    """Return a full name."""
    return f"{choice(rng, of=FIRST_NAMES)} {choice(rng, of=LAST_NAMES)}"


def person_at(shares: Sequence[float]) -> str:
    """Return the full name at two shares (0–1) of the lists of names."""
    first, last = shares
    return f"{at(first, of=FIRST_NAMES)} {at(last, of=LAST_NAMES)}"


def choice(rng: np.random.Generator, *, of: Sequence[T]) -> T:
    """Return one of these, each as likely as the others."""
    return of[int(rng.integers(len(of)))]


def at(share: float, *, of: Sequence[T]) -> T:
    """Return the one at a share (0–1) of these."""
    return of[int(share * len(of))]


def pounds(pennies: int) -> str:
    """Return an amount as managers write it: ``£1.25m`` or ``£340k``."""
    thousands = round(abs(pennies) / 100_000)
    return f"£{thousands / 1000:.2f}m" if thousands >= 1000 else f"£{thousands}k"
