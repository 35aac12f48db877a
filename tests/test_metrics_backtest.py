"""Which forecast to believe: the published project, errors by share complete, and past outlooks of the year."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import history
from hypothesis import given, settings, strategies as st
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


VIEW = View("ROADS", "2025-01", "2024-10", 1)


def returned(rows: list[dict[str, Any]], **managers: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the errors of past outlooks at January 2025, and the projects with their managers."""
    ids = list(dict.fromkeys(row["project_id"] for row in rows))
    told: list[dict[str, Any]] = [
        {"period": month, "project_id": name, "delivery_status": "active", "manager": managers.get(name)}
        for month in ("2024-10", "2025-01")
        for name in ids
    ]
    projects = history("projects", told)
    return accuracy.outlook_errors(finance(rows), projects=projects, states=STATES, view=VIEW), projects


def horizons(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return accuracy by horizon at January 2025."""
    return accuracy.by_horizon(returned(rows)[0])


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


# --- past outlooks beside new ones ------------------------------------------------------------------------------


def promised(rows: list[dict[str, Any]], *, ahead: int = 2, **managers: str) -> pd.DataFrame:
    """Return the outlooks of last year as promises, judged within 5 %."""
    errors, projects = returned(rows, **managers)
    return accuracy.outlook_promises(errors, projects=projects, ahead=ahead, tolerance=0.05)


def test_an_outlook_is_a_promise_of_its_forecaster() -> None:
    """By hand: 120 for an out-turn of 100 is 17 % under, broken; 100 for 104 is kept; 0 for 10 is broken."""
    past = promised(
        [
            *outlook_rows("A", said=120.0, spent=100.0),
            *outlook_rows("B", said=100.0, spent=104.0),
            *outlook_rows("C", said=0.0, spent=10.0),
        ],
        A="Ann",
    )
    assert past["kept"].tolist() == [False, True, False]
    assert past["miss"].iloc[:2].round(4).tolist() == [-0.1667, 0.04]
    assert pd.isna(past["miss"].iloc[2])
    assert past["forecaster"].tolist() == ["Ann", "not stated", "not stated"]
    assert set(past["kind"]) == {"outlook of the year"}


@pytest.mark.parametrize(("ahead", "count"), [(0, 0), (1, 1), (3, 1), (4, 0)])
def test_only_outlooks_as_far_ahead_are_compared(ahead: int, count: int) -> None:
    """An outlook made two months before the end of its year says little of one made six months before, or of none."""
    assert len(promised(outlook_rows("A", said=120.0, spent=100.0), ahead=ahead)) == count


def test_the_same_amount_given_again_is_one_promise() -> None:
    """By hand: October and November said 120, December 110: two promises, of October and of December."""
    rows = outlook_rows("A", said=120.0, spent=100.0)
    rows += [
        finance_row("A", month, measure, at, amount)
        for month, rest in (("2024-11", 110.0), ("2024-12", 100.0))
        for measure, at, amount in (("actual", "2024-10", 10.0), ("forecast", "2024-12", rest))
    ]
    errors, projects = returned(rows)
    past = accuracy.outlook_promises(errors, projects=projects, ahead=1, tolerance=0.05)
    assert list(zip(past["period"], past["promised_amount"], strict=True)) == [("2024-10", 120.0), ("2024-12", 110.0)]


def beside(rows: list[dict[str, Any]], *, now: list[tuple[str, float | None]], **managers: str) -> pd.DataFrame:
    """Return outlooks of now beside those of last year, as if they looked two months ahead."""
    errors, projects = returned(rows, **managers)
    in_year = pd.DataFrame(now, columns=["project_id", "outlook"]).assign(currency="GBP", source_ref="f, row 1")
    errors = errors.assign(months_ahead=11)  # as January, the month of the view, looks ahead
    return accuracy.outlooks_beside(in_year, errors=errors, projects=projects, view=VIEW, tolerance=0.05)


FIVE = [row for key, spent in zip("ABCDE", (100.0, 110.0, 120.0, 130.0, 140.0), strict=True)
        for row in outlook_rows(key, said=100.0, spent=spent)]  # fmt: skip


def test_the_outlook_of_now_stands_beside_those_of_its_forecaster_and_portfolio() -> None:
    """By hand: five outlooks of 100 became 100 to 140: median 20 % dearer, one kept; Ann's two are too few to say."""
    table = beside(FIVE, now=[("A", 50.0), ("B", 200.0), ("C", None)], A="Ann", B="Ann", C="Bo", D="Bo", E="Bo")
    assert table["project_id"].tolist() == ["B", "A"], "the largest first, and none without an outlook"
    assert table[["own_n", "forecaster_n", "forecaster_kept"]].to_numpy().tolist() == [[1, 2, 1], [1, 2, 1]]
    assert table["portfolio_n"].tolist() == [5, 5]
    assert table["portfolio_kept"].tolist() == [1, 1]
    assert table["expected_by"].tolist() == ["portfolio", "portfolio"]
    assert table["expected_amount"].round(2).tolist() == [240.0, 60.0]
    of_one = beside(FIVE, now=[("A", 50.0)], **dict.fromkeys("ABCDE", "Ann"))
    assert of_one["expected_by"].tolist() == ["forecaster"]


def test_without_a_past_year_nothing_stands_beside() -> None:
    """Where no past year can be judged the exhibit is empty, and the page says so."""
    assert beside(FIVE[:2], now=[("A", 50.0)]).empty


@given(
    factor=st.integers(50, 200),
    said=st.lists(st.integers(1, 10**6), min_size=5, max_size=8),
    now=st.integers(1, 10**6),
)
@settings(max_examples=15)
def test_outlooks_that_all_missed_alike_move_the_next_one_so(factor: int, said: list[int], now: int) -> None:
    """Whatever the sizes, if every out-turn was f times its outlook, f times this one is to be expected."""
    keys = [f"P{at}" for at in range(len(said))]
    errors = pd.DataFrame(
        {"year": "2024", "period": "2024-10", "months_ahead": 11, "project_id": keys, "own_of": "",
         "outlook": [float(amount) for amount in said], "out_turn": [amount * factor / 100 for amount in said]}
    )  # fmt: skip
    projects = history("projects", [{"period": month, "project_id": key} for month in ("2024-10", "2025-01")
                                    for key in keys])  # fmt: skip
    in_year = pd.DataFrame({"project_id": keys[:1], "outlook": [float(now)], "currency": "GBP", "source_ref": "r"})
    row = accuracy.outlooks_beside(in_year, errors=errors, projects=projects, view=VIEW, tolerance=0.05).iloc[0]
    assert row["expected_amount"] == pytest.approx(now * factor / 100)
    assert row["portfolio_kept"] == (len(said) if 95 <= factor <= 105 else 0)
