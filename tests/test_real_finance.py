"""The money of six years of real portfolios: every number is computed a second way, by plain csv reading.

The first way goes through intake and the metrics, portfolio by portfolio, and adds up; the second reads the cells.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.check import check
from pmo_lib.metrics import cost
from pmo_lib.metrics.accounts import accounts
from pmo_lib.metrics.bridge import NO_FIGURE, NOT_RETURNED, RANGE, WITHHELD, bridge_steps, summed
from pmo_lib.metrics.fiscal import View
from pmo_lib.metrics.outlook import levels, phased
from pmo_lib.parameters.load import load_mapping, load_organisation

pytestmark = pytest.mark.real

SILENT = (WITHHELD, RANGE, NOT_RETURNED, NO_FIGURE)
ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "2019-09": ("gmpp_2019_20.csv", "latin-1"),
    "2021-03": ("gmpp_2020_21.csv", "cp1252"),
    "2022-03": ("gmpp_2021_22.csv", "utf-8-sig"),
    "2023-03": ("gmpp_2022_23.csv", "utf-8-sig"),
    "2024-03": ("gmpp_2023_24.csv", "utf-8-sig"),
    "2025-03": ("gmpp_2024_25.csv", "utf-8-sig"),
}
BEFORE = dict(zip(list(FILES)[1:], FILES, strict=False))
PLAIN_MONEY = re.compile(r"£?-?[\d,]+(\.\d+)?m?")
DAYS = ("%d/%m/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S")
COLUMNS = {
    "id": ("GMPP ID",),
    "department": ("Department",),
    "plan": ("Financial Year Baseline",),
    "outlook": ("Financial Year Forecast",),
    "cost": ("TOTAL Baseline Whole", "Whole Life"),
    "end": ("Project - End", "End Date"),
}
Tables = dict[str, pd.DataFrame]
Bridges = dict[str, dict[str, pd.DataFrame]]
Records = dict[str, dict[str, dict[str, Any]]]


# --- the second way -------------------------------------------------------------------------------------------


def amount(text: str) -> Decimal | None:
    """Return a single amount in millions; None for words, ranges and empty cells."""
    bare = text.strip()
    return Decimal(re.sub("[£,m]", "", bare)) if PLAIN_MONEY.fullmatch(bare) else None


def day(text: str) -> datetime | None:
    """Return a date in any of the three ways that the files write one."""
    for form in DAYS:
        try:
            return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - days have no zone
        except ValueError:
            continue
    return None


def place(header: list[str], beginnings: tuple[str, ...]) -> int:
    """Return the first column with one of these names, or whose name begins so."""
    exact = [i for i, name in enumerate(header) if name in beginnings]
    return (exact or [i for i, name in enumerate(header) if name.startswith(beginnings)])[0]


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
        at = {key: place(header, beginnings) for key, beginnings in COLUMNS.items()}
        records[period] = {}
        for row in rows[1:]:
            project = row[at["id"]].strip().upper()
            if project:
                records[period][project] = {
                    "department": row[at["department"]].strip().upper(),
                    "end": day(row[at["end"]]),
                    **{key: amount(row[at[key]]) for key in ("plan", "outlook", "cost")},
                }
    return records


def total(values: Any) -> Decimal:
    """Return the sum of the amounts that are there."""
    return sum((value for value in values if value is not None), Decimal(0))


# --- the first way --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables(real_data: Path) -> Tables:
    """Return histories of the tables as a report opens them, by way of intake."""
    organisation = load_organisation(ROOT, org="uk_gmpp")
    mapping = load_mapping(ROOT, org="uk_gmpp", name="uk_gmpp")
    checked = check([real_data / "uk_gmpp"], organisation=organisation, mapping=mapping)
    found = {}
    for name in ("projects", "finance", "states"):
        money = dict.fromkeys(TABLES[name].of_kind("money"), "float64")
        month = "return_month" if name == "finance" else "period"
        parts = [each.tables[name].astype(money).assign(**{month: each.period}) for each in checked]
        found[name] = pd.concat(parts, ignore_index=True)
    return found


def of_unit(tables: Tables, *, unit: str) -> Tables:
    """Return what the reports of one department see: its rows, and those of its projects elsewhere."""
    projects = tables["projects"]
    ids = set(projects.loc[projects["portfolio_id"].eq(unit), "project_id"])
    found = {name: rows[rows["project_id"].isin(ids)] for name, rows in tables.items() if name != "states"}
    return found | {"states": tables["states"][tables["states"]["portfolio_id"].eq(unit)]}


def departments(tables: Tables, *, periods: tuple[str, ...]) -> list[str]:
    """Return every department that had projects in one of these periods."""
    projects = tables["projects"]
    return sorted(projects.loc[projects["period"].isin(periods), "portfolio_id"].unique())


@pytest.fixture(scope="module")
def bridges(tables: Tables) -> Bridges:
    """Return period → department → its whole-life bridge from the period before."""
    found: dict[str, dict[str, pd.DataFrame]] = {}
    for period, earlier in BEFORE.items():
        found[period] = {}
        for unit in departments(tables, periods=(earlier, period)):
            own = of_unit(tables, unit=unit)
            view = View(unit, period, earlier, 4)
            found[period][unit] = cost.whole_life(own["projects"], states=own["states"], view=view)
    return found


@pytest.fixture(scope="module")
def latest(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return in-year tables and underspends of 2024/25's departments, each under the other."""
    in_years, underspends = [], []
    everyone = departments(tables, periods=tuple(FILES))
    now = set(departments(tables, periods=("2025-03",)))
    for unit in everyone:
        own = of_unit(tables, unit=unit)
        view = View(unit, "2025-03", "2024-03", 4)
        by_year = cost.by_year(own["finance"], projects=own["projects"], states=own["states"], view=view)
        underspends.append(cost.underspends(by_year, projects=own["projects"], view=view, flag=0.20))
        if unit in now:
            in_years.append(cost.in_year(by_year, projects=own["projects"], view=view, tolerance=0.05))
    return {"in_year": pd.concat(in_years), "underspends": pd.concat(underspends)}


def billions(steps: pd.DataFrame) -> dict[str, float]:
    """Return the steps in billions, to one decimal."""
    return {step: round(value / 1e9, 1) for step, value in zip(steps["step"], steps["amount"], strict=True)}


# --- whole-life cost ------------------------------------------------------------------------------------------


def test_whole_life_bridge_of_the_organisation(bridges: Bridges, plain: Records) -> None:
    """£448.0bn → £535.6bn: the bridges of all departments add up to the causes that the cells give."""
    steps = summed(list(bridges["2025-03"].values()))
    then, now = plain["2024-03"], plain["2025-03"]
    both = then.keys() & now.keys()
    expected = {
        "before": total(row["cost"] for row in then.values()),
        "left": -total(then[i]["cost"] for i in then.keys() - now.keys()),
        "newly published": total(now[i]["cost"] for i in both if then[i]["cost"] is None),
        "joined": total(now[i]["cost"] for i in now.keys() - then.keys()),
        "re-based": total(
            now[i]["cost"] - then[i]["cost"] for i in both if None not in (now[i]["cost"], then[i]["cost"])
        ),
        "now": total(row["cost"] for row in now.values()),
    }
    found = {step: value for step, value in zip(steps["step"], steps["amount"], strict=True) if value}
    moved = [found.pop("moved in"), found.pop("moved out")]
    assert sum(moved) == 0
    silent = sum(Decimal(str(found.pop(cause, 0.0))) for cause in SILENT) / 10**6
    assert silent == -total(then[i]["cost"] for i in both if now[i]["cost"] is None)
    assert round(float(silent) / 1000, 1) == -68.6
    assert {step: Decimal(str(value)) / 10**6 for step, value in found.items()} == expected
    assert billions(steps[~steps["step"].isin(SILENT)]) == {
        "before": 448.0, "left": -13.7, "moved out": -37.5, "re-based": 63.9, "newly published": 23.5, "moved in": 37.5,
        "joined": 82.6, "unchanged": 0.0, "never published": 0.0, "now": 535.6,
    }  # fmt: skip


def test_numbers_behind_the_bridge(bridges: Bridges, plain: Records) -> None:
    """Each step says how many projects are behind it: 29 left, 15 joined, and 227 became 213."""
    steps = summed(list(bridges["2025-03"].values())).set_index("step")["projects"]
    then, now = plain["2024-03"], plain["2025-03"]
    assert steps["left"] == len(then.keys() - now.keys()) == 29
    assert steps["joined"] == len(now.keys() - then.keys()) == 15
    assert (steps["before"], steps["now"]) == (len(then), len(now)) == (227, 213)


@pytest.mark.parametrize("period", list(BEFORE))
def test_every_departments_bridge_sums(bridges: Bridges, plain: Records, period: str) -> None:
    """In each department and period the steps lead from the cells' total before to their total now."""
    for unit, rows in bridges[period].items():
        then, now = (
            total(row["cost"] for row in plain[p].values() if row["department"].replace(" & ", "-") == unit)
            for p in (BEFORE[period], period)
        )
        steps = bridge_steps(rows).set_index("step")["amount"]
        assert [round(steps["before"]), round(steps["now"])] == [round(then * 10**6), round(now * 10**6)], unit


def test_departments_that_changed_in_2022_23(bridges: Bridges, plain: Records) -> None:
    """19 projects changed department, £63.9bn by the value before: taken over as much as was given away."""
    rows = pd.concat(bridges["2023-03"].values())
    came, went = (rows[rows["cause"].eq(cause)] for cause in ("moved in", "moved out"))
    then, now = plain["2022-03"], plain["2023-03"]
    changed = [i for i in then.keys() & now.keys() if then[i]["department"] != now[i]["department"]]
    value = total(then[i]["cost"] for i in changed)
    assert len(came) == len(went) == len(changed) == 19
    assert Decimal(str(came["moved_amount"].sum())) / 10**6 == value == 63892
    assert came["moved_amount"].sum() == -went["moved_amount"].sum()


def test_disclosure_drifts(tables: Tables, plain: Records) -> None:
    """A single whole-life cost is published for 90 % of projects in 2019, for 69 % in 2025."""
    for period, share in (("2019-09", 0.904), ("2025-03", 0.695)):
        parts = [
            cost.disclosure(own["projects"], states=own["states"], view=View(unit, period, None, 4))
            for unit in departments(tables, periods=(period,))
            for own in (of_unit(tables, unit=unit),)
        ]
        found = pd.concat(parts)["published"]
        counted = sum(row["cost"] is not None for row in plain[period].values())
        assert (found.sum(), len(found)) == (counted, len(plain[period]))
        assert round(found.mean(), 3) == share


# --- the year -------------------------------------------------------------------------------------------------


def test_in_year_spending(latest: dict[str, pd.DataFrame], plain: Records) -> None:
    """In 2024/25 the 178 projects with both figures spend 11.4 % less than planned."""
    pairs = [
        (row["plan"], row["outlook"]) for row in plain["2025-03"].values() if None not in (row["plan"], row["outlook"])
    ]
    plan, outlook = (total(values) for values in zip(*pairs, strict=True))
    found = latest["in_year"]
    known = found[found["paired"]]
    assert len(known) == len(pairs) == 178
    assert Decimal(str(round(known["plan"].sum(), 2))) == plan * 10**6
    assert Decimal(str(round(known["variance"].sum(), 2))) == (outlook - plan) * 10**6
    assert round(float(outlook / plan - 1), 3) == round(known["variance"].sum() / known["plan"].sum(), 3) == -0.114


def test_four_years_running(latest: dict[str, pd.DataFrame], plain: Records) -> None:
    """21 of the 97 projects known in four years running were below plan by more than 5 % in each."""
    years = [plain[period] for period in ("2022-03", "2023-03", "2024-03", "2025-03")]
    known = under = 0
    for project in set.intersection(*(set(year) for year in years)):
        pairs = [(year[project]["plan"], year[project]["outlook"]) for year in years]
        if all(plan and outlook is not None for plan, outlook in pairs):
            known += 1
            under += all(outlook / plan - 1 < Decimal("-0.05") for plan, outlook in pairs)
    found = latest["in_year"]
    long = found[found["years_known"].ge(4)]
    assert len(long) == known == 97
    assert int(long["years_under"].ge(4).sum()) == under == 21


def test_underspend_without_slip(latest: dict[str, pd.DataFrame], plain: Records) -> None:
    """Of 196 project-years with an underspend of 20 % or more and both end dates, 148 kept or advanced the date.

    Counted is a project-year whose forecast is at most 80 % of its baseline (exactly 80 % included), whose project (ids
    without regard to case) was in the file of the year before, and which has an end date in both files; kept or
    advanced is an end date that is not later. Without the first pair of files it is 138 of 184. Elsewhere 132 of 174
    has been stated of these files: only conditions that the question does not ask for lead to that pair.
    """
    by_year = {}
    for period, earlier in BEFORE.items():
        then, now = plain[earlier], plain[period]
        kept = [
            now[i]["end"] <= then[i]["end"]
            for i in then.keys() & now.keys()
            if now[i]["plan"] and now[i]["outlook"] is not None and now[i]["outlook"] / now[i]["plan"] <= Decimal("0.8")
            if now[i]["end"] and then[i]["end"]
        ]
        by_year[period] = (len(kept), sum(kept))
    rows = latest["underspends"]
    dated = rows[rows["moved_days"].notna()]
    found = {period: (len(group), int(group["kept"].sum())) for period, group in dated.groupby("period")}
    assert found == by_year
    assert [sum(values) for values in zip(*by_year.values(), strict=True)] == [196, 148]
    assert [sum(values) for values in zip(*list(by_year.values())[1:], strict=True)] == [184, 138]


@pytest.mark.parametrize("unit", ["DFT", "MOD", "DESNZ"])
def test_levels_of_annual_returns(tables: Tables, plain: Records, unit: str) -> None:
    """Without actuals the outlook is the year's forecast, its levels reconcile, and no month is drawn."""
    own = of_unit(tables, unit=unit)
    programmes = pd.DataFrame({name: pd.Series(dtype=object) for name in TABLES["programmes"].names})
    view = View(unit, "2025-03", "2024-03", 4)
    entries = accounts(own["finance"], projects=own["projects"], programmes=programmes, states=own["states"], view=view)
    found = levels(entries)
    rows = [row for row in plain["2025-03"].values() if row["department"] == unit]
    whole = found.iloc[0]
    assert Decimal(str(whole["outlook"])) == total(row["outlook"] for row in rows) * 10**6
    assert Decimal(str(whole["plan"])) == total(row["plan"] for row in rows) * 10**6
    assert (whole["basis"], whole["months_reason"]) == ("annual", "figures of the year only")
    assert phased(entries).empty
