"""The template: it says what every column wants, its example is never read, and what is typed into it comes back."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner

from pmo_lib.cli import commands
from pmo_lib.contracts.parts import EXAMPLE
from pmo_lib.contracts.returned import Checked
from pmo_lib.contracts.tables import TABLES
from pmo_lib.demo import Size, organisation_tables
from pmo_lib.errors import ParameterError, SnapshotRefused
from pmo_lib.intake import values
from pmo_lib.intake.check import check
from pmo_lib.intake.reading import MOST_EXAMPLES
from pmo_lib.parameters.models import ID_PATTERN, Organisation
from pmo_lib.workbooks import notes, write_return
from pmo_lib.workbooks.examples import example_rows
from pmo_lib.workbooks.template import GUIDE, LAST_ROW, NOT_RETURNED, template_bytes

ORGANISATION = Organisation(id="demo", name="Northshire Council")
RETURNED = [name for name in TABLES if name != NOT_RETURNED]
Tables = dict[str, pd.DataFrame]


@cache
def template() -> bytes:
    """Return the template of the demo organisation."""
    return template_bytes(organisation=ORGANISATION.name, currency="GBP")


@pytest.fixture(scope="module")
def book() -> openpyxl.Workbook:
    """The template, opened; for reading only."""
    return openpyxl.load_workbook(io.BytesIO(template()))


@pytest.fixture(scope="module")
def tables() -> Tables:
    """A return of the demo, with a project that moved and a published figure: every table that is returned has rows."""
    made = organisation_tables(Size(periods=2, portfolios=1, projects=6))["2026-08", "highways"]
    figure = {"portfolio_id": "highways", "project_id": made["projects"]["project_id"].iloc[0], "figure": "overrun",
              "status_date": pd.Timestamp("2026-08-31"), "published": 0.125, "sign_rule": "signed"}  # fmt: skip
    del made["states"]  # have no sheet
    return {**made, "lineage": moved(), "published_figures": typed("published_figures", [figure])}


def examples_of(portfolio: str) -> Tables:
    """Return the example rows as tables of another portfolio."""
    return {
        name: typed(
            name, [{key: portfolio if value == EXAMPLE else value for key, value in row.items()} for row in rows]
        )
        for name, rows in example_rows(currency="GBP").items()
    }


def moved() -> pd.DataFrame:
    """Return a project that came from elsewhere."""
    row = {"portfolio_id": "highways", "from_id": "estates", "to_id": "highways", "project_id": "EST-99",
           "effective_on": pd.Timestamp("2026-08-01"), "kind": "transferred", "share_moved": 1.0}  # fmt: skip
    return typed("lineage", [row])


def typed(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a contract table with money as float."""
    columns = TABLES[name].columns
    return pd.DataFrame({c.name: pd.Series([row.get(c.name) for row in rows], dtype=c.dtype) for c in columns})


def fill(path: Path, tables: Tables, *, keep_examples: bool) -> Path:
    """Type tables into the template, below the examples or in their place."""
    book = openpyxl.load_workbook(io.BytesIO(template()))
    for name, rows in tables.items():
        sheet = book[name]
        if not keep_examples:
            sheet.delete_rows(2, sheet.max_row)
        heads = [cell.value for cell in sheet[1]]
        first = sheet.max_row + 1
        for at, column in enumerate(heads, start=1):
            cells = zip(rows[column].astype(object).to_list(), rows[column].notna().to_list(), strict=True)
            for row, (value, there) in enumerate(cells, start=first):
                if there:
                    cell = sheet.cell(row, at)
                    cell.value = value
                    cell.data_type = "s" if isinstance(value, str) else cell.data_type
    if not keep_examples:
        for name in set(RETURNED) - set(tables):
            book[name].delete_rows(2, 5)
    book.save(path)
    return path


def one(path: Path, **options: Any) -> Checked:
    """Check a return of one period."""
    (checked,) = check([path], organisation=ORGANISATION, **options)
    return checked


def assert_equal(checked: Checked, tables: Tables) -> None:
    """What came out is what went in, every table and every cell."""
    assert set(checked.tables) == {name for name, rows in tables.items() if len(rows)}
    for name, rows in checked.tables.items():
        key, money = list(TABLES[name].key), dict.fromkeys(TABLES[name].of_kind("money"), "float64")
        found = rows.drop(columns="source_ref").replace({None: np.nan}).astype(money)
        expected = tables[name].drop(columns="source_ref")
        pd.testing.assert_frame_equal(
            found.sort_values(key, kind="stable", ignore_index=True),
            expected.sort_values(key, kind="stable", ignore_index=True),
        )


def test_the_same_arguments_give_the_same_bytes() -> None:
    """The template holds no clock and no chance: written twice it is the same, byte by byte."""
    assert template() == template()
    assert template() != template_bytes(organisation="Other", currency="EUR")


def test_one_sheet_per_table_in_the_contracts_order(book: openpyxl.Workbook) -> None:
    """The guide comes first, then every table that is returned, with the contract's columns and a frozen header."""
    assert book.sheetnames == [GUIDE, *RETURNED]
    for name in RETURNED:
        assert [cell.value for cell in book[name][1]] == [c for c in TABLES[name].names if c != "source_ref"]
        assert book[name].freeze_panes == "A2"


def test_every_column_has_a_note(book: openpyxl.Workbook) -> None:
    """A column's note holds its meaning, whether it is required, and every word that it allows."""
    for name in RETURNED:
        for cell in book[name][1]:
            column = TABLES[name].column(cell.value)
            note = cell.comment.text
            required = {"key": "required", "cell": "required", "column": "column required"}.get(column.need, "optional")
            assert note.startswith(f"{column.name}: {required}\n{column.meaning}\n"), (name, column.name)
            assert all(f"• {word}" in note for word in column.allowed)


def test_every_amount_says_what_its_sign_means(book: openpyxl.Workbook) -> None:
    """An amount may be negative by a stated rule, or its lowest value is stated."""
    for name in RETURNED:
        for column in TABLES[name].of_kind("money"):
            note = notes.note_on(TABLES[name].column(column), table=TABLES[name])
            assert ("Positive" in note) != ("at least 0" in note), (name, column)
    assert "Positive is cost, negative is a credit" in notes.note_on(
        TABLES["finance"].column("amount"), table=TABLES["finance"]
    )
    assert "Positive is benefit" in notes.note_on(
        TABLES["projects"].column("benefits_forecast"), table=TABLES["projects"]
    )


def test_allowed_values_are_drop_downs_in_every_row(book: openpyxl.Workbook) -> None:
    """Each choice has a list of exactly its words, from row 2 to the last row, that warns and does not forbid."""
    for name in RETURNED:
        rules = {str(rule.sqref): rule for rule in book[name].data_validations.dataValidation}
        for cell in book[name][1]:
            column = TABLES[name].column(cell.value)
            rule = rules.get(f"{cell.column_letter}2:{cell.column_letter}{LAST_ROW + 1}")
            if column.allowed:
                assert rule is not None
                assert (rule.type, rule.errorStyle) == ("list", "warning")
                assert rule.formula1.strip('"').split(",") == list(column.allowed)
            elif column.kind == "text" and column.name != "currency":
                assert rule is None
            else:
                assert rule is not None, (name, column.name)


def test_bounds_are_those_of_intake() -> None:
    """What a cell is checked for while it is typed is what intake accepts: days, lengths of ids, lowest and highest."""
    assert (notes.FIRST_DAY, notes.LAST_DAY) == (values.FIRST_DAY, values.LAST_DAY)
    assert rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{notes.LONGEST_ID - 1}}}$" == ID_PATTERN
    assert float(values.MOST_NUMBER) == notes.MOST
    rule = notes.rule_of(TABLES["projects"].column("priority"))
    assert rule is not None
    assert (rule["validate"], rule["minimum"]) == ("integer", 1)


def test_required_columns_are_told_by_weight_and_shade(book: openpyxl.Workbook) -> None:
    """A required column is bold on a dark fill, one that must be there bold on grey, an optional one neither."""
    looks = {
        name: book["status"].cell(1, list(TABLES["status"].names).index(name) + 1)
        for name in ("project_id", "rating", "narrative")
    }
    assert [(cell.font.b, cell.fill.fgColor.rgb) for cell in looks.values()] == [
        (True, "FF2457A5"), (True, "FFD5DAE1"), (False, "00000000"),
    ]  # fmt: skip


def test_the_examples_agree_with_each_other(tmp_path: Path) -> None:
    """Under any other portfolio the example rows pass intake without a finding, and every table has one."""
    rows = example_rows(currency="GBP")
    assert set(rows) == set(RETURNED)
    assert {name: len(each) for name, each in rows.items() if len(each) != 1} == {"tasks": MOST_EXAMPLES}
    renamed = examples_of("DEPOTS")
    checked = one(write_return(tmp_path / "example.xlsx", tables=renamed))
    assert checked.findings.empty
    assert_equal(checked, renamed)


def test_the_example_bears_its_own_portfolio_in_every_row(book: openpyxl.Workbook) -> None:
    """No example row stands under an id that intake would read."""
    for name in RETURNED:
        assert {book[name].cell(row, 1).value for row in range(2, book[name].max_row + 1)} == {EXAMPLE}


@pytest.mark.parametrize("options", [{}, {"period": "2026-09"}])
def test_an_untouched_template_is_refused_clearly(tmp_path: Path, options: dict[str, str]) -> None:
    """A template that nobody filled in is no portfolio: one error says so and what to do."""
    path = tmp_path / "return.xlsx"
    path.write_bytes(template())
    with pytest.raises(SnapshotRefused, match="nothing but the example rows of the template") as error:
        check([path], organisation=ORGANISATION, **options)  # type: ignore[arg-type]
    findings = error.value.data["findings"]
    assert findings["rule"].tolist() == ["example-rows", "nothing-filled-in"]
    assert "write your own rows below them" in findings["fix"].iloc[1]


def test_a_filled_template_comes_back_without_a_finding(tmp_path: Path, tables: Tables) -> None:
    """Typed in place of the examples, every table of the contract comes back cell by cell and nothing is found."""
    assert set(tables) == set(RETURNED)
    assert min(map(len, tables.values())) > 0
    checked = one(fill(tmp_path / "filled.xlsx", tables, keep_examples=False))
    assert checked.findings.empty
    assert checked.quarantined.empty
    assert_equal(checked, tables)


def test_examples_that_were_left_in_are_counted_and_never_read(tmp_path: Path, tables: Tables) -> None:
    """Typed below the examples, the tables are the same; the examples are ignored rows, told in one notice."""
    checked = one(fill(tmp_path / "filled.xlsx", tables, keep_examples=True))
    assert_equal(checked, tables)
    assert [(row.rule, row.severity) for row in checked.findings.itertuples()] == [("example-rows", "notice")]
    books = checked.accounting.loc[checked.accounting["portfolio_id"] == EXAMPLE]
    assert books.set_index("table")["ignored"].to_dict() == {name: 2 if name == "tasks" else 1 for name in RETURNED}
    assert books["used"].sum() == 0
    assert EXAMPLE not in set(checked.returns["portfolio_id"])
    assert not any((rows == EXAMPLE).any(axis=None) for rows in checked.tables.values())


def test_own_rows_under_the_examples_id_are_a_warning(tmp_path: Path) -> None:
    """More rows of a table than the template's example has may be somebody's own: the finding warns and counts them."""
    rows = example_rows(currency="GBP")
    own = {
        name: typed(name, [{k: "P" if v == EXAMPLE else v for k, v in row.items()} for row in each])
        for name, each in rows.items()
    }
    risks = [
        {**rows["risks"][0], "portfolio_id": name, "risk_id": f"R{n}"}
        for n, name in enumerate(("EXAMPLE", "Example", " example "))
    ]
    own["risks"] = pd.concat([own["risks"], typed("risks", risks)], ignore_index=True)
    checked = one(write_return(tmp_path / "r.xlsx", tables=own))
    (finding,) = checked.findings.to_dict("records")
    assert (finding["severity"], finding["fix"]) == ("warning", "give your own rows your own portfolio_id")
    assert finding["message"].endswith("left out, 3 in risks")


def test_an_untouched_template_among_good_returns_harms_none(tmp_path: Path) -> None:
    """Beside a return that can be used an untouched template is a notice."""
    rows = examples_of("P")
    write_return(tmp_path / "good.xlsx", tables=rows)
    (tmp_path / "template.xlsx").write_bytes(template())
    checked = one(tmp_path)
    assert checked.findings["rule"].tolist() == ["example-rows"]
    assert_equal(checked, rows)


@pytest.mark.parametrize(
    ("words", "state"),
    [*((words, words.split(":")[0]) for words in notes.STATE_WORDS), (notes.RANGE_WORDS, "range")],
)
def test_the_words_of_the_notes_are_read_as_they_say(tmp_path: Path, words: str, state: str) -> None:
    """What a note tells people to write instead of a value, intake reads as that state."""
    assert words in notes.note_on(TABLES["finance"].column("amount"), table=TABLES["finance"])
    rows = examples_of("P")
    path = fill(tmp_path / "r.xlsx", rows, keep_examples=False)
    book = openpyxl.load_workbook(path)
    amount = next(cell.column for cell in book["finance"][1] if cell.value == "amount")
    book["finance"].cell(2, amount).value = words
    book.save(path)
    checked = one(path)
    assert checked.findings.empty
    assert checked.tables["states"]["state"].tolist() == [state]


# --- the command ----------------------------------------------------------------------------------------------


def test_the_command_writes_the_template_of_the_organisation(tmp_path: Path) -> None:
    """``pmo template OUT`` writes the organisation's template, and ``pmo check OUT`` says that it is not filled in."""
    out = tmp_path / "new" / "return.xlsx"
    done = CliRunner().invoke(commands, ["template", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    assert out.read_bytes() == template()
    with pytest.raises(SnapshotRefused, match="nothing but the example rows"):
        CliRunner().invoke(commands, ["check", str(out)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["there.xlsx"], "is there already"),
        (["new.csv"], "does not end in .xlsx → name it new.xlsx"),
        (["new.xlsx", "--org", "uk_gmpp"], "come in another layout"),
        (["new.xlsx", "--org", "nowhere"], "nowhere"),
    ],
)
def test_the_command_overwrites_nothing(tmp_path: Path, arguments: list[str], says: str) -> None:
    """A file that is there, another ending, and an organisation that reads no template are usage errors."""
    (tmp_path / "there.xlsx").write_bytes(b"mine")
    name, *options = arguments
    with pytest.raises(ParameterError, match=says):
        CliRunner().invoke(commands, ["template", str(tmp_path / name), *options], catch_exceptions=False)
    assert [path.name for path in tmp_path.iterdir()] == ["there.xlsx"]
    assert (tmp_path / "there.xlsx").read_bytes() == b"mine"
