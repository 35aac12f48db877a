"""The extract: explained columns, exact control totals, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from decimal import Decimal
from typing import Any

import jsonschema
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.errors import ReportError
from pmo_lib.extracts import (
    DESCRIPTION,
    FIELDS,
    SCHEMA_FILE,
    control_totals,
    extract,
    guarded,
    json_schema,
    unguarded,
)
from pmo_lib.results import plain

SNAPSHOT = "ab" * 32
FIGURES = pd.DataFrame(
    [("projects", 2.0, "projects", None), ("exposure_net", None, "GBP", "no risk register returned")],
    columns=["name", "value", "unit", "reason"],
)
HIERARCHY = pd.DataFrame(
    [("root", None, "Northshire", 2, 1_234_567.89, True), ("a", "root", "=1+1", 1, None, False)],
    columns=["node_id", "parent_id", "name", "projects", "cost_now", "complete"],
)
COVERAGE = pd.DataFrame(
    [("a", "health_check", "published", None, None), ("b", "health_check", "failed", "notebook", "-2+3 was raised")],
    columns=["portfolio_id", "report", "status", "stage", "cause"],
)
TABLES = {"hierarchy": HIERARCHY, "coverage": COVERAGE}


def published(figures: pd.DataFrame, *, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the document that publication makes of figures and tables, values in their plain form."""
    packed = {
        name: {
            "columns": list(rows.columns),
            "rows": [[plain(value, where=name) for value in row] for row in rows.itertuples(index=False, name=None)],
        }
        for name, rows in tables.items()
    }
    records = [
        {key: plain(row[key], where="figure") for key in ("name", "value", "unit", "reason")}
        for row in figures.to_dict("records")
    ]
    identity = {"organisation": "demo", "period": "2026-09", "report": "portfolio_rollup", "snapshot": SNAPSHOT}
    return json.loads(json.dumps({**identity, "portfolio": "", "figures": records, "tables": packed}))


FILES = extract(published(FIGURES, tables=TABLES))


def rows_of(content: bytes) -> list[list[str]]:
    """Read a CSV file as any program would."""
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))


def test_every_table_has_its_file_and_the_description_names_them() -> None:
    """An extract is one CSV for each published table, one for the figures, a description and its schema."""
    described = json.loads(FILES[DESCRIPTION])
    assert set(FILES) == {"hierarchy.csv", "coverage.csv", "figures.csv", DESCRIPTION, SCHEMA_FILE}
    assert [table["file"] for table in described["tables"]] == ["coverage.csv", "figures.csv", "hierarchy.csv"]
    assert described["period"] == "2026-09"
    assert described["snapshot"] == SNAPSHOT


def test_the_description_keeps_its_own_schema() -> None:
    """extract.json is valid under the JSON Schema that is delivered with it, and that schema is a schema."""
    schema = json.loads(FILES[SCHEMA_FILE])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(FILES[DESCRIPTION]), schema)
    assert schema == json_schema()


@pytest.mark.parametrize(
    ("place", "value"),
    [("period", "2026-13"), ("snapshot", "short"), ("schema", "pmo-extract/0"), ("tables", [])],
)
def test_the_schema_refuses_what_is_no_extract(place: str, value: object) -> None:
    """The JSON Schema is strict enough to refuse a wrong period, digest, version or an empty list of tables."""
    described = json.loads(FILES[DESCRIPTION])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**described, place: value}, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**described, "extra": 1}, json_schema())


def test_control_totals_are_those_of_the_bytes() -> None:
    """Rows, bytes, sha256 and money in minor units of the description are what a reader of the CSV finds."""
    for table in json.loads(FILES[DESCRIPTION])["tables"]:
        content = FILES[table["file"]]
        head, *body = rows_of(content)
        assert table["rows"] == len(body)
        assert table["bytes"] == len(content)
        assert table["sha256"] == hashlib.sha256(content).hexdigest()
        assert [column["name"] for column in table["columns"]] == head
        for name, total in table["totals"].items():
            amounts = [Decimal(row[head.index(name)]) for row in body if row[head.index(name)]]
            assert total == int(sum(amounts, Decimal(0)) * 100)


def test_values_are_written_by_kind() -> None:
    """Money has two decimals, a flag is true or false, a whole number has no point, null is empty."""
    assert rows_of(FILES["hierarchy.csv"])[1:] == [
        ["root", "", "Northshire", "2", "1234567.89", "true"],
        ["a", "root", "'=1+1", "1", "", "false"],
    ]


def test_what_is_missing_is_said() -> None:
    """Every report that is owed and not published stands in the description: an extract never pretends to be whole."""
    missing = json.loads(FILES[DESCRIPTION])["missing"]
    assert missing == [{"portfolio_id": "b", "report": "health_check", "status": "failed"}]


def test_same_results_same_bytes() -> None:
    """The order in which tables were published does not change a byte."""
    turned = extract(published(FIGURES, tables=dict(reversed(TABLES.items()))))
    assert turned == FILES


def test_a_column_without_an_explanation_is_refused() -> None:
    """A published column that the extract cannot explain is an error that names it, not a silent column."""
    strange = {"coverage": COVERAGE.assign(mood="good")}
    with pytest.raises(ReportError, match=r"coverage\.mood"):
        extract(published(FIGURES, tables=strange))


FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0@x", "＝1", "'=1", "-", "=cmd|' /C calc'!A0",
)  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_begins_as_a_formula(text: str) -> None:
    """A text that a spreadsheet takes for a formula gets an apostrophe in front, and comes back unchanged."""
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["", "Northshire", "a=b", "1+1", "4 × 4", "“=”", "<b>bold</b>"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    """A text that no spreadsheet takes for a formula is written as it is."""
    assert guarded(text) == text


@given(st.text())
def test_the_guard_can_be_taken_away(text: str) -> None:
    """Guarding loses nothing, and what it writes never begins with a character that starts a formula."""
    written = guarded(text)
    assert unguarded(written) == text
    assert not written.lstrip(" \u00a0").startswith(tuple("=+-@\t\r\n＝＋－＠"))


cells = st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12))
amounts = st.one_of(st.none(), st.integers(-(10**13), 10**13).map(lambda minor: minor / 100), st.floats(-1e5, 1e5))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(cells, amounts, st.integers(0, 99), amounts), min_size=1, max_size=8))
def test_what_the_page_says_is_what_the_files_hold(rows: list[tuple[Any, ...]]) -> None:
    """The control totals on the page, made before publication, are those of the files made after it."""
    hierarchy = pd.DataFrame(rows, columns=["name", "cost_now", "projects", "variance_share"])
    promised = control_totals(FIGURES, tables={"hierarchy": hierarchy})
    files = extract(published(FIGURES, tables={"hierarchy": hierarchy}))
    described = {table["file"]: table for table in json.loads(files[DESCRIPTION])["tables"]}
    for row in promised.to_dict("records"):
        assert row["sha256"] == described[row["file"]]["sha256"]
        assert row["rows"] == described[row["file"]]["rows"]
        assert row["minor_units"] == sum(described[row["file"]]["totals"].values())


def test_dates_and_shares_survive_publication() -> None:
    """A date is the same text before and after publication, a share keeps its six published decimals."""
    rows = pd.DataFrame({"finish_on": pd.to_datetime(["2026-03-31", None]), "share": [1 / 3, 0.5]})
    promised = control_totals(FIGURES, tables={"finishes": rows})
    files = extract(published(FIGURES, tables={"finishes": rows}))
    assert rows_of(files["finishes.csv"]) == [["finish_on", "share"], ["2026-03-31", "0.333333"], ["", "0.5"]]
    assert promised.loc[1, "sha256"] == hashlib.sha256(files["finishes.csv"]).hexdigest()


def test_every_field_is_explained() -> None:
    """Each column that an extract may hold has a meaning in words."""
    assert all(len(field.meaning) > 3 for field in FIELDS.values())
