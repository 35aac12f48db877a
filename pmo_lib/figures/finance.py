"""Figures of the financial outlook: variance, phased curve, years, bridges, underspend, disclosure."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pmo_lib.figures.labels import Rows, framed
from pmo_lib.theme import (
    ACCENT,
    FALL,
    HOLD,
    INK,
    MUTED,
    RISE,
    RULE,
    SERIES,
    Scale,
    counted,
    money,
    money_scale,
    month,
    number,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_ROWS = 25
PLAN_COLOUR, OUTLOOK_COLOUR = MUTED, ACCENT
AHEAD = 0.4  # opacity of what is forecast
# Only a change of cost is better or worse; projects that come, go or fall silent are neither.
CAUSE_COLOURS = {
    "left": HOLD,
    "moved out": HOLD,
    "withheld or range": SERIES[3],
    "newly published": SERIES[3],
    "moved in": HOLD,
    "joined": HOLD,
}
CAUSE_WORDS = {
    "withheld or range": "no single figure any more",
    "newly published": "newly published",
    "re-based": "re-based",
}
STATE_COLOURS = {
    "published": ACCENT,
    "range": SERIES[5],
    "withheld": SERIES[3],
    "not set": HOLD,
    "not returned": RULE,
    "unreadable": RISE,
}
STATE_WORDS = {"published": "single figure", "range": "range only"}


def variance_bars(levels: pd.DataFrame) -> go.Figure:
    """Draw by how much each project is under (+) or over (−) its budget; see ``metrics.outlook.levels``."""
    known = levels[levels["level"].isin(["project", "own"]) & levels["variance"].notna()]
    rows = known.loc[known["variance"].abs().sort_values(ascending=False, kind="stable").index].head(MOST_ROWS)
    scale = _scale(rows, "variance")
    over = int(known["variance"].lt(0).sum())
    head = f"{over} of {counted(len(known), noun='budget')} overspent, {scale.unit}" + _cut(len(known))
    return _bars(
        rows,
        values=rows["variance"] / scale.divisor,
        words=[scale.write(value, signed=True) for value in rows["variance"]],
        colours=[RISE if value < 0 else FALL for value in rows["variance"]],
        head=head,
        axis=f"over (−) or under (+) budget, {scale.unit}",
    )


def phased_curves(phased: pd.DataFrame) -> go.Figure:
    """Draw plan, actual and outlook by month, and cumulatively below; see ``metrics.outlook.phased``."""
    scale = _scale(phased, "plan_cumulative", "outlook_cumulative")
    fine = _scale(phased, "plan", "outlook")
    months = [month(period) for period in phased["month"]]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=False, vertical_spacing=0.2)
    done, ahead = phased["closed"], ~phased["closed"]
    for mask, name, opacity in ((done, "spent", 1.0), (ahead, "forecast", AHEAD)):
        figure.add_trace(
            go.Bar(
                x=[text for text, is_in in zip(months, mask, strict=True) if is_in],
                y=phased.loc[mask, "outlook"] / fine.divisor,
                name=name,
                marker={"color": OUTLOOK_COLOUR, "opacity": opacity},
                hovertemplate="%{x}: %{y:,.2f}<extra>" + name + "</extra>",
            ),
            row=1,
            col=1,
        )
    figure.add_trace(_line(months, values=phased["plan"] / fine.divisor, name="plan", dash="dot"), row=1, col=1)
    cumulative = {
        "plan": (phased["plan_cumulative"], "dot", PLAN_COLOUR),
        "outlook": (phased["outlook_cumulative"], "dash", OUTLOOK_COLOUR),
        "spent": (phased["outlook_cumulative"].where(done), "solid", OUTLOOK_COLOUR),
    }
    for name, (values, dash, colour) in cumulative.items():
        trace = _line(months, values=values / scale.divisor, name=name, dash=dash, colour=colour)
        figure.add_trace(trace.update(showlegend=name == "outlook"), row=2, col=1)
    _end_labels(figure, phased=phased, months=months, scale=scale)
    last = phased.iloc[-1]
    head = f"Outlook {_money(last, 'outlook_cumulative')} against a plan of {_money(last, 'plan_cumulative')}"
    figure.update_layout(
        **framed(head, inner=560, below=64), barmode="overlay",
    )  # fmt: skip
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=months, tickangle=-60, showgrid=False)
    figure.update_yaxes(title_text=f"by month, {fine.unit}", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text=f"cumulative, {scale.unit}", rangemode="tozero", row=2, col=1)
    return figure


def years_bars(years: pd.DataFrame) -> go.Figure:
    """Draw plan beside outlook, year by year, over the projects that had both; see ``metrics.cost.years``."""
    scale = _scale(years, "plan", "outlook")
    labels = [f"{row['year']}<br>{row['paired']} of {row['projects']}" for row in years.to_dict("records")]
    figure = go.Figure()
    for name, colour in (("plan", RULE), ("outlook", OUTLOOK_COLOUR)):
        words = [share(v, signed=True, decimals=1) if name == "outlook" else "" for v in years["variance_share"]]
        figure.add_trace(
            go.Bar(
                x=labels,
                y=years[name] / scale.divisor,
                name=name,
                text=words,
                textposition="outside",
                cliponaxis=False,
                marker={"color": colour, "line": {"color": PLAN_COLOUR, "width": 1}},
                hovertemplate="%{x}: %{y:,.2f}<extra>" + name + "</extra>",
            )
        )
    last = years.iloc[-1]
    head = f"{last['year']}: {_above(last['variance_share'])} plan"
    figure.update_layout(
        **framed(head, inner=330, below=96),
        xaxis={"type": "category", "title": {"text": "fiscal year; projects with both figures"}, "showgrid": False},
        yaxis={"title": {"text": scale.unit}, "rangemode": "tozero"},
    )  # fmt: skip
    return figure


def plan_waterfall(steps: pd.DataFrame) -> go.Figure:
    """Draw the bridge from the year's plan to its outlook, project by project; see ``metrics.outlook.plan_bridge``."""
    colours = [RISE if value > 0 else FALL for value in steps["amount"]]
    labels = {"plan": "Plan", "outlook": "Outlook"}
    words = [
        f"{counted(int(row['projects']), noun='other project')}" if row["kind"] == "others" else labels.get(row["step"])
        for row in steps.to_dict("records")
    ]
    names = [word or str(step) for word, step in zip(words, steps["step"], strict=True)]
    return _waterfall(steps, names=names, colours=colours)


def cause_waterfall(steps: pd.DataFrame) -> go.Figure:
    """Draw the bridge from the total before to the total now, by cause; see ``metrics.bridge.bridge_steps``."""
    rows = steps[steps["kind"].eq("total") | steps["amount"].ne(0)].reset_index(drop=True)
    colours = [
        CAUSE_COLOURS.get(str(row["step"]), RISE if row["amount"] > 0 else FALL) for row in rows.to_dict("records")
    ]
    names = [
        f"{CAUSE_WORDS.get(str(row['step']), str(row['step']))} ({number(row['projects'])})"
        for row in rows.to_dict("records")
    ]
    return _waterfall(rows, names=names, colours=colours)


def in_year_bars(in_year: pd.DataFrame) -> go.Figure:
    """Draw each project's spending against plan as a share of the plan; see ``metrics.cost.in_year``."""
    known = in_year[in_year["variance_share"].notna()]
    rows = known.head(MOST_ROWS)
    scale = _scale(rows, "variance")
    words = [
        f"{share(row['variance_share'], signed=True)} ({scale.write(row['variance'], signed=True)} {scale.unit})"
        for row in rows.to_dict("records")
    ]
    under = int(known["variance_share"].lt(0).sum())
    head = f"{under} of {counted(len(known), noun='project')} below plan" + _cut(len(known), by="largest in money")
    figure = _bars(
        rows,
        values=(rows["variance_share"] * 100).clip(-100, 100),
        words=words,
        colours=[RISE if value > 0 else FALL for value in rows["variance_share"]],
        head=head,
        axis="per cent of plan; bars end at ±100 %",
    )
    return figure.update_xaxes(tickvals=[-100, -50, 0, 50, 100], range=[-175, 175])


def underspends_bars(underspends: pd.DataFrame) -> go.Figure:
    """Count large underspends by fiscal year and by what became of the end date; see ``metrics.cost.underspends``."""
    kinds = underspends["kept"].map({True: "kept or advanced", False: "moved later"}).fillna("date not known")
    counts = underspends.assign(kind=kinds).groupby(["year", "kind"]).size().unstack(fill_value=0).sort_index()
    figure = go.Figure()
    looks = {"kept or advanced": SERIES[1], "moved later": ACCENT, "date not known": RULE}
    for kind, colour in looks.items():
        if kind in counts:
            words = [str(count) if count else "" for count in counts[kind]]
            figure.add_trace(
                go.Bar(
                    x=counts.index, y=counts[kind], name=f"end date {kind}", text=words, textposition="inside",
                    insidetextanchor="middle", textangle=0, marker={"color": colour},
                    hovertemplate="%{x}: %{y}<extra>" + kind + "</extra>",
                )
            )  # fmt: skip
    known = underspends["kept"].dropna()
    head = f"{int(known.sum())} of {counted(len(known), noun='large underspend')} kept or advanced the end date"
    figure.update_layout(
        **framed(head, inner=330, below=96), barmode="stack",
        xaxis={"type": "category", "title": {"text": "fiscal year"}, "showgrid": False},
        yaxis={"title": {"text": "projects"}, "rangemode": "tozero"},
    )  # fmt: skip
    return figure


def disclosure_bars(trend: pd.DataFrame) -> go.Figure:
    """Draw the share of projects by how their whole-life cost is published; see ``metrics.cost.disclosure_trend``."""
    labels = [f"{month(row['period'])}<br>{row['projects']}" for row in trend.to_dict("records")]
    figure = go.Figure()
    for state, colour in STATE_COLOURS.items():
        part = trend[state] / trend["projects"]
        if part.any():
            words = [share(value) if value >= 0.05 else "" for value in part]
            figure.add_trace(
                go.Bar(
                    x=labels, y=part * 100, name=STATE_WORDS.get(state, state), marker={"color": colour}, text=words,
                    textposition="inside", insidetextanchor="middle", textangle=0,
                    hovertemplate="%{x}: %{y:.0f} %<extra>" + STATE_WORDS.get(state, state) + "</extra>",
                )
            )  # fmt: skip
    last = trend.iloc[-1]
    head = f"A single whole-life cost for {share(last['published_share'])} of projects"
    figure.update_layout(
        **framed(head, inner=330, below=96), barmode="stack",
        xaxis={"type": "category", "title": {"text": "report; projects in it"}, "showgrid": False},
        yaxis={"title": {"text": "per cent of projects"}, "range": [0, 100]},
    )  # fmt: skip
    return figure


def _scale(rows: pd.DataFrame, *columns: str) -> Scale:
    values = [value for column in columns for value in rows[column].dropna().astype("float64")]
    return money_scale(
        values, currency=str(rows["currency"].dropna().iloc[0]) if rows["currency"].notna().any() else ""
    )


def _money(row: pd.Series, column: str) -> str:
    return money(row[column], currency=str(row["currency"]))


def _above(value: float) -> str:
    if pd.isna(value):
        return "no share of"
    return f"{share(abs(value), decimals=1)} {'above' if value > 0 else 'below'}"


def _cut(count: int, *, by: str = "largest") -> str:
    return f" (the {MOST_ROWS} {by})" if count > MOST_ROWS else ""


def _line(months: Sequence[str], *, values: pd.Series, name: str, dash: str, colour: str = PLAN_COLOUR) -> go.Scatter:
    return go.Scatter(
        x=list(months), y=values, name=name, mode="lines", line={"color": colour, "dash": dash, "width": 2.5},
        hovertemplate="%{x}: %{y:,.2f}<extra>" + name + "</extra>",
    )  # fmt: skip


def _end_labels(figure: go.Figure, *, phased: pd.DataFrame, months: Sequence[str], scale: Scale) -> None:
    """Write plan and outlook of the whole year at the end of their lines, the higher one on top."""
    last = phased.iloc[-1]
    plan_is_higher = not last["plan_cumulative"] < last["outlook_cumulative"]
    for name, higher in (("plan", plan_is_higher), ("outlook", not plan_is_higher)):
        value = last[f"{name}_cumulative"]
        if pd.notna(value):
            figure.add_annotation(
                x=months[-1], y=value / scale.divisor, xref="x2", yref="y2", showarrow=False, xanchor="right",
                yanchor="bottom" if higher else "top", text=f"{name} {scale.write(value)}",
                font={"color": PLAN_COLOUR if name == "plan" else OUTLOOK_COLOUR},
            )  # fmt: skip


def _bars(
    rows: pd.DataFrame, *, values: pd.Series, words: Sequence[str], colours: Sequence[str], head: str, axis: str
) -> go.Figure:
    """Draw one horizontal bar per row, its name above it, its words at its end."""
    lines = Rows.of(rows["name"].astype("str"))
    figure = go.Figure(
        go.Bar(
            x=values, y=lines.places(), width=lines.thickness, orientation="h", marker={"color": list(colours)},
            text=[html.escape(word) for word in words], textposition="outside", cliponaxis=False, hoverinfo="skip",
        )
    )  # fmt: skip
    return figure.update_layout(
        **framed(head, inner=lines.height), showlegend=False, yaxis=lines.axis(),
        xaxis={"title": {"text": axis}, "range": _room(values)},
    )  # fmt: skip


def _waterfall(steps: pd.DataFrame, *, names: Sequence[str], colours: Sequence[str]) -> go.Figure:
    """Draw the steps from the first total, which is the zero line, to the last, so that small steps stay visible."""
    scale, total_scale = _scale(steps[steps["kind"].ne("total")], "amount"), _scale(steps, "amount")
    changes = steps["amount"].where(steps["kind"].ne("total"), 0.0)
    net = float(changes.sum())
    bases = [*(changes.cumsum() - changes).iloc[:-1], 0.0]
    widths = [*changes.iloc[:-1], net]
    totals = [f"{total_scale.write(value)} {total_scale.unit}" for value in steps["amount"]]
    words = [
        total if kind == "total" else scale.write(value, signed=True)
        for kind, total, value in zip(steps["kind"], totals, steps["amount"], strict=True)
    ]
    lines = Rows.of(names)
    figure = go.Figure(
        go.Bar(
            x=[width / scale.divisor for width in widths], base=[base / scale.divisor for base in bases],
            y=lines.places(), width=lines.thickness, orientation="h", marker={"color": [*colours[:-1], INK]},
            hoverinfo="skip",
        )
    )  # fmt: skip
    ends = [base + width for base, width in zip(bases, widths, strict=True)]
    rights = [max(end, base) / scale.divisor for end, base in zip(ends, bases, strict=True)]
    figure.add_trace(
        go.Scatter(
            x=rights, y=lines.places(), mode="text", text=[f" {html.escape(word)}" for word in words],
            textposition="middle right", hoverinfo="skip", cliponaxis=False,
        )
    )  # fmt: skip
    return figure.update_layout(
        **framed(f"{totals[0]} became {totals[-1]}: {scale.write(net, signed=True)} {scale.unit}", inner=lines.height),
        showlegend=False, yaxis=lines.axis(),
        xaxis={
            "title": {"text": f"change from the first total, {scale.unit}"},
            "range": _room([value / scale.divisor for value in (*ends, *bases)], spare=0.3),
        },
    )  # fmt: skip


def _room(values: Iterable[float], *, spare: float = 0.3) -> list[float]:
    """Return an axis range around 0 with room for the words at the ends of the bars."""
    known = [float(value) for value in values if pd.notna(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    width = (high - low) or 1.0
    return [low - (spare if low < 0 else 0.04) * width, high + (spare if high > 0 else 0.04) * width]
