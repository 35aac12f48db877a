"""Sentences of a simulation: how likely the budget is, what drives the risk, and how far it may be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.theme import counted, money, number, share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def chance_sentence(levels: pd.DataFrame) -> str:
    """Say P50 and P80, the chance of the budget, and why P80s do not add up; see ``metrics.chance.levels``."""
    whole = levels.iloc[0]
    currency = str(whole["currency"])
    said = f"P50 is {_money(whole, name='p50')}, P80 {_money(whole, name='p80')}"
    above = money(abs(whole["p80_above"]), currency=currency)
    said += f": {above} {'above' if whole['p80_above'] > 0 else 'below'} the forecast, before any contingency."
    if pd.notna(whole["chance_of_budget"]):
        count = counted(int(whole["budgeted"]), noun="project")
        said += f" The {count} with a budget stay within it together in {_trials(whole)}."
    gap = whole["sum_p80"] - whole["p80"]
    said += (
        f" The P80s of the projects would add up to {_money(whole, name='sum_p80')}, "
        f"{money(gap, currency=currency)} more: not all go wrong in the same trial, so percentiles are never added."
    )
    return f"{said} {_trust(whole)}{_left_out(levels)}"


def drivers_sentence(drivers: pd.DataFrame) -> str:
    """Name what moves P80 most; see ``metrics.chance.drivers``."""
    known = drivers[drivers["moves_p80"].notna()]
    silent = int(drivers["moves_p80"].isna().sum())
    said = "No driver is priced." if known.empty else _largest(known)
    return (
        f"{said} {counted(silent, noun='open risk')} with neither price nor delay {_is(silent)} in no figure."
        if silent
        else said
    )


def critical_sentence(tasks: pd.DataFrame) -> str:
    """Say how many tasks always drive the finish, and which may come to; see ``metrics.chance.critical_tasks``."""
    always = int(tasks["criticality"].ge(1).sum())
    some = tasks[tasks["criticality"].gt(0) & tasks["criticality"].lt(1)]
    projects = counted(tasks["project_id"].nunique(), noun="network")
    said = f"Over {projects}, {always} of {counted(len(tasks), noun='task')} to go drive the finish in every trial"
    if some.empty:
        return f"{said}; no other ever does."
    first = some.sort_values("criticality", ascending=False, kind="stable").iloc[0]
    return f"{said}, {len(some)} in some: most often {first['name']} ({share(first['criticality'])})."


def _largest(known: pd.DataFrame) -> str:
    first = known.iloc[0]
    named = "; ".join(_named(row) for row in known.head(3).to_dict("records"))
    p80 = money(first["p80"], currency=str(first["currency"]))
    return f"The P80 of {p80} is moved most by {named}: each against the P80 without it, all else as it is."


def _named(row: Mapping[Any, Any]) -> str:
    what = f"{row['risk_id']} {row['name']}" if row["driver"] == "risk" else f"{row['name']}, {row['driver']}"
    return f"{what} ({money(row['moves_p80'], currency=str(row['currency']), signed=True)})"


def _trust(whole: pd.Series) -> str:
    width = money(whole["half_width"], currency=str(whole["currency"]))
    said = f"{number(whole['trials'])} trials, seed {number(whole['seed'])}: P80 is known to ±{width} (95 %)"
    limit = share(whole["precision"], decimals=1)
    return f"{said}, within {limit}." if whole["converged"] else f"{said}, which is not yet within {limit}."


def _left_out(levels: pd.DataFrame) -> str:
    silent, risks = int(levels["reason"].ne("").sum()), int(levels["risks_left_out"].iloc[0])
    parts = [counted(silent, noun="project") + " without a forecast"] if silent else []
    parts += [f"the direct cost of {counted(risks, noun='open risk')} without a price"] if risks else []
    return f" Not in it: {' and '.join(parts)}." if parts else ""


def _trials(whole: pd.Series) -> str:
    if whole["chance_of_budget"] in (0.0, 1.0):
        return "every trial" if whole["chance_of_budget"] else "no trial"
    return f"{share(whole['chance_of_budget'], decimals=1)} of the trials"


def _money(whole: pd.Series, *, name: str) -> str:
    return money(whole[name], currency=str(whole["currency"]))


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
