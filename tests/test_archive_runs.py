"""Runs in the archive: each file is held against sums, record and ledger; who signed is known, or said not to be."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kept_runs import (
    AT,
    INPUTS,
    copied,
    files_of,
    made_of,
    put,
    rewrite,
    run_files,
    run_kept,
    run_taken,
    seen,
    snapshot_kept,
)  # fmt: skip

from pmo_lib.archive import Ledger, SigningKey, Trusted, Verdict, enter, new_key, read_trusted, verify
from pmo_lib.archive.ledger import entry_path
from pmo_lib.archive.runs import complete
from pmo_lib.archive.statement import Dependency
from pmo_lib.cli import commands
from pmo_lib.errors import ParameterError
from pmo_lib.snapshots import Archive, Snapshot, open_snapshot
from pmo_lib.store import Store, canonical_json, digest_of


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a key lies, with another beside it."""
    folder = tmp_path_factory.mktemp("keys")
    new_key(folder / "other.pem")
    return folder / "key.pem"


@pytest.fixture(scope="module")
def key(key_file: Path) -> SigningKey:
    """A key to sign with."""
    return new_key(key_file)


@pytest.fixture
def trusted(key: SigningKey, key_file: Path) -> Trusted:
    """Its public half."""
    return read_trusted([Path(f"{key_file}.pub")])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Path:
    """A signed archive of a snapshot, two runs of it, and a roll-up of these."""
    root = tmp_path_factory.mktemp("sound") / "demo" / "archive"
    snapshot = snapshot_kept(root, "2026-09", key=key)
    first = run_kept(root, snapshot, key=key)
    run_kept(root, snapshot, key=key, portfolio="ICT")
    run_kept(root, snapshot, key=key, report="portfolio_rollup", portfolio="", dependencies=rolled_up(root, first.sums))
    return root


def rolled_up(root: Path, sums: dict[str, str]) -> list[Dependency]:
    """Return what a roll-up is made of: the results of a run, which lie there, and a state, which is an object."""
    state = put(root, "state", b"{}").sha256
    read = {"2026-09/HWY/health_check.json": sums["health_check.json"], "2026-09/state.json": state}
    return [*made_of(root, newest(root)), put(root, "published", canonical_json(read))]


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return copied(sound, tmp_path / "demo" / "archive")


def newest(root: Path) -> Snapshot:
    """Return its snapshot."""
    return open_snapshot(Archive(root), period="2026-09")


def whats(verdict: Verdict) -> dict[str, str]:
    """Return the fault of each file."""
    return {fault.file: fault.what for fault in verdict.faults}


def means(verdict: Verdict) -> dict[str, str]:
    """Return what the fault of each file means."""
    return {fault.file: fault.means for fault in verdict.faults}


def one(root: Path, end: str, *, of: str = "HWY") -> str:
    """Return the one file of a portfolio's run whose path ends so."""
    return next(path for path in files_of(root) if path.startswith(f"runs/2026-09/{of}/") and path.endswith(end))


# --- what is whole --------------------------------------------------------------------------------------------


def test_sound_runs_have_no_fault_and_all_they_are_made_of_is_referred_to(root: Path, trusted: Trusted) -> None:
    """Runs, the objects that they name, and those that the lists among these name, are all accounted for."""
    for checkpoint, keys in ((None, None), (seen(root), trusted)):
        verdict = verify(root, checkpoint=checkpoint, trusted=keys)
        assert (verdict.faults, verdict.notices, verdict.counts["runs"]) == ((), (), 3)
    assert verdict.not_proven == ("who made the checkpoint: it is unsigned",)


def test_a_run_without_an_entry_is_told_and_adopted(root: Path, key: SigningKey, trusted: Trusted) -> None:
    """A run that was cut off before its entry is not in the ledger; entered later, it is told as adopted."""
    run = run_taken(root, newest(root), report="risk_register", key=key)
    sums = f"{run.place}/SHA256SUMS"
    assert whats(verify(root)) == {sums: "not in the ledger"}
    enter(Ledger(root, "jo", key), taken="", at=AT)
    verdict = verify(root, trusted=trusted)
    assert (verdict.faults, [notice.what for notice in verdict.notices]) == ((), ["adopted"])


def test_a_folder_that_a_cut_off_rename_left_is_no_fault(root: Path) -> None:
    """The folders above a run are made before the run is moved there: empty ones say nothing."""
    (root / "runs" / "2026-10" / "HWY").mkdir(parents=True)
    assert verify(root).clean


def test_a_correction_names_the_run_before_it(root: Path) -> None:
    """A run that supersedes one that is not there names what is missing."""
    place = f"runs/2026-09/HWY/health_check-{'0' * 16}"
    run_kept(root, newest(root), report="risk_register", supersedes=place, reason="again")
    assert whats(verify(root)) == {f"{place}/SHA256SUMS": "missing"}


# --- one alteration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "what"),
    [
        (".html", "the page"), ("check.json", "the results"), (".ipynb", "the executed notebook"),
        ("findings.json", "the findings"), ("log.jsonl", "the log"), ("run.dsse.json", "the signed record"),
        ("run.json", "the record"), ("SHA256SUMS", "the"),
    ],
)  # fmt: skip
def test_a_file_of_a_run_is_told_as_what_it_is(root: Path, end: str, what: str) -> None:
    """Altered, emptied or removed, each file of a run is named alone, and as what it was to which run."""
    path = one(root, end)
    content = (root / path).read_bytes()
    for other in (bytes([content[0] ^ 1]) + content[1:], content + b" ", content[:-1], b"", None):
        rewrite(root / path, other) if other is not None else (root / path).unlink()
        told = means(verify(root))
        assert list(told) == [path]
        assert what in told[path]
        assert "run health_check 2026-09 HWY" in told[path]


def test_what_a_run_was_made_of_is_told_as_what_it_is(root: Path) -> None:
    """A parameter file and a source file are named with their path, though only a list names them."""
    place = next(iter(INPUTS))
    for content, what in ((INPUTS[place], f"parameter or notebook file {place}"), (b"pandas==3.1\n", "lock")):
        path = put(root, "", content).uri
        rewrite(root / path, content + b"#")
        assert f"it is {what} of run health_check 2026-09" in means(verify(root))[path]
        (root / path).unlink()
        assert whats(verify(root))[path] == "missing"


def test_files_that_changed_places_are_told(root: Path) -> None:
    """Pages of two runs that were swapped are both named, each with whose bytes it holds."""
    here, there = one(root, ".html"), one(root, ".html", of="ICT")
    first, second = (root / here).read_bytes(), (root / there).read_bytes()
    rewrite(root / here, second)
    rewrite(root / there, first)
    told = means(verify(root))
    assert set(told) == {here, there}
    assert there in told[here]
    assert here in told[there]


def test_extra_and_renamed_files_are_told(root: Path) -> None:
    """A file that the sums do not name is extra; one that was renamed is missing, and found where it is."""
    page = one(root, ".html")
    (root / page).rename(root / f"{page}.bak")
    rewrite(root / page.replace("health_check.html", "new.py"), b"import os")
    told = verify(root)
    assert whats(told) == {
        page: "missing", f"{page}.bak": "wrong name", page.replace("health_check.html", "new.py"): "extra file",
    }  # fmt: skip
    assert f"its bytes lie in {page}.bak" in means(told)[page]


@pytest.mark.parametrize("target", ["runs/2026-09/HWY/health_check-" + "a" * 16, "runs/2026-09/RED/{name}"])
def test_a_renamed_run_is_told(root: Path, target: str) -> None:
    """A run under other digits, or in another portfolio's folder, is named where it is and where it was."""
    place = one(root, "run.json").rpartition("/")[0]
    moved = target.format(name=place.rpartition("/")[2])
    (root / moved).parent.mkdir(parents=True, exist_ok=True)
    (root / place).rename(root / moved)
    found = whats(verify(root))
    assert found[f"{place}/SHA256SUMS"] == "missing"
    assert found[f"{moved}/SHA256SUMS"] == "wrong name"
    assert f"{moved}/run.json" in found


def test_a_removed_run_is_told_by_its_entry(root: Path) -> None:
    """A whole run that is gone is missing: the ledger entered it."""
    place = one(root, "run.json").rpartition("/")[0]
    shutil.rmtree(root / place)
    assert whats(verify(root))[f"{place}/SHA256SUMS"] == "missing"


def test_results_that_only_a_run_holds_must_lie_there(root: Path) -> None:
    """What a roll-up read of others lies in their runs or as objects; where it is in neither, it is missing."""
    lists = next(path for path in files_of(root) if b"HWY/health_check.json" in (root / path).read_bytes())
    lost = canonical_json({"2026-09/HWY/health_check.json": "e" * 64})
    of = [*made_of(root, newest(root)), put(root, "published", lost)]
    run_kept(root, newest(root), report="portfolio_rollup", portfolio="", dependencies=of, reason="again")
    told = means(verify(root))
    assert list(told) == [f"objects/sha256/ee/{'e' * 64}"]
    assert "others published" in told[f"objects/sha256/ee/{'e' * 64}"]
    assert lists.startswith("objects/")


# --- records and lists that lie -------------------------------------------------------------------------------


def made_anew(root: Path, change: Callable[[dict[str, Any]], None], *, key: SigningKey | None = None) -> str:
    """Keep a run whose record was changed before it was completed; return the record's path."""
    run = run_taken(root, newest(root), report="risk_register")
    folder = root.parent / "anew"
    (root / run.place).rename(folder)
    document = json.loads((folder / "run.json").read_bytes())
    change(document)
    name = complete(folder, statement=document, key=key)
    folder.rename(root / "runs" / "2026-09" / "HWY" / name)
    return f"runs/2026-09/HWY/{name}/run.json"


def build(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the dependencies of a record."""
    found: list[dict[str, Any]] = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["subject"].pop(),
        lambda document: document["subject"].append(document["subject"][0]),
        lambda document: document["subject"][0]["digest"].update(sha256="0" * 64),
        lambda document: build(document)[-1].update(uri="objects/sha256/../../etc/passwd"),
        lambda document: next(each for each in build(document) if each["name"] == "snapshot").update(uri="/etc/passwd"),
        lambda document: next(each for each in build(document) if each["name"] == "inputs").update(uri="https://x"),
        lambda document: document["predicate"]["runDetails"]["metadata"].update(pmo_signed_by="a" * 64),
        lambda document: document["predicate"]["runDetails"]["metadata"].update(pmo_supersedes="../../x"),
    ],
    ids=["too few", "twice", "other bytes", "outside", "no snapshot", "no list", "unsigned", "supersedes"],
)  # fmt: skip
def test_a_record_that_lies_is_told(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A record that agrees with its folder's name and sums, and not with the files or the archive, is named."""
    assert whats(verify(root)) == {}
    path = made_anew(root, change)
    assert whats(verify(root))[path] == "not ours"


def test_a_signature_that_the_record_does_not_know_is_told(root: Path, key: SigningKey) -> None:
    """A record that says it is unsigned, with a signature beside it, is named."""
    path = made_anew(root, lambda _: None, key=key)
    assert whats(verify(root))[path] == "not ours"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"[" * 100_000, b'{"a":' * 100_000, b'{"a": "b"}', canonical_json({"../../x": 5}), b"\xff",
     canonical_json({"x": "0" * 63})],
    ids=range(8),
)  # fmt: skip
@pytest.mark.parametrize("name", ["inputs", "published"])
def test_a_hostile_list_is_a_fault_and_no_crash(root: Path, name: str, content: bytes) -> None:
    """A list that is none is named as such, and nothing that it says is looked up."""
    plain = [each for each in made_of(root, newest(root)) if each.name != name]
    hostile = put(root, name, content)
    run_kept(root, newest(root), report="risk_register", dependencies=[*plain, hostile])
    assert hostile.uri in whats(verify(root))


@pytest.mark.parametrize("name", ["SHA256SUMS", "run.json", "run.dsse.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 200_000, b'{"a":' * 200_000, b"null", b"\xff\xfe", b"{}", b"0" * 64 + b"  ../../../etc/passwd\n"],
    ids=range(7),
)  # fmt: skip
def test_hostile_files_of_a_run_are_faults_and_no_crash(root: Path, name: str, content: bytes) -> None:
    """Sums, records and envelopes that nobody of ours wrote end nothing, and nothing that they name is opened."""
    path = one(root, name)
    rewrite(root / path, content)
    assert path in whats(verify(root))


def test_a_list_behind_a_link_is_not_read(root: Path, tmp_path: Path) -> None:
    """A folder of objects that was put elsewhere and linked is named; what lies behind the link is as good as gone."""
    listed = next(each.uri for each in made_of(root, newest(root)) if each.name == "inputs")
    folder = Path(listed).parent
    (root / folder).rename(tmp_path / "elsewhere")
    (root / folder).symlink_to(tmp_path / "elsewhere")
    verdict = verify(root)
    assert (whats(verdict)[str(folder)], whats(verdict)[listed]) == ("not a file", "missing")
    place = put(root, "", INPUTS["parameters/demo/organisation.yml"]).uri
    assert [notice.what for notice in verdict.notices if notice.file == place] == ["not referred to"]


def test_huge_files_of_a_run_are_named_and_not_read(root: Path) -> None:
    """Sums, a record and an envelope of a terabyte cost nothing."""
    for name in ("SHA256SUMS", "run.json"):
        path = root / one(root, name)
        path.chmod(0o644)
        with path.open("ab") as file:
            file.truncate(1 << 40)
    found = whats(verify(root))
    assert [found[one(root, name)] for name in ("SHA256SUMS", "run.json")] == ["too large", "too large"]


# --- signatures -----------------------------------------------------------------------------------------------


def test_without_a_key_signatures_are_counted(root: Path) -> None:
    """What is signed and not checked is told as not proven, and so is what is not signed."""
    assert (
        "4 of 4 entries and 3 of 3 run records are signed, and no signature was checked" in verify(root).not_proven[-1]
    )


def test_another_key_is_a_fault(root: Path, key_file: Path) -> None:
    """What is signed by a key that was not given is named: every entry, every run record, and the checkpoint."""
    other = read_trusted([key_file.with_name("other.pem.pub")])
    found = whats(verify(root, checkpoint=seen(root).signed(new_key(key_file.with_name("third.pem"))), trusted=other))
    signed = {path for path in files_of(root) if path.startswith("ledger/") or path.endswith("run.dsse.json")}
    assert set(found) == {*signed, "(checkpoint)"}


def stripped(root: Path, number: int) -> None:
    """Take the signature off the last entry."""
    path = root / entry_path(number)
    rewrite(path, canonical_json(json.loads(path.read_bytes()) | {"signature": None}))


def test_unsigned_among_signed_is_a_fault(root: Path, trusted: Trusted) -> None:
    """An entry without a signature after a signed one is named, where a key is given; without one it is counted."""
    stripped(root, 4)
    assert verify(root).clean
    assert whats(verify(root, trusted=trusted)) == {entry_path(4): "unsigned"}


def test_entries_from_before_there_was_a_key_are_a_notice(tmp_path: Path, key: SigningKey, trusted: Trusted) -> None:
    """Unsigned entries before the first signed one are told, and vouched for by it; with none signed it is a fault."""
    root = tmp_path / "demo" / "archive"
    snapshot_kept(root, "2026-08")
    snapshot_kept(root, "2026-09")
    assert whats(verify(root, trusted=trusted)) == {entry_path(2): "unsigned"}
    snapshot_kept(root, "2026-10", key=key)
    verdict = verify(root, trusted=trusted)
    assert verdict.clean
    assert [(notice.file, notice.what) for notice in verdict.notices] == [(entry_path(1), "unsigned")]
    assert "1 of 3 entries" in verdict.not_proven[-1]


def test_an_entry_with_other_words_is_not_signed(root: Path, trusted: Trusted) -> None:
    """A signature is over all of an entry: of the last one too, which nothing else vouches for."""
    path = root / entry_path(4)
    rewrite(path, canonical_json(json.loads(path.read_bytes()) | {"operator": "eve"}))
    assert verify(root).clean
    assert list(whats(verify(root, trusted=trusted))) == [entry_path(4)]


@pytest.mark.parametrize("change", ["payload", "type", "none", "twice", "keyid"])
def test_an_envelope_that_signs_something_else_is_told(root: Path, key: SigningKey, change: str) -> None:
    """An envelope signs the record beside it, as such, once, by the key that the record names: known without a key."""
    run = run_taken(root, newest(root), report="risk_register", key=key)
    envelope = root / run.place / "run.dsse.json"
    document = json.loads(envelope.read_bytes())
    signature = document["signatures"][0]
    document |= {
        "payload": {"payload": base64.b64encode(b"{}").decode()}, "type": {"payloadType": "text/plain"},
        "none": {"signatures": []}, "twice": {"signatures": [signature, signature]},
        "keyid": {"signatures": [signature | {"keyid": "0" * 64}]},
    }[change]  # fmt: skip
    rewrite(envelope, canonical_json(document))
    sums = run.sums | {"run.dsse.json": digest_of(envelope.read_bytes())}
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    rewrite(root / run.place / "SHA256SUMS", lines.encode())
    enter(Ledger(root, "eve", key), taken="", at=AT)
    assert whats(verify(root)) == {f"{run.place}/run.dsse.json": "not signed as it says"}


def pmo(*words: object, root: Path) -> Result:
    """Run a command on the archive."""
    return CliRunner().invoke(commands, [str(word) for word in words], env={"PMO_OUTPUTS": str(root.parents[1])})


def test_the_commands_make_a_key_and_check_by_it(root: Path, key_file: Path, tmp_path: Path) -> None:
    """`verify --key` passes with the right key and fails with another; a key is never written over."""
    right, other = f"{key_file}.pub", key_file.with_name("other.pem.pub")
    assert pmo("verify", "--key", other, "--key", right, root=root).exit_code == 0
    assert pmo("verify", "--key", other, root=root).exit_code == 1
    made = tmp_path / "made.pem"
    assert pmo("archive", "key", made, root=root).exit_code == 0
    assert made.stat().st_mode & 0o077 == 0
    assert isinstance(pmo("archive", "key", made, root=root).exception, ParameterError)
    assert isinstance(pmo("verify", "--key", made, root=root).exception, ParameterError)


def test_the_sums_check_a_run_without_us(root: Path) -> None:
    """SHA256SUMS has the form that sha256sum -c reads: every other file of the run, by its plain name."""
    place = root / one(root, "run.json").rpartition("/")[0]
    lines = (place / "SHA256SUMS").read_text().splitlines()
    read = dict(reversed(line.split("  ")) for line in lines)
    assert read == {path.name: digest_of(path.read_bytes()) for path in place.iterdir() if path.name != "SHA256SUMS"}
    assert set(run_files("health_check", says="")) < set(read)
    assert Store(root / "objects").has(put(root, "", b"{}").sha256)
