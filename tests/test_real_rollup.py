"""The roll-up of six years of real portfolios: every number a second time, by plain csv reading.

The first way goes through intake, the metrics of each department that reported (as their notebooks publish them), and
the roll-up of what they published; the second reads the cells and knows nothing of departments' reports.
"""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.check import check
from pmo_lib.metrics import cost, facts, health, hierarchy, movement, portfolio, ratings, schedule, structure
from pmo_lib.metrics.bridge import NO_FIGURE, NOT_RETURNED, RANGE, WITHHELD
from pmo_lib.metrics.fiscal import View
from pmo_lib.parameters.load import load_mapping, load_organisation

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "2019-09": ("gmpp_2019_20.csv", "latin-1"),
    "2021-03": ("gmpp_2020_21.csv", "cp1252"),
    "2022-03": ("gmpp_2021_22.csv", "utf-8-sig"),
    "2023-03": ("gmpp_2022_23.csv", "utf-8-sig"),
    "2024-03": ("gmpp_2023_24.csv", "utf-8-sig"),
    "2025-03": ("gmpp_2024_25.csv", "utf-8-sig"),
}
NOW, BEFORE = "2025-03", "2024-03"
COLUMNS = {
    "id": ("GMPP ID",),
    "department": ("Department",),
    "sro": ("SRO Delivery",),
    "ipa": ("IPA Delivery",),
    "plan": ("Financial Year Baseline",),
    "outlook": ("Financial Year Forecast",),
    "cost": ("TOTAL Baseline Whole", "Whole Life"),
    "end": ("Project - End", "End Date"),
}
MONEY = re.compile(r"£?-?[\d,]+(\.\d+)?m?")
DAYS = ("%d/%m/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S")
HEIRS = {"FCO": "FCDO", "DFID": "FCDO", "DLUHC": "MHCLG"}
REPORTS = ("health_check", "financial_outlook", "risk_register")

Records = dict[str, dict[str, dict[str, Any]]]
Tables = dict[str, pd.DataFrame]


# --- the second way ---------------------------------------------------------------------------------------------------


def amount(text: str) -> Decimal | None:
    """Return a single amount in millions; None for words, ranges and empty cells."""
    bare = text.strip()
    return Decimal(re.sub("[£,m]", "", bare)) if MONEY.fullmatch(bare) else None


def day(text: str) -> datetime | None:
    """Return a date in any of the three ways that the files write one."""
    for form in DAYS:
        try:
            return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - days have no zone
        except ValueError:
            continue
    return None


def place(header: list[str], names: tuple[str, ...]) -> int | None:
    """Return the first column with one of these names, or whose name begins so; None if there is none."""
    found = [i for i, name in enumerate(header) if name in names]
    found += [i for i, name in enumerate(header) if name.startswith(names)]
    return found[0] if found else None


@pytest.fixture(scope="module")
def plain(real_data: Path) -> Records:
    """Return period → project → the cells that matter, read with the csv module alone."""
    records: Records = {}
    for period, (name, encoding) in FILES.items():
        text = (real_data / "uk_gmpp" / name).read_bytes().decode(encoding)
        rows = list(csv.reader(io.StringIO(text, newline="")))
        if period == "2019-09":
            rows = [list(column) for column in zip(*rows, strict=True)]
        header = [" ".join(cell.split()) for cell in rows[0]]
        at = {key: place(header, names) for key, names in COLUMNS.items()}
        cells = [{key: "" if column is None else row[column].strip() for key, column in at.items()} for row in rows[1:]]
        records[period] = {row["id"].upper(): read(row) for row in cells if row["id"]}
    return records


def read(row: dict[str, str]) -> dict[str, Any]:
    """Return one row with its amounts, its date and its ratings."""
    return {
        "department": row["department"].upper().replace(" & ", "-"),
        "end": day(row["end"]),
        **{key: row[key].lower() for key in ("sro", "ipa")},
        **{key: amount(row[key]) for key in ("plan", "outlook", "cost")},
    }


def total(values: Any) -> Decimal:
    """Return the sum of the amounts that are there, in millions."""
    return sum((value for value in values if value is not None), Decimal(0))


def millions(value: float) -> Decimal:
    """Return an amount of ours as the files write it: millions, to the penny."""
    return Decimal(round(value * 100)) / 10**8


# --- the first way ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables(real_data: Path) -> Tables:
    """Return histories of the tables, and the returns of the latest period, by way of intake."""
    mapping = load_mapping(ROOT, org="uk_gmpp", name="uk_gmpp")
    organisation = load_organisation(ROOT, org="uk_gmpp")
    checked = check([real_data / "uk_gmpp"], organisation=organisation, mapping=mapping)
    found: Tables = {}
    for name in ("portfolios", "projects", "status", "finance", "states"):
        kinds = dict.fromkeys(TABLES[name].of_kind("money"), "float64")
        month = "return_month" if name == "finance" else "period"
        parts = [each.tables[name].astype(kinds).assign(**{month: each.period}) for each in checked]
        found[name] = pd.concat(parts, ignore_index=True)
    return found | {"lineage": checked[-1].tables["lineage"], "returns": checked[-1].returns}


def until(tables: Tables, *, period: str) -> Tables:
    """Return the histories as a report of that period sees them."""
    return {
        name: rows[rows["return_month" if name == "finance" else "period"].le(period)]
        for name, rows in tables.items()
        if name not in ("lineage", "returns")
    }


def reported(seen: Tables, *, unit: str, period: str) -> Tables:
    """Return what the reports of one department publish."""
    projects, states = seen["projects"], seen["states"]
    between = movement.since_last_report(projects, portfolio_id=unit, period=period)
    earlier = [each for each in FILES if each < period]
    view = View(unit, period, earlier[-1] if earlier else None, 4)
    found = {
        "projects": between.now(projects)[list(health.PUBLISHED_PROJECT)],
        "whole_life_cost": cost.whole_life(projects, states=states, view=view),
        "disclosure": cost.disclosure(projects, states=states, view=view),
    }
    if period == NOW:
        by_year = cost.by_year(seen["finance"], projects=projects, states=states, view=view)
        seen_now = {"projects": projects, "states": states, "between": between}
        rated = ratings.ratings(seen["status"], **seen_now)
        moved = schedule.finishes(column="finish_baseline_on", status=seen["status"], **seen_now)
        found |= {
            "ratings": rated[list(health.PUBLISHED_RATING)],
            "finish_movement": moved[list(health.PUBLISHED_FINISH)],
            "in_year": cost.in_year(by_year, projects=projects, view=view, tolerance=0.05),
        }
    return {name: rows.assign(portfolio_id=unit, period=period) for name, rows in found.items()}


@pytest.fixture(scope="module")
def published(tables: Tables) -> Tables:
    """Return every published table of all departments that reported, over all periods."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for period in FILES:
        seen = until(tables, period=period)
        rows = seen["projects"]
        for unit in sorted(set(rows.loc[rows["period"].eq(period), "portfolio_id"])):
            for name, part in reported(seen, unit=unit, period=period).items():
                parts.setdefault(name, []).append(part)
    return {name: pd.concat(some, ignore_index=True) for name, some in parts.items()}


@pytest.fixture(scope="module")
def batch(tables: Tables) -> pd.DataFrame:
    """Return the state of every report that the latest period owes: who returned has published."""
    state = {"returned": "published", "partial": "published"}
    rows = [
        (row["portfolio_id"], report, state.get(row["state"], row["state"]), None, row["reason"])
        for row in tables["returns"].to_dict("records")
        for report in REPORTS
    ]
    return pd.DataFrame(rows, columns=["portfolio_id", "report", "status", "stage", "cause"])


def now_of(published: Tables, *, name: str) -> pd.DataFrame:
    """Return one published table of the latest period."""
    return published[name].loc[lambda rows: rows["period"].eq(NOW)].reset_index(drop=True)


@pytest.fixture(scope="module")
def costs(published: Tables, batch: pd.DataFrame) -> pd.DataFrame:
    """Return the whole-life costs of the latest period, with what ended departments held."""
    return facts.with_ended(published["whole_life_cost"], batch=batch, period=NOW, since=BEFORE)


@pytest.fixture(scope="module")
def tree(published: Tables, tables: Tables, batch: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the hierarchy of the latest period."""
    found = {name: now_of(published, name=name) for name in ("in_year", "ratings")}
    rows = facts.project_facts(
        now_of(published, name="projects"), costs=costs, exposure=pd.DataFrame(columns=["portfolio_id"]), **found
    )
    settings = load_organisation(ROOT, org="uk_gmpp")
    return hierarchy.rollup(rows, portfolios=tables["portfolios"], batch=batch, settings=settings)


# --- who is in it -----------------------------------------------------------------------------------------------------


def test_who_returned_nothing_is_named(published: Tables, tables: Tables, batch: pd.DataFrame) -> None:
    """A department of last year that is in no file now is named with its last cost; a renamed one with its new name."""
    covered = portfolio.coverage(
        batch, portfolios=tables["portfolios"], costs=published["whole_life_cost"], lineage=tables["lineage"]
    ).set_index("portfolio_id")
    lacking = covered[covered["state"].ne("complete")]
    assert lacking["state"].to_dict() == {"NCA": "nothing published", "DLUHC": "no longer returns"}
    assert covered.loc["DLUHC", "cause"] == "renamed into MHCLG"
    assert covered.loc["NCA", "last_cost"] == 2_184e6
    assert len(covered) - len(lacking) == 20


def test_every_level_is_the_sum_of_the_cells(tree: pd.DataFrame, plain: Records) -> None:
    """Projects and whole-life cost of the whole and of each department are what the cells add up to."""
    found = tree.set_index("node_id")
    for unit in sorted({row["department"] for row in plain[NOW].values()}):
        own = [row for row in plain[NOW].values() if row["department"] == unit]
        known = [row["cost"] for row in own if row["cost"] is not None]
        assert found.loc[unit, "projects"] == len(own)
        assert found.loc[unit, "costs_known"] == len(known)
        assert (millions(found.loc[unit, "cost_now"]) if known else None) == (total(known) if known else None)
    top = tree.iloc[0]
    assert (top["projects"], top["costs_known"]) == (213, 148)
    assert millions(top["cost_now"]) == total(row["cost"] for row in plain[NOW].values()) == Decimal("535604.06")
    assert hierarchy.in_words(tree)[0] == "NCA"


# --- the money --------------------------------------------------------------------------------------------------------


def test_whole_life_bridge(published: Tables, batch: pd.DataFrame, costs: pd.DataFrame, plain: Records) -> None:
    """£448.0bn → £535.6bn is left −13.7, no single figure −68.6, newly published +23.5, joined +82.6, re-based +63.9.

    What the National Crime Agency held has left the files with it: its own step, for nobody returned it.
    """
    absent = facts.without_report(published["whole_life_cost"], batch=batch, period=NOW, since=BEFORE)
    steps = portfolio.cost_bridge(costs, absent=absent).set_index("step")["amount"].map(millions)
    then, now = plain[BEFORE], plain[NOW]
    both = then.keys() & now.keys()
    gone = then.keys() - now.keys()
    single = [i for i in both if None not in (then[i]["cost"], now[i]["cost"])]
    expected = {
        "before": total(row["cost"] for row in then.values()),
        "no report now": -total(then[i]["cost"] for i in gone if then[i]["department"] == "NCA"),
        "left": -total(then[i]["cost"] for i in gone if then[i]["department"] != "NCA"),
        "re-based": total(now[i]["cost"] - then[i]["cost"] for i in single),
        "newly published": total(now[i]["cost"] for i in both if then[i]["cost"] is None),
        "joined": total(now[i]["cost"] for i in now.keys() - then.keys()),
        "now": total(row["cost"] for row in now.values()),
    }
    assert {step: steps[step] for step in expected} == expected
    assert steps["moved in"] == -steps["moved out"] == Decimal("37450")
    billions = {step: round(float(value) / 1000, 1) for step, value in expected.items()}
    assert (billions["before"], billions["now"]) == (448.0, 535.6)
    assert round(float(expected["left"] + expected["no report now"]) / 1000, 1) == -13.7
    assert [billions[step] for step in ("newly published", "joined", "re-based")] == [23.5, 82.6, 63.9]
    silent = sum(steps.get(cause, 0) for cause in (WITHHELD, RANGE, NOT_RETURNED, NO_FIGURE))
    assert silent == -total(then[i]["cost"] for i in both if now[i]["cost"] is None)
    assert round(float(silent) / 1000, 1) == -68.6


def test_in_year_spend(published: Tables, plain: Records) -> None:
    """In-year outlook is 11.4 % under plan (n = 178); 21 of 97 were under by more than 5 % four years running."""
    rows = now_of(published, name="in_year")
    year = portfolio.in_year_by_period(rows).iloc[0]
    both = [row for row in plain[NOW].values() if None not in (row["plan"], row["outlook"])]
    plan, outlook = (total(row[key] for row in both) for key in ("plan", "outlook"))
    assert (year["in_year_known"], millions(year["plan"]), millions(year["outlook"])) == (len(both), plan, outlook)
    assert round(year["variance_share"], 3) == round(float(outlook / plan - 1), 3) == -0.114
    under = portfolio.under_for_years(rows)
    assert (len(under), set(under["known"])) == (21, {97})


def test_disclosure_falls(published: Tables, plain: Records) -> None:
    """Whole-life costs were published for 90 % of projects, later for 69 %: as the cells say in each year."""
    shares = portfolio.disclosure_by_period(published["disclosure"]).set_index("period")
    expected = {period: sum(row["cost"] is not None for row in rows.values()) for period, rows in plain.items()}
    assert shares["published"].to_dict() == expected
    assert (round(shares["share"].iloc[0], 2), round(shares["share"].iloc[-1], 2)) == (0.90, 0.69)


# --- ratings and dates ------------------------------------------------------------------------------------------------


def test_ratings_by_rater(published: Tables, plain: Records) -> None:
    """SRO: 23 % green, 10 % red (n = 110); IPA: 6 %, 23 % (n = 86); no project carries both."""
    shares = portfolio.rating_shares(now_of(published, name="ratings")).set_index(["assessor_role", "rating"])
    colours = ("green", "amber", "red")
    for role in ("SRO", "IPA"):
        cells = Counter(row[role.lower()] for row in plain[NOW].values() if row[role.lower()] in colours)
        assert {colour: shares.loc[(role, colour), "projects"] for colour in colours} == dict(cells)
    assert shares.loc[("SRO", "green"), "rated"] == 110
    assert shares.loc[("IPA", "green"), "rated"] == 86
    assert [round(shares.loc[("SRO", colour), "share"], 2) for colour in ("green", "red")] == [0.23, 0.10]
    assert [round(shares.loc[("IPA", colour), "share"], 2) for colour in ("green", "red")] == [0.06, 0.23]
    rated = now_of(published, name="ratings").dropna(subset=["rating"])
    assert not rated["project_id"].duplicated().any()


def test_finishes_moved_later(published: Tables, plain: Records) -> None:
    """The approved end moved later in 53 of 139 projects, by a median of 366 days."""
    days = portfolio.finish_movements(now_of(published, name="finish_movement"), since=BEFORE)["moved_days"].dropna()
    ends = [(plain[BEFORE][i]["end"], plain[NOW][i]["end"]) for i in plain[BEFORE].keys() & plain[NOW].keys()]
    expected = [(now - then).days for then, now in ends if then and now]
    assert sorted(days.astype(int)) == sorted(expected)
    later = [moved for moved in expected if moved > 0]
    assert (len(later), len(expected), statistics.median(later)) == (53, 139, 366)
    assert float(days[days > 0].median()) == 366


# --- who changed department -------------------------------------------------------------------------------------------


def test_moves_between_departments(published: Tables, plain: Records) -> None:
    """In 2022/23 19 projects with £63.9bn changed department; in every year as many as the cells say."""
    moved = structure.moves_by_period(structure.moves(published["whole_life_cost"])).set_index("period")
    for earlier, period in zip(FILES, list(FILES)[1:], strict=False):
        then, now = plain[earlier], plain[period]
        changed = [i for i in then.keys() & now.keys() if then[i]["department"] != now[i]["department"]]
        assert moved.loc[period, "projects"] == len(changed), period
        assert millions(moved.loc[period, "before"]) == total(then[i]["cost"] for i in changed), period
    assert moved.loc["2023-03", "projects"] == 19
    assert round(moved.loc["2023-03", "before"] / 1e9, 1) == 63.9


def test_both_structures(published: Tables, tables: Tables, plain: Records) -> None:
    """Each year adds up to its cells, as then organised and on today's structure; BEIS has no single successor."""
    both = structure.structures(
        published["projects"], costs_history=published["whole_life_cost"], lineage=tables["lineage"],
        portfolios=tables["portfolios"],
    )  # fmt: skip
    latest = {i: row["department"] for i, row in plain[NOW].items()}
    for period, rows in plain.items():
        units = both[both["period"].eq(period)].set_index("unit_id")
        whole = total(row["cost"] for row in rows.values())
        assert units["projects_then"].sum() == units["projects_today"].sum() == len(rows)
        assert {millions(exact(units[column])) for column in ("cost_then", "cost_today")} == {whole}
        for unit, found in units["cost_then"].fillna(0.0).items():
            assert millions(found) == total(row["cost"] for row in rows.values() if row["department"] == unit)
        today = {i: latest.get(i, HEIRS.get(row["department"], row["department"])) for i, row in rows.items()}
        for unit, found in units["cost_today"].fillna(0.0).items():
            assert millions(found) == total(rows[i]["cost"] for i in rows if today[i] == unit)
    fates = both.drop_duplicates("unit_id").set_index("unit_id")["fate"]
    assert fates[fates.ne("")].to_dict() == {
        "BEIS": "dissolved", "DEFRA-DFT": "no longer reports", "DFID": "now FCDO", "DLUHC": "now MHCLG",
        "FCO": "now FCDO", "NCA": "no longer reports",
    }  # fmt: skip


def exact(amounts: pd.Series) -> float:
    """Return the sum of amounts, added as whole pence."""
    return sum(round(value * 100) for value in amounts.dropna()) / 100
