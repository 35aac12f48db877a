"""The proof of the archive's seal at full size, as a table: ``python -m benchmarks.archive_proof``; some minutes."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from attacks import ATTACKS, ONLY_BY_THE_CHECKPOINT, Small, flipped, forked, grown, mutated, small
from benchmarks.measured import say
from kept_runs import copied, files_of

from pmo_lib.archive import verify

WORKERS, MUTATED, VERIFIED = 2, 10_000, 1_000


def attacked(sound: Small, folder: Path) -> Counter[str]:
    """Count the attacks that are found with the checkpoint, in the right file, and those found without it."""
    count: Counter[str] = Counter()
    for attack in ATTACKS:
        root = copied(sound.root, folder / attack.__name__ / "archive")
        named = set(attack(sound, root))
        faults = {fault.file for fault in sound.verdict(root).faults}
        without = not verify(root, trusted=sound.trusted).clean
        count += Counter(attacks=1, found=bool(faults), named=named <= faults, without=without)
    return count


def main() -> int:
    """Print the table; 1 if anything was missed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        sound = small(place)
        size = sum((sound.root / path).stat().st_size for path in files_of(sound.root))
        say(f"an archive of {size:,} bytes in {len(files_of(sound.root))} files, with checkpoint and key")
        flips = forked(flipped, (sound, place, 1), workers=WORKERS)
        say(f"bytes flipped           {flips['flips']:7,}  found {flips['found']:7,}  right file {flips['named']:7,}  "
            f"and no other {flips['alone']:7,}")  # fmt: skip
        attacks = attacked(sound, place)
        say(f"attacks                 {attacks['attacks']:7,}  found {attacks['found']:7,}  "
            f"right file {attacks['named']:7,}  without the checkpoint {attacks['without']:,}")  # fmt: skip
        archives = forked(mutated, (sound, place, MUTATED), workers=WORKERS)
        say(f"mutated archives        {archives['archives']:7,}  crashes 0  wrong verdicts {archives['false']}  "
            f"unharmed and called whole {archives['whole']:,}")  # fmt: skip
        alarms = forked(grown, (place, VERIFIED), workers=WORKERS)
        say(f"sound archives verified {alarms['verdicts']:7,}  false alarms {alarms['alarms']}")
    missed = (
        flips["flips"] - flips["named"],
        attacks["attacks"] - attacks["named"],
        len(ATTACKS) - len(ONLY_BY_THE_CHECKPOINT) - attacks["without"],
        archives["false"] + MUTATED - archives["archives"],
        alarms["alarms"] + VERIFIED - alarms["verdicts"],
    )
    return int(any(missed))


if __name__ == "__main__":
    sys.exit(main())
