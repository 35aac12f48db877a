"""Time and peak memory until each hostile file is refused: ``make bench``, or this module alone.

Each in a process of its own that has the library loaded. The bar: a second and 300 MB.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measured import measured, say
from hostile import write_files

from pmo_lib.errors import SourceError
from pmo_lib.intake.check import check
from pmo_lib.parameters.models import Organisation

MOST_SECONDS, MOST_MEGABYTES = 1.0, 300.0


def refuse(path: Path) -> str:
    """Return what the refusal of a file says."""
    try:
        check([path], organisation=Organisation(id="bench", name="Benchmark"))
    except SourceError as error:
        return str(error)
    return "it was not refused"


def main() -> int:
    """Print a line per file; 1 if one of them misses the bar."""
    failed = 0
    say(f"{'seconds':>8} {'MB':>6}  file")
    with tempfile.TemporaryDirectory() as folder:
        for name, path, says in write_files(Path(folder)):
            seconds, megabytes, said = measured(refuse, path)
            good = says in said and seconds < MOST_SECONDS and megabytes < MOST_MEGABYTES
            failed += not good
            say(f"{seconds:8.3f} {megabytes:6.0f}  {name}{'' if good else '  MISSED: ' + said}")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
