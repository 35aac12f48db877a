"""Earned value, back-test, outlook and cost bridge of an invented organisation: ``make bench``, or this module alone.

An organisation of 500 portfolios, 100 projects each, 60 monthly returns, is computed portfolio by portfolio, as the
reports do. ``make bench`` takes a sample of the portfolios; ``python -m benchmarks.metrics_speed 500`` takes all. The
floor is bare pandas: one sum over the same rows by project and month.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from benchmarks.measured import say

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics import accounts, cost, earned, fiscal, outlook
from pmo_lib.parameters.models import Organisation, Thresholds, WorkingCalendar

ORGANISATION_SIZE, SAMPLE = 500, 4
PROJECTS, MONTHS, YEARS_OF_MONEY = 100, 60, 2
CALENDAR = [str(month) for month in pd.period_range("2021-10", periods=MONTHS + 12, freq="M")]
PERIODS = CALENDAR[:MONTHS]
NOW, BEFORE = PERIODS[-1], PERIODS[-2]
SETTINGS = Organisation(
    id="bench", name="Benchmark", working_calendar=WorkingCalendar(country="GB", subdivision="ENG"),
    thresholds=Thresholds(),
)  # fmt: skip
Tables = dict[str, pd.DataFrame]


def history(contract: str, stamp: np.ndarray, **columns: object) -> pd.DataFrame:
    """Return columns as a contract table with the month of the return in front; what is not given is null."""
    table, size = TABLES[contract], len(stamp)
    nulls = np.full(size, None, dtype=object)
    rows = pd.DataFrame(
        {each.name: pd.Series(columns.get(each.name, nulls)).astype(each.dtype) for each in table.columns}
    )
    rows.insert(0, "return_month" if "period" in table.names else "period", pd.Series(stamp, dtype="str"))
    return rows


def portfolio(number: int) -> Tables:
    """Return the histories of one portfolio, from its number alone."""
    draws = np.random.default_rng(number)
    names = np.array([f"P{number:03}-{n:03}" for n in range(PROJECTS)])
    months, lengths = np.array(PERIODS), draws.integers(24, MONTHS, PROJECTS)
    budgets = draws.integers(1, 90, PROJECTS) * 1e6
    time_passed = np.arange(1, MONTHS + 1)
    plan = np.minimum(time_passed / lengths[:, None], 1.0) ** 1.5 * budgets[:, None]
    done = np.minimum(plan * draws.uniform(0.8, 1.05, PROJECTS)[:, None], budgets[:, None])
    spent = done * draws.uniform(0.9, 1.3, PROJECTS)[:, None]
    over = done >= budgets[:, None] * (1 - 1e-9)
    place = np.indices((PROJECTS, MONTHS)).reshape(2, -1)
    project, month = names[place[0]], months[place[1]]
    once = {"portfolio_id": np.full(project.size, f"P{number:03}"), "currency": np.full(project.size, "GBP")}
    version = np.full(project.size, "1")
    whole = history(
        "earned_value", np.full(project.size, PERIODS[0]), project_id=project, month=month, baseline_version=version,
        planned_value=plan.ravel().round(2), **once,
    )  # fmt: skip
    each = history(
        "earned_value", month, project_id=project, month=month, baseline_version=version,
        planned_value=plan.ravel().round(2), earned_value=done.ravel().round(2), actual_cost=spent.ravel().round(2),
        **once,
    )  # fmt: skip
    projects = history(
        "projects", month, project_id=project, name=project, budget_at_completion=budgets[place[0]],
        whole_life_cost_forecast=np.maximum(spent, budgets[:, None]).ravel().round(2),
        delivery_status=np.where(over.ravel(), "closed", "in delivery"), **once,
    )  # fmt: skip
    baselines = history(
        "baselines", np.full(PROJECTS, NOW), portfolio_id=np.full(PROJECTS, f"P{number:03}"), project_id=names,
        version=np.full(PROJECTS, "1"), budget=budgets, currency=np.full(PROJECTS, "GBP"),
    )  # fmt: skip
    return {
        "earned_value": pd.concat([whole[whole["month"].gt(PERIODS[0])], each], ignore_index=True),
        "projects": projects, "baselines": baselines, "finance": money(number, names=names, spent=spent),
        "programmes": history("programmes", np.array([], dtype=object)).drop(columns="period"),
        "states": history("states", np.array([], dtype=object)),
    }  # fmt: skip


def money(number: int, *, names: np.ndarray, spent: np.ndarray) -> pd.DataFrame:
    """Return plan, actual and forecast by month, as each of the last returns had them: each has its whole year."""
    rises = np.diff(spent, axis=1, prepend=0.0)
    rises = np.hstack([rises, np.repeat(rises.mean(axis=1, keepdims=True), len(CALENDAR) - MONTHS, axis=1)]).round(2)
    parts = []
    for back in range(12 * YEARS_OF_MONEY):
        at = MONTHS - 1 - back
        year = [m for m, month in enumerate(CALENDAR) if _fiscal_year(month) == _fiscal_year(PERIODS[at])]
        for measure, wanted in (("plan", year), ("actual", [m for m in year if m <= at]), ("forecast", year)):
            chosen = [m for m in wanted if measure != "forecast" or m > at]
            place = np.indices((len(names), len(chosen))).reshape(2, -1)
            size, column = place[0].size, np.array(chosen, dtype=int)
            amounts = rises[:, column].ravel()
            parts.append(
                history(
                    "finance", np.full(size, PERIODS[at]), portfolio_id=np.full(size, f"P{number:03}"),
                    project_id=names[place[0]], period=np.array(CALENDAR)[column[place[1]]],
                    period_kind=np.full(size, "month"), measure=np.full(size, measure), amount=amounts,
                    currency=np.full(size, "GBP"),
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _fiscal_year(period: str) -> int:
    year, month = map(int, period.split("-"))
    return year if month >= SETTINGS.fiscal_year_start_month else year - 1


def computed(tables: Tables) -> dict[str, float]:
    """Compute what a financial outlook says of one portfolio, and return the processor seconds of each part."""
    projects, name = tables["projects"], str(tables["projects"]["portfolio_id"].iloc[0])
    view = fiscal.view_of(projects, portfolio_id=name, period=NOW, settings=SETTINGS)
    known = {"projects": projects, "states": tables["states"], "view": view}
    seconds, begun = {}, time.process_time()

    def passed(part: str) -> None:
        nonlocal begun
        seconds[part], begun = time.process_time() - begun, time.process_time()

    when = {
        "baselines": tables["baselines"],
        "programmes": tables["programmes"],
        "status_on": pd.Timestamp("2026-09-30"),
    }
    work = earned.Earned(tables["earned_value"], projects=projects, view=view, settings=SETTINGS, **when)
    assert work.units["projects_measured"].iloc[0] == PROJECTS
    assert len(work.months) >= MONTHS
    passed("earned value and schedule")
    assert work.bands["projects"].max() > 0
    passed("back-test")
    year = outlook.Year(accounts.accounts(tables["finance"], programmes=tables["programmes"], **known))
    assert year.levels["outlook"].notna().all()
    assert len(year.bridge) + len(year.steps) + len(year.rates) > 0
    passed("outlook of the year")
    lives, years = cost.Lives(**known), cost.Years(tables["finance"], limits=SETTINGS.thresholds, **known)
    assert len(lives.steps) + len(years.moves) + len(years.past) > 0
    passed("bridges and past outlooks")
    return seconds


def floor(tables: Tables) -> float:
    """Return the processor seconds of one sum over the same rows with pandas alone."""
    begun = time.process_time()
    for name, keys, column in (
        ("earned_value", ["project_id", "month"], "earned_value"),
        ("finance", ["project_id", "return_month", "measure"], "amount"),
        ("projects", ["project_id", "period"], "whole_life_cost_forecast"),
    ):
        tables[name].groupby(keys)[column].sum()
    return time.process_time() - begun


def main() -> int:
    """Print seconds by part for the portfolios that were computed, for all of them, and against the floor."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    totals: dict[str, float] = {}
    least, rows = 0.0, 0
    computed(portfolio(ORGANISATION_SIZE))  # loads what computing needs
    for number in range(count):
        tables = portfolio(number)
        rows += sum(len(tables[name]) for name in ("earned_value", "projects", "finance"))
        least += floor(tables)
        for part, seconds in computed(tables).items():
            totals[part] = totals.get(part, 0.0) + seconds
    whole = sum(totals.values())
    say(f"{count} of {ORGANISATION_SIZE} portfolios, {PROJECTS} projects, {MONTHS} returns: {rows:,} rows")
    for part, seconds in totals.items():
        say(f"{seconds / count:8.3f} s a portfolio  {part}")
    say(f"{whole / count:8.3f} s a portfolio, {whole / count * ORGANISATION_SIZE:,.0f} s for all on one core")
    say(f"ratio to one sum over the same rows: {whole / least:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
