"""Sentences of financial control: reserves, tests of the return, actions, decisions."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pmo_lib.theme import counted, day, money, number, share

CONTINGENCY, RESERVE = "contingency", "management_reserve"


def positions_sentence(positions: pd.DataFrame) -> str:
    """Say what is left, and whether it will do; see ``metrics.contingency.positions``."""
    whole = {str(row["kind"]): row for row in positions[positions["project_id"].isna()].to_dict("records")}
    projects = positions[positions["project_id"].notna() & positions["kind"].eq(CONTINGENCY)]
    said = []
    if CONTINGENCY in whole:
        said += [_left(whole[CONTINGENCY], what="contingency"), _cover(whole[CONTINGENCY])]
    if RESERVE in whole:
        said.append(_left(whole[RESERVE], what="management reserve, kept apart,"))
    fast, short = projects["burn"].isin(["amber", "red"]), projects["flags"].ne("")
    if projects["burn_ratio"].notna().any():
        burning = counted(int(fast.sum()), noun="project") if fast.any() else "No project"
        said.append(f"{burning} used contingency faster than the work is done, beyond the limit.")
    if short.any():
        names = ", ".join(f"{row['name']} ({row['flags']})" for row in projects[short].head(3).to_dict("records"))
        more = int(short.sum()) - 3
        said.append(f"To be explained: {names}{f' and {more} more' if more > 0 else ''}.")
    return " ".join(said)


def book_sentence(entries: pd.DataFrame) -> str:
    """Say how much was drawn, and which draws lack a reason; see ``metrics.contingency.book_of_reserves``."""
    drawn = entries[entries["movement"].eq("drawn")]
    if drawn.empty:
        return "Nothing was drawn so far."
    odd = drawn[drawn["flags"].ne("")]
    last = drawn.iloc[-1]
    amount = money(drawn["amount"].sum(), currency=str(last["currency"]))
    said = f"{counted(len(drawn), noun='draw')} of {amount} in all, the last on {day(last['booked_on'])}"
    named = "each names its change or risk" if odd.empty else f"{len(odd)} of them need an explanation"
    return f"{said}; {named}."


def tests_sentence(findings: pd.DataFrame) -> str:
    """Say how many tests found something, and which were not made; see ``metrics.hygiene.findings``."""
    tests = findings.drop_duplicates("test")
    made = tests[tests["found"].notna()]
    hit = made[made["found"].gt(0)]
    said = f"{len(made)} of {counted(len(tests), noun='test')} could be made"
    if hit.empty:
        said += "; none found anything"
    else:
        parts = ", ".join(f"{row['test']} ({row['found']})" for row in hit.to_dict("records"))
        said += f"; {counted(int(hit['found'].sum()), noun='finding')}: {parts}"
    silent = len(tests) - len(made)
    return f"{said}. {silent} not made for want of data: not the same as passed." if silent else f"{said}."


def cost_types_sentence(types: pd.DataFrame) -> str:
    """Say what share of the outlook is capital; see ``metrics.outlook.cost_types``."""
    capital = types[types["cost_type"].eq("capex")]
    if capital.empty or pd.isna(capital["outlook_share"].iloc[0]):
        return "No amount is marked as capital."
    spent, planned = (share(capital[f"{part}_share"].iloc[0], decimals=1) for part in ("outlook", "budget"))
    return f"Capital is {spent} of the outlook and {planned} of the budget."


def corrective_actions_sentence(actions: pd.DataFrame) -> str:
    """Say how many overspends have an action; see ``metrics.followup.corrective_actions``."""
    projects, idle = actions["project_id"].nunique(), actions.loc[actions["reason"].ne(""), "project_id"].nunique()
    late = int(actions["overdue_days"].gt(0).sum())
    said = f"{counted(projects, noun='project')} above budget by more than the tolerance; {idle} without an open action"
    return f"{said}; {counted(late, noun='action')} past due."


def next_decisions_sentence(dates: pd.DataFrame) -> str:
    """Say which decision comes next, and how many are past; see ``metrics.followup.next_decisions``."""
    past, ahead = dates[dates["days"].lt(0)], dates[dates["days"].ge(0)]
    said = f"{counted(len(dates), noun='decision or gate', plural='decisions and gates')}, {len(past)} past their day"
    if ahead.empty:
        return f"{said}; none to come within the horizon."
    first = ahead.iloc[0]
    project = f", {first['name']}" if pd.notna(first["name"]) else ""
    return f"{said}; next is {first['subject']}{project}, on {day(first['due_on'])}."


def _left(row: dict[Any, Any], *, what: str) -> str:
    currency = str(row["currency"])
    left, approved = (money(row[name], currency=currency) for name in ("remaining", "approved"))
    used = row["used_share"]
    part = f", {share(used)} used" if pd.notna(used) else ""
    return f"{left} of {approved} {what} is left{part}."


def _cover(row: dict[Any, Any]) -> str:
    if pd.isna(row["adequacy"]):
        return f"Whether it will do is not known: {row['adequacy_reason']}."
    exposure = money(row["expected_money"], currency=str(row["currency"]))
    times = number(row["adequacy"], decimals=1)
    return f"It is {times} times the expected value of the open risks, {exposure}."
