"""The head of the risk report: exposure by kind, and the figures that a roll-up and an auditor may use.

Every published total is the sum of a column of a published table; a figure that cannot be computed is null with a
reason.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from pmo_lib.metrics.exposure import one_currency, risk_exposure
from pmo_lib.metrics.risk import KINDS
from pmo_lib.theme import money

NO_REGISTER = "no risk register was returned"
NO_EARLIER = "no earlier register to compare with"
FIGURE_COLUMNS = ("name", "label", "value", "unit", "reason", "movement")
HEADLINE_COLUMNS = (
    "risks_open", "risks_unquantified", "risks_without_days", "expected_money", "expected_money_before", "moved_money",
    "expected_days", "expected_days_before", "moved_days", "currency", "money_reason", "days_reason", "before_reason",
)  # fmt: skip
TILES = {
    "risks_open": "Open risks",
    "exposure_net": "Net exposure",
    "exposure_threats": "Threats",
    "exposure_opportunities": "Opportunities",
    "exposure_net_days": "Net delay, summed",
    "contingency_left": "Contingency left",
    "exposure_ratio": "Exposure ÷ contingency",
    "risks_unquantified": "Without money, in no sum",
    "risks_new": "New",
    "risks_closed": "Closed",
    "risks_escalated": "Escalated",
    "risks_reopened": "Re-opened",
}
FLAG_FIGURES = {
    "risks_past_date": "past its date",
    "risks_without_owner": "no owner",
    "risks_without_response": "no response",
    "risks_without_action": "no action",
    "actions_overdue": "action overdue",
    "reviews_overdue": "review overdue",
    "risks_above_appetite_not_escalated": "above appetite, not escalated",
}


def exposure_headline(register: pd.DataFrame, *, movements: pd.DataFrame) -> pd.DataFrame:
    """Return exposure by kind, with a last row ``net``, beside the last register; none if no register was returned.

    Returns
    -------
    DataFrame
        ``kind, risks_open, risks_unquantified, risks_without_days, expected_money, expected_money_before, moved_money,
        expected_days, expected_days_before, moved_days, currency, money_reason, days_reason, before_reason``.
    """
    if register.empty:
        return pd.DataFrame(columns=["kind", *HEADLINE_COLUMNS])
    exposure, compared = risk_exposure(register), not movements.empty
    kinds = [kind for kind in KINDS if kind != "not stated" or kind in set(exposure["kind"])]
    rows = [
        {
            "kind": kind,
            **_sums(
                exposure.loc[exposure["kind"].eq(kind)], movements=movements.loc[movements["kind_before"].eq(kind)]
            ),
        }
        for kind in kinds
    ]
    rows.append({"kind": "net", **_sums(exposure, movements=movements)})
    table = pd.DataFrame(rows)
    for unit in ("money", "days"):
        table[f"moved_{unit}"] = table[f"expected_{unit}"] - table[f"expected_{unit}_before"]
    table["currency"] = one_currency(exposure["currency"], what="risk register")
    table["before_reason"] = "nothing quantified before" if compared else NO_EARLIER
    return table[["kind", *HEADLINE_COLUMNS]]


def _sums(exposure: pd.DataFrame, *, movements: pd.DataFrame) -> dict[str, Any]:
    counts = {name: int(exposure[name].sum()) for name in ("risks_open", "risks_unquantified", "risks_without_days")}
    sums: dict[str, Any] = {}
    for unit, gaps in (("money", "risks_unquantified"), ("days", "risks_without_days")):
        sums[f"expected_{unit}"] = exposure[f"expected_{unit}"].sum(min_count=1)
        sums[f"expected_{unit}_before"] = movements[f"expected_{unit}_before"].astype("float64").sum(min_count=1)
        none_open = (
            "none is open" if not counts["risks_open"] else f"none of {counts[gaps]} open is quantified in {unit}"
        )
        sums[f"{unit}_reason"] = none_open if pd.isna(sums[f"expected_{unit}"]) else ""
    return {**counts, **sums}


def headline_figures(headline: pd.DataFrame, *, movements: pd.DataFrame) -> pd.DataFrame:
    """Return the figures at the head of the report: what is open, what it may cost, and what came and went.

    Returns
    -------
    DataFrame
        ``name, label, value, unit, reason, movement``; a null value has a reason, and so has every figure of a
        portfolio that returned no register.
    """
    rows = headline.set_index("kind")
    net = rows.loc["net"] if len(rows) else pd.Series(dtype="object")
    unit = str(net.get("currency", "") or "money")
    found = [
        _figure("risks_open", value=net.get("risks_open"), unit="risks"),
        _figure("risks_unquantified", value=net.get("risks_unquantified"), unit="risks"),
    ]
    for name, kind in (("threats", "threat"), ("opportunities", "opportunity"), ("net", "net")):
        row = rows.loc[kind] if len(rows) else pd.Series(dtype="object")
        for ending, column, of in (("", "money", unit), ("_days", "days", "days")):
            figure = _figure(f"exposure_{name}{ending}", value=row.get(f"expected_{column}"), unit=of)
            found.append({**figure, "reason": figure["reason"] and row.get(f"{column}_reason", NO_REGISTER)})
    reason = NO_EARLIER if len(rows) else NO_REGISTER
    for move in ("new", "closed", "escalated", "re-opened", "occurred", "dropped"):
        count = int(movements["what"].eq(move).sum()) if len(movements) else None
        figure = _figure(f"risks_{move.replace('-', '')}", value=count, unit="risks")
        found.append({**figure, "label": f"risks {move}", "reason": figure["reason"] and reason})
    return pd.DataFrame(found, columns=list(FIGURE_COLUMNS))


def published_figures(
    figures: pd.DataFrame, *, register: pd.DataFrame, flags: pd.DataFrame, cover: pd.DataFrame
) -> pd.DataFrame:
    """Return all figures that the report publishes.

    Parameters
    ----------
    figures
        As :func:`headline_figures` returns it.
    register, flags, cover
        The metric tables of the same names.

    Returns
    -------
    DataFrame
        ``name, label, value, unit, reason, movement``: those of the headline; risks without levels and above appetite;
        the number of risks with each flag of neglect; contingency left (sum of the projects where it is known) and the
        exposure ratio (null unless it is known for every project with exposure).
    """
    risks = register.loc[register["open"]] if len(register) else register
    counts = {"risks_without_levels": None, "risks_above_appetite": None} if register.empty else {
        "risks_without_levels": risks["score"].isna().sum(), "risks_above_appetite": risks["above_appetite"].sum()
    }  # fmt: skip
    rows = [_figure(name, value=count, unit="risks") for name, count in counts.items()]
    rows += [_flag_figure(name, found=flags.loc[flags["flag"].eq(flag)], returned=len(register) > 0)
             for name, flag in FLAG_FIGURES.items()]  # fmt: skip
    return pd.concat([figures, pd.DataFrame([*rows, *_cover_figures(cover)])], ignore_index=True)[list(FIGURE_COLUMNS)]


def _flag_figure(name: str, *, found: pd.DataFrame, returned: bool) -> dict[str, Any]:
    unit = "actions" if name.startswith("actions") else "risks"
    if found.empty:
        return _figure(name, value=0 if returned else None, unit=unit)
    figure = _figure(name, value=found["flagged"].iloc[0], unit=unit)
    return {**figure, "reason": figure["reason"] and str(found["detail"].iloc[0])}


def _cover_figures(cover: pd.DataFrame) -> list[dict[str, Any]]:
    left, exposed = cover["contingency_left"], cover["expected_money"].notna()
    unit = one_currency(cover["currency"], what="exposure and contingency") or "money"
    total, net = left.sum(min_count=1), cover["expected_money"].sum(min_count=1)
    unknown = int((left.isna() & exposed & cover["project_id"].notna()).sum())
    usable = len(cover) > 0 and not unknown and pd.notna(net) and pd.notna(total) and total > 0
    why = f"contingency unknown for {unknown} with exposure" if unknown else "no contingency, or no exposure, is known"
    held = {**_figure("contingency_left", value=total, unit=unit), "reason": "" if pd.notna(total) else "none is known"}
    ratio = _figure("exposure_ratio", value=net / total if usable else None, unit="share")
    return [held, {**ratio, "reason": "" if usable else why}]


def headline_tiles(headline: pd.DataFrame, *, movements: pd.DataFrame, cover: pd.DataFrame) -> pd.DataFrame:
    """Return the figures that open the report, in the order of :data:`TILES`, with labels and movements for people.

    Without a register there are only the first two, each with its reason.
    """
    names = list(TILES) if len(headline) else list(TILES)[:2]
    opening = headline_figures(headline, movements=movements)
    figures = pd.concat([opening, pd.DataFrame(_cover_figures(cover))], ignore_index=True)
    figures = figures.set_index("name", drop=False).loc[names]
    for net in headline.loc[headline["kind"].eq("net") & headline["moved_money"].notna()].to_dict("records"):
        moved = money(net["moved_money"], currency=net["currency"], signed=True)
        figures.loc["exposure_net", "movement"] = f"{moved} since the last register"
    return figures.assign(label=[TILES[name] for name in names]).reset_index(drop=True)


def _figure(name: str, *, value: Any, unit: str) -> dict[str, Any]:
    unknown = value is None or pd.isna(value)
    number = None if unknown else float(value)
    return {"name": name, "label": name.replace("_", " "), "value": number, "unit": unit, "movement": "",
            "reason": NO_REGISTER if unknown else ""}  # fmt: skip
