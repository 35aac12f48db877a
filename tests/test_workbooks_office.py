"""The template and the annotated copy open in another program, which finds in them what was put there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import openpyxl
import pytest
from test_workbooks_annotate import found_in, user_workbook

from pmo_lib.contracts.findings import FINDINGS_SHEET
from pmo_lib.contracts.tables import TABLES
from pmo_lib.workbooks.annotate import annotated
from pmo_lib.workbooks.template import template_bytes

pytestmark = pytest.mark.office


@pytest.fixture(scope="module")
def reopened(libreoffice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of both workbooks as LibreOffice opened them and wrote them anew."""
    folder = tmp_path_factory.mktemp("office")
    user = user_workbook(folder / "user.xlsx")
    (folder / "template.xlsx").write_bytes(template_bytes(organisation="O", currency="GBP"))
    (folder / "copy.xlsx").write_bytes(annotated(user, findings=found_in(user)).content)
    subprocess.run(
        [libreoffice, f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", "xlsx",
         "--outdir", folder / "out", folder / "template.xlsx", folder / "copy.xlsx"],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    return folder / "out"


def test_the_template_opens(reopened: Path) -> None:
    """Every sheet, note, drop-down and example of the template is there."""
    book = openpyxl.load_workbook(reopened / "template.xlsx")
    assert len(book.sheetnames) == len(TABLES)  # the guide, and all tables but the one that intake writes
    for sheet in book.worksheets[1:]:
        columns = [TABLES[sheet.title].column(cell.value) for cell in sheet[1] if cell.value]
        assert [cell.comment is not None for cell in sheet[1]] == [True] * len(columns)
        assert sheet["A1"].comment.text.startswith("portfolio_id: required")
        lists = [rule for rule in sheet.data_validations.dataValidation if rule.type == "list"]
        assert len(lists) == len({column.name for column in columns if column.allowed or column.kind == "flag"})
        assert sheet["A2"].value == "EXAMPLE"


def test_the_annotated_copy_opens(reopened: Path) -> None:
    """Comments, marks, links and values of the annotated copy are there, and a formula is computed as before."""
    book = openpyxl.load_workbook(reopened / "copy.xlsx")
    sheet = book["projects"]
    assert {cell.coordinate for row in sheet.iter_rows() for cell in row if cell.comment} == {
        "B2",
        "C4",
        "D2",
        "E3",
        "F4",
    }
    assert "Ask Ann" in sheet["D2"].comment.text
    assert "did you mean 'active'?" in sheet["D2"].comment.text
    marked = {
        str(area.sqref)
        for area in sheet.conditional_formatting
        if any("pmo check" in str(r.formula) for r in area.rules)
    }
    assert {cell for area in marked for cell in area.split()} == {"C4", "D2", "E3", "F4"}
    links = [cell.hyperlink.location for row in book[FINDINGS_SHEET].iter_rows() for cell in row if cell.hyperlink]
    assert [link.replace("'", "") for link in links] == ["projects!D2", "projects!E3", "projects!C4", "projects!F4"]
    values = openpyxl.load_workbook(reopened / "copy.xlsx", data_only=True)
    assert values["projects"]["E2"].value == 100.5
    assert values["_Ann's sheet"]["A1"].value == "a<b"
