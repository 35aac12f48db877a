"""Files that are made to harm, and names that are made to lead astray; shared by tests and a benchmark."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mutations import as_bytes, sound_book

Parts = dict[str, bytes]
SHEET, STRINGS = "xl/worksheets/sheet2.xml", "xl/sharedStrings.xml"
MEBIBYTE = 2**20


def package(change: Callable[[Parts], None]) -> bytes:
    """Return a sound workbook with parts changed."""
    with zipfile.ZipFile(io.BytesIO(as_bytes(sound_book()))) as sound:
        parts = {name: sound.read(name) for name in sound.namelist()}
    change(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as changed:
        for name, content in parts.items():
            changed.writestr(name, content)
    return buffer.getvalue()


def replaced(part: str, old: bytes, new: bytes) -> bytes:
    """Return a sound workbook with a text of one part replaced."""

    def change(parts: Parts) -> None:
        assert old in parts[part]
        parts[part] = parts[part].replace(old, new, 1)

    return package(change)


def rows_added(xml: bytes) -> bytes:
    """Return a sound workbook with rows at the end of its table of projects."""
    return replaced(SHEET, b"</sheetData>", xml + b"</sheetData>")


def doctype(text: bytes) -> bytes:
    """Return a sound workbook whose table of projects declares a document type."""
    return replaced(SHEET, b"<worksheet", b"<!DOCTYPE x [" + text + b"]><worksheet")


def _laughs() -> bytes:
    return b"".join(b'<!ENTITY l%d "%s">' % (n, (b"&l%d;" % (n - 1)) * 10 if n else b"ha") for n in range(10))


def _expanding(size: int) -> bytes:
    buffer = io.BytesIO(as_bytes(sound_book()))
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb,
        bomb.open("xl/worksheets/sheet9.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(size):
            part.write(b"\0" * MEBIBYTE)
    return buffer.getvalue()


def _many_parts(parts: Parts) -> None:
    parts.update({f"xl/media/{n}.bin": b"" for n in range(6_000)})


# Name → file name, how its bytes are made, what the refusal says.
FILES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "bomb of 300 MiB": ("x.xlsx", lambda: _expanding(300), "expand to"),
    "part packed too tightly": ("x.xlsx", lambda: _expanding(20), "expand to"),
    "thousands of parts": ("x.xlsx", lambda: package(_many_parts), "parts expand to"),
    "billion laughs": ("x.xlsx", lambda: doctype(_laughs()), "declares a document type"),
    "external entity": (
        "x.xlsx", lambda: doctype(b'<!ENTITY x SYSTEM "file:///etc/passwd">'), "declares a document type",
    ),
    "entity in the names of sheets": (
        "x.xlsx", lambda: replaced("xl/workbook.xml", b"<workbook", b'<!DOCTYPE w SYSTEM "http://x/"><workbook'),
        "declares a document type",
    ),
    "cell at the far corner": (
        "x.xlsx", lambda: rows_added(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "nearly all of them",
    ),
    "cell at the end of a column": (
        "x.xlsx", lambda: rows_added(b'<row r="1048576"><c r="F1048576"><v>1</v></c></row>'), "nearly all of them",
    ),
    "far cell in single quotes": (
        "x.xlsx", lambda: rows_added(b"<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>"), "nearly all of them",
    ),
    "far row without places": (
        "x.xlsx", lambda: rows_added(b'<row r="1048576"><c><v>1</v></c><c r="ZZ9"><v>1</v></c></row>'),
        "nearly all of them",
    ),
    "row beyond the format": (
        "x.xlsx", lambda: rows_added(b'<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'),
        "nearly all of them",
    ),
    "strings without end": (
        "x.xlsx", lambda: replaced(STRINGS, b'uniqueCount="', b'uniqueCount="99999999999'), "declares",
    ),
    "string that is not there": ("x.xlsx", lambda: replaced(SHEET, b'<v>0</v>', b'<v>99999999</v>'), "is damaged"),
    "encrypted workbook": (
        "x.xlsx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4096 + "EncryptedPackage".encode("utf-16-le"),
        "is encrypted",
    ),
    "pdf named workbook": ("x.xlsx", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "the bytes say text"),
    "zip named text": ("x.csv", lambda: as_bytes(sound_book()), "the bytes say workbook"),
    "text without end of line": ("x.csv", lambda: b"a," * (40 * MEBIBYTE), "more than"),
    "wide line above many": ("x.csv", lambda: b"," * 50_000 + b"\n" + b"a\n" * 50_000, "more than"),
    "picture named parquet": ("x.parquet", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "holds bytes"),
    "nothing": ("x.xlsx", lambda: b"", "is empty"),
}  # fmt: skip

PATHS = (
    "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:\\x", "..\\..\\x", "./x", "a/../b", "~/x",
    "~root", "file:///etc", "\\\\host\\share", "//host/share", "a/", "/", "\\", "%2e%2e%2f", "..%2f", "x/.", "...",
    ".", ".x", "-x", "_x", "a//b", "\u2025/x", "\uff0e\uff0e/x", "x\u2215y",
)  # fmt: skip
RESERVED = tuple(
    form(name)
    for name in ("con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10)))
    for form in (str.lower, str.upper, lambda name: f"{name}.txt")
)
SIGNS = (
    *(f"a{c}b" for c in "\0\t\n\r\v\f\x1b\x7f\x85\xa0\xad\u200b\u200d\u202e\u2066\u2069\ufeff\u2028\u3000\ufffe"),
    *(f"{c}ab" for c in "\x01\x08\x1b\x7f\xad\u200b\u200f\u202e\u2066\ufeff\ufffd"),
    "x y", "é", "ПРОЕКТ", "項目", "مشروع", "e\u0301", "\U0001f600", "\u0661", "ﬁ", "a" * 65, "a" * 5000, "\ud7ff",
)  # fmt: skip
CODE = (
    "'", '"', "`", "a'b", 'a"b', "'; DROP TABLE projects; --", "a;b", "a|b", "a&b", "$(id)", "`id`",
    "${HOME}",
    "%PATH%", "#{x}", "<%= x %>", "{!r}", "__import__('os')", "a\u00a0b", "x{y}", "<svg/onload=x>", "{x:>99999999}",
    "{0.__class__}", "{portfolio}", "{{7*7}}", "{% raw %}", "<script>", "<img src=x onerror=alert(1)>", "]]>", "<!--",
    "=cmd()", "+1", "-1+1", "@SUM(A1)", "a:b", "a*b", "a?b", "a=b", "a#b", "!x", "(x)", "[x]", "a,b", "a+b", "\\n",
    "%s",
    "a\\0b", "&amp;", "javascript:alert(1)", "*", "?", "$", "^", "a b/c",
)  # fmt: skip
# Blanks around an id are dropped wherever it is read.
NAMES = tuple(dict.fromkeys(name for name in (*PATHS, *RESERVED, *SIGNS, *CODE) if name == name.strip()))
PERIODS = ("", "2026", "2026-13", "2026-00", "26-03", "2026-3", "2026-03-31", "../2026-03", "2026-03\n", "2026-03/..",
           "٢٠٢٦-٠٣", " 2026-03", "latest", "2026_03", "{period}", "all")  # fmt: skip


def write_files(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Write every hostile file into a folder of its own; yield its name, its path and what its refusal says."""
    for number, (name, (file, make, says)) in enumerate(FILES.items()):
        path = folder / str(number) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(make())
        yield name, path, says
