"""The proof of the seal: all that is done to an archive is found, and what is sound is never called altered.

A few of each here, more with ``pytest -m slow``; all of them with ``PMO_PROOF=full`` as well, and as a table with
``python -m benchmarks.archive_proof``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from attacks import ATTACKS, ONLY_BY_THE_CHECKPOINT, Small, flipped, forked, grown, mutated, small
from kept_runs import copied, files_of

from pmo_lib.archive import verify

WORKERS = 2
FULL = os.environ.get("PMO_PROOF") == "full"
EVERY, MUTATED, VERIFIED = (1, 10_000, 1_000) if FULL else (37, 400, 60)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A small archive, signed, with a checkpoint kept outside."""
    return small(tmp_path_factory.mktemp("small"))


def size_of(sound: Small) -> int:
    """Return how many bytes it has."""
    return sum((sound.root / path).stat().st_size for path in files_of(sound.root))


def test_the_archive_is_whole_before_anything_is_done_to_it(sound: Small) -> None:
    """Nothing is found where nothing was done, and the archive is as small as the proof needs it."""
    assert sound.verdict(sound.root).faults == ()
    assert 20_000 < size_of(sound) < 100_000


def test_some_flipped_bytes_are_found_and_named(sound: Small, tmp_path: Path) -> None:
    """A flipped bit in any byte is found, in the file where it is."""
    count = flipped(((sound, tmp_path, 211), 0, 1))
    assert count["flips"] == -(-size_of(sound) // 211)
    assert count["flips"] == count["found"] == count["named"]


@pytest.mark.slow
def test_flipped_bytes_are_found_and_named(sound: Small, tmp_path: Path) -> None:
    """A flipped bit in each single byte of each file is found, in the file where it is."""
    count = forked(flipped, (sound, tmp_path, EVERY), workers=WORKERS)
    assert count["flips"] == count["found"] == count["named"] >= size_of(sound) // EVERY


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_found_and_named(attack: Callable[[Small, Path], list[str]], sound: Small, tmp_path: Path) -> None:
    """Each of ten attacks is found with the checkpoint, in the right file; three of them with nothing else."""
    root = copied(sound.root, tmp_path / "archive")
    named = attack(sound, root)
    found = {fault.file for fault in sound.verdict(root).faults}
    assert set(named) <= found
    without = verify(root, trusted=sound.trusted)
    assert without.clean == (attack in ONLY_BY_THE_CHECKPOINT), without.faults


def test_some_mutated_archives_are_judged_rightly(sound: Small, tmp_path: Path) -> None:
    """Whatever is done to an archive at random crashes nothing, and is called whole only if it harmed nothing."""
    count = mutated(((sound, tmp_path, 150), 0, 1))
    assert (count["archives"], count["false"]) == (150, 0), count


@pytest.mark.slow
def test_many_mutated_archives_are_judged_rightly(sound: Small, tmp_path: Path) -> None:
    """The same, many times."""
    count = forked(mutated, (sound, tmp_path, MUTATED), workers=WORKERS)
    assert (count["archives"], count["false"]) == (MUTATED, 0), count


def test_some_sound_archives_raise_no_alarm(tmp_path: Path) -> None:
    """Archives with signatures, corrections, adopted runs, disposals and leftovers are whole after every step."""
    assert grown(((tmp_path, 30), 0, 1)) == Counter(verdicts=30)


@pytest.mark.slow
def test_many_verifications_raise_no_alarm(tmp_path: Path) -> None:
    """The same, many times."""
    assert forked(grown, (tmp_path, VERIFIED), workers=WORKERS) == Counter(verdicts=VERIFIED)
