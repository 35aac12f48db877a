"""Figures of a simulation: the S-curve of the cost, and what drives its P80."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.figures.labels import Rows, framed
from pmo_lib.theme import ACCENT, FALL, INK, MUTED, RISE, SERIES, money, money_scale, share

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 10
POINTS = ("p50", "p80", "p90")
# Name of the mark, its words, colour and dash.
MARKS = {
    "forecast": ("forecast", MUTED, "dot"), "budget": ("budget", INK, "solid"),
    "sum_p80": ("sum of the projects’ P80s", SERIES[1], "dash"),
}  # fmt: skip


def chance_curve(levels: pd.DataFrame) -> go.Figure:
    """Draw the S-curve of the portfolio's cost, with forecast, budget and P80s; see ``metrics.chance.levels``.

    The budget is drawn only where it is that of all projects: else it is not of the same whole.
    """
    whole = levels.iloc[0]
    currency = str(whole["currency"])
    names = [name for name in levels.columns if name[:1] == "p" and name[1:].isdigit()]
    scale = money_scale([float(whole["p95"])], currency=currency)
    figure = go.Figure()
    marks = [name for name in MARKS if pd.notna(whole[name])]
    if whole["budgeted"] != _projects(levels):
        marks = [name for name in marks if name != "budget"]
    for name, (words, colour, dash) in MARKS.items():
        if name in marks:
            at = float(whole[name]) / scale.divisor
            figure.add_trace(
                go.Scatter(
                    x=[at, at], y=[0, 100], mode="lines", name=words, line={"color": colour, "dash": dash, "width": 2},
                    hovertemplate=f"{html.escape(words)}: %{{x:,.2f}}<extra></extra>",
                )
            )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[float(whole[name]) / scale.divisor for name in names], y=[int(name[1:]) for name in names], mode="lines",
            name="cost at completion", line={"color": ACCENT, "width": 3},
            hovertemplate="%{y}% of trials cost at most %{x:,.2f}<extra></extra>",
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=[float(whole[name]) / scale.divisor for name in POINTS], y=[int(name[1:]) for name in POINTS],
            mode="markers+text", marker={"color": ACCENT, "size": 10}, textposition="middle left", cliponaxis=False,
            text=[f"{name.upper()} {money(whole[name], currency=currency)}  " for name in POINTS], hoverinfo="skip",
            showlegend=False,
        )
    )  # fmt: skip
    ends = [float(whole[name]) / scale.divisor for name in (*marks, "p5", "p95")]
    low, high = min(ends), max(ends)
    spare = (high - low) or 1.0
    head = f"Four times in five the cost stays within {money(whole['p80'], currency=currency)}"
    ends = [low - 0.3 * spare, high + 0.06 * spare]
    figure.update_layout(
        **framed(head, inner=340, below=120),
        xaxis={"title": {"text": f"cost at completion, {scale.unit}"}, "range": ends},
        yaxis={"title": {"text": "per cent of trials"}, "range": [0, 103], "zeroline": False},
    )  # fmt: skip
    return figure


def drivers_bars(drivers: pd.DataFrame) -> go.Figure:
    """Draw by how much each driver moves P80, the largest first; see ``metrics.chance.drivers``."""
    known = drivers[drivers["moves_p80"].notna() & drivers["moves_p80"].ne(0)]
    rows = known.head(MOST_ROWS)
    scale = money_scale(list(rows["moves_p80"]), currency=str(drivers["currency"].iloc[0]))
    lines = Rows.of(_names(rows))
    figure = go.Figure(
        go.Bar(
            x=rows["moves_p80"] / scale.divisor, y=lines.places(), width=lines.thickness, orientation="h",
            marker={"color": [RISE if value > 0 else FALL for value in rows["moves_p80"]]}, hoverinfo="skip",
        )
    )  # fmt: skip
    ends = [max(float(value), 0.0) / scale.divisor for value in rows["moves_p80"]]
    words = [f" {scale.write(value, signed=True)}" for value in rows["moves_p80"]]
    figure.add_trace(
        go.Scatter(
            x=ends, y=lines.places(), mode="text", text=words, textposition="middle right", hoverinfo="skip",
            cliponaxis=False,
        )
    )  # fmt: skip
    low, high = min([0.0, *(rows["moves_p80"] / scale.divisor)]), max([0.0, *ends])
    whole = money(drivers["p80"].iloc[0], currency=str(drivers["currency"].iloc[0]))
    first = f"; the first {len(rows)} of {len(known)}" if len(rows) < len(known) else ""
    return figure.update_layout(
        **framed(f"What moves the P80 of {whole}{first}", inner=lines.height), showlegend=False, **lines.layout(),
        xaxis={"title": {"text": f"P80 with it − P80 without it, {scale.unit}"}, "range": _range(low, high=high)},
    )  # fmt: skip


def critical_bars(tasks: pd.DataFrame) -> go.Figure:
    """Draw in what share of the trials each task drives the finish; see ``metrics.chance.critical_tasks``."""
    known = tasks[tasks["criticality"].gt(0) & tasks["high"].gt(0)]
    rows = known.sort_values(["criticality", "high"], ascending=False, kind="stable").head(MOST_ROWS)
    lines = Rows.of(f"{row['project_id']} {row['task_id']} {row['name']}" for row in rows.to_dict("records"))
    words = [share(value) for value in rows["criticality"]]
    figure = go.Figure(
        go.Bar(
            x=rows["criticality"] * 100, y=lines.places(), width=lines.thickness, orientation="h", hoverinfo="skip",
            marker={"color": ACCENT}, text=words, textposition="outside", cliponaxis=False,
        )
    )  # fmt: skip
    always = int(known["criticality"].ge(1).sum())
    head = f"{always} of {len(tasks)} tasks to go drive the finish in every trial"
    return figure.update_layout(
        **framed(head, inner=lines.height), showlegend=False, **lines.layout(),
        xaxis={"title": {"text": "per cent of trials"}, "range": [0, 115]},
    )  # fmt: skip


def _projects(levels: pd.DataFrame) -> int:
    return int((levels["level"].eq("project") & levels["reason"].eq("")).sum())


def _names(rows: pd.DataFrame) -> Sequence[str]:
    kinds = {"cost to go": "cost to go", "time": "time"}
    return [
        f"{row['risk_id']} {row['name']}" if row["driver"] == "risk" else f"{row['name']}: {kinds[row['driver']]}"
        for row in rows.to_dict("records")
    ]


def _range(low: float, *, high: float) -> list[float]:
    spare = 0.3 * ((high - low) or 1.0)
    return [low - 0.05 * spare, high + spare]
