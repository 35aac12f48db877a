"""Reference classes: published cases, own projects from twenty on, and what is borrowed called so."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pmo_lib.errors import ReportError
from pmo_lib.metrics import reference_classes as classes

NO_EARNED_VALUE = pd.DataFrame({"project_id": [], "month": [], "actual_cost": []})


def project(name: str, period: str, **columns: Any) -> dict[str, Any]:
    """Return one returned project."""
    return {
        "period": period, "project_id": name, "delivery_status": "active", "currency": "GBP",
        "whole_life_cost_baseline": 100.0, "whole_life_cost_forecast": 100.0, "start_baseline_on": "2024-01-01",
        "finish_baseline_on": "2024-04-10", "start_actual_on": "2024-01-01", "finish_actual_on": None,
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
    found = classes.overruns(rows, earned_value=spent).set_index("measure")
    assert found.loc["cost", ["estimate", "actual", "overrun"]].tolist() == pytest.approx([100, 130, 0.3])
    assert found.loc["duration", ["estimate", "actual", "overrun"]].tolist() == pytest.approx([100, 120, 0.2])
    without = classes.overruns(rows, earned_value=NO_EARNED_VALUE).set_index("measure")
    assert without.loc["cost", "overrun"] == pytest.approx(0.01)


def test_only_what_is_finished_is_in_a_class() -> None:
    """An active project has no outcome; a finished one without an estimate is listed with the reason, not dropped."""
    rows = history(
        project("A", "2024-01"),
        project("B", "2024-01", whole_life_cost_baseline=None, whole_life_cost_forecast=None, delivery_status="closed"),
    )
    found = classes.overruns(rows, earned_value=NO_EARNED_VALUE)
    assert found["project_id"].tolist() == ["B", "B"]
    assert found["reason"].tolist() == ["no first estimate returned", "no outcome returned"]
    assert found["overrun"].isna().all()


def test_own_projects_make_a_class_from_twenty_on() -> None:
    """Of overruns of 1 to 20 % P50 is 11 % and P80 17 %: the larger observed value; nineteen are not enough."""
    own = classes.reference_class(classes.overruns(finished(20), earned_value=NO_EARNED_VALUE)).set_index("measure")
    assert own.loc["cost", ["basis", "projects"]].tolist() == [classes.OWN, 20]
    assert own.loc["cost", ["p50", "p80"]].tolist() == pytest.approx([0.11, 0.17])
    few = classes.overruns(finished(19), earned_value=NO_EARNED_VALUE)
    lent = classes.reference_class(few, borrowed="standard buildings").set_index("measure")
    assert lent["basis"].tolist() == [classes.BORROWED] * 2
    assert lent.loc["cost", "upper_bound"] == 0.24
    assert lent.loc["cost", "reason"] == "19 of our own are finished, 20 are needed"
    assert lent.loc["cost", "source"].startswith("Mott MacDonald")
    assert lent[["p50", "p80"]].isna().all(axis=None)


def test_without_a_class_it_says_so() -> None:
    """No own projects and no class named: none, with the reason; a class without a bound of duration lends none."""
    none = classes.overruns(history(project("A", "2024-01")), earned_value=NO_EARNED_VALUE)
    assert set(classes.reference_class(none)["basis"]) == {classes.NONE}
    roads = classes.reference_class(none, borrowed="roads").set_index("measure")
    assert roads["basis"].to_dict() == {"cost": classes.BORROWED, "duration": classes.NONE}
    assert classes.NOT_CLOSED in roads.loc["duration", "reason"]


def test_a_stage_of_few_projects_is_no_class() -> None:
    """Slip by stage: percentiles of 20 followed projects stand, those of 19 are not given."""
    slips = pd.DataFrame({"first_stage": ["Design", "Build"], "followed": [20, 19], "few": [False, True],
                          "p50_days": [423.0, 5.0], "p80_days": [1036.0, 9.0]})  # fmt: skip
    found = classes.slip_classes(slips)
    assert found["basis"].tolist() == [classes.OWN, classes.NONE]
    assert found["p80_days"].tolist()[0] == 1036
    assert found["p80_days"].isna().tolist() == [False, True]
    assert found["reason"].tolist() == ["", "19 followed, 20 are needed"]
