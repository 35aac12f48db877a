"""Sentences on risk over time: trend, burn-down, responses, overlaps, issues and promises between projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.theme import counted, money, month, number

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = 3


def _some(names: Iterable[Any]) -> str:
    words = [str(name) for name in names]
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more


def trend_sentence(trend: pd.DataFrame) -> str:
    """Say how number and exposure moved from the first register to this one; see ``metrics.risk_trend``."""
    told = trend[trend["reason"].eq("")]
    silent = len(trend) - len(told)
    last, currency = told.iloc[-1], str(trend["currency"].iloc[0])
    text = f"{counted(int(last['risks_open']), noun='risk')} open in {month(last['period'])}"
    if len(told) > 1:
        first = told.iloc[0]
        text += f", {int(first['risks_open'])} in {month(first['period'])}; {number(told['came'].sum())} came and "
        text += f"{number(told['went'].sum())} went between"
        if pd.notna(first["net"]) and pd.notna(last["net"]):
            text += f"; net exposure {money(first['net'], currency=currency)} then and "
            text += f"{money(last['net'], currency=currency)} now"
    if pd.notna(last["exposure_ratio"]):
        text += f", {number(last['exposure_ratio'], decimals=2)} times the contingency left"
    return f"{text}." + (f" {counted(silent, noun='period')} without a register." if silent else "")


def burn_sentence(burn: pd.DataFrame) -> str:
    """Say whether exposure burns down as planned; see ``metrics.risk_trend.burn_down``."""
    past, ahead = burn[burn["actual"].notna()], burn[burn["actual"].isna()]
    last, currency = past.iloc[-1], str(burn["currency"].iloc[0])
    since = month(str(last["baseline"]))
    if len(past) > 1:
        text = (
            f"Of {counted(int(last['risks_promised']), noun='risk')} open in {since}, {last['risks_followed']} still "
        )
        text += f"are: {money(last['followed'], currency=currency)} net, {money(last['promised'], currency=currency)} "
        gap = round(float(last["gap"]), 2)
        text += "planned, which is " + (f"{money(abs(gap), currency=currency)} {'behind' if gap > 0 else 'ahead'}"
                                        if gap else "on plan")  # fmt: skip
        text += f". The risks that came since add {money(last['actual'] - last['followed'], currency=currency)}. "
    else:
        text = "This is the first register of the last twelve months, so no earlier plan is to be kept. "
    end = ahead.iloc[-1] if len(ahead) else last
    planned, by = money(end["planned"], currency=currency), month(end["on"].strftime("%Y-%m"))
    return f"{text}By its own targets this register comes to {planned} by {by}."


def responses_sentence(responses: pd.DataFrame) -> str:
    """Say which responses work, what they bring and what they cost; see ``metrics.responses.responses``."""
    counts = responses["verdict"].value_counts(sort=False)
    words = "; ".join(f"{verdict}: {count}" for verdict, count in counts.items())
    text = f"{words[:1].upper()}{words[1:]}."
    paid = responses[responses["leverage"].notna()]
    if len(paid):
        cost, currency = paid["response_cost"].sum(), str(responses["currency"].iloc[0])
        so_far, to_come = paid["value_so_far"].sum(), paid["value_to_come"].sum()
        dear = int(paid["leverage"].lt(1).sum())
        text += f" Where value and cost are known ({counted(len(paid), noun='risk')}), responses for "
        text += f"{money(cost, currency=currency)} have brought {money(so_far, currency=currency)} and are to bring "
        text += f"{money(to_come, currency=currency)} more: leverage {number(so_far / cost, decimals=2)} so far and "
        text += f"{number((so_far + to_come) / cost, decimals=2)} at the targets; {dear} cost more than they bring."
    stuck = responses[responses["verdict"].isin(("worse than before", "no effect so far"))]
    return text + (f" To be asked about: {_some(stuck['risk_id'])}." if len(stuck) else "")


def overlaps_sentence(overlaps: pd.DataFrame) -> str:
    """Say what is counted twice, and which cause moves most; see ``metrics.overlaps.overlaps``."""
    twice = overlaps[overlaps["link"].str.startswith("one event")]
    causes, currency = overlaps.drop(twice.index), str(overlaps["currency"].iloc[0])
    parts = []
    if len(twice):
        sums = money(twice["counted_twice"].sum(), currency=currency)
        parts.append(f"{counted(len(twice), noun='event')} told more than once, {sums} counted twice")
    if len(causes):
        parts.append(f"{counted(len(causes), noun='cause')} with several risks, which may strike together")
        parts.append(f"the largest is “{causes['words'].iloc[0]}” ({causes['risk_ids'].iloc[0]})")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def issues_sentence(issues: pd.DataFrame) -> str:
    """Say how many issues are open, block and are overdue; see ``metrics.blockers.open_issues``."""
    blockers, late = issues[issues["blocker"]], issues["overdue_days"].gt(0)
    text = f"{counted(len(issues), noun='issue')} open, {int(late.sum())} of them overdue"
    if blockers.empty:
        return f"{text}; none is a blocker."
    oldest = blockers.iloc[0]
    age = "" if pd.isna(oldest["age_days"]) else f", {number(oldest['age_days'])} days"
    text += f"; {counted(len(blockers), noun='blocker')}, the oldest {oldest['issue_id']} “{oldest['title']}”{age}"
    idle = blockers[blockers["actions_open"].eq(0)]
    return f"{text}." + (f" Nobody acts on {_some(idle['issue_id'])}." if len(idle) else "")


def escalations_sentence(escalations: pd.DataFrame) -> str:
    """Say how many open issues stand at which level; see ``metrics.blockers.escalations``."""
    here = escalations[escalations["issues_open"].gt(0)]
    if here.empty:
        return "No issue is open at any level."
    words = [f"{row['issues_open']} at {row['escalation_level']} ({row['blockers']} blocking)"
             for row in here.to_dict("records")]  # fmt: skip
    return f"Open issues: {', '.join(words)}."


def promises_sentence(promises: pd.DataFrame) -> str:
    """Say which dependencies are at risk, and why; see ``metrics.blockers.dependencies_at_risk``."""
    late = int(promises["float_days"].lt(0).sum())
    alone = int(promises["agreement"].ne("both sides").sum())
    apart = int((~promises["sides"].isin(("one return for both", "same item and days"))).sum())
    first = promises.iloc[0]
    text = (
        f"{counted(len(promises), noun='dependency', plural='dependencies')} at risk: {late} promised after the need, "
    )
    text += f"{alone} not agreed by both sides, {apart} told by one return only or differently by the two"
    return f"{text}. First: “{first['item']}” from {first['provider']} to {first['recipient']} ({first['trouble']})."
