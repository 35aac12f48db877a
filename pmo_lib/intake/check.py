"""The front door of intake: files in, one checked return per period out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.findings import findings_table
from pmo_lib.errors import ParameterError, SnapshotRefused
from pmo_lib.intake.bundles import month_of
from pmo_lib.intake.continuity import stamped
from pmo_lib.intake.gather import draw, gather
from pmo_lib.intake.native import database_mapping, native_mapping
from pmo_lib.intake.periods import portions
from pmo_lib.intake.reading import Shelf
from pmo_lib.intake.settle import Settlement
from pmo_lib.parameters.models import PERIOD_PATTERN

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
        CSV and Parquet files of one folder are one return. None where the mapping names a database.
    organisation
        Its limit of unusable rows decides what is refused.
    mapping
        The way from a foreign layout to the contract tables; None: our own layout.
    period
        ``YYYY-MM``. Other periods are left out; in our own layout, a return that should speak of it and does not is
        refused (see :func:`pmo_lib.intake.bundles.asked_for`).
    previous
        From a period to the tables ``projects`` and ``portfolios`` that stood before it, and to the projects of all
        earlier reports as ``earlier`` (see :func:`pmo_lib.intake.continuity.stamped`): moves, renamed ids and blank
        records are seen against them. Asked for the first period here; later ones follow those of this call.

    Returns
    -------
    list of Checked
        One per period, ascending.

    Raises
    ------
    ParameterError
        If the period is none.
    SourceError
        If a file or database cannot be read at all.
    SnapshotRefused
        If nothing of a period can be used; ``data["findings"]`` has the findings of all periods.
    """
    if period is not None and not re.fullmatch(PERIOD_PATTERN, period, re.ASCII):
        raise ParameterError(
            f"period: no month: {period!r}", fix="write it as year-month, such as 2026-03", problems=[]
        )
    native = mapping is None or mapping.database is not None
    layout = native_mapping() if mapping is None else database_mapping(mapping) if native else mapping
    if layout.database is None:
        filed, passed_over = gather(paths, mapping=layout, native=native)
    else:
        filed, passed_over = [draw(layout.database, name=layout.name, period=period)], []
    shelf = Shelf(layout, native)
    wanted = [
        each for each in filed if period is None or each.status_date is None or month_of(each.status_date) == period
    ]
    found = portions(map(shelf.read, wanted), period=period, native=native)
    if found:
        found[0].findings.extend(passed_over)
    checked: list[Checked] = []
    before: Mapping[str, pd.DataFrame] | None = None
    refused: list[Portion] = []
    findings: list[pd.DataFrame] = []
    for portion in found:
        if not checked:
            before = previous and previous(portion.period)
        settlement = Settlement(portion, layout, organisation, before)
        settled = settlement.settle() if portion.period else None
        findings.append(settlement.findings_table())
        if settled is None:
            refused.append(portion)
        else:
            checked.append(settled)
            before = {**settled.tables, "earlier": _with_earlier(settled, before=before)}
    if refused or not checked:
        raise _refusal(
            refused, findings=pd.concat(findings or [findings_table(passed_over)], ignore_index=True), period=period
        )
    return checked


def _with_earlier(settled: Checked, *, before: Mapping[str, pd.DataFrame] | None) -> pd.DataFrame:
    earlier = None if before is None else before.get("earlier")
    return stamped(earlier, projects=settled.tables["projects"], period=settled.period)


def _refusal(refused: Sequence[Portion], *, findings: pd.DataFrame, period: str | None) -> SnapshotRefused:
    periods = ", ".join(portion.period or "no period" for portion in refused) or f"period {period}"
    errors = findings.loc[findings["action"] == "refused"]
    why = "; ".join(dict.fromkeys(errors["message"])) or "no file speaks of it"
    return SnapshotRefused(
        f"{periods}: the return cannot be used: {why}", fix="correct the findings", findings=findings
    )
