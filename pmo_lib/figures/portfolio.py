"""Figures of the roll-up: the year, disclosure, structures, exposure, clients."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.figures.labels import Rows, framed, wrapped
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
    number,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ROWS, MOST_UNITS = 40, 15
CELL, NAME = 40, 18
LIGHT = 1.8  # words stay readable on the deepest cell


def in_year_bars(years: pd.DataFrame) -> go.Figure:
    """Draw outlook against plan as a share of plan, by report; see ``metrics.portfolio.in_year_by_period``."""
    names = [f"{month(row['period'])}, n = {row['in_year_known']}" for row in years.to_dict("records")]
    return _variances(years, names=names, head="In-year outlook against plan, all portfolios")


def unit_bars(years: pd.DataFrame) -> go.Figure:
    """Draw outlook against plan by portfolio; see ``metrics.portfolio.in_year_by_portfolio``."""
    known = years[years["variance_share"].notna()]
    rows = known.head(MOST_ROWS)
    names = [f"{row['name']}, n = {row['in_year_known']}" for row in rows.to_dict("records")]
    under = int(known["variance_share"].lt(0).sum())
    head = f"{under} of {counted(len(known), noun='portfolio')} under plan{_cut(len(known))}"
    return _variances(rows, names=names, head=head)


def disclosure_bars(shares: pd.DataFrame) -> go.Figure:
    """Draw the share of projects with a published cost, by report; see ``metrics.portfolio.disclosure_by_period``."""
    first, last = shares.iloc[0], shares.iloc[-1]
    head = f"Whole-life costs published: {share(last['share'])}"
    head += f", down from {share(first['share'])}" if last["share"] < first["share"] else ""
    words = [f"{share(row['share'])} of {row['projects']}" for row in shares.to_dict("records")]
    rows = Rows.of(month(period) for period in shares["period"])
    figure = go.Figure(_bars(shares["share"], rows=rows, words=words, colours=[ACCENT] * len(words)))
    figure.update_layout(**framed(head, inner=rows.height), **rows.layout())
    figure.update_xaxes(title_text="share of projects", range=[0, 1.3], tickformat=".0%", nticks=6)
    return figure


def structure_heatmap(structures: pd.DataFrame) -> go.Figure:
    """Draw what reorganisation moves to (+) and from (−) each unit, by report; see ``metrics.structure.structures``."""
    earlier = structures[structures["period"].ne(structures["period"].max())]
    earlier = earlier if len(earlier) else structures
    rows = earlier[earlier["unit_id"].isin(earlier.loc[earlier["difference"].ne(0), "unit_id"])]
    if rows.empty:
        return go.Figure(layout={**framed("Every unit held then what it holds on today's structure", inner=8, below=8)})
    fates = rows.drop_duplicates("unit_id", keep="last").set_index("unit_id")["fate"]
    wide = rows.pivot_table(index="unit_id", columns="period", values="difference").sort_index()
    scale = money_scale(rows["difference"].dropna(), currency=_currency(structures))
    words = [
        [number(cell / scale.divisor, decimals=1, signed=True) if cell else "" for cell in row]
        for row in wide.fillna(0.0).to_numpy()
    ]
    limit = float(rows["difference"].abs().max()) or 1.0
    names = [wrapped(f"{unit} ({fates[unit]})" if fates[unit] else str(unit), width=NAME) for unit in wide.index]
    figure = go.Figure(
        go.Heatmap(
            z=wide.to_numpy(), x=[wrapped(month(str(period)), width=4) for period in wide.columns], y=names,
            zmin=-LIGHT * limit, zmax=LIGHT * limit, colorscale=[[0, SERIES[1]], [0.5, PAPER], [1, ACCENT]],
            showscale=False, xgap=2, ygap=2, text=words, texttemplate="%{text}", textfont={"color": INK},
            hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    height = CELL * len(names)
    figure.update_layout(**framed(f"As today − as then organised, {scale.unit}", inner=height))
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False, autorange="reversed")
    return figure


def exposure_bars(exposure: pd.DataFrame) -> go.Figure:
    """Draw expected money of threats and opportunities by portfolio; see ``portfolio.exposure_by_portfolio``."""
    known = exposure[exposure["exposure"].notna()]
    chosen, currency = known.head(MOST_ROWS), _currency(exposure)
    scale = money_scale([*chosen["threats"].dropna(), *chosen["opportunities"].dropna()], currency=currency)
    rows = Rows.of(
        f"{row['name']}: {money(row['exposure'], currency=currency, signed=True)}" for row in chosen.to_dict("records")
    )
    figure = go.Figure()
    for column, colour in (("threats", RISE), ("opportunities", FALL)):
        values = chosen[column].astype("float64") / scale.divisor
        words = [scale.write(value) if pd.notna(value) else "" for value in chosen[column]]
        figure.add_trace(_bars(values, rows=rows, words=words, colours=[colour] * len(rows.labels), name=column))
    ends = [value / scale.divisor for column in ("threats", "opportunities") for value in chosen[column].dropna()]
    total = money(float(known["exposure"].sum()), currency=currency)
    head = f"Net expected money of open risks: {total}{_cut(len(known))}"
    figure.update_layout(**framed(head, inner=rows.height, below=96), **rows.layout(), barmode="relative")
    figure.update_xaxes(title_text=f"expected money, {scale.unit}", range=_room(ends), zerolinecolor=MUTED)
    return figure


def clients_bars(clients: pd.DataFrame) -> go.Figure:
    """Draw how many projects each unit delivers, and how many serve it; see ``metrics.hierarchy.clients``."""
    chosen = clients.head(MOST_UNITS)
    rows = Rows.of(chosen["name"])
    figure = go.Figure()
    for side, (column, words, colour) in enumerate(
        (("delivers", "projects it delivers", ACCENT), ("serves", "projects that serve it", SERIES[1]))
    ):
        figure.add_trace(
            go.Bar(
                orientation="h", x=chosen[column].tolist(), name=words, marker={"color": colour},
                y=[place + (side - 0.5) * rows.thickness / 2 for place in rows.places()], width=rows.thickness / 2,
                text=[number(value) for value in chosen[column]], textposition="outside", cliponaxis=False,
                hoverinfo="skip",
            )
        )  # fmt: skip
    head = "Projects delivered and projects served"
    head += f" (the first {MOST_UNITS} of {len(clients)} units are drawn)" if len(clients) > MOST_UNITS else ""
    figure.update_layout(**framed(head, inner=rows.height, below=96), **rows.layout())
    figure.update_xaxes(title_text="projects", range=_room([*chosen["delivers"], *chosen["serves"]], spare=0.15))
    return figure


def _variances(years: pd.DataFrame, *, names: Sequence[str], head: str) -> go.Figure:
    """Draw the distance from plan to the right of each name, whichever way; words and colour say which."""
    values = years["variance_share"].astype("float64")
    words = [
        f"{share(row['variance_share'], signed=True, decimals=1)} "
        f"({money(row['variance'], currency=str(row['currency']), signed=True)})"
        for row in years.to_dict("records")
    ]
    colours = [RISE if value > 0 else ACCENT if value < 0 else HOLD for value in values]
    rows = Rows.of(names)
    figure = go.Figure(_bars(values.abs(), rows=rows, words=words, colours=colours))
    figure.update_layout(**framed(head, inner=rows.height), **rows.layout())
    figure.update_xaxes(title_text="distance from plan (− under, + over)", tickformat=".0%", nticks=5)
    figure.update_xaxes(range=_room(values.abs(), spare=0.7))
    return figure


def _bars(
    values: pd.Series, *, rows: Rows, words: Sequence[str], colours: Sequence[str], name: str | None = None
) -> go.Bar:
    return go.Bar(
        orientation="h", x=values.tolist(), y=rows.places(), width=rows.thickness, name=name,
        marker={"color": colours}, text=[html.escape(word) for word in words], textposition="outside", cliponaxis=False,
        hoverinfo="skip",
    )  # fmt: skip


def _room(values: Iterable[float], *, spare: float = 0.3) -> list[float]:
    """Return an axis range around 0 with room for the words at the ends of the bars."""
    known = [float(value) for value in values if pd.notna(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    width = spare * ((high - low) or 1.0)
    return [low - (width if low < 0 else 0.0), high + (width if high > 0 or low == 0 else 0.0)]


def _cut(rows: int) -> str:
    return f" (the first {MOST_ROWS} of {rows} are drawn)" if rows > MOST_ROWS else ""


def _currency(rows: pd.DataFrame) -> str:
    found = rows["currency"].replace("", None).dropna()
    return str(found.iloc[0]) if len(found) else ""
