"""An Excel workbook → one grid per sheet, with the cells that its program could not compute.

calamine gives every cell as its own type (the text ``001`` stays a text), and an empty text both for an error
and for a formula that was never computed: these are found in the XML of the sheet.
"""

from __future__ import annotations

import re
import zipfile
from html import unescape
from posixpath import join, normpath
from typing import TYPE_CHECKING

import numpy as np
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, XmlError, ZipError

from pmo_lib.errors import SourceError
from pmo_lib.sources.grid import MOST_CELLS, Grid, Raw, padded

if TYPE_CHECKING:
    from pathlib import Path

_SHEET = re.compile(r"<(?:\w+:)?sheet\b([^>]*)>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\b([^>]*)>")
_ATTRIBUTE = re.compile(r"""([\w:]+)=["']([^"']*)["']""")
# A cell that holds an error, or a formula (which stands first in its cell): with all up to the cell's end.
_AT_FAULT = re.compile(
    rb"""<(?:\w+:)?c\b(?=[^>]*\bt=["']e["']|[^>]*>\s*<(?:\w+:)?f\b)([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)""", re.DOTALL
)
_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*>([^<]*)</")
_IS_ERROR = re.compile(rb"""\bt=["']e["']""")
_IS_TEXT = re.compile(rb"""\bt=["']str["']""")
# Places of cells and rows, however they are written.
_ANY_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]*)(\d+)["']""")
_BLANKS = np.frombuffer(b" \t\r\n", dtype=np.uint8)
_PLACE = re.compile(r"^([A-Z]{1,3})(\d{1,7})$")
MOST_EMPTY = 2_000_000  # cells between the first and the last of a sheet, unless it has a byte for each
MOST_PLACE = 12  # signs of the longest place, with its quotes; nothing so near the end of a sheet is one
UNCOMPUTED = "formula without a value"


def read_workbook(path: Path) -> list[Grid]:
    """Read all sheets of a workbook in their order; chart sheets are left out.

    Raises
    ------
    SourceError
        If it is encrypted, damaged or too large.
    """
    try:
        faults = _faults(path)
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = [meta.name for meta in workbook.sheets_metadata if meta.typ == SheetTypeEnum.WorkSheet]
        return [_grid(workbook, path=path, name=name, faults=faults.get(name, {})) for name in sheets]
    except PasswordError as error:
        raise SourceError(f"{path.name}: is encrypted", fix="save it without a password") from error
    except (CalamineError, ZipError, XmlError, zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{path.name}: the workbook is damaged ({error})", fix="open it and save it again") from error


def _grid(workbook: CalamineWorkbook, *, path: Path, name: str, faults: dict[tuple[int, int], str]) -> Grid:
    sheet = workbook.get_sheet_by_name(name)
    if sheet.total_height * sheet.total_width > MOST_CELLS:
        raise SourceError(
            f"{path.name}, sheet {name}: more than {MOST_CELLS:,} cells", fix="delete rows and columns that are empty"
        )
    given: list[list[Raw]] = sheet.to_python(skip_empty_area=False)  # type: ignore[assignment]
    rows = [[None if raw == "" else raw for raw in row] if "" in row else row for row in given]
    height = 1 + max((row for row, _ in faults), default=-1)
    width = 1 + max((column for _, column in faults), default=-1)
    rows += [[None] * width for _ in range(height - len(rows))]
    if rows and len(rows[0]) < width:
        rows[0] = [*rows[0], *[None] * (width - len(rows[0]))]
    return Grid(path.name, name, padded(rows), faults, has_types=True)


def _faults(path: Path) -> dict[str, dict[tuple[int, int], str]]:
    """Return, per sheet, the cells with an error and the formulas without a value, by the XML of the sheets."""
    with zipfile.ZipFile(path) as package:
        names = set(package.namelist())
        faults = {}
        for sheet, part in _parts(package, names=names).items():
            if part in names:
                xml = package.read(part)
                _refuse_far_cells(xml, where=f"{path.name}, sheet {sheet}")
                faults[sheet] = _faults_in(xml)
        return faults


def _refuse_far_cells(xml: bytes, *, where: str) -> None:
    """Refuse a sheet whose first and last cell span more than may be read: it would be laid out whole in memory."""
    if _all_near(xml):
        return
    rows = columns = 1
    for found in _ANY_PLACE.finditer(xml):
        rows, columns = max(rows, int(found[2][:9])), max(columns, _column_number(found[1].decode()[:4]))
    if rows * columns > MOST_CELLS or rows * columns > max(MOST_EMPTY, len(xml)):
        raise SourceError(
            f"{where}: its last cell makes it {rows:,} rows by {columns:,} columns, nearly all of them empty",
            fix="delete rows and columns that are empty",
        )


def _all_near(xml: bytes) -> bool:
    """Tell at a glance whether no place is beyond column Z or row 199,999; False where a closer look is needed.

    Programs write the attribute ``r`` with one blank before it, none in it, and ``"``; whatever is written otherwise
    needs the closer look.
    """
    signs = np.frombuffer(xml, dtype=np.uint8)
    equals = np.flatnonzero(signs[:-1] == ord("="))
    equals = equals[(equals > 1) & (equals < len(signs) - MOST_PLACE)]
    before = signs[equals - 1]
    if np.isin(before, _BLANKS).any():
        return False
    equals = equals[before == ord("r")]
    equals = equals[np.isin(signs[equals - 2], _BLANKS)]
    if (signs[equals - 2] != ord(" ")).any() or (signs[equals + 1] != ord('"')).any():
        return False
    lettered = _is_letter(signs[equals + 2])
    if (lettered & _is_letter(signs[equals + 3])).any():
        return False
    digits = equals + 2 + lettered
    for place in range(5, -1, -1):  # six digits in a row: few are left after the first look
        digits = digits[_is_digit(signs[digits + place])]
    return not ((signs[digits] >= ord("2")) | _is_digit(signs[digits + 6])).any()


def _is_letter(signs: np.ndarray) -> np.ndarray:
    lower = signs | 0x20
    return (lower >= ord("a")) & (lower <= ord("z"))


def _is_digit(signs: np.ndarray) -> np.ndarray:
    return (signs >= ord("0")) & (signs <= ord("9"))


def _column_number(letters: str) -> int:
    """Return the number of a column, from 1; 0 for no letters."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _parts(package: zipfile.ZipFile, *, names: set[str]) -> dict[str, str]:
    """Return the part of the package that holds each sheet."""
    relations = "xl/_rels/workbook.xml.rels"
    if relations not in names:
        return {}
    targets = {}
    for found in _RELATION.finditer(package.read(relations).decode("utf-8", "replace")):
        attributes = dict(_ATTRIBUTE.findall(found[1]))
        targets[attributes.get("Id", "")] = normpath(join("xl", attributes.get("Target", ""))).lstrip("/")
    parts = {}
    for found in _SHEET.finditer(package.read("xl/workbook.xml").decode("utf-8", "replace")):
        attributes = dict(_ATTRIBUTE.findall(found[1]))
        relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
        parts[unescape(attributes.get("name", ""))] = targets.get(relation, "")
    return parts


def _faults_in(xml: bytes) -> dict[tuple[int, int], str]:
    faults: dict[tuple[int, int], str] = {}
    if not any(sign in xml for sign in (b"<f", b":f", b't="e"')) and not (b"'" in xml and b"t='e'" in xml):
        return faults
    for found in _AT_FAULT.finditer(xml):
        attributes, content = found[1], found[2] or b""
        is_error = _IS_ERROR.search(attributes) is not None
        value = _VALUE.search(content)
        text = value[1].decode("utf-8", "replace").strip() if value else ""
        place = dict(_ATTRIBUTE.findall(attributes.decode("utf-8", "replace"))).get("r", "")
        position = _position(place)
        if position and (is_error or (not text and not _IS_TEXT.search(attributes))):
            faults[position] = text if is_error and text else UNCOMPUTED
    return faults


def _position(place: str) -> tuple[int, int] | None:
    """Return row and column, from 0, of an A1 name."""
    found = _PLACE.match(place)
    if not found:
        return None
    return int(found[2]) - 1, _column_number(found[1]) - 1
