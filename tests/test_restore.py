"""Restoring: what the archive held after an entry is laid out again, byte for byte, and nothing in it is believed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from kept_runs import copied, files_of, made_of, put, put_all, rewrite, run_files, run_kept, snapshot_kept

from pmo_lib.archive import Ledger, Restored, entry_at, restore, verify
from pmo_lib.archive.contents import object_path
from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.restore import MOST_FILES, is_plain, read_list, restore_archive, unpack
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.snapshots import Archive, open_snapshot
from pmo_lib.store import canonical_json, digest_of

DAYS = ["2026-10-01T09:00:00+00:00", "2026-10-02T09:00:00+00:00", "2026-10-02T23:59:59+00:00",
        "2026-10-03T10:00:00+02:00", "2026-10-04T08:00:00+00:00"]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of five entries: a snapshot, a run of it, a roll-up, a correction, and the run of that."""
    root = tmp_path_factory.mktemp("sound") / "demo" / "archive"
    first = snapshot_kept(root, "2026-09", at=DAYS[0])
    run = run_kept(root, first, at=DAYS[1])
    page = (root / run.place / "health_check.html").read_bytes()
    state = put(root, "", b'{"reports":[]}').sha256
    read = {"2026-09/HWY/health_check.json": run.sums["health_check.json"], "2026-09/state.json": state}
    made = [*made_of(root, first), put(root, "published", canonical_json(read))]
    extracts = {"extract~facts.csv": b"a,b\n"}
    run_kept(root, first, at=DAYS[2], portfolio="", report="portfolio_rollup", dependencies=made,
             files=run_files("portfolio_rollup", says="all") | extracts)  # fmt: skip
    second = snapshot_kept(root, "2026-09", at=DAYS[3], cost="2000.10", reason="a digit was lost")
    files = run_files("health_check", says="corrected")
    again = run_kept(root, second, at=DAYS[4], files=files, supersedes=run.place, reason="a digit was lost")
    assert (root / again.place / "health_check.html").read_bytes() != page
    return root


def laid(sound: Path, into: Path, *, upto: int) -> Restored:
    """Return what was restored."""
    return restore(sound, organisation="demo", upto=upto, into=into)


def pooled(sound: Path, into: Path, *, upto: int, pool: Path) -> Restored:
    """Return what was restored from copies in a pool."""
    return restore_archive(sound, organisation="demo", upto=upto, into=into, pool=pool)


# --- known at a date ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "number"),
    [
        ("2026-09-30", 0),
        ("2026-10-01", 1),
        ("2026-10-02", 3),
        ("2026-10-02T09:00:00+00:00", 2),
        ("2026-10-02T08:59:59", 1),
        ("2026-10-03T07:59:59+00:00", 3),
        ("2026-10-03T08:00:00+00:00", 4),
        ("2030-01-01", 5),
    ],
)
def test_a_date_means_its_end(sound: Path, date: str, number: int) -> None:
    """What was known at a date ends with the last entry that is not later than the end of that day, UTC."""
    assert entry_at(whole_ledger(sound), date=date) == number


def test_a_clock_that_was_put_back_hides_nothing(sound: Path) -> None:
    """The last entry counts that is not later, with all before it: the ledger's order is not the clock's."""
    first, second, *_ = whole_ledger(sound)
    late = replace(first, at="2026-12-01T00:00:00+00:00")
    assert entry_at([late, second], date="2026-10-02") == 2


@pytest.mark.parametrize("date", ["", "soon", "2026-13-01", "2026-09", "20260930T"])
def test_what_is_no_date_is_refused(sound: Path, date: str) -> None:
    """A date that is none is told with what to write."""
    with pytest.raises(ParameterError, match="YYYY-MM-DD"):
        entry_at(whole_ledger(sound), date=date)


# --- laying out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upto", [0, 1, 2, 3, 4, 5])
def test_the_restored_archive_is_the_one_of_then(sound: Path, tmp_path: Path, upto: int) -> None:
    """After any entry, what is restored is whole by itself, ends there, and every byte of it is the archive's."""
    restored = laid(sound, tmp_path / "then", upto=upto)
    assert restored.faults == []
    files = files_of(restored.archive)
    assert [name for name in files if (restored.archive / name).read_bytes() != (sound / name).read_bytes()] == []
    assert sum(name.startswith("ledger/") for name in files) == upto
    assert verify(restored.archive).faults == ()


def test_what_came_later_is_not_there(sound: Path, tmp_path: Path) -> None:
    """The correction and its run are in no tree of before; in the last one the corrected snapshot is the newest."""
    manifests = {upto: len(Archive(laid(sound, tmp_path / f"{upto}", upto=upto).archive).manifests("2026-09"))
                 for upto in (1, 3, 4)}  # fmt: skip
    assert manifests == {1: 1, 3: 1, 4: 2}
    now = open_snapshot(Archive(tmp_path / "4" / "demo" / "archive"), period="2026-09")
    assert now.kept["reason"] == "a digit was lost"
    now.check()


def test_pages_and_results_are_those_of_then(sound: Path, tmp_path: Path) -> None:
    """What was published by then lies in its place: of each report the last run, with its extracts, and the state."""
    pages = {}
    for upto in (1, 2, 3, 5):
        folder = laid(sound, tmp_path / f"{upto}", upto=upto).folder
        pages[upto] = sorted(path.relative_to(folder).as_posix() for path in folder.glob("2026-09/**/*.*"))
    own = ["2026-09/HWY/health_check.html", "2026-09/HWY/health_check.json", "2026-09/assets/plotly.js"]
    whole = ["2026-09/extract/facts.csv", "2026-09/portfolio_rollup.html", "2026-09/portfolio_rollup.json",
             "2026-09/state.json"]  # fmt: skip
    assert pages == {1: [], 2: own, 3: sorted(own + whole), 5: sorted(own + whole)}
    said = [(tmp_path / each / "demo" / "2026-09" / "HWY" / "health_check.html").read_text() for each in ("3", "5")]
    assert said == ["<!doctype html><p>2026-09 HWY</p>", "<!doctype html><p>corrected</p>"]
    assert (tmp_path / "3" / "demo" / "2026-09" / "state.json").read_bytes() == b'{"reports":[]}'


def test_with_a_pool_nothing_is_shared_with_the_archive(sound: Path, tmp_path: Path) -> None:
    """With a pool no file of a restored tree is a file of the archive; two trees share each other's copies."""
    before = {path.stat().st_ino for path in sound.rglob("*") if path.is_file()}
    trees = [pooled(sound, tmp_path / name, upto=5, pool=tmp_path / "pool").archive for name in ("a", "b")]
    inodes = [{path.stat().st_ino for path in tree.rglob("*") if path.is_file()} for tree in trees]
    assert before.isdisjoint(inodes[0])
    assert inodes[0] == inodes[1]
    assert files_of(trees[0]) == files_of(sound)


def test_published_files_may_be_written_over(sound: Path, tmp_path: Path) -> None:
    """Pages and results are copies: writing into them alters nothing that is kept."""
    before = [path.read_bytes() for path in sorted(sound.rglob("*")) if path.is_file()]
    restored = laid(sound, tmp_path, upto=5)
    for path in restored.folder.glob("2026-09/**/*.*"):
        path.write_bytes(b"other")
    assert [path.read_bytes() for path in sorted(sound.rglob("*")) if path.is_file()] == before


def test_no_entry_of_that_number(sound: Path, tmp_path: Path) -> None:
    """A number beyond the ledger, and a folder in use, are refused."""
    with pytest.raises(StoreError, match="5 entries, and none of number 6"):
        laid(sound, tmp_path, upto=6)
    laid(sound, tmp_path, upto=1)
    with pytest.raises(StoreError, match="holds demo already"):
        laid(sound, tmp_path, upto=1)


# --- hostile archives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("way", ["altered", "missing", "link", "pipe", "folder"])
def test_what_is_not_as_it_was_is_told_and_left_out(sound: Path, tmp_path: Path, way: str, copies: bool) -> None:
    """Each file that is altered, gone, or no file is named and not laid out; the others are."""
    root = copied(sound, tmp_path / "kept" / "demo" / "archive")
    place = next(name for name in files_of(root) if name.endswith("health_check.html"))
    manifest = json.loads(next(iter(root.glob("snapshots/*/*.json"))).read_bytes())
    table = object_path(manifest["tables"]["status"]["sha256"])
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    for path in (root / place, root / table):
        rewrite(path, path.read_bytes() + b" ")
        if way != "altered":
            path.unlink()
        if way == "link":
            path.symlink_to(secret)
        elif way == "pipe":
            os.mkfifo(path)
        elif way == "folder":
            path.mkdir()
    then = tmp_path / "then"
    restored = pooled(root, then, upto=5, pool=tmp_path / "pool") if copies else laid(root, then, upto=5)
    assert {fault.file for fault in restored.faults} == {place, table}
    assert {place, table} <= {*files_of(sound)} - {*files_of(restored.archive)}
    assert not [path for path in restored.outputs.rglob("*") if path.is_symlink() or path.name.endswith(".part")]


def test_a_run_that_was_exchanged_is_left_out(sound: Path, tmp_path: Path) -> None:
    """A run whose sums are not those that were entered is named, however well they fit its files."""
    root = copied(sound, tmp_path / "demo" / "archive")
    run = next(entry for entry in whole_ledger(root) if entry.kind == "run")
    page = (root / run.path).with_name("health_check.html")
    rewrite(page, b"<p>better</p>")
    sums = (root / run.path).read_text().splitlines()
    told = [f"{digest_of(b'<p>better</p>')}  {page.name}" if line.endswith(page.name) else line for line in sums]
    rewrite(root / run.path, ("\n".join(told) + "\n").encode())
    restored = laid(root, tmp_path / "then", upto=5)
    assert [(fault.file, fault.what) for fault in restored.faults] == [(run.path, "altered")]
    assert not (restored.archive / run.path).exists()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "a/../b", "a//b", "a/", "", ".", "..", "a/.", "a\\b", "a\0b", "a\nb", "x" * 300,
     "/".join("a" * 20), ". .", "...", 7, None],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_refused(tmp_path: Path, path: object) -> None:
    """A list with a path that is not one of plain names below its folder is not unpacked, and nothing is written."""
    assert not is_plain(path)
    if isinstance(path, str):
        digest = put(tmp_path, "", canonical_json({"good.py": digest_of(b""), path: digest_of(b"")})).sha256
        with pytest.raises(StoreError, match="which is no file of a run"):
            unpack(tmp_path, digest=digest, into=tmp_path / "out")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["a", "pmo_lib/py.typed", "parameters/demo/Wärme & Netz (neu).yml", ".hidden/_x-1"])
def test_plain_paths_are_unpacked(tmp_path: Path, path: str) -> None:
    """Files of a list come back where they were, with their bytes."""
    digest = put_all(tmp_path, "", {path: b"content", "z/z": b"other"}).sha256
    assert unpack(tmp_path, digest=digest, into=tmp_path / "out") == sorted([path, "z/z"])
    assert (tmp_path / "out" / path).read_bytes() == b"content"


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b"", b'{"a":1}', b'{"a":"xyz"}', b'{"a":' * 5000, canonical_json({"a": {"b": "c"}})]
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    """An object that is no list of files is told as such."""
    digest = put(tmp_path, "", content).sha256
    with pytest.raises(StoreError, match=object_path(digest)):
        read_list(tmp_path, digest=digest)


def test_lists_are_bounded(tmp_path: Path) -> None:
    """A list of more files than any of ours is refused before one is written."""
    digest = put(
        tmp_path, "", canonical_json({f"f{number}": digest_of(b"") for number in range(MOST_FILES + 1)})
    ).sha256
    with pytest.raises(StoreError, match="too many files"):
        unpack(tmp_path, digest=digest, into=tmp_path / "out")


def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path) -> None:
    """A list that names both a and a/b cannot be unpacked, and says so."""
    digest = put_all(tmp_path, "", {"a": b"1", "a/b": b"2"}).sha256
    with pytest.raises(StoreError, match="a file and a folder"):
        unpack(tmp_path, digest=digest, into=tmp_path / "out")


def test_an_altered_object_is_not_unpacked(tmp_path: Path) -> None:
    """What is unpacked has the bytes that the list names, or the object is named."""
    digest = put_all(tmp_path, "", {"a.py": b"print()"}).sha256
    own = object_path(digest_of(b"print()"))
    rewrite(tmp_path / own, b"import os")
    with pytest.raises(StoreError, match="altered") as caught:
        unpack(tmp_path, digest=digest, into=tmp_path / "out")
    assert caught.value.data["path"] == own


def test_a_torn_ledger_restores_nothing(sound: Path, tmp_path: Path) -> None:
    """A ledger that is not whole vouches for nothing."""
    root = copied(sound, tmp_path / "demo" / "archive")
    path = root / "ledger" / "000002.json"
    rewrite(path, path.read_bytes().replace(b'"jo"', b'"me"'))
    assert json.loads(path.read_bytes())["operator"] == "me"
    with pytest.raises(StoreError, match="does not follow"):
        laid(root, tmp_path / "then", upto=1)


def test_restoring_alters_nothing(sound: Path, tmp_path: Path) -> None:
    """After all of it the archive is as it was, and another entry follows."""
    before = {name: (sound / name).read_bytes() for name in files_of(sound)}
    laid(sound, tmp_path / "then", upto=5)
    assert {name: (sound / name).read_bytes() for name in files_of(sound)} == before
    with Ledger(tmp_path / "then" / "demo" / "archive", "jo").held():
        pass
