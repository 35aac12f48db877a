"""Small workbooks, mutated in every way that a file can be wrong: cells, headers, rows, columns, sheets, raw bytes."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import xlsxwriter

DAY = date(2026, 3, 31)
Sheet = list[list[Any]]
Book = dict[str, Sheet]

VALUES: tuple[Any, ...] = (
    None, "", " ", "A-1", "A-2", "P-9", "A", "x y", "../../etc/passwd", "con", "Amber", " Green ", "grene", "amber/red",
    "1.234,56", "1,000", "1.234", "lots", "(3)", "-5", "45292", "12e400", "NaN", "inf", "-", "£", "0x10",
    "\u0661\u0662",
    "31/03/2026", "2026-03", "2026-13", "2026-02-30", "withheld: why", "not set", "Low: 1, High: 2", "Low: , High: x",
    "GBP", "gbp", "XAF", "TRUE", "#N/A", "=1+1", "Total", "{0.__class__}", "{{7*7}}", "<script>", "\u202eabc",
    "\u200b",
    "a\nb\r\nc\td", "\U0001f600" * 5, "x" * 400, "'", '"', "\\", "%s", 0, -1, 1, 30, 7, 0.5, 1.5, -5.0, 1e300, 45292,
    2958466.0, 1e15, True, False, DAY, date(1900, 1, 1), date(2108, 1, 1), time(1, 2),
    datetime.fromisoformat("2026-03-31T12:30"),
)  # fmt: skip
HEADERS = (
    "",
    " ",
    "name",
    "Project ID",
    "project_id",
    "amount",
    "x",
    "status_date",
    "rating",
    "portfolio_id ",
    "NAME",
    7,
)
SHEETS = ("risk", "Risks", "notes", "_x", "projects2", "x" * 31, "states", "Read me", "\u0440isks")


def sound_book() -> Book:
    """Return a small sound return."""
    key, projects = ["A"], ["A-1", "A-2", "A-3"]
    return {
        "portfolios": [["portfolio_id", "name", "currency"], ["A", "Portfolio A", "GBP"]],
        "projects": [
            ["portfolio_id", "project_id", "name", "currency", "budget_at_completion", "start_baseline_on"],
            *([*key, p, f"Project {p}", "GBP", 1000.5, DAY] for p in projects),
        ],
        "status": [
            ["portfolio_id", "project_id", "status_date", "assessor_role", "rating", "rating_scale",
             "percent_complete"],
            *([*key, p, DAY, "manager", "amber", "three-point", 0.4] for p in projects),
        ],
        "finance": [
            ["portfolio_id", "project_id", "period", "period_kind", "measure", "amount", "currency"],
            *([*key, p, "2026-03", "month", "actual", 10.25, "GBP"] for p in projects),
        ],
        "risks": [
            ["portfolio_id", "risk_id", "status_date", "title", "owner", "probability", "current_impact_level"],
            *([*key, f"R-{n}", DAY, "A risk", "Ann", 0.4, 3] for n in range(3)),
        ],
    }  # fmt: skip


def as_bytes(book: Book) -> bytes:
    """Return a book as a workbook, each cell by its own type."""
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as workbook:
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in book.items():
            sheet = workbook.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, value in enumerate(row):
                    _write(sheet, r, c, value, day)
    return buffer.getvalue()


def _write(sheet: Any, r: int, c: int, value: Any, day: Any) -> None:
    if isinstance(value, str) and value.startswith("="):
        sheet.write_formula(r, c, value, None, "")
    elif isinstance(value, str) and value.startswith("#"):
        sheet.write_formula(r, c, "=NA()", None, value)
    elif isinstance(value, (date, datetime, time)):
        sheet.write_datetime(r, c, value, day)
    elif value is not None:
        sheet.write(r, c, value)


def _any_sheet(book: Book, draws: random.Random) -> Sheet:
    return draws.choice([rows for rows in book.values() if rows] or [[[]]])


def _cell(book: Book, draws: random.Random) -> None:
    rows = _any_sheet(book, draws)
    row = draws.choice(rows)
    if row:
        row[draws.randrange(len(row))] = draws.choice(VALUES)


def _header(book: Book, draws: random.Random) -> None:
    row = _any_sheet(book, draws)[0]
    if row:
        row[draws.randrange(len(row))] = draws.choice(HEADERS)


def _row_out(book: Book, draws: random.Random) -> None:
    rows = _any_sheet(book, draws)
    rows.pop(draws.randrange(len(rows)))


def _row_in(book: Book, draws: random.Random) -> None:
    rows = _any_sheet(book, draws)
    width = max(map(len, rows), default=1)
    row = draws.choice(rows) if draws.random() < 0.5 else [draws.choice(VALUES) for _ in range(width)]
    rows.insert(draws.randrange(len(rows) + 1), list(row))


def _column_out(book: Book, draws: random.Random) -> None:
    rows = _any_sheet(book, draws)
    at = draws.randrange(max(len(rows[0]), 1)) if rows else 0
    for row in rows:
        del row[at : at + 1]


def _column_in(book: Book, draws: random.Random) -> None:
    rows = _any_sheet(book, draws)
    for n, row in enumerate(rows):
        row.insert(draws.randrange(2), draws.choice(HEADERS if n == 0 else VALUES))


def _sheet_out(book: Book, draws: random.Random) -> None:
    if book:
        del book[draws.choice(sorted(book))]


def _sheet_renamed(book: Book, draws: random.Random) -> None:
    if book:
        name = draws.choice(sorted(book))
        new = draws.choice(SHEETS)
        if new.lower() not in {each.lower() for each in book}:
            book[new] = book.pop(name)


def _sheet_emptied(book: Book, draws: random.Random) -> None:
    _any_sheet(book, draws).clear()


def _rows_swapped(book: Book, draws: random.Random) -> None:
    rows = _any_sheet(book, draws)
    draws.shuffle(rows)


MUTATIONS: tuple[Callable[[Book, random.Random], None], ...] = (
    *(_cell,) * 12, _header, _header, _row_out, _row_in, _row_in, _column_out, _column_in, _sheet_out, _sheet_renamed,
    _sheet_emptied, _rows_swapped,
)  # fmt: skip


def mutated(draws: random.Random) -> tuple[bytes, Book, bool]:
    """Return a workbook with some mutations, what is in it, and whether its package is damaged; one in eight is."""
    book = sound_book()
    for _ in range(draws.randint(1, 6)):
        draws.choice(MUTATIONS)(book, draws)
    book = book or {"projects": []}
    content = as_bytes(book)
    harmed = draws.random() < 0.125
    return damaged(content, draws=draws) if harmed else content, book, harmed


def damaged(content: bytes, *, draws: random.Random) -> bytes:
    """Return a package with some of its bytes altered: in the file as it is, or in one of its parts."""
    if draws.random() < 0.4:
        raw = bytearray(content)
        for _ in range(draws.randint(1, 4)):
            raw[draws.randrange(len(raw))] = draws.randrange(256)
        return bytes(raw[: draws.randrange(1, len(raw))] if draws.random() < 0.3 else raw)
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    name = draws.choice(sorted(parts))
    part = bytearray(parts[name])
    for _ in range(draws.randint(1, 6)):
        part[draws.randrange(len(part))] = draws.choice(b'<>"/=&;0A \x00\xff')
    parts[name] = bytes(part)
    if draws.random() < 0.2:
        del parts[name]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for each, data in parts.items():
            package.writestr(each, data)
    return buffer.getvalue()
