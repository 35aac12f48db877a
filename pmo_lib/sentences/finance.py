"""Sentences of the financial outlook, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.theme import counted, money, month, number, share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

RUN = 4
CAUSES = {
    "withheld": "are withheld now", "range only": "give a range only", "not returned": "returned no figure",
    "no figure given": "have no single figure any more",
}  # fmt: skip
PLAN_CAUSES = {
    "approved changes": "approved changes of the budget", "transfers": "transfers",
    "spent to date": "spending to date against budget", "to come": "months to come against budget",
    "not split by month": "figures of the year only",
}  # fmt: skip


def levels_sentence(levels: pd.DataFrame) -> str:
    """Say how the year will end, what is behind it, and that the levels reconcile; see ``metrics.outlook.levels``."""
    total = levels.iloc[0]
    said = [_verdict(total), _coverage(total), _basis(total), _reconciled(levels)]
    return " ".join(part for part in said if part)


def phased_sentence(phased: pd.DataFrame) -> str:
    """Say how far spending is ahead of or behind the plan to date; see ``metrics.outlook.phased``."""
    closed = phased[phased["closed"]]
    last = phased.iloc[-1]
    whole = f"the outlook for the year is {_money(last, column='outlook_cumulative')}"
    if closed.empty:
        return f"No month of the year has actuals yet; {whole}."
    now = closed.iloc[-1]
    gap = now["outlook_cumulative"] - now["plan_cumulative"]
    planned = f", {_apart(gap, currency=now['currency'])} the plan to date" if pd.notna(gap) else ""
    spent = _money(now, column="outlook_cumulative")
    said = f"To {month(now['month'])} {spent} was spent, accruals included{planned}; {whole}."
    if last["not_phased"]:
        said += f" {_money(last, column='not_phased')} of it is known for the year only and not in the chart."
    return said + _fanned(last) + (" Provisional: the last month has no actuals yet." if last["provisional"] else "")


def _fanned(last: pd.Series) -> str:
    """Say where the year may end, where that was simulated."""
    if pd.isna(last.get("p80_cumulative")):
        return ""
    ends = [_money(last, column=f"{name}_cumulative") for name in ("p50", "p80")]
    trials = number(last["fan_trials"])
    return f" Simulated ({trials} trials), P50 is {ends[0]} and P80 {ends[1]}, without risks that may strike."


def run_rates_sentence(rates: pd.DataFrame) -> str:
    """Compare the spending a month so far with what the budget leaves; see ``metrics.outlook.run_rates``."""
    told = {str(row["name"]): row for row in rates.to_dict("records")}
    so_far, needed, whole = (told[name] for name in ("run_rate", "required_run_rate", "run_rate_outlook"))
    if pd.isna(so_far["value"]):
        return f"No run-rate: {so_far['reason']}."
    said = f"Spending runs at {_value(so_far)} a month"
    said += f", which makes {_value(whole)} in a year" if pd.notna(whole["value"]) else ""
    if pd.isna(needed["value"]):
        return f"{said}; what the budget leaves for each month to come is not computed: {needed['reason']}."
    return f"{said}; the budget leaves {_value(needed)} for each month to come."


def years_sentence(years: pd.DataFrame) -> str:
    """Say how the last year stands against plan, and how often spending stayed below; see ``metrics.cost.years``."""
    last = years.iloc[-1]
    if not last["paired"]:
        return f"In {last['year']} no project has both a plan and an outlook."
    gap = _apart(last["variance"], currency=last["currency"])
    off = share(last["variance_share"], signed=True, decimals=1)
    count = counted(int(last["projects"]), noun="project")
    outlook = _money(last, column="outlook")
    said = f"In {last['year']} the outlook of {outlook} is {gap} the plan ({off}), over {last['paired']} of {count}"
    known = years[years["variance_share"].notna()]
    below = int(known["variance_share"].lt(0).sum())
    if len(known) == 1:
        return said + "."
    return f"{said}; spending was below plan in {below} of {len(known)} years."


def plan_bridge_sentence(steps: pd.DataFrame) -> str:
    """Say what moved the year's outlook away from its plan; see ``metrics.outlook.plan_bridge``."""
    first, last = steps.iloc[0], steps.iloc[-1]
    changes = steps[steps["kind"].eq("project")]
    gap = last["amount"] - first["amount"]
    rows = counted(int(first["projects"]), noun="row")
    said = f"The outlook is {_apart(gap, currency=first['currency'])} the plan of the {rows} with both"
    if changes.empty:
        return f"{said}; no project differs from its plan."
    named = "; ".join(f"{row['step']} {_signed(row)}" for row in changes.head(2).to_dict("records"))
    return f"{said}; the largest steps are {named}. The steps sum to the penny."


def plan_causes_sentence(steps: pd.DataFrame) -> str:
    """Say what lies between the year's plan and its outlook; see ``metrics.outlook.plan_causes``."""
    first, last = steps.iloc[0], steps.iloc[-1]
    causes = steps[steps["kind"].eq("cause") & steps["amount"].ne(0)]
    said = f"From the plan of {_money(first, column='amount')} to the outlook of {_money(last, column='amount')}"
    if causes.empty:
        return f"{said}: nothing moved."
    parts = ", ".join(
        f"{PLAN_CAUSES.get(str(row['step']), row['step'])} {_signed(row)}" for row in causes.to_dict("records")
    )
    return f"{said}: {parts}. Transfers between projects of this portfolio net to 0; the parts sum to the penny."


def causes_sentence(steps: pd.DataFrame) -> str:
    """Split the movement of a total by cause; see ``metrics.bridge.bridge_steps``."""
    first, last = steps.iloc[0], steps.iloc[-1]
    causes = steps[steps["kind"].eq("cause") & steps["amount"].ne(0)]
    known = counted(int(first["valued"]), noun="project")
    before, now = _money(first, column="amount"), _money(last, column="amount")
    said = f"From {before} ({known} with a figure) to {now} ({last['valued']})"
    if not last["valued"]:
        said = f"From {before} ({known} with a figure) to no figure at all"
    if causes.empty:
        return f"{said}: nothing moved."
    parts = ", ".join(
        f"{CAUSES.get(str(row['step']), row['step'])} {_signed(row)} ({row['projects']})"
        for row in causes.to_dict("records")
    )
    rebased = money(
        causes.loc[causes["step"].eq("re-based"), "amount"].sum(), currency=str(first["currency"]), signed=True
    )
    said = f"{said}: {parts}. Only re-based is a change of cost like for like: {rebased}."
    silent = causes["step"].isin(["not returned", "returned again"]).any()
    return f"{said} What is not returned is no fall, nor its return a rise." if silent else said


def whole_life_sentence(rows: pd.DataFrame) -> str:
    """Say which figure is compared, on which price base, and whose changed most; see ``metrics.cost.whole_life``."""
    forecast = str(rows["basis"].iloc[0]).endswith("forecast")
    base = str(rows["price_base"].iloc[0]) or "not stated by the source"
    said = f"Compared is the {'forecast' if forecast else 'baseline (approved)'} whole-life cost; price base: {base}."
    rebased = rows[rows["since_cause"].eq("re-based")]
    if rebased.empty:
        return said
    largest = rebased.loc[rebased["since_amount"].abs().sort_values(kind="stable").index].iloc[-1]
    up = int(rebased["since_amount"].gt(0).sum())
    return (
        f"{said} Of {counted(len(rebased), noun='re-based project')} {up} went up; the largest is {largest['name']} "
        f"({money(largest['since_amount'], currency=str(largest['currency']), signed=True)})."
    )


def in_year_sentence(in_year: pd.DataFrame) -> str:
    """Say how many projects spend below plan, and how many do so year after year; see ``metrics.cost.in_year``."""
    known = in_year[in_year["variance_share"].notna()]
    under, over = int(known["variance"].lt(0).sum()), int(known["variance"].gt(0).sum())
    said = f"{under} of {counted(len(known), noun='project')} with both figures below plan, {over} above"
    silent = len(in_year) - int(in_year["paired"].sum())
    if silent:
        said += f"; {silent} without both figures"
    long = in_year[in_year["years_known"].ge(RUN)]
    if len(long):
        habit = int(long["years_under"].ge(RUN).sum())
        were = "was" if habit == 1 else "were"
        said += (
            f"; of {len(long)} known for {RUN} years running, {habit} {were} below by more than the tolerance in all"
        )
    return said + "."


def under_sentence(underspends: pd.DataFrame) -> str:
    """Say how many large underspends left the promised end where it was; see ``metrics.cost.underspends``."""
    known = underspends[underspends["moved_days"].notna()]
    kept = int(known["kept"].sum())
    said = f"{counted(len(underspends), noun='large underspend')} in the years reported"
    if known.empty:
        return f"{said}; none has end dates to compare."
    return (
        f"{said}; of {len(known)} with end dates to compare, {kept} kept or advanced the date: "
        "less was spent than planned, and the same end or an earlier one is promised."
    )


def trend_sentence(trend: pd.DataFrame) -> str:
    """Say how the share of published costs drifts; see ``metrics.cost.disclosure_trend``."""
    first, last = trend.iloc[0], trend.iloc[-1]
    projects, published = counted(int(last["projects"]), noun="project"), share(last["published_share"])
    now = f"{last['published']} of {projects} ({published}) have a single published whole-life cost"
    if len(trend) == 1:
        return now + "."
    drift = last["published_share"] - first["published_share"]
    words = (
        "as in" if abs(drift) < 0.005 else f"{'up' if drift > 0 else 'down'} from {share(first['published_share'])} in"
    )
    return f"{now}, {words} {month(first['period'])}."


def _verdict(total: pd.Series) -> str:
    year, currency = total["year"], str(total["currency"])
    reference = "plan (no budget was returned)" if total["budget_basis"] == "plan" else "budget"
    if pd.isna(total["outlook"]):
        return f"No outlook for {year}: {total['outlook_reason']}."
    said = f"Outlook for {year}: {_money(total, column='outlook')}"
    if pd.isna(total["variance"]):
        return f"{said}; not compared with a {reference}: {total['variance_reason']}."
    side = "under" if total["variance"] >= 0 else "over"
    return f"{said}, {money(abs(total['variance']), currency=currency)} {side} {reference}."


def _coverage(total: pd.Series) -> str:
    paired, projects = int(total["projects_paired"]), int(total["projects"])
    if not projects:
        return ""
    covered = "all" if paired == projects else f"{paired} of"
    said = f"The variance covers {covered} {counted(projects, noun='project')} that returned finance"
    lacking = [
        f"{money(total[f'unpaired_{part}'], currency=str(total['currency']))} of {part} without {other}"
        for part, other in (("budget", "an outlook"), ("outlook", "a budget"))
        if total[f"unpaired_{part}"]
    ]
    return f"{said}; left out: {' and '.join(lacking)}." if lacking else f"{said}."


def _basis(total: pd.Series) -> str:
    if total["basis"] == "annual":
        return "The returns have figures of the year only and no actuals: the outlook is their forecast of the year."
    said = f"Actuals to {month(str(total['closed_month']))}" if pd.notna(total["closed_month"]) else "No actuals yet"
    if total["basis"] == "mixed":
        said += "; some rows have figures of the year only"
    said += "; provisional: the last month is not closed." if total["provisional"] else "."
    return f"{said} Converted: {total['rates']}." if total["rates"] else said


def _reconciled(levels: pd.DataFrame) -> str:
    below = ["programmes"] if levels["level"].eq("programme").any() else []
    parts = " and of its ".join([*below, "projects"])
    return f"The levels reconcile to the penny: the portfolio is the sum of its {parts}."


def _money(row: pd.Series, *, column: str) -> str:
    return money(row[column], currency=str(row["currency"]))


def _signed(row: Mapping[Any, Any]) -> str:
    return money(row["amount"], currency=str(row["currency"]), signed=True)


def _value(row: Mapping[Any, Any]) -> str:
    return money(row["value"], currency=str(row["unit"]))


def _apart(gap: float, *, currency: object) -> str:
    if not gap:
        return "exactly"
    return f"{money(abs(gap), currency=str(currency))} {'above' if gap > 0 else 'below'}"
