"""A CSV file → one grid of texts, as written."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pmo_lib.errors import SourceError
from pmo_lib.sources.grid import MOST_CELLS, Grid, Raw, padded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DELIMITERS = (",", ";", "\t")
MOST_TEXT = 64 * 2**20
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")
# Bytes 80–9F are control signs in Latin-1 and dashes and quotes in Windows-1252, which is what files that name
# the first nearly always mean (WHATWG Encoding Standard, section 4.2): only the five that the second leaves out stay.
_WINDOWS = {code: bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in range(0x80, 0xA0)}


def read_delimited(path: Path, *, encodings: Sequence[str] = ENCODINGS, delimiter: str | None = None) -> Grid:
    """Read a CSV file.

    Parameters
    ----------
    path
        The file.
    encodings
        Tried in this order; the first that decodes every byte is used.
    delimiter
        None: the one of comma, semicolon and tab that gives the widest header.

    Raises
    ------
    SourceError
        If no encoding fits, or quotes are not closed.
    """
    text = _decoded(path, encodings=encodings)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
    rows: list[list[Raw]] = []
    try:
        rows.extend(list(row) for row in reader)
    except csv.Error as error:
        raise SourceError(
            f"{path.name}, line {reader.line_num}: {error}",
            fix="check the quotes of that line, or export the file again",
        ) from error
    if len(rows) * max(map(len, rows), default=0) > MOST_CELLS:
        raise SourceError(f"{path.name}: more than {MOST_CELLS:,} cells", fix="split the return")
    return Grid(path.name, "", padded(rows))


def _decoded(path: Path, *, encodings: Sequence[str]) -> str:
    if path.stat().st_size > MOST_TEXT:
        raise SourceError(f"{path.name}: more than {MOST_TEXT:,} bytes of text", fix="split the return")
    content = path.read_bytes()
    tried = []
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            tried.append(f"{encoding} fails at byte {error.start}")
        except LookupError:
            tried.append(f"{encoding} is unknown")
        else:
            return text.translate(_WINDOWS) if encoding.lower() in ("latin-1", "iso-8859-1") else text
    raise SourceError(f"{path.name}: no encoding fits: {'; '.join(tried)}", fix="save it as 'CSV UTF-8'")


def _delimiter(text: str) -> str:
    """Return the delimiter that gives the widest header; the comma if they are equal."""
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader(io.StringIO(text, newline=""), delimiter=sign), [])))
