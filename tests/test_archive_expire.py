"""Retention: what a rule asks for is gone, the ledger says so, and nothing that is still needed goes with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kept_runs import AT, copied, files_of, made_of, put, rewrite, run_files, run_kept, seen, snapshot_kept, taken

from pmo_lib.archive import Disposal, Expired, Ledger, SigningKey, disposed, expire, new_key, read_trusted, verify
from pmo_lib.archive.disposals import Gone
from pmo_lib.archive.ledger import entry_path
from pmo_lib.cli import commands
from pmo_lib.errors import StoreError
from pmo_lib.snapshots import Archive, open_snapshot
from pmo_lib.store import Store, canonical_json, digest_of

BOTH = ("returns", "runs")


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a key lies."""
    return tmp_path_factory.mktemp("keys") / "key.pem"


@pytest.fixture(scope="module")
def key(key_file: Path) -> SigningKey:
    """A key to sign with."""
    return new_key(key_file)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Path:
    """An archive of three periods with a run each; the last, a roll-up, reads the results of the second."""
    root = tmp_path_factory.mktemp("sound") / "demo" / "archive"
    runs = [run_kept(root, snapshot_kept(root, period, key=key), key=key) for period in ("2026-07", "2026-08")]
    last = snapshot_kept(root, "2026-09", key=key)
    read = canonical_json({"2026-08/HWY/health_check.json": runs[1].sums["health_check.json"]})
    of = [*made_of(root, last), put(root, "published", read)]
    run_kept(root, last, portfolio="", report="portfolio_rollup", dependencies=of, key=key)
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return copied(sound, tmp_path / "demo" / "archive")


def rule(before: str = "2026-09", kinds: tuple[str, ...] = BOTH) -> Disposal:
    """Return a rule."""
    return Disposal(before, kinds, "Records Act 7", "ann")


def expired(root: Path, *, key: SigningKey | None = None, **asked: object) -> Expired:
    """Dispose of what a rule asks for."""
    return expire(Ledger(root, "jo", key), rule=rule(**asked), at=AT)[0]  # type: ignore[arg-type]


def whats(root: Path) -> dict[str, str]:
    """Return the fault of each file."""
    return {fault.file: fault.what for fault in verify(root).faults}


def source_of(root: Path, period: str) -> str:
    """Return where the raw return of a period lies."""
    digest = open_snapshot(Archive(root), period=period).manifest["sources"][0]["sha256"]
    return f"objects/sha256/{digest[:2]}/{digest}"


def test_what_expired_is_told_with_rule_and_approver(root: Path, key: SigningKey, key_file: Path) -> None:
    """Raw returns and files of runs are gone, proof and tables stay, and each file is told as expired by its entry."""
    before = files_of(root)
    found = expired(root, key=key)
    gone = set(before) - set(files_of(root))
    runs = [path for path in gone if path.startswith("runs/")]
    assert gone == set(found.paths) == set(disposed(root))
    assert {source_of(root, "2026-07"), source_of(root, "2026-08")} == gone - set(runs)
    assert {path.rpartition("/")[2] for path in runs} == {"log.jsonl", *run_files("health_check", says="")}
    left = {path.rpartition("/")[2] for path in files_of(root) if path.startswith("runs/2026-07/")}
    assert left == {"SHA256SUMS", "run.json", "run.dsse.json"}
    trusted = read_trusted([Path(f"{key_file}.pub")])
    verdict = verify(root, checkpoint=seen(root), trusted=trusted)
    assert verdict.faults == ()
    told = {notice.file: notice.means for notice in verdict.notices if notice.what == "expired"}
    assert told == dict.fromkeys(gone, "expired by entry 7 (rule Records Act 7, approved by ann)")
    tables = open_snapshot(Archive(root), period="2026-07")
    assert len(tables.table("projects")) == 3


def test_what_is_still_needed_stays_and_is_told(root: Path) -> None:
    """Results that a later report read stay, and so does a return that a later snapshot was made of as well."""
    again = taken(root, "2026-10", cost="1.00")
    path = root / "snapshots" / "2026-10" / f"{again.id}.json"
    manifest = json.loads(path.read_bytes())
    old = open_snapshot(Archive(root), period="2026-07").manifest["sources"]
    path.unlink()
    content = canonical_json(manifest | {"sources": old})
    rewrite(root / "snapshots" / "2026-10" / f"{digest_of(content)}.json", content)
    found = expired(root)
    results = next(path for path in files_of(root) if "/2026-08/" in path and path.endswith("health_check.json"))
    assert set(found.needed) == {results, source_of(root, "2026-07")}
    assert "runs/2026-09/_whole/portfolio_rollup" in found.needed[results]
    assert (root / results).is_file()


def test_only_the_kinds_and_periods_that_were_asked_for_go(root: Path) -> None:
    """A rule about returns leaves runs alone; its month is the first that is kept."""
    assert expired(root, before="2026-08", kinds=("returns",)).paths == [source_of(root, "2026-07")]
    assert expired(root, before="2026-07").paths == []
    assert all("/2026-07/" in path for path in expired(root, before="2026-08").paths)
    assert len([path for path in files_of(root) if path.startswith("ledger/")]) == 8


def test_the_entry_comes_before_the_first_byte_goes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off right after the entry, nothing is gone; the same command removes all of it and enters nothing more."""
    before = files_of(root)

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pmo_lib.archive.expiry._remove", cut_off)
        with pytest.raises(KeyboardInterrupt):
            expired(root)
    assert set(before) < set(files_of(root))
    again, entry = expire(Ledger(root, "jo"), rule=rule(), at=AT)
    assert (set(again.unfinished), entry) == (set(before) - set(files_of(root)), None)
    assert verify(root).clean


def test_what_was_entered_and_still_lies_there_is_a_notice(root: Path, tmp_path: Path) -> None:
    """A disposal that was cut off before it removed all is told; the same command finishes it, without an entry."""
    whole = copied(root, tmp_path / "whole")
    found = expired(root)
    for path in found.paths[::2]:
        rewrite(root / path, (whole / path).read_bytes())
    verdict = verify(root)
    assert verdict.faults == ()
    still = {notice.file for notice in verdict.notices if notice.what == "expired, and still there"}
    assert still == set(found.paths[::2])
    again, entry = expire(Ledger(root, "jo"), rule=rule(), at=AT)
    assert (set(again.unfinished), again.disposal.files, entry) == (still, (), None)
    assert {notice.what for notice in verify(root).notices} == {"expired"}


def test_what_vanished_without_a_disposal_is_a_fault(root: Path) -> None:
    """Only a file that the list names may be gone."""
    expired(root, before="2026-08")
    victim = source_of(root, "2026-08")
    (root / victim).unlink()
    assert whats(root) == {victim: "missing"}


def test_what_was_altered_is_never_disposed_of(root: Path) -> None:
    """A disposal does not cover up: a file that is not what it was stops it before anything is entered."""
    before = files_of(root)
    rewrite(root / source_of(root, "2026-08"), b"x")
    with pytest.raises(StoreError, match="not what it was"):
        expired(root)
    assert files_of(root) == before


def test_what_was_disposed_of_may_not_come_back_altered(root: Path) -> None:
    """Other bytes under the name of a file that expired are a fault."""
    victim = source_of(root, "2026-07")
    expired(root)
    rewrite(root / victim, b"?" * 162)
    assert whats(root) == {victim: "altered"}


@pytest.mark.parametrize(
    "find",
    [
        lambda path: path.startswith("snapshots/2026-07"),
        lambda path: path == entry_path(1),
        lambda path: path.endswith("SHA256SUMS") and "2026-07" in path,
        lambda path: path.endswith("run.json") and "2026-07" in path,
        lambda path: path.endswith(".html") and "2026-09" in path,
        lambda path: path == "../../etc/passwd",
    ],
    ids=["manifest", "entry", "sums", "record", "later run", "outside"],
)
def test_a_disposal_that_names_what_it_may_not_is_a_fault(root: Path, find: Callable[[str], bool]) -> None:
    """A list that names a manifest, an entry, proof of a run, or what is not of its periods covers nothing."""
    path = next((path for path in files_of(root) if find(path)), "../../etc/passwd")
    (root / path).unlink() if path.startswith(("runs", "snapshots/")) else None
    listed = forged(root, path)
    found = whats(root)
    assert found[listed] == "not allowed"
    assert path not in disposed_of(root) or path in found


def test_tables_are_not_disposed_of(root: Path) -> None:
    """A list that names a table of a snapshot is a fault, and the table is missing."""
    digest = open_snapshot(Archive(root), period="2026-07").manifest["tables"]["projects"]["sha256"]
    path = f"objects/sha256/{digest[:2]}/{digest}"
    (root / path).unlink()
    listed = forged(root, path, digest=digest)
    assert whats(root) == {listed: "not allowed", path: "missing"}


def disposed_of(root: Path) -> set[str]:
    """Return what verify tells as expired."""
    return {notice.file for notice in verify(root).notices if notice.what.startswith("expired")}


def forged(root: Path, path: str, *, digest: str = "0" * 64) -> str:
    """Enter a disposal of a path, whatever it is; return where its list lies."""
    made = Disposal("2026-09", BOTH, "mine", "eve", (Gone(path, digest, 1, "a file"),))
    name = Store(root / "objects").put(made.content())
    ledger, listed = Ledger(root, "eve"), f"objects/sha256/{name[:2]}/{name}"
    with ledger.held():
        ledger.append("disposal", path=listed, sha256=name, about=made.about, at=AT)
    return listed


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b"{}", canonical_json({"schema": "pmo-disposal/1"}), b'{"a":' * 99_999,
     canonical_json({"schema": "pmo-disposal/1", "before": "2026-09", "kinds": ["tables"], "rule": "r",
                     "approver": "a", "files": []}),
     canonical_json({"schema": "pmo-disposal/1", "before": "2026-09", "kinds": ["runs"], "rule": "r",
                     "approver": "a", "files": [{"path": ["x"], "sha256": "0" * 64, "size": 1, "what": ""}]})],
    ids=range(7),
)  # fmt: skip
def test_a_hostile_list_is_a_fault_and_no_crash(root: Path, content: bytes) -> None:
    """A disposal whose list is none names nothing, and is told."""
    name = Store(root / "objects").put(content)
    ledger, listed = Ledger(root, "eve"), f"objects/sha256/{name[:2]}/{name}"
    with ledger.held():
        ledger.append("disposal", path=listed, sha256=name, about={}, at=AT)
    assert listed in whats(root)
    assert disposed(root) == {}


def pmo(*words: object, root: Path) -> Result:
    """Run a command on the archive."""
    return CliRunner().invoke(commands, [str(word) for word in words], env={"PMO_OUTPUTS": str(root.parents[1])})


def test_the_command_tells_what_it_would_do_and_does_it(root: Path) -> None:
    """A dry run changes nothing and names the files; the command removes them; no word is left out of the rule."""
    before = files_of(root)
    words = ("archive", "expire", "--before", "2026-08", "--rule", "Act 7", "--approver", "ann")
    dry = pmo(*words, "--dry-run", root=root)
    assert (dry.exit_code, files_of(root)) == (0, before)
    done = pmo(*words, root=root)
    assert (done.exit_code, dry.output.count("would remove: ")) == (0, done.output.count("removed: "))
    assert "entry 7" in done.output
    assert "files have expired" in pmo("verify", root=root).output
    assert pmo(*words[:3], "2026-13", *words[4:], root=root).exit_code == 2
    assert pmo(*words[:5], " ", *words[6:], root=root).exit_code == 2
    assert pmo(*words[:4], root=root).exit_code == 2
    assert isinstance(pmo(*words, "--org", "none", root=root).exception, StoreError)
