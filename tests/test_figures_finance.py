"""What the financial outlook draws, writes and says, from hand-made metric tables with hostile names."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from histories import history
from test_metrics_cost import NOW, THEN, VIEW, at, compared, costs, state, underspent, year_rows
from test_metrics_outlook import entries, monthly, programme_tables, row, yearly

from pmo_lib.figures import finance as figures
from pmo_lib.metrics import cost
from pmo_lib.metrics.bridge import bridge_steps
from pmo_lib.metrics.fiscal import View
from pmo_lib.metrics.outlook import levels, phased, plan_bridge, run_rates
from pmo_lib.sentences import finance as says
from pmo_lib.tables import finance as tables

HOSTILE = "<b onclick='x'>A</b> & <script>alert(1)</script>"


def year(**changes: float) -> pd.DataFrame:
    """Return the levels of two projects, one in a programme with a budget of its own."""
    rows = [*monthly("A", **changes), *monthly("B", plan=20, actual=19), row("A", "accrual", 3)]
    return levels(entries(rows, **programme_tables()))


def curve() -> pd.DataFrame:
    """Return the year by month."""
    return phased(entries([*monthly("A"), *monthly("B"), row("A", "accrual", 3)]))


def annual() -> pd.DataFrame:
    """Return the levels of a portfolio with figures of the year only."""
    return levels(entries([yearly("A", "plan", 100), yearly("A", "forecast", 80), yearly("B", "plan", 30)]))


def causes() -> pd.DataFrame:
    """Return the steps of a whole-life bridge with every kind of cause."""
    then = [at("STAY", 100e6), at("GONE", 50e6), at("MUTE", 30e6), at("SHY", None), at("OUT", 8e6)]
    now = [at("STAY", 120e6), at("MUTE", None), at("SHY", 9e6), at("NEW", 40e6), at("OUT", 8e6, portfolio_id="RAIL")]
    return bridge_steps(costs(then, now))


def trend() -> pd.DataFrame:
    """Return two reports of disclosure."""
    rows = [{"period": p, "project_id": i, "whole_life_cost_baseline": 1.0 if i in who else None}
            for p, who in ((THEN, "ABCD"), (NOW, "A")) for i in "ABCD"]  # fmt: skip
    return cost.disclosure_trend(
        history("projects", rows), states=history("states", [state("B", "withheld")]), view=VIEW
    )


def late() -> pd.DataFrame:
    """Return underspends of every outcome."""
    ends = {
        "KEPT": (80, "2030-01-01", "2030-01-01"),
        "LATE": (70, "2030-01-01", "2031-01-01"),
        "LOST": (10, None, None),
    }
    return underspent(ends).reset_index()


def all_years() -> pd.DataFrame:
    """Return two fiscal years."""
    book, projects = year_rows({THEN: {"A": (100, 120)}, NOW: {"A": (100, 80), "B": (50, None)}})
    view = View("ROADS", NOW, None, 4)
    by_year = cost.by_year(book, projects=projects, states=history("states", []), view=view)
    return cost.years(by_year, projects=projects, view=view)


FIGURES = [
    (figures.levels_bars, year), (figures.levels_bars, annual), (figures.phased_curves, curve),
    (figures.years_bars, all_years), (figures.plan_waterfall, lambda: plan_bridge(year())),
    (figures.cause_waterfall, causes), (figures.runs_bars, lambda: compared({NOW: {"A": (100, 80), "B": (1, 1)}})),
    (figures.under_bars, late), (figures.trend_bars, trend),
]  # fmt: skip
WITH_NAMES = [
    (figures.levels_bars, year), (figures.plan_waterfall, lambda: plan_bridge(year())),
    (tables.levels_table, year), (tables.bridge_table, lambda: costs([at("A", 5)], [at("A", 6)])),
    (tables.in_year_table, lambda: compared({NOW: {"A": (100, 80)}}).reset_index()),
    (tables.under_table, late), (tables.steps_table, lambda: plan_bridge(year())),
]  # fmt: skip
TABLES = [
    (tables.levels_table, year), (tables.levels_table, annual), (tables.phased_table, curve),
    (tables.run_rates_table, lambda: run_rates(year(), phased=curve())), (tables.years_table, all_years),
    (tables.steps_table, causes), (tables.steps_table, lambda: plan_bridge(year())),
    (tables.bridge_table, lambda: costs([at("A", 5), at("B", None)], [at("A", None), at("C", 6)])),
    (tables.in_year_table, lambda: compared({NOW: {"A": (100, None), "B": (0, 5)}}).reset_index()),
    (tables.under_table, late), (tables.trend_table, trend),
]  # fmt: skip


def named(table: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Return a metric table whose projects all have this name."""
    column = "step" if "step" in table else "name"
    told = table["kind"].eq("project") if column == "step" else table[column].notna()
    return table.assign(**{column: table[column].mask(told, name)})


def words(figure: go.Figure) -> str:
    """Return every word that a figure shows."""
    texts = [str(figure.layout.title.text), *(str(note.text) for note in figure.layout.annotations)]
    for trace in figure.data:
        texts += [str(text) for text in (trace.text if trace.text is not None else ())]
    return " | ".join(texts)


# --- figures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("draw", "metric"), FIGURES)
def test_figures_are_plain_and_tall_enough(draw: Any, metric: Any) -> None:
    """A figure is bars and lines, says what it shows, names its axes, and is as tall as its rows need."""
    figure = draw(metric())
    assert {trace.type for trace in figure.data} <= {"bar", "scatter"}
    assert figure.layout.title.text
    assert figure.layout.height > 120
    axes = [axis for axis in figure.select_xaxes() if axis.type != "category"]
    assert all(axis.title.text for axis in axes)
    assert "nan" not in words(figure).lower()


@pytest.mark.parametrize(("write", "metric"), WITH_NAMES)
def test_names_cannot_become_markup(write: Any, metric: Any) -> None:
    """A project's name with tags in it is shown as text, in figures and in tables."""
    made = write(named(metric(), name=HOSTILE))
    text = made.html if hasattr(made, "html") else words(made)
    assert "<script" not in text
    assert "<b onclick" not in text
    assert "&lt;script" in text.replace("<br>", " ").replace("&lt; script", "&lt;script")


def test_a_waterfall_ends_where_its_steps_lead() -> None:
    """Each bar begins where the one before it ended; the last one is the whole change, and zero is the first total."""
    steps = causes()
    bars = figures.cause_waterfall(steps).data[0]
    moved = steps[steps["kind"].eq("cause") & steps["amount"].ne(0)]["amount"]
    bases, widths = list(bars.base), list(bars.x)
    assert (bases[0], widths[0]) == (0, 0)
    for before, base in zip(range(len(moved)), bases[1:-1], strict=True):
        assert base == pytest.approx(bases[before] + widths[before])
    assert bases[-1] == 0
    assert widths[-1] == pytest.approx(bases[-2] + widths[-2])
    change = (steps["amount"].iloc[-1] - steps["amount"].iloc[0]) / 1e6
    assert widths[-1] == pytest.approx(change)


def test_only_a_change_of_cost_is_red_or_green() -> None:
    """What left, joined, moved or fell silent is neither good nor bad; only re-basing has a colour of its own."""
    bars = figures.cause_waterfall(causes()).data[0]
    names = [note.text.partition(" (")[0] for note in figures.cause_waterfall(causes()).layout.annotations]
    looks = dict(zip(names, bars.marker.color, strict=True))
    assert looks["re-based"] == figures.RISE
    assert looks["left"] == looks["joined"] == looks["moved out"] == figures.HOLD
    assert looks["no figure given"] == looks["newly published"]


def test_equal_names_stay_two_rows() -> None:
    """Two projects of one name have two bars."""
    figure = figures.plan_waterfall(named(plan_bridge(year()), name="Bridge"))
    assert len(figure.layout.annotations) == len(plan_bridge(year())) == len(set(figure.data[0].y))


def test_a_bar_beyond_the_scale_ends_at_it_and_says_its_share() -> None:
    """An outlook of many times the budget ends at the scale's end, spent and forecast together, and is written out."""
    figure = figures.levels_bars(levels(entries([*monthly("A", plan=1, actual=11), *monthly("B")])))
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert max(sum(float(trace.x[place]) for trace in bars) for place in range(len(bars[0].x))) <= figures.LONGEST
    assert "1,000%" in words(figure)


def test_nothing_comparable_is_said_in_the_title() -> None:
    """Where no project has both figures the chart is empty and its title says so."""
    figure = figures.levels_bars(levels(entries([yearly("A", "plan", 100)])))
    assert figure.layout.title.text.startswith("No budget above 0")


# --- tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("write", "metric"), TABLES)
def test_every_null_has_words(write: Any, metric: Any) -> None:
    """A cell without a value says why; none is empty, nan or None."""
    html = write(metric()).html
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", html, flags=re.DOTALL)
    plain = [re.sub(r"<[^>]*>", "", cell).strip().lower() for cell in cells]
    assert not {"nan", "none", "<na>", "nat"} & set(plain)
    assert plain


def test_levels_table_prints_its_sign_rule_and_reasons() -> None:
    """The table says which sign is under budget, and why there are no actuals."""
    html = tables.levels_table(annual()).html
    assert "+ is under budget" in html
    assert "figures of the year only" in html
    assert "1 of 2" in html


def test_bridge_table_tells_moves_apart() -> None:
    """Of a project that moved in, what changed since the move stands in its own column; others have a dash."""
    html = tables.bridge_table(costs([at("P", 100, portfolio_id="RAIL"), at("Q", 5)], [at("P", 130), at("Q", 6)])).html
    assert "of it since the move" in html
    assert "elsewhere" in html
    assert "RAIL" in html
    assert "since the move" not in tables.bridge_table(costs([at("Q", 5)], [at("Q", 6)])).html


# --- sentences ------------------------------------------------------------------------------------------------


def test_levels_sentence() -> None:
    """It says the outlook, the side of the budget, what is covered, how far actuals go, and that levels reconcile."""
    assert says.levels_sentence(year()) == (
        "Outlook for 2026/27: £291, £69 under budget. The variance covers all 2 projects that returned finance; "
        "left out: £50 of budget without an outlook. Actuals to Sep 2026. The levels reconcile to the penny: "
        "the portfolio is the sum of its programmes and of its projects."
    )
    assert says.levels_sentence(annual()) == (
        "Outlook for 2026/27: £80, £20 under plan (no budget was returned). The variance covers 1 of 2 projects that "
        "returned finance; left out: £30 of budget without an outlook. The returns have figures of the year only "
        "and no actuals: the outlook is their forecast of the year. The levels reconcile to the penny: the portfolio "
        "is the sum of its projects."
    )


def test_an_overspend_is_called_one() -> None:
    """A negative variance is over budget, and an open month is provisional."""
    over = says.levels_sentence(year(forecast=90))
    assert "over budget" in over
    open_month = levels(entries(monthly("A", closed=5)))
    assert "Actuals to Aug 2026; provisional: the last month is not closed." in says.levels_sentence(open_month)


def test_phased_and_run_rate_sentences() -> None:
    """They compare what was spent with the plan to date, and the rate so far with what the budget leaves."""
    assert says.phased_sentence(curve()) == (
        "To Sep 2026 £135 was spent, accruals included, £15 above the plan to date; the outlook for the year is £243."
    )
    rates = run_rates(year(), phased=curve())
    assert says.run_rates_sentence(rates) == (
        "Spending runs at £30 a month, which makes £366 in a year; the budget leaves £38 for each month to come."
    )
    nothing = entries(monthly("A", closed=0))
    assert says.phased_sentence(phased(nothing)).startswith("No month of the year has actuals yet;")
    assert says.run_rates_sentence(run_rates(levels(nothing), phased=phased(nothing))) == (
        "No run-rate: no month of the year is closed."
    )


def test_bridge_sentences() -> None:
    """They name the causes with amount and number, and call only re-basing a change of cost."""
    assert says.causes_sentence(causes()) == (
        "From £188.0m (4 projects with a figure) to £169.0m (3): left −£50.0m (1), moved out −£8.00m (1), have no "
        "single figure any more −£30.0m (1), re-based +£20.0m (1), newly published +£9.00m (1), joined +£40.0m (1). "
        "Only re-based is a change of cost like for like: +£20.0m."
    )
    steps = plan_bridge(levels(entries([*monthly("A"), *monthly("B", forecast=20)])))
    assert says.plan_bridge_sentence(steps) == (
        "The outlook is £66 above the plan of the 2 rows with both; the largest steps are B +£66. "
        "The steps sum to the penny."
    )
    rows = costs([at("A", 5e6), at("B", 1e6)], [at("A", 9e6), at("B", 0.5e6)])
    assert says.whole_life_sentence(rows) == (
        "Compared is the baseline (approved) whole-life cost; price base: not stated by the source. "
        "Of 2 re-based projects 1 went up; the largest is A (+£4.00m)."
    )


def test_year_sentences() -> None:
    """They count projects below plan, runs of four years, kept end dates and single published costs."""
    assert says.years_sentence(all_years()) == (
        "In 2024/25 the outlook of £80 is £20 below the plan (−20.0%), over 1 of 2 projects; "
        "spending was below plan in 1 of 2 years."
    )
    low = {period: {"A": (100.0, 80.0), "B": (1.0, 1.0)} for period in ("2022-03", "2023-03", "2024-03", "2025-03")}
    assert says.in_year_sentence(compared(low)) == (
        "1 of 2 projects with both figures below plan, 0 above; of 2 known for 4 years running, 1 was below by more "
        "than the tolerance in all."
    )
    assert says.under_sentence(late()) == (
        "3 large underspends in the years reported; of 2 with end dates to compare, 1 kept or advanced the date: "
        "less was spent than planned, and the same end or an earlier one is promised."
    )
    assert says.trend_sentence(trend()) == (
        "1 of 4 projects (25%) have a single published whole-life cost, down from 100% in Mar 2024."
    )
