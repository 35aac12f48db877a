"""Figures that the source computed itself: computed again from the same record, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.intake.faults import Fault

if TYPE_CHECKING:
    from decimal import Decimal

    from pmo_lib.parameters.mapping import Check


def relative_change(of: Decimal | None, *, against: Decimal | None, sign: str) -> float | None:
    """Return ``(of - against) / against`` as a share, its magnitude where the sign rule is absolute.

    None where an amount is missing or the one measured against is 0.

    >>> from decimal import Decimal
    >>> relative_change(Decimal(80), against=Decimal(100), sign="signed")
    -0.2
    """
    if of is None or not against:
        return None
    change = float((of - against) / against)
    return abs(change) if sign == "absolute" else change


def disagreement(check: Check, *, published: float | None, recomputed: float | None, since: str = "") -> Fault | None:
    """Return what there is to say of a published figure beside the computed one; None where they agree.

    ``since`` is the period of the report that a change is measured from, of a figure that is a change.
    """
    if published is None:
        return None
    if recomputed is None:
        return Fault(
            "not-recomputable",
            "notice",
            f"{check.figure} is published, and {_lacking(check, since=since)}",
            "do not rely on it",
        )
    if abs(published - recomputed) <= check.tolerance:
        return None
    told, computed, tolerance = (_written(value, check=check) for value in (published, recomputed, check.tolerance))
    origin = "computes to {} from the same row" if check.against else f"is {{}} since the project's report of {since}"
    return Fault(
        "published-figure",
        "warning",
        f"{check.figure} is published as {told} and {origin.format(computed)}",
        "use the computed figure; ask the publisher which of the three cells is wrong",
        f"{computed}, give or take {tolerance}",
    )


def _lacking(check: Check, *, since: str) -> str:
    if check.against:
        return "what it is measured against is 0, withheld or missing"
    return "this report or the one before lacks the value" if since else "the project has no earlier report"


def _written(value: float, *, check: Check) -> str:
    return f"{value:.2%}" if check.against else f"{value:,.0f}"
