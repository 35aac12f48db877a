"""What is left of a report that failed: its notebook, for the analyst, and never anything that looks like a page."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from pmo_lib.results import FAILED_FOLDER
from pmo_lib.store import inside, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from pmo_lib.runner.job import Job
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
    with contextlib.suppress(OSError, ValueError, KeyError):
        source = job.failed if job.failed.is_file() else job.root / "notebooks" / f"{job.report}.ipynb"
        notebook = json.loads(source.read_text(encoding="utf-8"))
        notebook["cells"].insert(0, _note(job, done=done))
        write_atomically(place, content=(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode())


def drop_failed(folder: Path, *, portfolio: str, report: str) -> None:
    """Remove what was kept of a report that failed before and is published now."""
    with contextlib.suppress(OSError):
        failed_place(folder, portfolio=portfolio, report=report).unlink(missing_ok=True)


def _note(job: Job, *, done: Done) -> dict[str, Any]:
    asked = "\n".join(f"    {name} = {value!r}" for name, value in job.parameters.items())
    text = (
        f"**This report failed and was not published.** Stage: {done.stage}.\n\n"
        f"    {done.cause}\n\nIt was asked for with\n\n{asked}"
    )
    return {"cell_type": "markdown", "id": NOTE_ID, "metadata": {}, "source": text}
