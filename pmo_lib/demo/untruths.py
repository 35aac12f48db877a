"""What managers write that is not so: now and then a sentence states what no cell of the return holds.

These are no faults of the return: every cell is in order, and intake finds nothing. Only who reads the words beside the
cells, and beside the last return, can tell.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from pmo_lib.contracts.parts import RATINGS
from pmo_lib.demo.belief import View
from pmo_lib.demo.catalogue import MISSING_RETURNS
from pmo_lib.demo.months import long_date
from pmo_lib.demo.wording import choice, pounds

HOW_OFTEN = 0.05
AMOUNT, DAY, COLOUR, UNCHANGED = "amount", "day", "colour", "unchanged"
THREE_POINTS = tuple(rating for rating in RATINGS if "/" not in rating)


class Untruth(NamedTuple):
    """One false sentence: its kind, the column that it misstates, and its words."""

    kind: str
    column: str
    words: str


def untruth(view: View, *, rating: str) -> Untruth | None:
    """Return the false sentence of a project's commentary in a month; None in nearly all.

    Parameters
    ----------
    rating
        Overall rating in the same return.
    """
    rng = view.project.draws("untruth", view.month)
    if view.state != "active" or rng.random() >= HOW_OFTEN:
        return None
    kinds = [DAY, COLOUR, *([] if view.confidential else [AMOUNT]), *([UNCHANGED] * 2 if _moved(view) else [])]
    kind = choice(rng, of=kinds)
    off = float(rng.random())
    if kind == AMOUNT:
        told = pounds(int(view.cost * (1.15 + 0.35 * off)))
        return Untruth(kind, "whole_life_cost_forecast", f"The whole life cost is now forecast at {told}.")
    if kind == DAY:
        day = max(view.finish_on, view.version.finish_on) + timedelta(days=45 + int(150 * off))
        return Untruth(kind, "finish_forecast_on", f"The end date is now {long_date(day)}.")
    if kind == COLOUR:
        other = choice(rng, of=[each for each in THREE_POINTS if each != rating])
        return Untruth(kind, "rating", f"Delivery confidence is {other}.")
    return Untruth(kind, "finish_forecast_on", "The forecast end date is unchanged since the last report.")


def _moved(view: View) -> bool:
    """Say whether the last return of the same portfolio forecast another finish."""
    project, month = view.project, view.month - 1
    holder, before = project.holder(view.month), View(project, month)
    told = project.returned_in(month) and project.holder(month) == holder and (holder, month) not in MISSING_RETURNS
    return told and before.state == "active" and before.finish_on != view.finish_on
