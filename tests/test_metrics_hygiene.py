"""Tests of a financial return: each rule finds its planted row and nothing else, and says when it was not made."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import current, history
from hypothesis import given, settings, strategies as st
from test_metrics_outlook import VIEW, YEAR, finance, monthly, row

from pmo_lib.metrics.accounts import accounts
from pmo_lib.metrics.hygiene import FINDING_COLUMNS, TESTS, evidence, findings
from pmo_lib.metrics.outlook import Year
from pmo_lib.parameters.models import FinanceRules, Organisation, Thresholds

Rows = list[dict[str, Any]]


def found(rows: Rows, *, earlier: Rows = (), rules: FinanceRules | None = None, **project: Any) -> pd.DataFrame:  # type: ignore[assignment]
    """Return the findings of a return; ``project`` are facts of every project, rows have a source of their own."""
    stamped = [{**r, "return_month": r.get("return_month", "2026-08")} for r in earlier]
    book = finance([{**r, "source_ref": f"f, row {place}"} for place, r in enumerate([*rows, *stamped], start=1)])
    ids = sorted({str(r["project_id"]) for r in (*rows, *stamped) if r.get("project_id")})
    periods = sorted({*book["return_month"], VIEW.period})
    projects = history("projects", [{"period": p, "project_id": i, **project} for p in periods for i in ids])
    entries = accounts(
        book, projects=projects, programmes=current("programmes", []), states=history("states", []), view=VIEW
    )
    house = Organisation(id="x", name="X", finance=rules or FinanceRules(), thresholds=Thresholds())
    return findings(evidence(book, projects=projects, year=Year(entries), view=VIEW, settings=house))


def hits(table: pd.DataFrame, test: str) -> list[tuple[str, float, str]]:
    """Return project, amount and source of each finding of a test."""
    rows = table[table["test"].eq(test) & table["detail"].notna()]
    return list(rows[["project_id", "amount", "source_ref"]].itertuples(index=False, name=None))


def varied(project: str) -> Rows:
    """Return a clean year: no two months to come are alike."""
    rows = monthly(project)
    return [{**r, "amount": r["amount"] + place} if r["measure"] == "forecast" else r for place, r in enumerate(rows)]


def test_a_clean_return_has_no_finding() -> None:
    """A sound return passes every test that can be made; one that cannot be made is not called passed."""
    table = found(varied("A"))
    assert table["detail"].isna().all()
    assert list(table["test"]) == [test.name for test in TESTS]
    made = table["found"].notna()
    assert set(table.loc[made, "reason"]) == {"passed"}
    assert table.loc[~made, "reason"].str.startswith("not tested: ").all()


@pytest.mark.parametrize(
    ("test", "planted"),
    [
        ("forecast in the past", row("A", "forecast", 5, month=4)),
        ("actual in the future", row("A", "actual", 5, month=9)),
        ("negative forecast", row("A", "forecast", -5, month=9, category="saving")),
        ("transfer or recharge that does not net", row("A", "transfer", 5)),
        ("transfer or recharge that does not net", row("A", "recharge", 5, counterparty="ELSEWHERE")),
    ],
)
def test_a_planted_row_is_found(test: str, planted: dict[str, Any]) -> None:
    """One odd row is one finding, with its amount and the place that it came from."""
    rows = [*varied("A"), planted]
    assert hits(found(rows), test) == [("A", planted["amount"], f"f, row {len(rows)}")]


def test_a_flat_forecast_is_found_once() -> None:
    """The same amount in four months running is one finding at the first of them; three are none."""
    assert [hit[:2] for hit in hits(found(monthly("A")), "flat-lined forecast")] == [("A", 9.0)]
    three = [r for r in monthly("A") if r["measure"] != "forecast" or r["period"] < "2027-01"]
    assert hits(found(three), "flat-lined forecast") == []


def test_two_sides_that_net_are_sound() -> None:
    """A transfer and its mirror net to zero and are no finding; sides of different size are two."""
    two = [*varied("A"), *varied("B")]
    give = row("A", "transfer", -20, counterparty="B")
    assert hits(found([*two, give, row("B", "transfer", 20, counterparty="A")]), TESTS[6].name) == []
    off = found([*two, give, row("B", "transfer", 19, counterparty="A")])
    assert [hit[:2] for hit in hits(off, TESTS[6].name)] == [("A", -20.0), ("B", 19.0)]


def test_cost_without_budget() -> None:
    """A project that costs money and has no plan or budget is found."""
    rows = [r for r in varied("A") if r["measure"] != "plan"]
    assert [hit[0] for hit in hits(found([*rows, *varied("B")]), "cost without budget")] == ["A"]


def test_spend_after_closure() -> None:
    """Actuals later than the months of grace after the actual finish are found; the month of grace is not."""
    table = found(varied("A"), finish_actual_on="2026-07-15", delivery_status="closed")
    late = table[table["test"].eq("spend after closure") & table["detail"].notna()]
    assert list(late["period"]) == ["2026-09"]
    grace = found(varied("A"), rules=FinanceRules(closure_grace_months=2), finish_actual_on="2026-07-15")
    assert hits(grace, "spend after closure") == []


def test_unposted_accruals() -> None:
    """What was accrued and then neither posted nor accrued again is found, and so is what stands unchanged."""
    before = [row("A", "accrual", 50, month=5), row("B", "accrual", 3, month=5), row("C", "accrual", 2, month=5)]
    rows = [*varied("A"), *varied("B"), *varied("C"), row("C", "accrual", 2)]
    assert [hit[:2] for hit in hits(found(rows, earlier=before), "unposted accrual")] == [("A", 50.0), ("C", 2.0)]


def test_year_end_accruals() -> None:
    """A month-12 accrual above a tenth of the year's cost is found, and its reversal in month 1."""
    last_year = {"project_id": "A", "period": "2026-03", "return_month": "2026-03"}
    earlier = [
        {**last_year, "measure": "actual", "period_kind": "year", "amount": 900},
        {**last_year, "measure": "accrual", "amount": 150},
    ]
    back = row("A", "actual", -100, month=1, category="reversal")
    table = found([*varied("A"), back], earlier=earlier)
    assert [hit[:2] for hit in hits(table, "accrual at the year's end")] == [("A", 150.0)]
    assert [hit[:2] for hit in hits(table, "reversal in month 1")] == [("A", -100.0)]
    small = found([*varied("A"), {**back, "amount": -75}], earlier=[earlier[0], {**earlier[1], "amount": 100}])
    assert hits(small, "accrual at the year's end") == []
    assert len(hits(small, "reversal in month 1")) == 1
    quiet = found(varied("A"), earlier=earlier)
    assert quiet.loc[quiet["test"].eq("reversal in month 1"), "reason"].tolist() == ["passed"]


def test_bunching() -> None:
    """Three overspends of 4.5 % under a tolerance of 5 % and none just above are found; two are not."""

    def just_below(project: str) -> Rows:
        return [row(project, "plan", 1000), row(project, "actual", 1000), row(project, "forecast", 45, month=9)]

    three = [r for project in "ABC" for r in just_below(project)]
    assert len(hits(found(three), "bunching below the tolerance")) == 3
    assert hits(found(three[:6]), "bunching below the tolerance") == []


def test_bias_of_a_forecaster() -> None:
    """A manager whose six forecasts were together 20 % below what was posted is named; five forecasts are too few."""
    earlier = [
        {"project_id": "A", "measure": "forecast", "period": YEAR.month(m), "amount": 8, "return_month": "2026-03"}
        for m in range(1, 7)
    ]
    rows = [{**r, "amount": 10} if r["measure"] == "actual" else r for r in varied("A")]
    table = found(rows, earlier=earlier, manager="Ann")
    said = table.loc[table["test"].eq("bias of a forecaster"), "detail"].iloc[0]
    assert said.startswith("Ann: 6 monthly forecasts, together 20% below what was posted")
    assert hits(found(rows, earlier=earlier[:5], manager="Ann"), "bias of a forecaster") == []


def test_capital_drift() -> None:
    """A budget of capital whose outlook is half running cost is found; the same split is not."""
    plan = [row("A", "plan", 100, cost_type="capex"), row("A", "actual", 50, cost_type="capex")]
    drifted = [*plan, row("A", "forecast", 50, month=9, cost_type="opex")]
    assert hits(found(drifted), "capital and running cost")[0][:2] == ("A", 100.0)
    kept = [*plan, row("A", "forecast", 50, month=9, cost_type="capex")]
    assert hits(found(kept), "capital and running cost") == []


def test_nothing_returned_is_not_tested() -> None:
    """Without finance rows there is no table of tests, but its columns."""
    table = found([])
    assert table.empty
    assert list(table.columns) == FINDING_COLUMNS


@settings(deadline=None, max_examples=2)
@given(st.randoms(use_true_random=False), st.lists(st.integers(-500, 500), min_size=1, max_size=5))
def test_order_changes_nothing(random: Any, amounts: list[int]) -> None:
    """The order of the rows changes no finding, and every finding has a row."""
    rows = [*varied("A"), *(row("A", "forecast", a, month=3 + i, category=f"c{i}") for i, a in enumerate(amounts))]
    mixed = list(rows)
    random.shuffle(mixed)
    one, other = (found(each).drop(columns="source_ref") for each in (rows, mixed))
    keys = ["test", "project_id", "period", "amount"]
    pd.testing.assert_frame_equal(
        one.sort_values(keys, kind="stable", ignore_index=True),
        other.sort_values(keys, kind="stable", ignore_index=True),
    )
    assert found(rows).loc[lambda table: table["detail"].notna(), "source_ref"].str.startswith("f, row ").all()
