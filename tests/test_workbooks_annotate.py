"""The annotated copy: every finding at its cell and in the list, and all else of the user's workbook as it was."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import python_calamine
import xlsxwriter
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st

from pmo_lib.cli import commands
from pmo_lib.contracts.findings import FINDINGS_SHEET, Finding, findings_table
from pmo_lib.errors import DataContractError, ParameterError, SnapshotRefused, SourceError
from pmo_lib.intake.check import check
from pmo_lib.parameters.mapping import Mapping
from pmo_lib.parameters.models import Organisation
from pmo_lib.workbooks.annotate import AUTHOR, MARK_FORMULA, annotated
from pmo_lib.workbooks.listing import TITLE
from pmo_lib.workbooks.remarks import MARK, MOST_REMARKS, clean

ORGANISATION = Organisation(id="o", name="O")
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x.example","y")', "<b>&amp;", "a\x01b", "x" * 40_000)
PROJECTS = (
    "portfolio_id",
    "project_id",
    "name",
    "delivery_status",
    "budget_at_completion",
    "finish_forecast_on",
    "currency",
)


def user_workbook(path: Path) -> Path:
    """Write a return as people keep them: formats, formulas with values, a comment, own sheets, a rule of colours.

    Its faults: ``actve`` in D2, a text in E3, no name in C4, ``31/02/2027`` in F4 of the projects.
    """
    with xlsxwriter.Workbook(path) as book:
        bold = book.add_format({"bold": True, "bg_color": "#FFEE00", "border": 1})
        money, day = book.add_format({"num_format": "#,##0.00"}), book.add_format({"num_format": "dd/mm/yyyy"})
        units = book.add_worksheet("portfolios")
        units.write_row(0, 0, ["portfolio_id", "name", "currency"], bold)
        units.write_row(1, 0, ["P", "Portfolio", "GBP"])
        sheet = book.add_worksheet("projects")
        sheet.write_row(0, 0, PROJECTS, bold)
        for row, name in enumerate(("Bridge", "Tunnel", ""), start=1):
            sheet.write_row(row, 0, ["P", f"P-{row}", name, "active"])
            sheet.write_formula(row, 4, f"=100*{row}+0.5", money, 100 * row + 0.5)
            sheet.write_datetime(row, 5, pd.Timestamp("2027-03-31").to_pydatetime(), day)
            sheet.write_string(row, 6, "GBP")
        sheet.write_string(1, 3, "actve", bold)
        sheet.write_string(2, 4, "1.234,56", money)
        sheet.write_string(3, 5, "31/02/2027", day)
        sheet.write_comment("D2", "Ask Ann", {"author": "Ann"})
        sheet.write_comment("B2", "Only mine", {"author": "Ann"})
        sheet.set_column(2, 2, 33)
        sheet.freeze_panes(1, 2)
        sheet.data_validation("D2:D9", {"validate": "list", "source": ["active", "closed"]})
        sheet.conditional_format("E2:E9", {"type": "cell", "criteria": ">", "value": 150, "format": bold})
        status = book.add_worksheet("status")
        status.write_row(0, 0, ["portfolio_id", "project_id", "status_date", "assessor_role", "rating", "rating_scale"])
        for row in (1, 2):
            status.write_row(row, 0, ["P", f"P-{row}"])
            status.write_datetime(row, 2, pd.Timestamp("2026-09-30").to_pydatetime(), day)
            status.write_row(row, 3, ["PM", "green", "three-point"])
        own = book.add_worksheet("_Ann's sheet")
        own.write_formula(0, 0, '="a"&"<b"', None, "a<b")
        own.write_formula(1, 0, "=1>0", None, True)
        own.write_formula(2, 0, "=1/0", None, "#DIV/0!")
        own.write_formula(3, 0, "=TODAY()", day, 46000)
        own.write_string(4, 0, "=1+1")
        own.merge_range("B1:C3", "merged", bold)
    return path


def found_in(path: Path, **options: Any) -> pd.DataFrame:
    """Return the findings of a return, refused or not."""
    try:
        return pd.concat([each.findings for each in check([path], organisation=ORGANISATION, **options)])
    except SnapshotRefused as error:
        findings: pd.DataFrame = error.data["findings"]
        return findings


def opened(content: bytes) -> openpyxl.Workbook:
    """Open the bytes of a workbook."""
    return openpyxl.load_workbook(io.BytesIO(content))


def finding(**differs: Any) -> Finding:
    """Return a finding at the delivery status of the first project, but for what differs."""
    base = Finding("r.xlsx", "projects", 2, "D2", "rule", "error", "nulled", "is wrong", "mend it", value="actve")
    return replace(base, **differs)


def annotate(path: Path, *findings: Finding) -> openpyxl.Workbook:
    """Annotate a workbook with findings made by hand, and open the copy."""
    return opened(annotated(path, findings=findings_table(findings)).content)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's workbook; for reading only."""
    return user_workbook(tmp_path_factory.mktemp("user") / "r.xlsx")


@pytest.fixture(scope="module")
def findings(path: Path) -> pd.DataFrame:
    """What intake finds in it."""
    return found_in(path)


@pytest.fixture(scope="module")
def copy(path: Path, findings: pd.DataFrame) -> bytes:
    """Its annotated copy."""
    return annotated(path, findings=findings).content


def marks(sheet: Any) -> dict[str, str]:
    """Return cell → colour of the marks of a sheet."""
    return {
        cell: rule.dxf.fill.bgColor.rgb
        for area in sheet.conditional_formatting
        for rule in area.rules
        if rule.formula == [MARK_FORMULA]
        for cell in str(area.sqref).split()
    }


def listed(book: openpyxl.Workbook, name: str = FINDINGS_SHEET) -> list[dict[str, Any]]:
    """Return the rows of the list of findings."""
    rows = [[cell.value for cell in row] for row in book[name].iter_rows()]
    start = next(n for n, row in enumerate(rows) if row[0] == "severity")
    return [dict(zip(rows[start], row, strict=True)) for row in rows[start + 1 :]]


# --- what is added --------------------------------------------------------------------------------------------


def test_every_cell_at_fault_has_its_comment(findings: pd.DataFrame, copy: bytes) -> None:
    """A comment says how bad it is, what is wrong, the value, and what to do; cells without a fault have none."""
    sheet = opened(copy)["projects"]
    at_fault = {row.cell: row for row in findings.itertuples() if row.cell and row.sheet == "projects"}
    assert set(at_fault) == {"D2", "E3", "C4", "F4"}
    for cell, row in at_fault.items():
        text = sheet[cell].comment.text
        assert all(part in text for part in (f"ERROR: {row.message}", row.fix, row.value, MARK)), cell
    commented = {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment}
    assert commented == {*at_fault, "B2"}


def test_cells_are_marked_in_the_colour_of_their_worst_finding(path: Path) -> None:
    """An error outweighs a warning on the same cell; the mark stands above the user's own rules of colour."""
    book = annotate(
        path, finding(severity="notice"), finding(severity="error", rule="b"), finding(severity="warning", cell="E3")
    )
    assert marks(book["projects"]) == {"D2": "FFEDA26A", "E3": "FFF6DC9A"}
    rules = [rule for area in book["projects"].conditional_formatting for rule in area.rules]
    assert sorted((rule.priority, rule.type) for rule in rules) == [(1, "expression"), (2, "expression"), (3, "cellIs")]


def test_the_list_has_every_finding_and_leads_to_its_cell(findings: pd.DataFrame, copy: bytes) -> None:
    """The first sheet lists all findings, errors first, each linked to its cell or row."""
    book = opened(copy)
    assert book.sheetnames == [FINDINGS_SHEET, "portfolios", "projects", "status", "_Ann's sheet"]
    assert book.active.title == FINDINGS_SHEET
    rows = listed(book)
    assert [row["what is wrong"] for row in rows] == findings["message"].tolist()
    links = [cell.hyperlink for row in book[FINDINGS_SHEET].iter_rows() for cell in row if cell.hyperlink]
    assert [link.location for link in links] == [f"'projects'!{cell}" for cell in findings["cell"]]
    assert all(link.target is None for link in links)


def test_findings_without_a_cell_are_listed_only(path: Path) -> None:
    """A finding on a row, sheet or file has no comment; its row can still be gone to."""
    given = [finding(cell=""), finding(cell="", row=0), finding(cell="", row=0, sheet="", rule="file"),
             finding(sheet="not there", rule="other")]  # fmt: skip
    result = annotated(path, findings=findings_table(given))
    book = opened(result.content)
    assert result.cells == 0
    assert len(listed(book)) == len(given)
    assert marks(book["projects"]) == {}
    links = [cell.hyperlink.location for row in book[FINDINGS_SHEET].iter_rows() for cell in row if cell.hyperlink]
    assert links == ["'projects'!A2"]


def test_several_findings_share_a_comment(path: Path) -> None:
    """All findings of a cell stand in one comment, up to a limit that it names; the list has them all."""
    many = [finding(rule=f"r{n}", message=f"fault {n}") for n in range(MOST_REMARKS + 3)]
    book = annotate(path, *many)
    text = book["projects"]["D2"].comment.text
    assert [f"fault {n}" in text for n in range(len(many))] == [True] * MOST_REMARKS + [False] * 3
    assert text.endswith("… and 3 more in the list of findings")
    assert len(listed(book)) == len(many)


def test_a_comment_that_was_there_stays(copy: bytes) -> None:
    """The user's comment stands first in its own words and under its author's name; ours follows below a line."""
    sheet = opened(copy)["projects"]
    assert sheet["D2"].comment.text.startswith(f"Ask Ann\n\n{MARK}\nERROR: delivery_status")
    assert sheet["D2"].comment.author == "Ann"
    assert (sheet["B2"].comment.text, sheet["B2"].comment.author) == ("Only mine", "Ann")
    assert sheet["E3"].comment.author == AUTHOR


def test_a_finding_inside_merged_cells_is_told_at_the_first(path: Path) -> None:
    """The comment stands at the cell that holds the value, and names the cell that was meant."""
    sheet = annotate(path, finding(sheet="_Ann's sheet", cell="C2"))["_Ann's sheet"]
    assert "ERROR: C2, is wrong" in sheet["B1"].comment.text
    assert marks(sheet) == {"B1": "FFEDA26A"}
    assert [str(area) for area in sheet.merged_cells.ranges] == ["B1:C3"]


def test_a_sound_workbook_says_so(path: Path) -> None:
    """Without findings the copy has the list, which says that there are none."""
    book = annotate(path)
    assert book[FINDINGS_SHEET]["A2"].value == "No findings: the workbook can be used as it is."


# --- what must not happen -------------------------------------------------------------------------------------


def test_hostile_text_stays_text(path: Path) -> None:
    """A value that looks like a formula, markup or a control sign is text in the list and in the comment."""
    given = [
        finding(rule=f"r{n}", value=text, message=f"{text[:200]} is wrong", key=text[:50])
        for n, text in enumerate(HOSTILE)
    ]
    content = annotated(path, findings=findings_table(given)).content
    assert {row["value"] for row in listed(opened(content))} == {clean(text) for text in HOSTILE}
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        sheet = package.read("xl/worksheets/sheet1.xml").decode()
        relations = [
            package.read(name).decode() for name in package.namelist() if name.startswith("xl/worksheets/_rels")
        ]
    assert "<f>" not in sheet
    assert not any("External" in text for text in relations)


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_gives_a_workbook_that_opens(path: Path, text: str) -> None:
    """Whatever a cell held, the copy opens, and the list shows it, but for signs that XML cannot hold."""
    (row,) = listed(annotate(path, finding(value=text, message="is wrong")))
    assert (row["value"] or "").replace("\r\n", "\n").replace("\r", "\n") == clean(text).replace("\r\n", "\n").replace(
        "\r", "\n"
    )


def test_a_sheet_of_the_users_with_our_name_stays(tmp_path: Path) -> None:
    """Where the name is taken the list has a number behind its own, and the user's sheet is as it was."""
    book = openpyxl.load_workbook(user_workbook(tmp_path / "r.xlsx"))
    book.create_sheet("PMO Findings")["A1"] = "mine"
    book.save(tmp_path / "r.xlsx")
    copy = annotate(tmp_path / "r.xlsx", finding())
    assert copy.sheetnames[0] == f"{FINDINGS_SHEET} 2"
    assert copy["PMO Findings"]["A1"].value == "mine"
    assert len(listed(copy, f"{FINDINGS_SHEET} 2")) == 1


def test_everything_of_the_users_is_as_it_was(path: Path, copy: bytes) -> None:
    """Values, formulas, formats, widths, frozen panes, drop-downs, merged cells and rules of colour are the same."""
    before, after = openpyxl.load_workbook(path), opened(copy)
    for sheet in before.worksheets:
        twin = after[sheet.title]
        assert (sheet.dimensions, sheet.freeze_panes) == (twin.dimensions, twin.freeze_panes)
        assert sheet.column_dimensions["C"].width == twin.column_dimensions["C"].width
        assert [str(area) for area in sheet.merged_cells.ranges] == [str(area) for area in twin.merged_cells.ranges]
        assert [rule.formula1 for rule in sheet.data_validations.dataValidation] == [
            rule.formula1 for rule in twin.data_validations.dataValidation
        ]
        for row in sheet.iter_rows():
            for cell in row:
                other = twin[cell.coordinate]
                assert (cell.value, cell.data_type, cell.number_format) == (
                    other.value,
                    other.data_type,
                    other.number_format,
                )
                assert [repr(look) for look in (cell.font, cell.fill, cell.border, cell.alignment)] == [
                    repr(look) for look in (other.font, other.fill, other.border, other.alignment)
                ]


def test_formulas_keep_their_values(path: Path, copy: bytes) -> None:
    """A program that computes nothing reads from the copy what it read from the original: no formula lost its value."""
    before = python_calamine.CalamineWorkbook.from_path(str(path))
    after = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(copy))
    for name in before.sheet_names:
        assert before.get_sheet_by_name(name).to_python() == after.get_sheet_by_name(name).to_python(), name
    assert after.get_sheet_by_name("projects").to_python()[1][4] == 100.5
    values = openpyxl.load_workbook(io.BytesIO(copy), data_only=True)["_Ann's sheet"]
    assert [values.cell(row, 1).value for row in range(1, 6)] == [
        "a<b",
        True,
        "#DIV/0!",
        pd.Timestamp("2025-12-09"),
        "=1+1",
    ]


def test_the_copy_has_the_same_findings(tmp_path: Path, findings: pd.DataFrame, copy: bytes) -> None:
    """Checked again, the copy has exactly the findings of the original: the list is never read as data."""
    again = tmp_path / "r.xlsx"
    again.write_bytes(copy)
    pd.testing.assert_frame_equal(found_in(again), findings)


def test_a_list_of_findings_is_no_data_in_any_layout(tmp_path: Path, copy: bytes) -> None:
    """A mapping that reads every sheet leaves the list aside."""
    mapping = Mapping.model_validate(
        {"name": "m", "files": {"pattern": ".*", "status_date": "2026-09-30"}, "portfolios": {},
         "sheets": [{"match": "(?!_|portfolios|status).*", "columns": {name: name for name in PROJECTS},
                     "rows": [{"table": "projects", "columns": {name: name for name in PROJECTS}}]}],
         "other_sheets": ["_.*", "portfolios", "status"]}
    )  # fmt: skip
    again = tmp_path / "r.xlsx"
    again.write_bytes(copy)
    assert set(found_in(again, mapping=mapping)["sheet"]) == {"projects", ""}


def test_a_second_annotation_takes_the_first_away(tmp_path: Path, copy: bytes) -> None:
    """Mended and annotated again, a copy has one list, and remarks and marks of the new findings only."""
    again = tmp_path / "r.xlsx"
    again.write_bytes(copy)
    book = annotate(again, finding(cell="E3", message="still wrong"))
    assert book.sheetnames.count(FINDINGS_SHEET) == len([name for name in book.sheetnames if "findings" in name]) == 1
    sheet = book["projects"]
    assert set(marks(sheet)) == {"E3"}
    assert {c.coordinate: c.comment.text.split("\n")[0] for row in sheet for c in row if c.comment} == {
        "B2": "Only mine", "D2": "Ask Ann", "E3": MARK,
    }  # fmt: skip
    assert sheet["E3"].comment.text.count(MARK) == 1


def test_what_cannot_be_carried_over_is_said(tmp_path: Path) -> None:
    """Pictures are lost without a word by the library that writes the copy: the copy says so in its list."""
    plain = user_workbook(tmp_path / "plain.xlsx")
    assert annotated(plain, findings=findings_table([])).lost == ()
    with xlsxwriter.Workbook(tmp_path / "r.xlsx") as book:
        sheet = book.add_worksheet("cover")
        sheet.insert_image("B2", "logo.png", {"image_data": io.BytesIO(PIXEL)})
        sheet.data_validation("A1", {"validate": "list", "source": ["a"]})
        sheet.conditional_format("A1:A9", {"type": "data_bar", "data_bar_2010": True})
    result = annotated(tmp_path / "r.xlsx", findings=findings_table([]))
    assert result.lost == (
        "pictures (1)",
        "what an extension of the format holds",
        "data bars, icons and other newer conditional formats",
    )
    assert "Not carried over from r.xlsx: pictures (1), " in opened(result.content)[FINDINGS_SHEET]["A3"].value


def test_a_workbook_that_cannot_be_read_here_is_told(tmp_path: Path) -> None:
    """What openpyxl cannot read is an error with what to do, not a traceback."""
    broken = tmp_path / "r.xlsx"
    with zipfile.ZipFile(user_workbook(tmp_path / "sound.xlsx")) as sound, zipfile.ZipFile(broken, "w") as target:
        for part in sound.infolist():
            data = sound.read(part)
            target.writestr(
                part, data.replace(b"<fonts", b"<fonts bad='") if part.filename == "xl/styles.xml" else data
            )
    with pytest.raises(DataContractError, match="cannot be annotated"):
        annotated(broken, findings=findings_table([]))


# --- the command ----------------------------------------------------------------------------------------------


def run(*arguments: object) -> Any:
    """Run ``pmo check`` with the demo's settings."""
    return CliRunner().invoke(commands, ["check", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for outputs: no earlier period is compared with."""
    monkeypatch.setenv("PMO_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path


def test_the_command_writes_the_copy_beside_its_findings(outputs: Path) -> None:
    """``pmo check FILE --annotate OUT`` prints as without it, writes OUT, and leaves FILE as it was."""
    source = user_workbook(outputs / "r.xlsx")
    content = source.read_bytes()
    book = openpyxl.load_workbook(source)
    book["projects"].delete_rows(4)
    book.save(outputs / "usable.xlsx")
    done = run(outputs / "usable.xlsx", "--annotate", outputs / "copy.xlsx")
    assert done.exit_code == 0
    assert "3 cells marked" in done.stderr  # the third is a formula that lost its value when the row was deleted
    assert run(outputs / "usable.xlsx").stdout == done.stdout
    assert opened((outputs / "copy.xlsx").read_bytes())["projects"]["D2"].comment.author == "Ann"
    assert source.read_bytes() == content


def test_a_refused_return_is_annotated_too(outputs: Path) -> None:
    """A structural fault refuses the return, and the copy shows where: exit code 3, and OUT is written."""
    book = openpyxl.load_workbook(user_workbook(outputs / "r.xlsx"))
    book["projects"]["B1"].value = "projekt"
    book.save(outputs / "r.xlsx")
    with pytest.raises(SnapshotRefused, match="project_id is missing"):
        run(outputs / "r.xlsx", "--annotate", outputs / "copy.xlsx")
    copy = opened((outputs / "copy.xlsx").read_bytes())
    assert "nothing uses this column" in copy["projects"]["B1"].comment.text
    assert "the column project_id is missing" in {row["what is wrong"] for row in listed(copy)}


def test_a_file_that_cannot_be_read_at_all_has_no_copy(outputs: Path) -> None:
    """A file that is no workbook is refused before it is opened, and nothing is written."""
    (outputs / "r.xlsx").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(SourceError):
        run(outputs / "r.xlsx", "--annotate", outputs / "copy.xlsx")
    assert not (outputs / "copy.xlsx").exists()


@pytest.mark.parametrize(
    ("source", "out", "says"),
    [
        ("r.xlsx", "r.xlsx", "is there already"),
        ("r.xlsx", "other.xlsx", "is there already, and somebody may have typed into it"),
        ("r.xlsx", "link.xlsx", "is there already"),
        ("r.xlsx", "copy.xlsm", "does not end in .xlsx"),
        ("r.csv", "copy.xlsx", "only a workbook can be annotated"),
        (".", "copy.xlsx", "only a workbook can be annotated"),
    ],
)
def test_nothing_is_overwritten_and_only_workbooks_are_annotated(
    outputs: Path, source: str, out: str, says: str
) -> None:
    """OUT is a new file of the same kind, and SOURCE one workbook: anything else is a usage error before the check."""
    user_workbook(outputs / "r.xlsx")
    (outputs / "other.xlsx").write_bytes(b"mine")
    (outputs / "link.xlsx").symlink_to(outputs / "nowhere.xlsx")
    (outputs / "r.csv").write_text("a,b\n", encoding="utf-8")
    before = {each.name: each.lstat().st_mtime_ns for each in outputs.iterdir()}
    with pytest.raises(ParameterError, match=re.escape(says)) as error:
        run(outputs / source, "--annotate", outputs / out)
    assert error.value.exit_code == 2
    assert {each.name: each.lstat().st_mtime_ns for each in outputs.iterdir()} == before


def test_the_title_tells_our_list_from_a_users(path: Path) -> None:
    """The list bears the title by which a second annotation knows it."""
    assert annotate(path)[FINDINGS_SHEET]["A1"].value == TITLE


def test_a_cell_far_away_costs_nothing(tmp_path: Path) -> None:
    """A sheet with one cell at the far end is annotated without the cells between, of which there are 17 billion."""
    with xlsxwriter.Workbook(tmp_path / "r.xlsx") as book:
        sheet = book.add_worksheet("projects")
        sheet.write_comment("A1", "mine")
        sheet.write_string(1_048_575, 16_383, "far")
    copy = annotate(tmp_path / "r.xlsx", finding(cell="XFD1048576"))
    assert "is wrong" in copy["projects"]["XFD1048576"].comment.text
    assert copy["projects"]["A1"].comment.text == "mine"
