"""Cost and finish of a portfolio simulated together: against exact moments, by hand, and with gaps in the return."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics import distributions as shapes, simulation
from pmo_lib.metrics.chance import NEEDS, Chance
from pmo_lib.metrics.draws import Draws
from pmo_lib.parameters.models import Organisation, SimulationRules

TODAY = pd.Timestamp("2026-09-30")
FIXED = {"cost_low": 0.0, "cost_high": 0.0, "days_low": 0.0, "days_high": 0.0}


def typed(name: str, *rows: dict[str, Any]) -> pd.DataFrame:
    """Return rows of a contract table with its types."""
    contract = TABLES[name]
    table = pd.DataFrame(rows, columns=list(contract.names))
    return table.astype({column.name: column.dtype for column in contract.columns})


def project(name: str, **columns: Any) -> dict[str, Any]:
    """Return a project of 1,000 with 400 days to go."""
    return {
        "portfolio_id": "A", "project_id": name, "name": f"Project {name}", "delivery_status": "active",
        "currency": "GBP", "budget_at_completion": 1_100.0, "whole_life_cost_forecast": 1_000.0,
        "finish_baseline_on": "2027-03-31", "finish_forecast_on": "2027-03-31", "source_ref": name,
    } | columns  # fmt: skip


def risk(name: str, of: str | None, **columns: Any) -> dict[str, Any]:
    """Return an open threat of 100 to 400."""
    return {
        "portfolio_id": "A", "risk_id": name, "status_date": TODAY, "project_id": of, "kind": "threat",
        "title": f"Risk {name}", "status": "open", "probability": 0.4, "cost_impact_low": 100.0,
        "cost_impact_likely": 200.0, "cost_impact_high": 400.0, "currency": "GBP", "source_ref": name,
    } | columns  # fmt: skip


def spent(name: str, amount: float, month: str = "2026-09") -> dict[str, Any]:
    """Return earned value with an actual cost."""
    return {"portfolio_id": "A", "project_id": name, "month": month, "baseline_version": "1",
            "planned_value": 1.0, "earned_value": 1.0, "actual_cost": amount, "currency": "GBP"}  # fmt: skip


def house(*projects: dict[str, Any], rules: dict[str, Any] | None = None, **rows: list[dict[str, Any]]) -> Chance:
    """Return the simulation of a portfolio; 10,000 trials unless told otherwise."""
    given = {"trials_least": 10_000, "trials_most": 10_000} | (rules or {})
    tables = {name: typed(name, *rows.get(name, ())) for name in NEEDS} | {"projects": typed("projects", *projects)}
    settings = Organisation(id="o", name="O", simulation=SimulationRules(**given))
    return Chance(tables, settings, TODAY)


def level(odds: Chance, name: str = "") -> dict[str, Any]:
    """Return the row of a project, or of the whole portfolio."""
    rows = odds.levels
    return dict(rows[rows["project_id"].eq(name)].iloc[0])


def test_mean_and_variance_are_exact() -> None:
    """Without time in the cost, the sum has the means of lines and risks, and variance sᵀ R s plus the risks' own."""
    odds = house(project("P"), project("Q"), risks=[risk("R", "P")], rules={"time_share": 0.0},
                 earned_value=[spent("P", 400.0)])  # fmt: skip
    lines = shapes.moments(
        pd.DataFrame({"kind": "pert", "low": [540.0, 900], "likely": [600.0, 1_000], "high": [750.0, 1_250]})
    )
    struck = shapes.struck_moments(
        shapes.moments(pd.DataFrame({"kind": ["pert"], "low": [100.0], "likely": [200.0], "high": [400.0]})),
        probability=pd.Series([0.4]),
    ).iloc[0]
    variance = shapes.sum_variance(np.sqrt(lines["variance"]), correlation=np.array([[1, 0.2], [0.2, 1]]))
    found = level(odds)
    assert found["mean"] == pytest.approx(400 + lines["mean"].sum() + struck["mean"], rel=0.002)
    assert found["deviation"] == pytest.approx(np.sqrt(variance + struck["variance"]), rel=0.02)


def test_correlation_moves_no_mean_and_no_project() -> None:
    """Ties between projects widen the portfolio, and leave each project's own P80 and the mean where they were."""
    loose = house(project("P"), project("Q"), rules={"correlation_between": 0.0, "correlation_within": 0.0})
    tight = house(project("P"), project("Q"), rules={"correlation_between": 0.9, "correlation_within": 0.9})
    assert level(tight)["deviation"] > 1.15 * level(loose)["deviation"]
    assert level(tight)["mean"] == pytest.approx(level(loose)["mean"], rel=0.002)
    # Cost to go and time of one project are tied as well, so its own spread grows; its mean does not.
    assert level(tight, "P")["mean"] == pytest.approx(level(loose, "P")["mean"], rel=0.002)


def test_percentiles_are_never_added() -> None:
    """The P80 of the portfolio is below the sum of its projects' P80s, which stands beside it; P50 ≤ P80 ≤ P90."""
    found = level(house(project("P"), project("Q"), project("R")))
    assert found["p50"] < found["p80"] < found["p90"]
    assert found["p80"] < found["sum_p80"]


def test_without_spread_it_is_the_forecast() -> None:
    """No range and no risk: every percentile is the forecast, the finish the forecast finish, the chance 1 or 0."""
    odds = house(project("P"), project("Q", budget_at_completion=999.0), rules=FIXED)
    assert level(odds)["p10"] == level(odds)["p90"] == pytest.approx(2_000)
    assert [level(odds, name)["chance_of_budget"] for name in "PQ"] == [1, 0]
    assert level(odds, "P")["finish_p80_on"] == pd.Timestamp("2027-03-31")
    assert level(odds, "P")["joint_confidence"] == 1
    assert odds.drivers["moves_p80"].abs().max() == pytest.approx(0, abs=1e-9)


def test_what_is_late_costs_more() -> None:
    """Ten days late of a hundred, at a quarter of the cost to go for time: 2.5 % of the cost to go more."""
    delay = risk("R", "P", probability=1.0, cost_impact_likely=None, cost_impact_low=None, cost_impact_high=None,
                 days_impact_likely=10.0)  # fmt: skip
    odds = house(project("P", finish_forecast_on="2027-02-17"), risks=[delay], rules=FIXED)
    assert odds.units[0].schedule is not None
    assert odds.units[0].schedule.base == 100
    assert level(odds, "P")["p50"] == pytest.approx(1_025)
    assert level(odds, "P")["finish_p50_on"] == pd.Timestamp("2027-03-03")
    driver = odds.risk_drivers.iloc[0]
    assert (driver["moves_p80"], driver["finish_p80_days"]) == pytest.approx((25.0, 10.0))


def test_joint_confidence_is_below_either_chance() -> None:
    """Budget and baseline finish both hold in no more trials than either does."""
    odds = house(project("P", budget_at_completion=1_050.0, finish_baseline_on="2027-04-15"), risks=[risk("R", "P")])
    found = level(odds, "P")
    assert 0 < found["joint_confidence"] <= min(found["chance_of_budget"], found["chance_of_finish"])
    assert found["joint_confidence"] > found["chance_of_budget"] * found["chance_of_finish"]


def test_a_new_row_moves_no_draw_of_another() -> None:
    """A further project and a further risk leave every trial of the first project as it was."""
    small, large = house(project("P")), house(project("P"), project("A"), risks=[risk("R", "A"), risk("S", None)])
    place = [unit.row["project_id"] for unit in large.units].index("P")
    assert small.cost_of(0).tobytes() == large.cost_of(place).tobytes()
    assert small.finish_of(0).tobytes() == large.finish_of(place).tobytes()


def test_an_opportunity_saves() -> None:
    """A certain opportunity of 200 lowers the mean by its mean, and moves P80 down."""
    saving = risk("R", "P", kind="opportunity", probability=1.0)
    with_it, without = house(project("P"), risks=[saving]), house(project("P"))
    mean = (100 + 4 * 200 + 400) / 6
    assert level(with_it)["mean"] == pytest.approx(level(without)["mean"] - mean, rel=0.001)
    assert with_it.risk_drivers["moves_p80"].iloc[0] < -100


def test_a_risk_without_a_range_counts_with_its_most_likely_impact() -> None:
    """Where low and high are not returned the impact is certain if it strikes."""
    bare = risk("R", "P", cost_impact_low=None, cost_impact_high=None)
    costs = house(project("P"), risks=[bare], rules=FIXED | {"time_share": 0.0}).cost_of(0)
    assert sorted(set(costs)) == [1_000, 1_200]
    assert (costs > 1_000).mean() == pytest.approx(0.4, abs=0.015)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"cost_impact_low": 300.0}, "low above most likely"),
        ({"cost_impact_high": 150.0}, "most likely above high"),
        ({"cost_impact_high": None}, "a point is missing"),
        ({"cost_impact_likely": None}, "no most likely impact"),
        ({"probability": None}, "no probability"),
        ({"kind": None}, "threat or opportunity not stated"),
        ({"cost_impact_low": -1.0}, "negative impact: a magnitude is expected"),
        ({"currency": "USD"}, "no rate for its currency"),
    ],
)
def test_a_risk_that_cannot_be_priced_is_listed(columns: dict[str, Any], reason: str) -> None:
    """What is out of order or missing keeps a risk out of every figure, and the list says why; it is not 0."""
    odds = house(project("P"), risks=[risk("R", "P", **columns)], rules={"trials_least": 256, "trials_most": 256})
    kind = "threat" if columns.get("kind", "threat") else "not stated"
    assert odds.risk_drivers[["risk_id", "kind", "reason"]].to_numpy().tolist() == [["R", kind, reason]]
    assert odds.risk_drivers["moves_p80"].isna().all()
    assert (level(odds)["risks"], level(odds)["risks_left_out"]) == (0, 1)
    assert np.array_equal(
        odds.cost_of(0), house(project("P"), rules={"trials_least": 256, "trials_most": 256}).cost_of(0)
    )


def test_what_is_over_is_out() -> None:
    """Closed and cancelled projects, closed risks, risks that cannot occur or whose project is closed move nothing."""
    rows = [risk("R", "P", status="closed"), risk("S", "P", probability=0.0), risk("T", "X")]
    odds = house(
        project("P"), project("X", delivery_status="closed"), project("Y", delivery_status="cancelled"), risks=rows
    )
    assert [unit.row["project_id"] for unit in odds.units] == ["P"]
    assert odds.risks[["risk_id", "cost_reason"]].to_numpy().tolist() == [["T", "its project is over"]]


def test_a_returned_range_is_taken_before_an_assumed_one() -> None:
    """A forecast that was returned as a range has its own low, mid and high, less what is spent."""
    state = {"portfolio_id": "A", "table_name": "projects", "row_key": "P", "column_name": "whole_life_cost_forecast",
             "state": "range", "low": "900", "mid": "1000", "high": "1600"}  # fmt: skip
    odds = house(project("P", whole_life_cost_forecast=None), states=[state], earned_value=[spent("P", 300.0)])
    line = odds.lines.iloc[0]
    assert [line[name] for name in ("forecast", "spent", "low", "likely", "high")] == [1_000, 300, 600, 700, 1_300]
    assert line["basis"] == "range as returned"


def test_a_project_without_a_forecast_is_listed_and_not_zero() -> None:
    """It has a row with the reason and no figure; the portfolio is without it; with none at all there is no table."""
    odds = house(project("P"), project("Q", whole_life_cost_forecast=None, budget_at_completion=None))
    assert level(odds, "Q")["reason"] == "no whole-life cost forecast"
    assert pd.isna(level(odds, "Q")["p80"])
    assert level(odds)["forecast"] == 1_000
    none = house(project("Q", whole_life_cost_forecast=None))
    assert none.levels.empty
    assert none.drivers.empty
    assert none.critical_tasks.empty


def test_the_chance_of_the_budget_is_of_those_that_have_one() -> None:
    """A project without a budget is in the percentiles, and neither in the portfolio's budget nor in its chance."""
    odds = house(project("P"), project("Q", budget_at_completion=None), rules=FIXED)
    whole = level(odds)
    assert (whole["p80"], whole["budget"], whole["budgeted"], whole["chance_of_budget"]) == (2_000, 1_100, 1, 1.0)
    assert level(odds, "Q")["budget_reason"] == "no budget returned"


def test_a_finish_that_is_past_is_not_simulated() -> None:
    """Where the forecast finish is past there is no finish to come, and cost does not run with time."""
    odds = house(project("P", finish_forecast_on="2026-09-01"))
    found = level(odds, "P")
    assert (found["finish_reason"], found["joint_reason"]) == ("no finish to come is returned",) * 2
    assert pd.isna(found["finish_p80_on"])
    assert odds.units[0].burn == 0
    assert found["mean"] == pytest.approx((900 + 4_000 + 1_250) / 6, rel=0.002)


def test_cost_after_the_status_date_is_not_spent() -> None:
    """The last actual cost up to the month of the report is what is spent; a later one is a fault of the return."""
    odds = house(
        project("P"), earned_value=[spent("P", 400.0), spent("P", 900.0, "2026-12"), spent("P", 100.0, "2026-01")]
    )
    assert odds.lines["spent"].tolist() == [400]
    over = house(project("P"), earned_value=[spent("P", 1_300.0)])
    assert (over.lines["to_go"].iloc[0], over.lines["basis"].iloc[0]) == (0, "nothing to go")
    done = house(project("P", finish_forecast_on="2026-09-01"), earned_value=[spent("P", 1_300.0)])
    assert (level(done)["p50"], len(done.drivers)) == (1_300, 0)


def tasks(**days: float) -> list[dict[str, Any]]:
    """Return tasks of project P with a range of −20 to +50 %."""
    return [
        {"portfolio_id": "A", "project_id": "P", "task_id": name, "name": name, "duration_days": length,
         "duration_optimistic_days": 0.8 * length, "duration_pessimistic_days": 1.5 * length, "is_summary": False}
        for name, length in days.items()
    ]  # fmt: skip


def link(first: str, then: str) -> dict[str, Any]:
    """Return a finish-start link of project P."""
    return {"portfolio_id": "A", "project_id": "P", "predecessor_id": first, "successor_id": then, "type": "fs"}


def test_a_network_is_simulated_where_there_is_one() -> None:
    """Two equal branches before a last task: each is critical half the time, the last one always."""
    odds = house(project("P"), tasks=tasks(A=40.0, B=40.0, C=10.0), links=[link("A", "C"), link("B", "C")])
    found = odds.critical_tasks.set_index("task_id")["criticality"]
    assert found["C"] == 1
    assert found["A"] + found["B"] == pytest.approx(1)
    assert found["A"] == pytest.approx(0.5, abs=0.05)
    assert level(odds, "P")["days_basis"] == "network of 3 tasks"
    assert odds.finish_of(0).mean() > (0.8 + 4 + 1.5) / 6 * 50


@pytest.mark.parametrize(("task", "late", "moved"), [("A", 60, 10), ("B", 53, 3), (None, 60, 10), ("GONE", 60, 10)])
def test_a_risk_delays_its_task(task: str | None, late: int, moved: int) -> None:
    """Ten days on a task with seven of float move the finish by three; on the critical one, or on none, by ten."""
    ends = ("duration_optimistic_days", "duration_pessimistic_days")
    certain = [row | dict.fromkeys(ends, row["duration_days"]) for row in tasks(A=40.0, B=33.0, C=10.0)]
    days = {"days_impact_likely": 10.0, "probability": 1.0, "task_id": task}
    free = {"cost_impact_low": None, "cost_impact_likely": None, "cost_impact_high": None}
    odds = house(
        project("P"), tasks=certain, links=[link("A", "C"), link("B", "C")], risks=[risk("R", "P", **days, **free)]
    )
    assert set(odds.finish_of(0)) == {late}
    assert odds.risk_drivers["finish_p80_days"].tolist() == [moved]


def test_effects_of_risks_are_those_of_leaving_each_out() -> None:
    """What a risk adds to the finish and to the cost is what is missing where the register has it not, to the penny."""
    network = {"tasks": tasks(A=40.0, B=38.0, C=10.0), "links": [link("A", "C"), link("B", "C")]}
    days = {"days_impact_low": 2.0, "days_impact_likely": 5.0, "days_impact_high": 20.0}
    register = [risk("R", "P", task_id="B", **days), risk("S", "P", **days), risk("T", "P", task_id="A", **days)]
    whole = house(project("P"), risks=register, **network)
    for place, one in enumerate(register):
        without = house(project("P"), risks=[*register[:place], *register[place + 1 :]], **network)
        row = whole.risk_drivers.set_index("risk_id").loc[one["risk_id"]]
        assert row["moves_p80"] == pytest.approx(level(whole)["p80"] - level(without)["p80"])
        p80s = [simulation.percentile(odds.finish_of(0), share=0.8) for odds in (whole, without)]
        assert row["finish_p80_days"] == pytest.approx(p80s[0] - p80s[1])


def test_a_network_with_a_loop_gives_way_to_one_line() -> None:
    """A loop is named in the row of its project, and the forecast finish is simulated instead: no page is lost."""
    odds = house(project("P"), tasks=tasks(A=40.0, B=40.0), links=[link("A", "B"), link("B", "A")])
    assert level(odds, "P")["days_basis"] == "the schedule has a loop among A, B; one line to the forecast finish"


def test_trials_end_when_p80_stands_or_at_the_most() -> None:
    """N, seed and half the interval stand in every row; it says so where the precision was not reached."""
    done = house(project("P"), rules={"trials_least": 512, "trials_most": 16_384})
    assert done.sample.converged
    assert level(done)["half_width"] <= 0.005 * level(done)["p80"]
    short = house(project("P"), risks=[risk("R", "P", cost_impact_high=40_000.0)],
                  rules={"trials_least": 512, "trials_most": 1_024})  # fmt: skip
    assert (level(short)["trials"], level(short)["converged"], level(short)["seed"]) == (1_024, False, 1)


def test_the_fan_of_the_year() -> None:
    """From the last closed month on: spent, then what is to come as drawn; P50 below P80, and both widen."""
    phased = pd.DataFrame({"number": range(1, 13), "closed": [n <= 6 for n in range(1, 13)], "outlook": 10.0})
    entries = pd.DataFrame({"part": "outlook", "number": [*range(1, 13)] * 2, "minor": 500, "own_of": "",
                            "project_id": ["P"] * 12 + ["Q"] * 12})  # fmt: skip
    odds = house(project("P"), project("Q"))
    found = odds.fan(SimpleNamespace(phased=phased, entries=entries))
    assert found["p50_cumulative"].isna().tolist() == [True] * 5 + [False] * 7
    assert found["p80_cumulative"].iloc[5] == 60
    widths = (found["p80_cumulative"] - found["p50_cumulative"]).iloc[5:]
    assert (widths.diff().dropna() > 0).all()
    drawn = [simulation.percentile(30 * sum(_factors(odds)), share=share) for share in (0.5, 0.8)]
    assert found.iloc[-1][["p50_cumulative", "p80_cumulative"]].tolist() == pytest.approx([60 + each for each in drawn])
    over = odds.fan(SimpleNamespace(phased=phased.assign(closed=True), entries=entries))
    assert over["p80_cumulative"].isna().all()


def _factors(odds: Chance) -> list[np.ndarray]:
    draws = Draws(1, range(odds.rules.trials_least))
    return [draws.of(odds.factor(name)) for name in "PQ"]


def test_the_seed_is_the_whole_of_the_chance() -> None:
    """The same seed gives the same bytes, another one other draws."""
    small = {"trials_least": 512, "trials_most": 512}
    one, again, other = (house(project("P"), rules=small | {"seed": seed}) for seed in (1, 1, 2))
    assert one.sample.outcomes.tobytes() == again.sample.outcomes.tobytes() != other.sample.outcomes.tobytes()


def test_amounts_in_another_currency_are_converted() -> None:
    """Forecast, range and impact in dollars count at the stated rate."""
    rate = {"per_unit": 0.5, "on": "2026-01-01", "source": "Bank"}
    odds = house(project("P", currency="USD"), risks=[risk("R", "P", currency="USD")])
    settings = odds.settings.model_validate(odds.settings.model_dump() | {"rates": {"USD": rate}})
    found = Chance(odds.tables, settings, TODAY)
    assert found.lines[["forecast", "budget"]].iloc[0].tolist() == [500, 550]
    assert found.risks["cost_likely"].tolist() == [100]
