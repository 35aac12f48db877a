"""Which rule to believe: every forecast of the past against what happened, by share complete.

At each status date of a finished project every rule is given the figures of that day, and its forecast is compared with
the final cost or the final duration: error = forecast / outcome − 1, positive is too high. A rule is recommended only
where as many finished projects as the settings ask for are behind its errors; forecasts of one project are not
independent, so projects are counted, not forecasts. Else a default is borrowed, and said to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.earned_schedule import TIME_RULES, duration_estimates
from pmo_lib.metrics.earned_value import COST_RULES, cost_estimates

if TYPE_CHECKING:
    from pmo_lib.metrics.progress import Progress
    from pmo_lib.parameters.models import EarnedValueRules

COST, TIME = "cost", "time"
RETURNED = "forecast_returned"
RULES = {COST: (*COST_RULES,), TIME: (*TIME_RULES, RETURNED)}
WRITTEN = {rule: words[0] for rule, words in (COST_RULES | TIME_RULES).items()} | {
    RETURNED: "forecast finish, as returned"
}
EVERY = "every status date"
BANDS = {"10–30%": (0.10, 0.30), "30–60%": (0.30, 0.60), "60–90%": (0.60, 0.90), EVERY: (0.0, float("inf"))}
ERROR_COLUMNS = [
    "project_id", "name", "month", "kind", "rule", "complete_share", "forecast", "outcome", "error", "reason",
]  # fmt: skip
BAND_COLUMNS = [
    "kind", "rule", "written", "band", "projects", "forecasts", "mean_error", "median_error", "p80_error", "bias",
    "lowest", "advised", "basis", "source", "limit", "reason",
]  # fmt: skip
OWN, BORROWED = "own history", "borrowed"
DEFAULTS = {
    COST: (
        "eac_cpi",
        "Christensen and Heise 1993, on 155 contracts: the cumulative CPI hardly moves once work is well on",
    ),
    TIME: ("es_spi_t", "Vandevoorde and Vanhoucke 2006: of three methods earned schedule alone held to the end"),
}
TIED = 9  # decimals: rules that are the same on some dates differ by rounding only; the first is named
NONE_FINISHED = "no finished project has such a status date"


def forecast_errors(progress: Progress, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return the error of every rule at every status date of every finished project.

    Parameters
    ----------
    progress
        Result of :func:`pmo_lib.metrics.progress.measured`: forecasts are made from what was ``reported`` then.
    projects
        History: a project is finished where its last return calls it closed, and all its budget is earned.

    Returns
    -------
    DataFrame
        :data:`ERROR_COLUMNS`. Cost against the last actual cost, in money; duration against the time to completion, in
        months from the start of the baseline that the forecast was made on. ``error`` is null with its ``reason``.
    """
    last = projects.sort_values("period", kind="stable").drop_duplicates("project_id", keep="last")
    closed = last.loc[last["delivery_status"].eq("closed"), "project_id"]
    seen = progress.reported[progress.reported["project_id"].isin(closed)]
    final = progress.positions.drop_duplicates("project_id", keep="last").set_index("project_id")
    final = final[final.index.isin(closed) & final["complete"].eq(True) & final["actual_cost"].gt(0)]
    seen = seen[seen["project_id"].isin(final.index)]
    again = seen["complete"].astype("bool").groupby(seen["project_id"]).cumsum().gt(1)
    seen = seen[~again].reset_index(drop=True)
    if seen.empty:
        return pd.DataFrame(columns=ERROR_COLUMNS)
    ended = final.reindex(seen["project_id"]).set_axis(seen.index)
    taken = ended["time"] - ended["stopped_months"] - seen["origin"]
    costs = cost_estimates(seen, weight=progress.terms.rules.cpi_weight)
    durations = duration_estimates(seen).assign(**{RETURNED: seen["forecast_months"]})
    durations[f"{RETURNED}_reason"] = durations[RETURNED].isna().map({True: "no forecast finish returned", False: ""})
    parts = [
        _against(seen, kind=kind, forecasts=forecasts, outcome=outcome)
        for kind, forecasts, outcome in ((COST, costs, ended["actual_cost"]), (TIME, durations, taken))
    ]
    return pd.concat(parts, ignore_index=True)


def error_bands(errors: pd.DataFrame, *, rules: EarnedValueRules) -> pd.DataFrame:
    """Return how large the errors of each rule are, by share complete, and which rule to believe.

    Parameters
    ----------
    errors
        Result of :func:`forecast_errors`, of one portfolio or of several.
    rules
        ``backtest_projects``: so many finished projects must be behind a rule's errors before it is recommended.

    Returns
    -------
    DataFrame
        :data:`BAND_COLUMNS`: a row per kind, rule and band, rules in their order. ``mean_error``, ``median_error`` and
        ``p80_error`` are of the absolute errors, ``bias`` is the mean error with its sign; all are shares of the
        outcome. ``projects`` and ``forecasts`` are behind them. ``lowest`` marks the lowest mean error among the rules
        with the most projects in the band. ``advised`` marks the rule to believe: that one where enough projects are
        behind it (``basis`` is ``own history``), else a default (``borrowed``) with its ``source``. Empty where no
        project is finished.
    """
    if errors.empty:
        return pd.DataFrame(columns=BAND_COLUMNS)
    table = pd.concat([_band(errors, band=band) for band in BANDS], ignore_index=True)
    rank = {key: place for place, key in enumerate((kind, rule) for kind in RULES for rule in RULES[kind])}
    table["rank"] = [rank[key] for key in zip(table["kind"], table["rule"], strict=True)]
    table = table.sort_values("rank", kind="stable", ignore_index=True)
    place = [table["kind"], table["band"]]
    most = table.groupby(place)["projects"].transform("max")
    ranked = table["mean_error"].round(TIED).where(table["projects"].eq(most) & most.gt(0))
    best = ranked.eq(ranked.groupby(place).transform("min"))
    table["lowest"] = best & best.groupby(place).cumsum().eq(1)
    default = table["rule"].eq(table["kind"].map({kind: rule for kind, (rule, _) in DEFAULTS.items()}))
    own = most.ge(rules.backtest_projects)
    source = table["kind"].map({kind: words for kind, (_, words) in DEFAULTS.items()})
    table["advised"] = table["lowest"].where(own, default)
    table["basis"] = own.map({True: OWN, False: BORROWED}).where(table["advised"], "")
    table["source"] = source.where(table["basis"].eq(BORROWED), "")
    return table.assign(limit=rules.backtest_projects)[BAND_COLUMNS]


def _against(seen: pd.DataFrame, *, kind: str, forecasts: pd.DataFrame, outcome: pd.Series) -> pd.DataFrame:
    facts = seen[["project_id", "name", "month"]].assign(
        kind=kind, complete_share=seen["earned_value"] / seen["budget"], outcome=outcome
    )
    parts = [
        facts.assign(
            rule=rule, forecast=forecasts[rule], error=forecasts[rule] / outcome.where(outcome.gt(0)) - 1,
            reason=forecasts[f"{rule}_reason"],
        )
        for rule in RULES[kind]
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)[ERROR_COLUMNS]


def _band(errors: pd.DataFrame, *, band: str) -> pd.DataFrame:
    """Return size and bias of the errors of every rule within one band."""
    low, high = BANDS[band]
    within = errors["complete_share"].ge(low) & errors["complete_share"].lt(high) & errors["error"].notna()
    found = errors[within].assign(size=errors["error"].abs())
    grouped = found.groupby(["kind", "rule"])
    size = grouped["size"]
    table = pd.DataFrame(
        {
            "projects": grouped["project_id"].nunique(), "forecasts": size.size(), "mean_error": size.mean(),
            "median_error": size.median(), "p80_error": size.quantile(0.8), "bias": grouped["error"].mean(),
        }
    )  # fmt: skip
    every = [(kind, rule) for kind in RULES for rule in RULES[kind]]
    table = table.reindex(pd.MultiIndex.from_tuples(every, names=["kind", "rule"]))
    table = (
        table.fillna({"projects": 0, "forecasts": 0}).astype({"projects": "int64", "forecasts": "int64"}).reset_index()
    )
    reason = table["forecasts"].eq(0).map({True: NONE_FINISHED, False: ""})
    return table.assign(band=band, written=table["rule"].map(WRITTEN), reason=reason)
