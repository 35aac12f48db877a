"""Two periods, like for like: membership, bridges of a column, and why a cell is null."""

from __future__ import annotations

import pandas as pd
import pytest
from histories import current, history
from hypothesis import given, settings, strategies as st

from pmo_lib.metrics.movement import (
    Between,
    decomposition,
    joined,
    membership,
    names_of,
    neighbours,
    paired,
    reasons,
    row_keys,
    since_last_report,
    status_dates,
)

NOW, THEN = "2025-03", "2024-03"
LAST = Between("ROADS", NOW, THEN)

# Where a project stood then and now, and what that makes of it for ROADS; RAIL is the other portfolio.
FATES = {
    "S": (("ROADS", "ROADS"), "stayed"),
    "J": ((None, "ROADS"), "joined"),
    "L": (("ROADS", None), "left"),
    "I": (("RAIL", "ROADS"), "moved in"),
    "O": (("ROADS", "RAIL"), "moved out"),
    "X": (("RAIL", "RAIL"), None),
}


def stands(places: dict[str, tuple[str | None, str | None]], *, cost: float | None = None) -> pd.DataFrame:
    """Return a history of projects from where each stood then and now."""
    rows = [
        {"period": period, "project_id": name, "portfolio_id": where, "whole_life_cost_baseline": cost}
        for name, both in places.items()
        for period, where in zip((THEN, NOW), both, strict=True)
        if where
    ]
    return history("projects", rows)


def members(projects: pd.DataFrame, *, between: Between = LAST) -> pd.DataFrame:
    """Return the membership of a pair of reports."""
    return membership(projects, portfolio_id=between.portfolio_id, period=between.period, since=between.since)


@pytest.mark.parametrize("name", FATES)
def test_a_project_has_one_fate(name: str) -> None:
    """A project that was or is ours stayed, joined, left, moved in or moved out; another portfolio's is not listed."""
    places, fate = FATES[name]
    found = members(stands({name: places}))
    assert found["movement"].tolist() == ([] if fate is None else [fate])


def test_a_move_names_the_other_portfolio() -> None:
    """Only a project that moved names another portfolio."""
    found = members(stands({name: places for name, (places, _) in FATES.items()})).set_index("project_id")
    assert found.loc[["I", "O"], "other_portfolio_id"].tolist() == ["RAIL", "RAIL"]
    assert found["other_portfolio_id"].notna().sum() == 2


def test_the_first_report_has_no_membership() -> None:
    """Without an earlier report there is nothing to compare, but the columns stand."""
    found = members(stands({"S": ("ROADS", "ROADS")}), between=Between("ROADS", NOW))
    assert found.empty
    assert list(found.columns) == ["project_id", "name", "movement", "other_portfolio_id"]


def test_a_project_in_two_portfolios_counts_as_ours() -> None:
    """A project that a second portfolio returns as well stayed, if we returned it both times."""
    projects = pd.concat([stands({"S": ("ROADS", "ROADS")}), stands({"S": ("RAIL", "RAIL")})], ignore_index=True)
    assert members(projects)["movement"].tolist() == ["stayed"]


PLACES = st.dictionaries(
    st.sampled_from("ABCDEFGH"),
    st.tuples(st.sampled_from([None, "ROADS", "RAIL"]), st.sampled_from([None, "ROADS", "RAIL"])),
)


@settings(max_examples=30)
@given(PLACES)
def test_membership_partitions_both_reports(places: dict[str, tuple[str | None, str | None]]) -> None:
    """Stayed, joined and moved in make up our projects now; stayed, left and moved out those of then."""
    projects = stands(places)
    found = members(projects).groupby("movement")["project_id"].agg(set).to_dict()
    parts = {fate: found.get(fate, set()) for fate in ("stayed", "joined", "left", "moved in", "moved out")}
    now = {name for name, (_, here) in places.items() if here == "ROADS"}
    then = {name for name, (there, _) in places.items() if there == "ROADS"}
    assert parts["stayed"] | parts["joined"] | parts["moved in"] == now
    assert parts["stayed"] | parts["left"] | parts["moved out"] == then
    assert sum(map(len, parts.values())) == len(now | then)


@settings(max_examples=30)
@given(PLACES)
def test_membership_is_antisymmetric(places: dict[str, tuple[str | None, str | None]]) -> None:
    """Seen backwards, who joined left, and who moved in moved out."""
    turned = {"joined": "left", "left": "joined", "moved in": "moved out", "moved out": "moved in", "stayed": "stayed"}
    projects = stands(places)
    forth = members(projects).set_index("project_id")["movement"].map(turned)
    back = members(projects, between=LAST.reverse()).set_index("project_id")["movement"]
    assert forth.to_dict() == back.to_dict()


@settings(max_examples=30)
@given(PLACES, st.sampled_from(["ROADS", "RAIL"]))
def test_an_unrelated_project_changes_nobody_elses_fate(
    places: dict[str, tuple[str | None, str | None]], where: str
) -> None:
    """One more project adds at most its own row."""
    alone = members(stands(places))
    together = members(stands(places | {"Z": (where, where)}))
    assert together[together["project_id"] != "Z"].to_dict("records") == alone.to_dict("records")


def test_no_report_can_be_reversed_into() -> None:
    """The first report has no other side to look from."""
    with pytest.raises(ValueError, match="no report before 2025-03"):
        Between("ROADS", NOW).reverse()


@pytest.mark.parametrize(
    ("before", "now", "cause", "amount"),
    [
        (10.0, 10.0, "unchanged", 0.0),
        (10.0, 14.0, "re-based", 4.0),
        (10.0, None, "withheld or range", -10.0),
        (None, 9.0, "newly published", 9.0),
        (None, None, "never published", 0.0),
    ],
)
def test_a_staying_project_moves_the_total_for_one_cause(
    before: float | None, now: float | None, cause: str, amount: float
) -> None:
    """What a staying project adds to the movement of a total follows from its two cells."""
    rows = [
        {"period": THEN, "project_id": "A", "whole_life_cost_baseline": before},
        {"period": NOW, "project_id": "A", "whole_life_cost_baseline": now},
    ]
    found = decomposition(paired(history("projects", rows), column="whole_life_cost_baseline", between=LAST))
    assert found[["cause", "amount"]].to_numpy().tolist() == [[cause, amount]]


def test_a_moved_project_counts_in_full() -> None:
    """A move brings or takes the whole amount, whatever the cell did on the way; it counts in one total only."""
    projects = stands({"I": ("RAIL", "ROADS"), "O": ("ROADS", "RAIL")}, cost=5.0)
    found = decomposition(paired(projects, column="whole_life_cost_baseline", between=LAST))
    assert found.set_index("project_id")["amount"].to_dict() == {"I": 5.0, "O": -5.0}
    assert found["before"].tolist()[0] != found["before"].tolist()[0]  # null: it did not stand in our total


COSTS = st.one_of(st.none(), st.integers(-(10**9), 10**9).map(lambda pence: pence / 4))
COSTED = st.lists(
    st.tuples(st.sampled_from("ABCDEF"), st.sampled_from([THEN, NOW]), st.sampled_from(["ROADS", "RAIL"]), COSTS),
    unique_by=lambda row: row[:2],
)


@settings(max_examples=30)
@given(COSTED)
def test_a_bridge_closes(rows: list[tuple[str, str, str, float | None]]) -> None:
    """Σ amount = our total now − our total then, computed a second way from the cells."""
    cells = [
        {"project_id": name, "period": period, "portfolio_id": where, "whole_life_cost_baseline": cost}
        for name, period, where, cost in rows
    ]
    projects = history("projects", cells)
    totals = {
        period: sum(cost or 0.0 for _, at, where, cost in rows if at == period and where == "ROADS")
        for period in (THEN, NOW)
    }
    found = decomposition(paired(projects, column="whole_life_cost_baseline", between=LAST))
    assert found["amount"].sum() == totals[NOW] - totals[THEN]
    assert found["now"].sum() - found["before"].sum() == totals[NOW] - totals[THEN]


def test_a_skipped_return_is_not_a_fall() -> None:
    """A period that the portfolio did not return is skipped: the last report is the last that it made."""
    rows = [
        {"period": "2023-03", "project_id": "A"},
        {"period": THEN, "project_id": "X", "portfolio_id": "RAIL"},
        {"period": NOW, "project_id": "A"},
    ]
    assert since_last_report(history("projects", rows), portfolio_id="ROADS", period=NOW).since == "2023-03"


def test_a_new_portfolio_is_compared_with_where_its_projects_stood() -> None:
    """A portfolio without a report of its own is compared with the last one that held its projects elsewhere."""
    projects = stands({"I": ("RAIL", "ROADS")})
    assert since_last_report(projects, portfolio_id="ROADS", period=NOW) == LAST
    assert since_last_report(projects, portfolio_id="ROADS", period=THEN).since is None


def test_a_portfolio_founded_again_is_compared_with_where_its_projects_stood() -> None:
    """A portfolio that was away while most of its projects stood elsewhere is compared with that report."""
    rows = [
        {"period": "2023-03", "project_id": "Z", "portfolio_id": "ROADS"},
        {"period": THEN, "project_id": "A", "portfolio_id": "RAIL"},
        {"period": THEN, "project_id": "B", "portfolio_id": "RAIL"},
        *({"period": NOW, "project_id": name, "portfolio_id": "ROADS"} for name in ("A", "B", "C")),
    ]
    assert since_last_report(history("projects", rows), portfolio_id="ROADS", period=NOW) == LAST
    few = [row for row in rows if row["project_id"] != "B" or row["period"] == NOW]
    assert since_last_report(history("projects", few), portfolio_id="ROADS", period=NOW).since == "2023-03"


STATES = [
    ("A", "withheld", "Section 43", {}, "withheld: Section 43"),
    ("B", "range", None, {"low": "2026-03-31", "high": "2028-03-31"}, "a range: 2026-03-31 to 2028-03-31"),
    ("C", "range", None, {"mid": "2027-01-01"}, "a range: 2027-01-01"),
    ("D", "not set", None, {}, "not set"),
    ("E", "unreadable", "31/02/2025", {}, "unreadable: 31/02/2025"),
]


@pytest.mark.parametrize(("name", "state", "reason", "ends", "words"), STATES, ids=[row[1] for row in STATES])
def test_a_null_says_why(name: str, state: str, reason: str | None, ends: dict[str, str], words: str) -> None:
    """A null cell has the words of its state; a withheld one says what the source said."""
    projects = current("projects", [{"project_id": name}])
    cell = {"table_name": "projects", "row_key": name, "column_name": "finish_baseline_on"}
    states = current("states", [cell | {"state": state, "reason": reason} | ends])
    found = reasons(projects, states=states, table="projects", column="finish_baseline_on")
    assert found.tolist() == [words]


def test_a_value_needs_no_reason_and_an_empty_cell_is_not_set() -> None:
    """A cell with a value has no words; one without a state was not set."""
    projects = current("projects", [{"project_id": "A", "finish_baseline_on": "2026-01-01"}, {"project_id": "B"}])
    found = reasons(projects, states=current("states", []), table="projects", column="finish_baseline_on")
    assert found.tolist() == ["", "not set"]


def test_a_reason_belongs_to_its_period_and_portfolio() -> None:
    """The same key in another period or portfolio has its own state."""
    rows = [
        {"period": period, "project_id": "A", "portfolio_id": where}
        for period in (THEN, NOW)
        for where in ("ROADS", "RAIL")
    ]
    cell = {"table_name": "projects", "row_key": "A", "column_name": "stage", "state": "withheld", "reason": "S. 26"}
    states = history("states", [cell | {"period": NOW, "portfolio_id": "RAIL"}])
    found = reasons(history("projects", rows), states=states, table="projects", column="stage")
    assert found.tolist() == ["not set", "not set", "not set", "withheld: S. 26"]


def test_a_row_key_joins_the_other_key_parts() -> None:
    """A key is written as states writes it: contract order, dates as ISO, without the portfolio."""
    status = history("status", [{"period": NOW, "project_id": "A", "rating": "red"}])
    assert row_keys(status, table="status").tolist() == ["A|2025-03-31|SRO"]
    assert row_keys(current("projects", [{"project_id": "A"}]), table="projects").tolist() == ["A"]


def test_a_name_is_the_last_returned() -> None:
    """A renamed project is called by its last name."""
    rows = [{"period": NOW, "project_id": "A", "name": "New"}, {"period": THEN, "project_id": "A", "name": "Old"}]
    assert names_of(history("projects", rows)).to_dict() == {"A": "New"}


def test_reports_are_dated_and_paired_in_order() -> None:
    """Each period has its status date, and each but the first the one before it."""
    rows = [{"period": period, "project_id": "A"} for period in (NOW, THEN)]
    dates = status_dates(history("status", rows))
    assert dates.index.tolist() == [THEN, NOW]
    assert dates.dt.strftime("%Y-%m-%d").tolist() == ["2024-03-31", "2025-03-31"]
    assert neighbours([NOW, "2023-03", THEN]) == [("2023-03", THEN), (THEN, NOW)]


def test_flags_are_joined_by_row() -> None:
    """A row names the flags that are raised in it; a null raises none."""
    raised = {"late": pd.Series([True, True, pd.NA], dtype="boolean"), "dear": pd.Series([False, True, True])}
    assert joined(raised).tolist() == ["late", "late; dear", "dear"]
