"""The values of formulas, which openpyxl leaves out: put back, so that a copy can be read before it is computed."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from html import escape
from typing import TYPE_CHECKING, Any

from openpyxl import load_workbook
from openpyxl.utils.datetime import to_excel

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_ANY_FORMULA = re.compile(rb"<f[ >]")
# A cell with a formula and no value, as openpyxl writes it.
_FORMULA = re.compile(r'<c r="([A-Z]+\d+)"([^>]*)>(<f\b(?:[^>]*/>|.*?</f>))<v ?/></c>', re.DOTALL)


def with_values(content: bytes, *, path: Path, parts: dict[str, str]) -> bytes:
    """Return a workbook whose formulas have the values that they have in another.

    Parameters
    ----------
    content
        The workbook as openpyxl wrote it.
    path
        The workbook as it was read.
    parts
        Part of the package → name of the sheet in it.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        if not any(_ANY_FORMULA.search(package.read(part)) for part in parts):
            return content
    with warnings.catch_warnings(action="ignore"):  # told already where the workbook was read
        values = load_workbook(path, data_only=True, keep_links=False)
    mended = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as package,
        zipfile.ZipFile(mended, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for part in package.infolist():
            data = package.read(part)
            if part.filename in parts:
                sheet = values[parts[part.filename]]
                data = _filled(data.decode("utf-8"), sheet=sheet, epoch=values.epoch).encode("utf-8")
            target.writestr(part, data)
    return mended.getvalue()


def _filled(xml: str, *, sheet: Any, epoch: datetime) -> str:
    def cell(found: re.Match[str]) -> str:
        kind, text = _written(sheet[found[1]], epoch=epoch)
        return f'<c r="{found[1]}"{found[2]}{kind}>{found[3]}<v>{text}</v></c>' if text else found[0]

    return _FORMULA.sub(cell, xml)


def _written(cell: Any, *, epoch: datetime) -> tuple[str, str]:
    """Return the attribute of its type and the value of a cell as the format writes it; nothing where it has none."""
    match cell.data_type, cell.value:
        case _, None:
            return "", ""
        case "b", value:
            return ' t="b"', str(int(value))
        case "d", value:
            return "", repr(to_excel(value, epoch))
        case "n", value:
            return "", repr(value)
        case kind, value:
            return (' t="e"' if kind == "e" else ' t="str"'), escape(str(value), quote=False)
