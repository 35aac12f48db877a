"""What is left of a report that failed: its notebook, for the analyst, and never anything that looks like a page."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import nbformat

from pmo_lib.errors import PmoError
from pmo_lib.results import FAILED_FOLDER
from pmo_lib.store import inside, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.runner.make import Job
    from pmo_lib.runner.state import Done

NOTE_ID = "failed"


def failed_place(folder: Path, *, portfolio: str, report: str) -> Path:
    """Return where the notebook of a failed report stands, below the folder of its period."""
    return inside(folder, parts=tuple(filter(None, (FAILED_FOLDER, portfolio, f"{report}.ipynb"))))


def keep_failed(job: Job, *, done: Done, folder: Path) -> None:
    """Keep the notebook of a failed report: as far as it was executed, or as it would have been, with what is wrong.

    What cannot be kept, on a full disk, is not: the failure itself stands in state, log and summary.
    """
    place = failed_place(folder, portfolio=done.portfolio, report=done.report)
    with contextlib.suppress(OSError, PmoError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        source = job.failed if job.failed.is_file() else job.root / "notebooks" / f"{job.report}.ipynb"
        notebook = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
        notebook.cells.insert(0, _note(job, done=done))
        write_atomically(place, content=(str(nbformat.writes(notebook)) + "\n").encode())  # type: ignore[no-untyped-call]


def drop_failed(folder: Path, *, portfolio: str, report: str) -> None:
    """Remove what was kept of a report that failed before and is published now."""
    with contextlib.suppress(OSError):
        failed_place(folder, portfolio=portfolio, report=report).unlink(missing_ok=True)


def _note(job: Job, *, done: Done) -> Any:
    asked = "\n".join(f"    {name} = {value!r}" for name, value in job.parameters.items())
    text = (
        f"**This report failed and was not published.** Stage: {done.stage}.\n\n"
        f"    {done.cause}\n\nIt was asked for with\n\n{asked}"
    )
    return nbformat.v4.new_markdown_cell(text, id=NOTE_ID)  # type: ignore[no-untyped-call]
