"""Figures of risk over time: trend, burn-down, what responses bring, and how long issues stand."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.figures.labels import Rows, framed
from pmo_lib.theme import (
    ACCENT,
    FALL,
    HOLD,
    INK,
    MUTED,
    RISE,
    SERIES,
    counted,
    money,
    money_scale,
    month,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pmo_lib.theme import Scale

MOST_ROWS = 15
MONTH_AXIS = {"type": "date", "tickformat": "%b<br>%Y", "nticks": 6, "tickangle": 0}


def _scale(rows: pd.DataFrame, *columns: str) -> Scale:
    currency = str(rows["currency"].iloc[0])
    return money_scale(rows[list(columns)].astype("float64").to_numpy().ravel().tolist(), currency=currency)


def _line(x: Sequence[Any], *, y: pd.Series[Any], name: str, **line: Any) -> go.Scatter:
    return go.Scatter(
        x=list(x), y=[None if pd.isna(value) else float(value) for value in y], mode="lines", name=name, line=line,
        hovertemplate="%{x|%b %Y}: %{y:,.2f}<extra>" + name + "</extra>",
    )  # fmt: skip


def trend_lines(trend: pd.DataFrame) -> go.Figure:
    """Draw exposure and contingency by period, and below it the number of open risks; see ``metrics.risk_trend``."""
    scale = _scale(trend, "threats", "opportunities", "net", "contingency_left")
    months = [f"{period}-01" for period in trend["period"]]
    told = {name: trend[name].astype("float64") / scale.divisor for name in
            ("threats", "opportunities", "net", "contingency_left")}  # fmt: skip
    figure = go.Figure([
        _line(months, y=told["contingency_left"], name="contingency left", color=HOLD, width=2, dash="dash"),
        _line(months, y=told["threats"], name="threats", color=RISE, width=1.5),
        _line(months, y=told["opportunities"], name="opportunities", color=FALL, width=1.5),
        _line(months, y=told["net"], name="net", color=INK, width=3),
        *(_counts(trend, months=months, name=name, colour=colour) for name, colour in
          (("threats", RISE), ("opportunities", FALL))),
    ])  # fmt: skip
    known = trend[trend["net"].notna()]
    currency = str(trend["currency"].iloc[0])
    ends = [f"{money(known['net'].iloc[place], currency=currency)} in {month(known['period'].iloc[place])}"
            for place in (0, -1)] if len(known) else []  # fmt: skip
    head = f"Net exposure: {' → '.join(dict.fromkeys(ends))}" if ends else "No exposure in money in any register"
    return figure.update_layout(
        **framed(head, inner=430, below=96), barmode="stack",
        xaxis={**MONTH_AXIS, "anchor": "y2"},
        yaxis={"domain": [0.42, 1], "title": {"text": scale.unit}},
        yaxis2={"domain": [0, 0.32], "title": {"text": "open risks"}, "rangemode": "tozero"},
    )  # fmt: skip


def _counts(trend: pd.DataFrame, *, months: list[str], name: str, colour: str) -> go.Bar:
    return go.Bar(
        x=months, y=[None if pd.isna(count) else int(count) for count in trend[f"{name}_open"]], yaxis="y2",
        name=f"open {name}", marker={"color": colour}, opacity=0.55, showlegend=False,
        hovertemplate="%{x|%b %Y}: %{y}<extra>open " + name + "</extra>",
    )  # fmt: skip


def burn_lines(burn: pd.DataFrame) -> go.Figure:
    """Draw exposure against what an earlier register promised, and what this one promises; see ``metrics``."""
    scale = _scale(burn, "actual", "followed", "promised", "planned")
    told = {
        name: burn[name].astype("float64") / scale.divisor for name in ("actual", "followed", "promised", "planned")
    }
    days = burn["on"].dt.strftime("%Y-%m-%d").tolist()
    since = month(str(burn["baseline"].iloc[0]))
    figure = go.Figure([
        _line(days, y=told["actual"], name="all open risks", color=INK, width=3),
        _line(days, y=told["planned"], name="planned from now on", color=INK, width=2, dash="dot", shape="hv"),
        _line(days, y=told["followed"], name=f"the risks of {since}", color=ACCENT, width=2.5),
        _line(days, y=told["promised"], name=f"planned for them in {since}", color=ACCENT, width=2, dash="dash",
              shape="hv"),
    ])  # fmt: skip
    past = burn[burn["actual"].notna()]
    gap, currency = past["gap"].iloc[-1], str(burn["currency"].iloc[0])
    way = (
        "on plan"
        if not round(gap, 2)
        else f"{money(abs(gap), currency=currency)} {'behind' if gap > 0 else 'ahead of'} plan"
    )
    head = f"The risks of {since} are {way}" if len(past) > 1 else "The plan of the first register"
    return figure.update_layout(
        **framed(head, inner=320, below=118), xaxis=MONTH_AXIS, yaxis={"title": {"text": f"net exposure, {scale.unit}"}}
    )


def responses_ranges(responses: pd.DataFrame) -> go.Figure:
    """Draw each risk before any response, now and at its target; see ``metrics.responses.responses``."""
    known = responses[responses["expected_inherent"].notna() & responses["expected_target"].notna()]
    rows = known.assign(size=known[["expected_inherent", "expected_money"]].abs().max(axis="columns"))
    rows = rows.sort_values(["size", "risk_id"], ascending=[False, True], kind="stable").head(MOST_ROWS)
    if rows.empty:
        return go.Figure(layout=framed("No risk has levels and money to follow", inner=8, below=8))
    scale = _scale(rows, "expected_inherent", "expected_money", "expected_target")
    lines = Rows.of(f"{risk} {title}: {verdict}" for risk, title, verdict in
                    zip(rows["risk_id"], rows["title"], rows["verdict"], strict=True))  # fmt: skip
    ends = [(rows[name].astype("float64") / scale.divisor).tolist() for name in
            ("expected_inherent", "expected_money", "expected_target")]  # fmt: skip
    places = lines.places()
    path = go.Scatter(
        x=[x for a, _, c in zip(*ends, strict=True) for x in (a, c, None)],
        y=[y for place in places for y in (place, place, None)],
        mode="lines", line={"color": HOLD, "width": 2}, hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    looks = (("before any response", "circle-open", MUTED, 12), ("now", "circle", INK, 13),
             ("at the target", "diamond-open", FALL, 12))  # fmt: skip
    marks = [
        go.Scatter(x=values, y=places, mode="markers", name=name, hovertemplate="%{x:,.2f}<extra>" + name + "</extra>",
                   marker={"symbol": symbol, "color": colour, "size": size, "line": {"width": 2, "color": colour}})
        for values, (name, symbol, colour, size) in zip(ends, looks, strict=True)
    ]  # fmt: skip
    stuck = int(responses["verdict"].isin(("worse than before", "no effect so far")).sum())
    head = f"{stuck} of {counted(len(responses), noun='open risk')} without effect of the response, or worse"
    cut = f"; the {len(rows)} largest drawn" if len(rows) < len(responses) else ""
    return go.Figure([path, *marks]).update_layout(
        **framed(head + cut, inner=lines.height, below=96), **lines.layout(),
        xaxis={"title": {"text": f"expected cost, {scale.unit}"}, "zeroline": True},
    )  # fmt: skip


def issues_bars(issues: pd.DataFrame) -> go.Figure:
    """Draw how long each open issue has stood, blockers first; see ``metrics.blockers.open_issues``."""
    rows = issues.head(MOST_ROWS)
    lines = Rows.of(f"{issue} {title}" for issue, title in zip(rows["issue_id"], rows["title"], strict=True))
    ages = [0 if pd.isna(age) else int(age) for age in rows["age_days"]]
    words = [f"  {html.escape(_standing(row))}" for row in rows.to_dict("records")]
    bars = go.Bar(
        x=ages, y=lines.places(), width=lines.thickness, orientation="h", hoverinfo="skip",
        marker={"color": [RISE if blocker else SERIES[4] for blocker in rows["blocker"]]},
    )  # fmt: skip
    texts = go.Scatter(
        x=[max(age, 0) for age in ages], y=lines.places(), mode="text", text=words, textposition="middle right",
        hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    blockers = int(issues["blocker"].sum())
    head = f"{counted(blockers, noun='blocker')} (red) among {counted(len(issues), noun='open issue')}"
    cut = f"; the first {len(rows)} drawn" if len(rows) < len(issues) else ""
    return go.Figure([bars, texts]).update_layout(
        **framed(head + cut, inner=lines.height, below=56), **lines.layout(), showlegend=False,
        xaxis={"title": {"text": "days since raised"}, "range": [min([0, *ages]), 3.3 * max([1, *ages])]},
    )  # fmt: skip


def _standing(row: dict[Any, Any]) -> str:
    severity = "" if pd.isna(row["severity"]) else f", severity {row['severity']}"
    late = row["overdue_days"]
    due = "" if pd.isna(late) or late <= 0 else f", {number(late)} overdue"
    age = "age not stated" if pd.isna(row["age_days"]) else f"{number(row['age_days'])} days"
    return f"{age}{severity}{due}"
