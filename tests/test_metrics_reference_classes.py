"""Reference classes: published cases, own projects from twenty on, and what is borrowed called so."""

from __future__ import annotations

import random
from typing import Any, get_args

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from pmo_lib.errors import ReportError
from pmo_lib.metrics import reference_classes as classes
from pmo_lib.parameters.models import PublishedClass, ReferenceRules

NO_EARNED_VALUE = pd.DataFrame({"project_id": [], "month": [], "actual_cost": []})


def project(name: str, period: str, **columns: Any) -> dict[str, Any]:
    """Return one returned project."""
    return {
        "period": period, "portfolio_id": "HW", "project_id": name, "name": name,
        "delivery_status": "active", "currency": "GBP",
        "whole_life_cost_baseline": 100.0, "whole_life_cost_forecast": 100.0, "start_baseline_on": "2024-01-01",
        "finish_baseline_on": "2024-04-10", "start_actual_on": "2024-01-01", "finish_actual_on": None,
        "finish_forecast_on": "2024-05-20",
        "source_ref": "row",
    } | columns  # fmt: skip


def history(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return returned projects as a history."""
    table = pd.DataFrame(rows)
    days = [name for name in table.columns if name.endswith("_on")]
    return table.assign(**{name: pd.to_datetime(table[name]) for name in days})


def finished(count: int) -> pd.DataFrame:
    """Return so many finished projects that cost 1 to ``count`` per cent more than estimated."""
    return history(*[
        row
        for n in range(1, count + 1)
        for row in (
            project(f"P{n:02}", "2024-01"),
            project(f"P{n:02}", "2024-06", delivery_status="closed", whole_life_cost_baseline=999.0,
                    whole_life_cost_forecast=100.0 + n, finish_actual_on="2024-04-30"),
        )
    ])  # fmt: skip


def known(rows: pd.DataFrame, *, earned_value: pd.DataFrame = NO_EARNED_VALUE) -> pd.DataFrame:
    """Return the estimates of portfolio HW."""
    return classes.estimates(rows, earned_value=earned_value, portfolio_id="HW")


def test_worked_ob_combined_capex() -> None:
    """A project of 30 % non-standard and 70 % standard buildings: 15.3 + 16.8 = 32.1 %."""
    bounds = [classes.PUBLISHED[name].cost for name in ("non-standard buildings", "standard buildings")]
    assert [share * bound for share, bound in zip((0.3, 0.7), bounds, strict=True)] == pytest.approx([0.153, 0.168])
    assert classes.combined(bounds, shares=[0.3, 0.7]) == pytest.approx(0.321, abs=1e-9)


def test_worked_ob_managed() -> None:
    """92 % of a bound of 51 % managed leaves 4 % in whole per cent: 100 becomes 104, and 111 with the 7 spent on it."""
    left = round(classes.managed(0.51, reduction=0.92), 2)
    assert (left, 100 * (1 + left), 100 * (1 + left) + 7) == pytest.approx((0.04, 104, 111), abs=1e-9)


def test_shares_and_reductions_out_of_range_are_refused() -> None:
    """Shares that do not make 1, and a reduction above 1, are refused."""
    with pytest.raises(ReportError, match=r"make 0\.9"):
        classes.combined([0.5, 0.2], shares=[0.5, 0.4])
    with pytest.raises(ReportError, match="no share"):
        classes.managed(0.5, reduction=1.2)


def test_the_first_estimate_is_held_against_the_outcome() -> None:
    """A later baseline is no estimate; the last actual cost is the outcome before any forecast; 120 days of 100."""
    rows = finished(1)
    spent = pd.DataFrame({"project_id": ["P01", "P01"], "month": ["2024-05", "2024-04"], "actual_cost": [130.0, 90.0]})
    found = known(rows, earned_value=spent).set_index("measure")
    assert found.loc["cost", ["estimate", "outcome", "growth"]].tolist() == pytest.approx([100, 130, 0.3])
    assert found.loc["duration", ["estimate", "outcome", "growth"]].tolist() == pytest.approx([100, 120, 0.2])
    assert known(rows).set_index("measure").loc["cost", "growth"] == pytest.approx(0.01)


def test_a_running_project_is_held_against_its_forecast() -> None:
    """Cost 150 forecast on 100 is +50 %, 140 days forecast on 100 are +40 %; what it spent so far is no outcome."""
    rows = history(project("A", "2024-01"), project("A", "2024-03", whole_life_cost_forecast=150.0))
    spent = pd.DataFrame({"project_id": ["A"], "month": ["2024-02"], "actual_cost": [20.0]})
    found = known(rows, earned_value=spent)
    assert not found["finished"].any()
    assert found["growth"].tolist() == pytest.approx([0.5, 0.4])


def test_what_is_no_case_says_why() -> None:
    """Without an estimate or an outcome, or gone before its end, a project has the reason; others are not listed."""
    rows = history(
        project("A", "2024-01"),
        project("B", "2024-02", whole_life_cost_baseline=None, whole_life_cost_forecast=None, delivery_status="closed"),
        project("C", "2024-02", delivery_status="cancelled"),
        project("D", "2024-02", portfolio_id="ELSEWHERE"),
    )
    found = known(rows)
    assert found["project_id"].tolist() == ["A", "A", "B", "B"]
    assert found["reason"].tolist() == [
        "no forecast returned now", "no forecast returned now", "no first estimate returned", "no outcome returned",
    ]  # fmt: skip
    assert found["growth"].isna().all()


def test_own_projects_make_a_class_from_twenty_on() -> None:
    """Of overruns of 1 to 20 % P50 is 11 % and P80 17 %: the larger observed value; nineteen are not enough."""
    own = classes.reference_class(known(finished(20)), rules=ReferenceRules()).set_index("measure")
    assert own.loc["cost", ["basis", "projects"]].tolist() == [classes.OWN, 20]
    assert own.loc["cost", ["p50", "p80"]].tolist() == pytest.approx([0.11, 0.17])
    rules = ReferenceRules(classes={"standard buildings": 1.0})
    lent = classes.reference_class(known(finished(19)), rules=rules).set_index("measure")
    assert lent["basis"].tolist() == [classes.BORROWED] * 2
    assert lent.loc["cost", "upper_bound"] == 0.24
    assert lent.loc["cost", "reason"] == "19 of our own are finished, 20 are needed"
    assert lent.loc["cost", "source"].startswith("Mott MacDonald")
    assert lent[["p50", "p80"]].isna().all(axis=None)


def test_without_a_class_it_says_so() -> None:
    """No own projects and no class named: none, with the reason; a class without a bound of duration lends none."""
    rows = known(history(project("A", "2024-01")))
    assert set(classes.reference_class(rows, rules=ReferenceRules())["basis"]) == {classes.NONE}
    roads = classes.reference_class(rows, rules=ReferenceRules(classes={"roads": 1.0})).set_index("measure")
    assert roads["basis"].to_dict() == {"cost": classes.BORROWED, "duration": classes.NONE}
    assert classes.NOT_CLOSED in roads.loc["duration", "reason"]


def test_a_mixture_is_weighed_and_what_is_managed_is_taken_off() -> None:
    """30 % of 51 % and 70 % of 24 % are 32.1 %; half of it managed leaves 16.05 %."""
    mix = {"non-standard buildings": 0.3, "standard buildings": 0.7}
    rows = known(history(project("A", "2024-01")))
    found = classes.reference_class(rows, rules=ReferenceRules(classes=mix, managed_share=0.5))
    assert found["upper_bound"].tolist() == pytest.approx([0.1605, (0.3 * 0.39 + 0.7 * 0.04) / 2])
    with pytest.raises(ValueError, match="must make 1"):
        ReferenceRules(classes={"roads": 0.5})


def test_the_parameters_know_the_published_classes() -> None:
    """What may be named in the parameters is what is published here."""
    assert set(get_args(PublishedClass)) == set(classes.PUBLISHED)


def test_the_outside_view_holds_running_projects_against_the_class() -> None:
    """Two of 100 each become 234 with a P80 of 17 %; their forecasts of 110 and 130 make 240, +20 % in the median."""
    running = [project("A", "2024-06", whole_life_cost_forecast=110.0),
               project("B", "2024-06", whole_life_cost_forecast=130.0)]  # fmt: skip
    rows = pd.concat([finished(20), history(*running)], ignore_index=True)
    view = classes.OutsideView(known(rows), rules=ReferenceRules()).classes.set_index("measure")
    assert view.loc["cost", ["running", "estimate", "with_class", "forecast"]].tolist() == pytest.approx(
        [2, 200, 234, 240]
    )
    assert view.loc["cost", "growth_so_far"] == pytest.approx(0.2)
    assert view.loc["duration", "sum_reason"] == classes.DAYS_APART
    assert view.loc["duration", ["estimate", "with_class", "forecast"]].isna().all()


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=30), st.randoms())
def test_any_class_lies_within_what_was_observed(pairs: list[tuple[float, float]], order: random.Random) -> None:
    """P50 ≤ P80, both observed, from twenty on and in any order of the rows; below twenty there is none."""
    rows = history(*[
        row
        for place, (first, last) in enumerate(pairs)
        for row in (
            project(f"P{place}", "2024-01", whole_life_cost_baseline=first),
            project(f"P{place}", "2024-02", delivery_status="closed", whole_life_cost_forecast=last),
        )
    ])  # fmt: skip
    shuffled = rows.iloc[order.sample(range(len(rows)), len(rows))]
    found = classes.reference_class(known(shuffled), rules=ReferenceRules()).iloc[0]
    if len(pairs) < 20:
        assert found["basis"] == classes.NONE
        return
    observed = [last / first - 1 for first, last in pairs]
    assert found["p50"] <= found["p80"]
    assert min(abs(found["p80"] - each) for each in observed) < 1e-9
    assert sum(each <= found["p80"] + 1e-9 for each in observed) >= 0.8 * len(observed)
