"""A source file: what kind it is by its own bytes, its digest, and whether it may be opened at all."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Literal

from pmo_lib.contracts.returned import SourceFile
from pmo_lib.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["workbook", "text", "parquet", "schedule"]
SUFFIXES: dict[str, Kind] = {
    ".xlsx": "workbook",
    ".xlsm": "workbook",
    ".csv": "text",
    ".tsv": "text",
    ".parquet": "parquet",
    ".xer": "schedule",
    ".xml": "schedule",
    ".pmxml": "schedule",
    ".mpp": "schedule",
}

MOST_BYTES = 512 * 2**20  # largest file that is read
MOST_EXPANDED = 256 * 2**20  # largest sum of a workbook's parts, expanded
MOST_RATIO = 200  # of expanded to packed size, for parts that are large enough to hurt
LARGE_PART = 8 * 2**20
MOST_PARTS = 5_000
CHUNK = 2**20
COUNT = b"uniqueCount"
DECLARED_COUNT = re.compile(rb"""\buniqueCount\s*=\s*["']?\s*(\d+)""")
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # [MS-CFB]: Excel 2003, encrypted packages, and MPP
SCHEDULES = (b"ERMHDR\t", b"<", b"\xef\xbb\xbf<", COMPOUND)
DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def kind_of(path: Path) -> Kind:
    """Return what a file is, and refuse one whose bytes are not what its name says, before anything expands it.

    Raises
    ------
    SourceError
        Missing, empty, too large, of an unknown or other kind, encrypted, damaged, or a bomb.
    """
    name = path.name
    if not path.is_file():
        raise SourceError(f"{path}: no such file", fix="correct the path")
    claimed = SUFFIXES.get(path.suffix.lower())
    if claimed is None:
        raise SourceError(f"{name}: not a kind of file that is read", fix=f"save it as one of {', '.join(SUFFIXES)}")
    size = path.stat().st_size
    if size == 0:
        raise SourceError(f"{name}: the file is empty", fix="export it again")
    if size > MOST_BYTES:
        raise SourceError(f"{name}: {size:,} bytes are more than {MOST_BYTES:,}", fix="split the return")
    with path.open("rb") as stream:
        head = stream.read(8192)
    found = "schedule" if claimed == "schedule" and head.startswith(SCHEDULES) else _kind_of_bytes(head, name=name)
    if found != claimed:
        raise SourceError(
            f"{name}: the name says {claimed}, the bytes say {found}", fix="save it again under the right kind"
        )
    if found == "workbook":
        check_package(path)
    return found


def describe(path: Path) -> SourceFile:
    """Return name, digest and size of a file.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            f"{path.name}: cannot be read ({error.strerror})", fix="check the path and its rights"
        ) from error
    return SourceFile(path.name, digest, path.stat().st_size, path)


def check_package(path: Path) -> None:
    """Refuse a workbook that would expand beyond reason, by its directory alone, and one that is damaged.

    Raises
    ------
    SourceError
        Too many parts, too large, packed too tightly, encrypted, or a part whose bytes do not match the directory.
    """
    name = path.name
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            expanded = sum(part.file_size for part in parts)
            tight = [
                p for p in parts if p.file_size > LARGE_PART and p.file_size > MOST_RATIO * max(p.compress_size, 1)
            ]
            if len(parts) > MOST_PARTS or expanded > MOST_EXPANDED or tight:
                raise SourceError(
                    f"{name}: {len(parts)} parts expand to {expanded:,} bytes from {path.stat().st_size:,}",
                    fix=f"a return stays below {MOST_EXPANDED:,} bytes: delete empty rows and columns with formats",
                )
            if any(part.flag_bits & 1 for part in parts):
                raise SourceError(f"{name}: is encrypted", fix="save it without a password")
            if "xl/workbook.xml" not in package.namelist():
                raise SourceError(f"{name}: is a zip file and no workbook", fix="save it as .xlsx")
            for part in parts:
                _read_through(package, part=part, name=name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError) as error:
        raise SourceError(f"{name}: the workbook is damaged ({error})", fix="open it and save it again") from error


def _read_through(package: zipfile.ZipFile, *, part: zipfile.ZipInfo, name: str) -> None:
    """Compare a part with its checksum, a piece at a time; refuse one that its reader would expand.

    That is a document type, in which entities are declared and which the format does not allow (ECMA-376 part 2, Open
    Packaging Conventions, XML usage), and a list that declares more entries than it has bytes: room is made for them.
    """
    signs, tail = DOCTYPES[:1], b""
    is_xml = part.filename.lower().endswith((".xml", ".rels", ".vml"))
    with package.open(part) as stream:
        while piece := stream.read(CHUNK):
            text = tail + piece
            if not tail and b"\0" in piece[:64]:
                signs = DOCTYPES  # UTF-16
            if is_xml and any(sign in text for sign in signs):
                raise SourceError(
                    f"{name}: {part.filename} declares a document type, which no workbook needs", fix="save it again"
                )
            promised = DECLARED_COUNT.search(text) if COUNT in text else None
            if promised and int(promised[1][:20]) > part.file_size:
                raise SourceError(
                    f"{name}: {part.filename} declares {int(promised[1][:20]):,} entries in {part.file_size:,} bytes",
                    fix="save it again",
                )
            tail = piece[-64:]


def _kind_of_bytes(head: bytes, *, name: str) -> Kind:
    if head.startswith(b"PK\x03\x04"):
        return "workbook"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(COMPOUND):
        raise SourceError(f"{name}: is encrypted, or an .xls file of 2003", fix="save it as .xlsx without a password")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{name}: is UTF-16", fix="save it as 'CSV UTF-8'")
    if b"\0" in head:
        raise SourceError(f"{name}: holds bytes that no text has", fix="save it as .csv, .xlsx or .parquet")
    return "text"
