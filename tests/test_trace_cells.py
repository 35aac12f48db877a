"""Rows lead to the cells of the returned files: of workbooks, text files and databases, as they lie in the archive."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from pmo_lib.audit.cells import Cell, Returned
from pmo_lib.cli import commands
from pmo_lib.parameters.load import find_root
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot

PROJECT = {"portfolio_id": "HWY", "project_id": "H1", "name": "Bridge", "currency": "GBP",
           "whole_life_cost_baseline": 1200000}  # fmt: skip
STATUS = {"portfolio_id": "HWY", "project_id": "H1", "status_date": "2026-09-30", "assessor_role": "SRO",
          "rating": "amber", "rating_scale": "three-point"}  # fmt: skip
PORTFOLIO = {"portfolio_id": "HWY", "name": "Highways", "currency": "GBP", "level": "portfolio"}
TABLES = {"portfolios": PORTFOLIO, "projects": PROJECT, "status": STATUS}
COST = ["whole_life_cost_baseline", "sponsor"]


def workbook(folder: Path) -> None:
    """Write the return as a workbook, with a sponsor column that is blank."""
    book = openpyxl.Workbook()
    book.remove(book["Sheet"])
    for name, row in TABLES.items():
        sheet = book.create_sheet(name)
        own = row | ({"sponsor": None} if name == "projects" else {})
        sheet.append(list(own))
        sheet.append(list(own.values()))
    book.save(folder / "HWY.xlsx")


def texts(folder: Path) -> None:
    """Write the return as CSV files."""
    for name, row in TABLES.items():
        (folder / f"{name}.csv").write_text(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n")


def ingested(folder: Path, outputs: Path, *, org: str = "demo") -> Snapshot:
    """Ingest a folder (or the database of an organisation) and return the snapshot."""
    source = [] if org != "demo" else [str(folder)]
    done = CliRunner().invoke(commands, ["ingest", *source, "--org", org, "--period", "2026-09"])
    assert done.exit_code == 0, (done.output, done.exception)
    return open_snapshot(Archive(outputs / org / "archive"), period="2026-09")


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything is written."""
    monkeypatch.setenv("PMO_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where returns lie until they are taken."""
    (tmp_path / "returns").mkdir()
    return tmp_path / "returns"


def returned(outputs: Path, *, root: Path | None = None, org: str = "demo") -> Returned:
    """Return the returns of an organisation, as its archive has them."""
    return Returned(outputs / org / "archive", root or find_root(), org)


def test_a_cell_of_a_workbook(folder: Path, outputs: Path) -> None:
    """A row of a workbook leads to sheet and cell, though the file that was returned is gone."""
    workbook(folder)
    snapshot = ingested(folder, outputs)
    shutil.rmtree(folder)
    reference = snapshot.table("projects")["source_ref"][0]
    cells = returned(outputs).cells(snapshot, table="projects", reference=reference, columns=COST)
    # portfolio_id, project_id, name, currency, whole_life_cost_baseline, sponsor are A to F.
    assert cells == [
        Cell("projects!F2", "sponsor", "(blank)"), Cell("projects!E2", "whole_life_cost_baseline", "1200000"),
    ]  # fmt: skip
    every = returned(outputs).cells(snapshot, table="projects", reference=reference, columns=None)
    assert sorted(cell.place for cell in every) == [f"projects!{letter}2" for letter in "ABCDE"]


def test_a_cell_of_a_text_file(folder: Path, outputs: Path) -> None:
    """A row of a CSV file leads to row and column."""
    texts(folder)
    snapshot = ingested(folder, outputs)
    cells = returned(outputs).cells(
        snapshot, table="projects", reference="projects.csv, row 2", columns=["whole_life_cost_baseline"]
    )
    assert cells == [Cell("row 2, column E", "whole_life_cost_baseline", "1200000")]


def test_a_row_of_a_database_has_no_cell(tmp_path: Path, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of a database leads to table, key and column, from what was kept of it: the database is not asked again."""
    root = tmp_path / "project"
    shutil.copytree(find_root() / "parameters" / "demo", root / "parameters" / "core")
    shutil.copy(find_root() / "parameters" / "reports.yml", root / "parameters")
    shutil.rmtree(root / "parameters" / "core" / "portfolios")
    organisation = root / "parameters" / "core" / "organisation.yml"
    text = organisation.read_text().replace("id: demo", "id: core")
    organisation.write_text(f"{text}\nmapping: register\n")
    (root / "parameters" / "core" / "sources").mkdir(exist_ok=True)
    tables = "".join(f"    {name}: {{table: {name}}}\n" for name in TABLES)
    (root / "parameters" / "core" / "sources" / "register.yml").write_text(
        f"name: register\ndescription: The register\ndatabase:\n  connection: env:REGISTER\n  tables:\n{tables}"
    )
    file = tmp_path / "register.db"
    with sqlite3.connect(file) as database:
        for name, row in TABLES.items():
            database.execute(f"create table {name} ({', '.join(row)})")
            holes = ", ".join("?" * len(row))
            database.execute(f"insert into {name} values ({holes})", list(row.values()))  # noqa: S608 - our own words
    monkeypatch.setenv("PMO_ROOT", str(root))
    monkeypatch.setenv("REGISTER", f"sqlite:///{file}")
    snapshot = ingested(tmp_path, outputs, org="core")
    file.unlink()
    cells = returned(outputs, root=root, org="core").cells(
        snapshot, table="projects", reference="db:register/projects#HWY|H1", columns=["whole_life_cost_baseline"]
    )
    assert cells == [Cell("projects, column whole_life_cost_baseline", "whole_life_cost_baseline", "1200000")]


def test_what_cannot_be_shown_is_said(folder: Path, outputs: Path) -> None:
    """A row of no file, one that is not found again, and a file that is gone each say so."""
    workbook(folder)
    snapshot = ingested(folder, outputs)

    def why(reference: str) -> object:
        return returned(outputs).cells(snapshot, table="projects", reference=reference, columns=None)

    assert why("mapping demo") == "stands in no returned file"
    assert why("HWY.xlsx, sheet projects, row 99") == (
        "HWY.xlsx: the row is not found again: it was read by another mapping"
    )
    digest = snapshot.kept["sources"][0]["sha256"]
    path = Archive(outputs / "demo" / "archive").store.path(digest)
    path.unlink()
    assert why("HWY.xlsx, sheet projects, row 2") == "HWY.xlsx: not in the archive any more"
    path.write_bytes(b"other")
    assert "altered" in str(why("HWY.xlsx, sheet projects, row 2"))


def test_an_expired_return_is_told_with_its_entry(folder: Path, outputs: Path) -> None:
    """Of a return that a rule has removed, the entry that says so is named."""
    workbook(folder)
    snapshot = ingested(folder, outputs)
    rule = ["--before", "2026-10", "--rule", "kept for seven years", "--approver", "jo"]
    done = CliRunner().invoke(commands, ["archive", "expire", "--org", "demo", *rule])
    assert done.exit_code == 0, (done.output, done.exception)
    told = returned(outputs).cells(
        snapshot, table="projects", reference="HWY.xlsx, sheet projects, row 2", columns=None
    )
    assert told == "HWY.xlsx: expired by ledger/000002.json"
