"""The sheet of an annotated copy that lists all findings, each with a link to its cell."""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import TYPE_CHECKING, Any

from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink

from pmo_lib.contracts.findings import FINDINGS_SHEET, is_findings_sheet
from pmo_lib.theme import ACCENT, INK, MUTED, RULE
from pmo_lib.workbooks.remarks import DONE, FILLS, SEVERITIES, clean, ranked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FONT = "Calibri"  # as new workbooks have it; other programs put theirs of the same width
TITLE = "Findings of pmo check"
HEADINGS = {
    "severity": 10, "sheet": 18, "cell": 9, "table": 16, "column": 22, "what is wrong": 48, "value": 24,
    "expected": 24, "what to do": 44, "as it stands": 22, "portfolio": 14, "key": 24, "rule": 18,
}  # fmt: skip
LINE, MOST_LINES = 15, 12  # points; lines of a row


def remove_listing(book: Any) -> None:
    """Remove the list of an earlier annotation; a sheet of the user's with such a name stays."""
    for sheet in [sheet for sheet in book.worksheets if is_findings_sheet(sheet.title) and sheet["A1"].value == TITLE]:
        book.remove(sheet)


def add_listing(book: Any, *, findings: Sequence[Mapping[str, Any]], told: Sequence[str]) -> None:
    """Add the list as the first sheet, and show it when the workbook is opened.

    Parameters
    ----------
    book
        The workbook, by openpyxl.
    findings
        As in :data:`pmo_lib.contracts.findings.FINDING_COLUMNS`.
    told
        Sentences under the title.
    """
    sheet = book.create_sheet(_free_name(book), 0)
    looks = _looks(sheet)
    _write(sheet, row=1, texts=[TITLE], look=looks["title"])
    for row, sentence in enumerate((_summary(findings), *told), start=2):
        _write(sheet, row=row, texts=[sentence], look=looks["told"])
    header = 4 + len(told)
    _write(sheet, row=header, texts=list(HEADINGS), look=looks["heading"])
    for row, finding in enumerate(ranked(findings), start=header + 1):
        _write_finding(sheet, row=row, finding=finding, looks=looks)
    _lay_out(sheet, header=header, last=header + max(len(findings), 1))
    for other in book.worksheets:  # sheets that are selected together are edited together
        other.sheet_view.tabSelected = other is sheet
    book.active = sheet


def _free_name(book: Any) -> str:
    taken = {name.casefold() for name in book.sheetnames}
    names = (FINDINGS_SHEET, *(f"{FINDINGS_SHEET} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name.casefold() not in taken)


def _summary(findings: Sequence[Mapping[str, Any]]) -> str:
    counts = Counter(finding["severity"] for finding in findings)
    words = [f"{counts[name]} {name}{'s' if counts[name] > 1 else ''}" for name in SEVERITIES if counts[name]]
    return ", ".join(words) or "No findings: the workbook can be used as it is."


def _looks(sheet: Any) -> dict[str, Any]:
    """Return the looks of the list's cells, each made once: openpyxl compares a look with all others."""
    fonts: dict[str, dict[str, Any]] = {
        "title": {"bold": True, "size": 14}, "told": {"color": _argb(MUTED)}, "heading": {"bold": True}, "finding": {},
        "link": {"color": _argb(ACCENT), "underline": "single"}, **{severity: {} for severity in SEVERITIES},
    }  # fmt: skip
    fills = {"heading": RULE, **FILLS}
    looks, cell = {}, sheet.cell(1, 1)
    for name, font in fonts.items():
        cell.font = Font(**{"name": FONT, "size": 11, "color": _argb(INK), **font})
        cell.fill = PatternFill("solid", fgColor=_argb(fills[name])) if name in fills else PatternFill()
        cell.alignment = Alignment(vertical="top", wrap_text=name not in ("title", "told"))
        cell.number_format = "@"
        looks[name] = copy(cell._style)
    return looks


def _write_finding(sheet: Any, *, row: int, finding: Mapping[str, Any], looks: Mapping[str, Any]) -> None:
    place = finding["cell"] or (f"row {finding['row']}" if finding["row"] else "")
    texts = [
        finding["severity"], finding["sheet"], place, finding["table"], finding["column"], finding["message"],
        finding["value"], finding["expected"], finding["fix"], DONE[finding["action"]], finding["portfolio_id"],
        finding["key"], finding["rule"],
    ]  # fmt: skip
    _write(sheet, row=row, texts=texts, look=looks["finding"])
    lines = max(1 + len(clean(text)) // (width - 1) for text, width in zip(texts, HEADINGS.values(), strict=True))
    sheet.row_dimensions[row].height = LINE * min(lines, MOST_LINES)
    sheet.cell(row, 1)._style = copy(looks[finding["severity"]])
    if place and finding["sheet"] in sheet.parent.sheetnames:
        _link(sheet.cell(row, 3), sheet=finding["sheet"], to=finding["cell"] or f"A{finding['row']}")
        sheet.cell(row, 3)._style = copy(looks["link"])


def _link(cell: Any, *, sheet: str, to: str) -> None:
    quoted = sheet.replace("'", "''")
    cell.hyperlink = Hyperlink(ref=cell.coordinate, location=f"'{quoted}'!{to}")


def _write(sheet: Any, *, row: int, texts: Sequence[str], look: Any) -> None:
    """Write texts as texts, whatever they begin with."""
    for column, text in enumerate(texts, start=1):
        cell = sheet.cell(row, column)
        cell.value = clean(text)
        cell.data_type, cell._style = "s", copy(look)


def _lay_out(sheet: Any, *, header: int, last: int) -> None:
    for column, (_, width) in enumerate(HEADINGS.items(), start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = sheet.cell(header + 1, 1)
    sheet.auto_filter.ref = f"A{header}:{get_column_letter(len(HEADINGS))}{last}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _argb(colour: str) -> str:
    return "FF" + colour.removeprefix("#").upper()
