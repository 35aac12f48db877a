"""Contracts: the shape of the tables, and the rules that typed tables keep."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.columns import DTYPES
from pmo_lib.contracts.findings import FINDING_COLUMNS, Finding, findings_table
from pmo_lib.contracts.rules import (
    REFERENCES,
    ROW_RULES,
    Circumstances,
    Failure,
    cell_failures,
    group_failures,
    key_failures,
    reference_failures,
)
from pmo_lib.contracts.tables import RATINGS, TABLES
from pmo_lib.errors import DataContractError, ParameterError, PmoError, ReportError, SnapshotRefused, SourceError

DAY = date(2026, 3, 31)
# A value of each kind that no rule objects to.
PLAIN: dict[str, Any] = {
    "id": "X-1", "text": "words", "money": 1.0, "number": 1.0, "share": 0.5, "level": 3, "whole": 1, "date": DAY,
    "month": "2026-03", "flag": True,
}  # fmt: skip


def rows_of(name: str, *given_rows: dict[str, Any]) -> pd.DataFrame:
    """Return typed rows of a table: every column filled with a plain value, except what is given."""
    table = TABLES[name]
    rows = []
    for given_row in given_rows:
        plain = {c.name: (c.allowed[0] if c.allowed else PLAIN[c.kind]) for c in table.columns}
        plain |= {"portfolio_id": "P", "currency": "GBP"} if "currency" in plain else {"portfolio_id": "P"}
        plain |= {"status": "closed"} if name == "risks" else {}  # it has a closed_on
        rows.append(plain | given_row)
    labels = range(10, 10 + len(rows))
    return pd.DataFrame(
        {c.name: pd.Series([row[c.name] for row in rows], index=labels, dtype=c.dtype) for c in table.columns}
    )


def said(failures: list[Failure]) -> list[tuple[int, str, str, str]]:
    """Return row, column, rule and action of failures."""
    return [(f.row, f.column, f.rule, f.action) for f in failures]


# --- the tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_begins_with_its_portfolio_and_ends_with_its_source(table: Any) -> None:
    """portfolio_id is the first key of every table, source_ref the last column; columns have a type and a meaning."""
    assert (table.names[0], table.key[0], table.names[-1]) == ("portfolio_id", "portfolio_id", "source_ref")
    assert len(set(table.names)) == len(table.names)
    for column in table.columns:
        assert column.kind in DTYPES
        assert column.meaning
        assert bool(column.allowed) == (column.kind == "choice")
        assert all(word == word.lower() for word in column.allowed)
        low, high = column.bounds
        assert low is None or high is None or low < high
    assert table.column(table.names[1]).name == table.names[1]
    with pytest.raises(KeyError, match="no column"):
        table.column("nothing")


def test_texts_in_memory_are_plain_objects() -> None:
    """A typed text column holds Python's own texts, with nulls, and not an Arrow array: tables are small."""
    texts = pd.Series(["a", None], dtype=DTYPES["text"])
    assert (texts.dtype.storage, texts.isna().tolist()) == ("python", [False, True])
    assert rows_of("projects", {})["name"].dtype.storage == "python"


def test_keys_are_those_of_the_contract() -> None:
    """Keys name a row: finance by every dimension that it may be split by, some of which may be empty."""
    assert TABLES["status"].key == ("portfolio_id", "project_id", "status_date", "assessor_role")
    assert TABLES["finance"].key == (
        "portfolio_id", "project_id", "period", "period_kind", "measure", "cost_type", "category", "programme_id",
        "plan_version",
    )  # fmt: skip
    empty_parts = {(t.name, c.name) for t in TABLES.values() for c in t.columns if c.need == "part"}
    assert empty_parts == {
        ("finance", "project_id"), ("finance", "cost_type"), ("finance", "category"), ("finance", "programme_id"),
        ("finance", "plan_version"), ("lineage", "project_id"),
    }  # fmt: skip


def test_only_three_tables_are_required() -> None:
    """Portfolios, projects and status make a return; everything else is optional."""
    assert [table.name for table in TABLES.values() if table.required] == ["portfolios", "projects", "status"]


def test_money_always_has_a_currency_beside_it() -> None:
    """No table has an amount without a currency in the same row, except a task's cost, which is in its project's."""
    for table in TABLES.values():
        if table.of_kind("money") and table.name != "tasks":
            assert "currency" in table.names, table.name


def test_the_tables_do_not_pay_for_the_rules() -> None:
    """Importing the contract does not import the library that checks it: notebooks start without it."""
    code = "import sys, pmo_lib.contracts.tables, pmo_lib.contracts.rules; sys.exit('pandera' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- cells and rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_plain_rows_keep_every_rule(name: str) -> None:
    """A row of plain values breaks nothing, and neither does one whose optional cells are all empty."""
    table = TABLES[name]
    empty = {c.name: None for c in table.columns if c.need in ("", "column") and c.name != "currency"}
    failures = cell_failures(name, rows=rows_of(name, {}, empty))
    assert [failure for failure in failures if not failure.blank] == []


@pytest.mark.parametrize(
    ("table", "given_row", "column", "rule", "action"),
    [
        ("status", {"rating": "purple"}, "rating", "not-allowed", "nulled"),
        ("status", {"rating_scale": "seven-point"}, "rating_scale", "not-allowed", "quarantined"),
        ("finance", {"measure": "guess"}, "measure", "not-allowed", "quarantined"),
        ("risks", {"probability": 1.4}, "probability", "above", "nulled"),
        ("risks", {"probability": -0.1}, "probability", "below", "nulled"),
        ("risks", {"current_impact_level": 6}, "current_impact_level", "above", "nulled"),
        ("risks", {"current_impact_level": 0}, "current_impact_level", "below", "nulled"),
        ("projects", {"budget_at_completion": -1.0}, "budget_at_completion", "below", "nulled"),
        ("projects", {"currency": "gbp"}, "currency", "currency", "quarantined"),
        ("risks", {"currency": "pounds"}, "currency", "currency", "nulled"),
        ("reserves", {"amount": -5.0}, "amount", "below", "nulled"),
    ],
)
def test_a_cell_out_of_bounds_is_found_where_it_stands(
    table: str, given_row: dict[str, Any], column: str, rule: str, action: str
) -> None:
    """Only the row at fault is found; a cell that the row cannot do without sets the row aside, another is nulled."""
    failures = cell_failures(table, rows=rows_of(table, {}, given_row, {}))
    assert said(failures) == [(11, column, rule, action)]
    assert failures[0].severity == "error"
    assert failures[0].message.startswith(column)
    assert failures[0].fix


def test_a_word_near_an_allowed_one_is_suggested() -> None:
    """A typing error is answered with the word that was meant, a foreign word with all that are allowed."""
    failures = cell_failures("status", rows=rows_of("status", {"rating": "grene"}, {"rating": "purple"}))
    assert [failure.fix for failure in failures] == ["did you mean 'green'?", "use one of them"]
    assert failures[1].expected == "one of green, amber/green, amber, amber/red, red"


def test_a_bad_cell_hides_no_other() -> None:
    """All that is wrong with a table is found in one go, whatever else is wrong with it."""
    rows = rows_of("risks", {"probability": 1.4, "kind": "wish"}, {"cost_impact_low": 9.0})
    assert said(cell_failures("risks", rows=rows)) == [
        (10, "kind", "not-allowed", "nulled"),
        (10, "probability", "above", "nulled"),
        (11, "cost_impact_likely", "points-out-of-order", "kept"),
    ]


@pytest.mark.parametrize(
    ("table", "given_row", "rule", "action"),
    [
        ("status", {"rating_scale": "three-point", "rating": "amber/red"}, "rating-off-scale", "nulled"),
        ("finance", {"project_id": None, "programme_id": None}, "no-owner", "quarantined"),
        ("projects", {"start_baseline_on": date(2027, 1, 1)}, "start-after-finish", "kept"),
        ("projects", {"finish_actual_on": date(2020, 1, 1)}, "start-after-finish", "kept"),
        ("risks", {"days_impact_likely": 5.0}, "points-out-of-order", "kept"),
    ],
)
def test_cells_of_a_row_agree(table: str, given_row: dict[str, Any], rule: str, action: str) -> None:
    """What the cells of one row say of each other is checked; what may be true all the same is kept with a warning."""
    failures = cell_failures(table, rows=rows_of(table, {}, given_row))
    assert [(row, found, did) for row, _, found, did in said(failures)] == [(11, rule, action)]
    assert failures[0].severity == ("warning" if action == "kept" else "error")


@pytest.mark.parametrize(
    ("table", "given_row"),
    [
        ("status", {"rating_scale": "five-point", "rating": "amber/red"}),
        ("status", {"rating_scale": "three-point", "rating": None}),
        ("finance", {"project_id": None}),
        ("projects", {"start_baseline_on": None, "finish_baseline_on": date(2000, 1, 1)}),
        ("risks", {"cost_impact_low": 1.0, "cost_impact_likely": None, "cost_impact_high": 2.0}),
    ],
)
def test_a_rule_is_silent_where_it_does_not_apply(table: str, given_row: dict[str, Any]) -> None:
    """An empty cell is no fault of the cell beside it."""
    assert cell_failures(table, rows=rows_of(table, given_row)) == []


@settings(max_examples=20)
@given(st.lists(st.sampled_from([*RATINGS, "purple", None]), min_size=1, max_size=8))
def test_exactly_the_ratings_that_are_none_are_found(ratings: list[str | None]) -> None:
    """Counting by hand and the schema agree on any column of ratings."""
    rows = rows_of("status", *({"rating": rating, "rating_scale": "five-point"} for rating in ratings))
    wrong = [10 + n for n, rating in enumerate(ratings) if rating == "purple"]
    assert [failure.row for failure in cell_failures("status", rows=rows)] == wrong


AROUND = Circumstances(pd.Timestamp(DAY), frozenset(("GBP", "EUR")))
BEFORE, AFTER = date(2026, 3, 1), date(2026, 4, 1)


@pytest.mark.parametrize(
    ("table", "given_row", "column", "rule"),
    [
        ("projects", {"finish_forecast_on": BEFORE, "finish_actual_on": None, "delivery_status": "active",
                      "start_forecast_on": None}, "finish_forecast_on", "forecast-in-past"),
        ("milestones", {"forecast_on": BEFORE, "actual_on": None}, "forecast_on", "forecast-in-past"),
        ("tasks", {"start_forecast_on": BEFORE, "start_actual_on": None}, "start_forecast_on", "forecast-in-past"),
        ("finance", {"measure": "forecast", "period": "2026-02"}, "period", "forecast-in-past"),
        ("finance", {"measure": "actual", "period": "2026-04"}, "period", "fact-in-future"),
        ("earned_value", {"month": "2026-04", "actual_cost": None}, "earned_value", "fact-in-future"),
        ("milestones", {"actual_on": AFTER}, "actual_on", "fact-in-future"),
        ("risks", {"reviewed_on": AFTER}, "reviewed_on", "fact-in-future"),
        ("overrides", {"expires_on": BEFORE}, "expires_on", "override-expired"),
        ("tasks", {"start_actual_on": DAY, "finish_actual_on": BEFORE}, "finish_actual_on", "start-after-finish"),
        ("baselines", {"finish_on": BEFORE}, "finish_on", "start-after-finish"),
        ("tasks", {"duration_days": 9.0}, "duration_days", "points-out-of-order"),
        ("issues", {"resolved_on": BEFORE}, "resolved_on", "ended-before-raised"),
        ("risks", {"status": "closed", "closed_on": None}, "closed_on", "closed-without-date"),
        ("risks", {"status": "open"}, "status", "date-without-closure"),
        ("risks", {"status": "open", "closed_on": None, "owner": None}, "owner", "risk-without-owner"),
        ("projects", {"delivery_status": "closed", "finish_actual_on": None}, "finish_actual_on",
         "closed-without-date"),
        ("milestones", {"baseline_on": None}, "baseline_on", "actual-without-baseline"),
        ("projects", {"currency": "USD"}, "currency", "no-rate"),
        ("risks", {"currency": None}, "currency", "money-without-currency"),
        ("status", {"rating_scale": "three-point", "rating_cost": "amber/red"}, "rating_cost", "rating-off-scale"),
        ("projects", {"name": "Grand total"}, "name", "total-row"),
        ("finance", {"category": "TOTAL:"}, "category", "total-row"),
    ],
)  # fmt: skip
def test_a_row_is_held_against_its_day_and_the_rates(
    table: str, given_row: dict[str, Any], column: str, rule: str
) -> None:
    """What a portfolio office expects of a row is checked, at its cell, and nothing else is said of the row."""
    failures = cell_failures(table, rows=rows_of(table, {}, given_row), around=AROUND)
    assert [(f.row, f.column, f.rule) for f in failures] == [(11, column, rule)]


@pytest.mark.parametrize(
    ("table", "given_row"),
    [
        ("projects", {"finish_forecast_on": BEFORE, "finish_actual_on": None, "delivery_status": "cancelled"}),
        ("finance", {"measure": "forecast", "period": "2026-03"}),
        ("finance", {"measure": "actual", "period": "2026-12", "period_kind": "year"}),
        ("earned_value", {"month": "2026-04", "earned_value": None, "actual_cost": None}),
        ("risks", {"status": "occurred"}),
        ("baselines", {"currency": None, "budget": None}),
        ("projects", {"currency": "EUR", "name": "Total Place, second phase"}),
    ],
)
def test_what_may_well_be_so_is_no_fault(table: str, given_row: dict[str, Any]) -> None:
    """The year's actual to date, a plan ahead, a cancelled project and a name that begins with a total are sound."""
    failures = cell_failures(table, rows=rows_of(table, given_row), around=AROUND)
    assert [failure for failure in failures if failure.rule != "start-after-finish"] == []


def test_rows_are_held_against_each_other() -> None:
    """Price bases, transfers, cumulative plans, overrides and dependencies are checked over all rows."""
    tables = {
        "portfolios": rows_of("portfolios", {"parent_id": None}, {"portfolio_id": "Q", "parent_id": "Z"}),
        "projects": rows_of(
            "projects", {"project_id": "A", "price_base": "nominal", "manager": "Ann  Lee"},
            {"project_id": "B", "price_base": "Nominal"}, {"project_id": "C", "price_base": "real 2020"},
            {"project_id": "D", "portfolio_id": "Q", "price_base": "real 2020"},
        ),
        "finance": rows_of(
            "finance", *({"measure": "transfer", "project_id": a, "counterparty": b, "amount": amount}
                         for a, b, amount in (("A", "B", -5.0), ("B", "A", 5.0), ("A", "C", -5.0), ("C", "A", 4.0),
                                              ("B", "elsewhere", 7.0)))
        ),
        "earned_value": rows_of(
            "earned_value", *({"month": m, "planned_value": v}
                              for m, v in (("2026-03", 7.0), ("2026-02", 9.0), ("2026-01", 3.0), ("2026-04", 9.0)))
        ),
        "overrides": rows_of(
            "overrides", {"project_id": "A", "approver": "ann lee"}, {"project_id": "A", "approver": "Office"}
        ),
        "dependencies": rows_of(
            "dependencies", *({"dependency_id": n, "provider_project_id": provider, "recipient_project_id": "A",
                               "agreed_by_provider": agreed}
                              for n, provider, agreed in (("1", "B", None), ("2", "D", None), ("3", "D", None),
                                                          ("4", "D", False), ("5", "elsewhere", None),
                                                          ("6", "D", None))),
            {"dependency_id": "3", "portfolio_id": "Q", "provider_project_id": "D", "recipient_project_id": "A"},
            # Its own sixth dependency has nothing to do with ours.
            {"dependency_id": "6", "portfolio_id": "Q", "provider_project_id": "C", "recipient_project_id": "D",
             "agreed_by_provider": True, "agreed_by_recipient": True},
        ),
    }  # fmt: skip
    failures = group_failures(tables)
    assert [(f.table, f.row, f.column, f.rule, f.action, f.others) for f in failures] == [
        ("portfolios", 11, "parent_id", "unknown-parent", "kept", ()),
        ("projects", 12, "price_base", "mixed-price-bases", "kept", ()),
        ("finance", 12, "amount", "transfer-off-balance", "kept", (13,)),
        ("earned_value", 10, "planned_value", "plan-falls", "kept", ()),
        ("overrides", 10, "approver", "own-override", "quarantined", ()),
        ("dependencies", 10, "agreed_by_provider", "one-sided-dependency", "kept", ()),
        ("dependencies", 11, "agreed_by_provider", "one-sided-dependency", "kept", ()),
        ("dependencies", 15, "agreed_by_provider", "one-sided-dependency", "kept", ()),
    ]
    assert group_failures({}) == []


def test_every_row_rule_names_a_column_of_its_table() -> None:
    """Rules speak of columns that exist, and no two of one table share name and column."""
    for rule in ROW_RULES:
        assert rule.column in TABLES[rule.table].names
    assert len({(rule.table, rule.name, rule.column) for rule in ROW_RULES}) == len(ROW_RULES)


# --- keys and references ----------------------------------------------------------------------------------------


def test_rows_with_one_key_are_found_together() -> None:
    """Each group of equal keys is one failure that names all its rows; empty parts of a key are equal."""
    rows = rows_of(
        "finance",
        {"category": None}, {"category": "staff"}, {"category": None}, {"category": None}, {"portfolio_id": "Q"},
    )  # fmt: skip
    (failure,) = key_failures("finance", rows=rows)
    assert (failure.row, failure.others, failure.rule, failure.action) == (10, (12, 13), "duplicate-key", "refused")
    assert failure.message.startswith("3 rows have the same key (portfolio_id, project_id")


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("PQ"), st.sampled_from("abc")), min_size=1, max_size=9))
def test_duplicates_are_those_that_counting_finds(keys: list[tuple[str, str]]) -> None:
    """For any list of keys, the rows named are exactly those whose key stands more than once."""
    rows = rows_of("projects", *({"portfolio_id": p, "project_id": i} for p, i in keys))
    named = {row for failure in key_failures("projects", rows=rows) for row in (failure.row, *failure.others)}
    assert named == {10 + n for n, key in enumerate(keys) if keys.count(key) > 1}


def small_portfolio() -> dict[str, pd.DataFrame]:
    """Return tables whose references all hold."""
    return {
        "portfolios": rows_of("portfolios", {}),
        "programmes": rows_of("programmes", {"programme_id": "G"}),
        "projects": rows_of("projects", {"project_id": "A", "programme_id": "G"}),
        "status": rows_of("status", {"project_id": "A"}),
        "tasks": rows_of("tasks", {"project_id": "A", "task_id": "1"}, {"project_id": "A", "task_id": "2"}),
        "links": rows_of("links", {"project_id": "A", "predecessor_id": "1", "successor_id": "2"}),
        "risks": rows_of("risks", {"project_id": None, "risk_id": "R"}),
        "issues": rows_of("issues", {"project_id": "A", "risk_id": "R"}),
    }


def test_references_that_hold_are_silent() -> None:
    """Rows that name what is there, or nothing, break nothing."""
    assert reference_failures(small_portfolio()) == []


@pytest.mark.parametrize(
    ("table", "column", "value", "rule", "action"),
    [
        ("status", "project_id", "B", "unknown-project", "quarantined"),
        ("status", "portfolio_id", "Q", "unknown-portfolio", "quarantined"),
        ("risks", "project_id", "B", "unknown-project", "quarantined"),
        ("links", "successor_id", "3", "unknown-task", "quarantined"),
        ("links", "predecessor_id", "3", "unknown-task", "quarantined"),
        ("projects", "programme_id", "H", "unknown-programme", "kept"),
        ("issues", "risk_id", "S", "unknown-risk", "kept"),
    ],
)
def test_a_reference_to_nothing_is_found(table: str, column: str, value: str, rule: str, action: str) -> None:
    """A row about something that is not there is set aside; a pointer beside the facts of a row is only reported."""
    tables = small_portfolio()
    tables[table] = tables[table].assign(**{column: pd.Series([value] * len(tables[table]), index=tables[table].index)})
    found = {(c, r, a) for _, c, r, a in said(reference_failures(tables)) if r != "unknown-project" or r == rule}
    assert found == {(column, rule, action)}


def test_ids_are_those_of_their_own_portfolio() -> None:
    """Project A of portfolio P is no anchor for a row of portfolio Q."""
    tables = small_portfolio()
    tables["portfolios"] = rows_of("portfolios", {}, {"portfolio_id": "Q"})
    tables["status"] = rows_of("status", {"portfolio_id": "Q", "project_id": "A"})
    assert said(reference_failures(tables)) == [(10, "project_id", "unknown-project", "quarantined")]


def test_projects_are_always_looked_for_optional_tables_only_if_they_are_there() -> None:
    """Without a table of programmes nothing is known of them; without projects every row about one is set aside."""
    tables = small_portfolio()
    without = {name: rows for name, rows in tables.items() if name != "programmes"}
    assert reference_failures(without) == []
    without = {name: rows for name, rows in tables.items() if name != "projects"}
    assert {f.rule for f in reference_failures(without)} == {"unknown-project"}


def test_every_reference_leads_to_columns_that_exist() -> None:
    """References are spelt as the tables are."""
    for reference in REFERENCES:
        assert set(reference.columns) <= set(TABLES[reference.table].names)
        assert set(reference.parent_columns) <= set(TABLES[reference.parent].names)
        assert len(reference.columns) == len(reference.parent_columns)


# --- findings and errors ----------------------------------------------------------------------------------------

FINDING = Finding(
    file="returns.xlsx", sheet="Risks", row=24, cell="F24", rule="above", severity="error", action="nulled",
    message="probability is above 1", fix="enter a share between 0 and 1", table="risks", value="1.4",
)  # fmt: skip


def test_a_finding_reads_as_one_sentence() -> None:
    """Where, what is wrong, the value, and what to do, in this order."""
    assert (
        str(FINDING)
        == "returns.xlsx, sheet Risks, cell F24: probability is above 1: '1.4' → enter a share between 0 and 1"
    )
    assert replace(FINDING, cell="", sheet="").place == "returns.xlsx, row 24"
    assert str(replace(FINDING, message="probability '1.4' is above 1")).count("1.4") == 1


def test_findings_come_sorted_by_place_and_once() -> None:
    """A table of findings has one row each, in order of file, sheet and row; none gives an empty table."""
    later = replace(FINDING, row=100, cell="F100")
    table = findings_table([later, FINDING, FINDING])
    assert table["row"].tolist() == [24, 100]
    assert tuple(table.columns) == FINDING_COLUMNS == tuple(findings_table([]).columns)
    assert str(findings_table([])["row"].dtype) == "int64"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (PmoError, 1),
        (ParameterError, 2),
        (DataContractError, 3),
        (SourceError, 3),
        (SnapshotRefused, 3),
        (ReportError, 1),
    ],
)
def test_an_error_carries_its_data_across_processes(kind: type[PmoError], code: int) -> None:
    """Message, next step and data survive pickling; the exit code says whose turn it is."""
    error = kind("x.csv: broken", fix="mend it", findings=[1, 2])
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 (made above)
    assert (type(back), str(back), back.data, back.exit_code) == (
        kind,
        "x.csv: broken → mend it",
        {"findings": [1, 2]},
        code,
    )
    assert str(kind("x")) == "x"
