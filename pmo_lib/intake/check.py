"""The front door of intake: files in, one checked return per period out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.findings import findings_table
from pmo_lib.errors import SnapshotRefused
from pmo_lib.intake.bundles import month_of
from pmo_lib.intake.gather import gather
from pmo_lib.intake.native import native_mapping
from pmo_lib.intake.periods import portions
from pmo_lib.intake.reading import Shelf
from pmo_lib.intake.settle import Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pmo_lib.contracts.returned import Checked
    from pmo_lib.intake.periods import Portion
    from pmo_lib.parameters.mapping import Mapping as SourceMapping
    from pmo_lib.parameters.models import Organisation


def check(
    paths: Sequence[Path],
    *,
    organisation: Organisation,
    mapping: SourceMapping | None = None,
    period: str | None = None,
    previous: Callable[[str], Mapping[str, pd.DataFrame] | None] | None = None,
) -> list[Checked]:
    """Read returns and check them, cell by cell, row by row and against each other.

    Parameters
    ----------
    paths
        Files, or folders that are searched to any depth. In our own layout a workbook is a return by itself, and the
        CSV and Parquet files of one folder are one return.
    organisation
        Its limit of unusable rows decides what is refused.
    mapping
        The way from a foreign layout to the contract tables; None: our own layout.
    period
        ``YYYY-MM``. Other periods are left out; in our own layout, a return that should speak of it and does not is
        refused (see :func:`pmo_lib.intake.bundles.asked_for`).
    previous
        From a period to the tables ``projects`` and ``portfolios`` that stood before it: moves and renamed ids are
        seen against them. Asked for the first period here; later ones are compared with the one before in this call.

    Returns
    -------
    list of Checked
        One per period, ascending.

    Raises
    ------
    SourceError
        If a file cannot be read at all.
    SnapshotRefused
        If nothing of a period can be used; ``data["findings"]`` has the findings of all periods.
    """
    native = mapping is None
    layout = native_mapping() if mapping is None else mapping
    filed, passed_over = gather(paths, mapping=layout, native=native)
    shelf = Shelf(layout, native)
    wanted = [
        each for each in filed if period is None or each.status_date is None or month_of(each.status_date) == period
    ]
    found = portions(map(shelf.read, wanted), period=period, native=native)
    if found:
        found[0].findings.extend(passed_over)
    checked: list[Checked] = []
    refused: list[Portion] = []
    findings: list[pd.DataFrame] = []
    for portion in found:
        before = checked[-1].tables if checked else previous and previous(portion.period)
        settlement = Settlement(portion, layout, organisation, before)
        settled = settlement.settle() if portion.period else None
        findings.append(settlement.findings_table())
        if settled is None:
            refused.append(portion)
        else:
            checked.append(settled)
    if refused or not checked:
        raise _refusal(
            refused, findings=pd.concat(findings or [findings_table(passed_over)], ignore_index=True), period=period
        )
    return checked


def _refusal(refused: Sequence[Portion], *, findings: pd.DataFrame, period: str | None) -> SnapshotRefused:
    periods = ", ".join(portion.period or "no period" for portion in refused) or f"period {period}"
    errors = findings.loc[findings["action"] == "refused"]
    why = "; ".join(dict.fromkeys(errors["message"])) or "no file speaks of it"
    return SnapshotRefused(
        f"{periods}: the return cannot be used: {why}", fix="correct the findings", findings=findings
    )
