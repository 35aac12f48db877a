"""From returned figures to positions and their sums: baselines, calendar, stops, faults, levels, months."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from histories import history
from hypothesis import given, settings, strategies as st

from pmo_lib.errors import ParameterError, ReportError
from pmo_lib.metrics import earned, earned_value, progress
from pmo_lib.metrics.calendar import calendar_of, month_numbers, months_written
from pmo_lib.parameters.models import Organisation, WorkingCalendar

ENGLAND = WorkingCalendar(country="GB", subdivision="ENG")
FEW = settings(max_examples=10)
MONTHS = [f"{2025 + number // 12}-{number % 12 + 1:02d}" for number in range(24)]
NO_BASELINES = history("baselines", [{"period": "2025-03", "project_id": "NONE", "version": "1"}])


def days(*words: str) -> pd.Series:
    """Return dates as a column."""
    return pd.Series(pd.to_datetime(list(words)))


def rows_of(
    project: str, *, plan: list[float], ev: list[float], ac: list[float], version: str = "1", start: int = 0
) -> list[dict[str, Any]]:
    """Return rows of earned value: a plan from a month on, EV and AC of its first months."""
    return [
        {
            "project_id": project, "month": MONTHS[start + number], "baseline_version": version, "planned_value": value,
            "earned_value": ev[number] if number < len(ev) else None,
            "actual_cost": ac[number] if number < len(ac) else None,
        }
        for number, value in enumerate(plan)
    ]  # fmt: skip


def measured(
    rows: list[dict[str, Any]], *, period: str, projects: list[dict[str, Any]] | None = None,
    baselines: list[dict[str, Any]] | None = None, status_on: str = "",
) -> progress.Progress:  # fmt: skip
    """Return progress at the end of a month, from rows that were returned in it (or in the ``period`` they name)."""
    ids = dict.fromkeys(row["project_id"] for row in rows)
    told = projects or [{"project_id": project} for project in ids]
    approved = [{"period": period} | row for row in baselines or []]
    return progress.measured(
        history("earned_value", [{"period": period} | row for row in rows]),
        baselines=history("baselines", approved) if approved else NO_BASELINES,
        projects=history("projects", [{"period": period} | row for row in told]),
        settings=Organisation(id="x", name="x", working_calendar=ENGLAND),
        status_on=pd.Timestamp(status_on) if status_on else pd.Period(period, freq="M").end_time.normalize(),
    )


def projects_of(*ids: str, **more: Any) -> pd.DataFrame:
    """Return projects of now."""
    return history("projects", [{"period": "2025-03", "project_id": name, **more} for name in ids]).drop(
        columns="period"
    )


PLAN = [10.0, 30.0, 60.0, 100.0]


# --- the calendar -----------------------------------------------------------------------------------------------


def test_a_day_stands_where_the_working_days_of_its_month_have_come_to() -> None:
    """April 2026 has 20 working days in England (Good Friday 3 April, Easter Monday 6 April): the 7th is the third."""
    start = month_numbers(pd.Series(["2026-04"])).iloc[0]
    times = calendar_of(ENGLAND).time_of(days("2026-04-01", "2026-04-06", "2026-04-07", "2026-04-30")) - start
    assert times.tolist() == pytest.approx([1 / 20, 2 / 20, 3 / 20, 1.0])


def test_holidays_are_known_years_ahead() -> None:
    """Easter Monday of 2035 is 26 March; Christmas of 2032 falls on a weekend and is kept on Monday and Tuesday."""
    off = np.array(["2035-03-26", "2032-12-27", "2032-12-28"], dtype="datetime64[D]")
    assert not np.is_busday(off, busdaycal=calendar_of(ENGLAND).days).any()


def test_declared_days_and_weeks_are_kept() -> None:
    """A day declared closed is no working day, and an organisation may work on other days than Monday to Friday."""
    rules = WorkingCalendar.model_validate({"working_days": ["sun", "mon"], "closed_on": ["2026-03-02"]})
    found = calendar_of(rules).time_of(days("2026-03-01", "2026-03-02", "2026-03-08")) - 674
    assert found.tolist() == pytest.approx([1 / 9, 1 / 9, 2 / 9])


def test_an_unknown_country_is_refused() -> None:
    """A country without known holidays is an error that says what to write."""
    with pytest.raises(ParameterError, match="no public holidays are known for XX"):
        calendar_of(WorkingCalendar(country="XX"))


@FEW
@given(
    st.lists(st.dates(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2090-12-31").date()), min_size=1, max_size=40)
)
def test_a_working_day_comes_back_from_its_time(found: list[Any]) -> None:
    """The day that a working day's time reaches is that day, and a later day never has an earlier time."""
    calendar = calendar_of(ENGLAND)
    stamps = pd.Series(pd.to_datetime(sorted(found)))
    times = calendar.time_of(stamps)
    assert times.is_monotonic_increasing
    working = np.is_busday(stamps.to_numpy(dtype="datetime64[D]"), busdaycal=calendar.days)
    first_day_off = stamps.dt.day.eq(1) & ~working
    assert calendar.day_at(times)[working].tolist() == stamps[working].tolist()
    assert (calendar.day_at(times)[~working & ~first_day_off] <= stamps[~working & ~first_day_off]).all()


def test_beyond_the_calendar_there_is_no_day() -> None:
    """A time after 2100, or none, reaches no day."""
    assert calendar_of(ENGLAND).day_at(pd.Series([131 * 12 + 0.5, math.nan, 0.0])).isna().all()


def test_months_are_numbers_and_back() -> None:
    """Months as numbers come back as they were written."""
    months = pd.Series(["1970-01", "2026-12", "2100-02"])
    assert months_written(month_numbers(months)).tolist() == months.tolist()


# --- positions --------------------------------------------------------------------------------------------------


def test_a_position_by_hand() -> None:
    """After two of four months, 20 of 30 planned are earned: ES 1.5 months, SPI(t) 0.75, BAC 100."""
    found = measured(rows_of("A", plan=PLAN, ev=[8, 20], ac=[9, 25]), period="2025-02").positions.iloc[-1]
    names = ["planned_value", "budget", "earned_months", "elapsed_months", "planned_months", "spi_t"]
    assert found[names].tolist() == [30.0, 100.0, 1.5, 2.0, 4.0, 0.75]
    assert found["planned_finish_on"] == pd.Timestamp("2025-04-30")


def test_a_status_date_within_a_month_counts_the_part_that_has_passed() -> None:
    """On 14 February 2025, after 10 of 20 working days, 1.5 months have passed and half of the month's plan is due."""
    rows = rows_of("A", plan=PLAN, ev=[8, 20], ac=[9, 25])
    found = measured(rows, period="2025-02", status_on="2025-02-14").positions.iloc[-1]
    assert found[["elapsed_months", "planned_value", "earned_months"]].tolist() == [1.5, 20.0, 1.5]


def test_baselines_are_never_spliced() -> None:
    """A month is measured against the baseline in force in it, and nothing is taken across a re-baseline."""
    first = rows_of("A", plan=PLAN, ev=[8, 20, 30], ac=[9, 25, 40])
    second = rows_of("A", plan=[8, 20, 40, 80, 160, 200], ev=[], ac=[], version="2")
    for number, ev in ((2, 40.0), (3, 70.0)):
        second[number] |= {"earned_value": ev, "actual_cost": ev}
    approved = [{"project_id": "A", "version": "1", "approved_on": pd.Timestamp("2025-01-02")},
                {"project_id": "A", "version": "2", "approved_on": pd.Timestamp("2025-03-20")}]  # fmt: skip
    found = measured([*first, *second], period="2025-04", baselines=approved).positions
    assert found["baseline_version"].tolist() == ["1", "1", "2", "2"]
    assert found["budget"].tolist() == [100.0, 100.0, 200.0, 200.0]
    assert found["earned_months"].tolist() == pytest.approx([0.8, 1.5, 3.0, 3.75])
    assert found["recent_earned"].isna().all()


def test_without_approvals_the_baseline_that_began_last_is_in_force() -> None:
    """Where no approval is returned, the version whose figures began last counts."""
    rows = [*rows_of("A", plan=PLAN, ev=[8, 20], ac=[9, 25], version="9"),
            *rows_of("A", plan=[50.0, 90.0], ev=[20], ac=[25], version="10", start=1)]  # fmt: skip
    found = measured(rows, period="2025-02").positions
    assert found["baseline_version"].tolist() == ["9", "10"]


def test_recent_rises_are_of_the_same_baseline() -> None:
    """The rise of three months is taken from the start of the first baseline, and from three months before later on."""
    plan = [10.0, 20.0, 30.0, 40.0, 50.0]
    found = measured(rows_of("A", plan=plan, ev=[5, 12, 20, 31], ac=[6, 14, 24, 30]), period="2025-04").positions
    assert found["recent_earned"].fillna(-1).tolist() == [-1, -1, 20, 26]
    assert found["recent_cost"].fillna(-1).tolist() == [-1, -1, 24, 24]


def test_time_stands_still_at_completion() -> None:
    """A project that is complete a month early keeps its finish, and stands in later months with its last figures."""
    found = measured(rows_of("A", plan=PLAN, ev=[20, 60, 100], ac=[20, 50, 90]), period="2025-06").positions
    assert found["month"].tolist() == ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"]
    assert found["elapsed_months"].tolist() == [1, 2, 3, 3, 3, 3]
    assert found["planned_value"].tolist() == [10, 30, 60, 100, 100, 100]
    assert found["spi_t"].iloc[-1] == pytest.approx(4 / 3)


def test_months_at_a_stop_are_not_counted() -> None:
    """A month in which a project was returned as paused and earned nothing is taken out of the elapsed time."""
    rows = rows_of("A", plan=PLAN, ev=[10, 10, 30], ac=[10, 11, 30])
    told = [{"period": "2025-02", "project_id": "A", "delivery_status": "paused"},
            {"period": "2025-03", "project_id": "A", "delivery_status": "active"}]  # fmt: skip
    found = measured(rows, period="2025-03", projects=told).positions
    assert found["elapsed_months"].tolist() == [1.0, 1.0, 2.0]
    assert found["spi_t"].tolist() == [1.0, 1.0, 1.0]
    assert "months at a stop are not counted" in found["flags"].iloc[-1]


def test_a_stop_that_the_plan_foresees_leaves_both_scales() -> None:
    """A stop in a month without planned work leaves the plan as well: its duration is shorter by that month."""
    rows = rows_of("A", plan=[10.0, 10.0, 60.0, 100.0], ev=[10, 10, 60], ac=[1, 1, 1])
    told = [{"period": month, "project_id": "A", "delivery_status": "paused"} for month in ("2025-02", "2025-03")]
    found = measured(rows, period="2025-03", projects=told).positions.iloc[-1]
    assert found[["planned_months", "elapsed_months", "earned_months", "planned_value"]].tolist() == [3, 2, 2, 60]


@pytest.mark.parametrize(
    ("plan", "budget", "reason"),
    [
        ([10.0, 30.0, 20.0, 100.0], None, "planned value falls"),
        ([10.0, 30.0, None, 100.0], None, "planned value has a gap"),
        ([10.0, 30.0, 60.0, 100.0], 200.0, "planned value ends below the budget"),
        ([None, None, None, None], None, "no planned value for this baseline"),
    ],
)
def test_a_curve_that_cannot_be_used_says_why(plan: list[Any], budget: float | None, reason: str) -> None:
    """A faulty curve gives no earned schedule, says why, and hides neither EV, AC nor the CPI."""
    baselines = [{"project_id": "A", "version": "1", "budget": budget}] if budget else None
    found = measured(rows_of("A", plan=plan, ev=[8, 20], ac=[9, 25]), period="2025-02", baselines=baselines)
    row = found.positions.iloc[-1]
    assert (row["plan_reason"], row["budget"] if budget else None) == (reason, budget)
    assert math.isnan(row["planned_months"])
    assert earned_value.indices(found.positions)["cpi"].iloc[-1] == pytest.approx(0.8)


def test_odd_figures_are_told() -> None:
    """Falling earned value, credits, unposted cost, work above the budget and restated months are flagged."""
    rows = [*rows_of("A", plan=PLAN, ev=[20, 15], ac=[30, 20]), *rows_of("B", plan=PLAN, ev=[5, 101], ac=[0, 1])]
    again = {"period": "2025-01", **rows_of("A", plan=PLAN, ev=[18], ac=[30])[0]}
    found = measured([*rows, again], period="2025-02").positions.set_index(["project_id", "month"])["flags"]
    assert found["A", "2025-01"] == "restated in a later return"
    assert found["A", "2025-02"] == "earned value fell; actual cost fell"
    assert found["B", "2025-01"] == "work earned, no cost posted; low confidence"
    assert found["B", "2025-02"] == "earned value is above the budget at completion"


def test_what_was_known_then_is_kept_beside_what_is_known_now() -> None:
    """Positions are as the last return has them; those as reported first stand beside them."""
    old = [{"period": "2025-01", **row} for row in rows_of("A", plan=PLAN, ev=[8], ac=[9])]
    found = measured([*old, *rows_of("A", plan=PLAN, ev=[6, 20], ac=[9, 25])], period="2025-02")
    assert found.positions["earned_value"].tolist() == [6.0, 20.0]
    assert found.reported["earned_value"].tolist() == [8.0, 20.0]


def test_management_estimates_count_on_the_budget_s_scope_only() -> None:
    """A whole-life cost forecast is the management's estimate where its baseline is the budget, in one currency."""
    told = [
        {"project_id": "A", "whole_life_cost_forecast": 130.0, "whole_life_cost_baseline": 100.0, "currency": "GBP"},
        {"project_id": "B", "whole_life_cost_forecast": 900.0, "whole_life_cost_baseline": 800.0, "currency": "GBP"},
        {"project_id": "C", "whole_life_cost_forecast": 130.0, "currency": "EUR"},
    ]
    rows = [row for name in "ABC" for row in rows_of(name, plan=PLAN, ev=[8, 20], ac=[9, 25])]
    found = measured(rows, period="2025-02", projects=told).positions.drop_duplicates("project_id", keep="last")
    assert found["management_estimate"].fillna(-1).tolist() == [130.0, -1, -1]


def test_standing_tells_of_every_project() -> None:
    """A project without figures, with old ones, or with unusable ones says so."""
    figures = {"A": ([8, 20], [9, 25]), "B": ([8], [9]), "C": ([8, 120], [9, 25]), "D": ([8, 20], [9])}
    rows = [row for name, (ev, ac) in figures.items() for row in rows_of(name, plan=PLAN, ev=ev, ac=ac)]
    told = [{"project_id": name} for name in "ABCDE"]
    found = measured(rows, period="2025-02", projects=told)
    table = progress.standing(found, projects=projects_of(*"ABCDE")).set_index("project_id")
    assert table["reason"].to_dict() == {
        "A": "", "B": "no figures after 2025-01", "C": "earned value is above the budget at completion",
        "D": "no actual cost", "E": "no earned value returned",
    }  # fmt: skip
    assert table.loc["B", "earned_value"] == 8.0


def test_nothing_returned_is_empty() -> None:
    """Without earned value every table is empty, with its columns."""
    found = measured(rows_of("A", plan=PLAN, ev=[8], ac=[9]), period="2025-01", projects=[{"project_id": "Z"}])
    assert found.positions.empty
    assert earned.units(
        found, projects=projects_of("Z"), programmes=pd.DataFrame(columns=["programme_id", "name"])
    ).empty
    assert earned.months(found, projects=projects_of("Z")).empty


# --- sums -------------------------------------------------------------------------------------------------------

PROGRAMMES = pd.DataFrame({"programme_id": ["P"], "name": ["Bridges"]})


def two_projects() -> progress.Progress:
    """Return a large project in order and a small one far over cost, two months on."""
    large = rows_of("A", plan=[50.0, 100.0, 150.0, 200.0], ev=[50, 100], ac=[60, 125])
    small = rows_of("B", plan=[5.0, 10.0], ev=[10], ac=[5], start=1)
    return measured([*large, *small], period="2025-02")


def test_the_index_of_a_portfolio_is_the_ratio_of_sums() -> None:
    """100 / 125 and 10 / 5 make 110 / 130 = 0.846; the mean of the ratios would say 1.4."""
    units = earned.units(two_projects(), projects=projects_of("A", "B"), programmes=PROGRAMMES.iloc[:0])
    assert units["level"].tolist() == ["portfolio", "project", "project"]
    assert units["cpi"].tolist() == pytest.approx([110 / 130, 0.8, 2.0])
    assert units.loc[0, ["planned_value", "earned_value", "actual_cost", "budget"]].tolist() == [105, 110, 130, 210]


def test_earned_schedule_of_a_sum_is_read_on_the_sum_of_the_curves() -> None:
    """The curves add up to 50, 105, 160, 210: 110 earned is 2 months and 5 / 55 of the third."""
    units = earned.units(two_projects(), projects=projects_of("A", "B"), programmes=PROGRAMMES.iloc[:0])
    names = ["earned_months", "elapsed_months", "planned_months"]
    assert units.loc[0, names].tolist() == pytest.approx([2 + 5 / 55, 2, 4])


def test_programmes_stand_before_their_projects() -> None:
    """Levels come in reading order, and a programme's money is the sum of its projects'."""
    projects = pd.concat([projects_of("A", programme_id="P"), projects_of("B")], ignore_index=True)
    units = earned.units(two_projects(), projects=projects, programmes=PROGRAMMES)
    assert units["name"].tolist() == ["Whole portfolio", "Bridges", "A", "Without programme", "B"]
    assert units["budget"].tolist() == [210, 200, 200, 10, 10]


def test_functions_are_sums_of_the_same_positions() -> None:
    """Any column makes a level: a function over portfolios has the ratio of their sums and the sum of their curves."""
    found = two_projects()
    standing = progress.standing(found, projects=projects_of("A", "B")).assign(function="Transport")
    whole = earned.sums(standing, progress=found, by=["function"])
    units = earned.units(found, projects=projects_of("A", "B"), programmes=PROGRAMMES.iloc[:0])
    assert whole[["earned_value", "actual_cost", "earned_months"]].iloc[0].tolist() == pytest.approx(
        units.loc[0, ["earned_value", "actual_cost", "earned_months"]].tolist()
    )


def test_currencies_are_not_added() -> None:
    """Earned value in two currencies is refused, not added."""
    euro = [row | {"currency": "EUR"} for row in rows_of("B", plan=PLAN, ev=[8], ac=[9])]
    found = measured([*rows_of("A", plan=PLAN, ev=[8], ac=[9]), *euro], period="2025-01")
    with pytest.raises(ReportError, match="currency is mixed"):
        earned.units(found, projects=projects_of("A", "B"), programmes=PROGRAMMES)


def test_only_what_can_be_added_is_added() -> None:
    """A project without figures of the month is in no sum; the level says how many are."""
    rows = [*rows_of("A", plan=PLAN, ev=[8, 20], ac=[9, 25]), *rows_of("B", plan=PLAN, ev=[8], ac=[9])]
    units = earned.units(measured(rows, period="2025-02"), projects=projects_of("A", "B"), programmes=PROGRAMMES)
    assert units.loc[0, ["projects", "projects_measured", "budget"]].tolist() == [2, 1, 100.0]


def test_finish_dates_are_working_days_counted_from_now() -> None:
    """At SPI(t) 0.75 four months take 5 1/3: the finish is a third into June 2025, its seventh working day."""
    found = measured(rows_of("A", plan=PLAN, ev=[8, 20], ac=[9, 25]), period="2025-02")
    units = earned.units(found, projects=projects_of("A"), programmes=PROGRAMMES)
    assert units.loc[1, "es_spi_t"] == pytest.approx(5 + 1 / 3)
    assert units.loc[1, "es_spi_t_on"] == pd.Timestamp("2025-06-10")
    assert units.loc[1, "es_plan_on"] == pd.Timestamp("2025-05-15")


def test_a_finish_beyond_the_calendar_says_so() -> None:
    """Where hardly anything is earned the finish is a reason, not a date in another century."""
    found = measured(rows_of("A", plan=PLAN, ev=[0.01, 0.01], ac=[9, 25]), period="2025-02")
    units = earned.units(found, projects=projects_of("A"), programmes=PROGRAMMES)
    assert pd.isna(units.loc[1, "es_spi_t_on"])
    assert units.loc[1, "es_spi_t_on_reason"] == "beyond 2100 at this pace"


def test_months_follow_the_same_projects_back() -> None:
    """By month the indices are those of the sums in that month, and the plan runs on to its end."""
    months = earned.months(two_projects(), projects=projects_of("A", "B")).set_index("month")
    assert months["planned_value"].tolist() == [50, 105, 160, 210]
    assert months["known"].tolist() == [True, True, False, False]
    assert months["cpi"].iloc[:2].tolist() == pytest.approx([50 / 60, 110 / 130])
    assert months["projects"].iloc[:2].tolist() == [1, 2]
    assert months["behind_months"].iloc[0] == pytest.approx(-5 / 55)
    assert months.loc["2025-03", "cpi_reason"] == "no figures in this month"


@settings(max_examples=4)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 9999), min_size=2, max_size=6), st.integers(1, 9999)), min_size=1, max_size=5
    )
)
def test_sums_by_a_plain_loop(parts: list[tuple[list[int], int]]) -> None:
    """Sums of money by level are what a loop over the projects gives, to the penny, and so is the summed curve."""
    rows: list[dict[str, Any]] = []
    for number, (rises, ac) in enumerate(parts):
        curve = [sum(rises[: end + 1]) / 100 for end in range(len(rises))]
        rows += rows_of(f"P{number}", plan=curve, ev=[curve[0] / 2], ac=[ac / 100], start=1)
    names = [f"P{number}" for number in range(len(parts))]
    found = measured(rows, period="2025-02")
    units = earned.units(found, projects=projects_of(*names), programmes=PROGRAMMES)
    assert units.loc[0, "actual_cost"] == sum(ac for _, ac in parts) / 100
    assert units.loc[0, "budget"] == sum(sum(rises) for rises, _ in parts) / 100
    longest = max(len(rises) for rises, _ in parts)
    curve = [sum(sum(rises[: end + 1]) for rises, _ in parts) / 100 for end in range(longest)]
    months = earned.months(found, projects=projects_of(*names))
    assert months["planned_value"].tolist() == pytest.approx(curve)
