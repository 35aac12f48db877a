"""What earned value draws, writes and says, from hand-made positions with hostile names."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import pytest
from test_metrics_backtest import bands_of, horizons, outlook_rows
from test_metrics_progress import PLAN, PROGRAMMES, measured, projects_of, rows_of

from pmo_lib.figures import earned_value as figures
from pmo_lib.metrics import earned
from pmo_lib.metrics.reference_classes import OutsideView
from pmo_lib.parameters.models import EarnedValueRules, ReferenceRules
from pmo_lib.sentences import earned_value as says
from pmo_lib.tables import earned_value as tables

HOSTILE = "<b onclick='x'>A</b> & <script>alert(1)</script>"


def units(*, ev: float = 20.0, name: str = "Bridge") -> pd.DataFrame:
    """Return the levels of a project with figures and one without."""
    found = measured(rows_of("A", plan=PLAN, ev=[8, ev], ac=[9, 25]), period="2025-02")
    return earned.units(found, projects=projects_of("A", "B", name=name), programmes=PROGRAMMES)


def months() -> pd.DataFrame:
    """Return the months of a project that is re-baselined in the second."""
    rows = [*rows_of("A", plan=PLAN, ev=[8], ac=[9]), *rows_of("A", plan=[8, 30, 100], ev=[], ac=[], version="2")]
    rows[-2] |= {"earned_value": 20.0, "actual_cost": 25.0}
    return earned.months(measured(rows, period="2025-02"), projects=projects_of("A"))


def bands() -> pd.DataFrame:
    """Return the errors on the published project; nobody else's history is long enough."""
    return bands_of(["V"])


def past() -> pd.DataFrame:
    """Return the accuracy of past outlooks."""
    return horizons(outlook_rows("A", said=120.0, spent=100.0))


def classes(*rows: tuple[str, str, str, float, float], finished: int = 3, **shares: float) -> pd.DataFrame:
    """Return an outside view: rows of project, measure, standing, estimate and outcome, and so many finished ones."""
    closed = [(f"F{n}", "cost", "finished", 100.0, 100.0 + n) for n in range(1, finished + 1)]
    columns = ["project_id", "measure", "standing", "estimate", "outcome"]
    known = pd.DataFrame([*closed, *rows], columns=columns).assign(reason="", source_ref="row", name=HOSTILE)
    known = known.assign(
        finished=known["standing"].eq("finished"), growth=known["outcome"] / known["estimate"] - 1,
        currency=known["measure"].map({"cost": "GBP"}),
    )  # fmt: skip
    return OutsideView(known, rules=ReferenceRules(classes=shares)).classes


RUNNING = ("A", "cost", "running", 200.0, 250.0)


FIGURES = [
    (figures.class_dots, lambda: classes(RUNNING, roads=1.0)), (figures.class_dots, lambda: classes(finished=1)),
    (figures.class_dots, lambda: classes(RUNNING, finished=20)),
    (figures.months_curves, months), (figures.cost_ranges, units), (figures.finish_ranges, units),
    (figures.cost_ranges, lambda: units(ev=0.0)), (figures.finish_ranges, lambda: units(ev=0.0)),
    (figures.finish_ranges, lambda: units(ev=100.0)), (figures.backtest_errors, bands), (figures.horizon_bars, past),
]  # fmt: skip
TABLES = [
    (tables.class_table, lambda: classes(RUNNING, roads=1.0)), (tables.class_table, lambda: classes(finished=1)),
    (tables.months_table, months), (tables.cost_table, units), (tables.time_table, units),
    (tables.cost_table, lambda: units(ev=120.0)), (tables.time_table, lambda: units(ev=0.0)),
    (tables.bands_table, bands), (tables.past_table, past),
]  # fmt: skip


@pytest.mark.parametrize(("draw", "metric"), FIGURES)
def test_a_figure_says_what_it_shows(draw, metric) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Every figure has a title, a height for its rows, traces with names, and units on its axes."""
    figure = draw(metric())
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text
    assert figure.layout.height > 100
    assert figure.layout.xaxis.title.text or figure.layout.yaxis.title.text
    assert {trace.type for trace in figure.data} <= {"scatter", "bar"}


@pytest.mark.parametrize(("write", "metric"), TABLES)
def test_a_null_always_has_words(write, metric) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """No cell of a table shows a null as it is stored."""
    html = write(metric()).html
    assert ">nan<" not in html.lower()
    assert ">nat<" not in html.lower()
    assert ">None<" not in html


@pytest.mark.parametrize("show", [figures.cost_ranges, figures.finish_ranges, tables.cost_table, tables.time_table])
def test_names_from_data_run_nothing(show) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """A hostile project name is text in figures and tables."""
    shown = show(units(name=HOSTILE))
    text = shown.to_json() if isinstance(shown, go.Figure) else shown.html
    assert "<script>" not in text.replace("\\u003c", "<")
    assert "<b onclick" not in text.replace("\\u003c", "<")


def test_earned_schedule_stands_on_the_curve() -> None:
    """The marker runs from today, at the height of what is earned, back to the day on which that was planned."""
    table = months()
    marker = next(trace for trace in figures.months_curves(table).data if trace.name == "earned schedule")
    assert [pd.Timestamp(x) for x in marker.x] == [table["earned_on"].iloc[0], table["status_on"].iloc[0]]
    assert list(marker.y) == [20.0, 20.0]


def test_a_rebaseline_is_marked() -> None:
    """The month of a re-baseline has a mark, and the sentence says that indices across it are not comparable."""
    table = months()
    assert any(trace.name == "re-baselined" for trace in figures.months_curves(table).data)
    assert "1 re-baseline lies on the way" in says.months_sentence(table)


def test_sentences_of_one_project_by_hand() -> None:
    """Sentences say what is earned and spent, how late that is, how far estimates reach, and who is in no sum."""
    table = units()
    cost, time = says.cost_sentence(table), says.time_sentence(table)
    assert cost.startswith("The estimates at completion reach from £105 to £175, for a budget of £100.")
    assert "1 of 1 project has a CPI below 1." in cost
    assert "In no sum: Bridge (no earned value returned)." in cost
    assert time.startswith("At the pace so far the last of the work finishes on 10 Jun 2025; planned is 30 Apr 2025.")
    assert "critical path" in time


def test_the_sentence_of_the_back_test_says_borrowed() -> None:
    """With one finished project the sentence names the borrowed rule, its source, and what was nearest so far."""
    said = says.bands_sentence(bands())
    assert "Tested on 1 finished project." in said
    assert "Cost: fewer than 10 finished projects, so BAC ÷ CPI is borrowed (Christensen and Heise 1993" in said
    assert "So far AC + (BAC − EV) was nearest (mean error 1.3%)." in said
    own = says.bands_sentence(bands_of(["V"], rules=EarnedValueRules(backtest_projects=1)))
    assert "Cost: our own history speaks for AC + (BAC − EV) at 10–30% complete" in own
    assert "borrowed" not in own


def test_the_sentence_of_a_class_says_whose_it_is() -> None:
    """Our own from twenty on, else borrowed by name, else none with the reason; running projects stand beside it."""
    own = says.class_sentence(classes(RUNNING, finished=20))
    assert own.startswith(
        "Cost: of 20 finished projects of our own P50 is +11%, P80 +17%; the forecasts of 1 running project have +25% "
        "so far (median). Their first estimates of £200 would become £234, their forecasts say £250."
    )
    assert "Duration: no class to hold estimates against (no finished project" in own
    lent = says.class_sentence(classes(RUNNING, roads=1.0))
    assert "Cost: borrowed upper bound +44% (roads; 3 of our own are finished, 20 are needed);" in lent
    assert "would become £288" in lent
    none = says.class_sentence(classes(("A", "cost", "running", 200.0, 190.0), finished=0))
    assert none == (
        "No class to hold estimates against: no finished project has both an estimate and an outcome; no published "
        "class is named. Cost: the forecasts of 1 running project have −5% so far (median)."
    )


def test_the_sentence_of_past_outlooks_by_hand() -> None:
    """An outlook of 120 for an out-turn of 100 was 20 % off and too high."""
    said = says.past_sentence(past())
    assert said.startswith("Over 1 finished year: 2 months ahead outlooks were 20.0% off; the total was too high")
