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

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, XmlError, ZipError

from pmo_lib.errors import SourceError
from pmo_lib.sources.grid import MOST_CELLS, Grid, Raw, padded

if TYPE_CHECKING:
    from pathlib import Path

_SHEET = re.compile(r"<(?:\w+:)?sheet\b([^>]*)>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\b([^>]*)>")
_ATTRIBUTE = re.compile(r'([\w:]+)="([^"]*)"')
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_FORMULA = re.compile(rb"<(?:\w+:)?f\b")
_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*>([^<]*)</")
_PLACE = re.compile(r"^([A-Z]{1,3})(\d{1,7})$")
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
    rows: list[list[Raw]] = [
        [None if raw == "" else raw for raw in row] for row in sheet.to_python(skip_empty_area=False)
    ]
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
        return {
            sheet: _faults_in(package.read(part))
            for sheet, part in _parts(package, names=names).items()
            if part in names
        }


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
    if b't="e"' not in xml and not _FORMULA.search(xml):
        return faults
    for found in _CELL.finditer(xml):
        attributes, content = found[1], found[2] or b""
        is_error = b't="e"' in attributes
        if not is_error and not _FORMULA.search(content):
            continue
        value = _VALUE.search(content)
        text = value[1].decode("utf-8", "replace").strip() if value else ""
        place = dict(_ATTRIBUTE.findall(attributes.decode("utf-8", "replace"))).get("r", "")
        position = _position(place)
        if position and (is_error or (not text and b't="str"' not in attributes)):
            faults[position] = text if is_error and text else UNCOMPUTED
    return faults


def _position(place: str) -> tuple[int, int] | None:
    """Return row and column, from 0, of an A1 name."""
    found = _PLACE.match(place)
    if not found:
        return None
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]) - 1, column - 1
