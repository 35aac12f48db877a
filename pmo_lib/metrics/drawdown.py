"""Contingency against what may strike: how fast it goes, and how often what is left covers what is to come.

Burn ratio = share of contingency used ÷ share of the work done; adequacy = contingency left ÷ residual expected value,
and ÷ (P80 − P50) of the cost to go as simulated (PMI, *The Standard for Earned Value Management*, 2019; AACE
International 41R-08 and 44R-08 on contingency by expected value and by simulation). Below 1 it does not suffice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics.contingency import CONTINGENCY
from pmo_lib.metrics.overlaps import chance_of_any

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_SIMULATED = "not simulated: no forecast to draw from"
OF_CONTINGENCY = [
    "approved",
    "drawn",
    "returned",
    "used_share",
    "percent_complete",
    "burn_ratio",
    "burn",
    "burn_reason",
]
WHOLE = "Whole portfolio"


def drawdown(
    cover: pd.DataFrame, *, positions: pd.DataFrame, levels: pd.DataFrame, register: pd.DataFrame
) -> pd.DataFrame:
    """Return exposure beside the contingency of each project: used, left, and whether that will do.

    Parameters
    ----------
    cover
        As :func:`pmo_lib.metrics.exposure.exposure_cover` returns it; its rows and their order are kept.
    positions
        As :func:`pmo_lib.metrics.contingency.positions` returns it.
    levels
        As :attr:`pmo_lib.metrics.chance.Chance.levels` holds it.
    register
        As :func:`pmo_lib.metrics.risk.risk_register` returns it.

    Returns
    -------
    DataFrame
        The columns of ``cover``, and ``approved, drawn, returned, used_share, percent_complete, burn_ratio, burn,
        burn_reason``; ``adequacy`` (left ÷ exposure), ``p80_p50`` and ``adequacy_p80`` (left ÷ (P80 − P50)), each null
        with ``adequacy_reason`` or ``p80_reason``; ``chance_of_any`` that at least one open threat strikes, were they
        independent (``chance_reason``).
    """
    held = positions[positions["kind"].eq(CONTINGENCY) & positions["project_id"].notna()]
    rows = cover.merge(held[["project_id", *OF_CONTINGENCY]], on="project_id", how="left")
    rows["burn_reason"] = rows["burn_reason"].astype("object").fillna("contingency unknown")
    spread = (
        (levels["p80"] - levels["p50"]).set_axis(levels["project_id"]) if len(levels) else pd.Series(dtype="float64")
    )
    spread = spread[spread.index != ""]
    spread = spread[~spread.index.duplicated()].astype("float64")
    rows["p80_p50"] = rows["project_id"].map(spread).astype("float64")
    left = rows["contingency_left"]
    rows["adequacy"] = left / rows["expected_money"].where(rows["expected_money"].gt(0))
    rows["adequacy_p80"] = left / rows["p80_p50"].where(rows["p80_p50"].gt(0))
    unknown = pd.Series("contingency unknown", index=rows.index, dtype="str")
    no_exposure = rows["money_reason"].mask(rows["money_reason"].eq(""), "no exposure above 0")
    rows["adequacy_reason"] = unknown.where(left.isna(), no_exposure)
    rows["p80_reason"] = unknown.where(left.isna(), NOT_SIMULATED)
    threats = register[register["open"] & register["kind"].eq("threat")] if len(register) else register
    chances = {place: _chance(here["probability"]) for place, here in threats.groupby(threats["project_id"].fillna(""))}
    rows["chance_of_any"] = rows["project_id"].fillna("").map(chances).astype("float64")
    return rows.assign(chance_reason="no open threat, or one without probability")


def _chance(probabilities: Iterable[float]) -> float | None:
    """Return the chance that any strikes, None where one of them is not known."""
    known = [*probabilities]
    return None if any(pd.isna(chance) for chance in known) else chance_of_any(known)
