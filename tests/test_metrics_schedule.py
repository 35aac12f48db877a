"""Dates: movements of the finish, promises, baselines and milestones."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from histories import current, history
from hypothesis import given, settings, strategies as st

from pmo_lib.metrics import baselines, milestones, schedule
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.models import Organisation, Thresholds

NOW, THEN, FIRST = "2025-03", "2024-03", "2023-03"
LAST = Between("ROADS", NOW, THEN)
DAY_ONE = date(2024, 1, 1)
STATUS = history("status", [{"period": at, "project_id": "A"} for at in (THEN, NOW)])
LIMITS = Thresholds(slip_red_days=90, cost_red=0.10, milestone_horizon_days=90)


def moved(
    rows: list[dict[str, Any]], *, states: list[dict[str, Any]] | None = None, column: str = "finish_baseline_on"
) -> pd.DataFrame:
    """Return the finish movements of project rows."""
    return schedule.finishes(
        history("projects", rows), status=STATUS, states=history("states", states or []), column=column, between=LAST
    )


def both(then: str | None, now: str | None, *, column: str = "finish_baseline_on", **more: Any) -> list[dict[str, Any]]:
    """Return the rows of project A with a date then and now."""
    rows = zip((THEN, NOW), (then, now), strict=True)
    return [{"period": at, "project_id": "A", column: day} | more for at, day in rows]


# --- movement of the finish -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("latest", "column"), [(True, "finish_baseline_on"), (False, "finish_forecast_on")])
def test_the_date_that_moves_follows_from_the_source(latest: bool, column: str) -> None:
    """Where the source gives only latest approved dates, the approved date is followed, else the forecast."""
    organisation = Organisation(id="o", name="O", baseline_is_latest_approved=latest)
    assert schedule.finish_column(organisation) == column


def test_a_movement_is_in_calendar_days_and_later_is_positive() -> None:
    """From 31 March 2026 to 31 March 2028 a finish moves by 731 days: 2028 is a leap year."""
    assert moved(both("2026-03-31", "2028-03-31"))["moved_days"].tolist() == [731]
    assert moved(both("2026-03-31", "2026-03-01"))["moved_days"].tolist() == [-30]


@pytest.mark.parametrize(
    ("rows", "states", "reason"),
    [
        (both("2026-01-01", None), [(NOW, "withheld", "Section 24")], "withheld: Section 24"),
        (both("2026-01-01", None), [], "not set"),
        (both(None, "2026-01-01"), [(THEN, "withheld", "Section 43")], "before: withheld: Section 43"),
        (both(None, "2026-01-01")[1:], [], "joined since: no earlier date"),
        (
            [both(None, None)[0] | {"portfolio_id": "RAIL"}, both(None, "2026-01-01")[1]],
            [],
            "no date in the return of RAIL",
        ),
    ],
    ids=["withheld now", "not set now", "withheld before", "joined", "moved in"],
)
def test_a_movement_that_cannot_be_computed_says_why(
    rows: list[dict[str, Any]], states: list[tuple[str, str, str]], reason: str
) -> None:
    """A null movement has its reason: never a zero."""
    cell = {"table_name": "projects", "row_key": "A", "column_name": "finish_baseline_on"}
    told = [cell | {"period": at, "state": state, "reason": words} for at, state, words in states]
    found = moved(rows, states=told).iloc[0]
    assert pd.isna(found["moved_days"])
    assert found["reason"] == reason


def test_who_left_has_no_movement_here() -> None:
    """The list holds the projects that are ours now; who left or moved out stands under membership."""
    rows = both("2026-01-01", "2026-01-01")
    gone = [{"period": THEN, "project_id": "L"}, {"period": NOW, "project_id": "O", "portfolio_id": "RAIL"}]
    assert moved([*rows, *gone, {"period": THEN, "project_id": "O"}])["project_id"].tolist() == ["A"]


@pytest.mark.parametrize(
    ("then", "now", "more", "flag"),
    [
        ("2024-01-31", "2026-01-31", {}, "moved after it had lapsed"),
        ("2024-03-31", "2026-01-31", {}, ""),
        ("2025-01-31", "2025-01-31", {}, "lapsed"),
        ("2025-01-31", "2025-01-31", {"finish_actual_on": "2025-01-31"}, ""),
        ("2025-01-31", "2025-01-31", {"delivery_status": "cancelled"}, ""),
        ("2025-03-31", "2025-03-31", {}, ""),
    ],
)
def test_lapsed_dates_are_flagged(then: str, now: str, more: dict[str, Any], flag: str) -> None:
    """A date lapses when its day is over and the project is not; the day of the report itself is not over."""
    assert moved(both(then, now, **more))["flag"].tolist() == [flag]


def test_a_moved_start_is_flagged() -> None:
    """A baseline start that moved hides a slip: it is flagged, with its days."""
    rows = both("2026-01-01", "2026-01-01")
    rows[0]["start_baseline_on"], rows[1]["start_baseline_on"] = "2020-01-01", "2020-02-01"
    assert moved(rows)[["start_moved_days", "flag"]].to_numpy().tolist() == [[31, "start moved"]]


@pytest.mark.parametrize(
    ("days", "bin_name"),
    [
        (-366, "earlier by over a year"),
        (-365, "earlier by up to a year"),
        (-1, "earlier by up to a year"),
        (0, "unchanged"),
        (1, "later by up to 90 days"),
        (90, "later by up to 90 days"),
        (91, "later by 91 days to a year"),
        (365, "later by 91 days to a year"),
        (366, "later by 1 to 2 years"),
        (730, "later by 1 to 2 years"),
        (731, "later by over 2 years"),
    ],
)
def test_a_movement_falls_into_one_bin(days: int, bin_name: str) -> None:
    """The bins of the distribution touch and do not overlap."""
    found = schedule.spread(moved(both("2024-06-30", str(date(2024, 6, 30) + timedelta(days=days)))))
    assert found.loc[found["projects"] > 0, "bin"].tolist() == [bin_name]


DATES = st.one_of(st.none(), st.integers(0, 4000).map(lambda n: str(DAY_ONE + timedelta(days=n))))
FINISHES = st.dictionaries(st.sampled_from("ABCDEF"), st.tuples(DATES, DATES), min_size=1)


def two_reports(finishes: dict[str, tuple[str | None, str | None]]) -> list[dict[str, Any]]:
    """Return projects with a finish then and now."""
    return [row | {"project_id": name} for name, pair in finishes.items() for row in both(*pair)]


@settings(max_examples=10)
@given(FINISHES)
def test_movements_of_finishes_are_antisymmetric(finishes: dict[str, tuple[str | None, str | None]]) -> None:
    """Seen backwards each finish moved as far the other way, and the distribution counts every project once."""
    turned = {name: (now, then) for name, (then, now) in finishes.items()}
    forth = moved(two_reports(finishes)).set_index("project_id")["moved_days"]
    back = moved(two_reports(turned)).set_index("project_id")["moved_days"]
    assert (-forth.dropna()).to_dict() == back.dropna().to_dict()
    assert schedule.spread(moved(two_reports(finishes)))["projects"].sum() == len(finishes)


@settings(max_examples=10)
@given(FINISHES, DATES)
def test_an_unrelated_project_moves_no_other_finish(
    finishes: dict[str, tuple[str | None, str | None]], day: str | None
) -> None:
    """One more project adds only its own row."""
    alone = moved(two_reports(finishes)).astype(str)
    together = moved(two_reports(finishes | {"Z": (day, day)})).astype(str)
    assert together[together["project_id"] != "Z"].to_numpy().tolist() == alone.to_numpy().tolist()


def test_the_first_report_has_no_movements() -> None:
    """Without an earlier report the table is empty, with its columns, and so is its distribution."""
    tables = {"status": STATUS, "states": history("states", [])}
    projects = history("projects", both("2026-01-01", "2026-01-01"))
    found = schedule.finishes(projects, column="finish_baseline_on", between=Between("ROADS", NOW), **tables)
    assert list(found.columns) == list(schedule.FINISH_COLUMNS)
    assert (len(found), len(schedule.spread(found))) == (0, 0)


# --- promises -------------------------------------------------------------------------------------------------


def judged(projects: list[dict[str, Any]] | None = None, *, points: list[dict[str, Any]] | None = None) -> pd.DataFrame:
    """Return what became of the promises of projects or milestones."""
    rows = projects or [{"period": at, "project_id": "A"} for at in (THEN, NOW)]
    return schedule.promises(
        history("projects", rows),
        milestones=history("milestones", points or []),
        status=STATUS,
        column="finish_forecast_on",
        between=LAST,
    )


def promised(day: str, *, now: dict[str, Any] | None, then: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return project A with a forecast then, and its row now (None: gone)."""
    rows = [{"period": THEN, "project_id": "A", "finish_forecast_on": day} | (then or {})]
    return rows if now is None else [*rows, {"period": NOW, "project_id": "A"} | now]


@pytest.mark.parametrize(
    ("now", "outcome", "late"),
    [
        ({"finish_actual_on": "2024-09-30"}, "met on time", 0),
        ({"finish_actual_on": "2024-09-01"}, "met on time", -29),
        ({"finish_actual_on": "2024-10-02"}, "met late", 2),
        ({"finish_forecast_on": "2025-09-30"}, "moved later", 365),
        ({"finish_forecast_on": "2024-09-30"}, "passed, still open", 182),
        ({"finish_forecast_on": "2024-08-31"}, "passed, still open", 182),
        ({}, "no date any more", None),
        ({"finish_forecast_on": "2024-09-30", "delivery_status": "closed"}, "closed, day not stated", 0),
        ({"finish_forecast_on": "2024-09-30", "delivery_status": "cancelled"}, "cancelled", 0),
        (None, "left the data", None),
        ({"portfolio_id": "RAIL", "finish_actual_on": "2024-09-30"}, "met on time", 0),
    ],
)
def test_a_promise_has_one_outcome(now: dict[str, Any] | None, outcome: str, late: int | None) -> None:
    """What was promised for 30 September is judged by the next report; who left has not finished."""
    found = judged(promised("2024-09-30", now=now))
    assert found["outcome"].tolist() == [outcome]
    assert found["late_days"].astype(object).where(found["late_days"].notna(), None).tolist() == [late]


def test_a_date_on_the_day_of_the_report_is_not_yet_broken() -> None:
    """A finish due on the status date itself is due, and neither kept nor broken."""
    found = judged(promised("2025-03-31", now={"finish_forecast_on": "2025-03-31"}))
    assert found["outcome"].tolist() == ["due on the day of the report"]
    assert schedule.broken(found).empty


@pytest.mark.parametrize(
    ("day", "then"),
    [
        ("2024-03-31", {}),
        ("2025-04-01", {}),
        ("2024-09-30", {"finish_actual_on": "2024-03-01"}),
        ("2024-09-30", {"delivery_status": "closed"}),
        ("2024-09-30", {"portfolio_id": "RAIL"}),
    ],
    ids=["before", "after", "finished", "closed", "not ours"],
)
def test_only_what_falls_due_between_reports_is_a_promise(day: str, then: dict[str, Any]) -> None:
    """A promise lies after one status date and not after the next, is open, and was ours to make."""
    assert judged(promised(day, now={"finish_forecast_on": "2026-01-01"}, then=then)).empty


def test_milestones_are_promises_too() -> None:
    """A milestone is judged by its own dates, and named with its project."""
    point = {"project_id": "A", "milestone_id": "M1", "name": "Opening"}
    points = [
        point | {"period": THEN, "forecast_on": "2024-05-01"},
        point | {"period": NOW, "forecast_on": "2024-06-10", "actual_on": "2024-06-10"},
    ]
    found = judged(points=points).iloc[0]
    assert found[["kind", "name", "item", "outcome", "late_days"]].tolist() == [
        "milestones",
        "A",
        "Opening",
        "met late",
        40,
    ]


def test_the_record_counts_every_promise_once() -> None:
    """Σ promises of the record = the promises, and the shares of a kind and report add up to one."""
    rows = promised("2024-09-30", now={"finish_forecast_on": "2025-09-30"})
    rows += [row | {"project_id": "B"} for row in promised("2024-09-30", now=None)]
    found = judged(rows)
    record = schedule.kept(found)
    assert record[["outcome", "promises", "out_of", "share"]].to_numpy().tolist() == [
        ["moved later", 1, 2, 0.5],
        ["left the data", 1, 2, 0.5],
    ]
    assert schedule.broken(found)["outcome"].tolist() == ["moved later", "left the data"]


@settings(max_examples=10)
@given(FINISHES)
def test_the_number_of_promises_follows_from_the_dates(finishes: dict[str, tuple[str | None, str | None]]) -> None:
    """There is one promise for each date that lies between the reports, counted from the dates themselves."""
    rows = [row | {"finish_forecast_on": row["finish_baseline_on"]} for row in two_reports(finishes)]
    between = [then for then, _ in finishes.values() if then and "2024-03-31" < then <= "2025-03-31"]
    found = judged(rows)
    assert len(found) == len(between) == schedule.kept(found)["promises"].sum()


# --- baselines ------------------------------------------------------------------------------------------------

VERSIONS = [
    {"version": "1", "approved_on": "2020-01-01", "finish_on": "2024-12-31", "budget": 100.0, "kind": "original"},
    {"version": "2", "approved_on": "2022-01-01", "finish_on": "2025-06-30", "budget": 120.0, "change_id": "C-1"},
    {"version": "3", "approved_on": "2025-01-15", "finish_on": "2026-06-30", "budget": 150.0, "change_id": "C-2"},
]
PROJECT = {
    "project_id": "A",
    "finish_forecast_on": "2026-09-30",
    "whole_life_cost_baseline": 150.0,
    "whole_life_cost_forecast": 165.0,
}


def versions(*numbers: int, **more: Any) -> pd.DataFrame:
    """Return baselines of project A by number, with what differs in the last of them."""
    rows = [VERSIONS[number - 1] | {"project_id": "A"} for number in numbers]
    return current("baselines", [*rows[:-1], rows[-1] | more])


def test_variance_is_taken_against_each_baseline() -> None:
    """The forecast is compared with the original, the previous and the current version, in days and in money."""
    found = baselines.variance(versions(1, 2, 3), projects=current("projects", [PROJECT])).iloc[0]
    assert found[["original_days", "previous_days", "current_days"]].tolist() == [638, 457, 92]
    assert found[["original_growth", "previous_growth", "current_growth"]].tolist() == [65.0, 45.0, 15.0]
    assert found["original_share"] == pytest.approx(0.65)


def test_what_happened_counts_before_what_is_forecast() -> None:
    """An actual finish takes the place of the forecast."""
    project = PROJECT | {"finish_actual_on": "2026-06-30"}
    assert baselines.variance(versions(1, 2, 3), projects=current("projects", [project]))["current_days"].tolist() == [
        0
    ]


def test_each_null_of_a_variance_has_a_reason() -> None:
    """A project without baseline, forecast or second version says so, and is not on plan."""
    rows = [{"project_id": "A"}, PROJECT | {"project_id": "B"}]
    found = baselines.variance(versions(1), projects=current("projects", rows)).set_index("project_id")
    assert found.loc["A", ["finish_reason", "growth_reason", "previous_reason"]].tolist() == [
        "no forecast finish", "no whole-life cost or no budget", "one version",
    ]  # fmt: skip
    assert found.loc["B", "finish_reason"] == "no baseline"
    assert found["original_days"].isna().all()


def test_no_baselines_no_variance() -> None:
    """Where nobody returned a baseline there is nothing to show, rather than a list of nulls."""
    assert baselines.variance(current("baselines", []), projects=current("projects", [PROJECT])).empty


@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 10**6)), min_size=1, max_size=5), st.integers(0, 5000))
def test_variances_differ_by_what_approvals_moved(steps: list[tuple[int, int]], forecast: int) -> None:
    """Original − current variance = the sum of what the re-baselines moved, in days and in money."""
    rows = [
        {
            "project_id": "A",
            "version": f"{place:02}",
            "approved_on": str(DAY_ONE + timedelta(days=place)),
            "finish_on": str(DAY_ONE + timedelta(days=days)),
            "budget": float(budget),
        }
        for place, (days, budget) in enumerate(steps)
    ]
    project = PROJECT | {"finish_forecast_on": str(DAY_ONE + timedelta(days=forecast))}
    table = current("baselines", rows)
    found = baselines.variance(table, projects=current("projects", [project])).iloc[0]
    changes = baselines.rebaselines(
        table, projects=history("projects", [project | {"period": NOW}]), status=STATUS, limits=LIMITS
    )
    assert found["original_days"] - found["current_days"] == changes["finish_moved_days"].sum()
    assert found["original_growth"] - found["current_growth"] == changes["budget_change"].sum()


def rebaselined(table: pd.DataFrame, *, then: dict[str, Any] | None = None) -> pd.Series:
    """Return the last re-baseline of project A, which stood as ``then`` at the report before."""
    rows = [{"project_id": "A", "period": THEN} | (then or {}), {"project_id": "A", "period": NOW}]
    found = baselines.rebaselines(table, projects=history("projects", rows), status=STATUS, limits=LIMITS)
    return found.iloc[0]


@pytest.mark.parametrize(
    ("then", "breach"),
    [
        ({"finish_baseline_on": "2025-06-30", "finish_forecast_on": "2025-09-28"}, "no breach"),
        ({"finish_baseline_on": "2025-06-30", "finish_forecast_on": "2025-09-29"}, "91 days late"),
        ({"whole_life_cost_baseline": 100.0, "whole_life_cost_forecast": 120.0}, "20% over cost"),
        ({}, "no breach"),
    ],
)
def test_a_rebaseline_after_a_breach_is_flagged(then: dict[str, Any], breach: str) -> None:
    """A re-baseline within one period of a breach of the limits is flagged; at the limit there is no breach."""
    found = rebaselined(versions(2, 3), then=then)
    assert found["breach"] == breach
    assert ("within one period of a breach" in found["flags"]) == (breach != "no breach")


def test_a_breach_before_our_first_report_is_unknown() -> None:
    """What was approved before the first report that we hold cannot be judged, and says so."""
    found = rebaselined(versions(1, 2))
    assert pd.isna(found["breach"])
    assert found["breach_reason"] == "before our first report"
    assert "breach" not in found["flags"]


@pytest.mark.parametrize(
    ("more", "flag"),
    [
        ({"change_id": None}, "no change request"),
        ({"start_on": "2020-06-01"}, "start moved"),
        ({"approved_on": "2025-07-01"}, "lapsed date re-approved"),
    ],
)
def test_odd_rebaselines_are_flagged(more: dict[str, Any], flag: str) -> None:
    """A re-baseline without a change request, with another start, or after the old date had passed, is flagged."""
    table = versions(2, 3, **{"start_on": "2020-01-01"} | more)
    table.loc[0, "start_on"] = pd.Timestamp("2020-01-01")
    assert rebaselined(table)["flags"] == flag


def test_a_sound_rebaseline_has_no_flag() -> None:
    """An approved change in good time, from a project within its limits, raises nothing."""
    found = rebaselined(versions(2, 3))
    assert found[["flags", "finish_moved_days", "budget_change"]].tolist() == ["", 365, 30.0]


# --- milestones -----------------------------------------------------------------------------------------------


def slipped(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return the slips of milestones M1, M2 … of project A."""
    filled = [
        {"period": NOW, "project_id": "A", "milestone_id": f"M{place}", "name": "Gate"} | row
        for place, row in enumerate(rows, start=1)
    ]
    projects = history("projects", [{"period": NOW, "project_id": "A"}])
    return milestones.slips(history("milestones", filled), projects=projects, between=LAST, limits=LIMITS)


@pytest.mark.parametrize(
    ("row", "state", "slip"),
    [
        ({"baseline_on": "2025-01-01", "forecast_on": "2025-05-01"}, "missed", 120),
        ({"baseline_on": "2025-05-01", "forecast_on": "2025-06-01"}, "at risk", 31),
        ({"baseline_on": "2025-03-31", "forecast_on": "2025-04-01"}, "at risk", 1),
        ({"baseline_on": "2025-05-01", "forecast_on": "2025-05-01"}, "on plan", 0),
        ({"baseline_on": "2025-01-01", "actual_on": "2024-12-31"}, "met", -1),
        ({"baseline_on": "2025-01-01", "actual_on": "2025-01-02"}, "met late", 1),
        ({"forecast_on": "2025-05-01"}, "no baseline", None),
        ({"baseline_on": "2025-05-01"}, "no forecast", None),
        ({"baseline_on": "2025-01-01"}, "missed", None),
    ],
)
def test_a_milestone_is_in_one_state(row: dict[str, Any], state: str, slip: int | None) -> None:
    """A milestone is met, met late, missed, at risk, on plan, or lacks a date; a null slip says which."""
    found = slipped(row).iloc[0]
    assert found["state"] == state
    assert (None if pd.isna(found["slip_days"]) else found["slip_days"]) == slip
    assert bool(found["slip_reason"]) == (slip is None)


def test_the_slip_rate_is_days_lost_per_day_passed() -> None:
    """A forecast that moved 73 days in 365 has a slip rate of 0.2; met or new milestones have none, and say why."""
    first = {"milestone_id": "M1", "baseline_on": "2025-06-01"}
    found = slipped(
        first | {"period": THEN, "forecast_on": "2025-06-01"},
        first | {"forecast_on": "2025-08-13"},
        {"milestone_id": "M2", "forecast_on": "2025-08-13"},
        {"milestone_id": "M3", "actual_on": "2025-01-01"},
    ).set_index("milestone_id")
    assert found.loc["M1", "slip_rate"] == pytest.approx(73 / 365)
    assert found.loc[["M2", "M3"], "rate_reason"].tolist() == ["not in the earlier report", "met"]


def test_due_is_within_the_horizon_or_overdue() -> None:
    """Open milestones within the horizon are due, and so are those forecast in the past; met ones are not."""
    found = milestones.due(
        slipped(
            {"forecast_on": "2025-06-29"},
            {"forecast_on": "2025-06-30"},
            {"forecast_on": "2025-03-01"},
            {"forecast_on": "2025-04-01", "actual_on": "2025-03-01"},
        )
    )
    assert found[["milestone_id", "days_to_go"]].to_numpy().tolist() == [["M3", -30], ["M1", 90]]


def test_the_slipping_stand_by_slip() -> None:
    """Missed and at risk are ranked by slip; what is on plan or met is not among them."""
    found = milestones.slipping(
        slipped(
            {"baseline_on": "2025-05-01", "forecast_on": "2025-05-11"},
            {"baseline_on": "2025-01-01", "forecast_on": "2025-05-01"},
            {"baseline_on": "2025-05-01", "forecast_on": "2025-05-01"},
            {"baseline_on": "2025-01-01", "actual_on": "2025-03-01"},
        )
    )
    assert found[["milestone_id", "slip_days"]].to_numpy().tolist() == [["M2", 120], ["M1", 10]]


def test_the_trend_follows_the_worst_over_all_reports() -> None:
    """The trend holds every report of the milestones that slip most, with the actual date once they are met."""
    point = {"project_id": "A", "name": "Gate", "baseline_on": "2025-05-01"}
    rows = [
        point | {"period": THEN, "milestone_id": "M1", "forecast_on": "2025-05-01"},
        point | {"period": NOW, "milestone_id": "M1", "forecast_on": "2025-07-01"},
        point | {"period": NOW, "milestone_id": "M2", "forecast_on": "2025-05-02"},
    ]
    table = history("milestones", rows)
    projects = history("projects", [{"period": NOW, "project_id": "A"}])
    slips = milestones.slips(table, projects=projects, between=LAST, limits=LIMITS)
    found = milestones.trend(table, slipped=slips, top=1)
    assert found["milestone_id"].tolist() == ["M1", "M1"]
    assert found["expected_on"].dt.strftime("%m-%d").tolist() == ["05-01", "07-01"]


def test_without_slips_the_trend_follows_what_is_due() -> None:
    """Where nothing slips the next milestones due are followed."""
    table = history(
        "milestones",
        [{"period": NOW, "project_id": "A", "milestone_id": "M1", "name": "Gate", "forecast_on": "2025-05-01"}],
    )
    projects = history("projects", [{"period": NOW, "project_id": "A"}])
    slips = milestones.slips(table, projects=projects, between=LAST, limits=LIMITS)
    assert milestones.trend(table, slipped=slips)["milestone_id"].tolist() == ["M1"]


POINT = st.fixed_dictionaries({"baseline_on": DATES, "forecast_on": DATES, "actual_on": DATES})


@settings(max_examples=10)
@given(st.lists(POINT, min_size=1, max_size=6), st.integers(-400, 400))
def test_slips_do_not_depend_on_when(points: list[dict[str, str | None]], days: int) -> None:
    """Moving baseline, forecast and actual dates together changes no slip."""
    shifted = [
        {key: day and str(date.fromisoformat(day) + timedelta(days=days)) for key, day in point.items()}
        for point in points
    ]
    slips = [slipped(*rows).set_index("milestone_id")["slip_days"].sort_index() for rows in (points, shifted)]
    assert slips[0].dropna().to_dict() == slips[1].dropna().to_dict()
    assert len(slips[0]) == len(points)
