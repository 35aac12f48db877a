"""A period as it was known on a day: the reports that were published by then, and the rest made of what was known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from pmo_lib.archive.ledger import whole_ledger
from pmo_lib.archive.restore import entry_at, restore
from pmo_lib.errors import StoreError
from pmo_lib.runner import run
from pmo_lib.store import inside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pmo_lib.archive.restore import Restored
    from pmo_lib.runner import Done, Request

FOLDER = "as_of"


def run_as_of(
    request: Request, *, date: str, root: Path, outputs: Path, tell: Callable[[Done, int], None]
) -> tuple[Path, list[Done]]:
    """Lay out what was known of an organisation on a day, and make there what of a period was not published by then.

    What was published by then is handed over byte for byte, as reported, unless the request asks for it ``again``: then
    it is made by today's rules of what was known then. Nothing of it is entered in the archive, and what is published
    today is not touched.

    Parameters
    ----------
    request
        What is asked for.
    date
        A day (to its end, UTC) or a moment, ISO 8601.

    Returns
    -------
    Path, list of Done
        The outputs as they were then, and how each report ended.

    Raises
    ------
    ParameterError
        The date is none.
    StoreError
        Nothing was known then, or something of it is gone or was altered.
    """
    archive = outputs / request.organisation / "archive"
    entry = entry_at(whole_ledger(archive), date=date)
    if not entry:
        raise StoreError(
            f"{request.organisation}: nothing was entered in the ledger by {date}",
            fix="name a later date, or run without --as-of",
        )
    folder = inside(outputs / request.organisation, parts=(FOLDER, date.replace(":", "")))
    shutil.rmtree(folder, ignore_errors=True)
    restored = restore(archive, organisation=request.organisation, upto=entry, into=folder)
    stands = {} if request.again else _published(restored, period=request.period)
    wanted = replace(request, stands=stands, kept=False)
    return folder, run(wanted, root=root, outputs=folder, tell=tell)


def _published(restored: Restored, *, period: str) -> dict[tuple[str, str], str]:
    """Return portfolio and report of what was published of a period → the snapshot that it was made from."""
    return {
        (portfolio, report): str(one.about["snapshot"])
        for (of, portfolio, report), one in restored.published().items()
        if of == period
    }
