"""Figures of the health check: ratings, promises, disclosure."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.figures.labels import Rows, framed, wrapped
from pmo_lib.theme import (
    ACCENT,
    FALL,
    HOLD,
    INK,
    MUTED,
    NO_LOOK,
    PAPER,
    RATING_LOOKS,
    RISE,
    RULE,
    SERIES,
    counted,
    month,
    rating_look,
    share,
)

MOST_ROWS = 40
CELL, BETWEEN = 46, 76
THREE_POINT = ("green", "amber", "red")
OUTCOME_COLOURS = {
    "met on time": FALL,
    "met late": SERIES[5],
    "closed, day not stated": HOLD,
    "due on the day of the report": ACCENT,
    "moved later": SERIES[1],
    "passed, still open": RISE,
    "no date any more": NO_LOOK.colour,
    "cancelled": RULE,
    "left the data": MUTED,
}


def movers_dots(moved: pd.DataFrame) -> go.Figure:
    """Draw each rating that moved, from where it was to where it is; see ``metrics.ratings.movers``."""
    shown = moved.head(MOST_ROWS)
    told = zip(shown["name"], shown["assessor_role"], shown["since"], strict=True)
    rows = Rows.of(f"{name} · {role}, since {month(since)}" for name, role, since in told)
    scale = RATINGS if shown["rating_scale"].eq("five-point").any() else THREE_POINT
    figure = go.Figure()
    for movement, colour in (("worse", RISE), ("better", FALL)):
        figure.add_trace(_arrows(shown, movement=movement, colour=colour, scale=scale, rows=rows))
    figure.add_trace(_dots(shown, column="rating_before", scale=scale, rows=rows))
    figure.add_trace(_dots(shown, column="rating", scale=scale, rows=rows))
    head = movements_head(moved) + _cut(len(moved))
    figure.update_layout(**framed(head, inner=rows.height), showlegend=False, **rows.layout())
    figure.update_xaxes(
        tickvals=list(range(len(scale))),
        ticktext=[_short(rating) for rating in scale],
        range=[-0.5, len(scale) - 0.5],
        title_text="hollow: before, filled: now",
    )
    return figure


def movements_head(moved: pd.DataFrame) -> str:
    """Count what got worse and better since each report that is compared with: the intervals overlap, so no sum."""
    told = [
        f"{int(rows.eq('worse').sum())} worse, {int(rows.eq('better').sum())} better since {month(str(since))}"
        for since, rows in moved.groupby("since", sort=False)["movement"]
    ]
    return f"Ratings: {'; '.join(told)}"


def unmoved_head(counts: pd.DataFrame) -> str:
    """Say how many ratings did not move since each report that is compared with: the intervals overlap, so no sum."""
    told = [
        f"{int(rows.loc[rows['steps'].eq(0), 'projects'].sum())} of {int(rows['projects'].sum())} "
        f"since {month(str(since))}"
        for since, rows in counts.groupby("since", sort=False)
    ]
    return f"Unmoved ratings, on the diagonals: {'; '.join(told)}"


def flows_heatmap(counts: pd.DataFrame) -> go.Figure:
    """Draw how many ratings went from where to where, one square by rater; see ``metrics.ratings.flows``."""
    groups = [rows for _, rows in counts.groupby(["since", "assessor_role", "rating_scale"], sort=False)]
    firsts = [rows.iloc[0] for rows in groups]
    heads = [f"{row['assessor_role']}, {row['rating_scale']}, since {month(row['since'])}" for row in firsts]
    sizes = [rows["rating"].nunique() for rows in groups]
    inner = CELL * sum(sizes) + BETWEEN * (len(groups) - 1)
    figure = make_subplots(
        rows=len(groups), cols=1, row_heights=sizes, vertical_spacing=BETWEEN / inner,
        subplot_titles=[wrapped(head, width=40) for head in heads],
    )  # fmt: skip
    for place, rows in enumerate(groups, start=1):
        figure.add_trace(_square(rows), row=place, col=1)
    head = unmoved_head(counts)
    frame = framed(head, inner=inner, below=84)
    figure.update_layout(**frame | {"margin": frame["margin"] | {"t": frame["margin"]["t"] + 20}})
    figure.update_xaxes(showgrid=False, tickangle=0)
    figure.update_xaxes(title_text="now", row=len(groups))
    figure.update_yaxes(title_text="before", showgrid=False, autorange="reversed")
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    return figure


def counts_bars(counts: pd.DataFrame) -> go.Figure:
    """Draw the ratings of each period by rater; scales stand apart; see ``metrics.ratings.counts``."""
    ordered = counts.sort_values(["assessor_role", "period"], kind="stable")
    keys = list(dict.fromkeys(zip(ordered["assessor_role"], ordered["period"], ordered["rating_scale"], strict=True)))
    rows = Rows.of(f"{role}, {month(period)}, {scale}" for role, period, scale in keys)
    place = {key: rows.place(row) for row, key in enumerate(keys)}
    figure = go.Figure()
    for kind in (*RATINGS, "withheld", "not rated"):
        chosen = counts[counts["rating"] == kind]
        if len(chosen):
            figure.add_trace(_segment(chosen, kind=kind, place=place, thickness=rows.thickness))
    frame = framed("Ratings by rater and report", inner=rows.height, below=110)
    figure.update_layout(**frame, barmode="stack", **rows.layout())
    most = counts.groupby(["assessor_role", "period", "rating_scale"])["projects"].sum().max()
    figure.update_xaxes(title_text="projects", range=[0, float(most) * 1.02])
    return figure


def kept_bars(record: pd.DataFrame) -> go.Figure:
    """Draw what became of the promises that each report judges; see ``metrics.schedule.kept``."""
    keys = list(dict.fromkeys(zip(record["kind"], record["period"], strict=True)))
    rows = Rows.of(f"{kind}, due by {month(period)}" for kind, period in keys)
    place = {key: rows.place(row) for row, key in enumerate(keys)}
    figure = go.Figure()
    for outcome, colour in OUTCOME_COLOURS.items():
        chosen = record[record["outcome"] == outcome]
        if len(chosen):
            figure.add_trace(_outcome(chosen, colour=colour, place=place, thickness=rows.thickness))
    met = int(record.loc[record["outcome"] == "met on time", "promises"].sum())
    due = counted(int(record["promises"].sum()), noun="promised date")
    head = f"{met} of {due} met on time" if met else f"{due} came due; none is reported as met"
    figure.update_layout(**framed(head, inner=rows.height, below=120), barmode="stack", **rows.layout())
    figure.update_xaxes(title_text="promises that came due", range=[0, float(record["out_of"].max()) * 1.02])
    return figure


def drift_heatmap(drift: pd.DataFrame) -> go.Figure:
    """Draw the share of cells published, column by period; see ``metrics.disclosure.drift``."""
    periods = sorted(set(drift["period"]))
    columns = list(dict.fromkeys(drift["column_name"]))
    table = drift.pivot_table(index="column_name", columns="period", values="published_share").reindex(
        index=columns, columns=periods
    )
    values = table.to_numpy()
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[wrapped(month(period), width=4) for period in periods],
            y=[wrapped(column.replace("_", " "), width=20) for column in columns],
            zmin=0, zmax=1, colorscale=[[0, SERIES[1]], [1, PAPER]], showscale=False, xgap=2, ygap=2,
            text=[["" if pd.isna(cell) else share(cell) for cell in row] for row in values], texttemplate="%{text}",
            textfont={"color": INK}, hovertemplate="%{y}, %{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(**framed("Share of cells published, by report", inner=40 * len(columns)))
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(type="category", showgrid=False, autorange="reversed")
    return figure


def _cut(rows: int) -> str:
    return f" (the first {MOST_ROWS} of {rows} are drawn)" if rows > MOST_ROWS else ""


def _arrows(moved: pd.DataFrame, *, movement: str, colour: str, scale: tuple[str, ...], rows: Rows) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    told = zip(rows.places(), moved["rating_before"], moved["rating"], moved["movement"], strict=True)
    for place, was, now, kind in told:
        if kind == movement:
            x += [scale.index(was), scale.index(now), None]
            y += [place, place, None]
    return go.Scatter(x=x, y=y, mode="lines", name=movement, line={"color": colour, "width": 3}, hoverinfo="skip")


def _dots(moved: pd.DataFrame, *, column: str, scale: tuple[str, ...], rows: Rows) -> go.Scatter:
    looks = [rating_look(rating) for rating in moved[column]]
    hollow = column == "rating_before"
    return go.Scatter(
        x=[scale.index(rating) for rating in moved[column]],
        y=rows.places(),
        mode="markers+text",
        name="before" if hollow else "now",
        text=[look.letter for look in looks],
        textfont={"size": 11, "color": [INK if hollow else look.text for look in looks]},
        marker={
            "size": 24,
            "color": [PAPER if hollow else look.colour for look in looks],
            "line": {"color": [look.colour for look in looks], "width": 2},
        },
        customdata=[wrapped(name, width=60) for name in moved["name"]],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _square(rows: pd.DataFrame) -> go.Heatmap:
    """Return one transition matrix: worse is red, better green, the same grey; deeper is more projects."""
    order = list(dict.fromkeys(rows["rating_before"]))
    names, size = [_short(rating) for rating in order], len(order)
    deepest = max(int(rows["projects"].max()), 1)
    cells = [(count, (steps > 0) - (steps < 0)) for count, steps in zip(rows["projects"], rows["steps"], strict=True)]
    depths = [direction * (0.25 + 0.6 * count / deepest) if count else None for count, direction in cells]
    texts = [str(count) if count else "" for count, _ in cells]
    return go.Heatmap(
        z=[depths[at : at + size] for at in range(0, size * size, size)],
        x=names, y=names, zmin=-1, zmax=1, colorscale=[[0, FALL], [0.5, RULE], [1, RISE]],
        showscale=False, xgap=2, ygap=2, text=[texts[at : at + size] for at in range(0, size * size, size)],
        texttemplate="%{text}", textfont={"size": 15, "color": INK},
        hovertemplate="%{y} to %{x}: %{text}<extra></extra>",
    )  # fmt: skip


def _short(rating: str) -> str:
    return wrapped(rating.replace("/", "/ "), width=6)


def _segment(chosen: pd.DataFrame, *, kind: str, place: dict[tuple[str, str, str], float], thickness: float) -> go.Bar:
    look = RATING_LOOKS.get(kind, NO_LOOK)
    keys = zip(chosen["assessor_role"], chosen["period"], chosen["rating_scale"], strict=True)
    withheld = {"shape": "/", "fgcolor": HOLD, "size": 7, "solidity": 0.15} if kind == "withheld" else {"shape": ""}
    return go.Bar(
        orientation="h", name=kind, x=chosen["projects"].tolist(), y=[place[key] for key in keys], width=thickness,
        marker={"color": RULE if kind == "not rated" else look.colour, "pattern": withheld},
        text=chosen["projects"].tolist(), textposition="inside", textangle=0, insidetextanchor="middle",
        insidetextfont={"color": look.text},
        customdata=["no share" if pd.isna(value) else share(value) for value in chosen["share"]],
        hovertemplate=f"{kind}: %{{x}} (%{{customdata}})<extra></extra>",
    )  # fmt: skip


def _outcome(chosen: pd.DataFrame, *, colour: str, place: dict[tuple[str, str], float], thickness: float) -> go.Bar:
    outcome = str(chosen["outcome"].iloc[0])
    dark = colour in (FALL, RISE, MUTED, ACCENT, SERIES[1])
    return go.Bar(
        orientation="h", name=outcome, x=chosen["promises"].tolist(), width=thickness, marker_color=colour,
        y=[place[key] for key in zip(chosen["kind"], chosen["period"], strict=True)],
        text=chosen["promises"].tolist(), textposition="inside", textangle=0, insidetextanchor="middle",
        insidetextfont={"color": PAPER if dark else INK}, hovertemplate=f"{outcome}: %{{x}}<extra></extra>",
    )  # fmt: skip
