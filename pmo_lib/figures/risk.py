"""Risk figures: exposure, movement, the matrix, ranks, proximity and neglect.

Every figure is readable at 400 pixels: labels wrap, rows set the height, words stand on the marks themselves, and the
title says what the marks are, so that none needs a legend.
"""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from pmo_lib.theme import (
    ACCENT,
    FALL,
    GRADE_LOOKS,
    HOLD,
    INK,
    MUTED,
    PAPER,
    RISE,
    RULE,
    SERIES,
    Look,
    Scale,
    counted,
    day,
    money,
    money_scale,
    month,
    number,
    rating_look,
    template,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LABEL, TITLE, LINE, SHOWN = 25, 46, 17, 20
KIND_WORDS = {"threat": "Threats", "opportunity": "Opportunities", "not stated": "Kind not stated", "net": "Net"}
BAND_COLOURS = {"past": RISE, "imminent": SERIES[1], "near": SERIES[5], "far": HOLD}
GRADE_SYMBOLS = {"low": "circle", "medium": "triangle-up", "high": "diamond", "severe": "square"}
GONE = ("closed", "occurred", "dropped", "moved out")
SIGN_WORDS = {
    "low_confidence": "red,<br>amber/<br>red",
    "unrated": "not<br>rated",
    "finish_later": "finish<br>later",
    "cost_up": "cost<br>up",
    "cost_unknown": "no<br>single<br>cost",
}


def _wrapped(text: object, *, width: int = LABEL, lines: int = 3) -> str:
    """Return text escaped and broken into lines for a label; what does not fit ends in an ellipsis."""
    parts = textwrap.wrap(str(text), width, max_lines=lines, placeholder=" …")
    return "<br>".join(html.escape(part) for part in parts)


def _labels(*columns: pd.Series[Any]) -> list[str]:
    """Return one wrapped label per row from the words of some columns."""
    return [_wrapped(" ".join(str(word) for word in words)) for words in zip(*columns, strict=True)]


def _tall(labels: Sequence[str], *, least: int = 2) -> int:
    """Return the height that so many wrapped labels need."""
    lines = max([least, *(label.count("<br>") + 1 for label in labels)])
    return max(len(labels), 1) * (lines * LINE + 8)


def _drawn(traces: list[Any], *, title: str, height: int, top: int = 0, **layout: Any) -> go.Figure:
    """Return a figure with the house's template and a title that wraps; ``top`` is room for labels above it."""
    lines = textwrap.wrap(title, TITLE)
    above = 22 + 19 * len(lines) + top
    below = 48 if "title" in layout["xaxis"] and not top else 12
    whole = height + above + below
    figure = go.Figure(traces)
    figure.update_layout(
        template=template(),
        title={"text": "<br>".join(lines), "yref": "container", "y": 1 - 20 / whole, "yanchor": "top", "pad": {"t": 0}},
        height=whole,
        margin={"t": above, "b": below, "l": 8, "r": 14},
        showlegend=False,
        **layout,
    )
    return figure


def _scale(rows: pd.DataFrame, *columns: str) -> Scale:
    found = rows["currency"].replace("", None).dropna()
    values = [value for column in columns for value in rows[column].dropna().astype("float64")]
    return money_scale(values, currency=str(found.iloc[0]) if len(found) else "")


def _scaled(values: pd.Series[Any], *, scale: Scale) -> list[float | None]:
    return [None if pd.isna(value) else float(value) / scale.divisor for value in values]


def _room(values: Iterable[float | None], *, share: float = 0.3) -> list[float]:
    """Return an axis range around 0 with room for the words at the ends of the bars."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    spare = share * ((high - low) or 1.0)
    return [low - (spare if low < 0 else 0), high + (spare if high > 0 or low == 0 else 0.05 * spare)]


def _rows_axis(labels: list[str]) -> dict[str, Any]:
    """Return the axis of rows, the first on top; rows stand at numbers, so that two may have the same label."""
    return {"tickvals": _places(labels), "ticktext": labels, "range": [len(labels) - 0.4, -0.6], "zeroline": False}


def _places(labels: Sequence[str]) -> list[int]:
    return list(range(len(labels)))


def _bars(values: list[Any], *, labels: list[str], colour: Any, words: Sequence[str]) -> go.Bar:
    return go.Bar(
        x=values, y=_places(labels), orientation="h", text=[html.escape(word) for word in words],
        textposition="outside", cliponaxis=False, marker={"color": colour}, hoverinfo="skip", textfont={"color": INK},
    )  # fmt: skip


def headline_bars(headline: pd.DataFrame) -> go.Figure:
    """Draw threats, opportunities and net exposure in money, now and at the last register; positive is cost."""
    scale = _scale(headline, "expected_money", "expected_money_before")
    labels = [KIND_WORDS[kind] for kind in headline["kind"]]
    now, before = (_scaled(headline[column], scale=scale) for column in ("expected_money", "expected_money_before"))
    told = [scale.write(value) if pd.notna(value) else f"n/a: {reason}" for value, reason in
            zip(headline["expected_money"], headline["money_reason"], strict=True)]  # fmt: skip
    then = [scale.write(value) if pd.notna(value) else "" for value in headline["expected_money_before"]]
    compared = headline["expected_money_before"].notna().any()
    traces = [_bars([value or 0 for value in now], labels=labels, words=told,
                    colour=[RISE if (value or 0) > 0 else FALL for value in now])]  # fmt: skip
    if compared:
        traces.append(_bars([value or 0 for value in before], labels=labels, words=then, colour=RULE))
    title = f"Expected cost (+) or saving (−) of the open risks, {scale.unit}"
    return _drawn(
        traces,
        title=title + (": now in colour, at the last register in grey" if compared else ""),
        height=len(labels) * (64 if compared else 36),
        barmode="group",
        xaxis={"title": {"text": scale.unit}, "range": _room([*now, *before])},
        yaxis=_rows_axis(labels),
    )


def cover_bars(cover: pd.DataFrame) -> go.Figure:
    """Draw each project's net exposure as a bar, its contingency left as a mark: beyond the mark is not covered."""
    known = cover.loc[cover["expected_money"].notna() | cover["contingency_left"].notna()]
    rows = known.head(SHOWN)
    scale = _scale(rows, "expected_money", "contingency_left")
    exposed, left = (_scaled(rows[column], scale=scale) for column in ("expected_money", "contingency_left"))
    labels = _labels(rows["name"])
    over = rows["uncovered"].gt(0).fillna(value=False).tolist()
    bars = go.Bar(
        x=[value or 0 for value in exposed], y=_places(labels), orientation="h", hoverinfo="text",
        marker={"color": [RISE if flag else ACCENT for flag in over]},
        hovertext=[f"exposure {scale.write(a)} {html.escape(str(reason))}" for a, reason in
                   zip(rows["expected_money"], rows["money_reason"], strict=True)],
    )  # fmt: skip
    marks = go.Scatter(
        x=left, y=_places(labels), mode="markers", hoverinfo="text",
        marker={"symbol": "line-ns", "size": 22, "color": INK, "line": {"width": 3, "color": INK}},
        hovertext=[f"contingency left {scale.write(value)}" for value in rows["contingency_left"]],
    )  # fmt: skip
    title = (
        f"{counted(int(known['uncovered'].gt(0).sum()), noun='project')} with more net exposure (bar) than contingency"
    )
    return _drawn(
        [bars, marks], title=f"{title} left (mark){_first(rows, of=known)}", height=_tall(labels),
        xaxis={"title": {"text": scale.unit}, "range": _room([*exposed, *left], share=0.06)}, yaxis=_rows_axis(labels),
    )  # fmt: skip


def _first(rows: pd.DataFrame, *, of: pd.DataFrame) -> str:
    return f"; the first {len(rows)} of {len(of)} drawn" if len(rows) < len(of) else ""


def bridge_waterfall(bridge: pd.DataFrame) -> go.Figure:
    """Draw net exposure from the last register to this one, one step per cause with its number of risks."""
    scale, currency = _scale(bridge, "amount"), str(bridge["currency"].iloc[0])
    since = month(str(bridge["compared_with"].iloc[0]))
    ends = {"before": since, "now": "now"}
    labels = [
        _wrapped(ends[step] if total else f"{step} ({risks})")
        for step, total, risks in zip(bridge["step"], bridge["is_total"], bridge["risks"], strict=True)
    ]
    words = [scale.write(value, signed=not total) for value, total in
             zip(bridge["amount"], bridge["is_total"], strict=True)]  # fmt: skip
    steps = go.Waterfall(
        y=_places(labels), x=_scaled(bridge["amount"], scale=scale), orientation="h",
        measure=["absolute", *["relative"] * (len(bridge) - 2), "total"], text=words, textposition="outside",
        cliponaxis=False, hoverinfo="skip", increasing={"marker": {"color": RISE}},
        decreasing={"marker": {"color": FALL}}, totals={"marker": {"color": ACCENT}},
        connector={"line": {"color": MUTED, "width": 1}},
    )  # fmt: skip
    heights = (bridge["amount"].iloc[:-1].cumsum() / scale.divisor).tolist()
    moved = bridge["amount"].iloc[-1] - bridge["amount"].iloc[0]
    way = f"{'rose' if moved > 0 else 'fell'} by {money(abs(moved), currency=currency)}" if moved else "held"
    return _drawn(
        [steps],
        title=f"Net exposure {way} since {since} (in brackets: number of risks)",
        height=_tall(labels),
        xaxis={"title": {"text": scale.unit}, "range": _room(heights)},
        yaxis=_rows_axis(labels),
    )


def moves_arrows(movements: pd.DataFrame) -> go.Figure:
    """Draw where each risk that moved stood and stands, by score; new ones have no start, those that went no end."""
    changed = movements.loc[movements["what"].ne("kept") | movements["moved_score"].fillna(0).ne(0)]
    scored = changed.loc[changed["score"].notna() | changed["score_before"].notna()]
    rows = scored.head(SHOWN)
    gone = rows["what"].isin(GONE)
    labels = _labels(rows["risk_id"], rows["title"])
    before = [None if pd.isna(score) else int(score) for score in rows["score_before"]]
    now = [None if pd.isna(score) or over else int(score) for score, over in zip(rows["score"], gone, strict=True)]
    ends = [(a, b, n) for n, (a, b) in enumerate(zip(before, now, strict=True)) if a is not None and b is not None]
    path = go.Scatter(
        x=[x for a, b, _ in ends for x in (a, b, None)], y=[y for *_, n in ends for y in (n, n, None)],
        mode="lines", hoverinfo="skip", line={"color": HOLD, "width": 2},
    )  # fmt: skip
    ways = [_way(a, now=b, kind=kind) for a, b, kind in zip(before, now, rows["kind"], strict=True)]
    start, end = _dots(before, colours=[PAPER] * len(rows)), _dots(now, colours=ways)
    words = _beside([max(a or 0, b or 0) for a, b in zip(before, now, strict=True)], words=rows["what"])
    title = "No risk moved, came or went"
    if len(changed):
        title = f"{counted(len(changed), noun='risk')} moved, came or went: score at the last register (○) and now (●)"
    return _drawn(
        [path, start, end, words], title=title + _first(rows, of=changed), height=_tall(labels), top=18,
        xaxis={"range": [0, 34], "tickvals": [1, 5, 10, 15, 20, 25], "side": "top", "zeroline": False},
        yaxis=_rows_axis(labels),
    )  # fmt: skip


def _way(before: int | None, *, now: int | None, kind: str) -> str:
    """Return the colour of a change: a threat that scores higher is worse, an opportunity that does is better."""
    if before is None or now is None or before == now:
        return ACCENT
    return RISE if (now > before) != (kind == "opportunity") else FALL


def _dots(values: list[int | None], *, colours: list[str]) -> go.Scatter:
    """Draw the rows that have a value."""
    known = [n for n, value in enumerate(values) if value is not None]
    marker = {"size": 13, "color": [colours[n] for n in known], "line": {"color": INK, "width": 1.5}}
    return go.Scatter(x=[values[n] for n in known], y=known, mode="markers", hoverinfo="x", marker=marker)


def _beside(values: list[int], *, words: pd.Series[Any]) -> go.Scatter:
    """Write what became of each risk to the right of its marks; a risk that was kept needs no word."""
    told = [f"   {html.escape(word)}" if word != "kept" else "" for word in words]
    return go.Scatter(
        x=values, y=_places(told), mode="text", text=told, textposition="middle right", cliponaxis=False,
        hoverinfo="skip",
    )  # fmt: skip


def heat_matrix(heat: pd.DataFrame) -> go.Figure:
    """Draw the matrix: large the open threats now, small below them inherent → target, in the corner opportunities."""
    current = heat.loc[heat["stance"].eq("current")].reset_index(drop=True)
    cells = heat.assign(feared=heat["risks"] - heat["opportunities"])
    feared = cells.set_index(["stance", "probability_level", "impact_level"])["feared"].to_dict()
    at = list(zip(current["probability_level"], current["impact_level"], strict=True))
    looks = [rating_look(grade) for grade in current["grade"]]
    counts = [feared["current", p, i] for p, i in at]
    layers = [
        ((-0.46, 0.34), 11, [look.letter for look in looks]),
        ((0.46, 0.34), 10, [f"{count} opp." if count else "" for count in current["opportunities"]]),
        ((0, 0.12), 20, [f"<b>{count}</b>" if count else "" for count in counts]),
        (
            (0, -0.14),
            11,
            [_moved(came, went=went) for came, went in zip(current["came"], current["went"], strict=True)],
        ),
        ((0, -0.36), 11, [_from_to(feared["inherent", p, i], target=feared["target", p, i]) for p, i in at]),
    ]
    words = [_cell_words(at, shift=shift, size=size, words=texts, looks=looks) for shift, size, texts in layers]
    above = sum(count for count, over in zip(counts, current["above_appetite"], strict=True) if over)
    axis = {"range": [0.5, 5.5], "dtick": 1, "showgrid": False, "zeroline": False}
    return _drawn(
        [_tiles(current), *words, _appetite_line(current)],
        title=f"{above} of {counted(sum(counts), noun='threat')} above the appetite line",
        height=400,
        xaxis={"title": {"text": "impact level"}, **axis},
        yaxis={"title": {"text": "probability level"}, **axis},
    )


def _moved(came: Any, *, went: Any) -> str:
    """Write what came to a cell and went from it since the last register."""
    told = [f"{sign}{count}" for sign, count in (("+", came), ("−", went)) if pd.notna(count) and count]
    return " ".join(told)


def _from_to(inherent: int, *, target: int) -> str:
    return f"{inherent} → {target}" if inherent or target else ""


def _tiles(current: pd.DataFrame) -> go.Heatmap:
    """Draw the grades as tiles, with no colour between two grades."""
    grades = list(GRADE_LOOKS)
    ranks = current.assign(rank=current["grade"].map(grades.index))
    ranks = ranks.pivot_table(index="probability_level", columns="impact_level", values="rank")
    steps = [[(n + end) / len(grades), GRADE_LOOKS[grade].colour] for n, grade in enumerate(grades) for end in (0, 1)]
    levels = [1, 2, 3, 4, 5]
    return go.Heatmap(
        z=ranks.to_numpy().tolist(), x=levels, y=levels, zmin=0, zmax=len(grades) - 1, xgap=2, ygap=2,
        colorscale=steps, showscale=False, hoverinfo="skip",
    )  # fmt: skip


def _cell_words(
    at: list[tuple[int, int]], *, shift: tuple[float, float], size: int, words: list[str], looks: list[Look]
) -> go.Scatter:
    where = {-1: "middle right", 0: "middle center", 1: "middle left"}[(shift[0] > 0) - (shift[0] < 0)]
    font = {"size": size, "color": [look.text for look in looks]}
    x, y = [i + shift[0] for _, i in at], [p + shift[1] for p, _ in at]
    return go.Scatter(x=x, y=y, mode="text", text=words, textposition=where, textfont=font, hoverinfo="skip")


def _appetite_line(cells: pd.DataFrame) -> go.Scatter:
    """Draw the border between the cells above appetite and the others."""
    above = cells.loc[cells["above_appetite"].astype(bool)]
    over = set(zip(above["probability_level"], above["impact_level"], strict=True))
    x: list[float | None] = []
    y: list[float | None] = []
    for p, i in sorted(over):
        if i > 1 and (p, i - 1) not in over:
            x, y = [*x, i - 0.5, i - 0.5, None], [*y, p - 0.5, p + 0.5, None]
        if p > 1 and (p - 1, i) not in over:
            x, y = [*x, i - 0.5, i + 0.5, None], [*y, p - 0.5, p - 0.5, None]
    return go.Scatter(x=x, y=y, mode="lines", line={"color": INK, "width": 4}, hoverinfo="skip")


def top_bars(top: pd.DataFrame) -> go.Figure:
    """Draw the largest risks by score (left) and by exposure (right): uneven bars are where the two orders differ."""
    scale = _scale(top, "expected_money")
    labels = _labels(top["risk_id"], top["title"])
    scores = [0 if pd.isna(score) else int(score) for score in top["score"]]
    sizes = [abs(value or 0) for value in _scaled(top["expected_money"], scale=scale)]
    left = _bars(scores, labels=labels, colour=ACCENT, words=[
        f"{score} (#{rank})" if pd.notna(score) else "n/a" for score, rank in
        zip(top["score"], top["rank_by_score"], strict=True)])  # fmt: skip
    right = _bars(sizes, labels=labels, colour=[_apart(gap) for gap in top["rank_gap"]], words=[
        f"{scale.write(value)} (#{rank})" if pd.notna(value) else "n/a" for value, rank in
        zip(top["expected_money"], top["rank_by_exposure"], strict=True)])  # fmt: skip
    right.update(xaxis="x2")
    apart = int(top["rank_gap"].abs().gt(1).sum())
    gaps = int(top["expected_money"].isna().sum())
    title = f"Score and expected cost ({scale.unit}) with their ranks (#): {apart} more than one rank apart (orange)"
    return _drawn(
        [left, right], title=title + (f", {gaps} without money" if gaps else ""), height=_tall(labels), top=18,
        xaxis={"domain": [0, 0.45], "range": [0, 3.4 * max([*scores, 1])], "showticklabels": False, "side": "top",
               "title": {"text": "score"}, "showgrid": False},
        xaxis2={"domain": [0.48, 1], "range": [0, 4.2 * (max(sizes) or 1)], "showticklabels": False, "side": "top",
                "title": {"text": "expected cost"}, "showgrid": False, "anchor": "y"},
        yaxis=_rows_axis(labels),
    )  # fmt: skip


def _apart(gap: Any) -> str:
    return SERIES[1] if pd.notna(gap) and abs(gap) > 1 else ACCENT


def timeline_dots(timeline: pd.DataFrame) -> go.Figure:
    """Draw when each open risk may strike, from the earliest on, with the status date and the ends of the bands."""
    dated = timeline.loc[timeline["proximity_on"].notna()]
    rows = dated.head(SHOWN)
    labels = _labels(rows["risk_id"], rows["title"])
    symbols = [
        "star" if kind == "opportunity" else GRADE_SYMBOLS.get(str(grade), "circle-open")
        for kind, grade in zip(rows["kind"], rows["grade"], strict=True)
    ]
    dots = go.Scatter(
        x=rows["proximity_on"].dt.strftime("%Y-%m-%d").tolist(), y=_places(labels), mode="markers", hoverinfo="text",
        marker={"size": 13, "color": [BAND_COLOURS[band] for band in rows["proximity_band"]], "symbol": symbols,
                "line": {"color": INK, "width": 1}},
        hovertext=[f"{day(on)}: {band}" for on, band in zip(rows["proximity_on"], rows["proximity_band"], strict=True)],
    )  # fmt: skip
    past, soon = (int(dated["proximity_band"].isin(bands).sum()) for bands in (("past",), ("imminent", "near")))
    ends = [timeline[name].max() for name in ("status_date", "imminent_until_on", "near_until_on")]
    figure = _drawn(
        [dots],
        title=f"{past} past the date and still open, {soon} may strike by {day(ends[2])}{_first(rows, of=dated)}",
        height=_tall(labels),
        top=40,
        xaxis={"side": "top", "nticks": 4, "type": "date", "tickangle": 0, "tickformat": "%b<br>%Y"},
        yaxis=_rows_axis(labels),
    )
    for on, dash in zip(ends, ("solid", "dot", "dot"), strict=True):
        figure.add_vline(x=on.strftime("%Y-%m-%d"), line={"color": INK, "width": 1.5, "dash": dash}, layer="below")
    return figure


def flags_bars(flags: pd.DataFrame) -> go.Figure:
    """Draw how many risks (or overdue actions) have each flag, by urgency."""
    rows = flags.drop_duplicates("flag")
    labels = _labels(rows["flag"])
    counts = [0 if pd.isna(count) else int(count) for count in rows["flagged"]]
    words = [number(count) if pd.notna(count) else f"n/a: {detail}" for count, detail in
             zip(rows["flagged"], rows["detail"], strict=True)]  # fmt: skip
    told = flags.loc[flags["risk_id"].notna(), "risk_id"].nunique()
    return _drawn(
        [_bars(counts, labels=labels, colour=ACCENT, words=words)],
        title=f"{counted(told, noun='risk')} with something to attend to, the most urgent first",
        height=_tall(labels),
        xaxis={"title": {"text": "risks (overdue: actions)"}, "range": _room([float(count) for count in counts])},
        yaxis=_rows_axis(labels),
    )


def wanted_dots(wanted: pd.DataFrame) -> go.Figure:
    """Draw which sign each project without an open risk carries, the most wanted register first."""
    rows = wanted.head(SHOWN)
    labels = _labels(rows["name"])
    some = int(wanted["signs"].gt(0).sum())
    return _drawn(
        [_sign_dots(rows[sign], labels=labels, words=words) for sign, words in SIGN_WORDS.items()],
        title=f"{some} of {counted(len(wanted), noun='project')} without an open risk carry a sign that calls for a "
        f"register (■){_first(rows, of=wanted)}",
        height=_tall(labels),
        top=52,
        xaxis={
            "side": "top",
            "type": "category",
            "showgrid": False,
            "range": [-0.6, len(SIGN_WORDS) - 0.4],
            "tickangle": 0,
            "tickfont": {"size": 11},
        },
        yaxis=_rows_axis(labels),
    )


def _sign_dots(flags: pd.Series[Any], *, labels: list[str], words: str) -> go.Scatter:
    known = [None if pd.isna(flag) else bool(flag) for flag in flags]
    colours = [RISE if flag else HOLD for flag in known]
    symbols = ["line-ew" if flag is None else "square" if flag else "square-open" for flag in known]
    marker = {"size": 14, "symbol": symbols, "color": colours, "line": {"color": colours, "width": 1.5}}
    return go.Scatter(x=[words] * len(labels), y=_places(labels), mode="markers", hoverinfo="skip", marker=marker)
