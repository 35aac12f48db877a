"""The roll-up on the page: figures, tables and sentences say what the metric says, and let no data act."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import pytest

from pmo_lib.figures import portfolio as figures
from pmo_lib.metrics import facts, hierarchy, portfolio, standing
from pmo_lib.parameters.models import Organisation
from pmo_lib.sentences import portfolio as says
from pmo_lib.tables import portfolio as tables
from pmo_lib.tables.html import HtmlTable

HOSTILE = "<img src=x onerror=alert(1)> & Söhne"
NOW, BEFORE = "2026-09", "2026-08"
YEARS = pd.DataFrame(
    [
        (BEFORE, HOSTILE, 12, 10, 100e6, 80e6, -20e6, -0.20, "GBP"),
        (NOW, "Roads", 14, 11, 200e6, 210e6, 10e6, 0.05, "GBP"),
    ],
    columns=["period", "name", *portfolio.YEAR_COLUMNS],
)
SHARES = pd.DataFrame({"period": [BEFORE, NOW], "projects": [10, 12], "published": [9, 9], "share": [0.9, 0.75]})
STRUCTURES = pd.DataFrame(
    [
        (BEFORE, "old", HOSTILE, "dissolved", 3, 90e6, 1, 10e6, -80e6, "GBP"),
        (BEFORE, "new", "New", "", 0, None, 2, 80e6, 80e6, "GBP"),
        (BEFORE, "kept", "Kept", "", 1, 5e6, 1, 5e6, 0.0, "GBP"),
        (NOW, "new", "New", "", 2, 81e6, 2, 81e6, 0.0, "GBP"),
    ],
    columns=[
        "period", "unit_id", "name", "fate", "projects_then", "cost_then", "projects_today", "cost_today", "difference",
        "currency",
    ],
)  # fmt: skip
EXPOSURE = pd.DataFrame(
    [
        ("a", HOSTILE, 3, 1, 30e6, -5e6, 25e6, "", "GBP"),
        ("b", "Silent", None, None, None, None, None, "no register", "GBP"),
    ],
    columns=[
        "unit_id", "name", "risks_open", "risks_unquantified", "threats", "opportunities", "exposure", "reason",
        "currency",
    ],
)  # fmt: skip
CLIENTS = pd.DataFrame(
    [
        ("a", HOSTILE, 3, 30e6, 1, 10e6, 3, 2, 20e6, "a 1", "GBP"),
        ("b", "Council tax", 0, None, 2, 20e6, 0, 0, None, "a 2", "GBP"),
    ],
    columns=[
        "unit_id",
        "name",
        "delivers",
        "cost_delivered",
        "serves",
        "cost_served",
        "costed",
        "costed_for_others",
        "cost_for_others",
        "delivered_by",
        "currency",
    ],
)
FIGURES: list[tuple[Callable[[pd.DataFrame], go.Figure], pd.DataFrame]] = [
    (figures.in_year_bars, YEARS),
    (figures.unit_bars, YEARS),
    (figures.disclosure_bars, SHARES),
    (figures.structure_heatmap, STRUCTURES),
    (figures.exposure_bars, EXPOSURE),
    (figures.clients_bars, CLIENTS),
]
each_figure = pytest.mark.parametrize(("draw", "metric"), FIGURES, ids=[draw.__name__ for draw, _ in FIGURES])


def texts(figure: go.Figure) -> str:
    """Return every text of a figure, as plotly would draw it."""
    return json.dumps(json.loads(figure.to_json()), ensure_ascii=False)


@each_figure
def test_no_name_becomes_markup(draw: Callable[[pd.DataFrame], go.Figure], metric: pd.DataFrame) -> None:
    """A name that holds a tag is drawn as text: plotly reads some tags in every label."""
    assert "<img" not in texts(draw(metric))


@each_figure
def test_a_figure_is_simple_titled_and_the_same_twice(
    draw: Callable[[pd.DataFrame], go.Figure], metric: pd.DataFrame
) -> None:
    """A figure has a title and a height of its own, only bars or a heat map, and the same bytes each time."""
    figure = draw(metric)
    assert figure.layout.title.text
    assert figure.layout.height > 0
    assert {trace.type for trace in figure.data} <= {"bar", "heatmap"}
    assert figure.to_json() == draw(metric.copy()).to_json()


@each_figure
def test_a_figure_of_one_row_is_drawn(draw: Callable[[pd.DataFrame], go.Figure], metric: pd.DataFrame) -> None:
    """The smallest organisation has its figure too: one portfolio, one period."""
    assert draw(metric.head(1)).layout.height > 0


def test_bars_say_which_way() -> None:
    """Distance from plan is drawn to the right whichever way it goes; words and colour say which way it was."""
    bar = figures.in_year_bars(YEARS).data[0]
    assert list(bar.x) == [0.20, 0.05]
    assert list(bar.text) == ["−20.0% (−£20.0m)", "+5.0% (+£10.0m)"]
    assert len(set(bar.marker.color)) == 2


def test_every_row_has_its_name_and_n() -> None:
    """Each bar has its name above it, with the number of projects behind it."""
    notes = [note.text for note in figures.unit_bars(YEARS).layout.annotations]
    assert notes[1] == "Roads, n = 11"
    assert html.unescape(notes[0].replace("<br>", " ")) == f"{HOSTILE}, n = 10"


def test_structures_are_drawn_where_they_differ() -> None:
    """The heat map has a row for each unit whose past differs, with what became of it, and no column for today."""
    heat = figures.structure_heatmap(STRUCTURES).data[0]
    assert [label.replace("<br>", " ") for label in heat.y] == ["new", "old (dissolved)"]
    assert len(heat.x) == 1
    assert [list(row) for row in heat.text] == [["+80.0"], ["−80.0"]]


def test_a_portfolio_without_register_has_no_bar() -> None:
    """What nobody reported is not drawn as a bar of length 0."""
    drawn = figures.exposure_bars(EXPOSURE)
    assert {len(trace.x) for trace in drawn.data} == {1}
    assert drawn.layout.title.text.endswith("£25.0m")


# --- the tables -------------------------------------------------------------------------------------------------------

UNITS = pd.DataFrame(
    [
        (NOW, "council", None, "enterprise", "Council", None, "GBP"),
        (NOW, "roads", "council", "portfolio", HOSTILE, None, "GBP"),
        (NOW, "lost", "council", "portfolio", "Lost", None, "GBP"),
    ],
    columns=["period", "portfolio_id", "parent_id", "level", "name", "hierarchy", "currency"],
)
BATCH = pd.DataFrame(
    [
        ("roads", "health_check", "published", None, None),
        ("roads", "financial_outlook", "published", None, None),
        ("lost", "health_check", "failed", "notebook", "<b>boom</b>"),
        ("lost", "financial_outlook", "failed", "notebook", "<b>boom</b>"),
    ],
    columns=["portfolio_id", "report", "status", "stage", "cause"],
)
NOTHING = pd.DataFrame(columns=["portfolio_id", "period"])
ROWS = facts.project_facts(
    pd.DataFrame(
        [("roads", "R1", "Bridge", "P-1", None), ("roads", "R2", HOSTILE, None, None)],
        columns=["portfolio_id", "project_id", "name", "programme_id", "client_id"],
    ),
    costs=pd.DataFrame(
        [
            ("roads", "R1", "Bridge", 10e6, 12e6, "re-based", 2e6, "GBP"),
            ("roads", "R2", HOSTILE, 5e6, None, "withheld or range", -5e6, "GBP"),
            ("roads", "R0", "Ferry", 1e6, None, "left", -1e6, "GBP"),
        ],
        columns=["portfolio_id", "project_id", "name", "before", "now", "cause", "amount", "currency"],
    ),
    in_year=NOTHING,
    ratings=pd.DataFrame(
        [("roads", "R1", "SRO", "red"), ("roads", "R2", "SRO", "green")],
        columns=["portfolio_id", "project_id", "assessor_role", "rating"],
    ),
    exposure=NOTHING,
)
COUNCIL = Organisation(id="council", name="Council", root_unit="council")
TREE = hierarchy.rollup(ROWS, portfolios=UNITS, batch=BATCH, settings=COUNCIL)
ARRIVALS = pd.DataFrame(
    {"period": "2026-09", "portfolio_id": ["roads", "lost"], "state": "returned", "punctuality": "on time",
     "days_late": -3, "known": "2026-09", "reason": ""}
)  # fmt: skip
COVERED = standing.with_returns(
    portfolio.coverage(
        BATCH, portfolios=UNITS, costs=NOTHING, lineage=pd.DataFrame(columns=["from_id", "to_id", "project_id", "kind"])
    ),
    arrivals=ARRIVALS,
    last_known=pd.DataFrame(columns=["portfolio_id", "period", "report", "name", "value", "unit"]),
)
CONTROL = pd.DataFrame(
    [("hierarchy.csv", 3, 9, 1200, "ab" * 32)], columns=["file", "rows", "money_columns", "minor_units", "sha256"]
)
TABLES: list[tuple[Callable[[pd.DataFrame], HtmlTable], pd.DataFrame]] = [
    (tables.coverage_table, COVERED),
    (tables.hierarchy_table, TREE),
    (tables.in_year_table, YEARS.drop(columns="period")),
    (tables.structure_table, STRUCTURES),
    (tables.clients_table, CLIENTS),
    (tables.exposure_table, EXPOSURE),
    (tables.control_table, CONTROL),
]


@pytest.mark.parametrize(("write", "metric"), TABLES, ids=[write.__name__ for write, _ in TABLES])
def test_no_cell_becomes_markup(write: Callable[[pd.DataFrame], HtmlTable], metric: pd.DataFrame) -> None:
    """What comes from data stands in a table as text, also in the lines that fold a part of it."""
    written = write(metric).html
    assert "<img" not in written
    assert "<b>" not in written
    assert written.count("<details") == written.count("</details>")
    assert written.count("<table>") == written.count("</table>") > 0


EVERY_TABLE: list[tuple[Callable[[pd.DataFrame], HtmlTable], pd.DataFrame]] = [
    *TABLES,
    (tables.disclosure_table, SHARES),
    (
        tables.underspends_table,
        pd.DataFrame([("2025/26", 0, 0, None, 4)], columns=["year", "underspends", "kept", "share", "not_dated"]),
    ),
    (
        tables.finishes_table,
        pd.DataFrame(
            {
                "name": [HOSTILE] * 20, "portfolio_id": "roads", "finish_before_on": pd.NaT, "finish_on": pd.NaT,
                "moved_days": None, "reason": "withheld: s43",
            }
        ),
    ),
    (
        tables.moves_table,
        pd.DataFrame([(NOW, 1, None, 2e6, "GBP")], columns=["period", "projects", "before", "now", "currency"]),
    ),
    (
        tables.under_table,
        pd.DataFrame(
            [(HOSTILE, "roads", 4, None, None, "GBP")],
            columns=["name", "portfolio_id", "years_under", "variance", "variance_share", "currency"],
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("write", "metric"), EVERY_TABLE, ids=[write.__name__ for write, _ in EVERY_TABLE])
def test_null_has_words(write: Callable[[pd.DataFrame], HtmlTable], metric: pd.DataFrame) -> None:
    """A null never shows as nan, None, NaT or an empty pair of brackets: it has words."""
    words = html.unescape(re.sub("<[^>]+>", " ", write(metric).html))
    assert not re.search(r"\b(nan|None|NaT|<NA>)\b|\(\)", words)


def test_long_lists_are_folded() -> None:
    """Of many finishes the first fifteen stand open, and the rest is one line that opens."""
    written = {write.__name__: write(metric).html for write, metric in EVERY_TABLE}["finishes_table"]
    first, _, rest = written.partition("<details")
    assert first.count("<tr><th") == 1 + 15
    assert "5 other projects" in rest


def cells(written: str, *, row: str) -> list[str]:
    """Return the words of the first row whose heading ends with a text."""
    for found in re.findall(r"<tr>(.*?)</tr>", written, flags=re.DOTALL):
        words = [html.unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", found)]
        if words and words[0].strip().endswith(row):
            return words
    raise AssertionError(f"no row {row}")


def test_hierarchy_says_what_it_is_without() -> None:
    """A parent says which portfolios its sums lack, and a portfolio without reports why it is empty: never 0."""
    written = tables.hierarchy_table(TREE).html
    assert cells(written, row="Council (without lost)")[1:4] == ["2", "16.00", "12.00"]
    assert cells(written, row="Lost (report failed)")[1:5] == ["–", "–", "–", "–"]


def test_hierarchy_folds_the_projects() -> None:
    """The projects of a portfolio stand in a part that opens, each with its rating and why it has no cost."""
    written = tables.hierarchy_table(TREE).html
    summary = re.findall(r"<summary>(.*?)</summary>", written)
    assert [html.unescape(words) for words in summary] == [f"{HOSTILE}: 2 projects, £12.0m"]
    assert "■ red" in cells(written, row="Bridge")
    assert "withheld or range" in cells(written.partition("<details")[2], row="Söhne")
    assert cells(written, row="Ferry (left)")[1] == "1.00"


def test_hierarchy_has_no_column_that_nobody_filled() -> None:
    """A measure that no portfolio reported has no column of empty cells; the sentence says that it is missing."""
    written = tables.hierarchy_table(TREE).html
    assert "Exposure" not in written
    assert "No portfolio returned a risk register" in says.hierarchy_sentence(TREE)


def test_coverage_opens_what_is_missing_and_folds_the_rest() -> None:
    """A portfolio without reports stands open, with stage and cause; the complete ones are one line that opens."""
    written = tables.coverage_table(COVERED).html
    assert cells(written, row="Lost")[1:5] == [
        "returned, on time", "failed", "failed", "health check, financial outlook failed in the notebook: <b>boom</b>",
    ]  # fmt: skip
    assert "1 portfolio with every report published" in written


def test_reconciliation_is_not_rounded() -> None:
    """Reconciled money is written to the penny: a reconciliation that rounds proves nothing."""
    row = {
        "measure": "cost_now", "unit": "GBP", "portfolios": 1, "rows": 2, "rows_sum": 1234567.89, "ended_sum": None,
        "figures_sum": 1234567.89, "tree_sum": 1234567.89, "agrees": True,
    }  # fmt: skip
    reconciled = pd.DataFrame([row | {"portfolio_id": ""}, row | {"portfolio_id": "roads"}])
    assert cells(tables.reconciliation_table(reconciled).html, row="Whole-life cost now")[4] == "1,234,567.89"


def test_ranges_are_written_as_money() -> None:
    """A range in a reason is written as people write money."""
    row = {
        "project_id": "R", "name": "Ferry", "portfolio_id": "roads", "from_id": None, "before": 2e6, "now": None,
        "cause": "withheld or range", "amount": -2e6, "reason": "a range: 1500000.00 to 3000000.00", "currency": "GBP",
    }  # fmt: skip
    moved = pd.DataFrame([row])
    assert cells(tables.largest_table(moved).html, row="Ferry")[4] == "a range: £1.50m to £3.00m"


# --- the sentences ----------------------------------------------------------------------------------------------------


def test_coverage_sentence_names_who_is_missing() -> None:
    """The first sentence of the page counts the reports and names every portfolio that lacks one."""
    assert says.coverage_sentence(COVERED) == (
        "2 of 4 reports of 2 portfolios are published. Not complete: Lost. Totals that lack them say so, "
        "and nothing below counts them."
    )


def test_hierarchy_sentence_says_without() -> None:
    """The whole is said with its n, and with what it is without."""
    assert says.hierarchy_sentence(TREE).startswith(
        "Council: 2 projects, whole-life cost £12.0m (1 project with a single figure). Incomplete: without lost."
    )


STEPS = pd.DataFrame(
    [
        ("before", "total", 100e6, 5, 5, "GBP"),
        ("left", "cause", -10e6, 1, 1, "GBP"),
        ("moved out", "cause", -30e6, 2, 2, "GBP"),
        ("moved in", "cause", 30e6, 2, 2, "GBP"),
        ("now", "total", 90e6, 4, 4, "GBP"),
    ],
    columns=["step", "kind", "amount", "projects", "valued", "currency"],
)


def test_bridge_sentence_says_that_moves_net_to_nil() -> None:
    """Moves between portfolios are said with both amounts, and that they net to nil."""
    assert says.bridge_sentence(STEPS) == (
        "Whole-life cost went from £100.0m to £90.0m: left −£10.0m. 2 projects with £30.0m moved between portfolios: "
        "+£30.0m and −£30.0m net to nil."
    )


def test_bridge_sentence_says_what_has_no_counterpart() -> None:
    """Where the other portfolio's report is not there, the sentence says how much of the moves is open."""
    half = STEPS[STEPS["step"].ne("moved out")]
    assert says.bridge_sentence(half).endswith("; +£30.0m of it has no counterpart among the reports.")


def test_in_year_sentence_has_its_n() -> None:
    """A share is never said without the number of projects behind it."""
    assert says.in_year_sentence(YEARS) == (
        "In Sep 2026 the outlook is £10.0m (5.0%) over plan, over the 11 of 14 projects that publish both."
    )


def test_structure_sentence_names_the_largest_shift() -> None:
    """The sentence names the unit of the oldest report that today's structure changes most, and what became of it."""
    assert says.structure_sentence(STRUCTURES) == (
        "2 reports on two structures, with equal totals. The largest shift in Aug 2026: New +£80.0m."
    )
    first = STRUCTURES.iloc[[1, 0]].assign(difference=[70e6, -80e6])
    assert says.structure_sentence(first).endswith(f"{HOSTILE} (dissolved) −£80.0m.")
    same = STRUCTURES.assign(difference=0.0)
    assert says.structure_sentence(same).endswith("No project stands elsewhere today than it did then.")


def test_unit_sentence_names_the_furthest() -> None:
    """The portfolios furthest from plan are named with their share."""
    assert says.unit_sentence(YEARS) == f"Furthest from plan: {HOSTILE} (−20%), Roads (+5%)."


def test_under_sentence_counts_against_those_known() -> None:
    """A count of years under plan is said against the projects that are known as long."""
    under = pd.DataFrame([("Bridge", 7, 4), ("Ferry", 7, 4)], columns=["name", "known", "years"])
    assert says.under_sentence(under) == (
        "2 of 7 projects whose last 4 years are known were under plan by more than the tolerance in every one of them."
    )


def test_finishes_sentence_counts_what_cannot_be_said() -> None:
    """The finishes that cannot be compared are counted, and without any comparison no movement is claimed."""
    finishes = pd.DataFrame({"moved_days": [400, 20, -5, 0, None]})
    assert says.finishes_sentence(finishes) == (
        "Later in 2 of 4 projects that can be compared, by a median of 210 days; earlier in 1. "
        "Of 1 project nothing can be said."
    )
    assert says.finishes_sentence(finishes.tail(1)) == "No finish of 1 project can be compared."


def test_reconciliation_sentence_counts_only_what_was_summed() -> None:
    """A measure that nobody published is no total that reconciles."""
    rows = [("", 2), ("roads", 2), ("", 0), ("roads", 0)]
    reconciled = pd.DataFrame(rows, columns=["portfolio_id", "rows"])
    said = says.reconciliation_sentence(reconciled)
    assert said.startswith("Reconciled to the minor unit: 1 total.")
    assert said.endswith("in 1 comparison portfolio by portfolio.")


def test_moves_sentence_names_the_year_with_most_money() -> None:
    """Of several periods the one in which most money changed portfolio is named."""
    moved = pd.DataFrame(
        [(BEFORE, 1, 5e6, 5e6, "GBP"), (NOW, 2, 9e6, 8e6, "GBP")],
        columns=["period", "projects", "before", "now", "currency"],
    )
    assert says.moves_sentence(moved) == (
        "3 moves of projects between portfolios; most money in Sep 2026: 2 projects with £9.00m before the move."
    )


def test_underspends_sentence_without_dates() -> None:
    """Where no finish can be compared the sentence says so and makes no share."""
    undated = pd.DataFrame([("2025/26", 0, 0, None, 4)], columns=["year", "underspends", "kept", "share", "not_dated"])
    assert says.underspends_sentence(undated) == (
        "4 project-years with a large underspend; none has a finish of the year before to compare."
    )


def test_underspends_that_moved_the_finish_are_not_reproached() -> None:
    """Where every finish moved with the money nobody is said to promise the same end for less."""
    moved = pd.DataFrame([("2025/26", 1, 0, 0.0, 0)], columns=["year", "underspends", "kept", "share", "not_dated"])
    assert says.underspends_sentence(moved) == (
        "None of 1 project-year with a large underspend kept the finish, or promise an earlier one."
    )


SENTENCES = [
    (
        says.disclosure_sentence,
        SHARES,
        "In Sep 2026 9 of 12 projects (75%) publish a single whole-life cost; in Aug 2026 it was 90%.",
    ),
    (
        says.exposure_sentence,
        EXPOSURE,
        "3 risks open in 1 portfolio, net expected money £25.0m; 1 of them without money. Without a register: Silent.",
    ),
    (
        says.clients_sentence,
        CLIENTS,
        (
            "2 of 3 projects with a cost (£20.0m) serve another unit than the one that delivers them. Both hierarchies "
            "hold the same 3 projects; 1 unit delivers none and is only served."
        ),
    ),
]


@pytest.mark.parametrize(("say", "metric", "expected"), SENTENCES, ids=[case[0].__name__ for case in SENTENCES])
def test_sentences(say: Callable[[pd.DataFrame], str], metric: pd.DataFrame, expected: str) -> None:
    """A sentence is written by rule from its metric: the same figures, the same words."""
    assert say(metric) == expected
