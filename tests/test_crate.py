"""A run as a Process Run Crate: whole, always the same bytes, and as the profile asks."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from kept_runs import AT, PORTFOLIOS, Source, run_kept, snapshot_kept
from returns import small_return
from rocrate.rocrate import ROCrate

from pmo_lib.archive import Ledger, enter
from pmo_lib.audit.crate import crate
from pmo_lib.audit.named import Kept, kept
from pmo_lib.cli import commands
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.snapshots import Archive, take
from pmo_lib.store import digest_of

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"


@pytest.fixture
def run(tmp_path: Path) -> Kept:
    """A run of an archive."""
    root = tmp_path / "outputs" / "demo" / "archive"
    return kept(root, name=run_kept(root, snapshot_kept(root, "2026-09"), reason="a digit was lost").place)


def written(run: Kept, out: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Write a run as a zip; return the entities of its metadata by id, and its files."""
    crate(run, out=out)
    with zipfile.ZipFile(out) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return {one["@id"]: one for one in json.loads(files["ro-crate-metadata.json"])["@graph"]}, files


def ids(value: Any) -> list[str]:
    """Return the ids that a property refers to."""
    return [one["@id"] for one in (value if isinstance(value, list) else [value])]


def test_the_same_run_gives_the_same_bytes(run: Kept, tmp_path: Path) -> None:
    """A crate has no clock in it: written twice it has the same bytes, as a folder the same files."""
    _, files = written(run, tmp_path / "one.zip")
    crate(run, out=tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    crate(run, out=tmp_path / "folder")
    found = {path.relative_to(tmp_path / "folder").as_posix(): path for path in (tmp_path / "folder").rglob("*.*")}
    assert {name: path.read_bytes() for name, path in found.items() if path.is_file()} | {
        name: content for name, content in files.items() if name.endswith("SHA256SUMS")
    } == files
    with pytest.raises(ParameterError, match="is there already"):
        crate(run, out=tmp_path / "folder")


def test_the_profile_is_kept(run: Kept, tmp_path: Path) -> None:
    """Everything that RO-Crate 1.1 and Process Run Crate 0.5 require is there, and refers to what is there."""
    entities, _ = written(run, tmp_path / "run.zip")
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert ids(descriptor["conformsTo"]) == ["https://w3id.org/ro/crate/1.1"]
    assert ids(descriptor["about"]) == ["./"]
    assert ids(root["conformsTo"]) == [PROFILE]
    assert (entities[PROFILE]["@type"], entities[PROFILE]["version"]) == ("CreativeWork", "0.5")
    assert root["datePublished"] == AT
    assert all(root[name] for name in ("name", "description", "license"))
    action = entities[ids(root["mentions"])[0]]
    assert (action["@type"], action["startTime"], action["endTime"]) == ("CreateAction", AT, AT)
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    agent = entities[ids(action["agent"])[0]]
    assert (agent["@type"], agent["name"]) == ("Person", "jo")
    software, notebook = (entities[one] for one in ids(action["instrument"]))
    assert (software["@type"], software["name"], software["softwareVersion"]) == ("SoftwareApplication", "pmo-lib", "1")
    assert notebook["@id"] == "inputs/notebooks/health_check.ipynb"
    assert notebook["@type"] == ["File", "SoftwareSourceCode"]
    parameters = [entities[one] for one in ids(action["object"]) if entities[one]["@type"] == "PropertyValue"]
    assert {one["name"]: one["value"] for one in parameters} == {
        "organisation": "demo", "period": "2026-09", "portfolio": "HWY", "report": "health_check", "overrides": "{}",
    }  # fmt: skip
    referred = {one for entity in entities.values() for value in entity.values() for one in _referred(value)}
    assert {one for one in referred if not one.startswith("http")} <= entities.keys()


def _referred(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    return [one["@id"] for one in members if isinstance(one, dict) and "@id" in one]


def test_everything_is_in_it_and_told(run: Kept, tmp_path: Path) -> None:
    """Every file is an entity with its sha256 and a part of the whole; returns, data, code and results are there."""
    entities, files = written(run, tmp_path / "run.zip")
    told = {unquote(one): entity for one, entity in entities.items() if "File" in str(entity["@type"])}
    assert told.keys() == files.keys() - {"ro-crate-metadata.json"}
    assert all(told[name]["sha256"] == digest_of(files[name]) for name in told)
    assert {unquote(one) for one in ids(entities["./"]["hasPart"])} == told.keys()
    assert files["data/returns/file.xlsx"] == b"2026-09 1000.10" * 9
    assert digest_of(files["data/snapshot.json"]) == run.snapshot.id
    assert files["2026-09/HWY/health_check.html"] == (run.folder / "health_check.html").read_bytes()
    assert files["2026-09/assets/plotly.js"] == b"// plotly"  # where a page of a portfolio looks for it
    assert files["source/pmo_lib/__init__.py"] == b'"""The library."""\n'
    assert files["requirements.txt"] == b"pandas==3.1\n"
    action = entities["#run"]
    assert {unquote(one) for one in ids(action["result"])} == {f"2026-09/HWY/{name}" for name in run.run.sums}
    assert "data/returns/file.xlsx" in ids(action["object"])


def test_its_own_reader_reads_it(run: Kept, tmp_path: Path) -> None:
    """The library for RO-Crates opens the crate and finds the action with agent, instrument, object and result."""
    crate(run, out=tmp_path / "run.zip")
    read = ROCrate(tmp_path / "run.zip")
    (action,) = read.get_by_type("CreateAction")
    assert read.name == "Health check of HWY, 2026-09"
    assert action["agent"]["name"] == "jo"
    assert [one["name"] for one in action["instrument"]][:1] == ["pmo-lib"]
    assert "2026-09/HWY/health_check.html" in [one.id for one in action["result"]]
    assert len(read.data_entities) == len({one.id for one in read.data_entities})


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    """A return of a hostile name lies below the folder of the returns; one with blanks and accents keeps its name."""
    root = tmp_path / "archive"
    made = small_return("2026-09", date(2026, 9, 28), portfolios=PORTFOLIOS)
    made.sources = (Source("../../evil.xlsx", b"evil"), Source("a b/é.xlsx", b"good"))
    snapshot = take(made, archive=Archive(root), organisation="demo")
    enter(Ledger(root, "jo"), taken=snapshot.id, at=AT)
    entities, files = written(kept(root, name=run_kept(root, snapshot).place), tmp_path / "run.zip")
    assert files["data/returns/a b/é.xlsx"] == b"good"
    assert files["data/returns/%2E%2E%2F%2E%2E%2Fevil.xlsx"] == b"evil"
    assert not any(".." in name for name in files)
    names = {entity["name"] for one, entity in entities.items() if one.startswith("data/returns/")}
    assert names == {"return: ../../evil.xlsx", "return: a b/é.xlsx"}


def test_what_is_gone_is_told_or_refused(run: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A return that a rule has removed is left out, and the crate says so; one that is only missing is refused."""
    monkeypatch.setenv("PMO_OUTPUTS", str(tmp_path / "outputs"))
    rule = ["--before", "2026-10", "--rule", "kept for seven years", "--approver", "jo", "--what", "returns"]
    done = CliRunner().invoke(commands, ["archive", "expire", "--org", "demo", *rule])
    assert done.exit_code == 0, (done.output, done.exception)
    target = tmp_path / "run.zip"
    done = CliRunner().invoke(commands, ["archive", "crate", "2026-09/HWY/health_check", str(target)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "not in it: data/returns/file.xlsx: expired by ledger/000003.json" in done.output
    assert "expired by ledger/000003.json" in str(ROCrate(target).description)
    Archive(run.root).store.path(run.made_of("lock")[0].sha256).unlink()
    with pytest.raises(StoreError, match=r"requirements\.txt .* not in the archive any more"):
        crate(run, out=tmp_path / "other.zip")
