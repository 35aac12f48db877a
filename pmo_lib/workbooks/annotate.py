"""The user's own workbook again, with a comment and a mark on every cell at fault and a list of all findings.

openpyxl reads and writes it. What it does not carry over is said, by kind; values of formulas are put back. A mark is a
conditional format, so that the user's own fills stay as they are; a second annotation takes the first one away.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openpyxl import load_workbook
from openpyxl.cell.cell import MergedCell
from openpyxl.comments import Comment
from openpyxl.formatting.formatting import ConditionalFormattingList
from openpyxl.formatting.rule import Rule
from openpyxl.styles import PatternFill
from openpyxl.styles.differential import DifferentialStyle

from pmo_lib.contracts.findings import FINDING_COLUMNS
from pmo_lib.errors import DataContractError
from pmo_lib.workbooks.cached import with_values
from pmo_lib.workbooks.listing import add_listing, remove_listing
from pmo_lib.workbooks.remarks import FILLS, SEVERITIES, comment_of, ranked, without_remarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

AUTHOR = "pmo check"
# Always true, and nobody's but ours: the conditional formats with this formula are our marks.
MARK_FORMULA = 'N("pmo check")=0'
MOST_CELLS = 100  # under one mark
COMMENT_WIDTH, COMMENT_LINE, COMMENT_SIGNS, HIGHEST = 340, 17, 52, 500  # pixels, pixels, signs in a line, pixels
# Parts of a workbook that openpyxl leaves behind, some without a word.
LEFT_BEHIND = {
    "xl/media/": "pictures",
    "xl/charts/chart": "charts",
    "xl/diagrams/": "diagrams",
    "xl/threadedComments/": "threads of comments (their texts are kept)",
    "xl/ctrlProps/": "form controls",
    "xl/activeX/": "form controls",
    "xl/embeddings/": "embedded files",
    "xl/slicers/": "slicers",
    "xl/timelines/": "timelines",
}
# How its warnings begin, and what they mean to the user.
WARNED = {
    "Data Validation extension": "drop-downs whose list stands in another sheet",
    "Conditional Formatting extension": "data bars, icons and other newer conditional formats",
    "DrawingML support": "shapes, and the charts and pictures beside them",
    "Slicer List extension": "slicers",
    "Sparkline Group extension": "sparklines",
    "Unknown extension": "what an extension of the format holds",
}
Cells = dict[tuple[str, str], list["Mapping[str, Any]"]]


@dataclass(frozen=True)
class Annotated:
    """An annotated copy.

    Attributes
    ----------
    content
        The workbook.
    cells
        How many cells are marked.
    lost
        What of the user's workbook could not be carried over, in words.
    """

    content: bytes
    cells: int
    lost: tuple[str, ...]


def annotated(path: Path, *, findings: pd.DataFrame) -> Annotated:
    """Return a copy of a workbook that says what is wrong with it, in its cells and in a list.

    Parameters
    ----------
    path
        The workbook, whose package has been checked (:func:`pmo_lib.sources.files.kind_of`).
    findings
        As in :data:`pmo_lib.contracts.findings.FINDING_COLUMNS`; those without a cell are in the list only.

    Raises
    ------
    DataContractError
        If openpyxl cannot read the workbook.
    """
    records = ranked([dict(zip(FINDING_COLUMNS, row, strict=True)) for row in findings[[*FINDING_COLUMNS]].to_numpy()])
    book, lost = _opened(path)
    remove_listing(book)
    cells = _at_fault(book, findings=records)
    for sheet in book.worksheets:
        own = {cell: found for (name, cell), found in cells.items() if name == sheet.title}
        _comment(sheet, cells=own)
        _mark(sheet, cells=own)
    told = [f"Not carried over from {path.name}: {', '.join(lost)}."] if lost else []
    told.append("Mend the cells in your own workbook, or here, and check it again: this sheet is never read as data.")
    add_listing(book, findings=records, told=told)
    return Annotated(_saved(book, path=path), len(cells), lost)


def _opened(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Return a workbook, and what of it openpyxl leaves behind."""
    macros = path.suffix.lower() == ".xlsm"
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            book = load_workbook(path, rich_text=True, keep_vba=macros)
    except (
        SyntaxError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        zipfile.BadZipFile,
        OSError,
    ) as error:
        raise DataContractError(
            f"{path.name}: cannot be annotated ({error})", fix="open it in your spreadsheet program and save it again"
        ) from error
    said = dict.fromkeys(_loss(str(warning.message)) for warning in caught)
    return book, (*_left_behind(path, book=book), *filter(None, said))


def _loss(warning: str) -> str:
    """Return what a warning of openpyxl says will be lost, in the words of a spreadsheet's user; nothing if nothing."""
    known = (loss for start, loss in WARNED.items() if warning.startswith(start))
    return next(known, warning.rstrip(".") if "lost" in warning or "removed" in warning else "")


def _left_behind(path: Path, *, book: Any) -> list[str]:
    """Return the kinds of parts that openpyxl has not read, without a word."""
    with zipfile.ZipFile(path) as package:
        names = package.namelist()
    there = Counter(kind for name in names for start, kind in LEFT_BEHIND.items() if name.startswith(start))
    there["charts"] -= sum(len(sheet._charts) for sheet in (*book.worksheets, *book.chartsheets))
    there["pictures"] -= sum(len(sheet._images) for sheet in book.worksheets)
    return [f"{kind} ({number})" for kind, number in there.items() if number > 0]


def _at_fault(book: Any, *, findings: Sequence[Mapping[str, Any]]) -> Cells:
    """Return sheet and cell → findings, of the cells that exist; of merged cells the first, which holds the value."""
    cells: Cells = defaultdict(list)
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    for finding in findings:
        if finding["cell"] and finding["sheet"] in sheets:
            sheet = sheets[finding["sheet"]]
            cells[sheet.title, _anchor(sheet, cell=finding["cell"])].append(finding)
    return cells


def _anchor(sheet: Any, *, cell: str) -> str:
    if not isinstance(sheet[cell], MergedCell):
        return cell
    merged = next(area for area in sheet.merged_cells.ranges if cell in area)
    return str(merged.start_cell.coordinate)


def _comment(sheet: Any, *, cells: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Add the findings to the comments of their cells, and take away those of an earlier annotation."""
    # Only the cells that exist: to iterate over rows would make all those between.
    earlier = {cell.coordinate: cell.comment for cell in sheet._cells.values() if cell.comment}
    for name, comment in earlier.items():
        own = without_remarks(comment.text)
        if own != comment.text.rstrip():
            sheet[name].comment = Comment(own, comment.author) if own else None
    for name, findings in cells.items():
        before = sheet[name].comment
        text = comment_of(findings, at=name, before=before.text if before else "")
        lines = sum(1 + len(line) // COMMENT_SIGNS for line in text.split("\n"))
        height = min(COMMENT_LINE * lines + 14, HIGHEST)
        sheet[name].comment = Comment(text, before.author if before else AUTHOR, height=height, width=COMMENT_WIDTH)


def _mark(sheet: Any, *, cells: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Mark cells in the colour of their worst finding, above the user's own conditional formats."""
    marks = {name: [cell for cell, found in cells.items() if found[0]["severity"] == name] for name in SEVERITIES}
    own = [(str(area.sqref), rule) for area in sheet.conditional_formatting for rule in area.rules]
    sheet.conditional_formatting = ConditionalFormattingList()
    for severity, names in marks.items():
        colour = "FF" + FILLS[severity].removeprefix("#").upper()
        look = DifferentialStyle(fill=PatternFill(bgColor=colour, fill_type="solid"))
        for some in _batched(names):
            sheet.conditional_formatting.add(" ".join(some), Rule("expression", dxf=look, formula=[MARK_FORMULA]))
    for area, rule in sorted(own, key=lambda pair: pair[1].priority):
        if rule.formula != [MARK_FORMULA]:
            rule.priority = 0  # given anew, behind ours
            sheet.conditional_formatting.add(area, rule)


def _batched(cells: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield cells in groups: openpyxl compares each cell of a range with all others."""
    yield from (cells[first : first + MOST_CELLS] for first in range(0, len(cells), MOST_CELLS))


def _saved(book: Any, *, path: Path) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    parts = {sheet.path.lstrip("/"): sheet.title for sheet in book.worksheets[1:]}
    return with_values(buffer.getvalue(), path=path, parts=parts)
