"""Which forecast to believe: the published project, errors by share complete, and past outlooks of the year."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import history
from test_metrics_earned_value import REVAMP_AC, REVAMP_EV, REVAMP_PV
from test_metrics_outlook import finance

from pmo_lib.metrics import accuracy, backtest, progress
from pmo_lib.metrics.fiscal import View
from pmo_lib.parameters.models import EarnedValueRules, Organisation

MONTHS = [f"{2024 + number // 12}-{number % 12 + 1:02d}" for number in range(24)]
STATES = history("states", [{"period": "2025-03", "table_name": "none", "row_key": "none", "column_name": "none"}])
NO_BASELINES = history("baselines", [{"period": "2025-01", "project_id": "-", "version": "1"}])
ANY, TEN = EarnedValueRules(backtest_projects=1), EarnedValueRules()


def finished(
    names: list[str], *, delivery: str = "closed", ev: list[float] = REVAMP_EV
) -> tuple[progress.Progress, pd.DataFrame]:
    """Return copies of the published project, all returned in its last month, and their projects."""
    rows = [
        {"period": "2025-01", "project_id": name, "month": month, "baseline_version": "1", "planned_value": planned,
         "earned_value": earned, "actual_cost": spent, "currency": "EUR"}
        for name in names
        for month, planned, earned, spent in zip(MONTHS, REVAMP_PV, ev, REVAMP_AC, strict=False)
    ]  # fmt: skip
    told = [{"period": "2025-01", "project_id": name, "delivery_status": delivery, "currency": "EUR"} for name in names]
    projects = history("projects", told)
    found = progress.measured(
        history("earned_value", rows), baselines=NO_BASELINES,
        projects=projects, settings=Organisation(id="x", name="x"), status_on=pd.Timestamp("2025-01-31"),
    )  # fmt: skip
    return found, projects


def bands_of(names: list[str], *, rules: EarnedValueRules = TEN) -> pd.DataFrame:
    """Return the bands of copies of the published project."""
    found, projects = finished(names)
    return backtest.error_bands(backtest.forecast_errors(found, projects=projects), rules=rules)


def test_the_published_project_is_computed_again() -> None:
    """On the 13 months of the published project mean errors are those computed from the paper's data.

    Cost: BAC / CPI 1.70 % (bias −0.66), AC + BAC − EV 1.26 % (0.70), CPI × SPI 4.92 % (3.39), SPI(t) 4.46 % (4.00).
    Time: PF 1 18.43 %, SPI(t) 14.03 %, CPI × SPI(t) 15.18 %, earned duration 26.77 %, PD / SPI 23.99 %.
    """
    bands = bands_of(["V"]).query("band == 'every status date'").set_index("rule")
    found = (bands["mean_error"] * 100).round(2).to_dict()
    expected = {"eac_cpi": 1.7, "eac_budget": 1.26, "eac_cpi_spi": 4.92, "eac_cpi_spi_t": 4.46, "es_plan": 18.43}
    expected |= {"es_spi_t": 14.03, "es_cpi_spi_t": 15.18, "jacob_plan": 26.77, "anbari_spi": 23.99}
    assert {rule: found[rule] for rule in expected} == expected
    bias = (bands["bias"] * 100).round(2).to_dict()
    assert [bias[rule] for rule in ("eac_cpi", "eac_budget", "eac_cpi_spi", "eac_cpi_spi_t")] == [-0.66, 0.7, 3.39, 4.0]


def test_the_best_rule_differs_for_cost_and_time() -> None:
    """On the published project AC + BAC − EV forecasts cost best, and PD / SPI(t) time."""
    bands = bands_of(["V"], rules=ANY)
    best = bands[bands["advised"] & bands["band"].eq("every status date")].set_index("kind")
    assert best["rule"].to_dict() == {"cost": "eac_budget", "time": "es_spi_t"}
    assert set(best["basis"]) == {"own history"}


def test_a_rule_is_recommended_from_ten_projects_on() -> None:
    """With nine finished projects the default is borrowed, with its source; with ten our own best is recommended."""
    nine, ten = (bands_of([f"V{number}" for number in range(count)]) for count in (9, 10))
    for bands, rule, basis in ((nine, "eac_cpi", "borrowed"), (ten, "eac_budget", "own history")):
        row = bands[bands["advised"] & bands["kind"].eq("cost") & bands["band"].eq("10–30%")].iloc[0]
        assert (row["rule"], row["basis"]) == (rule, basis)
    assert nine.loc[nine["advised"], "source"].ne("").all()
    assert ten.loc[ten["band"].eq("30–60%") & ten["advised"], "source"].eq("").all()


def test_errors_by_share_complete_by_a_plain_loop() -> None:
    """Median, P80 and n of a band are what a loop over the status dates gives."""
    row = bands_of(["V"]).query("rule == 'eac_cpi' and band == '60–90%'").iloc[0]
    sizes = sorted(
        abs(REVAMP_PV[-1] * ac / ev / REVAMP_AC[-1] - 1)
        for ev, ac in zip(REVAMP_EV, REVAMP_AC, strict=True)
        if 0.6 <= ev / REVAMP_PV[-1] < 0.9
    )
    assert row["forecasts"] == len(sizes) == 4
    assert row["median_error"] == pytest.approx((sizes[1] + sizes[2]) / 2)
    assert row["p80_error"] == pytest.approx(sizes[2] + 0.4 * (sizes[3] - sizes[2]))


def test_only_finished_projects_are_tested() -> None:
    """A project that is active, cancelled, or closed before its work was done, is no outcome to compare with."""
    half = [*REVAMP_EV[:-1], REVAMP_EV[-2]]
    for found, projects in (
        finished(["V"], delivery="active"),
        finished(["V"], delivery="cancelled"),
        finished(["V"], ev=half),
    ):
        assert backtest.forecast_errors(found, projects=projects).empty
    assert backtest.error_bands(backtest.forecast_errors(found, projects=projects), rules=TEN).empty


def test_a_rule_without_figures_says_so() -> None:
    """Where no estimate of the management was returned its row stands there, without errors, and is never the best."""
    bands = bands_of(["V"], rules=ANY).query("rule in ('eac_bottom_up', 'forecast_returned')")
    assert bands["projects"].eq(0).all()
    assert bands["reason"].eq("no finished project has such a status date").all()
    assert not bands["lowest"].any()


# --- past outlooks ----------------------------------------------------------------------------------------------


def outlook_rows(project: str, *, said: float, spent: float) -> list[dict[str, Any]]:
    """Return a year (calendar 2024) with an outlook made in October, and its out-turn returned in January."""
    amounts = [
        ("2024-10", "actual", "2024-10", 10.0), ("2024-10", "forecast", "2024-12", said - 10.0),
        ("2025-01", "actual", "2024-10", 10.0), ("2025-01", "actual", "2024-12", spent - 10.0),
    ]  # fmt: skip
    return [finance_row(project, *amount) for amount in amounts]


def finance_row(project: str, returned: str, measure: str, month: str, amount: float) -> dict[str, Any]:
    """Return one finance row."""
    return {"project_id": project, "return_month": returned, "measure": measure, "period": month, "amount": amount}


def horizons(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return accuracy by horizon at January 2025."""
    ids = list(dict.fromkeys(row["project_id"] for row in rows))
    told: list[dict[str, Any]] = [
        {"period": month, "project_id": name, "delivery_status": "active"}
        for month in ("2024-10", "2025-01")
        for name in ids
    ]
    view = View("ROADS", "2025-01", "2024-10", 1)
    errors = accuracy.outlook_errors(finance(rows), projects=history("projects", told), states=STATES, view=view)
    return accuracy.by_horizon(errors)


def test_accuracy_and_bias_by_hand() -> None:
    """Outlooks of 120 and 80 for out-turns of 100 each are 40 / 200 off, and not biased: two months ahead."""
    found = horizons([*outlook_rows("A", said=120.0, spent=100.0), *outlook_rows("B", said=80.0, spent=100.0)])
    assert found[["months_ahead", "outlooks", "years", "wape", "bias"]].iloc[0].tolist() == [2, 2, 1, 0.2, 0.0]


def test_an_out_turn_of_nothing_has_no_accuracy() -> None:
    """Where nothing was spent there is no share of it: null with the reason, not infinite."""
    found = horizons(outlook_rows("A", said=50.0, spent=0.0)).iloc[0]
    assert pd.isna(found["wape"])
    assert found["reason"] == "the out-turn is 0"


def test_a_year_that_is_not_over_is_not_judged() -> None:
    """Outlooks of the current year, and of years without actual cost in a later return, are no evidence."""
    rows = [row for row in outlook_rows("A", said=120.0, spent=100.0) if row["return_month"] == "2024-10"]
    later = [
        finance_row("A", "2025-01", "forecast", month, amount)
        for month, amount in (("2024-12", 110.0), ("2025-12", 10.0))
    ]
    assert horizons([*rows, *later]).empty
