"""Figures of the roll-up: the year, disclosure, structures, exposure, clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.figures.labels import legend_below, margin, rows_axis, rows_height, title, wrapped
from pmo_lib.theme import (
    ACCENT,
    FALL,
    HOLD,
    INK,
    MUTED,
    PAPER,
    RISE,
    SERIES,
    counted,
    money,
    money_scale,
    month,
    share,
    template,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 40


def in_year_bars(years: pd.DataFrame) -> go.Figure:
    """Draw outlook against plan as a share of plan, by report; see ``metrics.portfolio.in_year_by_period``."""
    labels = [wrapped(f"{month(row['period'])} (n = {row['in_year_known']})") for row in years.to_dict("records")]
    head = "In-year outlook against plan, all portfolios"
    return _variance_bars(years, labels=labels, head=head)


def unit_bars(years: pd.DataFrame) -> go.Figure:
    """Draw outlook against plan by portfolio, the furthest from plan first; see ``metrics.portfolio``."""
    rows = years[years["variance_share"].notna()].head(MOST_ROWS)
    labels = [wrapped(f"{row['name']} (n = {row['in_year_known']})") for row in rows.to_dict("records")]
    under = int(rows["variance_share"].lt(0).sum())
    head = f"{under} of {counted(len(rows), noun='portfolio')} under plan this year"
    return _variance_bars(rows, labels=labels, head=head)


def disclosure_bars(shares: pd.DataFrame) -> go.Figure:
    """Draw the share of projects with a published cost, by report; see ``metrics.portfolio.disclosure_by_period``."""
    first, last = shares.iloc[0], shares.iloc[-1]
    head = f"Whole-life costs published: {share(last['share'])}"
    head += f", down from {share(first['share'])}" if last["share"] < first["share"] else ""
    labels = [wrapped(month(period)) for period in shares["period"]]
    words = [f"{share(row['share'])} of {row['projects']}" for row in shares.to_dict("records")]
    figure = _bars(shares["share"].tolist(), labels=labels, words=words, colours=ACCENT)
    figure.update_layout(
        template=template(), title=title(head), margin=margin(head), height=rows_height(labels, least=34) + 110,
        yaxis=rows_axis(labels),
        xaxis={"title": {"text": "share of projects"}, "range": [0, 1.3], "tickformat": ".0%", "nticks": 6},
    )  # fmt: skip
    return figure


def structure_heatmap(structures: pd.DataFrame) -> go.Figure:
    """Draw what reorganisation moves to (+) and from (−) each unit, by report; see ``metrics.structure.structures``."""
    moved = structures[structures["unit_id"].isin(structures.loc[structures["difference"].ne(0), "unit_id"])]
    rows = moved if len(moved) else structures
    last = rows.drop_duplicates("unit_id", keep="last").set_index("unit_id")["name"]
    wide = rows.pivot_table(index="unit_id", columns="period", values="difference", sort=True).sort_index()
    scale = money_scale(rows["difference"].dropna(), currency=_currency(structures))
    labels = [wrapped(str(last[unit])) for unit in wide.index]
    words = [["" if pd.isna(cell) else scale.write(cell, signed=True) for cell in row] for row in wide.to_numpy()]
    limit = float(rows["difference"].abs().max()) or 1.0
    head = f"Whole-life cost moved by reorganisation, {scale.unit}"
    figure = go.Figure(
        go.Heatmap(
            z=wide.to_numpy(), x=[wrapped(month(str(period)), width=4) for period in wide.columns],
            y=list(range(len(wide))), zmin=-limit, zmax=limit, xgap=2, ygap=2, showscale=False,
            colorscale=[[0, SERIES[1]], [0.5, PAPER], [1, ACCENT]], text=words, texttemplate="%{text}",
            textfont={"color": INK}, hovertemplate="%{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        template=template(), title=title(head), margin=margin(head), height=rows_height(labels, least=32) + 120,
        yaxis=rows_axis(labels), xaxis={"type": "category", "showgrid": False, "side": "bottom"},
    )  # fmt: skip
    return figure


def exposure_bars(exposure: pd.DataFrame) -> go.Figure:
    """Draw expected money of threats and opportunities by portfolio; see ``portfolio.exposure_by_portfolio``."""
    rows = exposure[exposure["exposure"].notna()].head(MOST_ROWS)
    scale = money_scale([*rows["threats"].dropna(), *rows["opportunities"].dropna()], currency=_currency(exposure))
    labels = [wrapped(name) for name in rows["name"]]
    total = money(float(rows["exposure"].sum()), currency=_currency(exposure))
    head = f"Net expected money of open risks: {total}"
    figure = go.Figure()
    for column, colour in (("threats", RISE), ("opportunities", FALL)):
        values = rows[column].astype("float64")
        figure.add_trace(
            go.Bar(
                orientation="h", name=column, y=list(range(len(rows))), x=(values / scale.divisor).tolist(),
                marker_color=colour, text=[scale.write(value) if pd.notna(value) else "" for value in values],
                textposition="outside", cliponaxis=False, hovertemplate=f"{column}: %{{text}}<extra></extra>",
            )
        )  # fmt: skip
    known = rows[["threats", "opportunities"]].astype("float64").fillna(0.0).to_numpy() / scale.divisor
    figure.update_layout(
        template=template(), title=title(head), margin=margin(head), legend=legend_below(), barmode="relative",
        height=rows_height(labels, least=34) + 150, yaxis=rows_axis(labels),
        xaxis={"title": {"text": f"expected money, {scale.unit}"}, "range": _room(known.min(), high=known.max())},
    )  # fmt: skip
    return figure


def clients_bars(clients: pd.DataFrame) -> go.Figure:
    """Draw how many projects each unit delivers, and how many serve it; see ``metrics.hierarchy.clients``."""
    rows = clients.head(MOST_ROWS)
    labels = [wrapped(name) for name in rows["name"]]
    head = "Who delivers, and who is served"
    figure = go.Figure()
    for column, name, colour in (("delivers", "delivers", ACCENT), ("serves", "is served by", SERIES[1])):
        figure.add_trace(
            go.Bar(
                orientation="h", name=name, y=list(range(len(rows))), x=rows[column].tolist(), marker_color=colour,
                text=rows[column].tolist(), textposition="outside", cliponaxis=False,
                hovertemplate=f"{name}: %{{x}}<extra></extra>",
            )
        )  # fmt: skip
    most = float(rows[["delivers", "serves"]].to_numpy().max())
    figure.update_layout(
        template=template(), title=title(head), margin=margin(head), legend=legend_below(), barmode="group",
        height=rows_height(labels, least=44) + 150, yaxis=rows_axis(labels),
        xaxis={"title": {"text": "projects"}, "range": [0, most * 1.15 or 1]},
    )  # fmt: skip
    return figure


def _variance_bars(rows: pd.DataFrame, *, labels: Sequence[str], head: str) -> go.Figure:
    values = rows["variance_share"].astype("float64").tolist()
    words = [
        f"{share(row['variance_share'], signed=True, decimals=1)} "
        f"({money(row['variance'], currency=str(row['currency']), signed=True)})"
        for row in rows.to_dict("records")
    ]
    colours = [RISE if value > 0 else ACCENT if value < 0 else HOLD for value in values]
    figure = _bars(values, labels=labels, words=words, colours=colours)
    low, high = min(0.0, *values), max(0.0, *values)
    figure.update_layout(
        template=template(), title=title(head), margin=margin(head), height=rows_height(labels, least=34) + 110,
        yaxis=rows_axis(labels),
        xaxis={
            "title": {"text": "outlook − plan, share of plan"}, "range": _room(low, high=high), "tickformat": ".0%",
            "nticks": 5, "zeroline": True, "zerolinecolor": MUTED,
        },
    )  # fmt: skip
    return figure


def _bars(values: Sequence[float], *, labels: Sequence[str], words: Sequence[str], colours: Any) -> go.Figure:
    return go.Figure(
        go.Bar(
            orientation="h", x=list(values), y=list(range(len(labels))), text=list(words), textposition="outside",
            cliponaxis=False, marker_color=colours, customdata=list(labels),
            hovertemplate="%{customdata}: %{text}<extra></extra>",
        )
    )  # fmt: skip


def _room(low: float, *, high: float) -> list[float]:
    """Return an axis range with room for the words at the ends of the bars."""
    width = (high - low) or 1.0
    return [low - 0.75 * width * (low < 0), high + 0.75 * width * (high > 0 or low == 0)]


def _currency(rows: pd.DataFrame) -> str:
    found = rows["currency"].replace("", None).dropna()
    return str(found.iloc[0]) if len(found) else ""
