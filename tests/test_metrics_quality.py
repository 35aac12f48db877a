"""Disclosure and quality: what we were told and what no longer, what could not be used, and measured shares."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from histories import current, history
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.findings import Finding, findings_table
from pmo_lib.metrics import disclosure, quality
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
    found = disclosure.drift(states, projects=projects, between=LAST)
    counts = ["column_name", "period", "cells", "reported", "range", "withheld", "no_value", "published_share"]
    assert found[counts].to_numpy().tolist() == [[COST, THEN, 2, 2, 0, 0, 0, 1.0], [COST, NOW, 4, 1, 1, 1, 1, 0.5]]


def test_a_column_that_a_report_did_not_have_is_left_out() -> None:
    """A report in which no cell of the column says anything did not have the column: that is no concealment."""
    projects = costs({"A": None}, {"A": None})
    assert disclosure.drift(history("states", [cell("A")]), projects=projects, between=LAST)["period"].tolist() == [NOW]


def test_open_columns_and_other_portfolios_have_no_drift() -> None:
    """A column that was never concealed is no matter of disclosure, nor is another portfolio's."""
    projects = costs({"A": 1.0}, {"A": None})
    for states in ([], [cell("A", state="not set")], [cell("A", portfolio_id="RAIL")]):
        assert disclosure.drift(history("states", states), projects=projects, between=LAST).empty


@settings(max_examples=30)
@given(
    st.dictionaries(st.sampled_from("ABCDEF"), st.sampled_from(["value", "withheld", "range", "not set"]), min_size=1)
)
def test_the_parts_of_drift_add_up(kinds: dict[str, str]) -> None:
    """Cells = reported + range + withheld + without value, and the share published is never outside 0 and 1."""
    projects = costs({}, {name: 1.0 if kind == "value" else None for name, kind in kinds.items()})
    states = history("states", [cell(name, state=kind) for name, kind in kinds.items() if kind != "value"])
    found = disclosure.drift(states, projects=projects, between=LAST)
    assert (found["cells"] == found[["reported", "range", "withheld", "no_value"]].sum(axis=1)).all()
    assert found["published_share"].between(0, 1).all()
    if len(found):
        assert found["withheld"].tolist() == [list(kinds.values()).count("withheld")]


def test_withdrawn_values_are_those_concealed_now() -> None:
    """Withdrawn is what was published and is withheld; a range is still published, and not set is not concealed."""
    projects = costs(dict.fromkeys("ABC", 7.5), dict.fromkeys("ABC", None))
    states = history("states", [cell("A"), cell("B", state="range", low="1"), cell("C", state="not set")])
    found = disclosure.changes(states, projects=projects, between=LAST)
    assert found[["project_id", "column_name", "value", "reason"]].to_numpy().tolist() == [
        ["A", COST, "7.50", "withheld: Section 43"]
    ]


def test_a_value_that_never_stood_is_not_withdrawn() -> None:
    """What was withheld before, or joined since, was not withdrawn."""
    projects = costs({"A": None}, {"A": None, "B": None})
    states = history("states", [cell("A"), cell("A", period=THEN), cell("B")])
    assert disclosure.changes(states, projects=projects, between=LAST).empty


def test_the_reverse_is_listed_after_what_is_gone() -> None:
    """A value that was withheld and is published now is listed, too, after those that are withheld now."""
    projects = costs({"A": None, "B": 4.0, "C": 1.0}, {"A": 3.0, "B": None, "C": None})
    states = history("states", [cell("A", period=THEN), cell("B"), cell("C", state="unreadable", reason="a word")])
    found = disclosure.changes(states, projects=projects, between=LAST)
    assert found[["change", "project_id", "value", "reason"]].to_numpy().tolist() == [
        ["withheld now", "B", "4", "withheld: Section 43"],
        ["unreadable now", "C", "1", "unreadable: a word"],
        ["published now", "A", "3", "withheld: Section 43"],
    ]


# --- what could not be used -------------------------------------------------------------------------------------------

BASE: dict[str, Any] = {"file": "a.xlsx", "sheet": "risks", "message": "m", "fix": "f", "table": "risks"}
SET_ASIDE = Finding(**BASE, row=4, cell="D4", rule="unknown-project", severity="error", action="quarantined", key="R-1")
EMPTIED = Finding(**BASE, row=5, cell="", rule="number", severity="error", action="nulled", key="R-2")
KEPT = [Finding(**BASE, row=row, cell="", rule="dates", severity="notice", action="kept") for row in (6, 7)]
QUARANTINED = ["portfolio_id", "table", "source_ref", "key", "rules", "row"]


def rows_aside(*keys: str) -> pd.DataFrame:
    """Return rows of risks that were set aside."""
    rows = [("ROADS", "risks", f"a.xlsx, sheet risks, row {n}", key, "r", "{}") for n, key in enumerate(keys, start=4)]
    return pd.DataFrame(rows, columns=QUARANTINED)


def test_each_loss_has_its_place_and_its_cure() -> None:
    """Every cell and row that could not be used stands with its cell, or its row, its rule and what was done."""
    found = quality.findings(findings_table([SET_ASIDE, EMPTIED, *KEPT]), quarantined=rows_aside("R-1"))
    lost = found[found["kind"].eq("place")]
    assert lost[["sheet", "place", "rule", "fix", "done"]].to_numpy().tolist() == [
        ["risks", "D4", "unknown-project", "f", "row set aside"], ["risks", "row 5", "number", "f", "cell left empty"],
    ]  # fmt: skip


def test_findings_are_counted_by_rule() -> None:
    """Findings are counted by severity, rule and what was done; errors stand first, then the most frequent."""
    found = quality.findings(findings_table([*KEPT, SET_ASIDE]), quarantined=rows_aside("R-1"))
    rules = found[found["kind"].eq("rule")]
    assert rules[["severity", "rule", "findings"]].to_numpy().tolist() == [
        ["error", "unknown-project", 1], ["notice", "dates", 2],
    ]  # fmt: skip
    assert quality.findings(findings_table([]), quarantined=rows_aside()).empty


def test_rows_that_went_with_their_return_are_counted() -> None:
    """Rows of a refused return that have no fault of their own share one line, with their number: none is lost."""
    found = quality.findings(findings_table([SET_ASIDE]), quarantined=rows_aside("R-1", "R-2", "R-3"))
    lost = found[found["kind"].eq("place")]
    assert lost[["place", "rule", "findings"]].to_numpy().tolist() == [
        ["D4", "unknown-project", 1], ["2 rows", "return-refused", 2],
    ]  # fmt: skip


ACCOUNTING = ["table", "rows_in", "used", "quarantined", "ignored", "money_in", "money_used", "money_quarantined"]
CELLS = ["file", "sheet", "cells_in", "typed", "stated", "faulty", "ignored"]
counts = st.integers(0, 10**9)


@settings(max_examples=30)
@given(st.lists(st.tuples(*[counts] * 5), max_size=4), st.lists(st.tuples(*[counts] * 4), max_size=4))
def test_the_accounts_close(books: list[tuple[int, ...]], sheets: list[tuple[int, ...]]) -> None:
    """What came in is what was used, stated, lost and ignored, in every line; the wholes are sums of their lines."""
    accounting = pd.DataFrame(
        [(f"t{n}", u + q + i, u, q, i, mu + mq, mu, mq) for n, (u, q, i, mu, mq) in enumerate(books)],
        columns=ACCOUNTING,
    )
    cells = pd.DataFrame(
        [("a.xlsx", f"s{n}", t + s + f + i, t, s, f, i) for n, (t, s, f, i) in enumerate(sheets)], columns=CELLS
    )
    found = quality.accounts(accounting, cells=cells)
    assert (found["came"] - found[["used", "stated", "lost", "ignored"]].sum(axis=1)).abs().lt(0.005).all()
    for kind, lines in found.groupby("kind"):
        whole, parts = lines[lines["whole"].astype(bool)], lines[~lines["whole"].astype(bool)]
        assert whole["came"].sum() == pytest.approx(parts["came"].sum()), kind
    money = found[found["kind"].eq("money") & found["whole"].astype(bool)]["came"].sum()
    assert money == pytest.approx(sum(mu + mq for *_, mu, mq in books) / 100)


# --- measured shares --------------------------------------------------------------------------------------------------


def shares(*, arrived: dict[str, Any] | None = None) -> pd.DataFrame:
    """Return the shares of three projects: one without status, one withheld cost, one budget off its baseline."""
    projects = history(
        "projects",
        [
            {"period": NOW, "project_id": "A", COST: 5.0, "budget_at_completion": 10.0,
             "finish_forecast_on": "2025-01-31"},
            {"period": NOW, "project_id": "B", "budget_at_completion": 20.0, "finish_forecast_on": "2025-12-31"},
            {"period": NOW, "project_id": "C", "delivery_status": "closed", "finish_forecast_on": "2025-01-31"},
        ],
    )  # fmt: skip
    versions = [("A", "1", 9.0, "2023-01-01"), ("A", "2", 10.0, "2024-01-01"), ("B", "1", 21.0, "2023-01-01")]
    tables = {
        "states": current("states", [cell("B")]),
        "status": current("status", [{"project_id": "A"}, {"project_id": "B"}]),
        "baselines": current(
            "baselines",
            [{"project_id": p, "version": v, "budget": b, "approved_on": on} for p, v, b, on in versions],
        ),
        "milestones": current("milestones", [{"project_id": "A", "milestone_id": "1", "forecast_on": "2025-04-30"}]),
        "published_figures": current("published_figures", []),
        "findings": findings_table([]),
    }
    came = {"period": NOW, "known": NOW, "status_on": pd.Timestamp("2025-03-31"), "status_rows": 2, "rows_late": 1,
            "rows_undated": 0}  # fmt: skip
    books = pd.DataFrame([("risks", 10, 9, 1, 0, 0, 0, 0)], columns=ACCOUNTING)
    return quality.shares(
        tables,
        projects=projects,
        accounts=quality.accounts(books, cells=pd.DataFrame(columns=CELLS)),
        arrived=pd.DataFrame([came | (arrived or {})]),
        between=LAST,
    ).set_index("measure")


def test_shares_are_counted_by_hand() -> None:
    """Each share is what a person counts in three projects, with its n; over nothing there is none, with its reason."""
    found = shares()[["met", "n"]]
    # Columns ever filled: name, delivery status, finish forecast, budget, cost, currency = 6 of 3 projects; empty are
    # two delivery states, a budget and a cost (the withheld one is told).
    assert {name: tuple(row) for name, row in zip(found.index, found.to_numpy().tolist(), strict=True)} == {
        "projects with a status": (2, 3), "cells of the project list": (14, 18), "rows that could be used": (9, 10),
        "cells that could be read": (0, 0), "status rows in by the due day": (1, 2),
        "finish forecasts not in the past": (1, 2), "milestone forecasts not in the past": (1, 1),
        "budgets equal to the approved baseline": (1, 2), "published figures that compute again": (0, 0),
    }  # fmt: skip
    none = shares().loc["published figures that compute again"]
    assert pd.isna(none["share"])
    assert none["reason"] == "the source publishes no computed figure"
    assert shares().loc["rows that could be used", "share"] == 0.9


def test_last_known_figures_say_nothing_of_this_return() -> None:
    """Where nothing usable was returned, no share is computed from what was known before: each is null and says why."""
    found = shares(arrived={"known": THEN})
    assert found["share"].isna().all()
    assert set(found["reason"]) == {"nothing usable was returned"}
