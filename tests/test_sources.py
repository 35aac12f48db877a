"""Sources: files in, raw cells with their positions out; nothing interpreted, nothing opened that should not be."""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given, strategies as st

from pmo_lib.errors import SourceError
from pmo_lib.sources import files
from pmo_lib.sources.delimited import read_delimited
from pmo_lib.sources.excel import UNCOMPUTED
from pmo_lib.sources.files import check_package, describe, kind_of
from pmo_lib.sources.grid import Grid, cell_name, column_letters, is_blank, padded
from pmo_lib.sources.read import read_grids

CONTENT_TYPES = "[Content_Types].xml"


def put(path: Path, content: bytes | str) -> Path:
    """Write a file."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    """Write a workbook: sheet name → rows; a text that begins with ``=`` is a formula."""
    book = xlsxwriter.Workbook(path)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                if isinstance(value, str) and not value.startswith("="):
                    sheet.write_string(r, c, value)
                elif value is not None:
                    sheet.write(r, c, value, *([day] if isinstance(value, date) else []))
    book.close()
    return path


def rewritten(path: Path, part: str, change: Any) -> Path:
    """Change one part of a workbook."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


# --- positions --------------------------------------------------------------------------------------------------


@given(st.integers(0, 16_383))
def test_column_letters_count_as_spreadsheets_do(column: int) -> None:
    """Reading the letters as digits from 1 to 26 gives the column back."""
    number = 0
    for letter in column_letters(column):
        number = number * 26 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(letter) + 1
    assert number - 1 == column
    assert cell_name(9, column=column) == f"{column_letters(column)}10"


@given(st.lists(st.lists(st.integers() | st.none(), max_size=4), max_size=4))
def test_a_grid_turned_twice_is_itself(rows: list[list[Any]]) -> None:
    """Rows and columns exchange without loss, and what the program could not compute turns with them."""
    grid = Grid("f.csv", "", padded(rows), {(1, 0): "#N/A"})
    if grid.width:
        turned = grid.turned()
        assert turned.faults == {(0, 1): "#N/A"}
        assert turned.turned().rows == grid.rows
    assert len({len(row) for row in grid.rows}) <= 1


@pytest.mark.parametrize(
    ("raw", "blank"),
    [(None, True), ("", True), (" \N{NO-BREAK SPACE}\n", True), ("x", False), (0, False), (False, False)],
)
def test_blank_is_what_nobody_can_see(raw: Any, blank: bool) -> None:
    """White space of any kind is blank; a zero is not."""
    assert is_blank(raw) is blank


# --- text files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\ufeffName,Ä\n".encode(), [["Name", "Ä"]]),
        ("Name,£5 – x\n".encode("cp1252"), [["Name", "£5 – x"]]),
        (b"Name,\x93a\x94 \x9d\n", [["Name", "“a” \x9d"]]),
    ],
    ids=["utf-8 with a mark", "windows-1252", "latin-1 with a byte that windows-1252 has not"],
)
def test_encodings_are_tried_in_order(tmp_path: Path, content: bytes, expected: list[list[str]]) -> None:
    """The first encoding that decodes every byte is used; control signs of Latin-1 become what writers meant."""
    assert read_delimited(put(tmp_path / "x.csv", content)).rows == expected


def test_no_encoding_that_fits_is_said_with_its_byte(tmp_path: Path) -> None:
    """A file that no stated encoding decodes is refused with the place of the first bad byte."""
    path = put(tmp_path / "x.csv", b"Name,\x9d\n")
    with pytest.raises(SourceError, match=r"utf-8 fails at byte 5; cp1252 fails at byte 5; nonsense is unknown"):
        read_delimited(path, encodings=("utf-8", "cp1252", "nonsense"))


def test_cells_are_as_written(tmp_path: Path) -> None:
    """Line breaks, quotes, blanks and leading zeros in cells survive; short rows are padded; nothing is trimmed."""
    text = 'id,note\r\n001," a ""b""\nc"\r\n002\r\n'
    assert read_delimited(put(tmp_path / "x.csv", text)).rows == [["id", "note"], ["001", ' a "b"\nc'], ["002", None]]


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=2), min_size=1
    )
)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory: Any, rows: list[list[str]]) -> None:
    """Any table of texts, written with the standard library, comes back cell by cell."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["a", "b"], *rows])
    path = put(tmp_path_factory.getbasetemp() / "any.csv", stream.getvalue())
    assert read_delimited(path, delimiter=",").rows == [["a", "b"], *rows]


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_gives_the_widest_header(tmp_path: Path, sign: str) -> None:
    """European spreadsheets write semicolons; a comma inside a cell does not count."""
    path = put(tmp_path / "x.csv", sign.join(["id", '"name, in full"', "cost"]) + "\n")
    assert read_delimited(path).rows == [["id", "name, in full", "cost"]]


def test_quotes_that_do_not_close_are_named_with_their_line(tmp_path: Path) -> None:
    """A file that cannot be split into cells is refused, not guessed."""
    with pytest.raises(SourceError, match=r"x\.csv, line 3"):
        read_delimited(put(tmp_path / "x.csv", 'a,b\n1,2\n3,"4\n'))


# --- what may be opened -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", b"", "is empty"),
        ("x.docx", b"PK\x03\x04", "not a kind of file that is read"),
        ("x.csv", b"PK\x03\x04rest", "the name says text, the bytes say workbook"),
        ("x.xlsx", b"id,name\n", "the name says workbook, the bytes say text"),
        ("x.parquet", b"id,name\n", "the name says parquet, the bytes say text"),
        ("x.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "is encrypted, or an .xls file"),
        ("x.csv", b"\xff\xfei\0d\0", "is UTF-16"),
        ("x.csv", b"id\0name", "holds bytes that no text has"),
        ("x.xlsx", b"PK\x03\x04 not a zip file", "the workbook is damaged"),
        ("x.parquet", b"PAR1 not parquet PAR1", "the file is damaged"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    """Its bytes tell what a file is, and the message tells what to do about it."""
    with pytest.raises(SourceError, match=re.escape(says)) as error:
        read_grids(put(tmp_path / name, content))
    assert error.value.fix
    assert error.value.exit_code == 3


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that does not exist is an error with the path; a size above the limit is one before a byte is read."""
    with pytest.raises(SourceError, match="no such file"):
        kind_of(tmp_path / "none.csv")
    monkeypatch.setattr(files, "MOST_BYTES", 4)
    with pytest.raises(SourceError, match="5 bytes are more than 4"):
        kind_of(put(tmp_path / "x.csv", b"id,no"))


def test_a_zip_file_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    """A zip file has a workbook in it or is none."""
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as package:
        package.writestr("hello.txt", "hello")
    with pytest.raises(SourceError, match="is a zip file and no workbook"):
        kind_of(tmp_path / "x.xlsx")


def test_a_bomb_is_refused_by_its_directory_alone(tmp_path: Path) -> None:
    """A small workbook that would expand to hundreds of megabytes is refused in a fraction of a second."""
    path = workbook(tmp_path / "x.xlsx", Sheet=[["a"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        block = b"\0" * 2**20
        with package.open("xl/worksheets/sheet2.xml", "w", force_zip64=True) as part:
            for _ in range(300):
                part.write(block)
    assert path.stat().st_size < 2**20
    begun = time.process_time()
    with pytest.raises(SourceError, match="expand to 3"):
        kind_of(path)
    assert time.process_time() - begun < 0.5


def test_a_part_that_is_packed_too_tightly_is_refused(tmp_path: Path) -> None:
    """Ten megabytes of nothing in ten kilobytes is no return, even if it would fit into memory."""
    path = workbook(tmp_path / "x.xlsx", Sheet=[["a"]])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        package.writestr("xl/media/nothing.bin", b"\0" * (10 * 2**20))
    with pytest.raises(SourceError, match="a return stays below"):
        check_package(path)


def test_a_flipped_bit_in_a_workbook_is_found(tmp_path: Path) -> None:
    """A part whose bytes do not match their checksum is never read."""
    path = tmp_path / "x.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as package:
        package.writestr("xl/workbook.xml", "<workbook>text</workbook>")
    content = bytearray(path.read_bytes())
    content[content.index(b"text")] ^= 1
    put(path, bytes(content))
    with pytest.raises(SourceError, match="damaged"):
        check_package(path)


def test_a_file_is_described_by_its_bytes(tmp_path: Path) -> None:
    """Name, digest and size are those of the file: sha256 of 'abc' is published in FIPS 180-4."""
    source = describe(put(tmp_path / "x.csv", b"abc"))
    assert (source.name, source.size) == ("x.csv", 3)
    assert source.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(SourceError, match="cannot be read"):
        describe(tmp_path / "none.csv")


# --- workbooks --------------------------------------------------------------------------------------------------


def test_cells_of_a_workbook_keep_their_types(tmp_path: Path) -> None:
    """The text 001 stays a text, 45292 a number, a date is a date, TRUE a truth; positions are those of the sheet."""
    path = workbook(tmp_path / "x.xlsx", Risks=[[], [None, "001", 45292, 1.5, True, date(2024, 1, 1)], ["=1+1"]])
    (grid,) = read_grids(path)
    assert (grid.file, grid.sheet, grid.width) == ("x.xlsx", "Risks", 6)
    assert grid.rows[0] == [None] * 6
    assert [type(cell) for cell in grid.rows[1][1:]][:4] == [str, float, float, bool]
    assert grid.rows[1][1:5] == ["001", 45292, 1.5, True]
    assert str(grid.rows[1][5]).startswith("2024-01-01")


def test_sheets_come_in_order(tmp_path: Path) -> None:
    """Every sheet is read, in the order of the workbook, an empty one too."""
    path = workbook(tmp_path / "x.xlsx", B=[["b"]], A=[["a"]], Empty=[])
    assert [(grid.sheet, grid.rows) for grid in read_grids(path)] == [("B", [["b"]]), ("A", [["a"]]), ("Empty", [])]


def test_errors_and_formulas_without_a_value_are_told_from_blanks(tmp_path: Path) -> None:
    """#N/A and a formula that was never computed are faults with their cells; a computed formula has its value."""
    path = workbook(tmp_path / "x.xlsx", S=[["n", "=NA()"], [None, "=1+1"], [None, "=2+2"]])

    def change(xml: str) -> str:
        xml = re.sub(r'<c r="B1"[^>]*>.*?</c>', '<c r="B1" t="e"><f>NA()</f><v>#N/A</v></c>', xml)
        xml = re.sub(r'<c r="B2"[^>]*>.*?</c>', '<c r="B2"><f>1+1</f></c>', xml)
        return re.sub(r'<c r="B3"[^>]*>.*?</c>', '<c r="B3"><f>2+2</f><v>4</v></c>', xml)

    (grid,) = read_grids(rewritten(path, "xl/worksheets/sheet1.xml", change))
    assert grid.faults == {(0, 1): "#N/A", (1, 1): UNCOMPUTED}
    assert [row[1] for row in grid.rows] == [None, None, 4.0]


def test_a_fault_beyond_the_last_value_still_has_a_cell(tmp_path: Path) -> None:
    """A sheet is as large as its faults reach."""
    path = workbook(tmp_path / "x.xlsx", S=[["a"]])
    (grid,) = read_grids(
        rewritten(
            path,
            "xl/worksheets/sheet1.xml",
            lambda xml: xml.replace("</sheetData>", '<row r="3"><c r="C3" t="e"><v>#REF!</v></c></row></sheetData>'),
        )
    )
    assert grid.faults == {(2, 2): "#REF!"}
    assert [len(row) for row in grid.rows] == [3, 3, 3]


def test_an_escaped_sheet_name_finds_its_faults(tmp_path: Path) -> None:
    """Names with signs that XML escapes are the same in both readings."""
    path = workbook(tmp_path / "x.xlsx", **{"R & D <1>": [["=NA()"]]})
    change = lambda xml: re.sub(r'<c r="A1"[^>]*>.*?</c>', '<c r="A1" t="e"><v>#N/A</v></c>', xml)  # noqa: E731
    (grid,) = read_grids(rewritten(path, "xl/worksheets/sheet1.xml", change))
    assert grid.faults == {(0, 0): "#N/A"}


def test_a_sheet_of_too_many_cells_is_refused(tmp_path: Path) -> None:
    """One cell in the last corner makes a sheet of seventeen billion: refused before they are made."""
    path = workbook(tmp_path / "x.xlsx", S=[["a"]])
    book = xlsxwriter.Workbook(path)
    book.add_worksheet("S").write_string(1_048_575, 16_383, "x")
    book.close()
    with pytest.raises(SourceError, match="1,048,576 rows by 16,384 columns"):
        read_grids(path)


# --- Parquet ----------------------------------------------------------------------------------------------------


def test_a_parquet_file_is_a_grid_with_its_header_in_row_1(tmp_path: Path) -> None:
    """Values keep their types, nulls are blanks, and positions count as if it were a sheet."""
    table = pa.table(
        {
            "id": ["a", None],
            "cost": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "on": [date(2026, 3, 1), None],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    (grid,) = read_grids(tmp_path / "x.parquet")
    assert grid.rows == [["id", "cost", "on"], ["a", Decimal("1.50"), date(2026, 3, 1)], [None, None, None]]


def test_a_parquet_timestamp_is_a_day_and_a_time(tmp_path: Path) -> None:
    """A timestamp reads as one, whatever its unit."""
    day = datetime.fromisoformat("2026-03-01T12:00:00")
    pq.write_table(pa.table({"on": pa.array([day], pa.timestamp("ns"))}), tmp_path / "x.parquet")
    assert read_grids(tmp_path / "x.parquet")[0].rows[1] == [day]


def test_nested_or_damaged_parquet_is_refused(tmp_path: Path) -> None:
    """One value per cell; and a page whose checksum fails is never believed."""
    pq.write_table(pa.table({"a": [[1, 2]]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="column a is nested"):
        read_grids(tmp_path / "x.parquet")
    path = tmp_path / "y.parquet"
    pq.write_table(
        pa.table({"a": ["needle"] * 50}), path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    # The page header, which has no checksum, holds the word too: flip a bit further on.
    content[content.index(b"needle", 300) + 1] ^= 1
    put(path, bytes(content))
    with pytest.raises(SourceError, match="damaged"):
        read_grids(path)
