"""Figures of the financial outlook: variance, phased curve, years, bridges, underspend, disclosure."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pmo_lib.figures.labels import Rows, framed, wrapped
from pmo_lib.theme import (
    ACCENT,
    FALL,
    HOLD,
    INK,
    MUTED,
    PAPER,
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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_ROWS = 10
LONGEST = 200.0  # per cent of the budget; a longer bar ends there
PLAN_COLOUR, OUTLOOK_COLOUR = MUTED, ACCENT
AHEAD = 0.4  # opacity of what is forecast
# Only a change of cost is better or worse; projects that come, go or fall silent are neither.
CAUSE_COLOURS = {
    "left": HOLD,
    "no report now": HOLD,
    "moved out": HOLD,
    "succeeded by another": HOLD,
    "withheld": SERIES[3],
    "range only": SERIES[3],
    "not returned": HOLD,
    "no figure given": SERIES[3],
    "newly published": SERIES[3],
    "returned again": HOLD,
    "moved in": HOLD,
    "successor of another": HOLD,
    "joined": HOLD,
    "approved changes": HOLD,
    "transfers": HOLD,
}
SILENT_STEPS = ("not returned", "returned again")
CAUSE_WORDS = {"before": "Before", "now": "Now", "plan": "Plan", "outlook": "Outlook"}
STATE_COLOURS = {
    "published": ACCENT,
    "range": SERIES[5],
    "withheld": SERIES[3],
    "not set": HOLD,
    "not returned": RULE,
    "unreadable": RISE,
}
STATE_WORDS = {"published": "single figure", "range": "range only"}


def levels_bars(levels: pd.DataFrame) -> go.Figure:
    """Draw spent and forecast as a share of the budget, at each level; see ``metrics.outlook.levels``."""
    rows = _telling(levels)
    if rows.empty:  # a budget of nothing has no share: the table below still has the amounts
        return go.Figure(layout={**framed("No budget above 0 to compare an outlook with", inner=8, below=8)})
    budget = rows["budget"] - rows["unpaired_budget"]
    outlook = rows["outlook"] - rows["unpaired_outlook"]
    spent = (rows["ytd_actual"].fillna(0) + rows["accruals"].fillna(0)).where(rows["basis"].eq("monthly"), 0)
    lines = _lines(rows["name"].astype("str"))
    figure = go.Figure()
    done, whole = ((amounts / budget * 100).clip(0, LONGEST).astype("float64") for amounts in (spent, outlook))
    for values, name, opacity in ((done, "spent", 1.0), ((whole - done).clip(lower=0), "forecast", AHEAD)):
        if values.any():
            figure.add_trace(
                go.Bar(
                    x=values, y=lines.places(), width=lines.thickness, orientation="h", name=name, hoverinfo="skip",
                    marker={"color": OUTLOOK_COLOUR}, opacity=opacity,
                )
            )  # fmt: skip
    currency = str(levels["currency"].iloc[0])
    words = [
        f"{share(cost / limit)} of {money(limit, currency=currency)}"
        for cost, limit in zip(outlook, budget, strict=True)
    ]
    figure.add_trace(_words_at(list(whole.clip(lower=100.0)), lines=lines, words=words))
    figure.add_vline(x=100, line={"color": INK, "width": 2})
    over = int((levels["level"].eq("project") & levels["variance"].lt(0)).sum())
    count = int(levels.iloc[0]["projects_paired"])
    reference = "plan" if levels.iloc[0]["budget_basis"] == "plan" else "budget"
    head = f"{over} of {counted(count, noun='project')} above {'their' if count != 1 else 'its'} {reference}"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=84), barmode="stack", **lines.layout(),
        xaxis={
            "title": {"text": f"per cent of the {reference}, to {number(LONGEST)}"},
            "range": [0, max([110.0, *whole]) * 1.5],
        },
    )  # fmt: skip


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
                marker={"color": OUTLOOK_COLOUR},
                opacity=opacity,
                hovertemplate="%{x}: %{y:,.2f}<extra>" + name + "</extra>",
            ),
            row=1,
            col=1,
        )
    figure.add_trace(_line(months, values=phased["plan"] / fine.divisor, name="plan", dash="dot"), row=1, col=1)
    for trace in _fan(phased, months=months, scale=scale):
        figure.add_trace(trace, row=2, col=1)
    cumulative = {
        "plan": (phased["plan_cumulative"], "dot", PLAN_COLOUR),
        "outlook": (phased["outlook_cumulative"], "dash", OUTLOOK_COLOUR),
        "spent": (phased["outlook_cumulative"].where(done), "solid", OUTLOOK_COLOUR),
    }
    for name, (values, dash, colour) in cumulative.items():
        trace = _line(months, values=values / scale.divisor, name=name, dash=dash, colour=colour)
        figure.add_trace(trace.update(showlegend=name == "outlook"), row=2, col=1)
    _end_labels(figure, phased=phased)
    last = phased.iloc[-1]
    ends = [_money(last, column=f"{name}_cumulative") for name in ("outlook", "plan")]
    head = f"Outlook {ends[0]} against a plan of {ends[1]}"
    figure.update_layout(
        **framed(head, inner=560, below=64), barmode="overlay",
    )  # fmt: skip
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=months, tickangle=-60, showgrid=False)
    figure.update_yaxes(title_text=f"by month, {fine.unit}", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text=f"cumulative, {scale.unit}", rangemode="tozero", row=2, col=1)
    return figure


def years_bars(years: pd.DataFrame) -> go.Figure:
    """Draw the outlook over the plan, year by year, for the projects that had both; see ``metrics.cost.years``."""
    scale = _scale(years, "plan", "outlook")
    lines = _lines(
        f"{row['year']}: {row['paired']} of {counted(int(row['projects']), noun='project')}"
        for row in years.to_dict("records")
    )
    figure = go.Figure()
    for name, colour, part in (("plan", RULE, 1.0), ("outlook", OUTLOOK_COLOUR, 0.5)):
        figure.add_trace(
            go.Bar(
                x=years[name] / scale.divisor, y=lines.places(), width=lines.thickness * part, orientation="h",
                name=name, marker={"color": colour}, hoverinfo="skip",
            )
        )  # fmt: skip
    words = [
        f"{scale.write(outlook)} ({share(gap, signed=True, decimals=1)})"
        for outlook, gap in zip(years["outlook"], years["variance_share"], strict=True)
    ]
    ends = (years[["plan", "outlook"]].max(axis="columns") / scale.divisor).fillna(0)
    figure.add_trace(_words_at(list(ends), lines=lines, words=words))
    last = years.iloc[-1]
    return figure.update_layout(
        **framed(f"{last['year']}: {_above(last['variance_share'])} plan", inner=lines.height, below=84),
        barmode="overlay", **lines.layout(),
        xaxis={
            "title": {"text": f"plan and outlook, {scale.unit}"}, "tickformat": ",", "range": _room(ends, spare=0.4),
        },
    )  # fmt: skip


def plan_waterfall(steps: pd.DataFrame) -> go.Figure:
    """Draw the bridge from the year's plan to its outlook, project by project; see ``metrics.outlook.plan_bridge``."""
    names = [
        f"{counted(int(row['projects']), noun='other project')}" if row["kind"] == "others" else str(row["step"])
        for row in steps.to_dict("records")
    ]
    colours = [RISE if value > 0 else FALL for value in steps["amount"]]
    return _waterfall(steps, names=["Plan", *names[1:-1], "Outlook"], colours=colours)


def cause_waterfall(steps: pd.DataFrame) -> go.Figure:
    """Draw the bridge from the total before to the total now, by cause; see ``metrics.bridge.bridge_steps``."""
    rows = steps[steps["kind"].eq("total") | steps["amount"].ne(0)].reset_index(drop=True)
    colours = [
        CAUSE_COLOURS.get(str(row["step"]), RISE if row["amount"] > 0 else FALL) for row in rows.to_dict("records")
    ]
    names = [
        f"{CAUSE_WORDS.get(str(row['step']), str(row['step']))} ({counted(int(row['projects']), noun='project')})"
        for row in rows.to_dict("records")
    ]
    silent = rows[rows["step"].isin(SILENT_STEPS)]
    return _waterfall(rows, names=names, colours=colours, apart=float(silent["amount"].sum()) if len(silent) else None)


def runs_bars(in_year: pd.DataFrame) -> go.Figure:
    """Count projects by the years running that they spent below plan; see ``metrics.cost.in_year``."""
    known = in_year[in_year["years_known"].gt(0)]
    counts = known.groupby("years_under").size().sort_index()
    names = [
        "not below by more than the tolerance this year" if run == 0 else
        "below this year, not the year before" if run == 1 else f"below in {run} years running"
        for run in counts.index
    ]  # fmt: skip
    lines = _lines(names)
    figure = go.Figure(
        go.Bar(
            x=counts, y=lines.places(), width=lines.thickness, orientation="h", hoverinfo="skip",
            marker={"color": [HOLD if run == 0 else SERIES[1] for run in counts.index]},
        )
    )  # fmt: skip
    figure.add_trace(_words_at(list(counts.astype("float64")), lines=lines, words=[number(count) for count in counts]))
    below = int(known["years_under"].gt(0).sum())
    head = f"{below} of {counted(len(known), noun='project')} below plan by more than the tolerance"
    return figure.update_layout(
        **framed(head, inner=lines.height), showlegend=False, **lines.layout(),
        xaxis={"title": {"text": "projects"}, "range": _room(counts, spare=0.12)},
    )  # fmt: skip


def under_bars(underspends: pd.DataFrame) -> go.Figure:
    """Count large underspends by fiscal year and by what became of the end date; see ``metrics.cost.underspends``."""
    kinds = underspends["kept"].map({True: "end date kept or advanced", False: "end date moved later"})
    kinds = kinds.astype("object").where(kinds.notna(), "end date not known")
    counts = underspends.assign(kind=kinds).groupby(["year", "kind"]).size().unstack(fill_value=0).sort_index()
    looks = {"end date kept or advanced": SERIES[1], "end date moved later": ACCENT, "end date not known": HOLD}
    known = underspends["kept"].dropna()
    head = f"{int(known.sum())} of {counted(len(known), noun='large underspend')} kept or advanced the end date"
    if known.empty:
        head = f"{counted(len(underspends), noun='large underspend')}, none with end dates to compare"
    names = [f"{year}: {counted(int(total), noun='underspend')}" for year, total in counts.sum(axis="columns").items()]
    return _stack(counts, looks=looks, names=names, head=head, axis="projects")


def trend_bars(trend: pd.DataFrame) -> go.Figure:
    """Draw the share of projects by how their whole-life cost is published; see ``metrics.cost.disclosure_trend``."""
    shares = trend[list(STATE_COLOURS)].div(trend["projects"], axis="index").mul(100).rename(columns=STATE_WORDS)
    looks = {STATE_WORDS.get(state, state): colour for state, colour in STATE_COLOURS.items()}
    head = f"A single whole-life cost for {share(trend.iloc[-1]['published_share'])} of projects"
    names = [
        f"{month(row['period'])}: {row['published']} of {counted(int(row['projects']), noun='project')}"
        for row in trend.to_dict("records")
    ]
    return _stack(shares, looks=looks, names=names, head=head, axis="per cent of projects")


def _telling(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the upper levels, and the projects that are farthest from their budget."""
    compared = levels[levels["variance"].notna() & (levels["budget"] - levels["unpaired_budget"]).gt(0)]
    upper = compared[compared["level"].isin(["portfolio", "programme"])]
    below = compared[compared["level"].isin(["project", "own"])]
    farthest = below["variance"].abs().sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
    return pd.concat([upper, below.loc[farthest]])


def _lines(names: Iterable[str]) -> Rows:
    """Wrap names into rows; capitals are wide."""
    return Rows(tuple(wrapped(name, width=34 if name[:20].isupper() else 42) for name in names))


def _words_at(places: Sequence[float], *, lines: Rows, words: Sequence[str]) -> go.Scatter:
    """Write words to the right of each row's mark."""
    return go.Scatter(
        x=list(places), y=lines.places(), mode="text", text=[f" {html.escape(word)}" for word in words],
        textposition="middle right", hoverinfo="skip", cliponaxis=False, showlegend=False,
    )  # fmt: skip


def _stack(counts: pd.DataFrame, *, looks: Mapping[str, str], names: Sequence[str], head: str, axis: str) -> go.Figure:
    """Draw one bar per row of counts, in parts; a part that is wide enough says how much it is."""
    lines = _lines(names)
    figure = go.Figure()
    widest = float(counts.sum(axis="columns").max())
    for kind, colour in looks.items():
        if kind in counts and counts[kind].any():
            figure.add_trace(
                go.Bar(
                    x=counts[kind], y=lines.places(), width=lines.thickness, orientation="h", name=kind,
                    marker={"color": colour}, hoverinfo="skip", textposition="inside", insidetextanchor="middle",
                    text=[number(value) if value >= widest * 0.06 else "" for value in counts[kind]],
                    textangle=0, constraintext="none", insidetextfont={"color": PAPER},
                )
            )  # fmt: skip
    return figure.update_layout(
        **framed(head, inner=lines.height, below=104), barmode="stack", **lines.layout(),
        xaxis={"title": {"text": axis}, "range": [0, widest]},
    )  # fmt: skip


def _scale(rows: pd.DataFrame, *columns: str) -> Scale:
    values = [value for column in columns for value in rows[column].dropna().astype("float64")]
    return money_scale(
        values, currency=str(rows["currency"].dropna().iloc[0]) if rows["currency"].notna().any() else ""
    )


def _money(row: Mapping[Any, Any] | pd.Series, *, column: str) -> str:
    return money(row[column], currency=str(row["currency"]))


def _above(value: float) -> str:
    if pd.isna(value):
        return "no share of"
    return f"{share(abs(value), decimals=1)} {'above' if value > 0 else 'below'}"


def _line(months: Sequence[str], *, values: pd.Series, name: str, dash: str, colour: str = PLAN_COLOUR) -> go.Scatter:
    return go.Scatter(
        x=list(months), y=values, name=name, mode="lines", line={"color": colour, "dash": dash, "width": 2.5},
        hovertemplate="%{x}: %{y:,.2f}<extra>" + name + "</extra>",
    )  # fmt: skip


def _fan(phased: pd.DataFrame, *, months: Sequence[str], scale: Scale) -> Iterator[go.Scatter]:
    """Yield the area between P50 and P80 of the cumulative outlook, where they were simulated."""
    if "p80_cumulative" not in phased or phased["p80_cumulative"].isna().all():
        return
    for name, fill in (("P50", "none"), ("P80", "tonexty")):
        values = phased[f"{name.lower()}_cumulative"] / scale.divisor
        yield go.Scatter(
            x=list(months), y=values, mode="lines", name="P50 to P80", showlegend=name == "P80", fill=fill,
            line={"color": SERIES[1], "width": 1}, fillcolor="rgba(192, 90, 0, 0.25)",
            hovertemplate="%{x}: %{y:,.2f}<extra>" + name + "</extra>",
        )  # fmt: skip


def _end_labels(figure: go.Figure, *, phased: pd.DataFrame) -> None:
    """Write where the year ends into the upper left, where cumulative curves never run."""
    last = phased.iloc[-1]
    ends = {name: f"{name} of the year {_money(last, column=f'{name}_cumulative')}" for name in ("outlook", "plan")}
    colours = [OUTLOOK_COLOUR, PLAN_COLOUR, SERIES[1]]
    if pd.notna(last.get("p80_cumulative")):
        shares = (_money(last, column=f"{name}_cumulative") for name in ("p50", "p80"))
        ends["fan"] = "P50 {}, P80 {}".format(*shares)
    for row, (words, colour) in enumerate(zip(ends.values(), colours, strict=False)):
        figure.add_annotation(
            xref="x2 domain", x=0.02, xanchor="left", yref="y2 domain", y=1 - 0.12 * row, yanchor="top",
            showarrow=False, font={"color": colour}, text=words,
        )  # fmt: skip


def _waterfall(
    steps: pd.DataFrame, *, names: Sequence[str], colours: Sequence[str], apart: float | None = None
) -> go.Figure:
    """Draw the steps from the first total, which is the zero line, to the last, so that small steps stay visible.

    ``apart`` is what was not returned, or was again: told apart in the title, since it is no movement.
    """
    scale = _scale(steps[steps["kind"].ne("total")], "amount")
    changes = steps["amount"].where(steps["kind"].ne("total"), 0.0)
    net = float(changes.sum())
    bases = [*(changes.cumsum() - changes).iloc[:-1], 0.0]
    widths = [*changes.iloc[:-1], net]
    first, last = (_money(steps.iloc[place], column="amount") for place in (0, -1))
    lines = _lines([f"{names[0]}: {first}", *names[1:-1], f"{names[-1]}: {last}"])
    figure = go.Figure(
        go.Bar(
            x=[width / scale.divisor for width in widths], base=[base / scale.divisor for base in bases],
            y=lines.places(), width=lines.thickness, orientation="h", marker={"color": [*colours[:-1], INK]},
            hoverinfo="skip",
        )
    )  # fmt: skip
    ends = [(base + width) / scale.divisor for base, width in zip(bases, widths, strict=True)]
    rights = [max(end, base / scale.divisor) for end, base in zip(ends, bases, strict=True)]
    words = ["", *(scale.write(width, signed=True) for width in widths[1:])]
    figure.add_trace(_words_at(rights, lines=lines, words=words))
    currency = str(steps["currency"].iloc[0])
    change = money(net - (apart or 0.0), currency=currency, signed=True)
    if apart is not None:
        change += f", and {money(apart, currency=currency, signed=True)} not returned, which is no movement"
    low, high = min([0.0, *ends]), max([0.0, *rights])
    spare = 0.24 * ((high - low) or 1.0)
    return figure.update_layout(
        **framed(f"From {first} to {last}: {change}", inner=lines.height), showlegend=False, **lines.layout(),
        xaxis={
            "title": {"text": f"change, {scale.unit}"}, "tickformat": ",", "range": [low - 0.04 * spare, high + spare],
        },
    )  # fmt: skip


def _room(values: Iterable[float], *, spare: float = 0.3) -> list[float]:
    """Return an axis range around 0 with room for the words at the ends of the bars."""
    known = [float(value) for value in values if pd.notna(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    width = (high - low) or 1.0
    return [low - (spare * width if low < 0 else 0.0), high + spare * width]
