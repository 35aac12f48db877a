"""The fourteen tests of a schedule: each rule by hand, on a network that breaks it and one that keeps it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from histories import current
from hypothesis import given, settings, strategies as st
from networks import link, tables

from pmo_lib.metrics.calendar import calendar_of
from pmo_lib.metrics.critical_path import Rules
from pmo_lib.metrics.schedule_quality import Assessment, assessment
from pmo_lib.metrics.working_time import WorkingTime
from pmo_lib.parameters.models import ScheduleRules, WorkingCalendar

# Friday; open work goes on from Monday, 16 March 2026.
STATUS = pd.Timestamp("2026-03-13")
RULES = Rules(time=WorkingTime.of(calendar_of(WorkingCalendar())), resumes_on=date(2026, 3, 16))


def day(text: str) -> pd.Timestamp:
    """Return a day of 2026."""
    return pd.Timestamp(f"2026-{text}")


def assessed(tasks: pd.DataFrame, links: pd.DataFrame, **limits: Any) -> Assessment:
    """Make the tests."""
    return assessment(tasks, links=links, rules=RULES, limits=ScheduleRules(**limits), status_on=STATUS)


def result(found: Assessment, number: int) -> dict[str, Any]:
    """Return one test."""
    row: dict[str, Any] = found.tests.set_index("number").loc[number].to_dict()
    return row


def counts(found: Assessment, number: int) -> tuple[int, int, str]:
    """Return offenders, denominator and outcome of one test."""
    row = result(found, number)
    return row["offenders"], row["out_of"], row["outcome"]


def blamed(found: Assessment, number: int) -> dict[str, str]:
    """Return the offenders of one test, each with its detail."""
    rows = found.offenders[found.offenders["number"].eq(number)]
    return dict(zip(rows["task_id"], rows["detail"], strict=True))


def in_progress() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ten tasks in a row of five days each from 2 March: A is done in time, B a day late, the rest is open."""
    names = "ABCDEFGHIJ"
    shape = {name: (5.0, names[place - 1] if place else "") for place, name in enumerate(names)}
    starts = pd.date_range("2026-03-02", periods=10, freq="7D")
    baseline = dict(zip(names, starts, strict=True))
    return tables(
        shape,
        start_baseline_on=baseline,
        finish_baseline_on={name: start + pd.Timedelta(days=4) for name, start in baseline.items()},
        start_actual_on={"A": day("03-02"), "B": day("03-09")},
        finish_actual_on={"A": day("03-06")},
        percent_complete={"A": 1.0, "B": 0.8},
        resource=dict.fromkeys(names, "Gang"),
    )


def test_a_sound_network_meets_every_test_that_can_be_made() -> None:
    """A row of tasks with resources, baselines and dates meets the tests, or says why a test cannot be made."""
    found = assessed(*in_progress())
    assert found.tests["number"].tolist() == list(range(1, 15))
    outcomes = dict(zip(found.tests["number"], found.tests["outcome"], strict=True))
    # B should have been done by the status date (11, 14), and its last day makes the network end a day late (13).
    assert {number: outcome for number, outcome in outcomes.items() if outcome != "met"} == {
        10: "for information", 11: "not met", 14: "not met",
    }  # fmt: skip
    assert found.tests["rule"].str.len().min() > 20


def test_logic_counts_open_ends_but_for_first_and_last() -> None:
    """Open tasks without predecessor or successor are counted against open tasks; one start and one finish are not."""
    rows, links = in_progress()
    loose = links[~links["successor_id"].isin(["F", "H"])]
    found = assessed(rows, loose)
    assert blamed(found, 1) == {
        "F": "no predecessor",
        "G": "no successor",
        "H": "no predecessor",
        "J": "no successor",
    }  # fmt: skip  (A is done; E, after 16 days, ends last)
    assert counts(found, 1) == (4, 9, "not met")
    assert result(found, 1)["value"] == pytest.approx(4 / 9)
    assert counts(assessed(rows, links), 1) == (0, 9, "met")


def test_leads_lags_and_kinds_count_links_to_open_tasks() -> None:
    """Leads, lags and links that are not from finish to start are counted against the links to open tasks."""
    rows, links = in_progress()
    links.loc[links["successor_id"].eq("D"), "lag_days"] = -2.0
    links.loc[links["successor_id"].eq("E"), ["lag_days", "type"]] = [3.0, "ss"]
    links.loc[links["successor_id"].eq("F"), "type"] = "ff"
    found = assessed(rows, links)
    assert blamed(found, 2) == {"D": "C → D fs -2"}
    assert blamed(found, 3) == {"E": "D → E ss +3"}
    assert blamed(found, 4) == {"E": "D → E ss +3", "F": "E → F ff"}
    assert [counts(found, number) for number in (2, 3, 4)] == [
        (1, 9, "not met"), (1, 9, "not met"), (2, 9, "not met"),
    ]  # fmt: skip
    assert result(found, 4)["value"] == pytest.approx(7 / 9)
    assert result(found, 4)["threshold"] == "at least 90%"


def test_hard_constraints_are_those_that_forbid_to_be_late() -> None:
    """Must start or finish on, and no later than, are hard; no earlier than is not."""
    rows, links = in_progress()
    rows["constraint"] = rows["task_id"].map({"C": "mso 2026-03-17", "D": "snet 2026-03-25", "J": "fnlt 2026-06-30"})
    found = assessed(rows, links)
    assert blamed(found, 5) == {"C": "mso 2026-03-17", "J": "fnlt 2026-06-30"}
    assert counts(found, 5) == (2, 9, "not met")


def test_float_is_counted_in_working_days() -> None:
    """Float above 44 working days is high; float below 0 is listed apart."""
    rows, links = in_progress()
    links = links[~links["predecessor_id"].eq("C")]
    links = pd.concat([links, current("links", [link("B", "D")])], ignore_index=True)
    spare = rows["task_id"].eq("D")
    rows.loc[spare, "duration_days"] = 20.0
    rows["constraint"] = rows["task_id"].map({"D": "fnlt 2026-03-16"})
    found = assessed(rows, links)
    # B ends on Monday 16; D takes 20 days from Tuesday, E to J 30 more. C, beside them, takes 5 of these 50.
    assert blamed(found, 6) == {"C": "float 45 working days"}
    assert blamed(found, 7) == {"B": "float -20 working days", "D": "float -20 working days"}
    assert counts(assessed(rows, links, high_float_days=45), 6) == (0, 9, "met")


def test_long_tasks_leave_milestones_out() -> None:
    """Open tasks of more than 44 working days are counted against open tasks with work."""
    rows, links = in_progress()
    rows.loc[rows["task_id"].eq("C"), "duration_days"] = 45.0
    rows.loc[rows["task_id"].eq("D"), "duration_days"] = 44.0
    rows.loc[rows["task_id"].eq("J"), ["duration_days", "is_milestone"]] = [0.0, True]
    found = assessed(rows, links)
    assert blamed(found, 8) == {"C": "duration 45 working days"}
    assert counts(found, 8) == (1, 8, "not met")


def test_invalid_dates_are_forecasts_of_the_past_and_actuals_of_the_future() -> None:
    """A forecast before the status date of what has not happened is invalid, and so is an actual date after it."""
    rows, links = in_progress()
    rows["start_forecast_on"] = rows["task_id"].map({"A": day("03-01"), "C": day("03-12"), "D": day("03-13")})
    rows["start_forecast_on"] = rows["start_forecast_on"].astype("datetime64[us]")
    rows.loc[rows["task_id"].eq("B"), "finish_actual_on"] = day("03-14")
    found = assessed(rows, links)
    assert blamed(found, 9) == {"B": "actual finish 2026-03-14", "C": "forecast start 2026-03-12"}
    assert counts(found, 9) == (2, 10, "not met")


def test_resources_are_for_information() -> None:
    """Tasks of a day or more without resource and cost are listed; where nothing is loaded the test is not made."""
    rows, links = in_progress()
    rows.loc[rows["task_id"].isin(["E", "F", "G"]), "resource"] = None
    rows.loc[rows["task_id"].eq("F"), "cost"] = 100.0
    rows.loc[rows["task_id"].eq("G"), "duration_days"] = 0.5
    assert (counts(assessed(rows, links), 10), blamed(assessed(rows, links), 10)) == (
        (1, 8, "for information"), {"E": "no resource, no cost"},
    )  # fmt: skip
    bare = assessed(rows.assign(resource=pd.Series(None, index=rows.index, dtype="str"), cost=float("nan")), links)
    assert (counts(bare, 10)[2], result(bare, 10)["reason"]) == (
        "not applicable", "neither resources nor costs are returned with the tasks",
    )  # fmt: skip


def test_missed_tasks_and_execution_follow_the_baseline() -> None:
    """Missed is due and not finished in time; BEI is finished ÷ due, early finishes and missing baselines included."""
    rows, links = in_progress()
    found = assessed(rows, links)
    assert (counts(found, 11), blamed(found, 11)) == ((1, 2, "not met"), {"B": "0 calendar days late so far"})
    assert (counts(found, 14), result(found, 14)["value"]) == ((1, 2, "not met"), 0.5)
    early = rows.copy()
    for name, finish in (("B", "03-13"), ("C", "03-12"), ("D", "03-13")):
        early.loc[early["task_id"].eq(name), "finish_actual_on"] = day(finish)
    assert result(assessed(early, links), 14)["value"] == 2  # four finished, two due
    early.loc[early["task_id"].isin(["I", "J"]), "finish_baseline_on"] = pd.NaT
    assert result(assessed(early, links), 14)["value"] == 1  # two more without a baseline
    none = assessed(rows.assign(finish_baseline_on=pd.NaT), links)
    assert [result(none, number)["reason"] for number in (11, 13, 14)] == ["no task has a baseline finish"] * 3


def test_the_critical_path_holds_a_delay() -> None:
    """600 days more for the first critical task move the finish by 600; a finish that leads nowhere does not."""
    rows, links = in_progress()
    assert result(assessed(rows, links), 12)["value"] == 600
    # B is critical by its start alone: C may start with it, and nothing waits for the end of B.
    loose = links.assign(type=links["type"].mask(links["successor_id"].eq("C"), "ss"))
    dangling = rows.assign(
        start_actual_on=rows["start_actual_on"].mask(rows["task_id"].eq("B")),
        percent_complete=rows["percent_complete"].mask(rows["task_id"].eq("B")),
    )
    found = assessed(dangling, loose)
    assert result(found, 12)["outcome"] == "not met"
    assert blamed(found, 12) == {"B": "the finish moves by 565 working days"}  # 600 less 40 of C to J, plus 5 of B


def test_path_length_index_compares_the_computed_finish_with_the_baseline() -> None:
    """CPLI is the working days to the last baseline finish ÷ those to the computed finish."""
    found = assessed(*in_progress())
    # Computed: one day of B and 40 of C to J, from Monday 16 March. Baseline: eight weeks, to Friday 8 May.
    assert result(found, 13)["value"] == pytest.approx(40 / 41)
    assert result(found, 13)["out_of"] == 41


def test_a_loop_leaves_what_needs_dates_untested() -> None:
    """Tests on float and length are not made where the network has a loop, and name it; the others are."""
    rows, links = in_progress()
    links = pd.concat([links, current("links", [link("E", "D")])], ignore_index=True)
    found = assessed(rows, links)
    told = {result(found, number)["reason"] for number in (6, 7, 12, 13)}
    assert told == {"its network has a loop: D → E → D"}
    assert counts(found, 5) == (0, 9, "met")


@settings(max_examples=4)
@given(st.permutations(range(10)), st.permutations(range(9)))
def test_order_of_rows_does_not_matter(tasks: list[int], links: list[int]) -> None:
    """The tests and their offenders are the same in whatever order tasks and links are returned."""
    rows, joined = in_progress()
    found = assessed(rows.iloc[tasks].reset_index(drop=True), joined.iloc[links].reset_index(drop=True))
    expected = assessed(rows, joined)
    pd.testing.assert_frame_equal(found.tests, expected.tests)
    keys = [sorted(zip(each.offenders["number"], each.offenders["detail"], strict=True)) for each in (found, expected)]
    assert keys[0] == keys[1]


def test_no_network_no_tests() -> None:
    """Without tasks there are no tests, and summaries alone are no network."""
    assert len(assessed(current("tasks", []), current("links", [])).tests) == 0
    rows, links = tables({"A": (1, "")}, is_summary={"A": True})
    assert len(assessed(rows, links).tests) == 0
