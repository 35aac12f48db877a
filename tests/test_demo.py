"""The invented organisation: it keeps the contract, its tables agree with each other, and nothing moves by chance."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.rules import cell_failures, key_failures, reference_failures
from pmo_lib.contracts.tables import RATINGS, TABLES
from pmo_lib.demo import SEED, Size, organisation_tables, write_returns
from pmo_lib.demo.belief import View
from pmo_lib.demo.catalogue import CLASSES, LAST, STORIES, UNITS
from pmo_lib.demo.money import forecast_by_month
from pmo_lib.demo.months import (
    fiscal_year_name,
    fiscal_year_start,
    last_day,
    long_date,
    month_number,
    month_of,
    period_of,
    working_day,
)
from pmo_lib.demo.network import PATTERN, forward_pass
from pmo_lib.demo.truth import Project, miss, project_of, smooth, stream
from pmo_lib.errors import ParameterError
from pmo_lib.intake.check import check
from pmo_lib.parameters.load import load_organisation, load_portfolios
from pmo_lib.parameters.models import Organisation
from pmo_lib.workbooks import return_bytes

ROOT = Path(__file__).resolve().parents[1]
PERIODS = ("2026-07", "2026-08", "2026-09")
PORTFOLIOS = ("highways", "estates", "digital")
SMALL = Size(periods=3, portfolios=3)
Tables = dict[str, pd.DataFrame]
Returns = dict[tuple[str, str], Tables]


@pytest.fixture(scope="module")
def returns() -> Returns:
    """A small organisation: three portfolios, three periods."""
    return organisation_tables(SMALL)


@pytest.fixture(scope="module")
def deep() -> Returns:
    """Seven periods of six projects, across the end of a fiscal year."""
    return organisation_tables(Size(periods=7, portfolios=1, projects=6))


@pytest.fixture(scope="module")
def lives() -> list[Project]:
    """Projects of every portfolio under twenty seeds, without those that a story rules."""
    works = [(unit, work) for unit in UNITS for work in unit.works if f"{unit.code}-{work[:2]}" not in STORIES]
    return [project_of(work, unit=unit, seed=seed) for seed in range(20) for unit, work in works]


def whole(returns: Returns, name: str, *, period: str | None = None) -> pd.DataFrame:
    """Return one table over all portfolios, with the period in front."""
    parts = [
        tables[name].assign(at=at) for (at, _), tables in returns.items() if name in tables and period in (None, at)
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def pennies(amounts: pd.Series) -> pd.Series:
    """Return money in whole pennies."""
    return (amounts * 100).round().astype("int64")


def each(returns: Returns) -> Iterator[tuple[str, pd.Timestamp, Tables]]:
    """Yield period, status date and tables of every return."""
    for (period, _), tables in returns.items():
        yield period, pd.Timestamp(last_day(month_number(period))), tables


# --- the contract ---------------------------------------------------------------------------------------------


def test_one_return_per_portfolio_and_period(returns: Returns) -> None:
    """Every portfolio returns in every period, ten to fourteen projects each at the end."""
    assert list(returns) == [(period, portfolio) for period in PERIODS for portfolio in PORTFOLIOS]
    assert all(10 <= len(returns["2026-09", portfolio]["projects"]) <= 14 for portfolio in PORTFOLIOS)


def test_tables_are_typed_as_the_contract_says(returns: Returns) -> None:
    """Every table has the contract's columns, in order, with their dtypes; only units name another portfolio."""
    for (_, portfolio), tables in returns.items():
        for name, rows in tables.items():
            assert tuple(rows.columns) == TABLES[name].names
            assert {column: str(kind) for column, kind in rows.dtypes.items()} == {
                column.name: column.dtype for column in TABLES[name].columns
            }
            assert name == "portfolios" or set(rows["portfolio_id"]) <= {portfolio}


def test_every_table_that_a_return_can_hold_has_rows(returns: Returns) -> None:
    """Every table of the contract has rows, also published figures and the states of cells."""
    assert {name for tables in returns.values() for name, rows in tables.items() if len(rows)} == set(TABLES)


def test_clean_returns_break_no_rule(returns: Returns) -> None:
    """Every cell of every return keeps the rules of the contract, and so do keys and references of a whole period."""
    names = sorted({name for tables in returns.values() for name in tables} - {"lineage"})
    failures = [
        failure
        for name in names
        for failure in cell_failures(name, rows=whole(returns, name).drop(columns="at"))
        if failure.rule != "risk-without-owner"  # some have none: boards must see that
    ]
    latest = {name: whole(returns, name, period="2026-09").drop(columns="at") for name in names}
    latest["portfolios"] = latest["portfolios"].drop_duplicates(ignore_index=True)
    failures += [failure for name, rows in latest.items() for failure in key_failures(name, rows=rows)]
    assert [*failures, *reference_failures(latest)] == []


def test_keys_are_unique_in_every_return(returns: Returns) -> None:
    """No two rows of a table have the same key."""
    for tables in returns.values():
        for name, rows in tables.items():
            assert not rows.duplicated(list(TABLES[name].key)).any(), name


def test_no_required_cell_is_empty(returns: Returns) -> None:
    """Keys and required cells are filled in every row; an amount or rating may be empty where a state says why."""
    for _, _, tables in each(returns):
        excused = tables["states"].groupby(["table_name", "column_name"]).size()
        for name, rows in tables.items():
            required = [column.name for column in TABLES[name].columns if column.need in ("key", "cell")]
            assert not rows[required].isna().any(axis=None), name
            for column in (column.name for column in TABLES[name].columns if column.need == "column"):
                assert rows[column].isna().sum() == excused.get((name, column), 0), name


def test_the_hierarchy_is_whole(returns: Returns) -> None:
    """Every return brings its portfolio and the units above it, in the same words: two functions, one enterprise."""
    units = whole(returns, "portfolios").drop(columns="at").drop_duplicates().set_index("portfolio_id")
    assert units.index.is_unique
    assert units["level"].value_counts().to_dict() == {"portfolio": 3, "function": 2, "enterprise": 1}
    assert set(units["parent_id"].dropna()) <= set(units.index)
    assert units.index[units["parent_id"].isna()].tolist() == ["northshire"]
    for (_, portfolio), tables in returns.items():
        assert tables["portfolios"]["level"].tolist() == ["portfolio", "function", "enterprise"]
        assert tables["portfolios"]["portfolio_id"].iloc[0] == portfolio


def test_a_project_stands_in_one_return_at_a_time(returns: Returns) -> None:
    """No project is returned twice in a period."""
    assert not whole(returns, "projects").duplicated(["at", "project_id"]).any()


@pytest.mark.parametrize(
    ("table", "column", "parent", "key"),
    [
        ("baselines", "change_id", "changes", "change_id"),
        ("reserves", "risk_id", "risks", "risk_id"),
        ("issues", "risk_id", "risks", "risk_id"),
        ("changes", "baseline_version", "baselines", "version"),
        ("projects", "programme_id", "programmes", "programme_id"),
        ("dependencies", "provider_project_id", "projects", "project_id"),
        ("dependencies", "recipient_project_id", "projects", "project_id"),
    ],
)
def test_pointers_hit_something(returns: Returns, table: str, column: str, parent: str, key: str) -> None:
    """What a row points to is there in the same period."""
    for period in PERIODS:
        named = set(whole(returns, table, period=period)[column].dropna())
        assert named
        assert named <= set(whole(returns, parent, period=period)[key])


def test_actions_serve_what_is_in_the_registers(returns: Returns) -> None:
    """The parent of every action is a risk or an issue of the same return."""
    for _, _, tables in each(returns):
        parents = {"issue": set(tables["issues"]["issue_id"])}
        parents["risk"] = set(tables["risks"]["risk_id"]) if "risks" in tables else set()
        pairs = zip(tables["actions"]["parent_kind"], tables["actions"]["parent_id"], strict=True)
        assert all(parent in parents[kind] for kind, parent in pairs)


# --- money ----------------------------------------------------------------------------------------------------


def test_the_years_plan_is_the_rise_of_planned_value(returns: Returns) -> None:
    """Σ plan of the year = planned value at its end − at its start, of the baseline in force when it began."""
    checked = 0
    for _, _, tables in each(returns):
        plans = tables["finance"].query("measure == 'plan'").assign(minor=lambda rows: pennies(rows["amount"]))
        sums = plans.groupby("project_id")["minor"].sum()
        curves = tables["earned_value"].assign(minor=lambda rows: pennies(rows["planned_value"]))
        for project, versions in tables["baselines"].groupby("project_id"):
            before = versions[versions["approved_on"] < "2026-04-01"]
            version = (before if len(before) else versions.iloc[:1]).iloc[-1]
            curve = curves[curves["project_id"].eq(project) & curves["baseline_version"].eq(version["version"])]
            upto = [curve.loc[curve["month"].le(end), "minor"].max() for end in ("2027-03", "2026-03")]
            assert sums.get(project, 0) == upto[0] - (0 if pd.isna(upto[1]) else upto[1])
            checked += 1
    assert checked > 90


def test_actual_cost_is_what_was_posted_and_accrued(returns: Returns) -> None:
    """Actual cost = Σ actuals of all years + the accrual of the month, to the penny."""
    for period, _, tables in each(returns):
        spent = tables["finance"].query("measure in ('actual', 'accrual')")
        posted = pennies(spent.groupby("project_id")["amount"].sum())
        now = tables["earned_value"].query(f"month == '{period}' and actual_cost.notna()").set_index("project_id")
        assert posted.to_dict() == pennies(now["actual_cost"]).to_dict()


def test_outlook_is_the_whole_life_cost_forecast(returns: Returns) -> None:
    """Whole-life cost forecast = Σ actuals + accrual + Σ forecast over all years, or both are withheld."""
    for _, _, tables in each(returns):
        parts = tables["finance"].query("measure in ('actual', 'accrual', 'forecast')")
        known = parts.groupby("project_id")["amount"].agg(lambda amounts: amounts.sum(skipna=False)).dropna()
        told = tables["projects"].set_index("project_id")["whole_life_cost_forecast"].dropna()
        assert pennies(known).to_dict() == pennies(told).to_dict()


def test_periods_meet_without_gap(returns: Returns) -> None:
    """No actual lies after the status month, no forecast in or before it."""
    for period, _, tables in each(returns):
        finance = tables["finance"]
        assert finance.loc[finance["measure"].eq("actual"), "period"].max() <= period
        assert finance.loc[finance["measure"].eq("forecast"), "period"].min() > period
        assert set(finance.loc[finance["measure"].isin(["accrual", "commitment"]), "period"]) == {period}


def test_posted_months_never_change(returns: Returns) -> None:
    """An actual that was returned once is returned the same in the next period."""
    actuals = whole(returns, "finance").query("measure == 'actual'")
    assert (actuals.groupby(["project_id", "period"])["amount"].nunique() == 1).all()


def test_earned_value_is_sound(returns: Returns) -> None:
    """PV rises to the budget of its baseline, EV = BAC × per cent complete ≤ BAC, AC rises, one EV per month."""
    for _, _, tables in each(returns):
        budgets = tables["baselines"].set_index(["project_id", "version"])["budget"]
        curves = tables["earned_value"].sort_values("month", kind="stable")
        for key, curve in curves.groupby(["project_id", "baseline_version"]):
            assert curve["planned_value"].is_monotonic_increasing
            assert curve["planned_value"].iloc[-1] == budgets[key]
            assert (curve["earned_value"].dropna() <= budgets[key]).all()
        known = curves.dropna(subset="earned_value")
        assert not known.duplicated(["project_id", "month"]).any()
        assert known.groupby("project_id")["actual_cost"].apply(lambda costs: costs.is_monotonic_increasing).all()


def test_earned_value_agrees_with_progress(returns: Returns) -> None:
    """Earned value at the status date = budget at completion × the manager's per cent complete."""
    for period, _, tables in each(returns):
        managers = tables["status"].query("assessor_role == 'PM'").set_index("project_id")["percent_complete"]
        budgets = tables["projects"].set_index("project_id")["budget_at_completion"].dropna()
        now = tables["earned_value"].query(f"month == '{period}'").dropna(subset="earned_value").set_index("project_id")
        assert pennies(now["earned_value"]).to_dict() == pennies(budgets * managers[budgets.index]).to_dict()


def test_budget_leaves_the_plan_only_after_a_rebaseline(returns: Returns) -> None:
    """Budget and plan are equal in every month up to the one in which a newer baseline was approved."""
    moved = 0
    for _, _, tables in each(returns):
        both = tables["finance"].query("measure in ('plan', 'budget')")
        wide = (
            both.pivot_table(index=["project_id", "period"], columns="measure", values="amount").fillna(0).reset_index()
        )
        later = tables["baselines"].query("approved_on >= '2026-04-01' and version != '1'")
        first = later.groupby("project_id")["approved_on"].min().dt.strftime("%Y-%m")
        changed = wide[wide["plan"].ne(wide["budget"])]
        assert (changed["period"] > changed["project_id"].map(first)).all()
        moved += len(changed)
    assert moved > 0


def test_transfers_net_to_zero_in_their_portfolio(returns: Returns) -> None:
    """What one project gives another receives: both name each other and the sum is zero."""
    transfers = whole(returns, "finance").query("measure == 'transfer'")
    assert set(transfers["portfolio_id"]) == set(PORTFOLIOS)
    assert (pennies(transfers.groupby(["at", "portfolio_id"])["amount"].sum()) == 0).all()
    assert set(zip(transfers["project_id"], transfers["counterparty"], strict=True)) == {
        (b, a) for a, b in zip(transfers["project_id"], transfers["counterparty"], strict=True)
    }


def test_no_more_contingency_is_drawn_than_was_approved(returns: Returns) -> None:
    """Drawn + returned ≤ approved, per project and reserve; a closed project has nothing left."""
    for _, _, tables in each(returns):
        book = tables["reserves"].query("kind == 'contingency'")
        left = book.assign(
            signed=pennies(book["amount"]).where(book["movement"].eq("approved"), -pennies(book["amount"]))
        )
        balance = left.groupby("project_id")["signed"].sum()
        closed = tables["projects"].query("delivery_status == 'closed'")["project_id"]
        assert (balance >= 0).all()
        assert (balance[closed] == 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(UNITS), st.integers(0, 11), st.integers(-20, 0))
def test_forecasts_sum_to_what_is_left(seed: int, unit: object, at: int, back: int) -> None:
    """For any project, seed and month the forecast months sum to cost − spent, none is negative and none is past."""
    chosen = next(each for each in UNITS if each is unit)
    view = View(project_of(chosen.works[at], unit=chosen, seed=seed), LAST + back)
    if view.state in ("active", "paused"):
        months = forecast_by_month(view)
        assert sum(months.values()) == view.cost - view.spent
        assert min(months) > view.month
        assert min(months.values()) >= 0


# --- time -----------------------------------------------------------------------------------------------------


def test_no_forecast_lies_in_the_past_and_no_fact_in_the_future(returns: Returns) -> None:
    """Dates that happened are not after the status date; what has not happened is forecast after it."""
    for _, day, tables in each(returns):
        for name in ("milestones", "tasks", "projects", "gates", "issues", "actions", "changes", "baselines", "risks"):
            rows = tables.get(name, pd.DataFrame())
            facts = [
                c
                for c in rows.columns
                if re.search(r"actual_on|raised|closed|resolved|done|decided|approved|held|reviewed", c)
            ]
            assert all((rows[c].dropna() <= day).all() for c in facts if c.endswith("_on")), name
        for name, stem in (("milestones", ""), ("tasks", "finish_"), ("projects", "finish_")):
            rows = tables[name]
            open_rows = rows[rows[f"{stem}actual_on"].isna()]
            assert (open_rows[f"{stem}forecast_on"] > day).all(), name


def test_milestones_of_a_project_keep_their_order(returns: Returns) -> None:
    """Baseline and forecast dates rise along the list, and the last forecast is the project's finish."""
    for _, _, tables in each(returns):
        finish = tables["projects"].set_index("project_id")["finish_forecast_on"]
        for project, rows in tables["milestones"].groupby("project_id"):
            assert rows["forecast_on"].is_monotonic_increasing
            assert rows["forecast_on"].iloc[-1] == finish[project]
            assert rows["actual_on"].dropna().equals(rows["forecast_on"][rows["actual_on"].notna()])


def test_milestone_forecasts_move_both_ways(returns: Returns) -> None:
    """Between two periods some open milestones slip, some recover and some stand still: trend charts have a story."""
    rows = whole(returns, "milestones").query("actual_on.isna()")
    wide = rows.pivot_table(index=["project_id", "milestone_id"], columns="at", values="forecast_on", aggfunc="first")
    moved = (wide["2026-09"] - wide["2026-08"]).dropna().dt.days
    assert (moved > 5).sum() >= 10
    assert (moved < 0).sum() >= 3
    assert (moved == 0).sum() >= 10


@settings(max_examples=60, deadline=None)
@given(st.integers(150, 1500))
def test_the_network_ends_on_the_day_and_keeps_its_links(days: int) -> None:
    """For any length the pass ends exactly there, and no task starts before its links allow."""
    passed = forward_pass(days)
    assert passed["T190"] == (days, days)
    for step in PATTERN:
        begin, end = passed[step.id]
        for before, kind, weeks in step.after:
            start, finish = passed[before]
            needed = {"fs": finish - begin, "ss": start - begin, "ff": finish - end}[kind] + 5 * weeks
            assert needed <= 0, (step.id, before)


def test_task_costs_and_dates_are_those_of_the_first_baseline(returns: Returns) -> None:
    """Task costs sum to the first budget, the network spans the first baseline; every portfolio has a network."""
    for _, _, tables in each(returns):
        tasks, first = tables["tasks"], tables["baselines"].query("version == '1'").set_index("project_id")
        sums = tasks.groupby("project_id")["cost"].sum()
        assert len(sums) >= 1
        assert pennies(sums).equals(pennies(first["budget"][sums.index].rename("cost")))
        assert (tasks.groupby("project_id")["start_baseline_on"].min() == first["start_on"][sums.index]).all()
        assert (tasks.groupby("project_id")["finish_baseline_on"].max() == first["finish_on"][sums.index]).all()


@settings(deadline=None)
@given(st.integers(month_number("1990-01"), month_number("2080-12")))
def test_month_numbers_are_periods(month: int) -> None:
    """Number and period name the same month; its fiscal year starts in April, at most eleven months before."""
    assert month_number(period_of(month)) == month
    assert month_of(last_day(month)) == month
    assert month_of(last_day(month) + timedelta(days=1)) == month + 1
    start = fiscal_year_start(month)
    assert period_of(start).endswith("-04")
    assert 0 <= month - start <= 11


def test_words_for_months_and_days() -> None:
    """Fiscal years and dates are written as British councils write them."""
    assert fiscal_year_name(month_number("2027-03")) == "2026/27"
    assert fiscal_year_name(month_number("2099-04")) == "2099/00"
    assert long_date(date(2027, 3, 4)) == "4 March 2027"
    assert working_day(date(2026, 9, 27)) == date(2026, 9, 25)
    assert working_day(date(2026, 12, 27)) == date(2026, 12, 24)


# --- plausible, not noise -------------------------------------------------------------------------------------


def test_overruns_follow_the_reference_classes(lives: list[Project]) -> None:
    """Cost overruns lie within Mott MacDonald's bounds: a fifth below the lower one, none above the upper one."""
    for letter, reference in CLASSES.items():
        overruns = np.array(
            [p.cost / p.versions[0].budget - 1 for p in lives if p.reference is reference and p.id not in STORIES]
        )
        lower, upper = reference.cost_bounds
        assert len(overruns) >= 60, letter
        assert overruns.min() > -0.051
        assert overruns.max() <= upper + 1e-6
        assert 0.08 < (overruns < lower).mean() < 0.35, letter
        assert lower < np.median(overruns) < lower + (upper - lower) * 0.35, letter


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_worse_rank_is_a_larger_miss(one: float, other: float) -> None:
    """The miss never falls as the rank rises, and stays between the best case and the upper bound."""
    low, high = sorted((one, other))
    best, worst = miss(low, bounds=(0.03, 0.44), best=-0.05), miss(high, bounds=(0.03, 0.44), best=-0.05)
    assert -0.05 <= best <= worst <= 0.44
    assert 0.0 <= smooth(low) <= smooth(high) <= 1.0


def test_every_life_ends_whole(lives: list[Project]) -> None:
    """Every project ends with all of the work done and all of the cost spent; neither ever falls before."""
    for project in lives:
        assert len(project.way) == len(project.done) == len(project.spent) == project.lasts + 1
        assert (project.way[0], project.way[-1], project.done[-1], project.spent[-1]) == (0.0, 1.0, 1.0, project.cost)
        for series in (project.way, project.done, project.spent):
            assert all(a <= b for a, b in pairwise(series))


def test_rebaselines_come_nearer_to_the_truth(lives: list[Project]) -> None:
    """A new baseline is later or dearer than the one before it, and never far beyond the truth."""
    again = [project for project in lives if len(project.versions) > 1]
    assert 0.1 < len(again) / len(lives) < 0.5
    for project in again:
        for before, after in pairwise(project.versions):
            assert after.approved_on > before.approved_on
            assert (after.months, after.budget) > (before.months, before.budget)
            assert after.budget <= max(project.cost + 100_000, before.budget)
            assert after.months <= max(project.lasts, after.since) + 2


def test_projects_slip_and_recover(lives: list[Project]) -> None:
    """Many projects fall behind by a month or more and win at least half a month back later."""
    recovered = 0
    for project in lives:
        delays = [project.delay_months(age) for age in range(project.versions[-1].since, project.lasts)]
        worst = max(range(len(delays)), key=delays.__getitem__)
        recovered += delays[worst] >= 1.0 and min(delays[worst:]) <= delays[worst] - 0.5
    assert recovered / len(lives) > 0.2


def test_ratings_lag_the_truth(lives: list[Project]) -> None:
    """Managers turn from green later than assurance on the same project: on average by a month or more."""
    waits = []
    for project in lives:
        views = [View(project, month) for month in range(project.starts + 1, project.closes)]
        assured = next((v.month for v in views if v.assured_rating in ("amber", "amber/red", "red")), None)
        if assured is not None:
            told = next((v.month for v in views if v.ratings != ("green", "green")), project.closes)
            waits.append(told - assured)
    assert np.mean(waits) >= 1.0


def test_some_are_green_outside_and_red_inside(returns: Returns) -> None:
    """A road is reported green while its own forecast is over 10 % above budget and assurance says red."""
    tables = returns["2026-09", "highways"]
    project = tables["projects"].set_index("project_id").loc["HWY-04"]
    status = tables["status"].query("project_id == 'HWY-04'").set_index("assessor_role")["rating"]
    assert project["whole_life_cost_forecast"] > 1.10 * project["budget_at_completion"]
    assert status.to_dict() == {"PM": "green", "IA": "red"}


def test_flat_lined_forecasts_stand_still(returns: Returns) -> None:
    """A flat-lined project forecasts the same amount in every month of the year to come, but for rounding."""
    rows = returns["2026-09", "highways"]["finance"].query("project_id == 'HWY-04' and measure == 'forecast'")
    months = rows.query("period_kind == 'month'")["amount"]
    assert len(months) == 6
    assert months.max() - months.min() <= 100


def test_raters_keep_to_their_scales(returns: Returns) -> None:
    """Managers rate every project on three points, assurance the large ones on five; both are there."""
    status = whole(returns, "status")
    managers, assurance = status.query("assessor_role == 'PM'"), status.query("assessor_role == 'IA'")
    assert set(managers["rating_scale"]) == {"three-point"}
    assert set(managers["rating"]) == {"green", "amber", "red"}
    assert set(assurance["rating_scale"]) == {"five-point"}
    assert len(assurance) >= 20
    assert len(managers) == len(whole(returns, "projects"))
    parts = managers[["rating_time", "rating_cost", "rating_scope", "rating_benefits"]]
    worst = parts.map(RATINGS.index).max(axis=1).map(dict(enumerate(RATINGS)))
    assert managers["rating"].tolist() == worst.tolist()


def test_narratives_say_what_the_cells_say(returns: Returns) -> None:
    """Per cents, days and dates in a manager's commentary are those of the fields."""
    seen = 0
    for _, _, tables in each(returns):
        projects = tables["projects"].set_index("project_id")
        for row in tables["status"].query("assessor_role == 'PM'").to_dict("records"):
            finish, text = projects.loc[row["project_id"], "finish_forecast_on"], row["narrative"]
            slip = (finish - projects.loc[row["project_id"], "finish_baseline_on"]).days if "baseline" in text else 0
            for share in re.findall(r"([\d.]+)% of the work", text):
                assert float(share) == pytest.approx(100 * row["percent_complete"])
            for days in re.findall(r"(\d+) days after the baseline", text):
                assert int(days) == slip
                seen += 1
            if "forecast for" in text:
                assert long_date(finish.date()) in text
    assert seen >= 20


# --- the planted stories --------------------------------------------------------------------------------------


def test_one_project_changes_portfolio(returns: Returns) -> None:
    """HWY-61 stands in highways until August, in digital in September; both say so, and its risks go with it."""
    homes = whole(returns, "projects").query("project_id == 'HWY-61'").set_index("at")["portfolio_id"]
    assert homes.to_dict() == {"2026-07": "highways", "2026-08": "highways", "2026-09": "digital"}
    lineage = whole(returns, "lineage")
    assert lineage["at"].tolist() == ["2026-09", "2026-09"]
    assert lineage["portfolio_id"].tolist() == ["highways", "digital"]
    assert set(lineage["from_id"] + ">" + lineage["to_id"] + ":" + lineage["project_id"]) == {"highways>digital:HWY-61"}
    assert set(lineage["effective_on"]) == {pd.Timestamp("2026-09-01")}
    risks = whole(returns, "risks").query("project_id == 'HWY-61'").groupby("at")["risk_id"].agg(set)
    assert risks["2026-08"] <= risks["2026-09"]


def test_one_portfolio_never_returns_a_risk_register(returns: Returns) -> None:
    """Estates has no risk sheet at all, and nothing of it points to one; the others always have one."""
    for (_, portfolio), tables in returns.items():
        assert ("risks" in tables) == (portfolio != "estates")
    estates = returns["2026-09", "estates"]
    assert estates["issues"]["risk_id"].isna().all()
    assert estates["reserves"]["risk_id"].isna().all()


def test_one_return_comes_late(returns: Returns) -> None:
    """Digital's August return came in more than three weeks after the month; all others within nine days."""
    status = whole(returns, "status")
    waits = (
        (status["submitted_on"] - status["status_date"]).dt.days.groupby([status["at"], status["portfolio_id"]]).max()
    )
    assert waits["2026-08", "digital"] > 21
    assert waits.drop(("2026-08", "digital")).between(1, 9).all()


def test_projects_join_close_pause_and_wait(returns: Returns) -> None:
    """Some join, some close and then leave, one is paused, some are proposed without baseline or money."""
    states = whole(returns, "projects").pivot_table(
        index="project_id", columns="at", values="delivery_status", aggfunc="first"
    )
    assert states.loc["HWY-03"].fillna("-").tolist() == ["active", "closed", "-"]
    assert states.loc["EST-11"].fillna("-").tolist() == ["active", "active", "closed"]
    assert states.loc["HWY-09"].fillna("-").tolist() == ["-", "active", "active"]
    assert states.loc["DIG-05"].fillna("-").tolist() == ["active", "paused", "paused"]
    assert states.loc["HWY-13"].tolist() == ["proposed"] * 3
    proposed = whole(returns, "projects").query("delivery_status == 'proposed'")
    assert proposed[["budget_at_completion", "finish_baseline_on", "whole_life_cost_forecast"]].isna().all(axis=None)
    assert not set(proposed["project_id"]) & set(returns["2026-09", "highways"]["finance"]["project_id"])


def test_a_baseline_changes_within_the_periods(returns: Returns) -> None:
    """The river crossing has one baseline in July and two from August on, with the change behind the second."""
    versions = whole(returns, "baselines").query("project_id == 'HWY-01'").groupby("at")["version"].agg(list)
    assert versions.to_dict() == {"2026-07": ["1"], "2026-08": ["1", "2"], "2026-09": ["1", "2"]}
    second = returns["2026-09", "highways"]["baselines"].query("project_id == 'HWY-01' and version == '2'").iloc[0]
    change = returns["2026-09", "highways"]["changes"].set_index("change_id").loc[second["change_id"]]
    assert change["decision"] == "approved"
    first = returns["2026-09", "highways"]["baselines"].query("project_id == 'HWY-01' and version == '1'").iloc[0]
    assert change["effect_on_cost"] == second["budget"] - first["budget"]


def test_one_programme_holds_a_budget_of_its_own(returns: Returns) -> None:
    """Of the three programmes one has its own budget beside those of its four projects."""
    programmes = whole(returns, "programmes", period="2026-09")
    assert programmes["budget"].notna().tolist() == [True, False, False]
    members = returns["2026-07", "highways"]["projects"]["programme_id"].eq("PRG-HWY").sum()
    assert members == 4


def test_the_registers_have_what_boards_must_see(returns: Returns) -> None:
    """Unquantified, unreviewed and overdue risks, opportunities, escalations and movements are all there."""
    for portfolio in ("highways", "digital"):
        rows, day = returns["2026-09", portfolio]["risks"], pd.Timestamp("2026-09-30")
        live = rows[rows["status"].isin(["open", "escalated"])]
        assert 15 <= len(live) <= 60
        assert live["cost_impact_likely"].isna().any()
        assert (day - live["reviewed_on"]).dt.days.gt(90).any()
        assert live["proximity_on"].lt(day).any()
        assert set(live["kind"]) == {"threat", "opportunity"}
        assert {"open", "escalated", "closed", "occurred"} <= set(rows["status"])


def test_responses_aim_the_right_way(returns: Returns) -> None:
    """The target of a threat lies below what it was without a response, that of an opportunity above."""
    rows = whole(returns, "risks")
    probability, impact = (
        rows[f"target_{of}_level"] - rows[f"inherent_{of}_level"] for of in ("probability", "impact")
    )
    threat = rows["kind"].eq("threat")
    assert threat.any()
    assert (probability[threat] < 0).all()
    assert (impact[threat] <= 0).all()
    assert (~threat).any()
    assert (probability[~threat] > 0).all()
    assert (impact[~threat] >= 0).all()


def test_the_register_moves_between_periods(returns: Returns) -> None:
    """From August to September scores get better and worse, risks are raised, and others are closed."""
    before, now = (whole(returns, "risks", period=at).set_index(["portfolio_id", "risk_id"]) for at in PERIODS[1:])
    both = now.index.intersection(before.index)
    old, new = (
        rows.loc[both, "current_probability_level"] * rows.loc[both, "current_impact_level"] for rows in (before, now)
    )
    gain = (new - old).where(now.loc[both, "kind"].eq("opportunity"), old - new)
    assert (gain > 0).sum() >= 3
    assert (gain < 0).sum() >= 1
    assert (new > old).sum() >= 1
    assert len(now.index.difference(before.index)) >= 2
    assert now["closed_on"].ge("2026-09-01").sum() >= 2


def test_decisions_are_sought_and_taken(returns: Returns) -> None:
    """Open decisions have no outcome, taken ones were taken in the month of the return, some are overdue."""
    decisions = whole(returns, "decisions")
    taken = decisions["decided_on"].notna()
    assert taken.any()
    assert (~taken).sum() >= 10
    assert decisions.loc[~taken, "outcome"].isna().all()
    assert decisions.loc[taken, "decided_on"].dt.strftime("%Y-%m").equals(decisions.loc[taken, "at"])
    assert (decisions.loc[~taken, "due_on"] < decisions.loc[~taken, "status_date"]).any()


# --- nothing moves by chance ----------------------------------------------------------------------------------


def assert_same(one: Tables, other: Tables) -> None:
    """Both hold the same tables with the same values."""
    assert list(one) == list(other)
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 2), st.integers(1, 3))
def test_another_portfolio_changes_no_other(seed: int, few: int, more: int) -> None:
    """For any seed, the returns of the first portfolios are the same however many others there are."""
    small = organisation_tables(Size(periods=1, portfolios=few, projects=2, seed=seed))
    large = organisation_tables(Size(periods=1, portfolios=few + more, projects=2, seed=seed))
    assert set(small) < set(large)
    for key, tables in small.items():
        assert_same(tables, large[key])


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32), st.integers(4, 13))
def test_another_project_changes_no_other(seed: int, projects: int) -> None:
    """For any seed, one more project adds rows of its own and moves none of the others, but for the transfer to it."""
    small = organisation_tables(Size(periods=1, portfolios=1, projects=projects, seed=seed))["2026-09", "highways"]
    large = organisation_tables(Size(periods=1, portfolios=1, projects=projects + 1, seed=seed))["2026-09", "highways"]
    added = {f"HWY-{UNITS[0].works[projects][:2]}"}
    for name, rows in large.items():
        column = next((c for c in ("project_id", "recipient_project_id") if c in rows.columns), None)
        kept = rows if column is None else rows[~rows[column].isin(added)].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, small[name])


def test_earlier_periods_change_no_later_one(deep: Returns) -> None:
    """A deeper organisation only adds returns before the others."""
    shallow = organisation_tables(Size(periods=1, portfolios=1, projects=6))
    assert min(deep) == ("2026-03", "highways")
    assert_same(shallow["2026-09", "highways"], deep["2026-09", "highways"])


def test_a_year_end_closes_the_books(deep: Returns) -> None:
    """In March nothing is accrued; in April the closed year is one row with accruals, and the sums still hold."""
    march, april = deep["2026-03", "highways"]["finance"], deep["2026-04", "highways"]["finance"]
    assert (march.query("measure == 'accrual'")["amount"] == 0).all()
    closed = april.query("period == '2026-03'")
    assert set(closed["period_kind"]) == {"year"}
    assert set(closed["actual_basis"]) == {"with accruals"}
    in_march = march.query("measure == 'actual' and period >= '2025-04'").groupby("project_id")["amount"].sum()
    assert pennies(in_march).to_dict() == pennies(closed.set_index("project_id")["amount"]).to_dict()


def test_streams_are_named_not_counted() -> None:
    """The same names give the same draws; another name, order or seed gives others."""
    first = stream(1, "HWY-01", "life").random(4).tolist()
    assert stream(1, "HWY-01", "life").random(4).tolist() == first
    others = [stream(2, "HWY-01", "life"), stream(1, "life", "HWY-01"), stream(1, "HWY-02", "life")]
    assert all(other.random(4).tolist() != first for other in others)


def test_another_seed_is_another_organisation() -> None:
    """The seed moves the figures, not the names."""
    one, other = (
        organisation_tables(Size(periods=1, portfolios=2, projects=6, seed=seed)) for seed in (SEED, SEED + 1)
    )
    key = ("2026-09", "estates")
    assert not one[key]["finance"].equals(other[key]["finance"])
    assert one[key]["portfolios"].equals(other[key]["portfolios"])


@pytest.mark.parametrize("size", [{"periods": 0}, {"portfolios": 13}, {"projects": 99}, {"periods": 1000}])
def test_sizes_beyond_the_catalogue_are_refused(size: dict[str, int]) -> None:
    """A size that the organisation does not have is a parameter error that names it and its range."""
    with pytest.raises(ParameterError, match=f"{next(iter(size))}: out of range"):
        organisation_tables(Size(**size))


# --- the workbooks --------------------------------------------------------------------------------------------

WRITE = """
import pathlib, sys
from pmo_lib.demo import Size, write_periods
if __name__ == "__main__":
    list(write_periods(pathlib.Path(sys.argv[1]), size=Size(periods=1, portfolios=2, projects=5), jobs=2))
"""


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    """Another process, folder, time zone, locale and hash seed, and two processes at a time, write the same bytes."""
    here = write_returns(tmp_path / "here", size=Size(periods=1, portfolios=2, projects=5))
    script = tmp_path / "write.py"
    script.write_text(WRITE)
    env = {**os.environ, "TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, tmp_path / "some" / "where"], env=env, check=True)
    there = sorted((tmp_path / "some" / "where").rglob("*.xlsx"))
    assert (
        sorted(path.name for path in here)
        == [path.name for path in there]
        == ["estates-2026-09.xlsx", "highways-2026-09.xlsx"]
    )
    assert {path.name: path.read_bytes() for path in here} == {path.name: path.read_bytes() for path in there}


def test_files_are_named_by_period_and_portfolio(tmp_path: Path) -> None:
    """A return is <period>/<portfolio>-<period>.xlsx, a sheet per table, also without rows; states are words."""
    paths = write_returns(tmp_path, size=Size(periods=2, portfolios=1, projects=4))
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    assert names == ["2026-08/highways-2026-08.xlsx", "2026-09/highways-2026-09.xlsx"]
    tables = organisation_tables(Size(periods=2, portfolios=1, projects=4))["2026-08", "highways"]
    book = openpyxl.load_workbook(paths[0], read_only=True)
    assert book.sheetnames == [name for name in TABLES if name in tables and name != "states"]


def test_hostile_text_is_written_as_text(returns: Returns) -> None:
    """Names and texts with markup, formulas, quotes and umlauts are in the returns, and no cell became a formula."""
    names = set(whole(returns, "projects")["name"])
    assert {
        "Kürschner's Mill <b>footbridge</b>",
        "=SUM(depots): depot consolidation",
        "@Home assisted living sensors",
    } <= names
    assert whole(returns, "status")["narrative"].str.startswith("=HYPERLINK(").any()
    assert whole(returns, "risks")["title"].str.contains("<script>", regex=False).any()
    data = return_bytes(returns["2026-09", "highways"])
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/")]
    assert len(sheets) == len(returns["2026-09", "highways"]) - 1  # states have no sheet
    assert not any(re.search(r"<f[ >]|<hyperlink", sheet) for sheet in sheets)


def test_clean_returns_pass_intake_without_a_finding(tmp_path: Path) -> None:
    """What is written comes back as it was: no finding, nothing set aside, every table equal cell by cell."""
    size = Size(periods=1, portfolios=3, projects=6)
    made = organisation_tables(size)
    (checked,) = check(
        write_returns(tmp_path, size=size, faulty=False), organisation=Organisation(id="demo", name="Demo")
    )
    assert checked.findings.empty
    assert checked.quarantined.empty
    assert checked.returns["state"].tolist() == ["returned"] * 3
    assert set(checked.tables) == {name for tables in made.values() for name, rows in tables.items() if len(rows)}
    for name, rows in checked.tables.items():
        key, given = list(TABLES[name].key), whole(made, name).drop(columns=["at", "source_ref"]).drop_duplicates()
        money = dict.fromkeys(TABLES[name].of_kind("money"), "float64")
        found = rows.drop(columns="source_ref").replace({None: np.nan}).astype(money)
        expected = given.sort_values(key, kind="stable", ignore_index=True)
        pd.testing.assert_frame_equal(found.sort_values(key, kind="stable", ignore_index=True), expected)


def test_parameters_speak_of_the_same_portfolios(returns: Returns) -> None:
    """The demo's parameter files name the portfolios that return, with the same names, places and owners."""
    settings_of = load_portfolios(ROOT, org="demo")
    units = whole(returns, "portfolios").drop_duplicates("portfolio_id").set_index("portfolio_id")
    assert set(settings_of) == set(PORTFOLIOS)
    for portfolio, told in settings_of.items():
        row = units.loc[portfolio]
        assert (told.name, told.parent_id, told.owner) == (row["name"], row["parent_id"], row["owner"])
    organisation = load_organisation(ROOT, org="demo")
    assert units.loc[organisation.root_unit or "", "name"] == organisation.name
    assert {organisation.currency} == set(units["currency"])
