"""The empty workbook of our own layout: one sheet per table, with notes, drop-downs and an example to type below."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xlsxwriter

from pmo_lib.contracts.parts import EXAMPLE
from pmo_lib.contracts.tables import TABLES
from pmo_lib.theme import ACCENT, INK, MUTED, PAPER, RULE
from pmo_lib.workbooks.examples import example_rows
from pmo_lib.workbooks.layout import CREATED, FORMATS, OPTIONS, returned_columns, width_of, writer_of
from pmo_lib.workbooks.notes import RANGE_WORDS, STATE_WORDS, need_of, note_on, rule_of

if TYPE_CHECKING:
    from pmo_lib.contracts.columns import Column, Table
    from pmo_lib.workbooks.examples import Row

GUIDE = "Read me"  # intake leaves a sheet of this name aside
AUTHOR = "PMO Workbook"
# Written by intake from what the cells of all other tables hold: nobody returns it.
NOT_RETURNED = "states"
LAST_ROW = 1_048_575  # by the specification of the format, counted from 0
A4 = 9  # the format's number of the paper
NOTE_WIDTH, NOTE_LINE, NOTE_SIGNS = 340, 17, 52  # pixels, pixels, signs in a line
STEPS = f"""
Every sheet after this one is a table, and every row below its header is one fact. Fill in the sheets that concern you:
portfolios, projects and status are needed, any other may stay as it is.

Point at a column's name: a note says what it means, its unit, whether it is required, what it may hold and what a sign
means. Required columns are white on blue, and a row without them is not used. Bold on grey: the column must stay, its
cells may be blank. Plain: optional.

Row 2 of a sheet (in tasks also row 3) is an example in grey italics, under the portfolio {EXAMPLE}. Rows of that
portfolio are counted and never read: delete them or leave them, and write your own rows below.

portfolio_id stands in every row and is yours, the same in all sheets. Ids join the tables: a project_id in status must
stand in projects.

Where a cell has no value, leave it blank, or say why: {", ".join(STATE_WORDS)}. Blank is not zero. A range is written
{RANGE_WORDS}.

Keep the names of sheets and columns. Do not merge cells, and add no totals. A sheet of your own is left aside if its
name begins with an underscore.

Then check it: pmo check FILE lists what is wrong, and pmo check FILE --annotate COPY writes a copy of your workbook
with a comment on every cell at fault.
"""


@dataclass(frozen=True)
class Looks:
    """The formats of one template."""

    book: Any

    def __call__(self, **more: Any) -> Any:
        """Return a format, top aligned."""
        return self.book.add_format({"valign": "top", "font_color": INK, **more})

    def heading(self, need: str) -> Any:
        """Return the format of a column's name: told by weight and by shade, so that it survives a grey printer."""
        looks = {
            "required": {"bold": True, "font_color": PAPER, "bg_color": ACCENT},
            "column required": {"bold": True, "bg_color": RULE},
            "optional": {},
        }
        return self(border=1, border_color=RULE, num_format="@", **looks[need])

    def example(self, column: Column) -> Any:
        """Return the format of an example's cell."""
        return self(italic=True, font_color=MUTED, num_format=FORMATS[column.kind])


def template_bytes(*, organisation: str, currency: str) -> bytes:
    """Return the template as a workbook; the same arguments give the same bytes.

    Parameters
    ----------
    organisation
        Its name, for the title.
    currency
        ISO 4217 code, for the examples.
    """
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, OPTIONS) as book:
        book.set_properties({"created": CREATED, "title": f"Portfolio return, {organisation}", "author": AUTHOR})
        looks = Looks(book)
        tables = [table for table in TABLES.values() if table.name != NOT_RETURNED]
        _write_guide(book.add_worksheet(GUIDE), tables=tables, organisation=organisation, looks=looks)
        examples = example_rows(currency=currency)
        for table in tables:
            _write_sheet(book.add_worksheet(table.name), table=table, examples=examples[table.name], looks=looks)
    return buffer.getvalue()


def _write_guide(sheet: Any, *, tables: list[Table], organisation: str, looks: Looks) -> None:
    wrapped, plain = looks(text_wrap=True), looks()
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 12)
    sheet.set_column(2, 2, 84)
    sheet.write_string(0, 0, f"Portfolio return, {organisation}", looks(bold=True, font_size=16))
    row = 2
    for number, paragraph in enumerate(STEPS.strip().split("\n\n"), start=1):
        step = " ".join(paragraph.split())
        sheet.merge_range(row, 0, row, 2, "", wrapped)
        sheet.write_string(row, 0, f"{number}. {step}", wrapped)
        sheet.set_row(row, 15 * (1 + len(step) // 125) + 4)
        row += 1
    row += 1
    for at, heading in enumerate(("sheet", "", "one row is")):
        sheet.write_string(row, at, heading, looks(bold=True, bottom=1))
    for row_of, table in enumerate(tables, start=row + 1):
        link = looks(font_color=ACCENT, underline=1, bold=table.required)
        sheet.write_url(row_of, 0, f"internal:'{table.name}'!A1", link, table.name)
        sheet.write_string(row_of, 1, "required" if table.required else "optional", plain)
        sheet.write_string(row_of, 2, table.meaning, wrapped)


def _write_sheet(sheet: Any, *, table: Table, examples: tuple[Row, ...], looks: Looks) -> None:
    columns = returned_columns(table)
    for at, column in enumerate(columns):
        cells = {row: example[column.name] for row, example in enumerate(examples, start=1) if column.name in example}
        body = looks(num_format=FORMATS[column.kind])
        sheet.set_column(at, at, width_of(column, cells=cells), body)
        sheet.write_string(0, at, column.name, looks.heading(need_of(column)))
        sheet.write_comment(0, at, note := note_on(column, table=table), _note_box(note))
        rule = rule_of(column)
        if rule is not None:
            sheet.data_validation(1, at, LAST_ROW, at, rule)
        _write_examples(sheet, at=at, column=column, cells=cells, look=looks.example(column))
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.repeat_rows(0)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(examples), len(columns) - 1)
    if table.required:
        sheet.set_tab_color(ACCENT)


def _write_examples(sheet: Any, *, at: int, column: Column, cells: dict[int, Any], look: Any) -> None:
    for row, value in cells.items():
        if column.kind == "flag":  # as its drop-down has it
            sheet.write_string(row, at, "yes" if value else "no", look)
        else:
            writer_of(sheet, kind=column.kind)(row, at, value, look)


def _note_box(note: str) -> dict[str, Any]:
    """Return a box that is high enough for the note."""
    lines = sum(1 + len(line) // NOTE_SIGNS for line in note.split("\n"))
    return {"author": AUTHOR, "width": NOTE_WIDTH, "height": NOTE_LINE * lines + 14}
