"""Exposure and number of risks over all periods, and the burn-down of exposure against what was planned.

A plan of risks is what a register itself promises: a risk is at its target from the day on which it may strike, for a
response that works later is none (proximity and residual risk: ISO 31000:2018, 6.5.3; burn-down of risk as in Cohn,
*Agile Estimating and Planning*, 2005, on burn-down charts). No way in between is assumed: the plan goes in steps. A
risk without target levels or without that day is planned to stay as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.exposure import contingency_left, one_currency
from pmo_lib.metrics.responses import with_stances

if TYPE_CHECKING:
    from pmo_lib.parameters.models import RiskRules

TREND_COLUMNS = [
    "period", "risks_open", "threats_open", "opportunities_open", "above_appetite", "risks_unquantified", "came",
    "went", "threats", "opportunities", "net", "expected_days", "contingency_left", "exposure_ratio", "reason",
    "money_reason", "contingency_reason", "currency",
]  # fmt: skip
BURN_COLUMNS = [
    "on", "actual", "followed", "promised", "gap", "planned", "risks_followed", "risks_promised", "baseline", "reason",
    "currency",
]  # fmt: skip
NO_REGISTER = "no register was returned"
MONTHS_BACK, MONTHS_AHEAD = 12, 12


def exposure_trend(
    scored: pd.DataFrame, *, projects: pd.DataFrame, reserves: pd.DataFrame, appetite_grades: tuple[str, ...]
) -> pd.DataFrame:
    """Return what was open, what it might have cost, and what contingency was left, period by period.

    Parameters
    ----------
    scored
        As :func:`pmo_lib.metrics.risk.scored_risks` returns it, over the periods.
    projects, reserves
        Contract tables over the periods, with ``period`` in front.
    appetite_grades
        Grades that are carried without escalation.

    Returns
    -------
    DataFrame
        :data:`TREND_COLUMNS`, oldest first, from the first register on: counts of open risks, ``came`` and ``went``
        since the last register (by id), expected money by kind and net, expected days net, contingency left at that
        time and net exposure ÷ contingency left. A period without a register has a ``reason`` and no figure. Empty
        without any register.

    Raises
    ------
    ReportError
        Several currencies.
    """
    ours = scored[scored["ours"]]
    if ours.empty:
        return pd.DataFrame(columns=TREND_COLUMNS)
    one_currency(ours.loc[ours["open"] & ours["expected_money"].notna(), "currency"], what="risk registers")
    first, owner = ours["period"].min(), ours["portfolio_id"].iloc[0]
    mine = projects[projects["portfolio_id"].eq(owner) & projects["period"].ge(first)]
    periods = sorted({*ours["period"], *mine["period"]})
    left = _left(mine, reserves=reserves[reserves["portfolio_id"].eq(owner)])
    rows, before = [], None
    for period in periods:
        register = ours[ours["period"].eq(period)]
        risks = register[register["open"]]
        known = set(risks["risk_id"])
        row = _counts(risks, appetite_grades=appetite_grades) if len(register) else {"reason": NO_REGISTER}
        if len(register) and before is not None:
            row |= {"came": len(known - before), "went": len(before - known)}
        before = known if len(register) else before
        rows.append({"period": period, "contingency_left": left.get(period), **row})
    table = pd.DataFrame(rows).reindex(columns=TREND_COLUMNS)
    whole = ["risks_open", "threats_open", "opportunities_open", "above_appetite", "risks_unquantified", "came", "went"]
    table = table.astype({**dict.fromkeys(whole, "Int64"), "contingency_left": "float64", "net": "float64"})
    held = table["contingency_left"]
    table["exposure_ratio"] = table["net"] / held.where(held.gt(0))
    table["reason"] = table["reason"].astype("object").fillna("")
    table["money_reason"] = table["reason"].mask(table["reason"].eq(""), "nothing quantified")
    table["contingency_reason"] = "none is known"
    return table.assign(currency=one_currency(ours["currency"], what="risk registers"))


def _left(projects: pd.DataFrame, *, reserves: pd.DataFrame) -> dict[str, float]:
    """Return, by period, the contingency left in all projects where it is known."""
    places, book = (rows.assign(project_id=rows["period"] + "|" + rows["project_id"]) for rows in (projects, reserves))
    held = contingency_left(places, reserves=book)
    periods = held["project_id"].str.partition("|")[0]
    amounts = held["contingency_left"].astype("float64").groupby(periods)
    return {str(period): float(each.sum(min_count=1)) for period, each in amounts}


def _counts(risks: pd.DataFrame, *, appetite_grades: tuple[str, ...]) -> dict[str, Any]:
    threats, chances = risks["kind"].eq("threat"), risks["kind"].eq("opportunity")
    above = risks["grade"].notna() & ~risks["grade"].isin(appetite_grades) & ~chances
    money = risks["expected_money"]
    return {
        "risks_open": len(risks),
        "threats_open": int(threats.sum()),
        "opportunities_open": int(chances.sum()),
        "above_appetite": int(above.sum()),
        "risks_unquantified": int(money.isna().sum()),
        "threats": money[threats].sum(min_count=1),
        "opportunities": money[chances].sum(min_count=1),
        "net": money.sum(min_count=1) if len(risks) else 0.0,
        "expected_days": risks["expected_days"].sum(min_count=1),
        "reason": "",
    }


def burn_down(scored: pd.DataFrame, *, period: str, rules: RiskRules) -> pd.DataFrame:
    """Return exposure by period beside what an earlier register promised, and what this one promises.

    Parameters
    ----------
    scored
        As :func:`pmo_lib.metrics.risk.scored_risks` returns it, over the periods.
    period
        The report's own.
    rules
        Scales, by which a target has a value.

    Returns
    -------
    DataFrame
        :data:`BURN_COLUMNS`: one row per register from the baseline on (the first of the last twelve months), and one
        per month to come. ``actual`` is the net exposure of all open risks; ``followed`` of those of the baseline
        only; ``promised`` what the baseline's register planned for them by that day; ``gap`` = followed − promised,
        positive is behind; ``planned`` what this register plans. Empty if nothing is quantified in this register.

    Raises
    ------
    ReportError
        Several currencies.
    """
    ours = with_stances(scored[scored["ours"]], rules=rules)
    now = ours[ours["period"].eq(period)]
    if now["expected_money"].where(now["open"]).notna().sum() == 0:
        return pd.DataFrame(columns=BURN_COLUMNS)
    currency = one_currency(ours.loc[ours["expected_money"].notna(), "currency"], what="risk registers")
    since = str(pd.Period(period, "M") - MONTHS_BACK)
    baseline = ours.loc[ours["period"].ge(since), "period"].min()
    then = ours[ours["period"].eq(baseline) & ours["open"]]
    rows = []
    for each, register in ours[ours["period"].between(baseline, period)].groupby("period", sort=True):
        on, risks = register["status_date"].max(), register[register["open"]]
        followed = risks[risks["risk_id"].isin(then["risk_id"])]["expected_money"].sum()
        promised = then["expected_money"].sum() if each == baseline else planned_exposure(then, on=on)
        rows.append({"on": on, "actual": risks["expected_money"].sum(), "followed": followed, "promised": promised})
    risks = now[now["open"]]
    today = rows[-1]["on"]
    rows[-1]["planned"] = rows[-1]["actual"]
    last = risks.loc[risks["expected_target"].notna(), "proximity_on"].max()
    for month in range(1, MONTHS_AHEAD + 1):
        on = today + pd.offsets.MonthEnd(month)
        rows.append({"on": on, "planned": planned_exposure(risks, on=on)})
        if pd.isna(last) or on >= last:
            break
    table = pd.DataFrame(rows).assign(
        risks_followed=int((risks["risk_id"].isin(then["risk_id"])).sum()),
        risks_promised=len(then),
        baseline=baseline,
        currency=currency,
    )
    table["gap"] = table["followed"] - table["promised"]
    table["reason"] = pd.Series("still to come", index=table.index).where(table["on"].gt(today), "past")
    return table.reindex(columns=BURN_COLUMNS)


def planned_exposure(risks: pd.DataFrame, *, on: pd.Timestamp) -> float:
    """Return the expected money of risks on a day if each is at its target from the day on which it may strike.

    ``risks`` have ``expected_money, expected_target, proximity_on``; without money a risk is in no sum.
    """
    due = risks["proximity_on"].le(on) & risks["expected_target"].notna()
    return float(risks["expected_money"].mask(due, risks["expected_target"]).sum())
