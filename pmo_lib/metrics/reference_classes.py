"""Reference classes: how far estimates of projects like this one were off, and what that adds to an estimate.

Uplift = a percentile of actual ÷ estimate − 1 over the finished projects of a class (B. Flyvbjerg and COWI, *Procedures
for Dealing with Optimism Bias in Transport Planning*, Department for Transport, 2004). The organisation's own finished
projects are used from twenty on; else a published class is borrowed, and called so. Upper bounds of a combined project
are weighed by its shares of cost; what is managed of the bias reduces the bound (Mott MacDonald, *Review of Large
Public Procurement in the UK*, HM Treasury 2002). A percentile is the larger of the two observed values around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.cohorts import ENOUGH, percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

COST, DURATION, SLIP = "cost", "duration", "slip"
OWN, BORROWED, NONE = "own finished projects", "borrowed class", "none"
OVERRUN_COLUMNS = ["project_id", "measure", "estimate", "actual", "overrun", "reason", "source_ref"]
CLASS_COLUMNS = ["measure", "class_name", "basis", "projects", "p50", "p80", "upper_bound", "source", "reason"]
SLIP_COLUMNS = ["first_stage", "basis", "projects", "p50_days", "p80_days", "reason"]
ROUNDING = 1e-9
NOT_CLOSED = "no finished project has both an estimate and an outcome"


class Published(NamedTuple):
    """A class that others published: upper bounds of the overrun as shares, null where none is given."""

    cost: float | None
    duration: float | None
    source: str


MOTT = "Mott MacDonald 2002, upper bound"
STAG = "Scottish Transport Appraisal Guidance, table 13.4, at the first stage"
PUBLISHED: dict[str, Published] = {
    "standard buildings": Published(0.24, 0.04, MOTT),
    "non-standard buildings": Published(0.51, 0.39, MOTT),
    "roads": Published(0.44, None, STAG),
    "fixed links": Published(0.66, None, STAG),
    "information technology": Published(2.00, None, STAG),
}


def combined(upper_bounds: Sequence[float], *, shares: Sequence[float]) -> float:
    """Return the upper bound of a project of several classes: Σ share × bound.

    Raises
    ------
    ReportError
        If the shares of the cost do not make 1.

    >>> round(combined([0.51, 0.24], shares=[0.3, 0.7]), 3)
    0.321
    """
    if abs(sum(shares) - 1) > ROUNDING or min(shares) < 0:
        raise ReportError(f"shares of cost make {sum(shares):g}", fix="give shares that make 1", stage="notebook")
    return float(sum(share * bound for share, bound in zip(shares, upper_bounds, strict=True)))


def managed(upper_bound: float, *, reduction: float) -> float:
    """Return what is left of a bound where a share of it is managed: (1 − reduction) × bound.

    Raises
    ------
    ReportError
        If the reduction is no share.
    """
    if not 0 <= reduction <= 1:
        raise ReportError(f"reduction {reduction:g} is no share", fix="give one from 0 to 1", stage="notebook")
    return (1 - reduction) * upper_bound


def overruns(projects_history: pd.DataFrame, *, earned_value: pd.DataFrame) -> pd.DataFrame:
    """Return how far the first estimates of finished projects were off.

    Parameters
    ----------
    projects_history
        History of ``projects``: a project is finished where its last return calls it closed.
    earned_value
        History of ``earned_value``: the last actual cost is the outcome; without one the last forecast of a closed
        project is.

    Returns
    -------
    DataFrame
        :data:`OVERRUN_COLUMNS`, two rows a finished project: cost in money against the first baseline returned (else
        forecast), duration in calendar days against the first baseline returned. ``overrun`` is actual ÷ estimate − 1,
        positive is more; null with a ``reason``.
    """
    ordered = projects_history.sort_values(["project_id", "period"], kind="stable")
    last = ordered.drop_duplicates("project_id", keep="last").set_index("project_id")
    last = last[last["delivery_status"].eq("closed")]
    told = ordered.groupby("project_id").first().reindex(last.index)
    spent = earned_value[earned_value["actual_cost"].notna()].sort_values(["project_id", "month"], kind="stable")
    cost = spent.groupby("project_id")["actual_cost"].last().reindex(last.index)
    same = told["currency"].eq(last["currency"])
    columns = {
        COST: (
            told["whole_life_cost_baseline"].fillna(told["whole_life_cost_forecast"]).where(same),
            cost.fillna(last["whole_life_cost_forecast"]),
        ),
        DURATION: (
            _days(told["finish_baseline_on"], since=told["start_baseline_on"]),
            _days(last["finish_actual_on"], since=last["start_actual_on"].fillna(told["start_baseline_on"])),
        ),
    }
    parts = [_overrun(last, measure=name, estimate=first, actual=then) for name, (first, then) in columns.items()]
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["project_id", "measure"], kind="stable", ignore_index=True)


def _days(days: pd.Series, *, since: pd.Series) -> pd.Series:
    return (pd.to_datetime(days) - pd.to_datetime(since)).dt.days.astype("float64")


def _overrun(last: pd.DataFrame, *, measure: str, estimate: pd.Series, actual: pd.Series) -> pd.DataFrame:
    estimate, actual = estimate.astype("float64"), actual.astype("float64")
    reason = pd.Series("", index=last.index, dtype="str").mask(estimate.le(0), "the first estimate is not above 0")
    reason = reason.mask(actual.isna(), "no outcome returned").mask(estimate.isna(), "no first estimate returned")
    rows = pd.DataFrame({
        "measure": measure, "estimate": estimate, "actual": actual,
        "overrun": (actual / estimate - 1).where(reason.eq("")), "reason": reason, "source_ref": last["source_ref"],
    })  # fmt: skip
    return rows.rename_axis("project_id").reset_index()[OVERRUN_COLUMNS]


def reference_class(overruns_of_ours: pd.DataFrame, *, borrowed: str = "") -> pd.DataFrame:
    """Return the class to hold an estimate against: the organisation's own, or a published one that is named.

    Parameters
    ----------
    overruns_of_ours
        Result of :func:`overruns`, of all portfolios.
    borrowed
        One of :data:`PUBLISHED`; used where fewer than twenty own projects are finished.

    Returns
    -------
    DataFrame
        :data:`CLASS_COLUMNS`, a row for cost and one for duration: ``basis`` is :data:`OWN`, :data:`BORROWED` or
        :data:`NONE`; ``projects`` counts the own finished projects in each case; ``p50`` and ``p80`` of the own,
        ``upper_bound`` of the borrowed one; ``reason`` why it is not the own.
    """
    rows = [_class(overruns_of_ours, measure=measure, borrowed=borrowed) for measure in (COST, DURATION)]
    return pd.DataFrame(rows, columns=CLASS_COLUMNS)


def _class(ours: pd.DataFrame, *, measure: str, borrowed: str) -> dict[str, object]:
    known = ours.loc[ours["measure"].eq(measure) & ours["overrun"].notna(), "overrun"].astype("float64")
    found: dict[str, object] = {"measure": measure, "projects": len(known), "source": "", "reason": ""}
    if len(known) >= ENOUGH:
        shares = {name: percentile(known, share=share) for name, share in (("p50", 0.5), ("p80", 0.8))}
        return found | shares | {"class_name": "this organisation's projects", "basis": OWN}
    few = f"{len(known)} of our own are finished, {ENOUGH} are needed" if len(known) else NOT_CLOSED
    published = PUBLISHED.get(borrowed)
    bound = getattr(published, measure, None)
    if published is None or bound is None:
        return found | {"class_name": borrowed, "basis": NONE, "reason": f"{few}; no published class is named"}
    told = {"class_name": borrowed, "basis": BORROWED, "upper_bound": bound, "source": published.source}
    return found | told | {"reason": few}


def slip_classes(slips: pd.DataFrame) -> pd.DataFrame:
    """Return the classes of slip by the stage in which a project was first seen, each with what it may be used for.

    Parameters
    ----------
    slips
        Result of :func:`pmo_lib.metrics.cohorts.slips_by_stage`: movement of the finish since the first report of
        projects that are still followed. Where no project ever leaves the data it is a slip so far, not an outcome.

    Returns
    -------
    DataFrame
        :data:`SLIP_COLUMNS`; ``basis`` is :data:`OWN` from twenty projects on, else :data:`NONE` with the reason, and
        then no percentile: a class of few is no class.
    """
    own = ~slips["few"].astype("bool")
    few = slips["followed"].astype("str") + f" followed, {ENOUGH} are needed"
    return slips.assign(
        basis=own.map({True: OWN, False: NONE}), projects=slips["followed"], reason=few.where(~own, ""),
        **{name: slips[name].astype("float64").where(own) for name in ("p50_days", "p80_days")},
    )[SLIP_COLUMNS]  # fmt: skip
