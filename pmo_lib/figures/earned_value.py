"""Figures of earned value: the S-curve and its indices, the ranges of the estimates, and the errors of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pmo_lib.figures.labels import Rows, framed
from pmo_lib.theme import ACCENT, HOLD, INK, MUTED, RISE, RULE, SERIES, counted, day, money, money_scale, number, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLANNED, EARNED, SPENT = MUTED, ACCENT, SERIES[1]
MOST_ROWS = 12
LONGEST = 200.0  # per cent of the budget; what is above is in the table
LATEST_YEARS = 3  # years after the planned finish; what is later is in the table
COST_MARKS = (("eac_cpi", "BAC ÷ CPI", "circle", ACCENT), ("eac_bottom_up", "management's", "diamond", SERIES[1]))
COST_OTHERS = ("eac_budget", "eac_cpi_spi", "eac_weighted", "eac_recent", "eac_cpi_spi_t")
TIME_MARKS = (
    ("es_spi_t_on", "PD ÷ SPI(t)", "circle", ACCENT),
    ("forecast_finish_on", "forecast returned", "diamond", SERIES[1]),
    ("planned_finish_on", "planned", "line-ns", INK),
)
TIME_OTHERS = (
    "es_plan_on", "es_cpi_spi_t_on", "anbari_plan_on", "anbari_spi_on", "jacob_plan_on", "jacob_late_on",
    "jacob_late_spi_on", "jacob_late_cpi_spi_on",
)  # fmt: skip
BAND_COLOURS = {"10–30%": SERIES[0], "30–60%": SERIES[1], "60–90%": SERIES[2]}
KINDS = {"cost": "Cost", "time": "Time"}


def months_curves(months: pd.DataFrame) -> go.Figure:
    """Draw the S-curve with earned schedule, and the indices below; see ``metrics.earned.months``."""
    scale = money_scale(months["planned_value"], currency=str(months["currency"].iloc[0]))
    known = months[months["known"]]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1, row_heights=[0.6, 0.4])
    for rows, column, name, colour, dash in (
        (months, "planned_value", "planned", PLANNED, "dot"),
        (known, "earned_value", "earned", EARNED, "solid"),
        (known, "actual_cost", "spent", SPENT, "dash"),
    ):
        figure.add_trace(
            _line(rows["ends_on"], values=rows[column] / scale.divisor, name=name, colour=colour, dash=dash),
            row=1,
            col=1,
        )
    figure.add_trace(_earned_schedule(known, divisor=scale.divisor), row=1, col=1)
    for column, name, colour, dash in (
        ("cpi", "CPI", SPENT, "dash"),
        ("spi_t", "SPI(t)", EARNED, "solid"),
        ("spi", "SPI", HOLD, "dot"),
    ):
        figure.add_trace(
            _line(known["ends_on"], values=known[column], name=name, colour=colour, dash=dash), row=2, col=1
        )
    again = known[known["rebaselined"].gt(0)]
    if len(again):
        figure.add_trace(_rebaselines(again), row=2, col=1)
    last = known.iloc[-1]
    cpi, spi_t = (number(last[name], decimals=2) for name in ("cpi", "spi_t"))
    head = f"CPI {cpi} and SPI(t) {spi_t} at {day(last['status_on'])}"
    figure.update_layout(**framed(head, inner=520, below=96))
    figure.add_hline(y=1, line={"color": INK, "width": 1}, row=2, col=1)
    figure.update_yaxes(title_text=f"cumulative, {scale.unit}", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="index", range=_indices_range(known), row=2, col=1)
    return figure


def cost_ranges(units: pd.DataFrame) -> go.Figure:
    """Draw the estimates at completion by rule as a share of the budget; see ``metrics.earned.units``."""
    rows = _largest(units[units["budget"].gt(0) & units["eac_budget"].notna()])
    shares = {name: rows[name] / rows["budget"] * 100 for name in (*COST_OTHERS, *(mark[0] for mark in COST_MARKS))}
    table = pd.DataFrame(shares).clip(upper=LONGEST)
    lines = Rows.of(
        f"{row['name']}: budget {money(row['budget'], currency=str(row['currency']))}"
        for row in rows.to_dict("records")
    )
    figure = _ranges(table, lines=lines, marks=COST_MARKS, others=COST_OTHERS)
    figure.add_vline(x=100, line={"color": INK, "width": 2}, layer="below")
    over = int((rows["level"].eq("project") & rows["eac_cpi"].gt(rows["budget"])).sum())
    count = int(rows["level"].eq("project").sum())
    head = f"{over} of {counted(count, noun='project')} above budget, if cost goes on as so far"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=104), **lines.layout(),
        xaxis={"title": {"text": f"per cent of the budget, to {number(LONGEST)}"}},
    )  # fmt: skip


def finish_ranges(units: pd.DataFrame) -> go.Figure:
    """Draw the finish dates by rule, beside plan and forecast; see ``metrics.earned.units``."""
    rows = _largest(units[units["es_plan_on"].notna()])
    latest = pd.to_datetime(rows["planned_finish_on"]) + pd.DateOffset(years=LATEST_YEARS)
    names = (*TIME_OTHERS, *(mark[0] for mark in TIME_MARKS))
    table = pd.DataFrame({name: pd.to_datetime(rows[name]).where(rows[name].le(latest)) for name in names})
    lines = Rows.of(rows["name"].astype("str"))
    figure = _ranges(table, lines=lines, marks=TIME_MARKS, others=TIME_OTHERS)
    later = int((rows["level"].eq("project") & rows["forecast_gap_days"].gt(0)).sum())
    count = int((rows["level"].eq("project") & rows["forecast_gap_days"].notna()).sum())
    head = f"{later} of {counted(count, noun='project')} later than forecast, at the pace so far"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=104), **lines.layout(),
        xaxis={"title": {"text": "finish"}, "type": "date"},
    )  # fmt: skip


def backtest_errors(bands: pd.DataFrame) -> go.Figure:
    """Draw median (mark) and P80 (end of the line) of the absolute errors; see ``metrics.backtest.error_bands``."""
    shown = bands[bands["band"].isin(list(BAND_COLOURS)) & bands["projects"].gt(0)]
    rules = shown.drop_duplicates(["kind", "rule"])[["kind", "rule", "written"]].reset_index(drop=True)
    lines = Rows.of(f"{KINDS[row['kind']]}: {row['written']}" for row in rules.to_dict("records"))
    figure = go.Figure()
    for step, (band, colour) in enumerate(BAND_COLOURS.items()):
        rows = rules.merge(shown[shown["band"].eq(band)], how="left", on=["kind", "rule"])
        places = [place + (step - 1) * lines.thickness / 3 for place in lines.places()]
        figure.add_trace(
            go.Scatter(
                x=rows["median_error"] * 100, y=places, mode="markers", name=f"{band} complete",
                marker={"color": colour, "size": 9}, hoverinfo="skip",
                error_x={
                    "type": "data", "array": (rows["p80_error"] - rows["median_error"]) * 100, "width": 0,
                    "arrayminus": [0.0] * len(rows), "symmetric": False, "color": colour, "thickness": 2,
                },
            )
        )  # fmt: skip
    finished = int(bands["projects"].max())
    head = f"Errors of every rule on {counted(finished, noun='finished project')}"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=84), **lines.layout(),
        xaxis={
            "title": {"text": "error, per cent: median, line to P80"}, "rangemode": "tozero",
        },
    )  # fmt: skip


def horizon_bars(horizons: pd.DataFrame) -> go.Figure:
    """Draw accuracy and bias of past outlooks by how far they looked ahead; see ``metrics.accuracy.by_horizon``."""
    lines = Rows.of(
        f"{counted(int(row['months_ahead']), noun='month')} ahead: {counted(int(row['outlooks']), noun='outlook')}"
        for row in horizons.to_dict("records")
    )
    figure = go.Figure(
        go.Bar(
            x=horizons["wape"] * 100, y=lines.places(), width=lines.thickness, orientation="h", name="error (WAPE)",
            marker={"color": RULE}, hoverinfo="skip",
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=horizons["bias"] * 100, y=lines.places(), mode="markers", name="bias of the total", hoverinfo="skip",
            marker={"color": ACCENT, "size": 10, "symbol": "diamond"},
        )
    )  # fmt: skip
    first = horizons.iloc[0]
    head = f"{counted(int(first['months_ahead']), noun='month')} ahead, outlooks were {share(first['wape'])} off"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=84), **lines.layout(),
        xaxis={"title": {"text": "per cent of the out-turn"}},
    )  # fmt: skip


def _line(dates: pd.Series, *, values: pd.Series, name: str, colour: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=dates, y=values, name=name, mode="lines", line={"color": colour, "dash": dash, "width": 2.5},
        hovertemplate="%{x|%b %Y}: %{y:,.2f}<extra>" + name + "</extra>",
    )  # fmt: skip


def _earned_schedule(known: pd.DataFrame, *, divisor: float) -> go.Scatter:
    """Return the line from what is earned today to the day on which that was planned."""
    last = known.iloc[-1]
    height = last["earned_value"] / divisor
    return go.Scatter(
        x=[last["earned_on"], last["status_on"]], y=[height, height], mode="lines+markers", name="earned schedule",
        line={"color": INK, "width": 2}, marker={"color": INK, "size": [10, 5], "symbol": ["diamond", "circle"]},
        hovertemplate="%{x|%d %b %Y}<extra>earned schedule</extra>",
    )  # fmt: skip


def _rebaselines(again: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=again["ends_on"], y=[1.0] * len(again), mode="markers", name="re-baselined",
        marker={"color": INK, "size": 10, "symbol": "triangle-up"}, customdata=again["rebaselined"],
        hovertemplate="%{x|%b %Y}: %{customdata} re-baselined<extra></extra>",
    )  # fmt: skip


def _indices_range(known: pd.DataFrame) -> list[float]:
    values = known[["cpi", "spi", "spi_t"]].stack().clip(0.5, 1.5)
    low, high = min([0.9, *values]), max([1.1, *values])
    return [low - 0.05, high + 0.05]


def _largest(units: pd.DataFrame) -> pd.DataFrame:
    """Return the sums and the largest projects, in reading order."""
    projects = units[units["level"].eq("project")].nlargest(MOST_ROWS, "budget", keep="first")
    return units[units["level"].ne("project") | units.index.isin(projects.index)]


def _ranges(
    table: pd.DataFrame, *, lines: Rows, marks: Sequence[tuple[str, str, str, str]], others: Iterable[str]
) -> go.Figure:
    """Draw a line from the lowest to the highest rule of each row, and the rules on it."""
    rules = [*others]
    span = table[[*rules, marks[0][0]]]
    low, high = span.min(axis="columns"), span.max(axis="columns")
    figure = go.Figure()
    ends = [(x, y) for a, b, y in zip(low, high, lines.places(), strict=True) for x in (a, b, None) for y in (y,)]
    figure.add_trace(
        go.Scatter(
            x=[None if x is None or pd.isna(x) else x for x, _ in ends], y=[y for _, y in ends], mode="lines",
            line={"color": RULE, "width": 8}, name="range of the rules", hoverinfo="skip",
        )
    )  # fmt: skip
    dots = [(table[rule].iloc[row], place) for rule in rules for row, place in enumerate(lines.places())]
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in dots], y=[y for _, y in dots], mode="markers", name="other rules", hoverinfo="skip",
            marker={"color": MUTED, "size": 6},
        )
    )  # fmt: skip
    for column, name, symbol, colour in marks:
        outline = {"color": colour, "width": 2 if symbol.startswith("line") else 0}
        figure.add_trace(
            go.Scatter(
                x=table[column], y=lines.places(), mode="markers", name=name, hoverinfo="skip",
                marker={"color": colour, "size": 12, "symbol": symbol, "line": outline},
            )
        )  # fmt: skip
    return figure


def units_dots(units: pd.DataFrame) -> go.Figure:
    """Draw CPI and SPI(t) of every unit beside 1, where work goes as planned; see ``metrics.across.units``."""
    rows = units[units["cpi"].notna() | units["spi_t"].notna()]
    depth = rows["level"].ne(rows["level"].iloc[0]).astype(int) + rows["level"].isin(["portfolio", "sub_portfolio"])
    names = ["\u00a0\u00a0" * step + str(name) for step, name in zip(depth, rows["name"], strict=True)]
    lines = Rows.of(names)
    figure = go.Figure()
    for column, name, symbol, colour in (("cpi", "CPI", "circle", ACCENT), ("spi_t", "SPI(t)", "diamond", SERIES[1])):
        figure.add_trace(
            go.Scatter(
                x=rows[column], y=lines.places(), mode="markers", name=name, hoverinfo="skip",
                marker={"symbol": symbol, "size": 10, "color": colour},
            )
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": INK, "width": 2}, layer="below")
    portfolios = rows[rows["level"].eq("portfolio")]
    both = int((portfolios["cpi"].lt(1) & portfolios["spi_t"].lt(1)).sum())
    head = f"{both} of {counted(len(portfolios), noun='portfolio')} above cost and behind the plan"
    return figure.update_layout(
        **framed(head, inner=lines.height, below=104), **lines.layout(),
        xaxis={"title": {"text": "index; below 1 is worse than planned"}},
    )  # fmt: skip


def class_dots(classes: pd.DataFrame) -> go.Figure:
    """Draw what projects of the class grew by beside the running ones; see ``metrics.reference_classes``."""
    lines = Rows.of(f"{row['measure']}, {row['basis']}" for row in classes.to_dict("records"))
    figure = go.Figure()
    looks = {
        "p50": ("class, P50", "circle", ACCENT), "p80": ("class, P80", "diamond", RISE),
        "upper_bound": ("class, upper bound", "diamond-open", RISE),
        "growth_so_far": ("running ones so far, median", "square", SERIES[1]),
    }  # fmt: skip
    values = [0.0]
    for name, (words, symbol, colour) in looks.items():
        known = [place for place, value in enumerate(classes[name]) if pd.notna(value)]
        shown = [float(classes[name].iloc[place]) * 100 for place in known]
        values += shown
        figure.add_trace(
            go.Scatter(
                x=shown, y=[lines.place(place) for place in known], mode="markers", name=words, showlegend=bool(known),
                marker={"symbol": symbol, "color": colour, "size": 13, "line": {"width": 2}},
                hovertemplate="%{x:+.0f}%<extra>" + words + "</extra>",
            )
        )  # fmt: skip
    own = classes["projects"].iloc[0]
    head = f"Growth on the first estimate: {own} finished, {classes['running'].iloc[0]} running"
    figure.update_layout(**framed(head, inner=lines.height, below=100), **lines.layout())
    low, high = min(values), max(5.0, *values)
    room = 0.1 * (high - low)
    figure.update_xaxes(
        title_text="per cent of the first estimate, + is more", range=[low - room, high + room], nticks=6
    )
    return figure
