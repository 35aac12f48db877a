"""Fixed cohorts: the same projects from report to report, and the slips of an organisation's own projects."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from histories import history
from hypothesis import given, strategies as st

from pmo_lib.figures import schedule as figures
from pmo_lib.metrics import cohorts
from pmo_lib.metrics.last_known import in_words, last_known
from pmo_lib.metrics.movement import Between
from pmo_lib.sentences import schedule as words
from pmo_lib.tables import schedule as tables

REPORTS = ("2023-06", "2023-12", "2024-06", "2025-06")


def tracks(*rows: tuple[str, str, str | None, str | None]) -> pd.DataFrame:
    """Return tracks of (project, report, stage, finish)."""
    return pd.DataFrame(
        [
            (project, project, report, pd.Timestamp(f"{report}-30"), stage, pd.Timestamp(finish or pd.NaT), "forecast")
            for project, report, stage, finish in rows
        ],
        columns=cohorts.TRACK_COLUMNS,
    )


TRACKED = tracks(
    ("A", "2023-06", "design", "2026-01-01"),
    ("A", "2023-12", "design", "2026-01-11"),
    ("A", "2024-06", "build", None),
    ("A", "2025-06", "build", "2026-01-31"),
    ("B", "2023-12", "design", "2027-01-01"),
    ("B", "2024-06", "design", "2027-01-05"),
    ("C", "2024-06", "build", "2026-05-01"),
    ("C", "2025-06", "build", "2026-04-21"),
    ("D", "2025-06", None, None),
)


def test_a_cohort_is_closed_at_the_end_of_its_year_and_never_loses_a_project() -> None:
    """A and B are first reported in 2023 and followed from December on; B, which left, keeps its last date."""
    trend = cohorts.trend(TRACKED)
    ours = trend[trend["cohort"].eq("2023")]
    assert list(ours["return_month"]) == ["2023-12", "2024-06", "2025-06"]
    assert ours[["projects", "dated", "carried"]].to_numpy().tolist() == [[2, 2, 0], [2, 1, 1], [2, 1, 1]]
    assert ours["p50_days"].tolist() == [10, 10, 30]
    assert trend[trend["cohort"].eq("2024")]["p50_days"].tolist() == [0, -10]


def test_slips_are_of_projects_dated_at_first_and_now_in_enough_reports() -> None:
    """A is followed, B has no date now, C stood in two reports only, D never had a date: nobody is lost."""
    slips = cohorts.slips_by_stage(TRACKED).set_index("first_stage")
    assert slips.loc["design", ["projects", "followed", "no_date_now", "p50_days", "p80_days"]].tolist() == [
        2, 1, 1, 30, 30,
    ]  # fmt: skip
    assert slips.loc["build", ["projects", "followed", "too_few_reports"]].tolist() == [1, 0, 1]
    assert slips.loc[cohorts.NO_STAGE, ["projects", "no_first_date"]].tolist() == [1, 1]
    assert pd.isna(slips.at["build", "p50_days"])
    assert cohorts.slips_by_stage(TRACKED, least_reports=2).set_index("first_stage").at["build", "p50_days"] == -10
    assert slips["few"].all()


def test_one_report_has_no_trend_and_no_slip() -> None:
    """Where there is one report nothing has moved yet, and what nobody published is empty, too."""
    for rows in (tracks(("A", "2023-06", "design", "2026-01-01")), TRACKED.iloc[:0], pd.DataFrame()):
        assert cohorts.trend(rows).empty
        assert cohorts.slips_by_stage(rows).empty


@given(st.lists(st.integers(-3000, 3000), min_size=1, max_size=40), st.sampled_from([0.5, 0.8]))
def test_a_percentile_was_observed_and_does_not_flatter(days: list[int], share: float) -> None:
    """The percentile is one of the values, and at least that share of them is not above it; none lower would do."""
    found = cohorts.percentile(pd.Series(days, dtype="float64"), share=share)
    assert found in days
    assert sum(day <= found for day in days) >= share * len(days)
    assert found == sorted(days)[math.ceil(share * (len(days) - 1) - 1e-9)]


def test_a_project_is_followed_wherever_it_stood_and_its_actual_finish_counts() -> None:
    """A came from elsewhere and is finished, B moved away and is theirs, C left the data and stays in our cohort."""
    projects = history(
        "projects",
        [
            {"period": "2023-06", "project_id": "A", "portfolio_id": "RAIL", "finish_forecast_on": "2026-01-01"},
            {
                "period": "2024-06",
                "project_id": "A",
                "finish_forecast_on": "2026-01-01",
                "finish_actual_on": "2024-05-01",
            },
            {"period": "2023-06", "project_id": "B", "finish_forecast_on": "2026-01-01"},
            {"period": "2024-06", "project_id": "B", "portfolio_id": "RAIL", "finish_forecast_on": "2026-01-01"},
            {"period": "2023-06", "project_id": "C", "finish_forecast_on": "2026-01-01"},
        ],
    )
    status = history("status", [{"period": at, "project_id": "A"} for at in ("2023-06", "2024-06")])
    ours = cohorts.tracks(
        projects, status=status, column="finish_forecast_on", between=Between("ROADS", "2024-06", "2023-06")
    )
    assert ours[["project_id", "return_month"]].to_numpy().tolist() == [
        ["A", "2023-06"], ["A", "2024-06"], ["C", "2023-06"],
    ]  # fmt: skip
    assert ours["finish_on"].tolist()[:2] == [pd.Timestamp("2026-01-01"), pd.Timestamp("2024-05-01")]


def test_what_is_drawn_and_said_holds_the_figures() -> None:
    """Every cohort is a line, every class with slips two marks; sentences and tables name the largest of them."""
    trend, slips = cohorts.trend(TRACKED), cohorts.slips_by_stage(TRACKED, least_reports=2)
    lines = figures.cohort_lines(trend)
    assert [line.name for line in lines.data] == ["2023 (n = 2)", "2024 (n = 1)"]
    assert list(lines.data[0].y) == [10, 10, 30]
    marks = figures.stages_ranges(slips)
    assert [list(mark.x) for mark in marks.data] == [[30, -10], [30, -10]]
    assert "half moved the forecast by +30 days or more" in words.cohorts_sentence(trend)
    assert "first seen in design: P50 +30 days" in words.stages_sentence(slips)
    assert tables.cohorts_table(trend).rows == len(trend)
    assert "No date now" in tables.stages_table(slips).html


def test_last_known_values_are_those_of_the_latest_report_that_had_one() -> None:
    """A value that was not returned is looked up in earlier reports; one that was withheld is not."""
    projects = history(
        "projects",
        [
            {"period": "2023-06", "project_id": "A", "whole_life_cost_forecast": 5.0},
            {"period": "2023-12", "project_id": "A", "whole_life_cost_forecast": 7.0},
            {"period": "2024-06", "project_id": "A"},
            {"period": "2025-06", "project_id": "A"},
            {"period": "2024-06", "project_id": "B", "whole_life_cost_forecast": 9.0},
            {"period": "2025-06", "project_id": "B"},
        ],
    )
    reasons = pd.Series({"A": "not returned: the record is blank", "B": "withheld: Section 43"}, dtype="str")
    between = Between("ROADS", "2025-06", "2024-06")
    known = last_known(projects, column="whole_life_cost_forecast", reasons=reasons, between=between)
    assert known.to_numpy().tolist() == [["A", 7.0, "2023-12"]]
    told = in_words(reasons, known=known, write=lambda amount: f"£{amount:.0f}")
    assert told.to_dict() == {"A": "not returned; last known £7, Dec 2023", "B": "withheld: Section 43"}


@pytest.mark.parametrize("column", ["finish_forecast_on", "finish_baseline_on"])
def test_finishes_bundle_what_a_report_shows_of_them(column: str) -> None:
    """Movement, trend and slips are of the same dates and the same two reports."""
    rows = [
        {"period": at, "project_id": "A", column: day}
        for at, day in (("2023-06", "2026-01-01"), ("2023-12", "2026-01-11"), ("2024-06", "2026-01-31"))
    ]
    days = {"2023-06": "2023-06-30", "2023-12": "2023-12-31", "2024-06": "2024-06-30"}
    status = history("status", [{"period": at, "project_id": "A", "status_date": day} for at, day in days.items()])
    ends = cohorts.Finishes(
        projects=history("projects", rows), status=status, states=history("states", []), column=column,
        between=Between("ROADS", "2024-06", "2023-12"),
    )  # fmt: skip
    assert ends.moved["moved_days"].tolist() == [20]
    assert ends.spread["projects"].sum() == 1
    assert ends.trend["p50_days"].tolist() == [10, 30]
    assert ends.slips["p50_days"].tolist() == [30]
    assert ends.told["finish_tracks"].equals(ends.tracks)
