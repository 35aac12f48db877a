"""When returns came in, and what is told of portfolios that did not return."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import history

from pmo_lib.metrics import standing, submission
from pmo_lib.parameters.models import Thresholds

PERIODS = {"2024-03": "2024-03-31", "2025-03": "2025-03-31"}
NOW, THEN = "2025-03", "2024-03"
RETURNS = ["period", "status_on", "portfolio_id", "state", "file", "reason", "known"]
LIMITS = Thresholds(submission_due_days=10)


def owed(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Return how returns came in, from rows of portfolio, state, reason and the period last known, all of now."""
    told = [
        (NOW, pd.Timestamp(PERIODS[NOW]), unit, state, f"{unit}.xlsx", why, known) for unit, state, why, known in rows
    ]
    return pd.DataFrame(told, columns=RETURNS).astype({"status_on": "datetime64[us]"})


def arrived(returns: pd.DataFrame, status: list[dict[str, Any]], *, projects: str = "") -> pd.DataFrame:
    """Return the arrivals of returns whose status rows came in on given days."""
    rows = [{"period": NOW, **row} for row in status]
    listed = [{"period": NOW, "project_id": name} for name in projects]
    return submission.arrivals(
        returns, status=history("status", rows or [{"period": THEN}]), limits=LIMITS,
        projects=history("projects", listed or [{"period": THEN, "project_id": "old"}]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("days", "punctuality", "days_late"),
    [
        (["2025-04-10"], "on time", 0),
        (["2025-04-11"], "late", 1),
        (["2025-04-01", "2025-04-20"], "late", 10),
        (["2025-04-01", None], "on time", -9),
        ([None], "day not stated", None),
    ],
    ids=["last day", "a day later", "one of two", "one undated", "undated"],
)
def test_a_return_is_late_after_its_last_day(days: list[str | None], punctuality: str, days_late: int | None) -> None:
    """A return is due ten days after its status date; it is late when any dated row of it came in later."""
    rows = [{"project_id": str(n), "submitted_on": day} for n, day in enumerate(days)]
    found = arrived(owed(("ROADS", "returned", "", NOW)), rows).iloc[0]
    assert (found["punctuality"], found["due_on"]) == (punctuality, pd.Timestamp("2025-04-10"))
    assert (None if pd.isna(found["days_late"]) else int(found["days_late"])) == days_late
    assert found["status_rows"] == len(days)
    assert found["rows_undated"] == days.count(None)


@pytest.mark.parametrize("state", ["not returned", "refused"])
def test_what_cannot_be_used_did_not_come(state: str) -> None:
    """A return that did not come or was refused has no day and is neither on time nor late."""
    found = arrived(owed(("ROADS", state, "key twice", THEN)), []).iloc[0]
    assert found[["came_on", "days_late", "punctuality"]].isna().all()
    assert found["status_rows"] == 0


def test_projects_without_a_status_are_named() -> None:
    """Projects of a return without any status row are counted, and the first three named."""
    found = arrived(owed(("ROADS", "returned", "", NOW)), [{"project_id": "A"}], projects="ABCDE").iloc[0]
    assert (found["silent"], found["named"]) == (4, "B; C; D; and 1 more")


def test_what_a_reader_must_know_comes_first() -> None:
    """Refused stands before not returned, partial and late; what came whole and in time is not told."""
    states = {"a": "returned", "b": "partial", "c": "not returned", "d": "refused", "e": "returned"}
    rows = [(name, state, "", THEN if name in "cd" else NOW) for name, state in states.items()]
    late = [{"portfolio_id": "e", "project_id": "E", "submitted_on": "2025-05-01"}]
    told = submission.noteworthy(arrived(owed(*rows), late))
    assert told["portfolio_id"].tolist() == ["d", "c", "b", "e"]


def test_a_return_is_told_in_words() -> None:
    """State, reason and punctuality make one phrase."""
    returns = owed(
        ("a", "partial", "1 row set aside", NOW), ("b", "not returned", "", THEN), ("c", "returned", "", NOW)
    )
    rows = [{"portfolio_id": "a", "submitted_on": "2025-04-12"}, {"portfolio_id": "c", "submitted_on": "2025-04-02"}]
    found = arrived(returns, [{"project_id": "P", **row} for row in rows])
    assert [submission.arrival_words(row) for row in found.to_dict("records")] == [
        "partial (1 row set aside), 2 days late", "not returned, last known Mar 2024", "returned, on time",
    ]  # fmt: skip


# --- beside the coverage ----------------------------------------------------------------------------------------------

COVERED = pd.DataFrame(
    [
        ("a", "Ports", "complete", "", None, None, "GBP"),
        ("b", "Roads", "nothing published", "health check not returned: no row", "2023-03", 7.0, None),
        ("c", "Rail", "incomplete", "risk register failed: boom", None, None, "GBP"),
        ("d", "Canals", "no longer returns", "merged into a", "2023-03", 1.0, "GBP"),
    ],
    columns=["portfolio_id", "name", "state", "cause", "last_period", "last_cost", "currency"],
)
FIGURES = pd.DataFrame(
    [
        ("b", THEN, "health_check", "projects", 4.0, "projects"),
        ("b", THEN, "financial_outlook", "whole_life_cost", 9.5, "GBP"),
        ("b", THEN, "risk_register", "exposure_net", None, "GBP"),
    ],
    columns=["portfolio_id", "period", "report", "name", "value", "unit"],
)


def stood(figures: pd.DataFrame = FIGURES) -> pd.DataFrame:
    """Return the coverage of four portfolios, one of which did not return, with the returns."""
    arrivals = arrived(
        owed(("a", "returned", "", NOW), ("b", "not returned", "no row", THEN), ("c", "returned", "", NOW)), []
    )
    return standing.with_returns(COVERED, arrivals=arrivals, last_known=figures).set_index("name")


def test_last_known_figures_stand_beside_the_totals() -> None:
    """A portfolio that did not return is told with the figures of its page of last known; the older cost gives way."""
    roads = stood().loc["Roads"]
    assert (roads["arrival"], roads["last_period"]) == ("not returned", THEN)
    assert (roads["last_projects"], roads["last_cost"], roads["currency"]) == (4.0, 9.5, "GBP")
    assert pd.isna(roads["last_exposure"])
    assert roads["cause"] == ""
    assert stood(FIGURES.iloc[:0]).loc["Roads", "last_cost"] == 7.0


def test_who_returned_has_no_last_known_figures() -> None:
    """Who returned has none; what failed keeps its cause, and what ended keeps what was known of it."""
    found = stood()
    assert found.loc["Ports", ["last_projects", "last_cost"]].isna().all()
    assert found.loc["Rail", "cause"] == "risk register failed: boom"
    assert found.loc["Canals", ["cause", "last_cost"]].tolist() == ["merged into a", 1.0]
    assert found["noteworthy"].to_dict() == {"Roads": True, "Rail": True, "Canals": True, "Ports": False}
