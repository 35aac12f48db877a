"""Intake: whole returns in, checked tables out; every fault placed, every row, amount and cell accounted for."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.returned import ACCOUNTING_COLUMNS, CELL_COLUMNS, QUARANTINE_COLUMNS, RETURN_COLUMNS, Checked
from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import SnapshotRefused, SourceError
from pmo_lib.intake.check import check
from pmo_lib.parameters.mapping import Mapping
from pmo_lib.parameters.models import Organisation, Thresholds

ORGANISATION = Organisation(id="org", name="An organisation")
# Faults are planted into small returns: what would be too many rows of a real one must not refuse these.
PATIENT = Organisation(id="org", name="An organisation", thresholds=Thresholds(quarantine_limit=1.0))
Rows = list[dict[str, Any]]
DAY = "2026-03-31"


def small(portfolio: str = "A", *, day: str = DAY) -> dict[str, Rows]:
    """Return the raw tables of a small sound return: two projects, a rating and an amount each, one risk."""
    key = {"portfolio_id": portfolio}
    projects = [{**key, "project_id": f"{portfolio}-{n}", "name": f"Project {n}", "currency": "GBP"} for n in (1, 2)]
    return {
        "portfolios": [{**key, "name": f"Portfolio {portfolio}", "currency": "GBP"}],
        "projects": [{**project, "budget_at_completion": 1000.5} for project in projects],
        "status": [
            {**key, "project_id": p["project_id"], "status_date": day, "assessor_role": "manager", "rating": "Amber",
             "rating_scale": "three-point"}
            for p in projects
        ],
        "finance": [
            {**key, "project_id": p["project_id"], "period": "2026-03", "period_kind": "month", "measure": "actual",
             "amount": 10.25, "currency": "GBP"}
            for p in projects
        ],
        "risks": [
            {**key, "risk_id": "R-017", "status_date": day, "title": "A risk", "probability": 0.4, "category": None}
            | {"project_id": f"{portfolio}-1", "currency": "GBP"}
        ],
    }  # fmt: skip


def headers(rows: Rows) -> list[str]:
    """Return all columns of rows, in order of their first use."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(folder: Path, tables: dict[str, Rows]) -> Path:
    """Write a return as a folder of CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(headers(rows))
            writer.writerows([row.get(column, "") for column in headers(rows)] for row in rows)
    return folder


def as_workbook(path: Path, tables: dict[str, Rows], *, first_column: str = "") -> Path:
    """Write a return as a workbook; texts as texts, numbers as numbers, dates as dates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(path)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for name, rows in tables.items():
        sheet = book.add_worksheet(name)
        columns = ([first_column] if first_column else []) + headers(rows)
        for c, column in enumerate(columns):
            sheet.write_string(0, c, column)
            for r, row in enumerate(rows, start=1):
                value = row.get(column)
                if isinstance(value, str):
                    sheet.write_string(r, c, value)
                elif value is not None:
                    sheet.write(r, c, value, *([day] if isinstance(value, date) else []))
    book.close()
    return path


def one(*paths: Path, organisation: Organisation = PATIENT, **options: Any) -> Checked:
    """Check a return of one period, whose books close."""
    (checked,) = check(list(paths), organisation=organisation, **options)
    assert_closed(checked)
    return checked


def assert_closed(checked: Checked) -> None:
    """Rows, money and cells add up, and tables have exactly the contract's columns and types."""
    books, cells = checked.accounting, checked.cells
    assert (books["rows_in"] == books["used"] + books["quarantined"] + books["ignored"]).all()
    assert (books["money_in"] == books["money_used"] + books["money_quarantined"]).all()
    assert (cells["cells_in"] == cells[["typed", "stated", "faulty", "ignored"]].sum(axis=1)).all()
    assert len(checked.quarantined) == books["quarantined"].sum()
    for name, rows in checked.tables.items():
        table = TABLES[name]
        assert tuple(rows.columns) == table.names
        assert len(rows) > 0
        assert not rows.duplicated(list(table.key)).any()
        for column in table.columns:
            assert rows[column.name].dtype == ("object" if column.kind == "money" else column.dtype)
        if name != "states":
            assert len(rows) == books.loc[books["table"] == name, "used"].sum()


def refused(*paths: Path, organisation: Organisation = ORGANISATION, **options: Any) -> pd.DataFrame:
    """Return the findings for which nothing can be used."""
    with pytest.raises(SnapshotRefused) as error:
        check(list(paths), organisation=organisation, **options)
    assert error.value.exit_code == 3
    findings: pd.DataFrame = error.value.data["findings"]
    assert (findings["action"] == "refused").any()
    return findings


def by_rule(checked: Checked | pd.DataFrame, rule: str) -> list[dict[str, Any]]:
    """Return the findings of a rule."""
    findings = checked if isinstance(checked, pd.DataFrame) else checked.findings
    found: list[dict[str, Any]] = findings[findings["rule"] == rule].to_dict("records")
    return found


# --- a sound return ---------------------------------------------------------------------------------------------


def test_a_sound_return_has_no_findings(tmp_path: Path) -> None:
    """What keeps the contract comes through whole, typed, with the place of every row."""
    checked = one(as_workbook(tmp_path / "A.xlsx", small()), organisation=ORGANISATION)
    assert (checked.period, checked.status_date) == ("2026-03", date(2026, 3, 31))
    assert checked.findings.empty
    projects = checked.tables["projects"]
    assert projects["budget_at_completion"].tolist() == [Decimal("1000.50")] * 2
    assert projects["source_ref"].tolist() == ["A.xlsx, sheet projects, row 2", "A.xlsx, sheet projects, row 3"]
    assert checked.tables["status"]["rating"].tolist() == ["amber", "amber"]
    assert "states" not in checked.tables
    assert checked.returns.to_dict("records") == [
        {"portfolio_id": "A", "state": "returned", "file": "A.xlsx", "reason": ""}
    ]
    assert [(source.name, source.path) for source in checked.sources] == [("A.xlsx", tmp_path / "A.xlsx")]


def test_the_tables_about_the_intake_have_fixed_columns(tmp_path: Path) -> None:
    """Whoever reads the books finds the same columns every time, also where nothing is quarantined."""
    checked = one(as_csv(tmp_path / "A", small()))
    assert tuple(checked.accounting.columns) == ACCOUNTING_COLUMNS
    assert tuple(checked.cells.columns) == CELL_COLUMNS
    assert tuple(checked.quarantined.columns) == QUARANTINE_COLUMNS
    assert tuple(checked.returns.columns) == RETURN_COLUMNS
    finance = checked.accounting.set_index("table").loc["finance"]
    assert finance[["rows_in", "used", "money_in", "money_used"]].tolist() == [2, 2, 2050, 2050]


def test_a_workbook_a_folder_of_csv_and_one_of_parquet_say_the_same(tmp_path: Path) -> None:
    """The same facts in three formats give the same tables, except for the place that they came from."""
    tables = small()
    as_csv(tmp_path / "csv", tables)
    (tmp_path / "parquet").mkdir()
    for name, rows in tables.items():
        texts = {c: [None if row.get(c) is None else str(row[c]) for row in rows] for c in headers(rows)}
        arrays = {column: pa.array(cells, pa.string()) for column, cells in texts.items()}
        pq.write_table(pa.table(arrays), tmp_path / "parquet" / f"{name}.parquet")
    ways = [tmp_path / "csv", tmp_path / "parquet", as_workbook(tmp_path / "book" / "A.xlsx", tables)]
    first, *others = (one(way).tables for way in ways)
    for other in others:
        assert list(other) == list(first)
        for name, rows in first.items():
            pd.testing.assert_frame_equal(rows.drop(columns="source_ref"), other[name].drop(columns="source_ref"))


def test_the_same_files_give_the_same_result(tmp_path: Path) -> None:
    """Two checks of the same files, named in another order, are equal in every table."""
    paths = [as_workbook(tmp_path / f"{p}.xlsx", small(p)) for p in "AB"]
    first, second = one(*paths), one(*reversed(paths))
    for name, rows in first.tables.items():
        pd.testing.assert_frame_equal(rows, second.tables[name])
    for name in ("findings", "accounting", "cells", "returns", "quarantined"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))


def test_headers_and_sheets_may_be_written_as_people_do(tmp_path: Path) -> None:
    """Case, blanks and underscores of sheet and column names do not matter, nor does the order of columns."""
    tables = {
        name.upper(): [{c.replace("_", " ").title(): v for c, v in reversed(row.items())} for row in rows]
        for name, rows in small().items()
    }
    tables["Earned value"] = [
        {"Portfolio ID": "A", "Project ID": "A-1", "Month": "2026-03", "Baseline version": "1", "Currency": "GBP"}
    ]
    checked = one(as_workbook(tmp_path / "A.xlsx", tables))
    assert checked.findings.empty
    assert checked.tables["earned_value"]["month"].tolist() == ["2026-03"]


def test_sheets_for_people_are_left_aside(tmp_path: Path) -> None:
    """A read-me sheet is counted and not read; what intake writes itself may be in a workbook and is not believed."""
    tables = small()
    tables["projects"][0]["source_ref"] = "made up"
    tables["Read me"] = [{"Dear colleague": "please fill in", "x": "y"}]
    checked = one(as_workbook(tmp_path / "A.xlsx", tables))
    assert checked.findings.empty
    cells = checked.cells.set_index("sheet")
    assert cells.loc["Read me", ["cells_in", "ignored"]].tolist() == [4, 4]
    assert cells.loc["projects", "ignored"] == 1
    assert checked.tables["projects"]["source_ref"].tolist()[0] == "A.xlsx, sheet projects, row 2"


# --- faults of cells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "value", "rule", "severity", "action"),
    [
        ("projects", "budget_at_completion", "much", "number", "error", "nulled"),
        ("projects", "budget_at_completion", "1.234,56", "number-format", "error", "nulled"),
        ("projects", "budget_at_completion", True, "number", "error", "nulled"),
        ("projects", "budget_at_completion", -5.0, "below", "error", "nulled"),
        ("projects", "start_baseline_on", 45292.0, "serial-date", "error", "nulled"),
        ("projects", "start_baseline_on", "31/03/2026", "date", "error", "nulled"),
        ("projects", "priority", 1.5, "whole", "error", "nulled"),
        ("projects", "delivery_status", "sleeping", "not-allowed", "error", "nulled"),
        ("projects", "currency", "Pounds", "currency", "error", "quarantined"),
        ("projects", "name", None, "value-missing", "error", "quarantined"),
        ("projects", "project_id", "A 1", "id", "error", "quarantined"),
        ("status", "rating", " Green ", "stray-blanks", "notice", "kept"),
        ("status", "rating", "grene", "not-allowed", "error", "nulled"),
        ("status", "rating", "amber/red", "rating-off-scale", "error", "nulled"),
        ("status", "status_date", "2026-04-30", "wrong-period", "error", "quarantined"),
        ("status", "project_id", "A-9", "unknown-project", "error", "quarantined"),
        ("finance", "portfolio_id", "Q", "unknown-portfolio", "error", "quarantined"),
        ("finance", "period", "March", "month", "error", "quarantined"),
        ("risks", "probability", 1.4, "above", "error", "nulled"),
        ("risks", "probability", "0.4", "number-as-text", "notice", "kept"),
        ("risks", "risk_id", 17.0, "number-as-id", "warning", "kept"),
        ("risks", "issue", "x", "unknown-column", "warning", "nulled"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_at_its_cell(
    tmp_path: Path, table: str, column: str, value: Any, rule: str, severity: str, action: str
) -> None:
    """Each kind of fault is one finding with file, sheet, cell, key, value and what to do; nothing else changes."""
    tables = small()
    tables[table][-1][column] = value
    checked = one(as_workbook(tmp_path / "A.xlsx", tables), period="2026-03")
    found = [f for f in by_rule(checked, rule) if f["table"] == table]
    assert [(f["severity"], f["action"]) for f in found] == [(severity, action)]
    (finding,) = found
    row = 1 if rule == "unknown-column" else len(tables[table]) + 1
    letter = "ABCDEFGHIJ"[headers(tables[table]).index(column)]
    assert (finding["file"], finding["sheet"], finding["cell"], finding["row"]) == (
        "A.xlsx",
        table,
        f"{letter}{row}",
        row,
    )
    assert all(finding[part] for part in ("message", "fix"))
    if rule not in ("unknown-column", "value-missing"):
        assert str(finding["value"]).upper() == str(value).removesuffix(".0").upper().strip()
    assert len(checked.quarantined) >= (action == "quarantined")
    others = [name for name in ("portfolios", "projects", "status") if name != table and rule != "value-missing"]
    if action != "quarantined":
        assert all(len(checked.tables[name]) == len(tables[name]) for name in [*others, table])


def test_a_cell_that_cannot_be_read_hides_nothing(tmp_path: Path) -> None:
    """A text in a money column, a serial date and a negative budget are three findings, each at its cell."""
    tables = small()
    tables["projects"] += [
        {"portfolio_id": "A", "project_id": f"A-{n}", "name": "x", "currency": "GBP", "budget_at_completion": budget,
         "start_baseline_on": start}
        for n, budget, start in ((3, "soon", None), (4, -5.0, 45292.0), (5, 7.0, date(2026, 1, 1)))
    ]  # fmt: skip
    checked = one(as_workbook(tmp_path / "A.xlsx", tables))
    places = {finding["cell"]: finding["rule"] for finding in checked.findings.to_dict("records")}
    assert places == {"E4": "number", "E5": "below", "F5": "serial-date"}
    assert checked.tables["projects"]["budget_at_completion"].tolist() == [Decimal("1000.50")] * 2 + [
        None,
        None,
        Decimal(7),
    ]
    states = checked.tables["states"].set_index(["row_key", "column_name"])["state"]
    assert states.to_dict() == {
        ("A-3", "budget_at_completion"): "unreadable",
        ("A-4", "budget_at_completion"): "unreadable",
        ("A-4", "start_baseline_on"): "unreadable",
    }


def test_money_that_a_rule_takes_out_is_set_aside_not_lost(tmp_path: Path) -> None:
    """A negative budget is counted in, and among what is set aside; the row stays."""
    tables = small()
    tables["projects"][0]["budget_at_completion"] = "-5"
    books = one(as_csv(tmp_path / "A", tables)).accounting.set_index("table").loc["projects"]
    assert books[["money_in", "money_used", "money_quarantined", "quarantined"]].tolist() == [99550, 100050, -500, 0]


def test_words_for_no_value_become_states(tmp_path: Path) -> None:
    """withheld, not set, not returned and a range are states with their reasons; the cell itself is null."""
    tables = small()
    tables["status"][0]["rating"] = "withheld: court case"
    tables["projects"][0]["budget_at_completion"] = "Low: 1, Mid: 2, High: 3"
    tables["projects"][1]["budget_at_completion"] = "not set"
    tables["risks"][0]["probability"] = "not returned"
    checked = one(as_csv(tmp_path / "A", tables))
    assert checked.findings.empty
    states = checked.tables["states"]
    assert states[["table_name", "row_key", "column_name", "state", "reason"]].fillna("").to_numpy().tolist() == [
        ["projects", "A-1", "budget_at_completion", "range", "Low: 1, Mid: 2, High: 3"],
        ["projects", "A-2", "budget_at_completion", "not set", ""],
        ["risks", "R-017|2026-03-31", "probability", "not returned", ""],
        ["status", "A-1|2026-03-31|manager", "rating", "withheld", "court case"],
    ]
    assert states.loc[0, ["low", "mid", "high"]].tolist() == ["1.00", "2.00", "3.00"]
    assert checked.cells["stated"].sum() == 4
    assert checked.tables["projects"]["budget_at_completion"].tolist() == [None, None]


def test_errors_of_a_spreadsheet_are_findings(tmp_path: Path) -> None:
    """A cell that its program could not compute is no blank: it is named with its error."""
    path = as_workbook(tmp_path / "A.xlsx", small())
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    sheet = "xl/worksheets/sheet2.xml"
    parts[sheet] = re.sub(rb'<c r="E2"[^>]*>.*?</c>', b'<c r="E2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', parts[sheet])
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)
    (finding,) = by_rule(one(path), "error-cell")
    assert (finding["cell"], finding["message"], finding["action"]) == (
        "E2", "budget_at_completion holds the error #DIV/0!", "nulled",
    )  # fmt: skip


# --- faults of rows ---------------------------------------------------------------------------------------------


def test_a_quarantined_row_is_kept_with_its_raw_cells(tmp_path: Path) -> None:
    """A row that cannot be used is counted, and stands in the quarantine as it was written, with the rule."""
    tables = small()
    tables["risks"].append(
        {"portfolio_id": "A", "risk_id": None, "status_date": DAY, "title": "=cmd()", "probability": ".5"}
    )
    checked = one(as_csv(tmp_path / "A", tables))
    (row,) = checked.quarantined.to_dict("records")
    assert (row["portfolio_id"], row["table"], row["source_ref"], row["rules"]) == (
        "A", "risks", "risks.csv, row 3", "value-missing",
    )  # fmt: skip
    assert json.loads(row["row"]) == {"portfolio_id": "A", "status_date": DAY, "title": "=cmd()", "probability": ".5"}
    assert checked.returns["state"].tolist() == ["partial"]
    assert checked.returns["reason"].tolist() == ["1 row set aside"]


def test_rows_about_a_quarantined_project_follow_it(tmp_path: Path) -> None:
    """Where a project's own row cannot be used, neither can those about it, however far they lead."""
    tables = small()
    tables["projects"][1]["name"] = None
    tables["tasks"] = [{"portfolio_id": "A", "project_id": "A-2", "task_id": str(n), "name": "x"} for n in (1, 2)]
    tables["links"] = [
        {"portfolio_id": "A", "project_id": "A-2", "predecessor_id": "1", "successor_id": "2", "type": "FS"}
    ]
    checked = one(as_csv(tmp_path / "A", tables))
    aside = checked.quarantined.groupby("table").size().to_dict()
    assert aside == {"projects": 1, "status": 1, "finance": 1, "tasks": 2, "links": 1}
    assert len(by_rule(checked, "unknown-project")) == 5
    assert "tasks" not in checked.tables


def test_a_blank_row_is_none(tmp_path: Path) -> None:
    """Rows that hold nothing are not rows."""
    tables = small()
    tables["risks"] += [{}, {"risk_id": " "}, {}]
    checked = one(as_csv(tmp_path / "A", tables))
    assert checked.findings.empty
    assert checked.accounting.set_index("table").loc["risks", "rows_in"] == 1


# --- faults of returns ------------------------------------------------------------------------------------------


def test_a_duplicate_key_refuses_the_return_and_names_both_rows(tmp_path: Path) -> None:
    """Two rows with one key cannot both be right: the portfolio is refused, the others are not."""
    tables = small()
    tables["projects"].append(dict(tables["projects"][0]))
    paths = [as_workbook(tmp_path / "A.xlsx", tables), as_workbook(tmp_path / "B.xlsx", small("B"))]
    checked = one(*paths)
    found = by_rule(checked, "duplicate-key")
    assert [(f["row"], f["action"]) for f in found] == [(2, "refused"), (4, "refused")]
    assert all("A.xlsx, sheet projects, row 2, A.xlsx, sheet projects, row 4" in f["message"] for f in found)
    assert set(checked.tables["projects"]["portfolio_id"]) == {"B"}
    states = checked.returns.set_index("portfolio_id")["state"]
    assert states.to_dict() == {"A": "refused", "B": "returned"}
    assert set(checked.quarantined["rules"]) == {"return-refused"}
    assert (checked.quarantined["portfolio_id"] == "A").all()


def test_a_missing_required_column_refuses_its_return_only(tmp_path: Path) -> None:
    """A sheet without a column that it must have refuses its own workbook; its other faults are found all the same."""
    tables = small()
    for row in tables["projects"]:
        del row["name"]
    tables["projects"][0]["budget_at_completion"] = "much"
    paths = [as_workbook(tmp_path / "A.xlsx", tables), as_workbook(tmp_path / "B.xlsx", small("B"))]
    checked = one(*paths)
    (finding,) = by_rule(checked, "column-missing")
    assert (finding["file"], finding["sheet"], finding["column"], finding["action"]) == (
        "A.xlsx",
        "projects",
        "name",
        "refused",
    )
    assert len(by_rule(checked, "number")) == 1
    assert not by_rule(checked, "value-missing")
    assert checked.returns.set_index("portfolio_id")["state"].to_dict() == {"A": "refused", "B": "returned"}


def test_too_many_unusable_rows_refuse_a_return(tmp_path: Path) -> None:
    """More than the organisation's share of unusable rows of one portfolio refuses that portfolio."""
    tables = small()
    tables["finance"] = [{**tables["finance"][0], "period": "soon", "category": str(n)} for n in range(3)]
    paths = [as_workbook(tmp_path / "A.xlsx", tables), as_workbook(tmp_path / "B.xlsx", small("B"))]
    checked = one(*paths, organisation=ORGANISATION)
    (finding,) = by_rule(checked, "quarantine-limit")
    assert finding["message"] == "3 of 9 rows (33%) cannot be used, more than 20%"
    assert checked.returns.set_index("portfolio_id")["state"].to_dict() == {"A": "refused", "B": "returned"}
    lenient = Organisation(id="org", name="x", thresholds=Thresholds(quarantine_limit=0.34))
    assert one(*paths, organisation=lenient).returns["state"].tolist() == ["partial", "returned"]


def test_an_unknown_table_refuses_its_return_with_a_suggestion(tmp_path: Path) -> None:
    """A sheet that is no table of the contract is a mistake, not a note."""
    tables = small() | {"riskz": [{"portfolio_id": "A"}]}
    (finding,) = by_rule(refused(as_workbook(tmp_path / "A.xlsx", tables)), "unknown-table")
    assert (finding["sheet"], finding["fix"]) == ("riskz", "did you mean 'risks'?")


def test_a_column_that_stands_twice_refuses_its_return(tmp_path: Path) -> None:
    """Of two columns with one name nobody knows which is meant."""
    path = as_workbook(tmp_path / "A.xlsx", small(), first_column="Name")
    findings = refused(path)
    assert {f["sheet"] for f in by_rule(findings, "column-twice")} == {"portfolios", "projects"}


def test_a_return_without_its_required_tables_is_refused(tmp_path: Path) -> None:
    """Portfolios, projects and status are what a return is."""
    tables = {name: rows for name, rows in small().items() if name in ("portfolios", "risks")}
    findings = refused(as_workbook(tmp_path / "A.xlsx", tables), organisation=PATIENT)
    assert {f["table"] for f in by_rule(findings, "table-missing")} == {"projects", "status"}


def test_a_return_that_nobody_can_date_is_refused(tmp_path: Path) -> None:
    """Without a status date and without a period that is asked for, a return belongs nowhere."""
    tables = {name: rows for name, rows in small().items() if name in ("portfolios", "projects")}
    findings = refused(as_workbook(tmp_path / "A.xlsx", tables))
    assert len(by_rule(findings, "no-period")) == 1


def test_all_findings_of_a_refused_return_are_there(tmp_path: Path) -> None:
    """A refusal names everything at once: columns, cells, rows and tables."""
    tables = small()
    tables["projects"][0]["budget_at_completion"] = "much"
    tables["status"][0]["rating"] = "grene"
    tables["projects"].append(dict(tables["projects"][1]))
    findings = refused(as_workbook(tmp_path / "A.xlsx", tables))
    assert set(findings["rule"]) == {"number", "not-allowed", "duplicate-key", "table-missing"}


# --- several returns and periods --------------------------------------------------------------------------------


def test_each_period_of_a_folder_is_its_own_return(tmp_path: Path) -> None:
    """Workbooks of three months give three returns, ascending; asked for one, the others are left out."""
    days = ("2026-01-31", "2026-02-28", "2026-03-31")
    for day in days:
        as_workbook(tmp_path / day[:7] / f"A-{day[:7]}.xlsx", small(day=day))
    checked = check([tmp_path], organisation=PATIENT)
    assert [(each.period, each.status_date.isoformat()) for each in checked] == [(day[:7], day) for day in days]
    assert [source.name for source in checked[1].sources] == ["2026-02/A-2026-02.xlsx"]
    asked = one(tmp_path, period="2026-02")
    assert asked.period == "2026-02"
    assert len(asked.sources) == 1


def test_a_return_of_the_wrong_period_is_refused_beside_the_right_ones(tmp_path: Path) -> None:
    """In the folder of a period, a return that speaks of another month is refused, and the others are used."""
    as_workbook(tmp_path / "A.xlsx", small())
    as_workbook(tmp_path / "B.xlsx", small("B", day="2026-02-28"))
    checked = one(tmp_path, period="2026-03")
    (finding,) = by_rule(checked, "wrong-period")
    assert finding["message"] == "the return speaks of 2026-02, not of 2026-03"
    assert checked.returns.set_index("portfolio_id")["state"].to_dict() == {"A": "returned", "B": "refused"}
    assert {f["file"] for f in by_rule(refused(tmp_path / "A.xlsx", period="2026-01"), "wrong-period")} == {"A.xlsx"}


def test_an_older_return_of_the_same_portfolio_is_no_mistake(tmp_path: Path) -> None:
    """Last month's workbook may lie beside this month's."""
    as_workbook(tmp_path / "A-02.xlsx", small(day="2026-02-28"))
    as_workbook(tmp_path / "A-03.xlsx", small())
    checked = one(tmp_path, period="2026-03")
    assert checked.findings.empty
    assert [source.name for source in checked.sources] == ["A-03.xlsx"]


def test_units_that_every_return_brings_are_counted_once(tmp_path: Path) -> None:
    """The unit above two portfolios, described in the same words in both workbooks, is one row."""
    top = {"portfolio_id": "TOP", "name": "Top", "currency": "GBP", "level": "enterprise"}
    for name in "AB":
        tables = small(name)
        tables["portfolios"] = [{**tables["portfolios"][0], "parent_id": "TOP"}, top]
        as_workbook(tmp_path / f"{name}.xlsx", tables)
    checked = one(tmp_path)
    assert checked.findings.empty
    assert checked.tables["portfolios"]["portfolio_id"].tolist() == ["A", "B", "TOP"]
    books = checked.accounting.set_index(["table", "portfolio_id"])
    assert books.loc[("portfolios", "TOP"), ["rows_in", "used", "ignored"]].tolist() == [2, 1, 1]
    assert checked.returns["portfolio_id"].tolist() == ["A", "B"]


def test_a_portfolio_that_sent_nothing_is_listed(tmp_path: Path) -> None:
    """A portfolio that is declared, or was there before, and has no rows has not returned; it is no fall to zero."""
    tables = small()
    tables["portfolios"].append({"portfolio_id": "C", "name": "Portfolio C", "currency": "GBP"})
    before = one(as_csv(tmp_path / "before", small("B", day="2026-02-28"))).tables
    checked = one(as_csv(tmp_path / "now", tables), previous=lambda period: before)
    assert checked.returns.set_index("portfolio_id")["state"].to_dict() == {
        "A": "returned", "B": "not returned", "C": "not returned",
    }  # fmt: skip


def test_a_return_without_ratings_is_partial(tmp_path: Path) -> None:
    """A portfolio whose projects have no status is told apart from one that returned all."""
    paths = [as_workbook(tmp_path / "A.xlsx", small()), as_workbook(tmp_path / "B.xlsx", small("B") | {"status": [{}]})]
    checked = one(*paths, period="2026-03")
    assert checked.returns[["portfolio_id", "state", "reason"]].to_numpy().tolist() == [
        ["A", "returned", ""], ["B", "partial", "no usable row in status"],
    ]  # fmt: skip


def test_a_move_is_seen_from_both_ends(tmp_path: Path) -> None:
    """A project that stood in another portfolio before is a transfer in the lineage of sender and receiver, once."""
    before = {name: [*small()[name], *small("B")[name]] for name in small()}
    now = {
        name: [row for row in rows if row.get("project_id") != "A-2"]
        for name, rows in small("A", day="2026-04-30").items()
    }
    for name, rows in small("B", day="2026-04-30").items():
        now[name] += rows
    for name in ("projects", "status"):
        moved = {"portfolio_id": "B", "project_id": "A-2", "name": "Project 2"}
        now[name].append({**now[name][0], **{k: v for k, v in moved.items() if k in now[name][0]}})
    as_csv(tmp_path / "1", before)
    as_csv(tmp_path / "2", now)
    _, checked = check([tmp_path], organisation=PATIENT)
    lineage = checked.tables["lineage"]
    assert lineage[["portfolio_id", "from_id", "to_id", "project_id", "kind"]].to_numpy().tolist() == [
        ["A", "A", "B", "A-2", "transferred"], ["B", "A", "B", "A-2", "transferred"],
    ]  # fmt: skip
    assert lineage["effective_on"].dt.date.tolist() == [date(2026, 4, 30)] * 2
    told = [{"portfolio_id": "B", "from_id": "A", "to_id": "B", "project_id": "A-2", "kind": "transferred"}]
    as_csv(tmp_path / "2", now | {"lineage": told})
    _, checked = check([tmp_path], organisation=PATIENT)
    assert checked.tables["lineage"]["source_ref"].str.startswith("2/lineage.csv").tolist() == [False, True]


# --- what may be handed in --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["none.csv"], "no such file or folder"),
        (["empty"], "no file to read"),
        (["x.docx"], "does not fit the mapping"),
    ],
)
def test_paths_that_lead_to_nothing_are_refused(tmp_path: Path, names: list[str], says: str) -> None:
    """A path that does not exist, an empty folder and a file of another kind are errors with the next step."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.docx").write_bytes(b"x")
    with pytest.raises(SourceError, match=says) as error:
        check([tmp_path / name for name in names], organisation=ORGANISATION)
    assert error.value.fix


def test_hidden_and_lock_files_are_not_returns(tmp_path: Path) -> None:
    """What an office program leaves beside an open workbook is not read."""
    as_workbook(tmp_path / "A.xlsx", small())
    (tmp_path / "~$A.xlsx").write_bytes(b"lock")
    (tmp_path / ".hidden.csv").write_bytes(b"x")
    (tmp_path / "README.md").write_bytes(b"x")
    assert one(tmp_path).findings.empty


def test_checking_changes_nothing(tmp_path: Path) -> None:
    """The files are only read."""
    path = as_workbook(tmp_path / "A.xlsx", small())
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir()))
    one(path)
    assert before == (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir()))


# --- foreign layouts --------------------------------------------------------------------------------------------


def foreign(**changes: Any) -> Mapping:
    """Return a mapping of a small foreign layout."""
    sheet: dict[str, Any] = {
        "columns": {
            "id": {"aliases": ["Ref"], "required": True},
            "name": "Title",
            "unit": {"starts_with": ["Directorate"], "required": True},
            "rag": {"aliases": ["RAG"], "empties": ["n/k"]},
            "cost": "Cost (k)",
        },
        "shared": {
            "portfolio_id": {"column": "unit", "values": {"Roads & Rail": "ROADS"}, "case": "upper"},
            "project_id": "id",
            "currency": {"constant": "GBP"},
        },
        "rows": [
            {
                "table": "projects",
                "columns": {"name": "name", "whole_life_cost_baseline": {"column": "cost", "unit": "1000"}},
            },
            {
                "table": "status",
                "when": "rag",
                "columns": {
                    "assessor_role": {"constant": "owner"},
                    "rating": {"column": "rag", "values": {"on track": "green", "off track": "red"}},
                    "rating_scale": {"constant": "three-point"},
                },
            },
        ],
    }
    whole: dict[str, Any] = {
        "name": "foreign",
        "files": {"pattern": r"list_(?P<year>\d{4})\.csv", "status_date": "{year}-12-31"},
        "formats": {"states": [{"state": "withheld", "pattern": "secret"}], "dates": ["%d.%m.%Y"]},
        "portfolios": {"names": {"ROADS": "Roads and rail"}, "parent": {"id": "TOP", "name": "All"}, "currency": "GBP"},
    }
    whole["sheets"] = [sheet | changes.pop("sheet", {})]
    return Mapping.model_validate(whole | changes)


LIST = [
    ["Ref", "Title", "Directorate of", "RAG", "Cost (k)"],
    ["p1", "One", "Roads & Rail", "On Track", "1.5"],
    ["p2", "Two", "ports", "n/k", "secret"],
    ["p3", "Three", "Ports ", "off track", "2,000"],
]


def put_list(path: Path, rows: Iterable[Iterable[Any]] = LIST) -> Path:
    """Write a list as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def facts(checked: Checked) -> dict[str, list[list[Any]]]:
    """Return what a foreign list comes to."""
    columns = {
        "projects": ["portfolio_id", "project_id", "name", "whole_life_cost_baseline"],
        "status": ["project_id", "rating"],
    }
    return {name: checked.tables[name][wanted].to_numpy().tolist() for name, wanted in columns.items()}


WANTED = {
    "projects": [
        ["PORTS", "p2", "Two", None], ["PORTS", "p3", "Three", Decimal(2_000_000)],
        ["ROADS", "p1", "One", Decimal(1500)],
    ],
    "status": [["p3", "red"], ["p1", "green"]],
}  # fmt: skip


def test_a_foreign_list_becomes_contract_tables(tmp_path: Path) -> None:
    """Aliases, value maps, units, words for blank and withheld, and portfolios from the data: all from the mapping."""
    checked = one(put_list(tmp_path / "list_2025.csv"), mapping=foreign())
    assert (checked.period, facts(checked)) == ("2025-12", WANTED)
    portfolios = checked.tables["portfolios"].set_index("portfolio_id")
    assert portfolios["name"].to_dict() == {"PORTS": "PORTS", "ROADS": "Roads and rail", "TOP": "All"}
    assert portfolios["parent_id"].fillna("").to_dict() == {"PORTS": "TOP", "ROADS": "TOP", "TOP": ""}
    assert [f["portfolio_id"] for f in by_rule(checked, "portfolio-without-name")] == ["PORTS"]
    assert checked.tables["states"]["reason"].tolist() == ["secret"]
    (cells,) = checked.cells.to_dict("records")
    assert (cells["cells_in"], cells["stated"], cells["ignored"]) == (15, 1, 1)
    books = checked.accounting.set_index(["table", "portfolio_id"])
    assert books.loc[("status", "PORTS"), ["rows_in", "used", "ignored"]].tolist() == [2, 1, 1]


def test_records_may_stand_in_columns(tmp_path: Path) -> None:
    """The list on its side gives the same facts, whether the mapping or the headers say so; places are the file's."""
    path = put_list(tmp_path / "list_2025.csv", zip(*LIST, strict=True))
    for orientation in ("columns", "detect"):
        checked = one(path, mapping=foreign(sheet={"orientation": orientation}))
        assert facts(checked) == WANTED
        assert checked.tables["projects"]["source_ref"].tolist()[0] == "list_2025.csv, column C"
        assert {f["cell"] for f in by_rule(checked, "portfolio-without-name")} == {"C3"}
    assert facts(one(put_list(tmp_path / "list_2024.csv"), mapping=foreign(sheet={"orientation": "detect"}))) == WANTED


def test_a_header_need_not_be_the_first_row(tmp_path: Path) -> None:
    """Rows above the header are left aside, and rows are counted as the file has them."""
    path = put_list(tmp_path / "list_2025.csv", [["Our list"], [], *LIST])
    checked = one(path, mapping=foreign(sheet={"header_row": 3}))
    assert facts(checked) == WANTED
    assert checked.tables["projects"]["source_ref"].tolist()[2] == "list_2025.csv, row 4"


def test_totals_are_no_records(tmp_path: Path) -> None:
    """Rows that the mapping declares to be none are left aside, and so are columns."""
    rows = [[*row, note] for row, note in zip(LIST, ("Note", "a", "", "b"), strict=True)]
    path = put_list(tmp_path / "list_2025.csv", [*rows, ["Total", "", "", "", "2,001.5", ""]])
    sheet = {"ignored_rows": [{"column": "id", "pattern": "total"}], "ignored": ["Note"]}
    checked = one(path, mapping=foreign(sheet=sheet))
    assert facts(checked) == WANTED
    assert checked.cells["ignored"].item() == 1 + 2 + 2


def test_the_name_of_a_file_decides_what_is_different(tmp_path: Path) -> None:
    """Exceptions by the file's name change the day, the encoding, the orientation and the variables, nothing else."""
    files = {
        "pattern": r"list_(?P<year>\d{4})\.csv", "status_date": "{year}-12-31", "set": {"role": "owner"},
        "exceptions": [{"match": {"year": "2019"}, "status_date": "{year}-09-30", "orientation": "columns",
                        "header_row": 2, "encodings": ["cp1252"], "set": {"role": "assurer"}}],
    }  # fmt: skip
    mapping = foreign(files=files)
    rows = [*mapping.sheets[0].rows]
    whole = mapping.model_dump()
    whole["sheets"][0]["rows"][1]["columns"]["assessor_role"] = {"constant": "{role}"}
    mapping = Mapping.model_validate(whole)
    put_list(tmp_path / "list_2020.csv")
    turned = zip(["x"] * 5, *LIST, strict=True)
    (tmp_path / "list_2019.csv").write_bytes(
        "\n".join(";".join(row) for row in turned).replace("Two", "Zwölf").encode("cp1252")
    )
    early, late = check([tmp_path], organisation=PATIENT, mapping=mapping)
    assert (early.status_date, late.status_date) == (date(2019, 9, 30), date(2020, 12, 31))
    assert early.tables["projects"]["name"].tolist() == ["Zwölf", "Three", "One"]
    assert [set(each.tables["status"]["assessor_role"]) for each in (early, late)] == [{"assurer"}, {"owner"}]
    assert len(rows) == 2


def test_columns_that_are_months_become_rows(tmp_path: Path) -> None:
    """Each filled cell under a month's header is a row of its own, named by its header, at its own cell."""
    rows = [
        ["Ref", "Title", "Directorate", "RAG", "Cost (k)", "Jan 2026 Plan", "Feb 2026 Plan", "Jan 2026 Spent"],
        ["p1", "One", "ROADS", "Green", "1", "10", "", "much"],
    ]
    unpivot = {
        "table": "finance",
        "unpivot": {"pattern": r"(?P<month>\w{3} \d{4}) (?P<what>\w+)", "value": "figure"},
        "columns": {
            "period": {"constant": "{month}", "dates": ["%b %Y"]},
            "period_kind": {"constant": "month"},
            "measure": {"constant": "{what}", "values": {"Spent": "actual"}},
            "amount": {"column": "figure", "unit": "1000"},
        },
    }
    base = foreign().model_dump()["sheets"][0]["rows"]
    checked = one(put_list(tmp_path / "list_2026.csv", rows), mapping=foreign(sheet={"rows": [*base, unpivot]}))
    finance = checked.tables["finance"][["period", "measure", "amount"]].to_numpy().tolist()
    assert finance == [["2026-01", "actual", None], ["2026-01", "plan", Decimal(10_000)]]
    assert [(f["cell"], f["rule"]) for f in by_rule(checked, "number")] == [("H2", "number")]


def test_one_file_may_hold_several_periods(tmp_path: Path) -> None:
    """Where records tell their own day, a file gives one return per month; a record without a day is set aside."""
    rows = [[*LIST[0], "As of"]] + [
        [*row, day] for row, day in zip(LIST[1:], ("31.01.2026", "28.02.2026", ""), strict=True)
    ]
    rows.append([*LIST[1], "28.02.2026"])
    sheet = foreign().model_dump()["sheets"][0]
    sheet["columns"] |= {"day": {"aliases": ["As of"]}}
    mapping = foreign(sheet=sheet | {"status_date": "day"}, files={"pattern": ".*"})
    path = put_list(tmp_path / "list.csv", rows)
    january, february = check([path], organisation=PATIENT, mapping=mapping)
    assert [(each.period, len(each.tables["projects"])) for each in (january, february)] == [
        ("2026-01", 1),
        ("2026-02", 2),
    ]
    (finding,) = by_rule(february, "no-status-date")
    assert (finding["row"], finding["action"]) == (4, "quarantined")
    for each in (january, february):
        assert_closed(each)
    assert one(path, mapping=mapping, period="2026-01").period == "2026-01"


def test_a_value_may_not_count_because_of_another_column(tmp_path: Path) -> None:
    """A 0 whose note says that nothing was costed is not set, with the words; another 0 is zero."""
    rows = [
        [*LIST[0], "Note"],
        ["p1", "One", "ROADS", "Green", "0", "not costed yet"],
        ["p2", "Two", "ROADS", "Red", "0", "free"],
    ]
    sheet = foreign().model_dump()["sheets"][0]
    sheet["columns"] |= {"note": {"aliases": ["Note"]}}
    sheet["rows"][0]["columns"]["whole_life_cost_baseline"]["unless"] = {
        "value": "0", "column": "note", "pattern": r"not costed\b",
    }  # fmt: skip
    checked = one(put_list(tmp_path / "list_2025.csv", rows), mapping=foreign(sheet=sheet))
    assert checked.tables["projects"]["whole_life_cost_baseline"].tolist() == [None, Decimal(0)]
    states = checked.tables["states"]
    assert states[["row_key", "state", "reason"]].to_numpy().tolist() == [["p1", "not set", "0: not costed"]]


def test_files_of_another_name_are_passed_over_in_a_folder_and_refused_by_name(tmp_path: Path) -> None:
    """In a folder, what does not fit the pattern is noticed; named itself, it is an error."""
    put_list(tmp_path / "list_2025.csv")
    other = put_list(tmp_path / "other.csv")
    checked = one(tmp_path, mapping=foreign())
    assert [f["file"] for f in by_rule(checked, "file-passed-over")] == ["other.csv"]
    with pytest.raises(SourceError, match="does not fit the mapping foreign"):
        check([other], organisation=PATIENT, mapping=foreign())


def test_lineage_of_the_mapping_holds_from_its_day_on(tmp_path: Path) -> None:
    """A portfolio that became another is in the lineage of both ends, in no period before its day."""
    steps = [{"before": "CANALS", "after": "PORTS", "kind": "renamed", "effective_on": "2025-06-01"}]
    for year in (2024, 2025):
        put_list(tmp_path / f"list_{year}.csv")
    before, after = check([tmp_path], organisation=PATIENT, mapping=foreign(lineage=steps))
    assert "lineage" not in before.tables
    assert after.tables["lineage"]["portfolio_id"].tolist() == ["CANALS", "PORTS"]


def test_what_happens_to_an_id_between_two_periods_is_noticed(tmp_path: Path) -> None:
    """Another way of writing an id is one project; another id under an old name may be the same project renamed."""
    sheet = foreign().model_dump()["sheets"][0]
    sheet["shared"]["project_id"] = {"column": "id", "case": "upper"}
    sheet["rows"][0]["columns"]["id_as_returned"] = {"column": "id"}
    put_list(tmp_path / "list_2024.csv")
    put_list(tmp_path / "list_2025.csv", [LIST[0], ["P1", *LIST[1][1:]], ["x2", *LIST[2][1:]], LIST[3]])
    _, checked = check([tmp_path], organisation=PATIENT, mapping=foreign(sheet=sheet))
    (case,) = by_rule(checked, "id-case-changed")
    assert (case["cell"], case["value"], "written p1" in case["message"]) == ("A2", "P1", True)
    (renamed,) = by_rule(checked, "project-id-renamed?")
    assert (renamed["cell"], renamed["severity"], "the id P2" in renamed["message"]) == ("A3", "notice", True)


# --- any return -------------------------------------------------------------------------------------------------

CELLS = st.sampled_from(
    ["", " ", "A-1", "A-2", "A-3", "A", "x y", "Amber", "green", "10", "-3.50", "1,000", "1.234", "lots", DAY,
     "2026-02-28", "31/03/2026", "45292", "2026-03", "withheld: why", "not set", "Low: 1, High: 2", "GBP", "gbp",
     "actual", "month", "0.5", "1.5", "TRUE", "\N{NO-BREAK SPACE}"]
)  # fmt: skip
COLUMNS = {
    "projects": ["portfolio_id", "project_id", "name", "currency", "budget_at_completion", "start_baseline_on"],
    "finance": ["portfolio_id", "project_id", "period", "period_kind", "measure", "amount", "currency"],
    "risks": ["portfolio_id", "risk_id", "status_date", "title", "probability", "response_cost", "project_id"],
}  # fmt: skip


@st.composite
def random_tables(draw: st.DrawFn) -> dict[str, Rows]:
    """Draw a sound return with rows of arbitrary cells among the others."""
    tables = small()
    for name, columns in COLUMNS.items():
        for cells in draw(st.lists(st.tuples(*[CELLS] * len(columns)), max_size=4)):
            tables[name].append(dict(zip(columns, cells, strict=True)))
    return tables


@settings(max_examples=12)
@given(tables=random_tables(), limit=st.sampled_from([0.2, 1.0]))
def test_whatever_comes_in_is_accounted_for(tmp_path_factory: Any, tables: dict[str, Rows], limit: float) -> None:
    """Any rows of any cells: used, set aside or refused, to the last row, penny and cell, and never a traceback."""
    folder = tmp_path_factory.mktemp("random")
    organisation = Organisation(id="org", name="x", thresholds=Thresholds(quarantine_limit=limit))
    try:
        (checked,) = check([as_csv(folder, tables)], organisation=organisation)
    except SnapshotRefused as error:
        findings = error.data["findings"]
        assert set(findings.loc[findings["action"] == "refused", "rule"]) & {"duplicate-key", "quarantine-limit"}
        return
    assert_closed(checked)
    held = {
        f"{name}.csv": sum(bool(str(value).strip()) for row in rows for value in row.values() if value is not None)
        for name, rows in tables.items()
    }
    assert dict(zip(checked.cells["file"], checked.cells["cells_in"], strict=True)) == held
    for name, rows in tables.items():
        own = checked.accounting[checked.accounting["table"] == name]
        assert own["rows_in"].sum() == sum(any(str(v).strip() for v in row.values() if v is not None) for row in rows)
    faulty = checked.findings.query("severity == 'error' and cell != '' and value != ''")
    assert (checked.cells["faulty"].sum() > 0) <= (len(faulty) > 0)
