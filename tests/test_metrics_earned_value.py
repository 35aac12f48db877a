"""Earned value and earned schedule: published cases, edge cases, and a second way to compute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.metrics import earned_schedule, earned_value

TENTHS = [10_000.0 * period for period in range(1, 11)]
# Fabricom Airport Systems' re-vamp of a check-in island, thousands of euros a month: Vandevoorde and Vanhoucke,
# International Journal of Project Management 24, 2006; monthly data from github.com/castor00/EVapp @59f509fd,
# "Earned Value - Earned Schedule.xlsx".
REVAMP_PV = [28.975, 81.681, 91.681, 138.586, 218.141, 302.478, 323.632, 345.876, *[360.738] * 5]
REVAMP_EV = [
    25.645, 68.074, 89.135, 125.244, 198.754, 268.763, 292.469, 306.725, 312.864, 327.694, 338.672, 349.861, 360.738,
]  # fmt: skip
REVAMP_AC = [
    25.567, 66.293, 78.293, 124.073, 191.367, 259.845, 285.612, 290.843, 303.489, 316.431, 320.69, 336.756, 349.379,
]  # fmt: skip


def position(**figures: float) -> pd.DataFrame:
    """Return one position; PV, EV, AC and BAC by their usual names."""
    names = {"pv": "planned_value", "ev": "earned_value", "ac": "actual_cost", "bac": "budget"}
    return pd.DataFrame({names.get(name, name): [value] for name, value in figures.items()})


def figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Return all quantities of the first position, by name."""
    found: dict[str, Any] = every_figure(rows).iloc[0].to_dict()
    return found


def every_figure(rows: pd.DataFrame) -> pd.DataFrame:
    """Return all quantities."""
    time = earned_schedule.schedule(rows)
    rows = rows.assign(spi_t=time["spi_t"])
    money, estimates = earned_value.indices(rows), earned_value.cost_estimates(rows)
    after = earned_value.at_completion(rows, estimate=estimates["eac_cpi"], reason=estimates["eac_cpi_reason"])
    durations = earned_schedule.duration_estimates(rows)
    return pd.concat([money, time, estimates, after, durations], axis="columns")


def scheduled(
    curve: list[float], *, ev: list[float], ac: list[float] | None = None, at: float | None = None
) -> pd.DataFrame:
    """Return positions against a curve: one per earned value, at the end of period 1, 2, 3 … or at a time."""
    plans = pd.DataFrame({"plan": 0, "number": range(1, len(curve) + 1), "planned_value": curve})
    count = len(ev)
    rows = pd.DataFrame({"plan": [0] * count, "earned_value": ev, "actual_cost": ac or [math.nan] * count})
    rows["elapsed_months"] = np.arange(1.0, count + 1) if at is None else at
    upto = rows["elapsed_months"].clip(upper=len(curve)).astype(int)
    rows["planned_value"] = [curve[number - 1] for number in upto]
    return rows.assign(
        budget=max(curve), earned_months=earned_schedule.earned_months(rows, plans=plans),
        planned_months=rows["plan"].map(earned_schedule.planned_months(plans)),
    )  # fmt: skip


def revamp() -> pd.DataFrame:
    """Return the thirteen positions of the published project."""
    rows = scheduled(REVAMP_PV, ev=REVAMP_EV, ac=REVAMP_AC)
    return rows.assign(spi_t=earned_schedule.schedule(rows)["spi_t"])


def near(found: Any, expected: Any, *, within: float = 1e-6) -> bool:
    """Whether figures agree with published ones."""
    return bool(np.allclose(np.asarray(found, dtype=float), np.asarray(expected, dtype=float), rtol=0, atol=within))


def agrees(found: dict[str, Any], expected: dict[str, float], *, within: float = 1e-6) -> None:
    """Compare named figures."""
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=0, abs=within)


# --- published cases --------------------------------------------------------------------------------------------


def test_worked_evm_pra_doc_1() -> None:
    """Planned 40 % and 35 % done of 100,000 give SPI 0.875 and CPI 0.9722 (R package PRA 0.4.0, test-evm.R)."""
    found = figures(position(pv=40_000, ev=35_000, ac=36_000, bac=100_000))
    agrees(found, {"schedule_variance": -5000, "cost_variance": -1000, "spi": 0.875, "cpi": 0.9722222})


def test_worked_evm_pra_book_2() -> None:
    """Every estimate and to-complete index of a project at 40 % (R package PRA 0.4.0, ch-evm.html) is met."""
    found = figures(position(pv=250_000, ev=200_000, ac=290_000, bac=500_000))
    agrees(
        found,
        {
            "schedule_variance": -50_000, "cost_variance": -90_000, "spi": 0.8, "cpi": 0.69, "eac_cpi": 725_000,
            "eac_budget": 590_000, "eac_cpi_spi": 833_750, "estimate_to_complete": 435_000,
            "variance_at_completion": -225_000, "tcpi_budget": 1.429, "tcpi_estimate": 0.69,
        },
        within=0.001,
    )  # fmt: skip


def test_worked_evm_projectengineer_4() -> None:
    """A project that spent 4,500 to earn 2,000 has CPI 0.44, and 12,500 with the rest at budget (ProjectEngineer)."""
    found = figures(position(pv=3000, ev=2000, ac=4500, bac=10_000))
    expected = {"cost_variance": -2500, "schedule_variance": -1000, "cpi": 0.44, "spi": 0.67, "eac_budget": 12_500}
    agrees(found, expected, within=0.005)


def test_worked_pmcontrols_evm_hand_001() -> None:
    """A project behind plan and over cost (pmcontrols @6ae775d6, evm-hand-001) has every published figure."""
    found = figures(scheduled(TENTHS, ev=[30_000], ac=[35_000], at=4))
    agrees(
        found,
        {
            "cost_variance": -5000, "schedule_variance": -10_000, "cpi": 0.8571428571428571, "spi": 0.75,
            "eac_cpi": 116_666.6666667, "eac_budget": 105_000, "estimate_to_complete": 81_666.6666667,
            "tcpi_budget": 1.0769230769, "variance_at_completion": -16_666.6666667, "schedule_variance_months": -1.0,
            "spi_t": 0.75, "es_spi_t": 13.3333333333,
        },
    )  # fmt: skip


def test_worked_pmcontrols_evm_on_plan_002() -> None:
    """A project exactly on plan (pmcontrols @6ae775d6, evm-on-plan-002) has no variance and indices of 1."""
    found = figures(scheduled(TENTHS, ev=[40_000], ac=[40_000], at=4))
    expected = {"cost_variance": 0, "schedule_variance": 0, "cpi": 1, "spi": 1, "eac_cpi": 100_000}
    agrees(found, expected | {"variance_at_completion": 0, "schedule_variance_months": 0, "spi_t": 1, "es_spi_t": 10})


def test_worked_pmcontrols_evm_ahead_003() -> None:
    """A project ahead of plan (pmcontrols @6ae775d6, evm-ahead-003) finishes early and below budget."""
    found = figures(scheduled(TENTHS, ev=[50_000], ac=[45_000], at=4))
    expected = {"cost_variance": 5000, "schedule_variance": 10_000, "cpi": 1.1111111111, "spi": 1.25}
    expected |= {"eac_cpi": 90_000, "eac_budget": 95_000, "variance_at_completion": 10_000}
    agrees(found, expected | {"schedule_variance_months": 1, "spi_t": 1.25, "es_spi_t": 8})


def test_worked_pmcontrols_evm_complete_005() -> None:
    """A complete project (pmcontrols @6ae775d6, evm-complete-005) is estimated at what it cost; TCPI means nothing."""
    found = figures(scheduled(TENTHS, ev=[100_000], ac=[110_000], at=10))
    expected = {"cost_variance": -10_000, "schedule_variance": 0, "cpi": 0.9090909091, "spi": 1, "eac_cpi": 110_000}
    agrees(found, expected | {"variance_at_completion": -10_000, "spi_t": 1, "es_spi_t": 10})
    assert math.isnan(found["tcpi_budget"])
    assert found["tcpi_budget_reason"] == "the work is complete"


def test_worked_es_vv2006_es() -> None:
    """Earned schedule of the published 13-month project is met to 4 decimals, capped at the planned 9 months."""
    expected = [0.8851, 1.7418, 2.7454, 3.7156, 4.7563, 5.6002, 5.8813, 6.2008, 6.491, 7.1826, 7.6761, 8.2681, 9]
    assert near(revamp()["earned_months"], expected, within=1e-4)


def test_worked_es_vv2006_spit() -> None:
    """SPI(t) of the published project ends at 9 / 13: it does not forget the delay."""
    expected = [.8851, .8709, .9151, .9289, .9513, .9334, .8402, .7751, .7212, .7183, .6978, .689, .6923]  # fmt: skip
    assert near(revamp()["spi_t"], expected, within=1e-4)


def test_worked_es_vv2006_spi() -> None:
    """SPI in money of the published project returns to 1 at completion, four months late."""
    expected = [.8851, .8334, .9722, .9037, .9111, .8885, .9037, .8868, .8673, .9084, .9388, .9698, 1]  # fmt: skip
    assert near(earned_value.indices(revamp())["spi"], expected, within=1e-4)


def test_worked_es_vv2006_cpi() -> None:
    """CPI of the published project is met to 4 decimals."""
    expected = [1.0031, 1.0269, 1.1385, 1.0094, 1.0386, 1.0343, 1.024, 1.0546, 1.0309, 1.0356, 1.0561, 1.0389, 1.0325]
    assert near(earned_value.indices(revamp())["cpi"], expected, within=1e-4)


def test_worked_es_vv2006_eact_pf1() -> None:
    """AT + (PD − ES) of the published project is met to 4 decimals."""
    expected = [
        9.1149, 9.2582, 9.2546, 9.2844, 9.2437, 9.3998, 10.1187, 10.7992, 11.509, 11.8174, 12.3239, 12.7319, 13,
    ]  # fmt: skip
    assert near(earned_schedule.duration_estimates(revamp())["es_plan"], expected, within=1e-4)


def test_worked_es_vv2006_eact_pfspit() -> None:
    """PD / SPI(t) of the published project is met to 4 decimals."""
    expected = [
        10.1686, 10.3339, 9.8346, 9.689, 9.4611, 9.6425, 10.7119, 11.6115, 12.4789, 12.5303, 12.8971, 13.0622, 13,
    ]  # fmt: skip
    assert near(earned_schedule.duration_estimates(revamp())["es_spi_t"], expected, within=1e-4)


def test_worked_es_vv2006_eact_pfscit() -> None:
    """AT + (PD − ES) / (CPI × SPI(t)) of the published project is met to 4 decimals."""
    expected = [
        10.1408, 10.1159, 9.0033, 9.6358, 9.2953, 9.5216, 10.6249, 11.4245, 12.3746, 12.4433, 12.7964, 13.0224, 13,
    ]  # fmt: skip
    assert near(earned_schedule.duration_estimates(revamp())["es_cpi_spi_t"], expected, within=1e-4)


def test_worked_es_vv2006_ed_pf1() -> None:
    """Earned duration as published forecasts 9 months at the end of the 13th; with AT for PD it does not."""
    expected = [9.1149, 9.3332, 9.0833, 9.3851, 9.4444, 9.6688, 9.674, 9.9055, 10.1944, 9.916, 9.6729, 9.3618, 9]
    found = earned_schedule.duration_estimates(revamp())
    assert near(found["jacob_plan"], expected, within=1e-4)
    assert found["jacob_late"].iloc[-1] == 13


def test_worked_es_vv2006_pv1_bad() -> None:
    """Anbari's planned rate is BAC / PD: the spreadsheet's PV / AC (up to 55 months) is not repeated."""
    published = [12.2251, 22.1785, 11.4658, 21.9219, 27.7765, 41.6534, 39.1817, 46.9182, 55.3665]
    right = [9.083079687, 9.339479068, 9.063519784, 9.332867621, 9.483683449, 9.841150641, 9.777481164, 9.976772616,
             10.19440148, 9.82440996, 9.550521431, 9.271368694, 9.0]  # fmt: skip
    found = earned_schedule.duration_estimates(revamp())["anbari_plan"]
    assert near(found, right)
    assert not any(near(one, other, within=0.1) for one, other in zip(found, published, strict=False))


def test_worked_pmcontrols_es_interp_001() -> None:
    """Earned schedule interpolates within a period (pmcontrols @6ae775d6, es-interp-001)."""
    assert near(scheduled(TENTHS, ev=[34_000], at=1)["earned_months"], [3.4])


def test_worked_pmcontrols_es_interp_003() -> None:
    """Periods of unequal plan are interpolated by their own plan (pmcontrols @6ae775d6, es-interp-003)."""
    assert near(scheduled([20, 50, 90, 140, 200], ev=[70], at=1)["earned_months"], [2.5])


def test_worked_pmcontrols_es_interp_004() -> None:
    """Another plan of unequal periods (pmcontrols @6ae775d6, es-interp-004)."""
    assert near(scheduled([30, 70, 120, 180, 250], ev=[100], at=1)["earned_months"], [2.6])


# --- what cannot be computed ------------------------------------------------------------------------------------

PLAIN = {"pv": 40.0, "ev": 30.0, "ac": 35.0, "bac": 100.0}


@pytest.mark.parametrize(
    ("change", "figure", "reason"),
    [
        ({"ac": 0.0}, "cpi", "work is earned, but no cost is posted"),
        ({"ac": 0.0, "ev": 0.0}, "cpi", "nothing is spent"),
        ({"ac": -5.0}, "cpi", "actual cost is below 0"),
        ({"ac": math.nan}, "cpi", "no actual cost"),
        ({"pv": 0.0}, "spi", "nothing is planned yet"),
        ({"pv": 0.0}, "schedule_variance_share", "nothing is planned yet"),
        ({"pv": math.nan}, "spi", "no planned value"),
        ({"pv": 0.0}, "eac_cpi_spi", "nothing is planned yet"),
        ({"ev": 0.0}, "eac_cpi", "nothing is earned yet"),
        ({"ev": 0.0}, "cost_variance_share", "nothing is earned yet"),
        ({"ev": math.nan}, "cpi", "no earned value"),
        ({"ev": 100.1}, "cpi", "earned value is above the budget at completion"),
        ({"ev": 100.1}, "eac_budget", "earned value is above the budget at completion"),
        ({"bac": math.nan}, "eac_cpi", "no budget at completion"),
        ({"bac": math.nan}, "complete_share", "no budget at completion"),
        ({"bac": 0.0, "ev": 0.0}, "spent_share", "no budget at completion"),
        ({"ac": 100.0}, "tcpi_budget", "the budget is exhausted"),
        ({"ac": 120.0}, "tcpi_budget", "the budget is exhausted"),
        ({"ev": 100.0}, "tcpi_budget", "the work is complete"),
        ({"ev": 100.0}, "tcpi_estimate", "the work is complete"),
        ({}, "eac_recent", "too few months on this baseline"),
        ({"recent_earned": 0.0, "recent_cost": 5.0}, "eac_recent", earned_value.RECENT_STALL),
        ({"recent_earned": 5.0, "recent_cost": -1.0}, "eac_recent", earned_value.RECENT_STALL),
        ({}, "eac_bottom_up", "no estimate of the management"),
        ({}, "eac_cpi_spi_t", "no SPI(t)"),
        ({}, "tspi", "no planned value curve"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_says_why(change: dict[str, float], figure: str, reason: str) -> None:
    """A figure that cannot be computed is null with its reason: never 0, never infinite."""
    found = figures(position(**(PLAIN | change)))
    assert math.isnan(found[figure])
    assert found[f"{figure}_reason"] == reason


def test_nothing_earned_is_a_cpi_of_0() -> None:
    """Where money was spent and nothing earned, CPI is 0 and known; only the estimate that divides by it is null."""
    found = figures(position(**(PLAIN | {"ev": 0.0})))
    assert (found["cpi"], found["cpi_reason"], found["eac_budget"]) == (0.0, "", 135.0)


def test_a_complete_project_costs_what_it_cost() -> None:
    """Where all is earned every rule but management's own is the actual cost, even without a CPI of the last months."""
    found = figures(position(pv=80.0, ev=100.0, ac=0.0, bac=100.0))
    assert {found[rule] for rule in earned_value.COST_RULES if rule != "eac_bottom_up"} == {0.0}


def test_weighted_and_recent_estimates_by_hand() -> None:
    """CPI 0.75 and SPI 0.5 weighted 0.8 : 0.2 are 0.7; a recent CPI of 12 / 20 makes the rest cost 70 / 0.6."""
    rows = position(pv=60.0, ev=30.0, ac=40.0, bac=100.0, recent_earned=12.0, recent_cost=20.0)
    found = earned_value.cost_estimates(rows).iloc[0]
    assert found["eac_weighted"] == pytest.approx(40 + 70 / 0.7)
    assert found["eac_recent"] == pytest.approx(40 + 70 / 0.6)
    assert earned_value.cost_estimates(rows, weight=0.5)["eac_weighted"].iloc[0] == pytest.approx(40 + 70 / 0.625)


def test_management_below_the_trend_is_told() -> None:
    """Management's estimate more than 5 % below what the last months point to is marked, one 5 % below is not."""
    rows = pd.concat([position(pv=60.0, ev=50.0, ac=50.0, bac=100.0, recent_earned=10.0, recent_cost=10.0)] * 2)
    rows = rows.assign(management_estimate=[94.9, 95.0]).reset_index(drop=True)
    marked = earned_value.too_low(rows, estimates=earned_value.cost_estimates(rows), gap=0.05)
    assert marked.tolist() == [True, False]


@pytest.mark.parametrize(
    ("figure", "change", "reason"),
    [
        ("spi_t", {"elapsed_months": 0.0}, "no time has passed"),
        ("tspi", {"elapsed_months": 10.0}, "the planned finish has passed"),
        ("tspi_forecast", {}, "no forecast finish"),
        ("tspi_forecast", {"forecast_months": 3.0}, "the forecast finish has passed"),
        ("es_spi_t", {"earned_months": 0.0}, "nothing is earned, so there is no pace"),
        ("spi_t", {"earned_months": math.nan}, "no earned value"),
    ],
)
def test_time_that_cannot_be_computed_says_why(figure: str, change: dict[str, float], reason: str) -> None:
    """A figure of time that cannot be computed is null with its reason."""
    known = {"earned_months": 3.0, "elapsed_months": 4.0, "planned_months": 10.0} | PLAIN
    found = figures(position(**(known | change)))
    assert math.isnan(found[figure])
    assert found[f"{figure}_reason"] == reason


def test_the_pace_that_is_still_needed() -> None:
    """TSPI is what is left of the plan by what is left of the time: 7 / 6, and 7 / 8 to a finish after 12 months."""
    rows = position(earned_months=3.0, elapsed_months=4.0, planned_months=10.0, forecast_months=12.0)
    found = earned_schedule.schedule(rows).iloc[0]
    assert (found["tspi"], found["tspi_forecast"]) == pytest.approx((7 / 6, 7 / 8))


def test_flat_months_are_stepped_over() -> None:
    """Where no work is planned for two periods, work that reaches them counts as of their end; 0 earned stays at 0."""
    curve = [0.0, 10.0, 10.0, 10.0, 30.0]
    rows = scheduled(curve, ev=[0.0, 5.0, 10.0, 20.0, 30.0], at=1)
    assert rows["earned_months"].tolist() == [0.0, 1.5, 4.0, 4.5, 5.0]


def test_a_plan_that_stays_at_its_budget_ends_there() -> None:
    """The planned duration is the first period with the whole budget, however many follow."""
    rows = scheduled([50.0, 100.0, 100.0, 100.0], ev=[100.0, 120.0], at=1)
    assert rows["planned_months"].tolist() == [2.0, 2.0]
    assert rows["earned_months"].tolist() == [2.0, 2.0]


def test_no_plan_no_earned_schedule() -> None:
    """Positions without a curve, or without earned value, have no earned schedule; others are not disturbed."""
    plans = pd.DataFrame({"plan": [1, 1], "number": [1, 2], "planned_value": [5.0, 10.0]})
    rows = pd.DataFrame({"plan": [0, 1, 1], "earned_value": [5.0, math.nan, 7.5]})
    found = earned_schedule.earned_months(rows, plans=plans)
    assert found.isna().tolist() == [True, True, False]
    assert found.iloc[2] == 1.5
    assert earned_schedule.earned_months(rows, plans=plans.iloc[:0]).isna().all()


# --- properties -------------------------------------------------------------------------------------------------

FEW = settings(max_examples=10)
MONEY = st.integers(0, 10**9).map(lambda pennies: pennies / 100)
RISES = st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any)


@st.composite
def positions(draw: st.DrawFn) -> pd.DataFrame:
    """Draw positions that may lack anything, with EV up to BAC."""
    rows = [draw(one_position()) for _ in range(draw(st.integers(1, 12)))]
    return pd.concat(rows, ignore_index=True)


@st.composite
def one_position(draw: st.DrawFn) -> pd.DataFrame:
    """Draw one position."""
    bac = draw(st.integers(1, 10**9)) / 100
    whole = {"pv": draw(st.floats(0, 1)) * bac, "ev": draw(st.floats(0, 1)) * bac, "ac": draw(MONEY), "bac": bac}
    whole |= {"recent_earned": draw(MONEY), "recent_cost": draw(MONEY), "management_estimate": draw(MONEY)}
    whole |= {name: draw(st.floats(0, 60)) for name in earned_schedule.TIMES}
    missing = draw(st.sets(st.sampled_from(sorted(whole)), max_size=2))
    return position(**{name: math.nan if name in missing else value for name, value in whole.items()})


@FEW
@given(positions())
def test_every_figure_is_known_or_says_why(rows: pd.DataFrame) -> None:
    """A figure is a finite number with no reason, or null with one."""
    found = every_figure(rows)
    for name in (name for name in found if not name.endswith("_reason")):
        assert np.isfinite(found[name]).eq(found[f"{name}_reason"].eq("")).all()
        assert not np.isinf(found[name]).any()


@FEW
@given(positions(), st.sampled_from([0.001, 0.5, 3.0, 1000.0]))
def test_indices_do_not_depend_on_the_unit_of_money(rows: pd.DataFrame, factor: float) -> None:
    """In another unit of money indices stay the same, and estimates are the same money."""
    money = [name for name in rows.columns if name not in earned_schedule.TIMES]
    here, there = every_figure(rows), every_figure(rows.assign(**{name: rows[name] * factor for name in money}))
    for name in ("cpi", "spi", "complete_share", "tcpi_budget", "variance_at_completion_share", "anbari_plan"):
        assert np.allclose(there[name], here[name], rtol=1e-6, equal_nan=True)
    for rule in earned_value.COST_RULES:
        assert np.allclose(there[rule], here[rule] * factor, rtol=1e-6, equal_nan=True)


@FEW
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_identities_of_the_cpi_estimate(pv: int, ev: int, ac: int, more: int) -> None:
    """BAC / CPI = AC + (BAC − EV) / CPI; TCPI to it is the CPI; it is above BAC exactly where CPI is below 1."""
    found = figures(position(pv=pv, ev=ev, ac=ac, bac=ev + more))
    assert found["eac_cpi"] == pytest.approx((ev + more) / found["cpi"], rel=1e-9)
    assert found["tcpi_estimate"] == pytest.approx(found["cpi"], rel=1e-6)
    assert (found["variance_at_completion"] < -1e-6) == (found["cpi"] < 1)
    assert found["eac_budget"] == pytest.approx(ac + more)
    assert found["estimate_to_complete"] == pytest.approx(found["eac_cpi"] - ac)


@FEW
@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=2, max_size=8))
def test_the_index_of_a_sum_lies_within_its_parts(parts: list[tuple[int, int]]) -> None:
    """ΣEV / ΣAC lies between the lowest and the highest CPI of the parts."""
    ev, ac = (float(sum(side)) for side in zip(*parts, strict=True))
    cpis = [one / other for one, other in parts]
    found = figures(position(pv=1.0, ev=ev, ac=ac, bac=ev))["cpi"]
    assert min(cpis) - 1e-9 <= found <= max(cpis) + 1e-9


def by_loop(curve: list[float], *, ev: float) -> float:
    """Return earned schedule as Lipke writes it, period by period."""
    whole = max(curve)
    last = curve.index(whole) + 1
    if ev <= 0 or ev >= whole:
        return 0.0 if ev <= 0 else float(last)
    heights = [0.0, *curve[:last]]
    count = 0
    while heights[count + 1] <= ev:
        count += 1
    return count + (ev - heights[count]) / (heights[count + 1] - heights[count])


@FEW
@given(st.lists(st.tuples(RISES, st.floats(0, 1.1)), min_size=1, max_size=6))
def test_earned_schedule_by_a_plain_loop(cases: list[tuple[list[int], float]]) -> None:
    """All positions at once give what a loop over the periods gives, curve by curve."""
    curves = [np.cumsum(rises).astype(float).tolist() for rises, _ in cases]
    plans = pd.concat(
        [
            pd.DataFrame({"plan": plan, "number": range(1, len(curve) + 1), "planned_value": curve})
            for plan, curve in enumerate(curves)
        ]
    )
    earned = [share * max(curve) for (_, share), curve in zip(cases, curves, strict=True)]
    rows = pd.DataFrame({"plan": range(len(cases)), "earned_value": earned})[::-1]
    found = earned_schedule.earned_months(rows, plans=plans).sort_index()
    expected = [by_loop(curve, ev=ev) for curve, ev in zip(curves, earned, strict=True)]
    assert near(found, expected, within=1e-9)


@FEW
@given(RISES, st.floats(0, 1.1), st.floats(0, 1.1))
def test_earned_schedule_rises_with_earned_value(rises: list[int], one: float, other: float) -> None:
    """More earned is never an earlier time, never before 0 and never after the planned duration."""
    curve = np.cumsum(rises).astype(float).tolist()
    low, high = sorted((one, other))
    found = scheduled(curve, ev=[low * max(curve), high * max(curve)], at=1)
    assert 0 <= found["earned_months"].iloc[0] <= found["earned_months"].iloc[1] <= found["planned_months"].iloc[0]


@FEW
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30))
def test_on_plan_is_now(rises: list[int]) -> None:
    """Where what is earned is what is planned, earned schedule is now, and the finish is as planned."""
    curve = np.cumsum(rises).astype(float).tolist()
    rows = scheduled(curve, ev=curve, ac=curve)
    assert rows["earned_months"].tolist() == list(range(1, len(curve) + 1))
    found = earned_schedule.duration_estimates(rows)
    for rule in ("es_plan", "es_spi_t", "es_cpi_spi_t", "anbari_plan", "anbari_spi", "jacob_plan", "jacob_late"):
        assert near(found[rule], [len(curve)] * len(curve), within=1e-6)


@FEW
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=12), st.integers(0, 12))
def test_at_completion_time_is_what_it_took(rises: list[int], late: int) -> None:
    """At completion SPI(t) is planned by actual duration and every ES rule gives the actual one, however late."""
    curve = np.cumsum(rises).astype(float).tolist()
    took = float(len(curve) + late)
    rows = scheduled(curve, ev=[curve[-1]], ac=[1.0], at=took)
    found = earned_schedule.duration_estimates(rows).iloc[0]
    assert earned_schedule.schedule(rows)["spi_t"].iloc[0] == pytest.approx(len(curve) / took)
    assert [found[rule] for rule in ("es_plan", "es_spi_t", "es_cpi_spi_t", "jacob_late")] == pytest.approx([took] * 4)


@FEW
@given(RISES, st.floats(0.01, 1.0), st.floats(0.5, 40.0))
def test_two_ways_to_write_the_finish_at_the_pace_so_far(rises: list[int], share: float, at: float) -> None:
    """AT + (PD − ES) / SPI(t) = PD / SPI(t)."""
    curve = np.cumsum(rises).astype(float).tolist()
    rows = scheduled(curve, ev=[share * max(curve)], at=1).assign(elapsed_months=at)
    found = earned_schedule.duration_estimates(rows)["es_spi_t"].iloc[0]
    planned, spi_t = rows["planned_months"].iloc[0], earned_schedule.schedule(rows)["spi_t"].iloc[0]
    assert found == pytest.approx(planned / spi_t, rel=1e-9)
