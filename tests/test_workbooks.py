"""Workbooks that we write: text stays text, dates are dates, nothing is guessed, and the bytes are always the same."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.contracts.tables import TABLES
from pmo_lib.errors import DataContractError
from pmo_lib.workbooks import LONGEST_TEXT, return_bytes, write_return

HOSTILE = (
    "=SUM(A1:A9)", "+1+1", "-2+3", "@cmd", "{=1}", '=HYPERLINK("http://x.ex","y")', "http://x.example", "007", "1e5",
    "mailto:a@b.example", "internal:Sheet1!A1", "12,5", "TRUE", "2026-01-01", "#N/A", "<b>bold</b>", "&amp;", "O'Neill",
    "Müller", "'quoted", "two\nlines", "_x0041_", " spaces ", "日本",
)  # fmt: skip


def projects(names: list[str]) -> pd.DataFrame:
    """Return a typed project table with these names."""
    table = TABLES["projects"]
    rows: dict[str, list[object]] = {column: [None] * len(names) for column in table.names}
    rows |= {
        "portfolio_id": ["P"] * len(names),
        "project_id": [f"{n:03d}" for n in range(len(names))],
        "name": list(names),
        "finish_baseline_on": [date(2027, 3, 31)] * len(names),
        "budget_at_completion": [1234.5] * len(names),
        "priority": [1] * len(names),
        "currency": ["GBP"] * len(names),
        "source_ref": ["elsewhere.xlsx, projects, row 2"] * len(names),
    }
    return pd.DataFrame({c.name: pd.Series(rows[c.name], dtype=c.dtype) for c in table.columns})


def read(data: bytes) -> openpyxl.Workbook:
    """Open the bytes of a workbook as they were written, formulas as text."""
    return openpyxl.load_workbook(io.BytesIO(data))


def test_hostile_text_stays_text() -> None:
    """A text that looks like a formula, an address, a number or a date is written as that text and nothing else."""
    sheet = read(return_bytes({"projects": projects(list(HOSTILE))}))["projects"]
    cells = [sheet.cell(row, 3) for row in range(2, len(HOSTILE) + 2)]
    assert [cell.value for cell in cells] == list(HOSTILE)
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.hyperlink is None for cell in cells)


def test_no_part_of_the_file_holds_a_formula_or_a_link() -> None:
    """The XML of the sheets has no formula element and no relation to another place."""
    with zipfile.ZipFile(io.BytesIO(return_bytes({"projects": projects(list(HOSTILE))}))) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/")]
        names = parts.namelist()
    assert sheets
    assert not any(re.search(r"<f[ >]|<hyperlink", sheet) for sheet in sheets)
    assert not any("externalLink" in name or "sheet1.xml.rels" in name for name in names)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1), min_size=1, max_size=5
    )
)
def test_any_text_survives(names: list[str]) -> None:
    """Whatever people write comes back letter by letter."""
    sheet = read(return_bytes({"projects": projects(names)}))["projects"]
    assert [sheet.cell(row, 3).value for row in range(2, len(names) + 2)] == names


def test_control_characters_leave_a_file_that_opens() -> None:
    """A character that XML cannot hold is written as the format's escape for it; the text around it is kept."""
    sheet = read(return_bytes({"projects": projects([f"a{chr(code)}b" for code in range(1, 9)])}))["projects"]
    assert [sheet.cell(row, 3).value for row in range(2, 10)] == [f"a_x000{code}_b" for code in range(1, 9)]


def test_values_have_the_type_of_their_column() -> None:
    """A date is a real date shown as ISO, money a number with two decimals, a level whole, a flag a boolean."""
    milestones = TABLES["milestones"]
    given_row = {"portfolio_id": "P", "project_id": "007", "milestone_id": "M1", "status_date": date(2026, 9, 30),
                 "name": "Handed over", "kind": "gate", "baseline_on": date(2027, 1, 29), "critical": True}  # fmt: skip
    rows = pd.DataFrame({c.name: pd.Series([given_row.get(c.name)], dtype=c.dtype) for c in milestones.columns})
    book = read(return_bytes({"projects": projects(["A"]), "milestones": rows}))
    found = dict(zip((c.value for c in book["milestones"][1]), book["milestones"][2], strict=True))
    assert found["baseline_on"].is_date
    assert pd.Timestamp(found["baseline_on"].value) == pd.Timestamp("2027-01-29")
    assert found["baseline_on"].number_format == "yyyy-mm-dd"
    assert found["critical"].value is True
    assert found["project_id"].value == "007"
    money = dict(zip((c.value for c in book["projects"][1]), book["projects"][2], strict=True))
    assert (money["budget_at_completion"].value, money["budget_at_completion"].data_type) == (1234.5, "n")
    assert money["priority"].value == 1


def test_a_missing_value_is_an_empty_cell() -> None:
    """Null is written as nothing: no 'nan', no 'None', no zero."""
    sheet = read(return_bytes({"projects": projects(["A"])}))["projects"]
    filled = {head.value: cell.value for head, cell in zip(sheet[1], sheet[2], strict=True) if cell.value is not None}
    assert set(filled) == {
        "portfolio_id", "project_id", "name", "finish_baseline_on", "budget_at_completion", "priority", "currency",
    }  # fmt: skip


def test_layout_follows_the_contract() -> None:
    """One sheet per table in the contract's order, headers are its columns without source_ref, the header is frozen."""
    tables = {
        name: pd.DataFrame(columns=list(TABLES[name].names)) for name in ("status", "risks", "projects", "portfolios")
    }
    book = read(return_bytes(tables))
    assert book.sheetnames == ["portfolios", "projects", "status", "risks"]
    for sheet in book.worksheets:
        names = [name for name in TABLES[sheet.title].names if name != "source_ref"]
        assert [cell.value for cell in sheet[1]] == names
        assert sheet.freeze_panes == "A2"
        assert sheet.max_row == 1


def test_decimal_money_is_written_as_the_same_number() -> None:
    """Money may come as Decimal, as intake hands it over."""
    rows = projects(["A"]).astype({"budget_at_completion": object})
    rows["budget_at_completion"] = [Decimal("98765432.10")]
    sheet = read(return_bytes({"projects": rows}))["projects"]
    at = list(TABLES["projects"].names).index("budget_at_completion") + 1
    assert sheet.cell(2, at).value == 98765432.10


def test_same_tables_same_bytes(tmp_path: Path) -> None:
    """Two files of the same tables are equal byte by byte: no clock, no user and no folder is in them."""
    tables = {"projects": projects(list(HOSTILE))}
    first = write_return(tmp_path / "a" / "one.xlsx", tables=tables)
    second = write_return(tmp_path / "b" / "other.xlsx", tables=dict(tables))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as parts:
        assert {info.date_time for info in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert "2000-01-01T00:00:00Z" in parts.read("docProps/core.xml").decode()


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"projekts": projects(["A"])}, "no such table: projekts"),
        ({"projects": projects(["A"]).assign(colour="red")}, "no such column: colour"),
        ({"projects": projects(["x" * (LONGEST_TEXT + 1)])}, "column name, row 2: does not fit"),
    ],
)
def test_what_the_contract_does_not_know_is_refused(tables: dict[str, pd.DataFrame], says: str, tmp_path: Path) -> None:
    """An unknown table or column, or a text too long for a cell, is an error and leaves no file."""
    with pytest.raises(DataContractError, match=says):
        write_return(tmp_path / "r.xlsx", tables=tables)
    assert not (tmp_path / "r.xlsx").exists()


def test_the_longest_text_still_fits() -> None:
    """A text of exactly the format's limit is written whole."""
    sheet = read(return_bytes({"projects": projects(["x" * LONGEST_TEXT])}))["projects"]
    assert len(sheet.cell(2, 3).value) == LONGEST_TEXT
