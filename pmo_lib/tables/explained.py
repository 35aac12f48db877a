"""How a figure is made, for the page: one click opens it; nothing is fetched and no script is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pmo_lib.metrics.named_rollup import FIGURES, REPORTS
from pmo_lib.theme import counted, month

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.metrics.explained import Explanation

MOST_RUNS, MOST_PLACES, MOST_FIGURES = 12, 6, 12
NOUNS = {FIGURES: "figure", REPORTS: "report"}


def tracing(identity: Mapping[str, Any]) -> str:
    """Return the command that prints every row of a figure of a report, once the figure is named."""
    whose = f" --portfolio {identity['portfolio']}" if identity["portfolio"] else ""
    return f"pmo trace --org {identity['organisation']} --period {identity['as_of']}{whose}"


def explanation_html(told: Explanation, *, label: str, command: str) -> Markup:
    """Return a figure's explanation, folded under its tile.

    ``label`` tells a screen reader which figure it is of; ``command`` prints all its rows, once the figure is named.
    """
    return Markup(
        '<details class="why"><summary>How it is made<span class="aside">: {}</span></summary>{}</details>'
    ).format(label, _how(told, command=command))


def figures_html(figures: Iterable[tuple[Explanation, str]], *, command: str) -> Markup:
    """Return the list of all explained figures, each with its value as written; nothing where there is none."""
    items = [
        Markup('<details class="figure" id="figure-{}"><summary>{}<span class="value">{}</span></summary>{}</details>')
        .format(told.name, told.label[:1].upper() + told.label[1:], value, _how(told, command=command))
        for told, value in figures
    ]  # fmt: skip
    if not items:
        return Markup("")
    return Markup('<h3>Every figure, and how it is made</h3><div class="figures">{}</div>').format(
        Markup("").join(items)
    )


def _how(told: Explanation, *, command: str) -> Markup:
    result = ("Not computable", told.reason) if told.reason else ("With the numbers", told.worked)
    lines: list[tuple[str, Any]] = [
        ("What it is", told.definition), ("Formula", told.formula), result, ("Unit", told.unit or "none"),
        ("Sign", told.sign), ("Source", told.source), ("Rows", _rows(told)), ("Name", _name(told, command=command)),
    ]  # fmt: skip
    items = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*line) for line in lines)
    return Markup('<dl class="how">{}</dl>').format(items)


def _name(told: Explanation, *, command: str) -> Markup:
    return Markup("<code>{}</code>; all rows: <code>{} --figure {}</code>").format(told.name, command, told.name)


def _rows(told: Explanation) -> Markup:
    """Say where the rows stand: the first runs of each place; the published results hold them all."""
    if not told.rows:
        return Markup("none; looked at: {}").format(", ".join(told.looked_at))
    nouns = (*NOUNS.values(), "row")
    counts = {noun: sum(place["count"] for place in told.rows if _noun(place) == noun) for noun in nouns}
    total = ", ".join(counted(count, noun=noun) for noun, count in counts.items() if count)
    most = MOST_PLACES if _noun(told.rows[0]) == "row" else MOST_FIGURES
    lines, left = [_place(place) for place in told.rows[:most]], told.rows[most:]
    more = [f"and {counted(len(left), noun='more place')}"] if left else []
    return Markup("{}: {}").format(total, Markup("<br>").join([*lines, *more]))


def _noun(place: Mapping[str, Any]) -> str:
    return NOUNS.get(str(place["table"]), "row")


def _place(place: Mapping[str, Any]) -> Markup | str:
    """Write where rows stand; a portfolio's figure leads on to its own explanation, on the portfolio's page."""
    if place["table"] == FIGURES:
        page, _, figure = str(place["place"]).partition(".json, figure ")
        return Markup('<a href="{}.html#figure-{}">{}</a>: {}').format(page, figure, page, figure)
    runs = str(place["rows"]).split(", ") if place["rows"] else []
    shown = ", ".join(runs[:MOST_RUNS]) + (" …" if runs[MOST_RUNS:] else "")
    rows = f", {'row' if place['count'] == 1 else 'rows'} {shown}" if runs else ""
    return f"{month(place['period'])}: {place['place']}{rows}"
