"""The fiscal year, the ledger behind its outlook, and the levels that are sums of it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from histories import current, history
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import ReportError
from pmo_lib.metrics.accounts import SHOWN, UNPAIRED, accounts, outlooks
from pmo_lib.metrics.bridge import caused
from pmo_lib.metrics.fiscal import FiscalYear, View, numbers_of_year, view_of
from pmo_lib.metrics.ledger import ledger
from pmo_lib.metrics.money import major_units, minor_units, one_base
from pmo_lib.metrics.outlook import cost_types, levels, phased, plan_bridge, plan_causes, reconcile, run_rates
from pmo_lib.parameters.models import Organisation, Rate

YEAR = FiscalYear("2027-03")
VIEW = View("ROADS", "2026-09", "2026-08", 4)
M = 6
MONEY = [*SHOWN, *UNPAIRED]
Rows = list[dict[str, Any]]


def finance(rows: Rows, *, returned: str = "2026-09") -> pd.DataFrame:
    """Return finance rows as their contract table, as one return had them; money as float."""
    filled = [
        {"portfolio_id": "ROADS", "currency": "GBP", "period_kind": "month", "source_ref": "f", **r} for r in rows
    ]
    columns = {
        column.name: pd.Series([row.get(column.name) for row in filled], dtype=object).astype(column.dtype)
        for column in TABLES["finance"].columns
    }
    months = pd.Series([row.get("return_month", returned) for row in filled], dtype="str")
    return pd.DataFrame({"return_month": months} | columns)


def monthly(project: str, *, plan: float = 10, actual: float = 11, forecast: float = 9, closed: int = M) -> Rows:
    """Return a year of a project: a plan in every month, actuals to the closed month, forecast after it."""
    rows: Rows = [
        {"project_id": project, "measure": "plan", "period": YEAR.month(m), "amount": plan} for m in range(1, 13)
    ]
    rows += [
        {"project_id": project, "measure": "actual", "period": YEAR.month(m), "amount": actual}
        for m in range(1, closed + 1)
    ]
    return rows + [
        {"project_id": project, "measure": "forecast", "period": YEAR.month(m), "amount": forecast}
        for m in range(closed + 1, 13)
    ]


def row(project: str | None, measure: str, amount: float | None, *, month: int = M, **more: Any) -> dict[str, Any]:
    """Return one finance row of a month of the year."""
    return {"project_id": project, "measure": measure, "period": YEAR.month(month), "amount": amount, **more}


def yearly(project: str | None, measure: str, amount: float | None, **more: Any) -> dict[str, Any]:
    """Return one finance row of the whole year."""
    return row(project, measure, amount, month=12, period_kind="year", **more)


def entries(rows: Rows, *, view: View = VIEW, **tables: pd.DataFrame) -> pd.DataFrame:
    """Return the accounts of these rows; every project named in them is a project of the portfolio."""
    book = finance(rows)
    ids = sorted({str(r["project_id"]) for r in rows if r.get("project_id")})
    periods = sorted({*book["return_month"], view.period})
    projects = history("projects", [{"period": p, "project_id": i} for p in periods for i in ids])
    given_tables = {
        "projects": projects,
        "programmes": current("programmes", []),
        "states": history("states", []),
    } | tables
    return accounts(book, view=view, **given_tables)


def total(rows: Rows, *, view: View = VIEW, **tables: pd.DataFrame) -> pd.Series:
    """Return the portfolio's row of the levels."""
    return levels(entries(rows, view=view, **tables)).iloc[0]


def unit(rows: Rows, project: str, **tables: pd.DataFrame) -> pd.Series:
    """Return one project's row of the levels."""
    found = levels(entries(rows, **tables))
    return found[found["project_id"].eq(project)].iloc[0]


# --- the fiscal year ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "start", "end", "number", "label"),
    [
        ("2026-09", 4, "2027-03", 6, "2026/27"),
        ("2027-03", 4, "2027-03", 12, "2026/27"),
        ("2027-04", 4, "2028-03", 1, "2027/28"),
        ("2026-10", 10, "2027-09", 1, "2026/27"),
        ("2026-09", 10, "2026-09", 12, "2025/26"),
        ("2026-01", 1, "2026-12", 1, "2026"),
        ("2026-12", 1, "2026-12", 12, "2026"),
    ],
)
def test_fiscal_year(period: str, start: int, end: str, number: int, label: str) -> None:
    """A month belongs to the fiscal year that the organisation's first month opens (UK April, US October, January)."""
    year = FiscalYear.of(period, start_month=start)
    assert (year.end, year.number(period), year.month(number), year.label) == (end, number, period, label)


@given(st.integers(1990, 2090), st.integers(1, 12), st.integers(1, 12))
def test_fiscal_year_of_any_month(year: int, month: int, start: int) -> None:
    """Every month is one of the twelve of its fiscal year, whose first month is the opening one."""
    period = f"{year}-{month:02d}"
    found = FiscalYear.of(period, start_month=start)
    assert 1 <= found.number(period) <= 12
    assert found.month(found.number(period)) == period
    assert int(found.month(1)[5:]) == start
    assert FiscalYear.of(found.before.end, start_month=start) == found.before
    column = numbers_of_year(pd.Series([period]), ends=pd.Series([found.end]))
    assert list(column) == [found.number(period)]


def test_the_report_before_is_the_last_one_returned() -> None:
    """A month without a return is skipped, so that its projects do not seem to have joined; a first report has none."""
    settings = Organisation(id="x", name="X", fiscal_year_start_month=10)
    projects = history("projects", [{"period": p, "project_id": "A"} for p in ("2026-06", "2026-07", "2026-09")])
    view = view_of(projects, portfolio_id="ROADS", period="2026-09", settings=settings)
    assert (view.since, view.year.end) == ("2026-07", "2026-09")
    assert view_of(projects, portfolio_id="ROADS", period="2026-06", settings=settings).since is None


# --- money ----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20))
def test_minor_units_there_and_back(pence: list[int]) -> None:
    """Whole pence survive the way into floats and back, up to ten trillion."""
    amounts = pd.Series([value / 100 for value in pence])
    assert list(minor_units(amounts)) == pence
    assert list(major_units(minor_units(amounts))) == list(amounts)


def test_mixed_currencies_are_refused() -> None:
    """Amounts of two currencies are never added: the report is refused and says which they are."""
    rows = [*monthly("A"), *[{**r, "currency": "EUR"} for r in monthly("B")]]
    with pytest.raises(ReportError, match="EUR, GBP"):
        entries(rows)


def test_a_stated_base_beside_a_silent_one_is_a_mixture() -> None:
    """A real price base beside costs that state none is refused too; where nobody states one, nothing is mixed."""
    rows = pd.DataFrame({"price_base": ["real 2024", None]})
    with pytest.raises(ReportError, match="not stated, real 2024"):
        one_base(rows, column="price_base", what="cost")
    assert one_base(rows.iloc[1:], column="price_base", what="cost") == ""


# --- the outlook ----------------------------------------------------------------------------------------------


def test_outlook_by_hand() -> None:
    """Outlook is actual to m, plus the accrual at m, plus the forecast after it; variance is budget − outlook."""
    rows = [*monthly("A"), row("A", "accrual", 3), row("A", "accrual", 7, month=5), row("A", "commitment", 40)]
    found = total([*rows, yearly("A", "budget", 130)])
    assert (found["plan"], found["budget"], found["ytd_plan"], found["ytd_actual"]) == (120, 130, 60, 66)
    assert (found["accruals"], found["commitments"], found["remaining_forecast"]) == (3, 40, 54)
    assert (found["outlook"], found["variance"]) == (66 + 3 + 54, 130 - 123)
    assert (found["closed_month"], found["provisional"], found["basis"]) == ("2026-09", False, "monthly")


def test_the_plan_stands_in_for_a_missing_budget() -> None:
    """Where no budget is returned the plan is compared, and the row says so."""
    found = total(monthly("A"))
    assert (found["budget"], found["budget_basis"], found["variance"]) == (120, "plan", 0)


def test_an_accrual_inside_the_actuals_is_not_added_again() -> None:
    """Actuals that hold accruals already count alone; the same accrual beside cash actuals is added."""
    rows = [*monthly("A"), row("A", "accrual", 3)]
    holding = [{**r, "actual_basis": "with accruals"} if r["measure"] == "actual" else r for r in rows]
    cash = [{**r, "actual_basis": "without accruals"} if r["measure"] == "actual" else r for r in rows]
    assert total(holding)["outlook"] == 66 + 54
    assert total(cash)["outlook"] == 66 + 3 + 54


def test_an_open_month_is_forecast_and_labelled() -> None:
    """Without actuals for the status month the month is forecast, and the outlook is provisional."""
    found = total([*monthly("A", closed=5), row("A", "accrual", 3, month=5)])
    assert (found["ytd_actual"], found["remaining_forecast"], found["outlook"]) == (55, 63, 121)
    assert (found["closed_month"], found["provisional"]) == ("2026-08", True)


def test_the_year_over_has_nothing_to_come() -> None:
    """In the last month the outlook is what was spent, with the last accrual."""
    view = View("ROADS", "2027-03", None, 4)
    rows = [{**r, "return_month": "2027-03"} for r in [*monthly("A", closed=12), row("A", "accrual", 2, month=12)]]
    assert total(rows, view=view)["outlook"] == 12 * 11 + 2


def test_a_year_without_actuals_is_its_forecast() -> None:
    """Where returns have figures of the year only the outlook is the year's forecast, and there are no actuals."""
    found = total([yearly("A", "plan", 100), yearly("A", "forecast", 80)])
    assert (found["plan"], found["outlook"], found["variance"], found["basis"]) == (100, 80, 20, "annual")
    assert pd.isna(found["ytd_actual"])
    assert found["months_reason"] == "figures of the year only"


def test_months_win_over_the_year() -> None:
    """A plan that is returned by month and again for the year counts once."""
    assert total([*monthly("A"), yearly("A", "plan", 120)])["plan"] == 120


def test_a_year_of_one_cost_type_beside_months_of_another_counts() -> None:
    """Opex by the year and capex by month are two plans; a total without a type is a repetition of both."""
    capex = [{**r, "cost_type": "capex"} for r in monthly("A") if r["measure"] == "plan"]
    both = [*capex, yearly("A", "plan", 30, cost_type="opex")]
    assert total(both)["plan"] == 150
    assert total([*both, yearly("A", "plan", 150)])["plan"] == 150


def test_the_last_version_of_each_month_counts() -> None:
    """A new baseline governs the months that it states; the months before keep the old one, and v10 follows v9."""
    old = [row("A", "budget", 10, month=m, plan_version="v9") for m in range(1, 13)]
    new = [row("A", "budget", 15, month=m, plan_version="v10") for m in range(7, 13)]
    assert total([*monthly("A"), *old, *new])["budget"] == 6 * 10 + 6 * 15


def test_rows_of_other_years_and_measures_stay_out() -> None:
    """Last year's actual, next year's forecast and capitalisation are no part of this year's outlook."""
    rows = monthly("A")
    others = [
        {"project_id": "A", "measure": "actual", "period": "2026-03", "period_kind": "year", "amount": 500},
        {"project_id": "A", "measure": "forecast", "period": "2028-03", "period_kind": "year", "amount": 900},
        row("A", "capitalisation", 20),
    ]
    pd.testing.assert_series_equal(total([*rows, *others])[MONEY], total(rows)[MONEY])


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([r for r in monthly("A") if r["measure"] == "plan"], "no forecast returned"),
        ([r for r in monthly("A") if r["measure"] != "forecast"], "no forecast after Sep 2026"),
        ([r for r in monthly("A") if r["measure"] != "actual"], "planned to spend, but no actuals returned"),
        ([yearly("A", "plan", 5), yearly("A", "forecast", None)], "year forecast: not set"),
    ],
)
def test_what_was_not_returned_is_not_zero(rows: Rows, reason: str) -> None:
    """A missing forecast or actual makes the outlook null with its reason, and leaves the sums of the others alone."""
    found = unit([*monthly("B"), *rows], "A")
    assert pd.isna(found["outlook"])
    assert pd.isna(found["variance"])
    assert found["outlook_reason"] == reason
    whole = total([*monthly("B"), *rows])
    assert (whole["outlook"], whole["projects"], whole["projects_paired"]) == (120, 2, 1)
    assert whole["unpaired_budget"] == whole["budget"] - 120


def test_a_withheld_amount_keeps_its_words() -> None:
    """A withheld actual makes the outlook null and says why in the source's words."""
    rows = [r if r["period"] != "2026-05" or r["measure"] != "actual" else {**r, "amount": None} for r in monthly("A")]
    state = {
        "period": "2026-09", "table_name": "finance", "row_key": "A|2026-05|month|actual||||", "column_name": "amount",
        "state": "withheld", "reason": "Section 43",
    }  # fmt: skip
    found = unit([*rows, *monthly("B")], "A", states=history("states", [state]))
    assert found["outlook_reason"] == "ytd actual: withheld: Section 43"


def test_a_finished_project_needs_no_forecast() -> None:
    """A project that is over, or whose later years are forecast, costs nothing more this year."""
    rows = [*monthly("B"), *(r for r in monthly("A") if r["measure"] != "forecast")]
    projects = history(
        "projects",
        [
            {"period": "2026-09", "project_id": "A", "delivery_status": "closed"},
            {"period": "2026-09", "project_id": "B"},
        ],
    )
    assert unit(rows, "A", projects=projects)["outlook"] == 66
    later = {"project_id": "A", "measure": "forecast", "period": "2028-03", "period_kind": "year", "amount": 5}
    assert unit([*rows, later], "A")["outlook"] == 66


# --- the levels -----------------------------------------------------------------------------------------------

PROGRAMMES = [{"programme_id": "G", "name": "Great roads", "budget": 50.0}]


def programme_tables(*, ids: str = "AB", inside: str = "A") -> dict[str, pd.DataFrame]:
    """Return projects, those of ``inside`` in programme G, and the programme with a budget of its own."""
    rows = [
        {"period": "2026-09", "project_id": i, "programme_id": "G" if i in inside else None, "name": f"Project {i}"}
        for i in ids
    ]
    return {"projects": history("projects", rows), "programmes": current("programmes", PROGRAMMES)}


def test_a_programmes_own_budget_counts_once() -> None:
    """A programme's own budget is in the programme and the portfolio once, however many projects it has."""
    rows = [*monthly("A"), *monthly("B")]
    found = levels(entries(rows, **programme_tables(inside="AB"))).set_index("name")
    assert found.loc["Whole portfolio", "budget"] == 120 + 120 + 50
    assert found.loc["Great roads", "budget"] == 290
    assert found.loc["Great roads: its own money", "budget"] == 50
    assert list(found["level"]) == ["portfolio", "programme", "project", "project", "own"]


def test_an_own_budget_in_the_finance_rows_is_not_repeated() -> None:
    """What the finance rows say of a programme's own budget wins over the programme's table; it is never both."""
    rows = [*monthly("A"), row(None, "budget", 60, programme_id="G")]
    found = levels(entries(rows, **programme_tables(ids="A"))).set_index("name")
    assert found.loc["Great roads: its own money", "budget"] == 60


def test_an_own_budget_without_spending_is_no_saving() -> None:
    """A budget whose spending nobody returned is left out of the variance and told apart, not counted as saved."""
    found = total(monthly("A"), **programme_tables(ids="A"))
    assert (found["variance"], found["unpaired_budget"], found["unpaired_outlook"]) == (0, 50, 0)


def test_levels_in_reading_order() -> None:
    """The portfolio comes first, each programme before its projects, what has no programme last."""
    found = levels(entries([*monthly("A"), *monthly("B")], **programme_tables()))
    assert list(found["name"]) == [
        "Whole portfolio", "Great roads", "Project A", "Great roads: its own money", "Without programme", "Project B",
    ]  # fmt: skip
    assert list(found["projects"]) == [2, 1, 1, 0, 1, 1]


def test_levels_that_do_not_reconcile_are_refused() -> None:
    """One penny between two levels, or between variance and its terms, refuses the page."""
    found = levels(entries([*monthly("A"), *monthly("B"), row("A", "accrual", 3)], **programme_tables()))
    reconcile(found)
    for name, part in (("Project A", "plan"), ("Great roads", "accruals"), ("Project B", "variance")):
        broken = found.copy()
        broken.loc[broken["name"].eq(name), part] += 0.01
        with pytest.raises(ReportError, match=part):
            reconcile(broken)


def test_previous_outlook_follows_the_project() -> None:
    """Movement is outlook − previous outlook of the same projects, wherever they stood; a new one has none."""
    before = [{**r, "return_month": "2026-08", "portfolio_id": "RAIL"} for r in monthly("A", forecast=8, closed=5)]
    projects = history(
        "projects",
        [
            {"period": "2026-08", "project_id": "A", "portfolio_id": "RAIL"},
            {"period": "2026-09", "project_id": "A"},
            {"period": "2026-09", "project_id": "B"},
        ],
    )
    rows = [*before, *monthly("A"), *monthly("B")]
    moved, new = (unit(rows, project, projects=projects) for project in "AB")
    assert (moved["previous_outlook"], moved["movement"]) == (5 * 11 + 7 * 8, 120 - 111)
    assert pd.isna(new["movement"])
    assert new["previous_reason"] == "no outlook of this year in the report before"
    whole = total(rows, projects=projects)
    assert (whole["previous_outlook"], whole["movement"]) == (111, 9)


def test_outlooks_of_several_returns() -> None:
    """One call reads several returns, each by its own fiscal year and its own closed month."""
    older = [{**r, "return_month": "2026-08"} for r in monthly("A", closed=5)]
    book = finance([*older, *monthly("A", forecast=7)])
    projects = history("projects", [{"period": p, "project_id": "A"} for p in ("2026-08", "2026-09")])
    returns = {"2026-08": "2027-03", "2026-09": "2027-03"}
    found = outlooks(book, projects=projects, states=history("states", []), returns=returns)
    assert list(zip(found["period"], found["outlook"], strict=True)) == [("2026-08", 118.0), ("2026-09", 108.0)]


# --- phasing and run-rates ------------------------------------------------------------------------------------


def test_phased_by_hand() -> None:
    """The outlook of a month is actual, then forecast, with the accrual in the last closed month."""
    found = phased(entries([*monthly("A"), row("A", "accrual", 3)]))
    assert list(found["outlook"]) == [11, 11, 11, 11, 11, 14, 9, 9, 9, 9, 9, 9]
    assert list(found["closed"]) == [True] * 6 + [False] * 6
    assert found["actual"].isna().tolist() == [False] * 6 + [True] * 6
    assert (found["plan_cumulative"].iloc[-1], found["outlook_cumulative"].iloc[-1]) == (120, 123)


def test_nothing_is_phased_without_months() -> None:
    """Annual figures are not spread over months: the curve is empty; beside months they are named as not phased."""
    annual = [yearly("B", "plan", 100), yearly("B", "forecast", 80)]
    assert phased(entries(annual)).empty
    mixed = phased(entries([*monthly("A"), *annual]))
    assert set(mixed["not_phased"]) == {80.0}


def test_run_rates_by_hand() -> None:
    """Run-rate is spent ÷ m × 12; the required one is what the budget leaves ÷ the months to come."""
    rows = levels(entries(book := [*monthly("A"), row("A", "accrual", 6), row("A", "commitment", 10)]))
    found = run_rates(rows, phased=phased(entries(book))).set_index("name")["value"]
    assert found["spent"] == 72
    assert found["run_rate_outlook"] == 72 / 6 * 12
    assert found["recent_outlook"] == 72 + (11 + 11 + 17) / 3 * 6
    assert found["required_run_rate"] == (120 - 72) / 6
    assert (found["exposure"], found["headroom"]) == (82, 38)


def test_the_last_months_count_all_that_was_spent() -> None:
    """Cost of a project that gave no forecast is in the rate of the last three months as it is in what is spent."""
    book = [*monthly("A"), *(row("B", "actual", 20, month=number) for number in (4, 5, 6))]
    found = run_rates(levels(entries(book)), phased=phased(entries(book))).set_index("name")["value"]
    assert found["spent"] == 66 + 60
    assert found["recent_outlook"] == 126 + (33 + 60) / 3 * 6


@pytest.mark.parametrize(
    ("rows", "name", "reason"),
    [
        (monthly("A", closed=0), "run_rate", "no month of the year is closed"),
        (monthly("A", closed=2), "recent_outlook", "fewer than three closed months"),
        (
            [*monthly("A"), yearly("B", "forecast", 5)],
            "run_rate_outlook",
            "some projects have figures of the year only",
        ),
        ([r for r in monthly("A") if r["measure"] != "plan"], "headroom", "no budget returned"),
    ],
)
def test_run_rates_that_cannot_be_computed(rows: Rows, name: str, reason: str) -> None:
    """A run-rate without its terms is null with the reason, never 0."""
    book = entries(rows)
    found = run_rates(levels(book), phased=phased(book)).set_index("name").loc[name]
    assert pd.isna(found["value"])
    assert found["reason"] == reason


def test_the_year_over_needs_no_rate() -> None:
    """When twelve months are closed no rate is required, and the year at this rate is what was spent."""
    view = View("ROADS", "2027-03", None, 4)
    book = entries([{**r, "return_month": "2027-03"} for r in monthly("A", closed=12)], view=view)
    found = run_rates(levels(book), phased=phased(book)).set_index("name")
    assert found.loc["required_run_rate", "reason"] == "the year is over"
    assert found.loc["run_rate_outlook", "value"] == 132


def test_plan_bridge_by_hand() -> None:
    """The largest changes have their names, the rest stands together, and the steps sum from plan to outlook."""
    rows = [r for i, extra in enumerate((5, -3, 2, -1, 0)) for r in monthly(f"P{i}", actual=10, forecast=10 + extra)]
    found = plan_bridge(levels(entries(rows)), largest=2)
    assert list(found["step"]) == ["plan", "P0", "P1", "others", "outlook"]
    assert list(found["amount"]) == [600, 30, -18, 6, 618]
    assert list(found["projects"]) == [5, 1, 1, 3, 5]


# --- calendars, currencies, money that moves inside ----------------------------------------------------------------


def test_a_forecast_of_the_year_beside_monthly_actuals_counts_once() -> None:
    """Where a unit gives a forecast of the whole year, its monthly actuals are in it: the outlook is that forecast."""
    rows = [r for r in monthly("A") if r["measure"] != "forecast"]
    found = total([*rows, yearly("A", "forecast", 130)])
    assert (found["outlook"], found["ytd_actual"], found["variance"]) == (130, 66, -10)


def test_transfers_net_to_zero_above() -> None:
    """A transfer moves budget from one project to another; the portfolio's budget stays as it is."""
    moved = [row("A", "transfer", -20, counterparty="B"), row("B", "transfer", 20, counterparty="A")]
    rows = [*monthly("A"), *monthly("B"), *moved]
    found = levels(entries(rows)).set_index("project_id")
    assert list(found.loc[["", "A", "B"], "budget"]) == [240, 100, 140]
    assert list(found.loc[["", "A", "B"], "transfers"]) == [0, -20, 20]
    assert found.loc["", "variance"] == 0


def test_a_transfer_without_its_other_side_still_reconciles() -> None:
    """One side alone moves the portfolio's budget, and the levels are exact all the same."""
    found = levels(entries([*monthly("A"), row("A", "transfer", 5.55)]))
    reconcile(found)
    assert (found.iloc[0]["budget"], found.iloc[0]["outlook"]) == (125.55, 120)


def test_recharges_and_prior_year_adjustments_are_cost() -> None:
    """A recharge and an adjustment of an earlier year are in the outlook, apart from actuals, and in no run-rate."""
    rows = [*monthly("A"), row("A", "recharge", 7), row("A", "prior-year adjustment", -4, month=2)]
    found = total(rows)
    assert (found["outlook"], found["recharges"], found["adjustments"], found["ytd_actual"]) == (123, 7, -4, 66)
    rates = run_rates(levels(entries(rows)), phased=phased(entries(rows))).set_index("name")["value"]
    assert rates["spent"] == 66


def test_period_13_adjusts_the_last_month() -> None:
    """Period 13 counts in month 12 of its year, on top of it; a figure of the whole year holds it already."""
    view = View("ROADS", "2027-03", None, 4)
    late = row("A", "actual", 5, month=12, period_kind="period 13")
    rows = [{**r, "return_month": "2027-03"} for r in [*monthly("A", closed=12), late]]
    assert total(rows, view=view)["outlook"] == 12 * 11 + 5
    assert phased(entries(rows, view=view))["actual"].iloc[-1] == 16
    year = [yearly("A", "plan", 100), yearly("A", "actual", 90), late]
    assert total([{**r, "return_month": "2027-03"} for r in year], view=view)["outlook"] == 90


def test_a_445_year_is_worth_its_weeks() -> None:
    """Five closed periods of 4, 4, 5, 4 and 4 weeks are 21 of 52 weeks: the rates go by them, not by fifths."""
    rows = [{**r, "period_kind": "4-4-5"} for r in monthly("A", closed=5)]
    curve = phased(entries(rows))
    assert curve["months_worth"].sum() == pytest.approx(12)
    rates = run_rates(levels(entries(rows)), phased=curve).set_index("name")["value"]
    assert rates["run_rate_outlook"] == round(55 / 21 * 52, 2)
    assert rates["required_run_rate"] == round((120 - 55) / (31 / 52 * 12), 2)


def test_other_currencies_at_stated_rates() -> None:
    """Euros count at the stated rate, each rounded once, and the page says which rate; without one they are refused."""
    rate = Rate(per_unit=0.855, on=date(2026, 9, 30), source="Bank")
    view = View("ROADS", "2026-09", "2026-08", 4, currency="GBP", rates={"EUR": rate})
    rows = [*monthly("A"), *({**r, "currency": "EUR", "amount": 0.33} for r in monthly("B"))]
    found = levels(entries(rows, view=view)).set_index("project_id")
    assert (found.loc["B", "plan"], found.loc["", "plan"]) == (3.36, 123.36)  # 12 × 0.33 × 0.855, each rounded to 0.28
    assert found.loc["", "rates"] == "1 EUR = 0.855 GBP (Bank, 2026-09-30)"
    with pytest.raises(ReportError, match="EUR, GBP"):
        entries(rows)


def test_plan_to_outlook_by_cause() -> None:
    """Approved changes and transfers lead to the budget, spending to date and to come from there to the outlook."""
    rows = [*monthly("A"), *(row("A", "budget", 12, month=m) for m in range(1, 13)), row("A", "recharge", 3)]
    rows += [*monthly("B"), row("A", "transfer", 6, counterparty="B"), row("B", "transfer", -6, counterparty="A")]
    found = plan_causes(entries(rows)).set_index("step")
    assert found["amount"].to_dict() == {
        "plan": 240, "approved changes": 24, "transfers": 0, "spent to date": -6 + 6, "to come": -18 - 6,
        "recharges": 3, "outlook": 243,
    }  # fmt: skip
    assert found.loc["transfers", "projects"] == 2


def test_what_is_known_for_the_year_only_is_not_split() -> None:
    """A unit with figures of the year only is a step of its own between plan and outlook."""
    found = plan_causes(entries([*monthly("B"), yearly("A", "plan", 100), yearly("A", "forecast", 80)]))
    assert found.set_index("step")["amount"].to_dict()["not split by month"] == -20


def test_causes_that_do_not_sum_are_refused() -> None:
    """A bridge by cause whose parts miss a unit's movement by one penny refuses the page."""
    opening, closing = pd.Series([100, 7]), pd.Series([105, 7])
    with pytest.raises(ReportError, match=r"1\.04"):
        caused(opening, causes={"more": pd.Series([4, 0])}, closing=closing, ends=("a", "b"), currency="GBP")


def test_capital_and_running_cost() -> None:
    """Budget and outlook by type sum to the portfolio; what has no type is a row of its own."""
    rows = [{**r, "cost_type": "capex"} for r in monthly("A")] + monthly("B")
    found = cost_types(entries(rows)).set_index("cost_type")
    assert found["outlook"].to_dict() == {"capex": 120, "not stated": 120}
    assert list(found["outlook_share"]) == [0.5, 0.5]


def test_orders_beyond_the_year_are_told() -> None:
    """A commitment counts whole; what of it is above the year's forecast to come is told beside the headroom."""
    rows = [*monthly("A"), row("A", "commitment", 100)]
    rates = run_rates(levels(entries(rows)), phased=phased(entries(rows))).set_index("name")["value"]
    assert (rates["exposure"], rates["committed_beyond"], rates["headroom"]) == (166, 100 - 54, 120 - 166)


@settings(deadline=None, max_examples=4)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(-(10**7), 10**7)), max_size=4))
def test_levels_equal_a_pivot_table(moves: list[tuple[str, int]]) -> None:
    """Plan, budget and outlook of every level are those of a pivot table in pence, transfers included."""
    moved = [row(p, "transfer", pence / 100, month=1 + i, counterparty="C") for i, (p, pence) in enumerate(moves)]
    rows = [*monthly("A"), *monthly("B"), *moved]
    pence = pd.DataFrame(
        [(r["project_id"], r["measure"], round(r["amount"] * 100)) for r in rows], columns=["p", "m", "n"]
    )
    pivot = pence.pivot_table(index="p", columns="m", values="n", aggfunc="sum", fill_value=0, margins=True)
    pivot = pivot.reindex(columns=["plan", "actual", "forecast", "transfer"], fill_value=0).rename(index={"All": ""})
    found = levels(entries(rows)).set_index("project_id")
    for place in ("", "A", "B"):
        sums = pivot.loc[place]
        assert round(found.loc[place, "budget"] * 100) == sums["plan"] + sums["transfer"]
        assert round(found.loc[place, "outlook"] * 100) == sums["actual"] + sums["forecast"]


# --- properties -----------------------------------------------------------------------------------------------

amounts = st.integers(-(10**9), 10**9).map(lambda pence: pence / 100)


@st.composite
def ledgers(draw: st.DrawFn) -> Rows:
    """Return finance rows of a few projects: some by month, some by year, some with gaps."""
    rows: Rows = []
    for project in draw(st.lists(st.sampled_from("ABCD"), min_size=1, unique=True)):
        if draw(st.booleans()):
            measures = sorted(draw(st.sets(st.sampled_from(["plan", "forecast"]))))
            rows += [yearly(project, measure, draw(amounts | st.none())) for measure in measures]
            continue
        closed = draw(st.integers(4, 6))
        phases = {"plan": range(1, 13), "actual": range(1, closed + 1), "forecast": range(closed + 1, 13)}
        for measure, months in phases.items():
            kept = sorted(draw(st.sets(st.sampled_from(list(months)))))
            rows += [row(project, measure, draw(amounts), month=month) for month in kept]
        once = sorted(draw(st.sets(st.sampled_from(["accrual", "budget"]))))
        rows += [row(project, measure, draw(amounts)) for measure in once]
    return rows or monthly("A")


def by_hand(rows: Rows) -> dict[str, int]:
    """Return the outlook of each project in pence by plain loops, for projects where it can be computed."""
    posted = [
        m for m in range(1, M + 1) if any(r["measure"] == "actual" and r["period"] == YEAR.month(m) for r in rows)
    ]
    closed = max(posted, default=0)
    found: dict[str, int] = {}
    for project in {str(r["project_id"]) for r in rows}:
        own = [(r["measure"], YEAR.number(r["period"]), r) for r in rows if r["project_id"] == project]
        if any(r.get("period_kind") == "year" for _, _, r in own):
            year = [r["amount"] for measure, _, r in own if measure == "forecast"]
            if year and year[0] is not None:
                found[project] = round(year[0] * 100)
            continue
        spent = [r["amount"] for measure, m, r in own if measure == "actual" and m <= closed]
        accrued = [r["amount"] for measure, m, r in own if measure == "accrual" and m == closed]
        to_come = [r["amount"] for measure, m, r in own if measure == "forecast" and m > closed]
        planned = sum(round(r["amount"] * 100) for measure, m, r in own if measure == "plan" and m <= closed)
        if to_come and (spent or not planned):
            found[project] = sum(round(value * 100) for value in [*spent, *accrued, *to_come])
    return found


@settings(deadline=None, max_examples=5)
@given(ledgers())
def test_outlook_equals_plain_loops(rows: Rows) -> None:
    """The outlook of every project and of the portfolio is the one that plain loops over the rows give."""
    found = levels(entries(rows))
    expected = by_hand(rows)
    projects = found[found["level"].eq("project") & found["outlook"].notna()]
    assert {r["project_id"]: round(r["outlook"] * 100) for r in projects.to_dict("records")} == expected
    if expected and len(found):
        assert round(found.iloc[0]["outlook"] * 100) == sum(expected.values())


@settings(deadline=None, max_examples=4)
@given(ledgers(), st.randoms(use_true_random=False))
def test_order_and_splitting_change_nothing(rows: Rows, random: Any) -> None:
    """The order of the rows does not matter, nor whether an amount stands in one row or in two."""
    expected = levels(entries(rows))[["project_id", *MONEY]]
    split: Rows = []
    for r in rows:
        part = round(random.uniform(-50, 50), 2)
        halves = [part, round(r["amount"] - part, 2)] if r["amount"] is not None else [None]
        split += [{**r, "amount": amount, "category": f"c{i}"} for i, amount in enumerate(halves)]
    random.shuffle(split)
    pd.testing.assert_frame_equal(levels(entries(split))[["project_id", *MONEY]], expected)


@settings(deadline=None, max_examples=4)
@given(ledgers(), st.integers(2, 50))
def test_scaling_money_scales_every_sum(rows: Rows, factor: int) -> None:
    """Ten times the money is ten times every figure of every level, and the same reasons."""
    scaled = [{**r, "amount": None if r["amount"] is None else round(r["amount"] * factor, 2)} for r in rows]
    one, many = levels(entries(rows)), levels(entries(scaled))
    pd.testing.assert_frame_equal((one[MONEY] * factor).round(2), many[MONEY].round(2))
    assert list(one["outlook_reason"]) == list(many["outlook_reason"])


@settings(deadline=None, max_examples=4)
@given(ledgers())
def test_parts_sum_to_the_whole(rows: Rows) -> None:
    """Months and what is not phased sum to the outlook; the steps of the bridge sum to it over what has both."""
    book = entries(rows)
    found, curve = levels(book), phased(book)
    if len(curve) and found["outlook"].notna().any():
        whole = curve["outlook_cumulative"].iloc[-1] + curve["not_phased"].iloc[-1]
        assert round(whole * 100) == round(found.iloc[0]["outlook"] * 100)
    steps = plan_bridge(found, largest=2)
    if len(steps):
        assert round(steps["amount"].iloc[:-1].sum() * 100) == round(steps["amount"].iloc[-1] * 100)


def test_nothing_comes_of_nothing() -> None:
    """Without finance rows every table is empty, with its columns."""
    book = entries([], projects=history("projects", [{"period": "2026-09", "project_id": "A"}]))
    rows = levels(book)
    assert book.empty
    assert rows.empty
    assert phased(book).empty
    assert run_rates(rows, phased=phased(book)).empty
    assert plan_bridge(rows).empty
    assert ledger(finance([]), states=history("states", []), returns={}).empty
