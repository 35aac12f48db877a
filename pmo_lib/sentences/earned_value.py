"""Sentences of earned value, written by rule: same figures, same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.theme import counted, day, money, number, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMED = 3
KINDS = {"cost": "Cost", "time": "Time"}
NO_CLASS = "no class"
BANDS = ("10–30%", "30–60%", "60–90%")


def months_sentence(months: pd.DataFrame) -> str:
    """Say what is earned for what is planned and spent, and how late that is; see ``metrics.earned.months``."""
    last = months[months["known"]].iloc[-1]
    planned, earned, spent = (
        _money(last, column=f"{name}") for name in ("planned_value", "earned_value", "actual_cost")
    )
    said = f"To {day(last['status_on'])} {earned} is earned, for {planned} planned and {spent} spent: {_index(last)}."
    behind = last["behind_months"]
    if pd.notna(behind):
        side = "behind the plan" if behind > 0 else "ahead of it"
        said += f" The work that is done was planned to be done by {day(last['earned_on'])}, "
        said += f"{number(abs(behind), decimals=1)} months {side}."
    said += f" {int(last['projects'])} of {counted(int(last['projects_asked']), noun='project')} with figures."
    again = int(months["rebaselined"].sum())
    if again:
        verb = "lies" if again == 1 else "lie"
        said += f" {counted(again, noun='re-baseline')} {verb} on the way: indices before and after are not comparable."
    return said


def cost_sentence(units: pd.DataFrame) -> str:
    """Say how far the estimates of the whole reach, and who is above budget; see ``metrics.earned.units``."""
    whole, projects = units.iloc[0], units[units["level"].eq("project")]
    rules = [name for name in units.columns if name.startswith("eac_") and not name.endswith("_reason")]
    known = whole[rules].dropna().astype("float64")
    said = []
    if len(known):
        low, high = (money(value, currency=str(whole["currency"])) for value in (known.min(), known.max()))
        said.append(
            f"The estimates at completion reach from {low} to {high}, for a budget of {_money(whole, column='budget')}."
        )
    cpi = projects["cpi"].dropna()
    if len(cpi):
        verb = "has" if len(cpi) == 1 else "have"
        said.append(f"{int(cpi.lt(1).sum())} of {counted(len(cpi), noun='project')} {verb} a CPI below 1.")
    above = projects[projects["flags"].str.contains("above the limit")]
    said.append(
        _listed(
            "To be back on budget or on time, more would have to be done from now on than is usual", names=above["name"]
        )
    )
    low_own = projects[projects["flags"].str.contains("below the recent trend")]
    said.append(_listed("Management's estimate is below what the last months point to", names=low_own["name"]))
    silent = projects[projects["reason"].ne("")]
    told = (f"{name} ({reason})" for name, reason in zip(silent["name"], silent["reason"], strict=True))
    said.append(_listed("In no sum", names=told))
    return " ".join(part for part in said if part)


def time_sentence(units: pd.DataFrame) -> str:
    """Say when the work would finish at the pace so far, and whose forecast is earlier."""
    whole, projects = units.iloc[0], units[units["level"].eq("project")]
    said = []
    if pd.notna(whole["es_spi_t_on"]):
        said.append(
            f"At the pace so far the last of the work finishes on {day(whole['es_spi_t_on'])}; planned is "
            f"{day(whole['planned_finish_on'])}."
        )
    later = projects[projects["forecast_gap_days"].gt(0)].sort_values(
        "forecast_gap_days", ascending=False, kind="stable"
    )
    known = int(projects["forecast_gap_days"].notna().sum())
    if known:
        gaps = (
            f"{name} (by {counted(int(gap), noun='day')})"
            for name, gap in zip(later["name"], later["forecast_gap_days"], strict=True)
        )
        head = f"{len(later)} of {counted(known, noun='project')} would finish after the forecast that was returned"
        said.append(_listed(head, names=gaps) or f"{head}.")
    said.append("Earned schedule says nothing about the critical path: read it beside the forecast.")
    return " ".join(said)


def units_sentence(units: pd.DataFrame) -> str:
    """Say what the whole has earned, and which portfolios are above cost and behind; see ``metrics.across.units``."""
    whole, portfolios = units.iloc[0], units[units["level"].eq("portfolio")]
    said = f"{_money(whole, column='earned_value')} is earned, for {_money(whole, column='planned_value')} planned and "
    said += f"{_money(whole, column='actual_cost')} spent: {_index(whole)}."
    if pd.notna(whole["variance_at_completion"]):
        over = whole["variance_at_completion"] < 0
        size = money(abs(whole["variance_at_completion"]), currency=str(whole["currency"]))
        said += f" If cost goes on as so far, the work ends {size} {'above' if over else 'below'} its budget."
    late = portfolios[portfolios["cpi"].lt(1) & portfolios["spi_t"].lt(1)].sort_values("cpi", kind="stable")
    told = _listed("Above cost and behind the plan", names=late["name"])
    return " ".join([said, told] if told else [said])


def bands_sentence(bands: pd.DataFrame) -> str:
    """Say which rule to believe, for cost and for time, and on what ground; see ``metrics.backtest.error_bands``."""
    finished = int(bands["projects"].max())
    said = [f"Tested on {counted(finished, noun='finished project')}."]
    for kind, rows in bands[bands["advised"]].groupby("kind", sort=True):
        own = rows[rows["basis"].eq("own history") & rows["band"].isin(BANDS)]
        if len(own):
            parts = (f"{row['written']} at {row['band']} complete" for row in own.to_dict("records"))
            said.append(f"{KINDS[str(kind)]}: our own history speaks for {', '.join(parts)}.")
        borrowed = rows[rows["basis"].eq("borrowed") & rows["band"].isin(BANDS)]
        if len(borrowed):
            first = borrowed.iloc[0]
            few = f"fewer than {int(first['limit'])} finished projects{'' if own.empty else ' elsewhere'}"
            said.append(f"{KINDS[str(kind)]}: {few}, so {first['written']} is borrowed ({first['source']}).")
        best = bands[bands["kind"].eq(kind) & bands["lowest"] & bands["band"].eq("every status date")]
        if len(best) and len(borrowed):
            row = best.iloc[0]
            said.append(f"So far {row['written']} was nearest (mean error {share(row['mean_error'], decimals=1)}).")
    return " ".join(said)


def past_sentence(horizons: pd.DataFrame) -> str:
    """Say how far off outlooks were, early and late in the year; see ``metrics.accuracy.by_horizon``."""
    known = horizons[horizons["wape"].notna()]
    if known.empty:
        return f"No accuracy: {horizons['reason'].iloc[0]}."
    first, last = known.iloc[0], known.iloc[-1]
    years = counted(int(known["years"].max()), noun="finished year")
    said = f"Over {years}: {_ahead(first)} outlooks were {share(first['wape'], decimals=1)} off"
    if len(known) > 1:
        said += f", {_ahead(last)} {share(last['wape'], decimals=1)}"
    bias = known["bias"].dropna()
    side = "too high" if bias.gt(0).all() else "too low" if bias.lt(0).all() else "now too high, now too low"
    return f"{said}; the total was {side} (bias {share(first['bias'], signed=True, decimals=1)} at first)."


def _ahead(row: Mapping[str, Any] | pd.Series) -> str:
    return f"{counted(int(row['months_ahead']), noun='month')} ahead"


def _index(row: pd.Series) -> str:
    parts = ((name, row[column]) for name, column in (("CPI", "cpi"), ("SPI(t)", "spi_t")))
    return ", ".join(f"{name} {number(value, decimals=2)}" for name, value in parts)


def _listed(head: str, *, names: Iterable[str]) -> str:
    """Return the head with the first few names and how many more there are; ``""`` without any."""
    found = [str(name) for name in names]
    if not found:
        return ""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{head}: {', '.join(found[:NAMED])}{more}."


def _money(row: pd.Series, *, column: str) -> str:
    return money(row[column], currency=str(row["currency"]))


def class_sentence(classes: pd.DataFrame) -> str:
    """Say what the class adds to the first estimates, and what the forecasts do; see ``metrics.reference_classes``."""
    rows = classes.to_dict("records")
    reasons = {str(row["reason"]) for row in rows if row["basis"] == NO_CLASS}
    if len(reasons) == 1 and all(row["basis"] == NO_CLASS for row in rows):
        said = [f"No class to hold estimates against: {reasons.pop()}."]
        return " ".join([*said, *(f"{_measure(row)}: {so_far}." for row in rows if (so_far := _so_far(row)))])
    return " ".join(_class_said(row) for row in rows)


def _class_said(row: Mapping[Any, Any]) -> str:
    if row["basis"] == NO_CLASS:
        said = f"no class to hold estimates against ({row['reason']})"
    elif pd.notna(row["p80"]):
        p50, p80 = (share(row[name], signed=True) for name in ("p50", "p80"))
        said = f"of {counted(int(row['projects']), noun='finished project')} of our own P50 is {p50}, P80 {p80}"
    else:
        bound = share(row["upper_bound"], signed=True)
        said = f"borrowed upper bound {bound} ({row['class_name']}; {row['reason']})"
    said = "; ".join(filter(None, (said, _so_far(row))))
    if pd.notna(row["with_class"]):
        first, uplifted, told = (_money(pd.Series(row), column=name) for name in ("estimate", "with_class", "forecast"))
        said += f". Their first estimates of {first} would become {uplifted}, their forecasts say {told}"
    return f"{_measure(row)}: {said}."


def _measure(row: Mapping[Any, Any]) -> str:
    return str(row["measure"]).capitalize()


def _so_far(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["growth_so_far"]):
        return ""
    running = counted(int(row["running"]), noun="running project")
    return f"the forecasts of {running} have {share(row['growth_so_far'], signed=True)} so far (median)"
