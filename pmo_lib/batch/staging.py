"""From staging to publication: the files of a report become one thing by one rename, then each takes its place by one.

The first rename is what makes a report done: all its files are whole and on the disk. What follows only moves them, and
can be done again from wherever it was cut off: each file that is still in staging is yet to be moved.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from pmo_lib.store import inside, sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PART = ".part~"  # no id of a portfolio or a report can end so
SLASH = "~"  # in the name of a staged file, for the slashes of its place: a folder of its own for each would cost more
RUN = "run"  # folder of what is kept of a report in the archive, beside its files for the reader
FACTS = "facts.json"  # what the process that made a report knows of it, for its run record
LAST = "made_of"  # what a report was made of is the last to take its place: it vouches for the others


def stage(files: Mapping[str, bytes], *, folder: Path, run: Mapping[str, bytes] | None = None) -> None:
    """Write the files of one report and make them one by a rename.

    Parameters
    ----------
    files
        What is published, by its place below the published root; a name without a folder is for the driver alone.
    folder
        Where they are staged.
    run
        What is kept of the report in the archive, by name.
    """
    part = folder.with_name(folder.name + PART)
    for leftover in (part, folder):  # of an attempt that died
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir(parents=True)
    for place, content in files.items():
        _write(part / place.replace("/", SLASH), content=content)
    (part / RUN).mkdir()
    for name, content in (run or {}).items():
        _write(part / RUN / name, content=content)
    sync_folder(part)
    part.replace(folder)
    sync_folder(folder.parent)


def _write(path: Path, *, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def publish(folder: Path, *, root: Path) -> list[Path]:
    """Move what is staged to its places below a root, pages first; return the places. Doing it twice does no harm."""
    names = (
        sorted((path.name for path in folder.iterdir() if SLASH in path.name), key=_order) if folder.is_dir() else []
    )
    places = [inside(root, parts=tuple(name.split(SLASH))) for name in names]
    for place in places:  # what may still fail on a full disk comes before the first file moves
        place.parent.mkdir(parents=True, exist_ok=True)
    for name, place in zip(names, places, strict=True):
        (folder / name).replace(place)
        sync_folder(place.parent)
    shutil.rmtree(folder, ignore_errors=True)
    return places


def _order(name: str) -> tuple[bool, bool, str]:
    return (name.startswith(LAST + SLASH), not name.endswith(".html"), name)


def staged(folder: Path) -> list[Path]:
    """Return the reports that are done and not, or only in part, published."""
    return sorted(path for path in folder.glob("*/*") if path.is_dir() and not path.name.endswith(PART))
