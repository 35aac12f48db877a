"""The track record: which promises count, when they are judged, and what stands beside a new one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import STATUS_DATES, history

from pmo_lib.metrics.movement import Between
from pmo_lib.metrics.track_record import ENOUGH, FINISH, GREEN, MILESTONE, WHOLE, Record, better_by
from pmo_lib.parameters.models import Organisation

FIRST, THEN, NOW = tuple(STATUS_DATES)
LAST = Between("ROADS", NOW, THEN)


def record(
    projects: list[dict[str, Any]], *, points: list[dict[str, Any]] | None = None, texts: dict[str, Any] | None = None
) -> Record:
    """Return the record of a small portfolio of three reports; every project has a rating in each."""
    keys = sorted({row["project_id"] for row in projects})
    status = [
        {"project_id": key, "period": period, "rating": "green" if period == NOW else "red"}
        | ((texts or {}).get((key, period), {}))
        for key in keys for period in STATUS_DATES
    ]  # fmt: skip
    empty = history("milestones", [{"period": NOW, "project_id": "A", "milestone_id": "M"}]).iloc[:0]
    return Record(
        projects=history("projects", projects),
        milestones=history("milestones", points) if points else empty,
        status=history("status", status),
        settings=Organisation(id="o", name="O"),
        between=LAST,
    )


def finishes(key: str, *days: str, actual: str | None = None, manager: str = "Ann") -> list[dict[str, Any]]:
    """Return what the reports said of a finish, the last one with the actual."""
    rows = [
        {"project_id": key, "period": period, "finish_forecast_on": day, "manager": manager}
        for period, day in zip(STATUS_DATES, days, strict=True)
    ]
    return [*rows[:-1], rows[-1] | {"finish_actual_on": actual}]


@pytest.mark.parametrize(
    ("days", "actual", "expected"),
    [
        (("2025-01-31", "2025-01-31", "2025-01-31"), "2025-01-31", [("met on time", True, 0)]),
        (("2025-06-01", "2025-07-01", "2025-07-01"), "2025-07-01", [("met late", False, 30), ("met on time", True, 0)]),
        (("2025-01-01", "2025-01-01", "2026-01-01"), None, [("moved later", False, 365)]),
        (("2025-01-01", "2025-01-01", "2025-01-01"), None, [("passed, still open", False, 454)]),
        (("2027-01-01", "2027-01-01", "2025-03-01"), "2025-03-01", []),
        (("2024-01-01", "2027-01-01", "2027-01-01"), None, []),
    ],
)
def test_a_promise_is_judged_once_its_day_has_come(
    days: tuple[str, ...], actual: str | None, expected: list[tuple[str, bool, int]]
) -> None:
    """By hand: given again it is one promise; before its day, or past when given, none; open ones count so far."""
    past = record(finishes("A", *days, actual=actual)).past
    assert list(zip(past["outcome"], past["kept"], past["miss"], strict=True)) == expected


def test_what_is_not_known_is_no_part_of_n() -> None:
    """A project that left the data is counted as unknown, and its promise as neither kept nor broken."""
    rows = finishes("A", "2025-01-01", "2025-01-01", "2025-01-01")[:2]
    of_all = record([*rows, *finishes("B", "2027-01-01", "2027-01-01", "2027-01-01")]).records.iloc[0]
    assert (of_all["of"], of_all["kind"], of_all["promises"], of_all["unknown"]) == (WHOLE, FINISH, 0, 1)
    assert pd.isna(of_all["share"])


def test_a_cost_is_judged_when_its_project_is_finished() -> None:
    """By hand: promised 100 and 120, final cost 122: 22 % above is broken, 1.7 % above is kept (limit 5 %)."""
    rows = [
        {"project_id": "A", "period": period, "whole_life_cost_forecast": cost, "manager": "Ann"} | more
        for period, cost, more in (
            (FIRST, 100.0, {}), (THEN, 120.0, {}), (NOW, 122.0, {"delivery_status": "closed"}),
        )
    ]  # fmt: skip
    past = record(rows).past
    assert past["kept"].tolist() == [False, True]
    assert past["miss"].round(3).tolist() == [0.22, 0.017]


def test_present_promises_stand_beside_their_records() -> None:
    """By hand: five milestones 10 days late by one manager; the next promise of another follows the portfolio."""
    points = [
        {"project_id": "A", "milestone_id": f"M{n}", "name": f"M{n}", "period": period, "forecast_on": "2025-06-01"}
        | ({"actual_on": "2025-06-11"} if period == NOW else {})
        for n in range(ENOUGH) for period in (THEN, NOW)
    ]  # fmt: skip
    points += [
        {"project_id": key, "milestone_id": "N", "name": "Next", "period": NOW, "forecast_on": "2026-06-01"}
        for key in ("A", "B")
    ]
    far = ("2030-01-01",) * 3
    made = record([*finishes("A", *far), *finishes("B", *far, manager="Bo")], points=points)
    table = made.beside[made.beside["kind"].eq(MILESTONE)].set_index("project_id")
    assert table["own_n"].tolist() == [5, 0]
    assert table["portfolio_kept"].tolist() == [0, 0]
    assert table["expected_by"].tolist() == ["own", "portfolio"]
    assert set(table["expected_on"]) == {pd.Timestamp("2026-06-11")}
    ends = made.beside[made.beside["kind"].eq(FINISH)]
    assert ends["expected_by"].tolist() == ["", ""]
    assert ends["expected_on"].isna().all()


def test_a_better_rating_is_promised_in_words_and_judged_by_the_same_rater() -> None:
    """Back to green by a day that has come is kept, for here the same rater gave green then."""
    texts = {("A", THEN): {"narrative": "We will be back to green by December 2025."}}
    past = record(finishes("A", *("2030-01-01",) * 3), texts=texts).past
    assert past[["kind", "item", "outcome", "kept"]].to_numpy().tolist() == [[GREEN, "green (SRO)", "green", True]]
    assert list(better_by("An action plan. It aims to return to amber in June 2025, not before.")) == [
        ("amber", pd.Timestamp("2025-06-30"))
    ]
    assert list(better_by("Green by name. Moving towards green by 2025; the road to Redhill.")) == []


def test_the_order_of_rows_does_not_matter() -> None:
    """The same histories in another order give the same tables."""
    rows = [
        *finishes("A", "2025-01-01", "2025-01-31", "2025-01-31"),
        *finishes("B", "2025-02-01", "2025-03-01", "2026-01-01"),
    ]
    there, back = record(rows), record(rows[::-1])
    pd.testing.assert_frame_equal(there.past, back.past)
    pd.testing.assert_frame_equal(there.records, back.records)
    pd.testing.assert_frame_equal(there.beside, back.beside)


def test_nothing_promised_is_no_row() -> None:
    """Without an earlier report nothing is judged, and without a running project nothing is promised."""
    closed = [row | {"delivery_status": "closed"} for row in finishes("A", *("2030-01-01",) * 3)]
    made = record(closed)
    assert made.past.empty
    assert made.records.empty
    assert made.beside.empty
