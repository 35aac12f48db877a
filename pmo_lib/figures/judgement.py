"""Figures of computed health: the matrix of ratings, other standards, breaches, the loop, gates and artefacts."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

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
    quantity,
    rating_look,
)

MOST_ROWS = 25
LABELS = 84  # pixels of the names of the columns
SHORT = {"resources": "people", "governance": "gates"}
COLUMNS = ("overall", "time", "cost", "scope", "benefits", "risk", "resources", "governance", "quality", "data")
GATE_LOOKS = {
    "overdue": ("square", RISE), "due": ("diamond", ACCENT), "conditions open": ("triangle-up", SERIES[1]),
    "later": ("circle-open", MUTED),
}  # fmt: skip
STEPS = {"asked": RULE, "taken": HOLD, "done": ACCENT, "helped": FALL}


def ratings_matrix(ratings: pd.DataFrame) -> go.Figure:
    """Draw reported beside computed, one row per project, worst first; see ``metrics.judgement.Judgement.ratings``."""
    judged = ratings["kind"].eq("rated by")
    raters = sorted(ratings.loc[judged, "dimension"].unique())
    known = set(ratings.loc[~judged & ratings["rating"].notna(), "dimension"])
    columns = [*raters, *(name for name in COLUMNS if name in known)]
    names = ratings.drop_duplicates("project_id").head(MOST_ROWS)
    rows = Rows.of(names["name"])
    place = dict(zip(names["project_id"], rows.places(), strict=True))
    shown = ratings[ratings["project_id"].isin(place) & ratings["dimension"].isin(columns)]
    figure = go.Figure(_cells(shown, columns=columns, place=place, thickness=rows.thickness))
    whole = ratings[~judged & ratings["dimension"].eq("overall")]
    red, left = (int(whole[column].eq("red").sum()) for column in ("computed", "rating"))
    count = int(ratings["project_id"].nunique())
    cut = f" (the first {MOST_ROWS} are drawn)" if count > MOST_ROWS else ""
    kept = f", {left} with overrides" if left != red else ""
    head = f"{counted(red, noun='project')} of {count} computed red{kept}{cut}" if known else f"Reported ratings{cut}"
    doubt = shown["shown"].astype("str").str.contains(",").any()
    frame = framed(head + (" (hatched: not assured)" if doubt else ""), inner=rows.height + LABELS, below=20)
    margin = frame["margin"] | {"t": frame["margin"]["t"] + LABELS}
    figure.update_layout(**frame | {"margin": margin}, **rows.layout(), barmode="overlay", showlegend=False)
    labels = [wrapped(SHORT.get(name, name), width=12) for name in columns]
    figure.update_xaxes(
        tickvals=[at + 0.45 for at in range(len(columns))], ticktext=labels, tickangle=-90, side="top",
        range=[0, max(len(columns), 4)], showgrid=False,
    )  # fmt: skip
    if known and raters:
        figure.add_vline(x=len(raters) - 0.05, line={"color": MUTED, "width": 1})
    return figure


def _cells(shown: pd.DataFrame, *, columns: list[str], place: dict[Any, float], thickness: float) -> go.Bar:
    """Return one bar of equal width per rating: a letter on its colour, hatched where the data cannot carry it."""
    looks = [rating_look(rating) if isinstance(rating, str) else NO_LOOK for rating in shown["rating"]]
    doubtful = [isinstance(text, str) and "," in text for text in shown["shown"]]
    told = [
        f"{wrapped(str(name))}<br>{wrapped(str(of))}: {text if isinstance(text, str) else 'n/a'}"
        for name, of, text in zip(shown["name"], shown["dimension"], shown["shown"], strict=True)
    ]
    return go.Bar(
        orientation="h", base=[columns.index(each) for each in shown["dimension"]], x=[0.9] * len(shown),
        y=[place[project] for project in shown["project_id"]], width=thickness,
        marker={
            "color": [look.colour for look in looks],
            "pattern": {"shape": ["/" * each for each in doubtful], "fgcolor": PAPER, "size": 6, "solidity": 0.3},
        },
        text=[look.letter for look in looks], textposition="inside", insidetextanchor="middle", textangle=0,
        insidetextfont={"color": [look.text for look in looks], "size": 12}, constraintext="none",
        customdata=told, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def rerated_bars(compared: pd.DataFrame) -> go.Figure:
    """Draw the ratings by each standard; see ``metrics.computed.compare``."""
    known = compared[compared["red"].notna()]
    rows = Rows.of(
        f"{row['standard']}" + (", in force" if row["in_force"] else f": {row['differ']} differ")
        for row in known.to_dict("records")
    )
    figure = go.Figure()
    for name in ("red", "amber", "green", "unknown"):
        look = RATING_LOOKS.get(name, NO_LOOK)
        counts = [int(count) for count in known[name]]
        figure.add_trace(
            go.Bar(
                orientation="h", name="not computable" if name == "unknown" else name, x=counts, y=rows.places(),
                width=rows.thickness, marker_color=look.colour, text=[str(n) if n else "" for n in counts],
                textposition="inside", textangle=0, insidetextanchor="middle", insidetextfont={"color": look.text},
                hovertemplate=f"{name}: %{{x}}<extra></extra>",
            )
        )  # fmt: skip
    most = int(known["differ"].max())
    head = f"Up to {counted(most, noun='rating')} would differ by another standard" if most else "All standards agree"
    figure.update_layout(**framed(head, inner=rows.height, below=100), barmode="stack", **rows.layout())
    total = known[["red", "amber", "green", "unknown"]].sum(axis="columns").max()
    figure.update_xaxes(title_text="projects", range=[0, float(total) * 1.02])
    return figure


def breach_ranges(found: pd.DataFrame) -> go.Figure:
    """Draw each breach from the first report that saw it; see ``metrics.exceptions.exceptions``."""
    shown = found.head(MOST_ROWS)
    rows = Rows.of(
        f"{row['name']} · {row['dimension']}: {quantity(float(row['value']), unit=str(row['unit']))}"
        for row in shown.to_dict("records")
    )
    x = [each for pair in zip(shown["since_on"], shown["status_on"], strict=True) for each in (*pair, None)]
    y = [each for place in rows.places() for each in (place, place, None)]
    first = ["triangle-left" if since else "circle" for since in shown["from_the_start"]]
    figure = go.Figure(
        [
            go.Scatter(x=x, y=y, mode="lines", line={"color": RISE, "width": 8}, hoverinfo="skip"),
            go.Scatter(
                x=list(shown["since_on"]), y=rows.places(), mode="markers",
                marker={"size": 13, "color": RISE, "symbol": first},
                hovertemplate="since %{x|%d %b %Y}<extra></extra>",
            ),
        ]
    )  # fmt: skip
    cut = f" (the first {MOST_ROWS} are drawn)" if len(found) > MOST_ROWS else ""
    head = f"{counted(len(found), noun='tolerance')} breached{cut}"
    figure.update_layout(**framed(head, inner=rows.height, below=70), **rows.layout(), showlegend=False)
    start, end = shown["since_on"].min(), shown["status_on"].max()
    room = max((end - start) / 20, pd.Timedelta(days=5))
    figure.update_xaxes(
        type="date", range=[start - room, end + room], nticks=5, title_text="first report of the breach to now"
    )
    return figure


def steps_bars(steps: pd.DataFrame) -> go.Figure:
    """Draw how many decisions and actions came how far; see ``metrics.exceptions.loop``."""
    order = list(STEPS)
    counts = {
        str(kind): [int(own["step"].map(order.index).ge(at).sum()) for at in range(len(order))]
        for kind, own in steps.groupby("kind", sort=False)
    }
    labels = [(kind, step, count) for kind, row in counts.items() for step, count in zip(order, row, strict=True)]
    rows = Rows.of(
        f"{kind}s {'that were followed by a better figure' if step == 'helped' else step}" for kind, step, _ in labels
    )
    values = [count for _, _, count in labels]
    figure = go.Figure(
        go.Bar(
            orientation="h", x=values, y=rows.places(), width=rows.thickness,
            marker_color=[STEPS[step] for _, step, _ in labels], text=[str(value) for value in values],
            textposition="outside", textangle=0, cliponaxis=False, hoverinfo="skip", textfont={"color": INK},
        )
    )  # fmt: skip
    told = ", ".join(f"{row[-1]} of {row[2]} {kind}s" for kind, row in counts.items())
    figure.update_layout(**framed(f"Done and followed by a better figure: {told}", inner=rows.height), **rows.layout())
    figure.update_xaxes(range=[0, max(*values, 1) * 1.12], title_text="number")
    return figure


def gates_calendar(gates: pd.DataFrame) -> go.Figure:
    """Draw the gates that are not behind a project, by day; see ``metrics.gates.calendar``."""
    ahead = gates[gates["state"].isin(list(GATE_LOOKS))]
    chosen = ahead if len(ahead) else gates
    names = chosen.drop_duplicates("project_id").head(MOST_ROWS)
    rows = Rows.of(names["name"])
    place = dict(zip(names["project_id"], rows.places(), strict=True))
    figure = go.Figure()
    for state, (symbol, colour) in GATE_LOOKS.items():
        own = ahead[ahead["state"].eq(state) & ahead["project_id"].isin(place)]
        when = own["held_on"].where(own["state"].eq("conditions open"), own["planned_on"])
        figure.add_trace(
            go.Scatter(
                x=list(when), y=[place[project] for project in own["project_id"]], mode="markers+text", name=state,
                marker={"symbol": symbol, "color": colour, "size": 13}, text=[_gate_mark(gate) for gate in own["gate"]],
                textposition="middle right", cliponaxis=False, textfont={"size": 11},
                customdata=[wrapped(str(gate)) for gate in own["gate"]],
                hovertemplate="%{customdata}, %{x|%d %b %Y}, " + state + "<extra></extra>",
            )
        )  # fmt: skip
    late = int(gates["state"].eq("overdue").sum())
    soon = int(gates["state"].eq("due").sum())
    head = f"{counted(late, noun='gate')} overdue, {soon} due soon"
    figure.update_layout(**framed(head, inner=rows.height, below=90), **rows.layout(), showlegend=True)
    figure.update_xaxes(type="date", nticks=5)
    return figure


def _gate_mark(gate: object) -> str:
    """Return the last word of a gate's name, where that is short: ``3`` of Gate 3."""
    last = str(gate).split()[-1] if str(gate).split() else ""
    return wrapped(last, width=4) if len(last) <= 4 else ""


def ready_bars(ready: pd.DataFrame) -> go.Figure:
    """Draw the required artefacts of each project by state; see ``metrics.gates.readiness``."""
    shown = ready.head(MOST_ROWS)
    rows = Rows.of(
        f"{name}, {stage}" for name, stage in zip(shown["name"], shown["stage"].fillna("no stage"), strict=True)
    )
    parts = {
        "approved": (shown["approved"] - shown["overdue"], FALL, PAPER),
        "review overdue": (shown["overdue"], RATING_LOOKS["amber"].colour, INK),
        "present, not approved": (shown["present"] - shown["approved"], RATING_LOOKS["amber/red"].colour, INK),
        "not there": (shown["required"] - shown["present"], RISE, PAPER),
    }
    figure = go.Figure()
    for name, (counts, colour, ink) in parts.items():
        values = [int(count) for count in counts]
        figure.add_trace(
            go.Bar(
                orientation="h", name=name, x=values, y=rows.places(), width=rows.thickness, marker_color=colour,
                text=[str(value) if value else "" for value in values], textposition="inside", textangle=0,
                insidetextanchor="middle", insidetextfont={"color": ink},
                hovertemplate=f"{name}: %{{x}}<extra></extra>",
            )
        )  # fmt: skip
    head = (
        f"{int(ready['approved'].sum())} of {counted(int(ready['required'].sum()), noun='required artefact')} approved"
    )
    figure.update_layout(**framed(head, inner=rows.height, below=110), barmode="stack", **rows.layout())
    figure.update_xaxes(title_text="artefacts", range=[0, float(shown["required"].max()) * 1.02], dtick=2)
    return figure
