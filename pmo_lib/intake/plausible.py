"""Values that were read and can hardly be meant: kept, and reported where they stand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pmo_lib.intake.faults import Fault

if TYPE_CHECKING:
    from pmo_lib.intake.cells import Outcome
    from pmo_lib.parameters.mapping import Cell

DAYS_A_YEAR = 365.25


def doubts(outcome: Outcome, *, cell: Cell, day: date | None) -> tuple[Fault, ...]:
    """Return what the mapping finds odd in a cell: nothing where something should be, or a value beyond reason.

    Parameters
    ----------
    outcome
        What was read.
    cell
        What the mapping says of it: ``expected``, ``plausible``.
    day
        Status date of the record.
    """
    if outcome.ending == "blank" and cell.expected and cell.column is not None:
        return (Fault("value-expected", "warning", "is blank", "fill it in, or write why there is none"),)
    limits, value = cell.plausible, outcome.value
    if limits is None or value is None:
        return ()
    if isinstance(value, date):
        return _far_off(value, day=day, years=limits.within_years)
    if limits.above is not None and value <= Decimal(limits.above):
        fix = "correct it, or leave it blank if it is not known"
        return (Fault("implausible", "warning", f"is not above {limits.above}", fix, f"above {limits.above}"),)
    return ()


def _far_off(value: date, *, day: date | None, years: int | None) -> tuple[Fault, ...]:
    if day is None or years is None or abs((value - day).days) <= years * DAYS_A_YEAR:
        return ()
    message = f"is more than {years} years from the status date {day.isoformat()}"
    return (Fault("implausible", "warning", message, "correct the year", f"within {years} years"),)
