"""Mappings: what somebody may write, what is refused, and that every mistake is named with a way out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake.native import native_mapping
from pmo_lib.parameters.mapping import Cell, Condition, Mapping, SourceColumn


def mapping(**changes: Any) -> Mapping:
    """Return a small sound mapping with some keys replaced."""
    sheet = {
        "columns": {"id": "Project ID", "name": ["Name", "Title"], "who": {"starts_with": ["Department"]}},
        "shared": {"portfolio_id": {"column": "who", "values": "departments"}},
        "rows": [
            {"table": "projects", "columns": {"project_id": "id", "name": "name", "currency": {"constant": "GBP"}}}
        ],
    }
    whole = {
        "name": "small",
        "files": {"pattern": r"returns_(?P<year>\d{4})\.csv", "status_date": "{year}-03-31"},
        "formats": {"values": {"departments": {"Department A": "A"}}},
        "sheets": [sheet | changes.pop("sheet", {})],
    }
    return Mapping.model_validate(whole | changes)


def test_short_forms_mean_the_long_ones() -> None:
    """A text is the first key of a cell, column or condition; a list of texts is a column's aliases."""
    (sheet,) = mapping().sheets
    assert sheet.columns["id"] == SourceColumn(aliases=("Project ID",))
    assert sheet.columns["name"] == SourceColumn(aliases=("Name", "Title"))
    assert sheet.rows[0].columns["name"] == Cell(column="name")
    assert Condition.model_validate("id") == Condition(column="id")


def test_cells_of_a_table_come_in_the_order_of_the_contract() -> None:
    """Shared cells are part of every table that has the column; a table's own cell goes before a shared one."""
    (sheet,) = mapping().sheets
    assert list(sheet.cells(sheet.rows[0])) == ["portfolio_id", "project_id", "name", "currency"]
    own = mapping(
        sheet={"rows": [{"table": "projects", "columns": {"portfolio_id": "id", "name": "who", "stage": "name"}}]}
    )
    assert own.sheets[0].cells(own.sheets[0].rows[0])["portfolio_id"] == Cell(column="id")


def test_value_maps_are_compared_folded() -> None:
    """Case and blanks of a value do not matter."""
    whole = mapping(formats={"values": {"departments": {"Department  A": "A"}}})
    assert whole.values_of(whole.sheets[0].shared["portfolio_id"]) == {"department a": "A"}
    assert whole.values_of(Cell(column="id", values={"X y": "z"})) == {"x y": "z"}
    assert whole.values_of(Cell(column="id")) == {}


def test_a_unit_is_exact() -> None:
    """A multiplier is a decimal number, never a binary fraction."""
    assert str(Cell(column="a", unit="0.01").multiplier) == "0.01"


ROWS = [{"table": "projects", "columns": {"project_id": "id", "name": "name"}}]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sheet": {"rows": [{"table": "project"}]}}, "there is no contract table of that name"),
        ({"sheet": {"rows": [{"table": "projects", "columns": {"nam": "name"}}]}}, "has no column nam"),
        ({"sheet": {"rows": ROWS, "shared": {}}}, "column who is declared and not used"),
        ({"sheet": {"rows": [*ROWS, {"table": "status", "when": "ipa"}]}}, "column ipa is used and not declared"),
        ({"sheet": {"shared": {"portfolio_id": "who", "ratng": {"constant": "x"}}}}, "no table here has"),
        ({"sheet": {"columns": {"id": []}}}, "the column has no name"),
        ({"formats": {}}, "there is no value map departments"),
        ({"formats": {"money": {"thousands": ".", "decimal": "."}}}, "thousands and decimals have the same sign"),
        ({"formats": {"states": [{"state": "withheld", "pattern": "("}]}}, "is no regular expression"),
        ({"formats": {"states": [{"state": "lost", "pattern": "x"}]}}, "Input should be 'withheld', 'not set'"),
        ({"files": {"pattern": "x", "status_date": "{year}-03-31"}}, "unknown variables year"),
        ({"files": {"pattern": "(?P<year>.*)", "set": {"scale": "x"}}, "sheet": {"shared": {
            "portfolio_id": {"column": "who", "values": "departments"}, "price_base": {"constant": "{scal}"}}}},
         "unknown variables scal"),
        ({"sheet": {"shared": {"portfolio_id": {"values": "departments"}}}}, "no origin or two"),
        ({"sheet": {"shared": {"portfolio_id": {"column": "who", "constant": "A"}}}}, "no origin or two"),
        ({"sheet": {"shared": {"portfolio_id": {"column": "who", "unit": "1e6"}}}}, "should match pattern"),
        ({"lineage": [{"before": "A", "after": "B", "kind": "split", "effective_on": "7/2/23"}]}, "match pattern"),
        ({"portfolios": {"parent": {"id": "../A", "name": "x"}}}, "should match pattern"),
        ({"sheets": []}, "it reads nothing"),
        ({"shets": []}, "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_mapping_is_named(changes: dict[str, Any], says: str) -> None:
    """What cannot work is refused when the mapping is read, before any file is."""
    with pytest.raises(ValidationError, match=says):
        mapping(**changes)


def test_several_mistakes_of_one_sheet_are_named_together() -> None:
    """A sheet's unused, undeclared and misspelt columns come in one message."""
    with pytest.raises(ValidationError) as error:
        mapping(sheet={"rows": [*ROWS, {"table": "status", "when": "ipa"}], "shared": {"ratng": {"constant": "x"}}})
    message = str(error.value)
    assert all(part in message for part in ("column ipa is used", "column who is declared", "shared column ratng"))


def test_variables_of_an_unpivot_are_its_own() -> None:
    """A header's named groups are variables of the rows that it yields, and of no others."""
    rows = {
        "table": "finance",
        "unpivot": {"pattern": r"(?P<month>\d{4}-\d\d)", "value": "amount"},
        "columns": {"period": {"constant": "{month}"}, "amount": "amount"},
    }
    project = {"table": "projects", "columns": {"project_id": "id", "name": "name"}}
    assert mapping(sheet={"rows": [project, rows]}).sheets[0].rows[1].unpivot is not None
    project["columns"] = {"project_id": "id", "name": "name", "stage": {"constant": "{month}"}}
    with pytest.raises(ValidationError, match="unknown variables month"):
        mapping(sheet={"rows": [project, rows]})


def test_our_own_layout_is_the_contract() -> None:
    """The native mapping has a sheet for every table but the one that intake writes, each column under its own name."""
    sheets = {sheet.rows[0].table: sheet for sheet in native_mapping().sheets}
    assert set(sheets) == set(TABLES) - {"states"}
    for name, sheet in sheets.items():
        columns = {column.name: column for column in TABLES[name].columns if column.name != "source_ref"}
        assert set(sheet.columns) == set(columns)
        assert all(sheet.columns[n].required == (c.need in ("key", "column", "cell")) for n, c in columns.items())
