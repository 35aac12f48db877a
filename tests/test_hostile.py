"""Hostile files and names: each a clear error before anything is parsed, expanded or written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import FILES, NAMES, PERIODS, rows_added
from hypothesis import example, given, strategies as st
from mutations import DAY, as_bytes, sound_book

from pmo_lib.errors import ParameterError, PmoError, SnapshotRefused, SourceError
from pmo_lib.intake.check import check
from pmo_lib.intake.values import Unreadable, read_folder_id
from pmo_lib.parameters.load import load_mapping, load_organisation
from pmo_lib.parameters.models import Organisation, Thresholds
from pmo_lib.snapshots import Archive
from pmo_lib.sources.excel import _all_near
from pmo_lib.store import inside

ROOT = Path(__file__).resolve().parents[1]
PATIENT = Organisation(id="org", name="x", thresholds=Thresholds(quarantine_limit=1.0))


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_with_a_clear_error(tmp_path: Path, name: str) -> None:
    """The file is named with what is wrong with it and what to do; the error is the same at every attempt."""
    file, make, says = FILES[name]
    (tmp_path / file).write_bytes(make())
    messages = set()
    for _ in range(2):
        with pytest.raises(SourceError, match=says) as error:
            check([tmp_path / file], organisation=PATIENT)
        assert error.value.fix
        messages.add(str(error.value))
    assert len(messages) == 1
    assert messages.pop().startswith(file)


@given(st.lists(st.tuples(st.integers(1, 99_999_999), st.sampled_from(["", "A", "z", "AA", "xfd"])), max_size=4))
@example([(199_999, "Z")])
@example([(200_000, "A")])
@example([(1_000_000, "")])
def test_a_far_place_is_never_overlooked(places: list[tuple[int, str]]) -> None:
    """The quick look lets a sheet pass only if none of its places is beyond column Z or row 199,999."""
    cells = "".join(f'<c s="1" r="{column}{row}" t="n"><v>7</v></c>' for row, column in places)
    far = any(row >= 200_000 or len(column) > 1 for row, column in places)
    assert _all_near(f"<sheetData>{cells}</sheetData></worksheet>".encode()) is not far
    assert not places or not _all_near(f"<x>{cells}</x></worksheet>".replace('"', "'").encode())


def test_a_sheet_that_is_long_and_full_is_read(tmp_path: Path) -> None:
    """What is refused is emptiness, not length: a sheet that ends far down and holds something is read."""
    path = tmp_path / "A.xlsx"
    path.write_bytes(rows_added(b'<row r="150000"><c r="C150000" t="str"><v>x</v></c></row>'))
    (checked,) = check([path], organisation=PATIENT)
    assert set(checked.findings["cell"]) == {"A150000", "B150000", "D150000"}


def test_empty_sheets_and_merged_headers_are_findings(tmp_path: Path) -> None:
    """A sheet without a cell is no table; a header that is merged over columns leaves the others without a name."""
    book = sound_book()
    book["risks"] = []
    book["finance"][0][2:5] = ["period", None, None]
    (tmp_path / "A.xlsx").write_bytes(as_bytes(book))
    with pytest.raises(SnapshotRefused) as error:
        check([tmp_path / "A.xlsx"], organisation=PATIENT)
    findings = error.value.data["findings"]
    missing = findings[findings["rule"] == "column-missing"]
    assert set(missing["column"]) == {"period_kind", "measure"}
    nameless = findings[findings["rule"] == "unknown-column"]
    assert nameless["cell"].tolist() == ["D1", "E1"]
    assert set(findings["sheet"]) <= {"finance", ""}


def test_there_are_two_hundred_names() -> None:
    """Paths, reserved names, signs that nobody sees, other scripts, quotes and the syntax of templates and shells."""
    assert len(NAMES) + len(PERIODS) >= 200


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_is_no_portfolio_and_no_parameter(tmp_path: Path, name: str) -> None:
    """Such a portfolio is refused at its cell; such an organisation or mapping is an error; no path leaves its root."""
    with pytest.raises(Unreadable) as unreadable:
        read_folder_id(name)
    assert unreadable.value.fix
    with pytest.raises(PmoError):
        load_organisation(ROOT, org=name)
    with pytest.raises(PmoError):
        load_mapping(ROOT, org="uk_gmpp", name=name)
    try:
        assert inside(tmp_path, parts=(name,)).resolve().is_relative_to(tmp_path.resolve())
    except PmoError as error:
        assert "outside" in str(error) or "path" in str(error)  # noqa: PT017 (some of them stay inside)


@pytest.mark.parametrize("period", PERIODS)
def test_a_hostile_period_is_refused_before_a_file_is_read(tmp_path: Path, period: str) -> None:
    """A period is a year and a month; anything else is an error of the command, not of the return."""
    with pytest.raises(ParameterError, match="period"):
        check([tmp_path / "there is no such file"], organisation=PATIENT, period=period)


def test_hostile_names_in_a_workbook_are_findings_and_hostile_texts_stay_texts(tmp_path: Path) -> None:
    """A hundred and more hostile ids are a finding each, at their cell; as a narrative each comes through unchanged."""
    book = sound_book()
    names = [name for name in NAMES if name.isprintable() and len(name) < 1000 and name.strip() == name]
    texts = [name for name in names if not name.startswith(("=", "#"))]
    book["narratives"] = [["portfolio_id", "project_id", "status_date", "subject", "narrative"]]
    book["narratives"] += [["A", "A-1", DAY, f"S{n}", text] for n, text in enumerate(texts)]
    book["finance"] += [[name, "A-1", "2026-03", "month", "plan", 1.0, "GBP"] for name in texts]
    (tmp_path / "A.xlsx").write_bytes(as_bytes(book))
    (checked,) = check([tmp_path / "A.xlsx"], organisation=PATIENT)
    said = checked.findings.query("rule == 'id' and column == 'portfolio_id'")
    assert said["cell"].tolist() == [f"A{n}" for n in range(5, 5 + len(texts))]
    narratives = checked.tables["narratives"].sort_values("subject", key=lambda s: s.str[1:].astype(int))
    assert narratives["narrative"].tolist() == texts
    assert len(texts) > 100


def test_a_hostile_period_finds_no_snapshot(tmp_path: Path) -> None:
    """An archive looks for a period below its own root only."""
    for period in ("../..", "/etc"):
        with pytest.raises(PmoError):
            Archive(tmp_path).manifests(period)
