"""Attacks on a small, signed archive, which must be found; many sound archives, which must not be called altered."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from kept_runs import (
    AT,
    copied,
    files_of,
    made_of,
    put,
    rewrite,
    run_kept,
    run_taken,
    seen,
    snapshot_kept,
    taken,
)  # fmt: skip

from pmo_lib.archive import (
    Checkpoint,
    Disposal,
    Ledger,
    SigningKey,
    Trusted,
    Verdict,
    enter,
    enter_run,
    expire,
    new_key,
    read_trusted,
    verify,
)  # fmt: skip
from pmo_lib.archive.ledger import LOCK, entry_path
from pmo_lib.archive.runs import complete
from pmo_lib.snapshots import Archive, open_snapshot
from pmo_lib.store import Store, canonical_json, digest_of

T = TypeVar("T")
OBJECT = re.compile(r"objects/sha256/(..)/(\1.{62})")
LEFTOVER = re.compile(
    r"(?:objects/sha256/(..)/\.\1[0-9a-f]{62}|snapshots/[0-9]{4}-[0-9]{2}/\.[0-9a-f]{64}\.json"
    r"|ledger/\.[0-9]{6}\.json)\.[a-z0-9_]{8}\.part"
)


@dataclass(frozen=True)
class Small:
    """A small archive with all that proves it: a checkpoint kept outside and a public key."""

    root: Path
    checkpoint: Checkpoint
    trusted: Trusted
    key: SigningKey = field(repr=False)

    def verdict(self, root: Path) -> Verdict:
        """Verify an archive that should be this one."""
        return verify(root, checkpoint=self.checkpoint, trusted=self.trusted, threads=1)


def small(folder: Path) -> Small:
    """Make a signed archive of two periods with a run each, and a raw return that expired; less than 100 KB."""
    key, root = new_key(folder / "key.pem"), folder / "demo" / "archive"
    run_kept(root, snapshot_kept(root, "2026-08", key=key), key=key)
    last = snapshot_kept(root, "2026-09", key=key)
    expire(Ledger(root, "jo", key), rule=Disposal("2026-09", ("returns",), "Act 7", "ann"), at=AT)
    run_kept(root, last, key=key)
    return Small(root, seen(root).signed(key), read_trusted([folder / "key.pem.pub"]), key)


def forked(work: Callable[[tuple[T, int, int]], Counter[str]], what: T, *, workers: int) -> Counter[str]:
    """Do the same work in some processes, each told its number and how many there are; return all counts as one."""
    context = multiprocessing.get_context("fork")
    done: Any = context.SimpleQueue()

    def one(number: int) -> None:
        try:
            done.put(work((what, number, workers)))
        except BaseException:
            done.put(traceback.format_exc())
            raise

    processes = [context.Process(target=one, args=(number,)) for number in range(workers)]
    for process in processes:
        process.start()
    counts = [done.get() for _ in processes]
    for process in processes:
        process.join()
    crashes = [each for each in counts if isinstance(each, str)]
    assert not crashes, "\n".join(crashes)
    return sum(counts, Counter[str]())


# --- every byte -----------------------------------------------------------------------------------------------


def flipped(of: tuple[tuple[Small, Path, int], int, int]) -> Counter[str]:
    """Flip one bit of every ``step``-th byte of all files, one at a time, and count what is found and named.

    Where one file is named and no other it is counted as ``alone``.
    """
    (sound, folder, step), number, workers = of
    root = copied(sound.root, folder / f"flipped{number}" / "archive")
    count: Counter[str] = Counter()
    place = -1
    for path in files_of(root):
        (root / path).chmod(0o644)
        content = (root / path).read_bytes()
        for at in range(len(content)):
            place += 1
            if place % step == 0 and place // step % workers == number:
                altered = content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
                (root / path).write_bytes(altered)
                named = [fault.file for fault in sound.verdict(root).faults]
                count += Counter(flips=1, found=bool(named), named=path in named, alone=named == [path])
        (root / path).write_bytes(content)
    return count


# --- ten attacks ----------------------------------------------------------------------------------------------


def _run(root: Path, period: str) -> str:
    return next(path.rpartition("/")[0] for path in files_of(root) if path.startswith(f"runs/{period}/"))


def delete(sound: Small, root: Path) -> list[str]:
    """Remove the page of a run."""
    path = f"{_run(root, '2026-09')}/health_check.html"
    (root / path).unlink()
    return [path]


def swap(sound: Small, root: Path) -> list[str]:
    """Let the pages of two periods change places."""
    paths = [f"{_run(root, period)}/health_check.html" for period in ("2026-08", "2026-09")]
    contents = [(root / path).read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        rewrite(root / path, content)
    return paths


def truncate(sound: Small, root: Path) -> list[str]:
    """Cut the last entry off the ledger, with the run that it entered."""
    last = sound.checkpoint.sequence
    shutil.rmtree(root / _run(root, "2026-09"))
    shutil.rmtree(root / "runs" / "2026-09")
    (root / entry_path(last)).unlink()
    return [entry_path(last)]


def fork(sound: Small, root: Path) -> list[str]:
    """Write an entry with other words, and let all later ones follow it."""
    previous = None
    for number in range(2, sound.checkpoint.sequence + 1):
        document = json.loads((root / entry_path(number)).read_bytes())
        document |= {"operator": "eve"} if number == 2 else {"previous": previous}
        content = canonical_json(document)
        previous = digest_of(content)
        rewrite(root / entry_path(number), content)
    return [entry_path(sound.checkpoint.sequence)]


def replay(sound: Small, root: Path) -> list[str]:
    """Put an old copy of the archive in its place: everything after its second entry was never there."""
    last = sound.checkpoint.sequence
    snapshot = json.loads((root / entry_path(3)).read_bytes())["reference"]["path"]
    for number in range(3, last + 1):
        (root / entry_path(number)).unlink()
    (root / snapshot).unlink()
    shutil.rmtree(root / "runs" / "2026-09")
    source = open_snapshot(Archive(sound.root), period="2026-08").manifest["sources"][0]["sha256"]
    rewrite(root / f"objects/sha256/{source[:2]}/{source}", b"2026-08 1000.10" * 9)
    return [entry_path(last)]


def _other_page(sound: Small, root: Path, *, key: SigningKey | None) -> str:
    """Make the last run anew with another page, and its entry to fit, signed by a key; return the entry."""
    place = _run(root, "2026-09")
    folder = root.parent / "forged"
    shutil.copytree(root / place, folder)
    shutil.rmtree(root / "runs" / "2026-09")
    page = b"<!doctype html><p>all is well</p>"
    rewrite(folder / "health_check.html", page)
    document = json.loads((folder / "run.json").read_bytes())
    for subject in document["subject"]:
        if subject["name"] == "health_check.html":
            subject["digest"]["sha256"] = digest_of(page)
    document["predicate"]["runDetails"]["metadata"]["pmo_signed_by"] = key.keyid if key else None
    name = complete(folder, statement=document, key=key)
    target = root / "runs" / "2026-09" / "HWY" / name
    target.parent.mkdir(parents=True)
    folder.rename(target)
    last = root / entry_path(sound.checkpoint.sequence)
    entry = json.loads(last.read_bytes())
    last.unlink()
    ledger = Ledger(root, entry["operator"], key)
    with ledger.held():
        sums = f"{target.relative_to(root).as_posix()}/SHA256SUMS"
        ledger.append("run", path=sums, sha256=digest_of((root / sums).read_bytes()), about=entry["about"], at=AT)
    return entry_path(sound.checkpoint.sequence)


def forge(sound: Small, root: Path) -> list[str]:
    """Publish another page in place of a run's, with record, sums and entry to fit, without the key."""
    return [_other_page(sound, root, key=None)]


def forge_with_the_key(sound: Small, root: Path) -> list[str]:
    """Do the same with a stolen key."""
    return [_other_page(sound, root, key=sound.key)]


def rename(sound: Small, root: Path) -> list[str]:
    """Give a table another name."""
    digest = open_snapshot(Archive(root), period="2026-09").manifest["tables"]["status"]["sha256"]
    path, other = f"objects/sha256/{digest[:2]}/{digest}", f"objects/sha256/{digest[:2]}/{digest[:2]}{'0' * 62}"
    (root / path).rename(root / other)
    return [path, other]


def symlink(sound: Small, root: Path) -> list[str]:
    """Put a link to the same bytes outside in place of a record."""
    path = root / _run(root, "2026-09") / "run.json"
    outside = root.parent / "outside.json"
    path.rename(outside)
    path.symlink_to(outside)
    return [path.relative_to(root).as_posix()]


def extra(sound: Small, root: Path) -> list[str]:
    """Add a file to a run."""
    path = f"{_run(root, '2026-09')}/sitecustomize.py"
    rewrite(root / path, b"raise SystemExit")
    return [path]


ATTACKS: tuple[Callable[[Small, Path], list[str]], ...] = (
    delete, swap, truncate, fork, replay, forge, forge_with_the_key, rename, symlink, extra,
)  # fmt: skip
ONLY_BY_THE_CHECKPOINT = (truncate, replay, forge_with_the_key)  # with the key alone these archives look whole
"""What these do keeps every rule of the archive: nothing inside it can show that it was once another."""


# --- mutated archives -----------------------------------------------------------------------------------------


def tree(root: Path) -> dict[str, bytes | str]:
    """Return everything that stands in an archive: bytes of files, and what is none."""
    found: dict[str, bytes | str] = {}
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder) / name
            plain = path.is_file() and not path.is_symlink()
            empty = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
            if plain or path.is_symlink() or not path.is_dir() or empty:
                found[path.relative_to(root).as_posix()] = path.read_bytes() if plain else "other"
    return found


def unharmed(before: dict[str, bytes | str], after: dict[str, bytes | str]) -> bool | None:
    """Say whether an archive holds all that it did, and nothing else that means anything; None if it is hard to say."""
    if any(after.get(path) != content for path, content in before.items() if path != LOCK):
        return False
    added = {path: content for path, content in after.items() if path not in before or path == LOCK}
    if any(content == "other" for content in added.values()):
        return None
    return all(_means_nothing(path, content=content) for path, content in added.items())


def _means_nothing(path: str, *, content: bytes | str) -> bool:
    found = OBJECT.fullmatch(path)
    named = found is not None and isinstance(content, bytes) and digest_of(content) == found[2]
    return named or path.startswith("batches/") or bool(LEFTOVER.fullmatch(path)) or (path == LOCK and not content)


class Mutator:
    """Does something to an archive, drawn by a seed."""

    def __init__(self, root: Path, *, seed: int) -> None:
        self.root, self.draw = root, random.Random(seed)

    def mutate(self) -> None:
        """Do one to three things."""
        for _ in range(self.draw.choice((1, 1, 1, 2, 3))):
            ways = (self.bytes_, self.cut, self.noise, self.remove, self.move, self.copy, self.words, self.words,
                    self.other, self.entry, self.place)  # fmt: skip
            if files_of(self.root):
                self.draw.choice(ways)(self.root / self.draw.choice(files_of(self.root)))

    def bytes_(self, path: Path) -> None:
        """Change some bytes."""
        content = bytearray(path.read_bytes() or b"\0")
        for _ in range(self.draw.randint(1, 20)):
            content[self.draw.randrange(len(content))] = self.draw.randrange(256)
        rewrite(path, bytes(content))

    def cut(self, path: Path) -> None:
        """Cut bytes off, or add some."""
        content = path.read_bytes()
        keep = content[: self.draw.randint(0, len(content))]
        rewrite(path, self.draw.choice((keep, content + keep, content + b"\n")))

    def noise(self, path: Path) -> None:
        """Put noise, or JSON that is too deep, in its place."""
        deep = self.draw.choice((b"[", b'{"a":')) * self.draw.randint(1, 100_000)
        rewrite(path, self.draw.choice((deep, self.draw.randbytes(500), b"", b"null", b'{"a":1e999}', b"9" * 5000)))

    def remove(self, path: Path) -> None:
        """Remove it, or the folder that it lies in."""
        if self.draw.random() < 0.3 and path.parent != self.root:
            shutil.rmtree(path.parent)
        else:
            path.unlink()

    def move(self, path: Path) -> None:
        """Give it another name."""
        target = self._name(path)
        if not target.exists() and not target.is_relative_to(path):
            path.rename(target)

    def copy(self, path: Path) -> None:
        """Put its bytes under another name, or in place of another file."""
        rewrite(
            self.draw.choice((self._name(path), self.root / self.draw.choice(files_of(self.root)))), path.read_bytes()
        )

    def _name(self, path: Path) -> Path:
        digits = f"{self.draw.randrange(1 << 256):064x}"
        names = ["x", ".x.abcdefgh.part", f".{path.name}.abcdefgh.part", "000099.json", f"{digits}.json", digits,
                 "a\nb", "\udcff", "run.json", "SHA256SUMS", "extract~x", path.name + "~"]  # fmt: skip
        folders = [path.parent, self.root, self.root / "objects" / "sha256" / digits[:2], self.root / "batches" / "x",
                   self.root / "snapshots" / "2026-08", self.root / "ledger",
                   self.root / "runs" / "2026-09" / "HWY" / f"health_check-{digits[:16]}"]  # fmt: skip
        folder = self.draw.choice(folders)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / self.draw.choice(names)

    def words(self, path: Path) -> None:
        """Change a value in its JSON, and write it as ours would be, also under the name that its bytes ask for."""
        try:
            document = json.loads(path.read_bytes())
            value: Any = document
            while isinstance(value, dict | list) and value:
                key = self.draw.choice(sorted(value) if isinstance(value, dict) else range(len(value)))
                holder, value = value, value[key]
                if self.draw.random() < 0.3 or not isinstance(value, dict | list) or not value:
                    holder[key] = self._value()
                    break
            content = canonical_json(document)
        except (ValueError, RecursionError):
            return
        if self.draw.random() < 0.5:
            path.unlink()
            name = digest_of(content) + path.suffix
            path = path.with_name(name) if path.name != "run.json" else path
        rewrite(path, content)

    def _value(self) -> Any:
        nested: Any = []
        for _ in range(self.draw.randint(0, 50)):
            nested = [nested]
        other = self.draw.choice(files_of(self.root))
        gone = {"path": other, "sha256": "0" * 64, "size": 1, "what": ""}
        return self.draw.choice((
            None, True, 0, -1, 10**30, 1.5, "", "../../etc/passwd", "/etc/passwd", "0" * 64, other, {}, nested,
            "\x1b[2J", other.rpartition("/")[2], {"sha256": "0" * 64}, [gone],
        ))  # fmt: skip

    def other(self, path: Path) -> None:
        """Put a link, a pipe or a folder in its place."""
        path.unlink()
        kind = self.draw.choice(("link", "loop", "pipe", "folder"))
        if kind in ("link", "loop"):
            path.symlink_to("/etc/passwd" if kind == "link" else self.root)
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()

    def entry(self, path: Path) -> None:
        """Enter something by hand, unsigned or signed by somebody else."""
        numbers = [int(name[7:13]) for name in files_of(self.root) if re.fullmatch(r"ledger/[0-9]{6}\.json", name)]
        number = max(numbers, default=0)
        try:
            document = json.loads((self.root / entry_path(number)).read_bytes()) if number else {}
            previous = digest_of((self.root / entry_path(number)).read_bytes()) if number else None
        except (ValueError, RecursionError):  # an entry that was made so deep before
            return
        if isinstance(document, dict):
            kind = self.draw.choice(("snapshot", "run", "adopted", "disposal", "wheels", "", 7))
            named = {"path": path.relative_to(self.root).as_posix(), "sha256": digest_of(path.read_bytes())}
            document |= {"sequence": number + 1, "previous": previous, "kind": kind, "reference": named}
            document |= self.draw.choice(({}, {"signature": None}, {"about": self._value()}))
            rewrite(self.root / entry_path(number + 1), canonical_json(document))

    def place(self, path: Path) -> None:
        """Let the folder of a file have another name, or put it elsewhere with all that is in it."""
        target = self.draw.choice((path.parent.with_name(path.parent.name + "0"), self.root / "runs" / "2026-10"))
        if path.parent != self.root and not target.exists() and not target.is_relative_to(path.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.parent.rename(target)


def mutated(of: tuple[tuple[Small, Path, int], int, int]) -> Counter[str]:
    """Mutate so many archives and count how they were judged: ``false`` is what was harmed and called whole, or not."""
    (sound, folder, number_of), number, workers = of
    before, count = tree(sound.root), Counter[str]()
    for seed in range(number, number_of, workers):
        root = copied(sound.root, folder / f"mutated{number}" / "archive")
        Mutator(root, seed=seed).mutate()
        expected, verdict = unharmed(before, tree(root)), sound.verdict(root)
        json.dumps(verdict.document())
        printable = all(f"{fault.file}{fault.means}".isprintable() for fault in verdict.faults)
        false = not printable or (expected is not None and verdict.clean != expected)
        count += Counter({"archives": 1, "whole": verdict.clean, "false": false, f"seed {seed}": false})
    return count


# --- sound archives -------------------------------------------------------------------------------------------


def sound_verdicts(folder: Path, *, seed: int) -> Iterator[Verdict]:
    """Let an archive grow as archives do, and yield the verdict after every step, with and without what proves it."""
    draw, root = random.Random(seed), folder / f"sound{seed}" / "archive"
    key, files = new_key(folder / f"key{seed}.pem"), [folder / f"key{seed}.pem.pub"]
    signed_from = draw.choice((0, 0, 2, 99))
    checkpoints: list[Checkpoint] = []
    for step in range(9):
        signer = key if step >= signed_from else None
        _grow(root, draw=draw, step=step, key=signer)
        checkpoints.append(seen(root) if signer is None else seen(root).signed(key))
        for checkpoint in (None, draw.choice(checkpoints)):
            for trusted in (None, read_trusted(files) if signer else None):
                yield verify(root, checkpoint=checkpoint, trusted=trusted, threads=draw.choice((1, 2)))


def _grow(root: Path, *, draw: random.Random, step: int, key: SigningKey | None) -> None:
    """Do one of the things that are done to an archive."""
    ledger, period = Ledger(root, "jo", key), f"2026-{step + 1:02}"
    before = f"2026-{max(step, 1):02}"
    way = draw.choice(("snapshot", "run", "correction", "adopted", "expire", "leftover", "rollup")) if step else "run"
    snapshot = snapshot_kept(root, period, key=key)
    run = run_taken(root, snapshot, key=key) if way != "snapshot" else None
    if run and way != "adopted":
        enter_run(ledger, run=run, at=AT)
    if way == "correction":
        again = snapshot_kept(root, period, key=key, cost="7.00", reason="late")
        run_kept(root, again, key=key, supersedes=run.place if run else None, reason="late")
    elif way == "adopted":
        taken(root, f"2025-{step + 1:02}")
        enter(ledger, taken="", at=AT)
    elif way == "expire":
        kinds = draw.choice((("returns",), ("runs",), ("returns", "runs")))
        expire(ledger, rule=Disposal(before, kinds, "Act 7", "ann"), at=AT)
    elif way == "leftover":
        digest = Store(root / "objects").put(f"refused {step}".encode())
        for name in (f"objects/sha256/{digest[:2]}/.{digest}.abcd_123.part", "ledger/.000999.json.abcdefgh.part"):
            rewrite(root / name, b"half")
        (root / "runs" / period / "ICT").mkdir(parents=True)
        rewrite(root / "batches" / period / "0001" / "log.jsonl", b"{}")
        (root / entry_path(1)).chmod(0o644)
    elif way == "rollup" and run:
        read = canonical_json({f"{period}/HWY/health_check.json": run.sums["health_check.json"]})
        of = [*made_of(root, snapshot), put(root, "published", read)]
        run_kept(root, snapshot, key=key, portfolio="", report="portfolio_rollup", dependencies=of)


def grown(of: tuple[tuple[Path, int], int, int]) -> Counter[str]:
    """Verify sound archives so many times, and count false alarms."""
    (folder, times), number, workers = of
    count: Counter[str] = Counter()
    for seed in range(number, times, workers):
        for verdict in sound_verdicts(folder, seed=seed):
            count += Counter({"verdicts": 1, "alarms": not verdict.clean, f"seed {seed}": not verdict.clean})
            if count["verdicts"] >= -(-times // workers):
                return count
        shutil.rmtree(folder / f"sound{seed}")
    return count
