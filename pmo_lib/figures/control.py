"""Figures of financial control: contingency against progress, and the drawdown."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.figures.labels import Rows, framed, wrapped
from pmo_lib.theme import ACCENT, HOLD, INK, RISE, SERIES, counted, money, money_scale, share

if TYPE_CHECKING:
    from collections.abc import Sequence

BURN_COLOURS = {"green": ACCENT, "amber": SERIES[1], "red": RISE}
MOST_ROWS = 15


def positions_bars(positions: pd.DataFrame) -> go.Figure:
    """Draw the share of contingency used beside the share of work done; see ``metrics.contingency.positions``."""
    rows = positions[positions["kind"].eq("contingency") & positions["used_share"].notna()]
    rows = rows[rows["project_id"].notna()].sort_values("used_share", ascending=False, kind="stable").head(MOST_ROWS)
    if rows.empty:
        return go.Figure(layout=framed("No contingency with entries in the book", inner=8, below=8))
    lines = Rows(tuple(wrapped(str(name)) for name in rows["name"]))
    used = rows["used_share"].astype("float64") * 100
    colours = [BURN_COLOURS.get(str(burn), HOLD) for burn in rows["burn"]]
    figure = go.Figure(
        go.Bar(
            x=used, y=lines.places(), width=lines.thickness, orientation="h", name="contingency used",
            marker={"color": colours}, hoverinfo="skip",
        )
    )  # fmt: skip
    done = rows["percent_complete"].astype("float64") * 100
    figure.add_trace(
        go.Scatter(
            x=done, y=lines.places(), mode="markers", name="work done", hoverinfo="skip",
            marker={"symbol": "line-ns-open", "size": 22, "color": INK, "line": {"width": 3}},
        )
    )  # fmt: skip
    currency = str(rows["currency"].iloc[0])
    words = [
        f"{share(part)} used, {money(left, currency=currency)} left"
        for part, left in zip(rows["used_share"], rows["remaining"], strict=True)
    ]
    ends = [max(0.0, a, 0.0 if pd.isna(b) else b) for a, b in zip(used, done, strict=True)]
    figure.add_trace(_beside(ends, lines=lines, words=words))
    fast = int(rows["burn"].isin(["amber", "red"]).sum())
    head = f"{fast} of {counted(len(rows), noun='project')} used contingency faster than the work is done"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=84), **lines.layout(),
        xaxis={"title": {"text": "per cent"}, "range": [min(0.0, *used), max([100.0, *ends]) * 1.9]},
    )  # fmt: skip


def book_steps(entries: pd.DataFrame) -> go.Figure:
    """Draw what was left of each reserve after each entry; see ``metrics.contingency.book_of_reserves``."""
    currency = str(entries["currency"].iloc[0])
    scale = money_scale(entries["remaining_all"].astype("float64"), currency=currency)
    figure = go.Figure()
    looks = {
        "contingency": ("contingency", ACCENT, "solid"),
        "management_reserve": ("management reserve", HOLD, "dash"),
    }
    last = entries["booked_on"].max()
    for kind, (name, colour, dash) in looks.items():
        rows = entries[entries["kind"].eq(kind)].drop_duplicates("booked_on", keep="last")
        if len(rows):
            left = [*rows["remaining_all"], rows["remaining_all"].iloc[-1]]
            figure.add_trace(
                go.Scatter(
                    x=[*rows["booked_on"], last], y=[value / scale.divisor for value in left], mode="lines", name=name,
                    line={"shape": "hv", "color": colour, "dash": dash, "width": 2.5},
                    hovertemplate="%{x|%d %b %Y}: %{y:,.2f}<extra>" + name + "</extra>",
                )
            )  # fmt: skip
    drawn = entries.loc[entries["movement"].eq("drawn"), "amount"].sum()
    head = f"{money(drawn, currency=currency)} drawn so far; the line rises with what is approved or returned"
    return figure.update_layout(
        **framed(head, inner=300, below=84),
        yaxis={"title": {"text": f"left, {scale.unit}"}, "rangemode": "tozero"}, xaxis={"tickformat": "%b %Y"},
    )  # fmt: skip


def _beside(places: Sequence[float], *, lines: Rows, words: Sequence[str]) -> go.Scatter:
    """Write words to the right of each row's marks."""
    return go.Scatter(
        x=list(places), y=lines.places(), mode="text", text=[f"  {html.escape(word)}" for word in words],
        textposition="middle right", hoverinfo="skip", cliponaxis=False, showlegend=False,
    )  # fmt: skip
