"""Whether the data of a project can carry a rating: completeness, freshness and reconciliation, the weakest decides.

The three are shown apart and never multiplied or averaged: three times 0.85 would already be 0.61. Dimensions as in
ISO/IEC 25012:2008, *Data quality model* (freshness is currentness there, reconciliation consistency).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.metrics.computed import COLOURS
from pmo_lib.metrics.money import minor_units
from pmo_lib.metrics.quality import COMPLETENESS, DISAGREES, FRESHNESS, MAY_BE_EMPTY, OVER, RECONCILIATION, TOLD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.movement import Between
    from pmo_lib.parameters.models import Thresholds

NEEDED = ("states", "status", "baselines", "milestones", "published_figures")
PARTS = (COMPLETENESS, FRESHNESS, RECONCILIATION)
DATA = "data"
NOT_ASSURED = "not assured"
NOTHING_TO_CHECK = {
    COMPLETENESS: "no project was returned",
    FRESHNESS: "no day of submission and no forecast",
    RECONCILIATION: "nothing can be held against anything",
}
LAST_KNOWN = "the return holds nothing usable: last known"
ASSURANCE_COLUMNS = (
    "project_id", "rating", "share", "weakest", "assured", *(f"{part}{end}" for part in PARTS for end in ("", "_n")),
    "reason",
)  # fmt: skip


def assurance(
    tables: Mapping[str, pd.DataFrame],
    *,
    projects: pd.DataFrame,
    between: Between,
    limits: Thresholds,
    fresh: bool,
) -> pd.DataFrame:
    """Rate the data of each project.

    Parameters
    ----------
    tables
        This period's :data:`NEEDED` of the portfolio, and its ``findings``.
    projects
        History.
    limits
        ``data_amber, data_red``; ``submission_due_days``.
    fresh
        Whether the figures are of the period that was asked for, and not the last known ones.

    Returns
    -------
    DataFrame
        :data:`ASSURANCE_COLUMNS`, one row per project: the share of each part with its n (null where n is 0), the
        ``weakest`` of those that can be computed with its ``share``, its ``rating`` (null with a ``reason`` if none
        can), and ``assured``: whether the weakest is known and not below ``data_red``. Last known data is not fresh.
    """
    now = between.now(projects).drop_duplicates("project_id").set_index("project_id")
    checks = pd.concat(
        [
            _completeness(now, tables=tables, history=projects, between=between),
            _freshness(now, tables=tables, limits=limits),
            _reconciliation(now, tables=tables),
        ]
    )
    kept, counts = (
        checks.pivot_table(index="project_id", columns="part", values=name, aggfunc="sum")
        .reindex(index=now.index, columns=list(PARTS))
        .fillna(0)
        for name in ("kept", "n")
    )
    shares = (kept / counts.where(counts.gt(0))).astype("float64")
    if not fresh:
        shares[FRESHNESS] = 0.0
    table = shares.join(counts.astype("int64").add_suffix("_n"))
    weakest = shares.min(axis="columns")
    known = weakest.notna()
    table["share"] = weakest
    table["weakest"] = shares.fillna(2.0).idxmin(axis="columns").where(known)
    rating = pd.Series(COLOURS[0], index=table.index, dtype="object").mask(weakest.lt(limits.data_amber), COLOURS[1])
    table["rating"] = rating.mask(weakest.lt(limits.data_red), COLOURS[2]).where(known)
    table["assured"] = weakest.ge(limits.data_red)
    reason = pd.Series("" if fresh else LAST_KNOWN, index=table.index, dtype="str")
    table["reason"] = reason.mask(~known, "nothing can be checked")
    return table.reset_index()[list(ASSURANCE_COLUMNS)]


def _checks(part: str, *, kept: pd.Series, n: pd.Series | int = 1) -> pd.DataFrame:
    """Return checks by project: how many there were, and how many were kept."""
    counted = pd.Series(n, index=kept.index) if isinstance(n, int) else n
    return pd.DataFrame(
        {"project_id": kept.index, "part": part, "kept": kept.to_numpy(dtype="float64"), "n": counted.to_numpy()}
    )


def _completeness(
    now: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame], history: pd.DataFrame, between: Between
) -> pd.DataFrame:
    """Count a status, and the cells of the project list that hold a value or say what they do not tell."""
    ours = history[history["portfolio_id"].eq(between.portfolio_id) & history["period"].le(between.period)]
    names = [name for name in TABLES["projects"].names if name not in MAY_BE_EMPTY and ours[name].notna().any()]
    states = tables["states"]
    told = states[states["table_name"].eq("projects") & states["state"].isin(TOLD) & states["column_name"].isin(names)]
    cells = now[names].notna().sum(axis="columns") + told.groupby("row_key").size().reindex(now.index).fillna(0)
    has_status = pd.Series(now.index.isin(tables["status"]["project_id"]), index=now.index)
    return _checks(COMPLETENESS, kept=cells + has_status, n=pd.Series(len(names) + 1, index=now.index))


def _freshness(now: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame], limits: Thresholds) -> pd.DataFrame:
    """Count status rows that came in by the due day, and forecasts that do not lie in the past."""
    status, milestones = tables["status"], tables["milestones"]
    day = status["status_date"].max()
    dated = status[status["submitted_on"].notna()]
    due = dated["status_date"] + pd.Timedelta(days=limits.submission_due_days)
    running = now[
        ~now["delivery_status"].isin(OVER) & now["finish_actual_on"].isna() & now["finish_forecast_on"].notna()
    ]
    ahead = milestones[milestones["actual_on"].isna() & milestones["forecast_on"].notna()]
    return pd.concat(
        [
            _checks(FRESHNESS, kept=dated["submitted_on"].le(due).set_axis(dated["project_id"])),
            _checks(FRESHNESS, kept=running["finish_forecast_on"].ge(day)),
            _checks(FRESHNESS, kept=ahead["forecast_on"].ge(day).set_axis(ahead["project_id"])),
        ]
    )


def _reconciliation(now: pd.DataFrame, *, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Hold budgets against the approved baseline, and published figures against the row that they come from."""
    order = tables["baselines"].sort_values(["approved_on", "version"], kind="stable", na_position="first")
    last = order.drop_duplicates("project_id", keep="last").set_index("project_id")
    figures = tables["published_figures"].dropna(subset=["published", "recomputed"])
    wrong = tables["findings"].loc[tables["findings"]["rule"].eq(DISAGREES), "key"].astype("str")
    keys = figures["project_id"] + "|" + figures["status_date"].dt.strftime("%Y-%m-%d") + "|" + figures["figure"]
    return pd.concat(
        [
            _equal(now["budget_at_completion"], other=last["budget"]),
            _checks(RECONCILIATION, kept=(~keys.isin(set(wrong))).set_axis(figures["project_id"])),
        ]
    )


def _equal(amounts: pd.Series, *, other: pd.Series) -> pd.DataFrame:
    """Compare amounts by project to the minor unit, where both are known."""
    both = pd.DataFrame({"told": amounts, "other": other.reindex(amounts.index)}).astype("float64").dropna()
    return _checks(RECONCILIATION, kept=minor_units(both["told"]).eq(minor_units(both["other"])).astype("bool"))
