"""What is to be decided, what changed, and the named figures and rules of the health check."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import history

from pmo_lib.metrics import health, ratings, schedule
from pmo_lib.metrics.movement import Between, row_keys
from pmo_lib.parameters.models import Organisation, Thresholds

NOW, THEN = "2025-03", "2024-03"
LAST, FIRST = Between("ROADS", NOW, THEN), Between("ROADS", NOW)
ORGANISATION = Organisation(id="demo", name="Demo", thresholds=Thresholds(slip_red_days=75, cost_red=0.12))


def decided(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return the open decisions of a history of decisions about project A."""
    projects = history("projects", [{"period": NOW, "project_id": "A", "name": "Bridge"}])
    filled = [{"period": NOW, "decision_id": "D1", "ask": "Go on?"} | row for row in rows]
    return health.decisions_sought(history("decisions", filled), projects=projects, between=LAST)


def test_an_open_decision_is_sought() -> None:
    """A decision is sought until the day it was decided; a day after the status date is still open."""
    open_ones = decided(
        {"decision_id": "open"},
        {"decision_id": "taken", "decided_on": "2025-03-31"},
        {"decision_id": "later", "decided_on": "2025-04-01"},
    )
    assert open_ones["decision_id"].tolist() == ["later", "open"]


def test_the_nearest_deadline_stands_first() -> None:
    """Decisions come by deadline, those without one last; days left are negative once it has passed."""
    found = decided(
        {"decision_id": "none"},
        {"decision_id": "soon", "due_on": "2025-04-10"},
        {"decision_id": "late", "due_on": "2025-03-01"},
    )
    assert found["decision_id"].tolist() == ["late", "soon", "none"]
    assert found["days_left"].tolist()[:2] == [-30, 10]
    assert found["days_left"].isna().tolist() == [False, False, True]


def test_a_decision_says_whose_it_is_and_how_often_it_was_asked() -> None:
    """A decision carries its project's name, or the whole portfolio, and the earlier reports that asked for it."""
    found = decided({"period": THEN}, {"project_id": "A"}, {"decision_id": "D2"}).set_index("decision_id")
    assert found["name"].to_dict() == {"D1": "Bridge", "D2": "the whole portfolio"}
    assert found["asked_before"].to_dict() == {"D1": 1, "D2": 0}


def test_each_null_of_a_decision_has_a_reason() -> None:
    """What a decision does not state is null, with words."""
    found = decided({}).iloc[0]
    for column in ("amount", "cost_of_delay", "due_on", "decider"):
        assert pd.isna(found[column])
        assert found[f"{column}_reason"]


def test_a_decision_with_a_range_is_not_without_an_amount() -> None:
    """A range is told with its ends: withheld and ranges are not missing."""
    asked = history("decisions", [{"period": NOW, "decision_id": "D1", "ask": "Go on?"}])
    (key,) = row_keys(asked, table="decisions")
    place = {"period": NOW, "table_name": "decisions", "row_key": key, "column_name": "amount"}
    states = history("states", [{**place, "state": "range", "low": "50000", "high": "90000"}])
    found = health.decisions_sought(asked, projects=history("projects", []), between=LAST, states=states)
    assert found["amount_reason"].tolist() == ["a range: 50000 to 90000"]


def test_another_portfolios_decisions_are_not_ours() -> None:
    """Only this portfolio's decisions of this period are sought here."""
    assert decided({"portfolio_id": "RAIL"}).empty


STATUS = [
    {"project_id": project, "period": period, "rating": rating}
    for project, both in {
        "A": ("green", "red"),
        "B": ("red", "amber"),
        "C": ("amber", "amber"),
        "D": ("red", None),
    }.items()
    for period, rating in zip((THEN, NOW), both, strict=True)
]
PROJECTS = [
    {"project_id": "A", "period": THEN, "finish_baseline_on": "2026-01-01"},
    {"project_id": "A", "period": NOW, "finish_baseline_on": "2026-01-31"},
    {"project_id": "B", "period": THEN, "finish_baseline_on": "2026-01-01"},
    {"project_id": "B", "period": NOW, "finish_baseline_on": "2025-12-31"},
    {"project_id": "C", "period": THEN, "portfolio_id": "RAIL"},
    {"project_id": "C", "period": NOW},
    {"project_id": "D", "period": THEN},
    {"project_id": "D", "period": NOW},
    {"project_id": "E", "period": THEN},
    {"project_id": "F", "period": NOW, "category": "Roads"},
]


PAST = pd.DataFrame({"kept": pd.array([True, False, None], dtype="boolean")})


def told(between: Between = LAST) -> dict[str, Any]:
    """Return what changes and headline are made of."""
    tables = {
        "projects": history("projects", PROJECTS),
        "status": history("status", STATUS),
        "states": history("states", []),
    }
    moved = schedule.finishes(**_first(tables, "projects"), column="finish_baseline_on", between=between)
    rated = ratings.ratings(tables["status"], projects=tables["projects"], states=tables["states"], between=between)
    return {"rated": rated, "finishes": moved, "projects": tables["projects"], "between": between}


def _first(tables: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: tables[name]} | {key: value for key, value in tables.items() if key != name}


def test_changes_are_counted_and_named() -> None:
    """Each kind of change has its count, what it is out of, and the names that moved most."""
    given = told()
    rated = given.pop("rated")
    told_all = health.changes({"ratings": rated, "computed ratings": rated.iloc[:2]}, past=PAST, **given)
    computed = told_all["topic"].eq("computed ratings")
    assert told_all.loc[computed, "out_of"].tolist() == [2, 2]
    found = told_all[~computed].set_index("change")
    assert found["projects"].to_dict() == {
        "worse": 1, "better": 1, "later": 1, "earlier": 1, "joined": 1, "left": 1, "moved in": 1, "moved out": 0,
        "kept": 1,
    }  # fmt: skip
    assert found.loc["kept", "out_of"] == 2
    assert found.loc["worse", ["out_of", "named"]].tolist() == [3, "A (SRO: green to red)"]
    assert found.loc["later", ["out_of", "named"]].tolist() == [2, "A (30 days)"]
    assert found.loc["earlier", "named"] == "B (1 day)"
    assert found.loc["moved in", "named"] == "C (RAIL)"


def test_no_change_is_said_without_an_earlier_report() -> None:
    """The first report has no changes."""
    given = told(FIRST)
    assert health.changes({"ratings": given.pop("rated")}, past=PAST, **given).empty


def figures(between: Between = LAST, *, decisions: list[dict[str, Any]] | None = None) -> pd.DataFrame:
    """Return the headline by name."""
    given = told(between)
    sought = history("decisions", decisions or [])
    return health.headline(given.pop("rated"), decisions=sought, **given).set_index("name")


def test_the_headline_counts_rows_of_published_tables() -> None:
    """Every count of the headline is a number of rows of a table that is published beside it."""
    given = told()
    decision = {"period": NOW, "decision_id": "D1", "ask": "Go on?", "due_on": "2025-01-01"}
    found = figures(decisions=[decision])["value"]
    open_ones = decided(decision)
    tables = health.published(given.pop("rated"), decisions=open_ones, **given)
    assert found["projects"] == len(tables["projects"]) == 5
    for movement in ("worse", "better", "same", "not comparable"):
        rows = tables["ratings"]["movement"].eq(movement).sum()
        assert found[f"ratings_{movement.replace(' ', '_')}"] == rows
    for movement in ("joined", "left", "moved in", "moved out"):
        assert found[f"projects_{movement.replace(' ', '_')}"] == tables["membership"]["movement"].eq(movement).sum()
    assert found["finishes_compared"] == tables["finish_movement"]["moved_days"].notna().sum() == 2
    assert found["sro_red"] == tables["ratings"]["rating"].eq("red").sum() == 1
    assert found["decisions_open"] == len(tables["decisions"]) == 1
    assert found["decisions_overdue"] == tables["decisions"]["days_left"].lt(0).sum() == 1


def test_what_cannot_be_computed_is_null_with_a_reason() -> None:
    """Without an earlier report movements are null and say why; without decisions so are those."""
    found = figures(FIRST)
    unknown = found[found["value"].isna()]
    assert {"ratings_worse", "finishes_later", "projects_left", "decisions_open"} <= set(unknown.index)
    assert unknown["reason"].notna().all()
    assert found.loc[found["value"].notna(), "reason"].isna().all()
    assert found.loc["sro_red", "value"] == 1


def test_the_most_telling_figures_stand_first() -> None:
    """What the tiles show stands first, whatever raters there are."""
    first = [name for name in health.TOLD_FIRST if name in figures().index]
    assert figures().index[: len(first)].tolist() == first


def test_the_median_is_of_what_moved_later() -> None:
    """The median movement is over the dates that moved later, and null where none did."""
    assert figures().loc["finish_later_median_days", "value"] == 30.0


def test_names_of_figures_are_stable_identifiers() -> None:
    """Whatever a rater is called, a figure's name is lower case letters, digits and underscores, and unique."""
    rows = [
        {
            "project_id": "A",
            "period": NOW,
            "rating": "amber/red",
            "rating_scale": "five-point",
            "assessor_role": "Dr. Ö (1st)",
        }
    ]
    projects = history("projects", PROJECTS)
    rated = ratings.ratings(history("status", rows), projects=projects, states=history("states", []), between=FIRST)
    given = told(FIRST) | {"rated": rated}
    names = health.headline(given.pop("rated"), decisions=history("decisions", []), **given)["name"]
    assert names.str.fullmatch(r"[a-z][a-z0-9_]*").all()
    assert names.is_unique


def test_rules_print_the_thresholds_in_force() -> None:
    """Each threshold that the report uses is printed with the value in force and the setting that holds it."""
    found = health.rules(ORGANISATION).set_index("source")
    assert found.loc["thresholds.slip_red_days", "value"] == "75 days"
    assert found.loc["thresholds.cost_red", "value"] == "12%"
    assert found.loc["thresholds.milestone_horizon_days", "value"] == "90 days"
    assert found["formula"].ne("").all()
    rules = health.rules(ORGANISATION).set_index("rule")["value"]
    assert rules["Record of past promises"] == "5 promises"
    assert rules["Words against cells: unchanged"] == "0.5%"
    assert rules["Finish by stage"] == "3 reports"
    assert {"Cost promise kept", "Words against cells: numbers and dates"} <= set(rules.index)


@pytest.mark.parametrize(("latest", "basis"), [(True, "approved baseline"), (False, "forecast finish")])
def test_rules_name_the_date_that_moves(latest: bool, basis: str) -> None:
    """Where only the latest approved date is known its movement is not called slip."""
    settings = ORGANISATION.model_copy(update={"baseline_is_latest_approved": latest})
    assert health.rules(settings).set_index("source").loc["baseline_is_latest_approved", "value"] == basis
