"""What is uncertain in the cost and the finish of a portfolio's projects, as tables: lines to go, and discrete risks.

A project costs what is spent, and its cost to go. The range of that is the one that the return states (low, mid, high);
where it states none, the parameters' range is assumed, and said to be. An open risk strikes with its probability, and
then costs and delays between its low and its high (GAO-20-195G); where no range is returned its most likely impact is
certain. What cannot be simulated is listed with its reason: it is left out of the model, never counted as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.distributions import faults
from pmo_lib.metrics.money import converted
from pmo_lib.metrics.risk import IMPACTS, scored_risks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.parameters.models import Organisation, SimulationRules

OVER = ("closed", "cancelled")
RETURNED, ASSUMED, SPENT = "range as returned", "range of the parameters", "nothing to go"
LINE_COLUMNS = [
    "project_id", "name", "spent", "forecast", "budget", "to_go", "low", "likely", "high", "basis", "reason",
    "finish_baseline_on", "finish_forecast_on", "currency", "source_ref",
]  # fmt: skip
RISK_COLUMNS = [
    "risk_id", "title", "project_id", "task_id", "kind", "probability", "cost_low", "cost_likely", "cost_high",
    "cost_reason", "days_low", "days_likely", "days_high", "days_reason", "currency", "source_ref",
]  # fmt: skip
POINTS = ("low", "likely", "high")
NO_FORECAST = "no whole-life cost forecast"
PROJECT_OVER = "its project is over"


def cost_lines(tables: Mapping[str, pd.DataFrame], *, settings: Organisation, period: str) -> pd.DataFrame:
    """Return the cost to go of every project that is not over.

    Parameters
    ----------
    tables
        Contract tables ``projects, states, earned_value`` of one portfolio.
    settings
        Assumed ranges, currency and rates.
    period
        Month of the status date: actual cost after it is no cost that was incurred.

    Returns
    -------
    DataFrame
        :data:`LINE_COLUMNS`, by project: ``forecast`` is the whole-life cost forecast, ``spent`` the last actual cost
        (0 where none is returned), ``to_go`` their difference, never below 0; ``low, likely, high`` are of it.
        ``budget`` is the budget at completion, else the whole-life cost baseline. A project without a forecast has a
        ``reason``.
    """
    money = ["budget_at_completion", "whole_life_cost_baseline", "whole_life_cost_forecast"]
    rows = tables["projects"]
    rows = rows[~rows["delivery_status"].isin(OVER)].sort_values("project_id", kind="stable", ignore_index=True)
    per_unit = rows["currency"].map({code: rate.per_unit for code, rate in settings.rates.items()}).fillna(1.0)
    ranges = _ranges(tables["states"], ids=rows["project_id"]).mul(per_unit, axis="index")
    rows = _converted(rows, columns=money, settings=settings)
    spent = rows["project_id"].map(
        _spent(_converted(tables["earned_value"], columns=["actual_cost"], settings=settings), period=period)
    )
    forecast = rows["whole_life_cost_forecast"].fillna(ranges["likely"])
    table = rows[["project_id", "name", "finish_baseline_on", "finish_forecast_on", "currency", "source_ref"]].assign(
        spent=spent.fillna(0.0), forecast=forecast,
        budget=rows["budget_at_completion"].fillna(rows["whole_life_cost_baseline"]),
        reason=forecast.isna().map({True: NO_FORECAST, False: ""}),
    )  # fmt: skip
    table["to_go"] = (table["forecast"] - table["spent"]).clip(lower=0.0)
    return _ranged(table, ranges=ranges, rules=settings.simulation)[LINE_COLUMNS]


def _converted(rows: pd.DataFrame, *, columns: list[str], settings: Organisation) -> pd.DataFrame:
    return converted(rows, columns=columns, rates=settings.rates, currency=settings.currency)


def _ranged(table: pd.DataFrame, *, ranges: pd.DataFrame, rules: SimulationRules) -> pd.DataFrame:
    """Add the three points of the cost to go, and where they come from."""
    stated = faults(ranges).eq("")
    assumed = {"low": 1 - rules.cost_low, "likely": 1.0, "high": 1 + rules.cost_high}
    for name in POINTS:
        returned = (ranges[name] - table["spent"]).clip(lower=0.0)
        table[name] = (table["to_go"] * assumed[name]).mask(stated, returned)
    basis = stated.map({True: RETURNED, False: ASSUMED}).mask(table["high"].eq(0), SPENT)
    table["basis"] = basis.where(table["reason"].eq(""), "")
    return table


def _ranges(states: pd.DataFrame, *, ids: pd.Series) -> pd.DataFrame:
    """Return the range that each project's forecast is returned as, if it is; its middle where no mid is given."""
    told = states[states["table_name"].eq("projects") & states["column_name"].eq("whole_life_cost_forecast")]
    told = told[told["state"].eq("range")].drop_duplicates("row_key").set_index("row_key")
    places = {"low": "low", "likely": "mid", "high": "high"}
    ends = pd.DataFrame({
        name: ids.map(pd.to_numeric(told[column], errors="coerce").to_dict()).astype("float64")
        for name, column in places.items()
    })  # fmt: skip
    return ends.assign(likely=ends["likely"].fillna((ends["low"] + ends["high"]) / 2))


def _spent(earned_value: pd.DataFrame, *, period: str) -> dict[str, float]:
    known = earned_value[earned_value["actual_cost"].notna() & earned_value["month"].le(period)]
    last = known.sort_values("month", kind="stable").drop_duplicates("project_id", keep="last")
    return dict(zip(last["project_id"], last["actual_cost"], strict=True))


def open_risks(tables: Mapping[str, pd.DataFrame], *, settings: Organisation) -> pd.DataFrame:
    """Return the open risks with the three points of what they cost and delay, signed: an opportunity saves.

    Parameters
    ----------
    tables
        Contract tables ``projects, risks`` of one portfolio.
    settings
        Rules of the register, currency and rates.

    Returns
    -------
    DataFrame
        :data:`RISK_COLUMNS`, by risk; ``project_id`` is ``""`` for the portfolio as a whole, ``task_id`` for the
        finish. Points are magnitudes in the order of size; ``cost_reason`` and ``days_reason`` say why there are none.
        Risks that cannot occur (probability 0) are left out.
    """
    projects = tables["projects"]
    if tables["risks"].empty or projects.empty:
        return pd.DataFrame(columns=RISK_COLUMNS)
    owners = projects[["portfolio_id"]].drop_duplicates().assign(currency=settings.currency)
    scored = scored_risks(tables["risks"].assign(period=""), portfolios=owners, rules=settings.risk)
    amounts = [f"{IMPACTS['money']}_{point}" for point in POINTS]
    scored = _converted(scored, columns=amounts, settings=settings)
    risks = scored[scored["open"] & ~scored["probability"].eq(0)].sort_values("risk_id", kind="stable")
    over = set(projects.loc[projects["delivery_status"].isin(OVER), "project_id"])
    rows = risks[["risk_id", "title", "kind", "probability", "currency", "source_ref"]].assign(
        **{name: risks[name].fillna("").astype("str") for name in ("project_id", "task_id")}
    )
    for unit, stem in (("cost", IMPACTS["money"]), ("days", IMPACTS["days"])):
        points, reason = _impact(risks, stem=stem)
        rows = rows.assign(**{f"{unit}_{name}": points[name] for name in POINTS})
        rows[f"{unit}_reason"] = reason.mask(rows["project_id"].isin(over), PROJECT_OVER)
    foreign = rows["currency"].ne(settings.currency) & rows["cost_reason"].eq("")
    rows["cost_reason"] = rows["cost_reason"].mask(foreign, "no rate for its currency")
    return rows[RISK_COLUMNS].reset_index(drop=True)


def _impact(risks: pd.DataFrame, *, stem: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Return the three points of one kind of impact; without low and high the most likely one is certain."""
    points = pd.DataFrame({name: risks[f"{stem}_{name}"] for name in POINTS}).astype("float64")
    alone = points["low"].isna() & points["high"].isna()
    for name in ("low", "high"):
        points[name] = points[name].mask(alone, points["likely"])
    reason = faults(points).mask(points["likely"].isna(), "no most likely impact")
    reason = reason.mask(points["low"].lt(0), "negative impact: a magnitude is expected")
    reason = reason.mask(risks["probability"].isna(), "no probability")
    return points, reason.mask(risks["kind"].eq("not stated"), "threat or opportunity not stated")
