"""Risk figures: exposure, movement, the matrix, ranks, proximity and neglect.

Every figure is readable at 400 pixels: labels wrap, rows set the height, and words stand on the marks themselves.
"""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.theme import (
    ACCENT, FALL, GRADE_LOOKS, HOLD, INK, MUTED, PAPER, RISE, RULE, SERIES, Look, Scale, counted, day, money_scale,
    month, number, rating_look, template,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable

LABEL, TITLE = 26, 44
ROW = 34
KIND_WORDS = {"threat": "Threats", "opportunity": "Opportunities", "not stated": "Kind not stated", "net": "Net"}
BAND_COLOURS = {"past": RISE, "imminent": SERIES[1], "near": SERIES[5], "far": HOLD}
GRADE_SYMBOLS = {"low": "circle", "medium": "triangle-up", "high": "diamond", "severe": "square"}
SHOWN = 30


def _wrapped(text: object, *, width: int = LABEL, lines: int = 3) -> str:
    """Return text escaped and broken into lines for a label; what does not fit ends in an ellipsis."""
    parts = textwrap.wrap(str(text), width, max_lines=lines, placeholder=" …")
    return "<br>".join(html.escape(part) for part in parts)


def _drawn(traces: list[Any], *, title: str, height: int, **layout: Any) -> go.Figure:
    """Return a figure with the house's template, a title that wraps, and a height of its own."""
    words = "<br>".join(textwrap.wrap(title, TITLE))
    top = 26 + 20 * (words.count("<br>") + 1) + (24 if layout.get("showlegend") else 0)
    figure = go.Figure(traces)
    figure.update_layout(
        template=template(),
        title={"text": words, "yref": "container", "y": 1, "yanchor": "top", "pad": {"t": 8}},
        height=height + top,
        margin={"t": top, "b": 44, "l": 8, "r": 12},
        **{"showlegend": False, **layout},
    )
    return figure


def _scale(rows: pd.DataFrame, *columns: str) -> Scale:
    found = rows["currency"].replace("", None).dropna()
    values = [value for column in columns for value in rows[column].dropna().astype("float64")]
    return money_scale(values, currency=str(found.iloc[0]) if len(found) else "")


def _scaled(values: pd.Series[Any], *, scale: Scale) -> list[float | None]:
    return [None if pd.isna(value) else float(value) / scale.divisor for value in values]


def _room(values: Iterable[float | None], *, share: float = 0.28) -> list[float]:
    """Return an axis range around 0 with room for the words at the ends of the bars."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    spare = share * ((high - low) or 1.0)
    return [low - (spare if low < 0 else 0.02 * spare), high + spare]


def exposure_headline_bars(headline: pd.DataFrame) -> go.Figure:
    """Draw threats, opportunities and net exposure in money, now and at the last register; positive is cost."""
    rows = headline.iloc[::-1]
    scale = _scale(rows, "expected_money", "expected_money_before")
    names = [KIND_WORDS[kind] for kind in rows["kind"]]
    now, before = (_scaled(rows[column], scale=scale) for column in ("expected_money", "expected_money_before"))
    words = [scale.write(value) if pd.notna(value) else f"n/a: {reason}" for value, reason in
             zip(rows["expected_money"], rows["money_reason"], strict=True)]  # fmt: skip
    traces: list[Any] = []
    if rows["expected_money_before"].notna().any():
        traces.append(_bars(before, names=names, name="last register", colour=RULE, words=[
            scale.write(value) if pd.notna(value) else "" for value in rows["expected_money_before"]]))  # fmt: skip
    colours = [RISE if (value or 0) > 0 else FALL for value in now]
    traces.append(_bars([value or 0 for value in now], names=names, name="now", colour=colours, words=words))
    return _drawn(
        traces,
        title=f"Expected cost of open risks, {scale.unit}: threats cost (+), opportunities save (−)",
        height=len(rows) * ROW * len(traces) + 40,
        barmode="group",
        showlegend=len(traces) > 1,
        legend={"traceorder": "reversed"},
        xaxis={"title": {"text": scale.unit}, "range": _room([*now, *before])},
    )


def _bars(values: list[Any], *, names: list[str], name: str, colour: Any, words: list[str]) -> go.Bar:
    return go.Bar(
        x=values, y=names, name=name, orientation="h", text=[html.escape(word) for word in words],
        textposition="outside", cliponaxis=False, marker={"color": colour}, hoverinfo="skip",
    )  # fmt: skip


def exposure_cover_bars(cover: pd.DataFrame) -> go.Figure:
    """Draw each project's net exposure as a bar, its contingency left as a mark: beyond the mark is not covered."""
    rows = cover.loc[cover["expected_money"].notna() | cover["contingency_left"].notna()].head(SHOWN).iloc[::-1]
    scale = _scale(rows, "expected_money", "contingency_left")
    exposed, left = (_scaled(rows[column], scale=scale) for column in ("expected_money", "contingency_left"))
    names = [_wrapped(name) for name in rows["name"]]
    over = [pd.notna(value) and value > 0 for value in rows["uncovered"]]
    words = [f"exposure {scale.write(a)}" if pd.notna(a) else f"exposure n/a ({reason})" for a, reason in
             zip(rows["expected_money"], rows["money_reason"], strict=True)]  # fmt: skip
    bars = go.Bar(
        x=[value or 0 for value in exposed], y=names, orientation="h", name="net exposure", hoverinfo="text",
        marker={"color": [RISE if flag else ACCENT for flag in over]}, hovertext=words,
    )  # fmt: skip
    marks = go.Scatter(
        x=left, y=names, mode="markers", name="contingency left", hoverinfo="text",
        marker={"symbol": "line-ns", "size": 22, "color": INK, "line": {"width": 3, "color": INK}},
        hovertext=[f"contingency left {scale.write(value)}" for value in rows["contingency_left"]],
    )  # fmt: skip
    title = f"{counted(sum(over), noun='project')} with more exposure (bar) than contingency left (mark)"
    return _drawn(
        [bars, marks], title=title, height=len(rows) * 40 + 40, showlegend=True,
        xaxis={"title": {"text": scale.unit}, "range": _room([*exposed, *left], share=0.08)},
    )  # fmt: skip


def exposure_bridge_waterfall(bridge: pd.DataFrame) -> go.Figure:
    """Draw net exposure from the last register to this one, one step per cause."""
    scale = _scale(bridge, "amount")
    since = month(str(bridge["compared_with"].iloc[0]))
    names = [
        f"{'Exposure ' if total else ''}{since if step == 'before' else step}" + ("" if total else f" ({risks})")
        for step, total, risks in zip(bridge["step"], bridge["is_total"], bridge["risks"], strict=True)
    ]
    amounts = _scaled(bridge["amount"], scale=scale)
    words = [
        scale.write(value, signed=not total) for value, total in zip(bridge["amount"], bridge["is_total"], strict=True)
    ]
    steps = go.Waterfall(
        y=names, x=amounts, orientation="h", measure=["absolute", *["relative"] * (len(bridge) - 2), "total"],
        text=words, textposition="outside", cliponaxis=False, hoverinfo="skip",
        increasing={"marker": {"color": RISE}}, decreasing={"marker": {"color": FALL}},
        totals={"marker": {"color": ACCENT}}, connector={"line": {"color": MUTED, "width": 1}},
    )  # fmt: skip
    run = bridge["amount"].where(~bridge["is_total"] | bridge["step"].eq("before"), 0.0).cumsum() / scale.divisor
    moved = bridge["amount"].iloc[-1] - bridge["amount"].iloc[0]
    return _drawn(
        [steps],
        title=f"Net exposure {'rose' if moved > 0 else 'fell' if moved < 0 else 'held'} since {since}"
        + (f" by {scale.write(abs(moved))} {scale.unit}" if moved else "") + " (number of risks in brackets)",
        height=len(bridge) * ROW + 40,
        xaxis={"title": {"text": scale.unit}, "range": _room(run.tolist(), share=0.3)},
        yaxis={"autorange": "reversed"},
    )  # fmt: skip


def risk_movements_arrows(movements: pd.DataFrame) -> go.Figure:
    """Draw where each risk that moved stood and stands, by score; new ones have no start, those that went no end."""
    changed = movements.loc[movements["what"].ne("kept") | movements["moved_score"].fillna(0).ne(0)]
    rows = changed.loc[changed["score"].notna() | changed["score_before"].notna()].head(SHOWN).iloc[::-1]
    gone = rows["what"].isin(("closed", "occurred", "dropped", "moved out"))
    names = [_wrapped(f"{risk} {title}") for risk, title in zip(rows["risk_id"], rows["title"], strict=True)]
    before = [None if pd.isna(score) else int(score) for score in rows["score_before"]]
    now = [None if pd.isna(score) or over else int(score) for score, over in zip(rows["score"], gone, strict=True)]
    lines = [(x, y) for a, b, name in zip(before, now, names, strict=True) if a is not None and b is not None
             for x, y in ((a, name), (b, name), (None, None))]  # fmt: skip
    ways = [_way(a, now=b) for a, b in zip(before, now, strict=True)]
    path = go.Scatter(x=[x for x, _ in lines], y=[y for _, y in lines], mode="lines", hoverinfo="skip",
                      line={"color": HOLD, "width": 2}, showlegend=False)  # fmt: skip
    start = _dots(before, names=names, name="last register", words=rows["what"].where(gone, ""), colour=PAPER)
    end = _dots(
        now, names=names, name="now", words=rows["what"].where(rows["what"].ne("kept") & ~gone, ""), colour=ways
    )
    title = (
        f"{counted(len(changed), noun='risk')} moved, came or went" if len(changed) else "No risk moved, came or went"
    )
    title += f"; the {len(rows)} largest movements of money shown" if len(rows) < len(changed) else ""
    return _drawn(
        [path, start, end], title=title, height=max(len(rows), 1) * 44 + 40, showlegend=True,
        xaxis={"title": {"text": "score (1–25)"}, "range": [0, 31], "tickvals": [1, 5, 10, 15, 20, 25]},
        yaxis={"categoryorder": "array", "categoryarray": names},
    )  # fmt: skip


def _way(before: int | None, *, now: int | None) -> str:
    if before is None or now is None or before == now:
        return ACCENT
    return RISE if now > before else FALL


def _dots(values: list[int | None], *, names: list[str], name: str, words: pd.Series[Any], colour: Any) -> go.Scatter:
    return go.Scatter(
        x=values, y=names, mode="markers+text", name=name, text=[html.escape(str(word)) for word in words],
        textposition="middle right", cliponaxis=False, hoverinfo="x",
        marker={"size": 13, "color": colour, "line": {"color": INK, "width": 1.5}},
    )  # fmt: skip


def heat_map_matrix(heat: pd.DataFrame) -> go.Figure:
    """Draw the matrix with the open risks: large the current count, small beneath it inherent → target."""
    counts = heat.set_index(["stance", "probability_level", "impact_level"])["risks"].to_dict()
    current = heat.loc[heat["stance"].eq("current")].reset_index(drop=True)
    grades = list(GRADE_LOOKS)
    ranks = current.assign(rank=current["grade"].map(grades.index))
    ranks = ranks.pivot_table(index="probability_level", columns="impact_level", values="rank")
    tiles = go.Heatmap(
        z=ranks.to_numpy().tolist(), x=[1, 2, 3, 4, 5], y=[1, 2, 3, 4, 5], zmin=0, zmax=len(grades) - 1, xgap=2, ygap=2,
        colorscale=_steps([GRADE_LOOKS[grade].colour for grade in grades]), showscale=False, hoverinfo="skip",
    )  # fmt: skip
    looks = [rating_look(grade) for grade in current["grade"]]
    corner = _cell_words(current, shift=(-0.44, 0.34), size=11, words=[look.letter for look in looks], looks=looks)
    large = _cell_words(current, shift=(0, 0.08), size=20, looks=looks, words=[
        f"<b>{count}</b>" if count else "" for count in current["risks"]])  # fmt: skip
    small = _cell_words(current, shift=(0, -0.33), size=11, looks=looks, words=[
        _from_to(counts["inherent", p, i], target=counts["target", p, i])
        for p, i in zip(current["probability_level"], current["impact_level"], strict=True)])  # fmt: skip
    above = int(current.loc[current["above_appetite"].astype(bool), "risks"].sum())
    return _drawn(
        [tiles, corner, large, small, _appetite_line(current)],
        title=f"{above} of {counted(int(current['risks'].sum()), noun='risk')} above the appetite line",
        height=430,
        xaxis={
            "title": {"text": "impact level"},
            "range": [0.5, 5.5],
            "dtick": 1,
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={
            "title": {"text": "probability level"},
            "range": [0.5, 5.5],
            "dtick": 1,
            "showgrid": False,
            "zeroline": False,
        },
    )


def _from_to(inherent: int, *, target: int) -> str:
    return f"{inherent} → {target}" if inherent or target else ""


def _steps(colours: list[str]) -> list[list[Any]]:
    """Return a colour scale of equal steps: no colour between two grades."""
    size = len(colours)
    return [[place / size, colour] for n, colour in enumerate(colours) for place in (n, n + 1)]


def _cell_words(
    cells: pd.DataFrame, *, shift: tuple[float, float], size: int, words: list[str], looks: list[Look]
) -> go.Scatter:
    x = [level + shift[0] for level in cells["impact_level"]]
    y = [level + shift[1] for level in cells["probability_level"]]
    where = "middle right" if shift[0] < 0 else "middle center"
    font = {"size": size, "color": [look.text for look in looks]}
    return go.Scatter(x=x, y=y, mode="text", text=words, textposition=where, textfont=font, hoverinfo="skip")


def _appetite_line(cells: pd.DataFrame) -> go.Scatter:
    """Draw the border between the cells above appetite and the others."""
    over = {(p, i) for p, i, flag in zip(cells["probability_level"], cells["impact_level"], cells["above_appetite"],
                                         strict=True) if flag}  # fmt: skip
    x: list[float | None] = []
    y: list[float | None] = []
    for p, i in sorted(over):
        if i > 1 and (p, i - 1) not in over:
            x, y = [*x, i - 0.5, i - 0.5, None], [*y, p - 0.5, p + 0.5, None]
        if p > 1 and (p - 1, i) not in over:
            x, y = [*x, i - 0.5, i + 0.5, None], [*y, p - 0.5, p - 0.5, None]
    return go.Scatter(x=x, y=y, mode="lines", line={"color": INK, "width": 4}, hoverinfo="skip", name="appetite")


def top_risks_slopes(top: pd.DataFrame) -> go.Figure:
    """Draw each risk's rank by score (left) and by exposure (right): lines that cross are where the two orders differ."""
    last = int(max(top["rank_by_score"].max(), top["rank_by_exposure"].max(), len(top))) + 1
    scale = _scale(top, "expected_money")
    left = top["rank_by_score"].fillna(last).astype("int64")
    right = top["rank_by_exposure"].fillna(last).astype("int64")
    traces = [
        go.Scatter(
            x=[0, 1], y=[a, b], mode="lines+markers", hoverinfo="text", hovertext=_wrapped(title, width=40),
            line={"color": _slope_colour(a, right=b, none=last), "width": 2 if abs(a - b) > 1 else 1.5},
            marker={"size": 8},
        )
        for a, b, title in zip(left, right, top["title"], strict=True)
    ]  # fmt: skip
    words = [
        (0, left, [f"{risk} ({score})" if pd.notna(score) else f"{risk} (no score)" for risk, score in
                   zip(top["risk_id"], top["score"], strict=True)]),
        (1, right, [f"{scale.write(value)} {risk}" if pd.notna(value) else f"not quantified {risk}" for risk, value in
                    zip(top["risk_id"], top["expected_money"], strict=True)]),
    ]  # fmt: skip
    for place, ranks, labels in words:
        traces.append(_side(place, ranks=ranks, labels=labels))
    apart = int(top["rank_gap"].abs().gt(1).sum() + top["rank_by_exposure"].isna().sum())
    return _drawn(
        traces,
        title=f"Rank by score and by exposure ({scale.unit}): {counted(apart, noun='risk')} more than one rank apart",
        height=last * 30 + 50,
        xaxis={"range": [-0.62, 1.75], "tickvals": [0, 1], "ticktext": ["by score", "by exposure"], "side": "top",
               "showgrid": False, "zeroline": False},
        yaxis={"range": [last + 0.7, 0.4], "visible": False},
    )  # fmt: skip


def _slope_colour(left: int, *, right: int, none: int) -> str:
    if none in (left, right):
        return HOLD
    return SERIES[1] if abs(left - right) > 1 else ACCENT


def _side(place: int, *, ranks: pd.Series[int], labels: list[str]) -> go.Scatter:
    """Write the labels of one side; risks of the same rank share a line."""
    shared: dict[int, list[str]] = {}
    for rank, label in zip(ranks, labels, strict=True):
        shared.setdefault(int(rank), []).append(label)
    texts = ["<br>".join(textwrap.wrap(html.escape(", ".join(names)), 30)) for names in shared.values()]
    return go.Scatter(x=[place] * len(shared), y=list(shared), mode="text", text=texts, hoverinfo="skip",
                      textposition="middle right" if place else "middle left")  # fmt: skip


def proximity_timeline_dots(timeline: pd.DataFrame) -> go.Figure:
    """Draw when each open risk may strike, from the earliest on, with the status date and the ends of the bands."""
    dated = timeline.loc[timeline["proximity_on"].notna()]
    rows = dated.head(SHOWN).iloc[::-1]
    names = [_wrapped(f"{risk} {title}") for risk, title in zip(rows["risk_id"], rows["title"], strict=True)]
    dots = go.Scatter(
        x=rows["proximity_on"].dt.strftime("%Y-%m-%d").tolist(), y=names, mode="markers", hoverinfo="text",
        marker={
            "size": 13, "color": [BAND_COLOURS[band] for band in rows["proximity_band"]],
            "symbol": [GRADE_SYMBOLS.get(str(grade), "circle-open") for grade in rows["grade"]],
            "line": {"color": INK, "width": 1},
        },
        hovertext=[f"{day(on)}: {band}, {_grade_words(grade)}" for on, band, grade in
                   zip(rows["proximity_on"], rows["proximity_band"], rows["grade"], strict=True)],
    )  # fmt: skip
    past, soon = (int(dated["proximity_band"].isin(bands).sum()) for bands in (("past",), ("imminent", "near")))
    title = f"{past} past the date and still open, {soon} may strike by {_last_band(timeline)}"
    title += f"; the first {len(rows)} of {len(dated)} shown" if len(rows) < len(dated) else ""
    figure = _drawn([dots], title=title, height=max(len(rows), 1) * 44 + 60, yaxis={"showgrid": True})
    for column, words in (("status_date", "status"), ("imminent_until_on", "imminent"), ("near_until_on", "near")):
        on = timeline[column].max()
        figure.add_vline(x=on.strftime("%Y-%m-%d"), line={"color": INK if words == "status" else MUTED, "width": 2,
                         "dash": "solid" if words == "status" else "dot"})  # fmt: skip
    return figure


def _grade_words(grade: Any) -> str:
    return "not graded" if pd.isna(grade) else f"grade {grade}"


def _last_band(timeline: pd.DataFrame) -> str:
    return day(timeline["near_until_on"].max())


def risk_flags_bars(flags: pd.DataFrame) -> go.Figure:
    """Draw how many risks (or overdue actions) have each flag, by urgency."""
    rows = flags.drop_duplicates("flag").iloc[::-1]
    words = [
        number(count) if pd.notna(count) else f"n/a: {detail}"
        for count, detail in zip(rows["flagged"], rows["detail"], strict=True)
    ]
    counts = [0 if pd.isna(count) else int(count) for count in rows["flagged"]]
    names = [_wrapped(flag) for flag in rows["flag"]]
    bars = _bars(counts, names=names, name="risks", colour=ACCENT, words=words)
    told = flags.loc[flags["risk_id"].notna(), "risk_id"].nunique()
    return _drawn(
        [bars],
        title=f"{counted(told, noun='risk')} with something to attend to, by urgency",
        height=len(rows) * ROW + 40,
        xaxis={
            "title": {"text": "risks (actions where they are overdue)"},
            "range": _room(counts),
            "rangemode": "tozero",
        },
    )


def registers_wanted_dots(wanted: pd.DataFrame) -> go.Figure:
    """Draw which sign each project without an open risk carries, the most wanted register first."""
    signs = {"low_confidence": "rated<br>red or<br>amber/red", "unrated": "no<br>rating", "finish_later": "finish<br>later",
             "cost_up": "cost<br>up", "cost_unknown": "no<br>single<br>cost"}  # fmt: skip
    rows = wanted.head(SHOWN).iloc[::-1]
    names = [_wrapped(name, lines=2) for name in rows["name"]]
    traces = [
        go.Scatter(
            x=[words] * len(rows), y=names, mode="markers", hoverinfo="skip",
            marker={
                "size": 15, "line": {"color": [RISE if flag is True else RULE for flag in _plain(rows[sign])], "width": 1.5},
                "symbol": ["square" if flag is True else "line-ew" if flag is None else "square-open" for flag in
                           _plain(rows[sign])],
                "color": [RISE if flag is True else RULE for flag in _plain(rows[sign])],
            },
        )
        for sign, words in signs.items()
    ]  # fmt: skip
    some = int(wanted["signs"].gt(0).sum())
    title = f"{some} of {counted(len(wanted), noun='project')} without an open risk carry a sign that calls for one"
    title += f"; the first {len(rows)} shown" if len(rows) < len(wanted) else ""
    return _drawn(
        traces, title=title, height=len(rows) * 36 + 60,
        xaxis={"side": "top", "type": "category", "showgrid": False, "range": [-0.6, len(signs) - 0.4], "tickangle": 0},
        yaxis={"categoryorder": "array", "categoryarray": names},
    )  # fmt: skip


def _plain(flags: pd.Series[Any]) -> list[bool | None]:
    return [None if pd.isna(flag) else bool(flag) for flag in flags]
