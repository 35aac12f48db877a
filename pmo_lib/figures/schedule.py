"""Figures of dates: finishes, baselines, milestone trends."""

from __future__ import annotations

import html

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.figures.labels import Rows, framed, wrapped
from pmo_lib.theme import ACCENT, FALL, HOLD, MUTED, PAPER, RISE, SERIES, counted, day, month, number

MOST_ROWS = 40


def finishes_bars(moved: pd.DataFrame) -> go.Figure:
    """Draw by how many days each finish moved; where none did, all that could be compared stand at zero.

    See ``metrics.schedule.finishes``.
    """
    days = moved["moved_days"].astype("float64")
    chosen = moved[days.notna() & days.ne(0)]
    shown = (chosen if len(chosen) else moved).head(MOST_ROWS)
    values = shown["moved_days"].astype("float64").fillna(0.0).tolist()
    rows = Rows.of(shown["name"])
    figure = go.Figure(
        go.Bar(
            orientation="h", x=values, y=rows.places(), width=rows.thickness, textposition="outside", cliponaxis=False,
            text=[_moved_text(value) for value in shown["moved_days"]],
            marker_color=[RISE if value > 0 else FALL for value in values],
            customdata=[wrapped(name, width=60) for name in shown["name"]],
            hovertemplate="%{customdata}: %{x} days<extra></extra>",
        )
    )  # fmt: skip
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.22 * ((high - low) or 1.0)
    compared = counted(int(days.notna().sum()), noun="project")
    since = month(moved["since"].iloc[0])
    head = f"The {moved['basis'].iloc[0]} moved in {len(chosen)} of {compared} since {since}" + _cut(len(chosen))
    figure.update_layout(**framed(head, inner=rows.height), **rows.layout())
    figure.update_xaxes(title_text="days, + is later", range=[low - room * (low < 0), high + room], nticks=5)
    return figure


def spread_bars(counts: pd.DataFrame) -> go.Figure:
    """Draw how many finishes moved how far; see ``metrics.schedule.spread``."""
    rows = Rows.of(counts["bin"])
    figure = go.Figure(
        go.Bar(
            orientation="h", x=counts["projects"].tolist(), y=rows.places(), width=rows.thickness,
            marker_color=[_bin_colour(name) for name in counts["bin"]],
            text=counts["projects"].tolist(), textposition="outside", cliponaxis=False,
            hovertemplate="%{x} projects<extra></extra>",
        )
    )  # fmt: skip
    head = f"How far the {counts['basis'].iloc[0]} moved since {month(counts['since'].iloc[0])}"
    figure.update_layout(**framed(head, inner=rows.height), **rows.layout())
    figure.update_xaxes(title_text="projects", range=[0, float(counts["projects"].max()) * 1.15 or 1])
    return figure


def variance_ranges(variance: pd.DataFrame) -> go.Figure:
    """Draw original and current baseline finish and the expected one, project by project.

    See ``metrics.baselines.variance``; projects without a baseline or a forecast stand in the table only.
    """
    drawn = variance[variance["original_finish_on"].notna() & variance["finish_on"].notna()]
    shown = (drawn if len(drawn) else variance).head(MOST_ROWS)
    rows = Rows.of(shown["name"])
    figure = go.Figure(_spans(shown, rows=rows))
    for column, name, look in (
        ("original_finish_on", "original baseline", {"symbol": "circle-open", "color": MUTED, "size": 13}),
        ("current_finish_on", "current baseline", {"symbol": "line-ns-open", "color": ACCENT, "size": 15}),
        ("finish_on", "forecast or actual", {"symbol": "circle", "color": RISE, "size": 10}),
    ):
        told = [f"{wrapped(label)}: {day(date)}" for label, date in zip(shown["name"], shown[column], strict=True)]
        figure.add_trace(
            go.Scatter(
                x=list(shown[column]), y=rows.places(), mode="markers", name=name, marker=look | {"line": {"width": 3}},
                customdata=told, hovertemplate=f"%{{customdata}} ({name})<extra></extra>",
            )
        )  # fmt: skip
    late = int(drawn["original_days"].astype("float64").gt(0).sum())
    head = f"{late} of {counted(len(drawn), noun='project')} later than the original baseline" + _cut(len(drawn))
    figure.update_layout(**framed(head, inner=rows.height, below=90), **rows.layout())
    figure.update_xaxes(type="date", nticks=5)
    return figure


def trend_lines(trend: pd.DataFrame) -> go.Figure:
    """Draw the reported date of each milestone over the reports; see ``metrics.milestones.trend``."""
    figure = go.Figure()
    ends = [trend["status_date"].min(), trend["status_date"].max()]
    figure.add_trace(
        go.Scatter(
            x=ends, y=ends, mode="lines", name="the day of the report itself", hoverinfo="skip",
            line={"color": HOLD, "dash": "dot"},
        )
    )  # fmt: skip
    for rank, rows in trend.groupby("rank"):
        colour = SERIES[(int(str(rank)) - 1) % len(SERIES)]
        figure.add_trace(
            go.Scatter(
                x=list(rows["status_date"]), y=list(rows["expected_on"]), mode="lines+markers",
                name=wrapped(f"{rank}  {rows['label'].iloc[0]}", width=30),
                line={"color": colour, "dash": "solid" if int(str(rank)) <= len(SERIES) else "dash"},
                marker={"size": 9, "symbol": ["star" if met else "circle" for met in rows["met"]]},
                hovertemplate="reported %{x|%d %b %Y}: %{y|%d %b %Y}<extra></extra>",
            )
        )  # fmt: skip
    ranks = int(trend["rank"].nunique())
    head = f"Milestone trend: {counted(ranks, noun='milestone')}; a rising line slips"
    figure.update_layout(**framed(head, inner=340, below=90 + 50 * ranks))
    figure.update_layout(legend_entrywidth=1, legend_entrywidthmode="fraction")
    figure.update_xaxes(type="date", title_text="date of the report", nticks=4)
    figure.update_yaxes(type="date", title_text="date it gave")
    return figure


def _cut(rows: int) -> str:
    return f" (the first {MOST_ROWS} are drawn)" if rows > MOST_ROWS else ""


def _moved_text(days: float | None) -> str:
    return "not comparable" if pd.isna(days) else number(days, signed=True)


def _bin_colour(name: str) -> str:
    if name.startswith("later"):
        return RISE
    return FALL if name.startswith("earlier") else ACCENT if name == "unchanged" else HOLD


def _spans(shown: pd.DataFrame, *, rows: Rows) -> go.Scatter:
    x: list[object] = []
    y: list[float | None] = []
    for place, start, end in zip(rows.places(), shown["original_finish_on"], shown["finish_on"], strict=True):
        x += [start, end, None]
        y += [place, place, None]
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": HOLD, "width": 3}, hoverinfo="skip", showlegend=False, name="span"
    )


def cohort_lines(trend: pd.DataFrame) -> go.Figure:
    """Draw how far the finish of each cohort has moved, report by report; see ``metrics.cohorts.trend``."""
    figure = go.Figure()
    cohorts = list(trend.groupby("cohort", sort=True))
    for place, (cohort, rows) in enumerate(cohorts):
        figure.add_trace(
            go.Scatter(
                x=list(rows["reported_on"]), y=rows["p50_days"].tolist(), mode="lines+markers",
                name=f"{cohort} (n = {rows['projects'].iloc[0]})", marker={"size": 7},
                line={"color": SERIES[place % len(SERIES)], "dash": "solid" if place < len(SERIES) else "dash"},
                hovertemplate=f"{cohort}, %{{x|%d %b %Y}}: %{{y}} days<extra></extra>",
            )
        )  # fmt: skip
    followed = int(trend.drop_duplicates("cohort")["projects"].sum())
    head = f"{str(trend['basis'].iloc[0]).capitalize()}: median movement of {counted(followed, noun='project')}"
    figure.update_layout(**framed(f"{head} since the first report of each", inner=340, below=90 + 12 * len(cohorts)))
    figure.update_xaxes(type="date", title_text="date of the report", nticks=5)
    figure.update_yaxes(title_text="days, + is later")
    return figure


def stages_ranges(slips: pd.DataFrame) -> go.Figure:
    """Draw median and P80 of the slips of each class; see ``metrics.cohorts.slips_by_stage``."""
    known = slips[slips["followed"].gt(0)]
    shown = known if len(known) else slips
    rows = Rows.of(f"{row['first_stage']}, n = {row['followed']}" for row in shown.to_dict("records"))
    middle, high = (shown[column].astype("float64").fillna(0.0).tolist() for column in ("p50_days", "p80_days"))
    figure = go.Figure()
    for values, name, look in (
        (middle, "P50", {"symbol": "circle", "color": ACCENT, "size": 12}),
        (high, "P80", {"symbol": "diamond", "color": RISE, "size": 12}),
    ):
        figure.add_trace(
            go.Scatter(
                x=values, y=rows.places(), mode="markers+text", name=name, marker=look, cliponaxis=False,
                text=[number(value) for value in values] if len(known) else None,
                textposition="middle right" if name == "P80" else "middle left", hoverinfo="skip",
            )
        )  # fmt: skip
    head = f"Movement of the {shown['basis'].iloc[0]} by the stage in which a project was first seen"
    figure.update_layout(**framed(head, inner=rows.height, below=90), **rows.layout())
    low, top = min(0.0, *middle, *high), max(1.0, *middle, *high)
    room = 0.2 * (top - low)
    figure.update_xaxes(title_text="days since the first report, + is later", range=[low - room, top + room], nticks=5)
    return figure


def path_ranges(path: pd.DataFrame) -> go.Figure:
    """Draw the critical and nearly critical tasks from early start to early finish; see ``metrics.plans``."""
    computed = path[path["start_on"].notna()]
    shown = (computed if len(computed) else path).head(MOST_ROWS)
    rows = Rows.of(f"{row['name']}: {row['task']}" for row in shown.to_dict("records"))
    figure = go.Figure()
    for standing, colour in (("critical", RISE), ("near critical", SERIES[1])):
        chosen = [place for place, each in enumerate(shown["standing"]) if each == standing]
        if not chosen:
            continue
        starts, finishes = ([shown[name].iloc[place] for place in chosen] for name in ("start_on", "finish_on"))
        x = [each for pair in zip(starts, finishes, strict=True) for each in (*pair, None)]
        y = [each for place in chosen for each in (rows.place(place), rows.place(place), None)]
        figure.add_trace(
            go.Scatter(
                x=x, y=y, mode="lines+markers", name=standing, line={"color": colour, "width": 8},
                marker={"size": 8, "symbol": "circle" if standing == "critical" else "diamond"},
                hovertemplate=f"%{{x|%d %b %Y}}, {standing}<extra></extra>",
            )
        )  # fmt: skip
    count = int(computed["standing"].eq("critical").sum())
    projects = counted(int(computed["project_id"].nunique()), noun="network")
    head = f"{counted(count, noun='open task')} critical in {projects}" + _cut(len(computed))
    figure.update_layout(**framed(head, inner=rows.height, below=90), **rows.layout(), showlegend=True)
    figure.update_xaxes(type="date", nticks=5)
    return figure


def tests_heatmap(tests: pd.DataFrame) -> go.Figure:
    """Draw the outcome of each test, network by network; see ``metrics.plans.Plans.tests``."""
    outcomes = {"met": (0, "✓"), "for information": (1, "i"), "not applicable": (1, "–"), "not met": (2, "✗")}
    projects = tests.drop_duplicates("project_id")
    rules = tests.drop_duplicates("number").sort_values("number")
    cells = {(row["number"], row["project_id"]): row for row in tests.to_dict("records")}
    grid = [[cells[number, project] for project in projects["project_id"]] for number in rules["number"]]
    said = [[f"{html.escape(cell['name'])}, {cell['test']}: {cell['outcome']}" for cell in line] for line in grid]
    figure = go.Figure(
        go.Heatmap(
            z=[[outcomes[cell["outcome"]][0] for cell in line] for line in grid],
            text=[[outcomes[cell["outcome"]][1] for cell in line] for line in grid], texttemplate="%{text}",
            x=[wrapped(project, width=12) for project in projects["project_id"]],
            y=[f"{row['number']} {row['test']}" for row in rules.to_dict("records")],
            textfont={"color": PAPER, "size": 13}, customdata=said, hovertemplate="%{customdata}<extra></extra>",
            zmin=0, zmax=2, colorscale=[[0, FALL], [0.5, MUTED], [1, RISE]], showscale=False, xgap=2, ygap=2,
        )
    )  # fmt: skip
    missed = int(tests["outcome"].eq("not met").sum())
    head = f"{missed} of {len(tests)} tests not met (✗); – could not be made"
    figure.update_layout(**framed(head, inner=24 * len(rules)))
    figure.update_xaxes(type="category", side="bottom", showgrid=False)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    return figure


def needs_bars(needs: pd.DataFrame) -> go.Figure:
    """Draw the float of each open dependency; see ``metrics.dependencies.dependencies``."""
    known = needs[needs["float_days"].notna()]
    shown = (known if len(known) else needs).head(MOST_ROWS)
    values = shown["float_days"].astype("float64").fillna(0.0).tolist()
    rows = Rows.of(f"{row['item']}, for {row['recipient']}" for row in shown.to_dict("records"))
    figure = go.Figure(
        go.Bar(
            orientation="h", x=values, y=rows.places(), width=rows.thickness, textposition="outside", cliponaxis=False,
            text=["no dates" if pd.isna(each) else number(each, signed=True) for each in shown["float_days"]],
            marker_color=[RISE if value < 0 else FALL for value in values],
            hovertemplate="%{x} days<extra></extra>",
        )
    )  # fmt: skip
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.22 * ((high - low) or 1.0)
    late = int(known["float_days"].astype("float64").lt(0).sum())
    head = f"{late} of {counted(len(known), noun='dependency', plural='dependencies')} promised too late" + _cut(
        len(known)
    )
    figure.update_layout(**framed(head, inner=rows.height), **rows.layout())
    figure.update_xaxes(
        title_text="float in days, − is too late", range=[low - room * (low < 0), high + room], nticks=5
    )
    return figure
