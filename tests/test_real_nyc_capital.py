"""Fifteen reports in one file: New York's capital projects, every number a second time by plain csv reading.

The first way goes through intake and the metrics of each agency, as their notebooks publish them; the second reads the
cells and knows nothing of agencies' reports. Where a figure that is told of this file counts otherwise, the difference
is shown step by step.
"""

from __future__ import annotations

import csv
import statistics
import time
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pmo_lib.contracts.returned import Checked
from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.check import check
from pmo_lib.metrics import (
    bridge,
    cohorts,
    cost,
    facts,
    health,
    hierarchy,
    movement,
    portfolio,
    schedule,
)
from pmo_lib.metrics.fiscal import View
from pmo_lib.parameters.load import load_mapping, load_organisation
from pmo_lib.sentences import finance as finance_words, portfolio as portfolio_words, schedule as schedule_words

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[1]
FILE = "NYC_capital_projects_20190901.csv"
NOW, BEFORE = "2019-09", "2019-05"
PROJECTS = {
    "2013-09": 45, "2014-01": 49, "2014-05": 54, "2015-02": 59, "2015-08": 66, "2016-01": 75, "2016-06": 96,
    "2016-11": 108, "2017-04": 118, "2017-09": 169, "2018-03": 212, "2018-08": 247, "2019-01": 283, "2019-05": 300,
    "2019-09": 378,
}  # fmt: skip
SECONDS = 60  # of one processor for fifteen reports, imports included; a fifth of that on an idle machine
FINISH = "finish_forecast_on"

Records = dict[str, dict[str, dict[str, Any]]]


# --- the second way ---------------------------------------------------------------------------------------------------


def day(text: str) -> date | None:
    """Return a date of the file, which writes the month first."""
    return datetime.strptime(text[:10], "%m/%d/%Y").date() if text.strip() else None  # noqa: DTZ007 - days have no zone


@pytest.fixture(scope="module")
def plain(real_data: Path) -> Records:
    """Return period → project → its cells, typed by hand, in order of the periods."""
    with (real_data / "nyc_capital_projects" / FILE).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2259
    records: Records = defaultdict(dict)
    for row in sorted(rows, key=lambda row: day(row["Date Reported As Of"]) or date.min):
        reported = day(row["Date Reported As Of"])
        assert reported is not None
        records[f"{reported:%Y-%m}"][row["PID"]] = {
            "reported": reported,
            "agency": row["Managing Agency"],
            "client": row["Client Agency"].strip(),
            "phase": row["Current Phase"],
            "budget": Decimal(row["Budget Forecast"]) if row["Budget Forecast"].strip() else None,
            "end": day(row["Forecast Completion"]),
            "budget_change": row["Latest Budget Changes"].strip(),
            "schedule_change": row["Latest Schedule Changes"].strip(),
        }
    return dict(records)


def lives(plain: Records) -> dict[str, list[dict[str, Any]]]:
    """Return project → its records, in order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for records in plain.values():
        for project, record in records.items():
            found[project].append(record)
    return found


def all_records(plain: Records) -> list[dict[str, Any]]:
    """Return every record of every period."""
    return [record for records in plain.values() for record in records.values()]


def costed(plain: Records, period: str) -> dict[str, Decimal]:
    """Return project → budget, of those that have one in a period."""
    return {p: record["budget"] for p, record in plain[period].items() if record["budget"] is not None}


# --- our way ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timed(real_data: Path) -> tuple[list[Checked], float]:
    """Return all fifteen reports as checked, and the processor seconds that it took."""
    organisation = load_organisation(ROOT, org="nyc_capital")
    mapping = load_mapping(ROOT, org="nyc_capital", name=str(organisation.mapping))
    begun = time.process_time()
    checked = check([real_data / "nyc_capital_projects"], organisation=organisation, mapping=mapping)
    return checked, time.process_time() - begun


@pytest.fixture(scope="module")
def periods(timed: tuple[list[Checked], float]) -> dict[str, Checked]:
    """Return the checked returns by period."""
    return {checked.period: checked for checked in timed[0]}


@pytest.fixture(scope="module")
def histories(periods: dict[str, Checked]) -> dict[str, pd.DataFrame]:
    """Return the contract tables that reports read, over all periods, with money as numbers."""
    found = {}
    for name in ("projects", "status", "states", "portfolios"):
        parts = [
            checked.tables[name].astype(dict.fromkeys(TABLES[name].of_kind("money"), "float64")).assign(period=period)
            for period, checked in periods.items()
            if name in checked.tables
        ]
        found[name] = pd.concat(parts, ignore_index=True)
    return found


def of_agency(histories: dict[str, pd.DataFrame], agency: str) -> dict[str, pd.DataFrame]:
    """Return the tables as the report of one agency reads them: no project of this file ever moved."""
    return {name: rows[rows["portfolio_id"].eq(agency)] for name, rows in histories.items()}


def agencies(histories: dict[str, pd.DataFrame], period: str) -> list[str]:
    """Return the agencies that returned projects in a period."""
    projects = histories["projects"]
    return sorted(projects.loc[projects["period"] == period, "portfolio_id"].unique())


def published_costs(histories: dict[str, pd.DataFrame], agency: str, period: str, since: str) -> pd.DataFrame:
    """Return the whole-life costs as an agency's financial outlook publishes them."""
    own, view = of_agency(histories, agency), View(agency, period, since, start_month=7)
    rows = cost.whole_life(own["projects"], states=own["states"], view=view)
    return rows.assign(portfolio_id=agency, period=period)


@pytest.fixture(scope="module")
def costs(histories: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the costs of the last two reports, of all agencies."""
    parts = [published_costs(histories, agency, NOW, BEFORE) for agency in agencies(histories, NOW)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def tracked(histories: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what each report said of every finish, as the agencies' health checks publish it."""
    parts = [
        cohorts.tracks(
            histories["projects"], status=histories["status"], column=FINISH,
            between=movement.Between(agency, NOW, BEFORE),
        )
        for agency in agencies(histories, NOW)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def findings(periods: dict[str, Checked]) -> pd.DataFrame:
    """Return all findings, with their period."""
    return pd.concat([checked.findings.assign(period=period) for period, checked in periods.items()])


# --- every row and every exception ------------------------------------------------------------------------------------


def test_fifteen_reports_come_out_of_one_file_while_somebody_waits(timed: tuple[list[Checked], float]) -> None:
    """Each row belongs to the month of its own report date; 378 projects of 12 agencies, 2,259 rows in all."""
    checked, seconds = timed
    assert {one.period: len(one.tables["projects"]) for one in checked} == PROJECTS
    assert all(one.status_date.isoformat() == f"{one.period}-01" for one in checked)
    projects = pd.concat([one.tables["projects"] for one in checked])
    assert (len(projects), projects["project_id"].nunique(), projects["portfolio_id"].nunique()) == (2259, 378, 12)
    assert seconds < SECONDS


def test_the_books_of_every_report_close(periods: dict[str, Checked], plain: Records) -> None:
    """Rows and money that came in are used, to the cent; nothing is set aside, and every cell is accounted for."""
    for period, checked in periods.items():
        books = checked.accounting
        assert (books["rows_in"] == books["used"] + books["quarantined"] + books["ignored"]).all()
        assert books["quarantined"].sum() == 0
        rows = books.loc[books["table"].eq("projects"), "rows_in"].sum()
        assert rows == len(plain[period])
        money = books.loc[books["table"].eq("projects"), "money_used"].sum()
        assert money == sum(int((budget * 100).to_integral_value()) for budget in costed(plain, period).values())
        cells = checked.cells
        assert (cells["cells_in"] == cells[["typed", "stated", "faulty", "ignored"]].sum(axis="columns")).all()
        assert cells["faulty"].sum() == 0


def test_changes_that_disagree_are_findings(periods: dict[str, Checked], plain: Records) -> None:
    """1,775 of 1,779 budget and 1,762 of 1,766 date changes compute; all but one of the others skip a report."""
    compared, wrong = Counter[str](), set()
    for project, records in lives(plain).items():
        for before, now in pairwise(records):
            for what, column, unit in (("budget", "budget", Decimal(1)), ("schedule", "end", 0)):
                if not now[f"{what}_change"] or now[column] is None or before[column] is None:
                    continue
                change = now[column] - before[column]
                change = change.days if what == "schedule" else change
                compared[what] += 1
                if abs(change - Decimal(now[f"{what}_change"])) > unit:
                    wrong.add((f"{now['reported']:%Y-%m}", project, what))
    assert compared == {"budget": 1779, "schedule": 1766}
    found = findings(periods).query("rule == 'published-figure'")
    ours = [
        (period, key.split("|")[0], key.split("latest ")[1].split()[0])
        for period, key in zip(found["period"], found["key"], strict=True)
    ]
    assert set(ours) == wrong
    assert Counter(what for _, _, what in ours) == {"budget": 4, "schedule": 4}
    order = list(plain)
    skipped = [(period, project) for period, project, _ in ours if project not in plain[order[order.index(period) - 1]]]
    assert len(skipped) == 7
    assert found["cell"].str.match(r"[LO]\d+$").all()
    figures = pd.concat([checked.tables["published_figures"] for checked in list(periods.values())[1:]])
    assert figures.dropna(subset=["published", "recomputed"]).groupby("figure").size().to_dict() == {
        "latest budget change, USD": 1779, "latest schedule change, days": 1766,
    }  # fmt: skip


def test_what_can_hardly_be_meant_is_a_finding_and_kept(periods: dict[str, Checked], plain: Records) -> None:
    """Nine budgets at or below nothing and one completion in 2108 stand at their cells, and in the tables."""
    found = findings(periods).query("rule == 'implausible'")
    assert found["column"].value_counts().to_dict() == {"whole_life_cost_forecast": 9, FINISH: 1}
    assert set(found["action"]) == {"kept"}
    budgets = [record["budget"] for record in all_records(plain) if record["budget"] is not None]
    values = [Decimal(value) for value in found.loc[found["column"].ne(FINISH), "value"]]
    assert sorted(budget for budget in budgets if budget <= 0) == sorted(values)
    (late,) = found[found["column"].eq(FINISH)].to_dict("records")
    assert (late["period"], late["key"], late["value"]) == ("2018-03", "649", "10/21/2108")
    projects = periods["2018-03"].tables["projects"].set_index("project_id")
    assert projects.at["649", FINISH] == pd.Timestamp("2108-10-21")


def test_blank_cells_that_should_hold_something_are_findings(periods: dict[str, Checked], plain: Records) -> None:
    """106 rows have no budget and 122 no completion: one finding at each cell."""
    found = findings(periods).query("rule == 'value-expected'")
    assert found["column"].value_counts().to_dict() == {FINISH: 122, "whole_life_cost_forecast": 106}
    assert sum(record["budget"] is None for record in all_records(plain)) == 106
    assert sum(record["end"] is None for record in all_records(plain)) == 122
    assert not found.duplicated(["period", "cell"]).any()


def test_no_project_leaves_for_good(plain: Records, periods: dict[str, Checked]) -> None:
    """Every project that was ever reported is in the last report, so that nothing in this file is finished."""
    assert set(lives(plain)) == set(plain[NOW]) == set(periods[NOW].tables["projects"]["project_id"])
    assert sum(len(records) for records in plain.values()) - len(lives(plain)) == 2259 - 378


# --- blank returns ----------------------------------------------------------------------------------------------------


def test_a_blank_return_is_partial(periods: dict[str, Checked]) -> None:
    """A record without one date or amount that had some was not returned; whoever sent it returned in part."""
    partial = {
        (period, row["portfolio_id"]): row["reason"]
        for period, checked in periods.items()
        for row in checked.returns.to_dict("records")
        if row["state"] == "partial"
    }
    assert partial == {
        ("2016-01", "DOT"): "1 of 20 project records are blank: no date and no amount",
        ("2017-09", "SCA"): "5 of 5 project records are blank: no date and no amount",
        ("2018-08", "DDC"): "1 of 101 project records are blank: no date and no amount",
        ("2019-09", "DOT"): "94 of 94 project records are blank: no date and no amount",
    }
    states = periods[NOW].tables["states"].query("column_name == 'whole_life_cost_forecast'")
    assert set(states["state"]) == {"not returned"}
    assert len(states) == 94
    assert set(states["portfolio_id"]) == {"DOT"}


def test_the_movement_of_the_budget_is_told_by_cause(costs: pd.DataFrame, plain: Records) -> None:
    """36.50 → 31.97 bn is −8.49 not returned, +0.74 like for like, +3.12 new, +0.11 first given: to the cent."""
    was, now = costed(plain, BEFORE), costed(plain, NOW)
    blank = [p for p in was if p not in now]
    assert {plain[NOW][p]["agency"] for p in blank} == {"DOT"}
    expected = {
        "not returned": -sum(was[p] for p in blank),
        "re-based": sum(now[p] - was[p] for p in now if p in was),
        "newly published": sum(now[p] for p in now if p in plain[BEFORE] and p not in was),
        "joined": sum(now[p] for p in now if p not in plain[BEFORE]),
    }
    assert [round(float(amount) / 1e9, 2) for amount in expected.values()] == [-8.49, 0.74, 0.11, 3.12]
    steps = bridge.bridge_steps(costs)
    totals = steps[steps["kind"].eq("total")]["amount"].tolist()
    assert totals == [pytest.approx(float(sum(part.values())), abs=1) for part in (was, now)]
    assert [round(total / 1e9, 2) for total in totals] == [36.50, 31.97]
    ours = steps[steps["kind"].eq("cause") & steps["amount"].ne(0)].set_index("step")["amount"]
    assert ours.to_dict() == {name: pytest.approx(float(amount), abs=1) for name, amount in expected.items()}
    assert "no fall" in finance_words.causes_sentence(steps)
    assert "no fall" in portfolio_words.bridge_sentence(steps)


def test_what_was_last_known_is_shown_as_such(costs: pd.DataFrame, plain: Records) -> None:
    """Each blank record shows its last budget and the report that gave it; 83 projects, and no total counts them."""
    silent = costs[costs["last_known"].notna()].set_index("project_id")
    expected = {}
    for project, records in lives(plain).items():
        given = [record for record in records if record["budget"] is not None]
        if plain[NOW][project]["agency"] == "DOT" and given:
            expected[project] = (given[-1]["budget"], f"{given[-1]['reported']:%Y-%m}")
    assert len(expected) == 83
    assert {p: (Decimal(str(row["last_known"])), row["last_known_period"]) for p, row in silent.iterrows()} == {
        p: (pytest.approx(value), period) for p, (value, period) in expected.items()
    }
    assert silent["now"].isna().all()
    assert silent.at["91", "reason"] == "not returned; last known $342.2m, May 2019"
    movements = portfolio.largest_movements(costs)
    assert not movements["portfolio_id"].eq("DOT").any()


def test_a_return_that_speaks_again_is_no_rise(histories: dict[str, pd.DataFrame], plain: Records) -> None:
    """The schools' five records were blank once: −0.39 bn and back, told as not returned and as returned again."""
    gone, back = (
        bridge.bridge_steps(published_costs(histories, "SCA", *pair)).set_index("step")["amount"]
        for pair in (("2017-09", "2017-04"), ("2018-03", "2017-09"))
    )
    was, now = costed(plain, "2017-04"), costed(plain, "2018-03")
    schools = [p for p, record in plain["2017-09"].items() if record["agency"] == "SCA"]
    assert gone["not returned"] == pytest.approx(-float(sum(was[p] for p in schools)))
    assert back["returned again"] == pytest.approx(float(sum(now[p] for p in schools)))


# --- fixed cohorts ----------------------------------------------------------------------------------------------------


def test_slips_of_projects_first_seen_in_design(tracked: pd.DataFrame, plain: Records) -> None:
    """122 projects: P50 423 and P80 1,036 days, each the larger of the two slips around it (409 and 1,036 between)."""
    slips = sorted(
        (records[-1]["end"] - records[0]["end"]).days
        for records in lives(plain).values()
        if records[0]["phase"] == "Design" and records[0]["end"] and records[-1]["end"] and len(records) >= 3
    )
    assert (len(slips), slips[61], slips[97]) == (122, 423, 1036)
    assert (statistics.median(slips), slips[60]) == (409, 395)
    classes = cohorts.slips_by_stage(tracked)
    design = classes.iloc[0]
    assert (design["first_stage"], design["followed"], design["p50_days"], design["p80_days"]) == (
        "Design", 122, 423, 1036,
    )  # fmt: skip
    assert (classes["few"] == classes["followed"].lt(20)).all()
    assert not design["few"]
    assert classes["projects"].sum() == 378
    left_out = classes[["no_first_date", "no_date_now", "too_few_reports"]].sum(axis="columns")
    assert (classes["projects"] == classes["followed"] + left_out).all()
    assert "P50 +423 days, P80 +1,036 days" in schedule_words.stages_sentence(classes)


def test_cohorts_never_lose_a_project(tracked: pd.DataFrame, plain: Records) -> None:
    """The 45 projects of the first report are followed through all fifteen, by the median of their own slips."""
    trend = cohorts.trend(tracked)
    assert (trend["projects"] == trend["dated"] + trend["carried"]).all()
    assert trend.groupby("cohort")["projects"].nunique().eq(1).all()
    assert trend.groupby("cohort")["projects"].first().to_dict() == {
        "2013": 45, "2014": 10, "2015": 12, "2016": 40, "2017": 62, "2018": 76, "2019": 117,
    }  # fmt: skip
    first = trend[trend["cohort"].eq("2013")].set_index("return_month")
    assert list(first.index) == list(PROJECTS)
    known: dict[str, date] = {}
    for period, records in plain.items():
        for project in plain["2013-09"]:
            end = records.get(project, {}).get("end")
            known[project] = end or known[project]
        slips = sorted((known[p] - record["end"]).days for p, record in plain["2013-09"].items())
        assert first.at[period, "p50_days"] == slips[22]
        dated = sum(records.get(p, {}).get("end") is not None for p in plain["2013-09"])
        assert first.at[period, "dated"] == dated
    assert first.at[NOW, "carried"] == 14


def test_movements_run_over_every_pair_of_reports(histories: dict[str, pd.DataFrame], plain: Records) -> None:
    """From report to report the finish dates of the same projects are compared: here those of one agency."""
    own = of_agency(histories, "DEP")
    for since, period in pairwise(plain):
        rows = schedule.finishes(
            own["projects"], status=own["status"], states=own["states"], column=FINISH,
            between=movement.Between("DEP", period, since),
        )  # fmt: skip
        both = [
            (plain[since][p]["end"], record["end"])
            for p, record in plain[period].items()
            if record["agency"] == "DEP" and record["end"] and plain[since].get(p, {}).get("end")
        ]
        days = rows["moved_days"].dropna()
        assert (len(days), int(days.gt(0).sum())) == (len(both), sum(now > was for was, now in both))


# --- who delivers, who is served --------------------------------------------------------------------------------------


def test_two_hierarchies(costs: pd.DataFrame, histories: dict[str, pd.DataFrame], plain: Records) -> None:
    """229 of 283 costed projects serve another unit: 233 by code, of which one says NA and three are HHC's own."""
    codes = [(r["agency"], r["client"]) for r in plain[NOW].values() if r["budget"] is not None and r["budget"] > 0]
    assert len(codes) == 283
    apart = [(agency, client) for agency, client in codes if client != agency]
    assert len(apart) == 233
    itself = Counter(apart)[("HHC", "H+H")]
    unnamed = sum(client == "NA" for _, client in apart)
    assert (itself, unnamed) == (3, 1)
    now = histories["projects"][histories["projects"]["period"].eq(NOW)]
    empty = pd.DataFrame()
    rows = facts.project_facts(
        now[[*health.PUBLISHED_PROJECT, "portfolio_id"]], costs=costs, in_year=empty, ratings=empty, exposure=empty
    )
    clients = hierarchy.clients(rows, portfolios=histories["portfolios"])
    assert clients["costed"].sum() == 283
    assert clients["costed_for_others"].sum() == 233 - itself - unnamed == 229
    assert clients["delivers"].sum() == clients["serves"].sum() == 378
    named = clients.set_index("unit_id")
    assert named.at["DOE", "delivered_by"] == "SCA 31"
    assert named.at["DEP", "delivered_by"].startswith("DDC 75, DEP 33")
    assert "229 of 283 projects with a cost" in portfolio_words.clients_sentence(clients)


def test_units_that_are_only_served_owe_no_return(periods: dict[str, Checked]) -> None:
    """A client that delivers nothing stands in the client hierarchy, with its name, and no return is expected of it."""
    portfolios = periods[NOW].tables["portfolios"].set_index("portfolio_id")
    clients = portfolios[portfolios["hierarchy"].eq("client")]
    assert "DOE" in clients.index
    assert portfolios.at["DOE", "name"] == "Department of Education"
    assert not set(periods[NOW].returns["portfolio_id"]) & set(clients.index)
    assert set(periods[NOW].returns["portfolio_id"]) == set(periods[NOW].tables["projects"]["portfolio_id"])
