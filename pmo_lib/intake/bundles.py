"""Returns in our own layout: which period each speaks of, by its own rows, and which of them are asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pmo_lib.intake.drafts import Draft
from pmo_lib.intake.faults import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from pmo_lib.intake.drafts import Batch
    from pmo_lib.intake.reading import Read


@dataclass(frozen=True)
class Bundle:
    """The files of one return: a workbook, or the text and Parquet files of one folder."""

    reads: Sequence[Read]

    @cached_property
    def batches(self) -> list[Batch]:
        """All its rows."""
        return [batch for read in self.reads for sheaf in read.sheaves for batch in sheaf.batches]

    @cached_property
    def days(self) -> Counter[date]:
        """Status dates of its ``status`` rows; of all its rows where it has none; with the number of rows."""
        return _days(batch for batch in self.batches if batch.table.name == "status") or _days(self.batches)

    @cached_property
    def months(self) -> Counter[str]:
        """Month of a status date → how many rows say so."""
        months = Counter[str]()
        for day, rows in self.days.items():
            months[month_of(day)] += rows
        return months

    @property
    def portfolios(self) -> set[str]:
        """Portfolios that its rows name."""
        return {portfolio for batch in self.batches for portfolio in batch.portfolios} - {""}

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
    for batch in bundle.batches:
        batch.days = [last] * len(batch)
        stated = batch.values.get("status_date", [])
        wrong = {day for day in set(stated) if last is not None and day is not None and month_of(day) != own}
        for row in (row for row, day in enumerate(stated if wrong else ()) if day in wrong):
            _set_aside(Draft(batch, row), bundle=bundle, own=own)
    return own


def untouched(bundles: Sequence[Bundle]) -> bool:
    """Mark returns that hold the template's examples and not one row of their own as broken; tell whether they were."""
    reads = [read for bundle in bundles for read in bundle.reads]
    examples = any(sheaf.left_out for read in reads for sheaf in read.sheaves)
    if not examples or any(len(batch) for bundle in bundles for batch in bundle.batches):
        return False
    fault = Fault(
        "nothing-filled-in",
        "error",
        "the return holds nothing but the example rows of the template",
        "write your own rows below them, with your own portfolio_id",
    )
    for read in reads:
        read.refuse(Place(read.filed.source.name), fault=fault)
    return True


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


def _days(batches: Iterable[Batch]) -> Counter[date]:
    days: Counter[date] = Counter()
    for batch in batches:
        days.update(batch.values.get("status_date", ()))
    days.pop(None, None)  # type: ignore[call-overload]
    return days


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
    draft.batch.set_aside(draft.row, rule=fault.rule)
    finding = draft.place("status_date").finding(fault, action="quarantined", about=draft.about("status_date"))
    next(read for read in bundle.reads if read.filed.source.name == finding.file).findings.append(finding)
