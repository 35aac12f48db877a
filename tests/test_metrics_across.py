"""Across portfolios: what they published adds up as if it had been one portfolio, and their errors are pooled."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from test_metrics_progress import ENGLAND, PROGRAMMES, measured, projects_of, rows_of

from pmo_lib.errors import ReportError
from pmo_lib.figures.earned_value import units_dots
from pmo_lib.metrics import across, backtest, earned
from pmo_lib.metrics.calendar import calendar_of
from pmo_lib.parameters.models import EarnedValueRules, Organisation
from pmo_lib.sentences.earned_value import units_sentence
from pmo_lib.tables.earned_value import units_table

PERIOD = "2025-02"
TREE = pd.DataFrame(
    [("council", None, "enterprise", "Council"), ("transport", "council", "function", "Transport"),
     ("roads", "transport", "portfolio", "Roads"), ("rail", "transport", "portfolio", "Rail"),
     ("homes", "council", "portfolio", "Homes"), ("roads/project/A", "roads", "project", "A")],
    columns=["node_id", "parent_id", "level", "name"],
)  # fmt: skip
LARGE = rows_of("A", plan=[50.0, 100.0, 150.0, 200.0], ev=[50, 100], ac=[60, 125])
SMALL = rows_of("B", plan=[5.0, 10.0], ev=[10], ac=[5], start=1)
SAME = ["planned_value", "earned_value", "actual_cost", "budget", "cpi", "spi", "earned_months", "elapsed_months",
        "planned_months", "spi_t", "eac_cpi", "variance_at_completion", "es_spi_t_on"]  # fmt: skip


def published(portfolios: dict[str, list[dict[str, Any]]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what each portfolio publishes of its rows: levels, and months."""
    levels, months = [], []
    for portfolio, rows in portfolios.items():
        found = measured(rows, period=PERIOD)
        ours = projects_of(*dict.fromkeys(row["project_id"] for row in rows))
        whole = earned.units(found, projects=ours, programmes=PROGRAMMES.iloc[:0])
        levels.append(whole.reindex(columns=earned.PUBLISHED_UNITS).assign(portfolio_id=portfolio))
        by_month = earned.months(found, projects=ours)
        months.append(by_month.reindex(columns=earned.PUBLISHED_MONTHS).assign(portfolio_id=portfolio))
    return pd.concat(levels, ignore_index=True), pd.concat(months, ignore_index=True)


def units_of(portfolios: dict[str, list[dict[str, Any]]]) -> pd.DataFrame:
    """Return the units of the organisation over what these portfolios publish."""
    levels, months = published(portfolios)
    return across.units(levels, months=months, tree=TREE, calendar=calendar_of(ENGLAND))


def as_one(rows: list[dict[str, Any]]) -> pd.Series:
    """Return the whole of one portfolio that holds all projects."""
    ours = projects_of(*dict.fromkeys(row["project_id"] for row in rows))
    return earned.units(measured(rows, period=PERIOD), projects=ours, programmes=PROGRAMMES.iloc[:0]).iloc[0]


def assert_same(found: pd.Series, expected: pd.Series) -> None:
    """Compare money, indices, times and the finish date."""
    for name in SAME:
        if name.endswith("_on"):
            assert found[name] == expected[name] or (pd.isna(found[name]) and pd.isna(expected[name]))
        else:
            assert found[name] == pytest.approx(expected[name], nan_ok=True), name


def test_portfolios_add_up_as_one_would() -> None:
    """Roads and Rail under one function are what one portfolio with the projects of both is; others are apart."""
    units = units_of({"roads": LARGE, "rail": SMALL, "homes": rows_of("C", plan=[40.0], ev=[20], ac=[30], start=1)})
    assert units["unit_id"].tolist() == ["council", "transport", "roads", "rail", "homes"]
    assert units["portfolios"].tolist() == [3, 2, 1, 1, 1]
    by = units.set_index("unit_id")
    assert_same(by.loc["transport"], as_one([*LARGE, *SMALL]))
    assert_same(by.loc["roads"], as_one(LARGE))
    assert by.at["transport", "cpi"] == pytest.approx(110 / 130)
    assert by.at["transport", "earned_months"] == pytest.approx(2 + 5 / 55)
    assert by.at["council", "earned_value"] == 130


plans = st.lists(st.integers(1, 90), min_size=2, max_size=5)


@settings(max_examples=4, deadline=None)
@given(plans, plans, st.integers(0, 1), st.tuples(*[st.floats(0.05, 1.0)] * 4))
def test_any_two_portfolios_add_up_as_one_would(
    one: list[int], other: list[int], start: int, shares: tuple[float, float, float, float]
) -> None:
    """Whatever they plan and earn: the sum over published portfolios is the portfolio of all their projects."""
    books = {}
    for name, rises, begun, (done, cost) in (("A", one, 0, shares[:2]), ("B", other, start, shares[2:])):
        curve = [float(sum(rises[: n + 1])) for n in range(len(rises))]
        seen = range(2 - begun)
        ev, ac = ([round(curve[n] * share, 2) for n in seen] for share in (done, cost))
        books[name] = rows_of(name, plan=curve, ev=ev, ac=ac, start=begun)
    units = units_of({"roads": books["A"], "rail": books["B"]}).set_index("unit_id")
    assert_same(units.loc["transport"], as_one([*books["A"], *books["B"]]))


def test_without_one_curve_there_is_no_earned_schedule_of_the_sum() -> None:
    """A portfolio whose curve cannot be used takes its sums' time away, and says so; money is still added."""
    levels, months = published({"roads": LARGE, "rail": SMALL})
    levels.loc[levels["portfolio_id"].eq("rail"), "earned_months"] = None
    units = across.units(levels, months=months, tree=TREE, calendar=calendar_of(ENGLAND)).set_index("unit_id")
    assert units.at["roads", "spi_t"] == pytest.approx(1.0)
    assert pd.isna(units.at["transport", "spi_t"])
    assert units.at["transport", "spi_t_reason"] == "no planned value curve"
    assert units.at["transport", "cpi"] == pytest.approx(110 / 130)


def test_currencies_are_not_added() -> None:
    """Portfolios in two currencies have no sum."""
    euro = [row | {"currency": "EUR"} for row in SMALL]
    with pytest.raises(ReportError, match="EUR, GBP"):
        units_of({"roads": LARGE, "rail": euro})


def test_nothing_published_is_empty() -> None:
    """Without any published earned value there is no unit and no error band, in the right columns."""
    nothing = pd.DataFrame(columns=["portfolio_id", "period"])
    work = across.Work(lambda _: nothing, tree=TREE, settings=Organisation(id="x", name="x"))
    assert work.units.empty
    assert work.units.columns.tolist() == across.UNIT_COLUMNS
    assert work.bands.empty


def test_errors_of_all_portfolios_are_pooled() -> None:
    """Six finished projects in each of two portfolios recommend a rule that neither could by itself; ids may repeat."""
    near, far = (pd.DataFrame(
        [{"project_id": f"P{n}", "month": "2025-01", "kind": kind, "rule": rule, "complete_share": 0.5,
          "error": (0.02 if rule == best else 0.3) + n / 1000}
         for n in range(6) for kind, best in (("cost", "eac_budget"), ("time", "es_plan"))
         for rule in backtest.RULES[kind]]
    ).assign(portfolio_id=name) for name in ("roads", "rail"))  # fmt: skip
    rules = EarnedValueRules(backtest_projects=10)
    organisation = Organisation(id="x", name="x", earned_value=rules)

    def advised(*parts: pd.DataFrame) -> set[tuple[str, str]]:
        whole = pd.concat(parts, ignore_index=True)
        bands = across.Work(lambda _: whole, tree=TREE, settings=organisation).bands
        rows = bands[bands["advised"] & bands["band"].eq("30–60%")]
        return set(zip(rows["rule"], rows["basis"], strict=True))

    assert advised(near, far) == {("eac_budget", "own history"), ("es_plan", "own history")}
    assert advised(near) == {("eac_cpi", "borrowed"), ("es_spi_t", "borrowed")}


def test_what_is_drawn_and_said_holds_the_figures() -> None:
    """Marks stand at CPI and SPI(t) of every unit; the sentence names who is above cost and behind."""
    units = units_of({"roads": LARGE, "rail": SMALL, "homes": rows_of("C", plan=[40.0], ev=[20], ac=[30], start=1)})
    figure = units_dots(units)
    assert list(figure.data[0].x) == pytest.approx(units["cpi"].tolist())
    assert list(figure.data[1].x) == pytest.approx(units["spi_t"].tolist())
    assert "1 of 3 portfolios above cost and behind the plan" in str(figure.layout.title.text).replace("<br>", " ")
    said = units_sentence(units)
    assert said.startswith("£130 is earned, for £145 planned and £160 spent: CPI 0.81, SPI(t)")
    assert said.endswith("Above cost and behind the plan: Homes.")
    assert "Transport" in units_table(units).html
