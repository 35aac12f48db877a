"""Reference classes: how far estimates of projects like this one were off, and what that adds to an estimate.

Uplift = a percentile of actual ÷ estimate − 1 over the finished projects of a class (B. Flyvbjerg and COWI, *Procedures
for Dealing with Optimism Bias in Transport Planning*, Department for Transport, 2004). The organisation's own finished
projects are used from twenty on; else a published class is borrowed, and called so. Upper bounds of a combined project
are weighed by its shares of cost; what is managed of the bias reduces the bound (Mott MacDonald, *Review of Large
Public Procurement in the UK*, HM Treasury 2002). A percentile is the larger of the two observed values around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics.cohorts import ENOUGH, percentile
from pmo_lib.metrics.schedule import days_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pmo_lib.parameters.models import ReferenceRules

COST, DURATION = "cost", "duration"
OWN, BORROWED, NONE = "own finished projects", "borrowed class", "no class"
ESTIMATE_COLUMNS = [
    "project_id", "name", "measure", "finished", "estimate", "outcome", "growth", "currency", "reason", "source_ref",
]  # fmt: skip
CLASS_COLUMNS = ["measure", "class_name", "basis", "projects", "p50", "p80", "upper_bound", "source", "reason"]
VIEW_COLUMNS = [
    *CLASS_COLUMNS, "running", "growth_so_far", "estimate", "with_class", "forecast", "currency", "sum_reason",
]  # fmt: skip
ROUNDING = 1e-9
NO_WORK = ("proposed", "cancelled")
NOT_CLOSED = "no finished project has both an estimate and an outcome"
DAYS_APART = "days of projects do not add up"


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


def estimates(projects_history: pd.DataFrame, *, earned_value: pd.DataFrame, portfolio_id: str) -> pd.DataFrame:
    """Return the first estimate of each project beside what became of it, or what is forecast now.

    Parameters
    ----------
    projects_history
        History of ``projects``: a project is finished where its last return calls it closed. What is proposed or
        cancelled, or stood in another portfolio last, is left out.
    earned_value
        History of ``earned_value``: the last actual cost is the outcome; without one the last forecast of a closed
        project is.

    Returns
    -------
    DataFrame
        :data:`ESTIMATE_COLUMNS`, two rows a project: cost in money against the first baseline returned (else forecast),
        duration in calendar days against the first baseline returned. ``outcome`` of a running project is its forecast.
        ``growth`` = outcome ÷ estimate − 1, positive is more; null with a ``reason``.

    """
    ordered = projects_history.sort_values(["project_id", "period"], kind="stable")
    last = ordered.drop_duplicates("project_id", keep="last").set_index("project_id")
    last = last[last["portfolio_id"].eq(portfolio_id) & ~last["delivery_status"].isin(NO_WORK)]
    finished = last["delivery_status"].eq("closed")
    told = ordered.groupby("project_id").first().reindex(last.index)
    spent = earned_value[earned_value["actual_cost"].notna()].sort_values(["project_id", "month"], kind="stable")
    cost = spent.groupby("project_id")["actual_cost"].last().reindex(last.index).where(finished)
    same = told["currency"].eq(last["currency"])
    end = last["finish_actual_on"].where(finished, last["finish_forecast_on"])
    begun = last["start_actual_on"].fillna(told["start_baseline_on"])
    columns = {
        COST: (
            told["whole_life_cost_baseline"].fillna(told["whole_life_cost_forecast"]).where(same),
            cost.fillna(last["whole_life_cost_forecast"]),
        ),
        DURATION: (
            days_between(told["start_baseline_on"], later=told["finish_baseline_on"]),
            days_between(begun, later=end),
        ),
    }
    here = finished | last["period"].eq(ordered["period"].max())
    parts = [
        _grown(last, measure=name, estimate=first, outcome=then.where(here)) for name, (first, then) in columns.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["project_id", "measure"], kind="stable", ignore_index=True)


def _grown(last: pd.DataFrame, *, measure: str, estimate: pd.Series, outcome: pd.Series) -> pd.DataFrame:
    estimate, outcome = estimate.astype("float64"), outcome.astype("float64")
    finished = last["delivery_status"].eq("closed")
    lacking = finished.map({True: "no outcome returned", False: "no forecast returned now"}).astype("str")
    reason = pd.Series("", index=last.index, dtype="str").mask(estimate.le(0), "the first estimate is not above 0")
    reason = reason.mask(outcome.isna(), lacking).mask(estimate.isna(), "no first estimate returned")
    rows = pd.DataFrame({
        "name": last["name"], "measure": measure, "finished": finished, "estimate": estimate, "outcome": outcome,
        "growth": (outcome / estimate - 1).where(reason.eq("")), "reason": reason,
        "currency": last["currency"] if measure == COST else None, "source_ref": last["source_ref"],
    })  # fmt: skip
    return rows.rename_axis("project_id").reset_index()[ESTIMATE_COLUMNS]


def reference_class(known: pd.DataFrame, *, rules: ReferenceRules) -> pd.DataFrame:
    """Return the class to hold an estimate against: the organisation's own, or a published one that is named.

    Parameters
    ----------
    known
        Result of :func:`estimates`, of one portfolio or of all.
    rules
        Which published classes stand in, by their shares of the cost, where fewer than twenty own projects are
        finished, and what share of the published bias is managed.

    Returns
    -------
    DataFrame
        :data:`CLASS_COLUMNS`, a row for cost and one for duration: ``basis`` is :data:`OWN`, :data:`BORROWED` or
        :data:`NONE`; ``projects`` counts the own finished projects in each case; ``p50`` and ``p80`` of the own,
        ``upper_bound`` of the borrowed one; ``reason`` why it is not the own.
    """
    rows = [_class(known[known["finished"].astype(bool)], measure=name, rules=rules) for name in (COST, DURATION)]
    return pd.DataFrame(rows, columns=CLASS_COLUMNS)


def _class(ours: pd.DataFrame, *, measure: str, rules: ReferenceRules) -> dict[str, object]:
    known = ours.loc[ours["measure"].eq(measure) & ours["growth"].notna(), "growth"].astype("float64")
    found: dict[str, object] = {"measure": measure, "projects": len(known), "source": "", "reason": ""}
    if len(known) >= ENOUGH:
        shares = {name: percentile(known, share=share) for name, share in (("p50", 0.5), ("p80", 0.8))}
        return found | shares | {"class_name": "this organisation's projects", "basis": OWN}
    few = f"{len(known)} of our own are finished, {ENOUGH} are needed" if len(known) else NOT_CLOSED
    lent = {PUBLISHED[name]: share for name, share in rules.classes.items()}
    bounds = [getattr(published, measure) for published in lent]
    name = ", ".join(rules.classes)
    if not bounds or None in bounds:
        why = "the published class gives no bound for it" if bounds else "no published class is named"
        return found | {"class_name": name, "basis": NONE, "reason": f"{few}; {why}"}
    bound = managed(combined(bounds, shares=list(lent.values())), reduction=rules.managed_share)
    source = "; ".join(dict.fromkeys(published.source for published in lent))
    return found | {"class_name": name, "basis": BORROWED, "upper_bound": bound, "source": source, "reason": few}


@dataclass(frozen=True, eq=False)
class OutsideView:
    """The outside view (Kahneman and Lovallo 2003): what projects like these did, beside what these say of themselves.

    Parameters
    ----------
    known
        Result of :func:`estimates`, of one portfolio or of all.
    """

    known: pd.DataFrame
    rules: ReferenceRules

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Each class, and the running projects beside it.

        Returns
        -------
        DataFrame
            :data:`VIEW_COLUMNS`, a row for cost and one for duration. ``growth_so_far`` is the median of what the
            forecasts of the ``running`` projects add to their first estimates. Of cost, ``estimate`` sums the first
            estimates of those, ``with_class`` is that sum with the class's P80 or upper bound, ``forecast`` the sum of
            their forecasts; null with ``sum_reason``. Empty without any project.
        """
        if self.known.empty:
            return pd.DataFrame(columns=VIEW_COLUMNS)
        table = reference_class(self.known, rules=self.rules)
        now = [self._running(row) for row in table.to_dict("records")]
        return table.join(pd.DataFrame(now, index=table.index)).reindex(columns=VIEW_COLUMNS)

    def _running(self, row: Mapping[Any, Any]) -> dict[str, object]:
        """Return what the running projects say of themselves, for one class."""
        known = self.known
        rows = known[known["measure"].eq(row["measure"]) & ~known["finished"].astype(bool) & known["growth"].notna()]
        growth = rows["growth"].astype("float64")
        told = {"running": len(rows), "growth_so_far": float(growth.median()) if len(rows) else None}
        currencies = sorted(set(rows["currency"].dropna()))
        if row["measure"] == DURATION or len(currencies) != 1:
            cause = DAYS_APART if row["measure"] == DURATION else "several currencies" if currencies else "none runs"
            return told | {"sum_reason": cause}
        estimate, forecast = (float(rows[name].astype("float64").sum()) for name in ("estimate", "outcome"))
        uplift = row["p80"] if row["basis"] == OWN else row["upper_bound"] if row["basis"] == BORROWED else None
        return told | {
            "estimate": estimate, "forecast": forecast, "currency": currencies[0], "sum_reason": row["reason"],
            "with_class": None if uplift is None else estimate * (1 + uplift),
        }  # fmt: skip
