"""The archive: every alteration is found, named and explained; nothing that is whole is called altered."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings, strategies as st
from kept_runs import AT, copied, files_of, rewrite, seen, snapshot_kept, taken

from pmo_lib.archive import Checkpoint, Ledger, Verdict, checkpoint_of, enter, read_checkpoint, verify
from pmo_lib.archive.checkpoints import keep_checkpoint
from pmo_lib.archive.ledger import entry_path
from pmo_lib.cli import commands
from pmo_lib.errors import ParameterError, StoreError
from pmo_lib.snapshots import Archive
from pmo_lib.store import canonical_json, digest_of, write_once


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of three snapshots, the last of which corrects the second."""
    root = tmp_path_factory.mktemp("sound") / "demo" / "archive"
    snapshot_kept(root, "2026-08")
    snapshot_kept(root, "2026-09")
    snapshot_kept(root, "2026-09", cost="2000.10", reason="a digit was lost")
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be altered."""
    return copied(sound, tmp_path / "demo" / "archive")


def whats(verdict: Verdict) -> dict[str, str]:
    """Return the fault of each file."""
    return {fault.file: fault.what for fault in verdict.faults}


def mended(root: Path, number: int, **fields: Any) -> bytes:
    """Write an entry anew with other fields, and return its bytes."""
    path = root / entry_path(number)
    content = canonical_json(json.loads(path.read_bytes()) | fields)
    rewrite(path, content)
    return content


# --- the ledger -----------------------------------------------------------------------------------------------


def test_entries_follow_each_other(sound: Path) -> None:
    """Each entry has the sha256 of the bytes of the one before, and of the manifest that it enters."""
    contents = [(sound / entry_path(number)).read_bytes() for number in (1, 2, 3)]
    entries = [json.loads(content) for content in contents]
    assert [entry["sequence"] for entry in entries] == [1, 2, 3]
    assert [entry["previous"] for entry in entries] == [None, *map(digest_of, contents[:2])]
    for entry in entries:
        assert digest_of((sound / entry["reference"]["path"]).read_bytes()) == entry["reference"]["sha256"]
    first, second = entries[1]["reference"]["sha256"], entries[2]
    assert second["about"] == {"period": "2026-09", "supersedes": first, "reason": "a digit was lost"}
    assert (second["kind"], second["at"], second["operator"], second["signature"]) == ("snapshot", AT, "jo", None)
    assert not (sound / entry_path(3)).stat().st_mode & 0o222


def test_the_same_return_is_entered_once(root: Path) -> None:
    """Taking what is there makes no second entry."""
    snapshot = taken(root, "2026-08")
    assert enter(Ledger(root, "jo"), taken=snapshot.id, at=AT) == []
    assert verify(root).clean


def test_what_a_crash_left_without_an_entry_is_adopted(root: Path) -> None:
    """A snapshot whose ingest was cut off before its entry is told, and adopted by the next ingest, in order."""
    lost = [taken(root, "2026-10"), taken(root, "2026-10", cost="3.00", reason="again")]
    verdict = verify(root)
    assert whats(verdict) == {f"snapshots/2026-10/{one.id}.json": "not in the ledger" for one in lost}
    snapshot = taken(root, "2026-11")
    made = enter(Ledger(root, "jo"), taken=snapshot.id, at=AT)
    assert [(entry.kind, entry.sha256) for entry in made] == [
        ("adopted", lost[0].id), ("adopted", lost[1].id), ("snapshot", snapshot.id),
    ]  # fmt: skip
    verdict = verify(root)
    assert verdict.clean
    assert [notice.what for notice in verdict.notices if notice.file == entry_path(4)] == ["adopted"]


def test_an_archive_from_before_the_ledger_is_taken_up(root: Path) -> None:
    """Without a ledger nothing is called whole; the next ingest adopts all, what is superseded first."""
    shutil.rmtree(root / "ledger")
    assert set(whats(verify(root)).values()) == {"not in the ledger"}
    with pytest.raises(StoreError, match="nothing to vouch for"):
        seen(root)
    snapshot = taken(root, "2026-10")
    made = enter(Ledger(root, "jo"), taken=snapshot.id, at=AT)
    assert [entry.kind for entry in made] == ["adopted", "adopted", "adopted", "snapshot"]
    assert [entry.about["reason"] for entry in made] == ["", "", "a digit was lost", ""]
    assert verify(root).clean


def test_nothing_is_entered_after_a_broken_ledger(root: Path) -> None:
    """A ledger that is not whole is not gone on with: neither an entry nor a checkpoint would mean anything."""
    mended(root, 2, operator="eve")
    snapshot = taken(root, "2026-10")
    with pytest.raises(StoreError, match=r"000003.json: it does not follow .* pmo verify"):
        enter(Ledger(root, "jo"), taken=snapshot.id, at=AT)
    with pytest.raises(StoreError, match="000003"):
        seen(root)


def test_an_altered_snapshot_is_not_adopted(root: Path) -> None:
    """What does not have the bytes of its name is not entered."""
    lost = taken(root, "2026-10")
    path = root / "snapshots" / "2026-10" / f"{lost.id}.json"
    rewrite(path, path.read_bytes().replace(b"demo", b"domo"))
    with pytest.raises(StoreError, match="was altered or moved"):
        enter(Ledger(root, "jo"), taken="", at=AT)


def test_a_number_is_given_once(root: Path) -> None:
    """A file that must be written once is never written over, and leaves nothing beside it."""
    before = sorted((root / "ledger").iterdir())
    with pytest.raises(FileExistsError):
        write_once(root / entry_path(3), content=b"{}")
    assert sorted((root / "ledger").iterdir()) == before
    assert verify(root).clean


def _write(root: Path, periods: tuple[str, ...], start: Any) -> None:
    start.wait()
    for period in periods:
        snapshot_kept(root, period)


def test_two_writers_make_one_row_of_entries(root: Path) -> None:
    """Two processes that ingest at once enter every snapshot once, one after the other."""
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(2)
    odd, even = ("2027-01", "2027-03", "2027-05"), ("2027-02", "2027-04", "2027-06")
    writers = [fork.Process(target=_write, args=(root, periods, start)) for periods in (odd, even)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    verdict = verify(root)
    assert (verdict.faults, verdict.counts["entries"], verdict.counts["snapshots"]) == ((), 9, 9)


# --- what is whole --------------------------------------------------------------------------------------------


def test_a_sound_archive_has_no_fault(root: Path) -> None:
    """What was never altered is called whole, with and without a checkpoint, an old one too, with any threads."""
    old = Checkpoint("demo", 2, digest_of((root / entry_path(2)).read_bytes()), AT)
    for checkpoint in (None, seen(root), old):
        for threads in (1, 4):
            verdict = verify(root, checkpoint=checkpoint, threads=threads)
            assert (verdict.faults, verdict.notices) == ((), ())
    assert verdict.counts["entries"] == verdict.counts["snapshots"] == 3
    assert verdict.counts["bytes"] == sum((root / path).stat().st_size for path in files_of(root))
    assert "nothing after entry 2" in verdict.not_proven[0]


def test_what_may_be_is_a_notice(root: Path) -> None:
    """Lost permissions, an object that a refused ingest left, and a write that was cut off alter nothing."""
    assert verify(root).notices == ()
    victim = files_of(root)[0]
    (root / victim).chmod(0o644)
    orphan = Archive(root).store.put(b"put before the return was refused")
    part = f"ledger/.{Path(entry_path(4)).name}.abcd1234.part"
    (root / part).write_bytes(b'{"schema"')
    verdict = verify(root)
    assert verdict.clean
    assert {notice.file: notice.what for notice in verdict.notices} == {
        victim: "not read-only",
        f"objects/sha256/{orphan[:2]}/{orphan}": "not referred to",
        part: "cut off",
    }


def test_runs_are_not_sealed(root: Path) -> None:
    """Logs of runs grow and are not evidence: they are not read, and the verdict says so."""
    rewrite(root / "batches" / "2026-09" / "0001" / "log.jsonl", b"anything")
    verdict = verify(root)
    assert verdict.clean
    assert any(each.startswith("batches/") for each in verdict.not_proven)


# --- one alteration -------------------------------------------------------------------------------------------

Alter = Callable[[Path, str, st.DataObject], list[str]]


def flip(root: Path, victim: str, data: st.DataObject) -> list[str]:
    """Flip one bit."""
    content = bytearray((root / victim).read_bytes())
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    content[place // 8] ^= 1 << place % 8
    rewrite(root / victim, bytes(content))
    return [victim]


def truncate(root: Path, victim: str, data: st.DataObject) -> list[str]:
    """Cut bytes off the end."""
    content = (root / victim).read_bytes()
    rewrite(root / victim, content[: data.draw(st.integers(0, len(content) - 1))])
    return [victim]


def append(root: Path, victim: str, data: st.DataObject) -> list[str]:
    """Add bytes, blanks among them."""
    content = (root / victim).read_bytes()
    rewrite(root / victim, content + data.draw(st.sampled_from((b" ", b"\n", b"\0", b"{}"))))
    return [victim]


def delete(root: Path, victim: str, _: st.DataObject) -> list[str]:
    """Remove a file."""
    (root / victim).unlink()
    return [victim]


def swap(root: Path, victim: str, data: st.DataObject) -> list[str]:
    """Let two files change places."""
    other = data.draw(st.sampled_from([path for path in files_of(root) if path != victim]))
    first, second = (root / victim).read_bytes(), (root / other).read_bytes()
    rewrite(root / victim, second)
    rewrite(root / other, first)
    return [victim, other]


def rename(root: Path, victim: str, data: st.DataObject) -> list[str]:
    """Move a file to another name, which may be one of ours."""
    folder, name = victim.rsplit("/", 1)
    names = [f"{folder}/{name}.bak", f"{folder}/a{name[1:]}b", name, f"{folder}/.{name}", f"snapshots/2026-08/{name}",
             entry_path(4), f"objects/sha256/00/00{'1' * 62}", f"snapshots/2026-10/{'e' * 64}.json"]  # fmt: skip
    target = data.draw(st.sampled_from([path for path in names if path != victim]))
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / victim).rename(root / target)
    return [victim, target]


def replaced_by(kind: str) -> Alter:
    """Put something else than a file in its place."""

    def replace(root: Path, victim: str, _: st.DataObject) -> list[str]:
        path = root / victim
        moved = root.parent / "moved"
        path.replace(moved)
        if kind == "link":
            path.symlink_to(moved)
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
        return [victim]

    return replace


def add(root: Path, victim: str, data: st.DataObject) -> list[str]:
    """Add a file, with the bytes of another or with none."""
    names = ["new.py", "objects/x", "snapshots/2026-09/readme", "ledger/1.json", "ledger/0000004.json", entry_path(4),
             "ledger/head", "runs/x/y", f"snapshots/2026-09/{'0' * 64}.json", "a\nb", "objects/é\x1b[2J"]  # fmt: skip
    name = data.draw(st.sampled_from(names))
    rewrite(root / name, data.draw(st.sampled_from((b"", (root / victim).read_bytes()))))
    return [name.encode("unicode_escape").decode().replace("\\xe9", "é")]


ALTERATIONS: tuple[Alter, ...] = (
    flip, truncate, append, delete, swap, rename, replaced_by("link"), replaced_by("pipe"), replaced_by("folder"), add,
)  # fmt: skip


@pytest.mark.parametrize("alter", ALTERATIONS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_alteration_is_found_and_named(alter: Alter, data: st.DataObject, sound: Path, tmp_path: Path) -> None:
    """Whatever is done to any one file, the verdict names that file and says what it means, on one plain line."""
    root = copied(sound, tmp_path / "demo" / "archive")
    victim = data.draw(st.sampled_from(files_of(root)))
    touched = alter(root, victim, data)
    verdict = verify(root, checkpoint=seen(sound))
    assert not verdict.clean
    told = [f"{fault.file} {fault.means}" for fault in verdict.faults]
    assert [path for path in touched if not any(path in line for line in told)] == []
    assert all(line.isprintable() and fault.what for line, fault in zip(told, verdict.faults, strict=True))
    json.dumps(verdict.document())


def test_faults_are_explained(root: Path) -> None:
    """A file that moved is followed to where it is, and an object is told with what it was to whom."""
    store = Archive(root).store
    snapshot = taken(root, "2026-08")
    tables = {name: store.path(entry["sha256"]) for name, entry in snapshot.manifest["tables"].items()}
    tables["projects"].rename(root / "projects.parquet")
    content = tables["status"].read_bytes()
    rewrite(tables["status"], content[:100])
    verdict = verify(root)
    means = {fault.file: fault.means for fault in verdict.faults}
    place = {name: path.relative_to(root).as_posix() for name, path in tables.items()}
    assert f"table projects of snapshot 2026-08 {snapshot.id[:12]}" in means[place["projects"]]
    assert "its bytes lie in projects.parquet" in means[place["projects"]]
    assert place["projects"] in means["projects.parquet"]
    assert f"should have {len(content):,} bytes; it has 100" in means[place["status"]]
    assert whats(verdict)[place["status"]] == "torn"


# --- attacks on the ledger ------------------------------------------------------------------------------------


def without_the_last(root: Path) -> None:
    """Remove the last entry and all that only it speaks of."""
    entry = json.loads((root / entry_path(3)).read_bytes())
    (root / entry_path(3)).unlink()
    (root / entry["reference"]["path"]).unlink()
    for notice in verify(root).notices:
        assert notice.what == "not referred to"
        (root / notice.file).unlink()


def test_a_cut_tail_is_found_with_the_checkpoint_alone(root: Path) -> None:
    """A ledger whose end was cut off with all that belongs to it looks whole; only the checkpoint shows it."""
    checkpoint = seen(root)
    without_the_last(root)
    verdict = verify(root)
    assert (verdict.clean, verdict.notices) == (True, ())
    assert "nothing was cut off the end of the ledger" in verdict.not_proven[0]
    assert whats(verify(root, checkpoint=checkpoint)) == {entry_path(3): "truncated"}
    with pytest.raises(StoreError, match="does not go on from entry 3"):
        checkpoint_of(root, organisation="demo", at=AT, before=checkpoint)


def test_a_ledger_written_anew_is_found_with_the_checkpoint_alone(root: Path) -> None:
    """A whole ledger that was forged follows its own rules; only the checkpoint shows that it is another."""
    checkpoint = seen(root)
    shutil.rmtree(root / "ledger")
    enter(Ledger(root, "eve"), taken="", at=AT)
    verdict = verify(root)
    assert verdict.clean
    assert "written anew as a whole" in verdict.not_proven[0]
    assert whats(verify(root, checkpoint=checkpoint)) == {entry_path(3): "replaced"}


def test_a_forked_ledger_is_found(root: Path) -> None:
    """An entry with other words, and the next one made to follow it, is found by the checkpoint of either."""
    old = Checkpoint("demo", 2, digest_of((root / entry_path(2)).read_bytes()), AT)
    new = seen(root)
    forged = mended(root, 2, operator="eve")
    assert whats(verify(root)) == {entry_path(2): "replaced"}  # entry 3 still follows the first one
    mended(root, 3, previous=digest_of(forged))
    assert verify(root).clean
    assert whats(verify(root, checkpoint=old)) == {entry_path(2): "replaced"}
    assert whats(verify(root, checkpoint=new)) == {entry_path(3): "replaced"}


def test_entries_in_another_order_are_found(root: Path) -> None:
    """Entries that changed places are named, each with the number that it has."""
    contents = [(root / entry_path(number)).read_bytes() for number in (2, 3)]
    rewrite(root / entry_path(2), contents[1])
    rewrite(root / entry_path(3), contents[0])
    verdict = verify(root)
    assert whats(verdict) == {entry_path(2): "reordered", entry_path(3): "reordered"}
    assert "entry 3 under the name of 2" in verdict.faults[0].means


def test_a_removed_and_a_replayed_entry_are_found(root: Path) -> None:
    """A gap is named by its numbers; a snapshot that is entered twice by the second entry."""
    mended(root, 3, reference=json.loads((root / entry_path(1)).read_bytes())["reference"])
    assert whats(verify(root))[entry_path(3)] == "replayed"
    (root / entry_path(2)).unlink()
    gone = {fault.file: fault.means for fault in verify(root).faults}[entry_path(2)]
    assert "entry 2 removed or renamed" in gone


@pytest.mark.parametrize(
    "fields",
    [
        {"about": {"period": "2026-09", "supersedes": None, "reason": "a digit was lost"}},
        {"about": {"period": "2026-09", "reason": "another"}},
        {"reference": {"path": "../../etc/passwd", "sha256": "0" * 64}},
        {"reference": {"path": "/etc/passwd", "sha256": "0" * 64}},
        {"reference": {"path": "snapshots/2026-09/" + "0" * 64 + ".json", "sha256": "1" * 64}},
        {"kind": 5}, {"sequence": True}, {"sequence": 3.0}, {"signature": "x"}, {"host": "h"},
        {"schema": "pmo-ledger/2"},
    ],
    ids=str,
)  # fmt: skip
def test_a_last_entry_that_lies_is_found_without_a_checkpoint(root: Path, fields: dict[str, Any]) -> None:
    """What the last entry says of its snapshot is held against the manifest; its form against that of the ledger."""
    mended(root, 3, **fields)
    assert whats(verify(root))[entry_path(3)] == "altered"


# --- hostile data ---------------------------------------------------------------------------------------------


def planted(root: Path, content: bytes, *, period: str = "2026-09") -> str:
    """Add a manifest that has the name of its bytes."""
    path = f"snapshots/{period}/{digest_of(content)}.json"
    rewrite(root / path, content)
    return path


def body(**fields: Any) -> bytes:
    """Return a manifest without any objects."""
    plain = {"period": "2026-09", "sources": [], "tables": {}, "intake": {}, "previous": None, "supersedes": None}
    return canonical_json(plain | fields)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b"[]",
        b"null",
        b'{"period":"2026-09","period":"2026-09"}',
        b'{"period": NaN}',
        b"\xff\xfe{}",
        b'{"reason":"\\ud800"}',
        b"9" * 100_000,
        body(period="2026-10"),
        body(tables=[]),
        body(tables={"risks": {"sha256": "../../../etc/passwd"}}),
        body(tables={"ri\nsks": {"sha256": "f" * 64, "size": -1}}),
        body(intake={"cells": None}),
        body(sources=[{"sha256": ["0" * 64]}]),
        body(supersedes="../x"),
        body(previous={"period": "../..", "id": "0" * 64}),
        body(previous="2026-08"),
        body(previous={"period": "2026-07", "id": "0" * 64}),
    ],
    ids=lambda content: content[:40],
)
def test_a_hostile_manifest_is_a_fault_and_no_crash(root: Path, content: bytes) -> None:
    """A manifest that no snapshot wrote ends nothing: it is named, and nothing that it names is opened."""
    path = planted(root, content)
    verdict = verify(root)
    assert path in whats(verdict)
    assert all(f"{fault.file}{fault.means}".isprintable() for fault in verdict.faults)


def test_huge_files_are_named_and_not_read(root: Path) -> None:
    """A manifest, an entry or a stranger of a terabyte costs nothing, and an object's true size is known beforehand."""
    source = taken(root, "2026-08").manifest["sources"][0]["sha256"]
    names = [f"snapshots/2026-09/{'0' * 64}.json", entry_path(4), "big", f"objects/sha256/{source[:2]}/{source}"]
    for name in names:
        (root / name).chmod(0o644) if (root / name).exists() else None
        with (root / name).open("ab") as file:
            file.truncate(1 << 40)
    found = whats(verify(root))
    assert [found[name] for name in names] == ["too large", "too large", "extra file", "altered"]


def test_links_and_pipes_are_not_followed(root: Path, tmp_path: Path) -> None:
    """Links to files, folders and the archive itself, pipes and deep folders are named, and nothing hangs."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (root / "runs").symlink_to(outside)
    (root / "snapshots" / "2026-07").symlink_to(root / "snapshots" / "2026-08")
    (root / "objects" / "loop").symlink_to(root)
    os.mkfifo(root / "ledger" / "000004.json")
    deep = root / "/".join("d" * 30)
    deep.mkdir(parents=True)
    verdict = verify(root)
    found = whats(verdict)
    for name in ("runs", "snapshots/2026-07", "objects/loop", "ledger/000004.json"):
        assert found[name] == "not a file"
    assert not any("secret" in fault.file for fault in verdict.faults)


def test_a_ledger_of_absurd_numbers_ends(root: Path) -> None:
    """A number far away is one gap, not a walk through all numbers before it."""
    rewrite(root / f"ledger/{10**18 - 1}.json", (root / entry_path(3)).read_bytes())
    found = {fault.file: fault.means for fault in verify(root).faults}
    assert f"entries 4 to {10**18 - 2}" in found[entry_path(4)]


# --- the commands ---------------------------------------------------------------------------------------------


def pmo(*words: object, root: Path) -> Result:
    """Run a command on the archive."""
    return CliRunner().invoke(commands, [str(word) for word in words], env={"PMO_OUTPUTS": str(root.parents[1])})


def test_verify_tells_and_sets_the_exit_code(root: Path, tmp_path: Path) -> None:
    """0 and the head for an archive that is whole, 1 and the file for one that is not; JSON says the same."""
    out = tmp_path / "seen.json"
    assert pmo("checkpoint", out, root=root).exit_code == 0
    told = json.loads(out.read_bytes())
    assert (told["sequence"], told["head"]) == (3, digest_of((root / entry_path(3)).read_bytes()))
    assert told["counts"] == {"objects": len(list(root.glob("objects/*/*/*"))), "snapshots": 3, "runs": 0}
    whole = pmo("verify", "--checkpoint", out, root=root)
    assert whole.exit_code == 0, whole.output
    assert "3 snapshots, 0 runs, 3 entries" in whole.output
    assert seen(root).head in whole.output
    victim = files_of(root)[-1]
    (root / victim).unlink()
    broken = pmo("verify", "--json", root=root)
    document = json.loads(broken.output)
    assert (broken.exit_code, document["clean"]) == (1, False)
    assert victim in [finding["file"] for finding in document["findings"]]
    assert f"missing: {victim}" in pmo("verify", root=root).output


def test_a_checkpoint_is_kept_outside_and_never_turned_back(root: Path, tmp_path: Path) -> None:
    """A checkpoint inside the archive is refused, and one that the ledger does not go on from is not written over."""
    out = tmp_path / "seen.json"
    assert isinstance(pmo("checkpoint", root / "seen.json", root=root).exception, ParameterError)
    assert pmo("checkpoint", out, root=root).exit_code == 0
    snapshot_kept(root, "2026-10")
    assert pmo("checkpoint", out, root=root).exit_code == 0
    newest = out.read_bytes()
    assert json.loads(newest)["sequence"] == 4
    (root / entry_path(4)).unlink()
    assert isinstance(pmo("checkpoint", out, root=root).exception, StoreError)
    assert out.read_bytes() == newest


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 99_999, b'{"schema":"pmo-checkpoint/1"}'], ids=range(4))
def test_what_is_no_checkpoint_is_refused(root: Path, tmp_path: Path, content: bytes) -> None:
    """A file that is no checkpoint, or that of another organisation, is an error of the command, not a finding."""
    out = tmp_path / "seen.json"
    out.write_bytes(content)
    assert isinstance(pmo("verify", "--checkpoint", out, root=root).exception, ParameterError)
    out.write_bytes(Checkpoint("other", 1, "0" * 64, AT).content())
    with pytest.raises(ParameterError, match="it is that of other, not of demo"):
        read_checkpoint(out, organisation="demo")


def test_no_archive_is_an_error(tmp_path: Path) -> None:
    """An organisation without an archive is not called whole."""
    with pytest.raises(StoreError, match="no archive"):
        verify(tmp_path / "none" / "archive")


class TestKeptCheckpoints:
    """The copies of checkpoints that lie in the archive."""

    def test_a_copy_of_each_is_kept_and_verified(self, root: Path) -> None:
        """A copy lies under its number and digest; a sound archive with copies is sound."""
        first = keep_checkpoint(root, made=seen(root))
        snapshot_kept(root, "2026-10")
        second = keep_checkpoint(root, made=seen(root))
        assert sorted(path.relative_to(root).as_posix() for path in root.glob("checkpoints/*")) == [first, second]
        assert keep_checkpoint(root, made=seen(root)) == second
        assert verify(root).faults == ()

    def test_an_altered_copy_is_named(self, root: Path) -> None:
        """Every flipped byte of a copy is found in its own file."""
        path = root / keep_checkpoint(root, made=seen(root))
        content = path.read_bytes()
        for place in range(0, len(content), 7):
            rewrite(path, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert list(whats(verify(root))) == [path.relative_to(root).as_posix()]

    def test_a_copy_that_saw_another_ledger_is_told(self, root: Path) -> None:
        """Where the end of the ledger was cut off, the copy that saw it says so."""
        path = keep_checkpoint(root, made=seen(root))
        (root / entry_path(3)).unlink()
        assert whats(verify(root))[path] == "replaced"
