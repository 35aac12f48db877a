"""Disclosure, submission and findings: what we were told, and what no longer."""

from __future__ import annotations

from typing import Any

import pandas as pd
from histories import history
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.findings import Finding, findings_table
from pmo_lib.metrics import quality
from pmo_lib.metrics.movement import Between

NOW, THEN = "2025-03", "2024-03"
LAST = Between("ROADS", NOW, THEN)
COST = "whole_life_cost_baseline"


def cell(project: str, *, period: str = NOW, state: str = "withheld", **more: Any) -> dict[str, Any]:
    """Return the state of a project's whole-life cost."""
    key = {"period": period, "table_name": "projects", "row_key": project, "column_name": COST}
    return key | {"state": state, "reason": "Section 43" if state == "withheld" else None} | more


def costs(then: dict[str, float | None], now: dict[str, float | None]) -> pd.DataFrame:
    """Return projects with their whole-life costs then and now."""
    both = {THEN: then, NOW: now}
    rows = [{"period": at, "project_id": p, COST: c} for at, table in both.items() for p, c in table.items()]
    return history("projects", rows)


def test_drift_counts_every_cell_once() -> None:
    """A column that was ever concealed is counted report by report: one value, a range, withheld or nothing."""
    projects = costs({"A": 1.0, "B": 2.0}, {"A": None, "B": None, "C": None, "D": 4.0})
    states = history("states", [cell("A"), cell("B", state="range", low="1", high="3")])
    found = quality.drift(states, projects=projects, between=LAST)
    counts = ["column_name", "period", "cells", "reported", "range", "withheld", "no_value", "published_share"]
    assert found[counts].to_numpy().tolist() == [[COST, THEN, 2, 2, 0, 0, 0, 1.0], [COST, NOW, 4, 1, 1, 1, 1, 0.5]]


def test_a_column_that_a_report_did_not_have_is_left_out() -> None:
    """A report in which no cell of the column says anything did not have the column: that is no concealment."""
    projects = costs({"A": None}, {"A": None})
    assert quality.drift(history("states", [cell("A")]), projects=projects, between=LAST)["period"].tolist() == [NOW]


def test_open_columns_and_other_portfolios_have_no_drift() -> None:
    """A column that was never concealed is no matter of disclosure, nor is another portfolio's."""
    projects = costs({"A": 1.0}, {"A": None})
    for states in ([], [cell("A", state="not set")], [cell("A", portfolio_id="RAIL")]):
        assert quality.drift(history("states", states), projects=projects, between=LAST).empty


@settings(max_examples=30)
@given(
    st.dictionaries(st.sampled_from("ABCDEF"), st.sampled_from(["value", "withheld", "range", "not set"]), min_size=1)
)
def test_the_parts_of_drift_add_up(kinds: dict[str, str]) -> None:
    """Cells = reported + range + withheld + without value, and the share published is never outside 0 and 1."""
    projects = costs({}, {name: 1.0 if kind == "value" else None for name, kind in kinds.items()})
    states = history("states", [cell(name, state=kind) for name, kind in kinds.items() if kind != "value"])
    found = quality.drift(states, projects=projects, between=LAST)
    assert (found["cells"] == found[["reported", "range", "withheld", "no_value"]].sum(axis=1)).all()
    assert found["published_share"].between(0, 1).all()
    if len(found):
        assert found["withheld"].tolist() == [list(kinds.values()).count("withheld")]


def test_withdrawn_values_are_those_concealed_now() -> None:
    """Withdrawn is what was published and is withheld; a range is still published, and not set is not concealed."""
    projects = costs(dict.fromkeys("ABC", 7.5), dict.fromkeys("ABC", None))
    states = history("states", [cell("A"), cell("B", state="range", low="1"), cell("C", state="not set")])
    found = quality.withdrawn(states, projects=projects, between=LAST)
    assert found[["project_id", "column_name", "before", "reason"]].to_numpy().tolist() == [
        ["A", COST, "7.50", "withheld: Section 43"]
    ]


def test_a_value_that_never_stood_is_not_withdrawn() -> None:
    """What was withheld before, or joined since, was not withdrawn."""
    projects = costs({"A": None}, {"A": None, "B": None})
    states = history("states", [cell("A"), cell("A", period=THEN), cell("B")])
    assert quality.withdrawn(states, projects=projects, between=LAST).empty


def came(rows: list[dict[str, Any]], *, projects: str = "AB") -> pd.DataFrame:
    """Return the submissions of status rows of this period."""
    returned = history("projects", [{"period": NOW, "project_id": name} for name in projects])
    status = history("status", [{"period": NOW} | row for row in rows])
    return quality.submissions(status, projects=returned, between=LAST)


def test_missing_stand_before_late() -> None:
    """Projects without a status come first, then the latest day; days count from the status date."""
    rows = [{"project_id": "A", "submitted_on": "2025-04-04"}, {"project_id": "B", "submitted_on": "2025-04-10"}]
    found = came(rows, projects="ABC")
    assert found["named"].tolist() == ["C", "B", "A"]
    assert found["days_after"].tolist()[1:] == [10, 4]
    assert found["reason"].tolist() == ["no status returned", "", ""]


def test_one_day_is_one_line() -> None:
    """All that came in on one day shares a line, which names three projects and counts the others."""
    rows = [{"project_id": name, "submitted_on": "2025-04-04"} for name in "ABCDE"]
    found = came(rows, projects="ABCDE")
    assert found[["status_rows", "projects", "named"]].to_numpy().tolist() == [[5, 5, "A; B; C; and 2 more"]]


def test_rows_without_a_day_say_so() -> None:
    """Status rows that do not say when they came in share one line with that reason."""
    found = came([{"project_id": "A"}, {"project_id": "B"}])
    assert found["status_rows"].tolist() == [2]
    assert found["reason"].str.contains("does not say").all()


def test_findings_are_counted_by_rule() -> None:
    """Findings are counted by severity, rule and what was done; errors stand first, then the most frequent."""
    base = {"file": "a.csv", "sheet": "", "cell": "", "action": "kept", "message": "m", "fix": "f"}
    many = [Finding(**base, row=row, rule="dates", severity="notice") for row in (1, 2)]
    one = Finding(**base, row=3, rule="keys", severity="error")
    found = quality.findings_by_rule(findings_table([*many, one]))
    assert found[["severity", "rule", "findings"]].to_numpy().tolist() == [["error", "keys", 1], ["notice", "dates", 2]]
    assert quality.findings_by_rule(findings_table([])).empty
