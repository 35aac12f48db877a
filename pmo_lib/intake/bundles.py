"""Returns in our own layout: which period each speaks of, by its own rows, and which of them are asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pmo_lib.intake.faults import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from pmo_lib.intake.drafts import Draft
    from pmo_lib.intake.reading import Read


@dataclass(frozen=True)
class Bundle:
    """The files of one return: a workbook, or the text and Parquet files of one folder."""

    reads: Sequence[Read]

    @cached_property
    def drafts(self) -> list[Draft]:
        """All its rows."""
        return [draft for read in self.reads for sheaf in read.sheaves for draft in sheaf.drafts]

    @cached_property
    def days(self) -> list[date]:
        """Status dates of its ``status`` rows; of all its rows where it has none."""
        return _days(draft for draft in self.drafts if draft.table.name == "status") or _days(self.drafts)

    @cached_property
    def months(self) -> Counter[str]:
        """Month of a status date → how many rows say so."""
        return Counter(month_of(day) for day in self.days)

    @property
    def portfolios(self) -> set[str]:
        """Portfolios that its rows name."""
        return {draft.portfolio_id for draft in self.drafts} - {""}

    @property
    def folder(self) -> Path:
        """Folder that it lay in."""
        return self.reads[0].filed.source.path.parent


def bundled(reads: Iterable[Read]) -> list[Bundle]:
    """Return the files by the returns that they form, in order."""
    bundles: dict[str, list[Read]] = {}
    for read in reads:
        bundles.setdefault(read.filed.bundle, []).append(read)
    return [Bundle(own) for own in bundles.values()]


def month_of(day: date) -> str:
    """Return the period of a day."""
    return f"{day:%Y-%m}"


def asked_for(bundles: Sequence[Bundle], *, period: str | None) -> list[Bundle]:
    """Return the returns that belong to a period; those that should and do not are marked as broken.

    A return that speaks of another period is left out where it cannot be meant: its portfolios have a return of the
    period that is asked for, or it lies in another folder than every return of that period. Else it is refused.
    """
    if period is None:
        return list(bundles)
    right = [bundle for bundle in bundles if period in bundle.months or not bundle.months]
    returned = set[str]().union(*(bundle.portfolios for bundle in right))
    folders = {bundle.folder for bundle in right}
    kept = []
    for bundle in bundles:
        if bundle in right:
            kept.append(bundle)
        elif not (bundle.portfolios <= returned or (folders and bundle.folder not in folders)):
            _break(bundle, period=period)
            kept.append(bundle)
    return kept


def dated(bundle: Bundle, *, period: str | None) -> str:
    """Give every row of a return its day, and set aside rows of another month; return the period, empty if unknown."""
    own = period or max(bundle.months, key=lambda month: (bundle.months[month], month), default="")
    last = max((day for day in bundle.days if month_of(day) == own), default=None)
    for draft in bundle.drafts:
        day = draft.values.get("status_date")
        draft.status_date = last
        if last is not None and day is not None and month_of(day) != own:
            _set_aside(draft, bundle=bundle, own=own)
    return own


def undated(bundle: Bundle) -> None:
    """Mark a return of which nothing tells the period as broken."""
    fault = Fault(
        "no-period",
        "error",
        "no row of the return has a status date",
        "fill in status_date in the table status, or name the period",
    )
    for read in bundle.reads:
        read.refuse(Place(read.filed.source.name), fault=fault)


def _days(drafts: Iterable[Draft]) -> list[date]:
    return [day for draft in drafts if (day := draft.values.get("status_date")) is not None]


def _break(bundle: Bundle, *, period: str) -> None:
    fault = Fault(
        "wrong-period",
        "error",
        f"the return speaks of {' and '.join(sorted(bundle.months))}, not of {period}",
        "send the return of that period, or name the period that it speaks of",
        period,
    )
    for read in bundle.reads:
        read.refuse(Place(read.filed.source.name), fault=fault)


def _set_aside(draft: Draft, *, bundle: Bundle, own: str) -> None:
    fault = Fault(
        "wrong-period", "error", f"status_date is not in {own}, of which the return speaks", "correct the date", own
    )
    draft.rules.append(fault.rule)
    finding = draft.place("status_date").finding(fault, action="quarantined", about=draft.about("status_date"))
    next(read for read in bundle.reads if read.filed.source.name == finding.file).findings.append(finding)
