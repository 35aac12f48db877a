"""What the exhibits of a simulation draw, write and say; not how they look."""

from __future__ import annotations

import pandas as pd
import pytest

from pmo_lib.figures import chance as figures, finance
from pmo_lib.metrics.chance import DRIVER_COLUMNS, LEVEL_COLUMNS, TASK_COLUMNS
from pmo_lib.sentences import chance as says, finance as finance_says
from pmo_lib.tables import chance as tables, finance as finance_tables


def levels(**whole: object) -> pd.DataFrame:
    """Return a portfolio of 2m with one project, and one project that has no forecast."""
    shares = {f"p{share}": 2_000_000.0 + 10_000 * (share - 50) for share in range(5, 100, 5)}
    common = {
        "currency": "GBP", "trials": 2_048, "seed": 1, "half_width": 5_000.0, "precision": 0.005, "converged": True,
        "reason": "", "budget_reason": "", "finish_reason": "by project", "joint_reason": "by project",
    }  # fmt: skip
    rows = [
        {"level": "portfolio", "project_id": "", "name": "Whole portfolio", "forecast": 1_900_000.0, "spent": 1.0,
         "budget": 2_100_000.0, "budgeted": 1, "sum_p80": 2_500_000.0, "p80_above": 400_000.0, "mean": 2_010_000.0,
         "chance_of_budget": 0.625, "risks": 3, "risks_left_out": 2, **shares, **common, **whole},
        {"level": "project", "project_id": "P", "name": "<b>Bridge</b>", "forecast": 1_900_000.0, "spent": 1.0,
         "chance_of_budget": 0.625, **shares, **common},
        {"level": "project", "project_id": "Q", "name": "Tunnel", **common, "reason": "no whole-life cost forecast"},
    ]  # fmt: skip
    table = pd.DataFrame(rows).reindex(columns=LEVEL_COLUMNS)
    days = ["finish_baseline_on", "finish_p50_on", "finish_p80_on"]
    return table.assign(**{name: pd.to_datetime(table[name]) for name in days})


def drivers() -> pd.DataFrame:
    """Return a threat, an opportunity, a project's time and a risk without a price."""
    rows = [
        {"driver": "risk", "kind": "threat", "risk_id": "R-1", "name": "Flood <i>", "moves_p80": 90_000.0},
        {"driver": "time", "kind": "time", "name": "Bridge", "moves_p80": 40_000.0},
        {"driver": "risk", "kind": "opportunity", "risk_id": "R-2", "name": "Grant", "moves_p80": -20_000.0},
        {"driver": "risk", "kind": "risk", "risk_id": "R-3", "name": "Strike", "reason": "no probability"},
    ]
    return pd.DataFrame(rows).assign(p80=2e6, trials=2_048, currency="GBP").reindex(columns=DRIVER_COLUMNS)


def tasks() -> pd.DataFrame:
    """Return one task that is always critical, one that is at times, one that never is."""
    rows = [
        ("P", "A", "Dig", 5.0, 6.0, 9.0, 1.0),
        ("P", "B", "Build", 5.0, 6.0, 9.0, 0.25),
        ("P", "C", "Plant", 1, 1, 2, 0.0),
    ]
    return pd.DataFrame(rows, columns=TASK_COLUMNS[:7]).reindex(columns=TASK_COLUMNS)


def test_the_curve_passes_through_the_percentiles() -> None:
    """The S-curve has a point for every percentile, three of them named; forecast, budget and sum of P80s too."""
    traces = {trace.name: trace for trace in figures.chance_curve(levels()).data}
    assert list(traces["cost at completion"].y) == list(range(5, 100, 5))
    assert traces["cost at completion"].x[15] == pytest.approx(2.3)
    assert list(traces["budget"].x) == [2.1, 2.1]
    assert list(traces["sum of the projects’ P80s"].x) == [2.5, 2.5]
    (points,) = [trace for trace in traces.values() if trace.mode == "markers+text"]
    assert [text.strip() for text in points.text] == ["P50 £2.00m", "P80 £2.30m", "P90 £2.40m"]


def test_a_budget_of_some_projects_is_no_mark_of_the_whole() -> None:
    """Where not all projects have a budget its sum is not drawn beside the cost of all."""
    names = [trace.name for trace in figures.chance_curve(levels(budgeted=0)).data]
    assert "budget" not in names
    assert "forecast" in names


def test_drivers_are_drawn_by_what_they_move() -> None:
    """Largest first, signed, escaped; a risk without a price has no bar."""
    figure = figures.drivers_bars(drivers())
    assert list(figure.data[0].x) == [90, 40, -20]
    assert [text.strip() for text in figure.data[1].text] == ["+90.00", "+40.00", "−20.00"]
    labels = [note.text for note in figure.layout.annotations]
    assert labels == ["R-1 Flood &lt;i&gt;", "Bridge: time", "R-2 Grant"]


def test_critical_tasks_are_drawn_by_how_often_they_are() -> None:
    """The most critical first; a task that never drives the finish has no bar, and the title counts all."""
    figure = figures.critical_bars(tasks())
    assert list(figure.data[0].x) == [100, 25]
    assert figure.layout.title.text.replace("<br>", " ") == "1 of 3 tasks to go drive the finish in every trial"


def test_the_fan_is_drawn_where_it_was_simulated() -> None:
    """The year's curve has the band between P50 and P80, its table both columns, its sentence both ends; else none."""
    phased = pd.DataFrame({
        "month": [f"2026-{n:02}" for n in range(1, 13)], "number": range(1, 13),
        "closed": [n < 7 for n in range(1, 13)],
        "plan": 1e6, "actual": 1e6, "outlook": 1e6, "not_phased": 0.0, "provisional": False, "currency": "GBP",
    })  # fmt: skip
    sums = phased[["plan", "actual", "outlook"]].cumsum().add_suffix("_cumulative")
    phased = phased.join(sums)
    fan = phased.assign(p50_cumulative=12.5e6, p80_cumulative=13e6, fan_trials=2_048)
    assert [trace.name for trace in finance.phased_curves(fan).data].count("P50 to P80") == 2
    assert "P50 to P80" not in [trace.name for trace in finance.phased_curves(phased).data]
    assert finance_tables.phased_table(fan).columns[-2:] == ("p50_cumulative", "p80_cumulative")
    assert "p80_cumulative" not in finance_tables.phased_table(phased).columns
    assert "(2,048 trials), P50 is £12.5m and P80 £13.0m" in finance_says.phased_sentence(fan)
    assert "Simulated" not in finance_says.phased_sentence(phased)


def test_the_sentence_tells_chance_error_and_what_is_left_out() -> None:
    """P50, P80, the chance, the sum that is no percentile, N, seed, interval, and what is not in it."""
    said = says.chance_sentence(levels())
    for words in ("P50 is £2.00m, P80 £2.30m", "£400.0k above the forecast", "62.5% of the trials",
                  "£2.50m, £200.0k more", "2,048 trials, seed 1: P80 is known to ±£5.00k (95 %), within 0.5%",
                  "1 project without a forecast", "the direct cost of 2 open risks without a price"):  # fmt: skip
        assert words in said
    assert "in no trial" in says.chance_sentence(levels(chance_of_budget=0.0))
    assert "which is not yet within 0.5%" in says.chance_sentence(levels(converged=False))


def test_the_sentences_of_drivers_and_tasks() -> None:
    """The largest are named with what they move; what has no price is counted; so is what is never critical."""
    assert says.drivers_sentence(drivers()) == (
        "The P80 of £2.00m is moved most by R-1 Flood <i> (+£90.0k); Bridge, time (+£40.0k); R-2 Grant (−£20.0k): each "
        "against the P80 without it, all else as it is. 1 open risk with neither price nor delay is in no figure."
    )
    assert says.drivers_sentence(drivers()[3:]).startswith("No driver is priced.")
    assert says.critical_sentence(tasks()).endswith("every trial, 1 in some: most often Build (25%).")
    assert says.critical_sentence(tasks()[:1]).endswith("no other ever does.")


def test_tables_escape_and_say_why_a_cell_is_empty() -> None:
    """Names are data; a project without a forecast shows the reason where its figures would be."""
    written = tables.chance_table(levels())
    assert "&lt;b&gt;Bridge" in written.html
    assert "no whole-life cost forecast" in written.html
    assert "no probability" in tables.drivers_table(drivers()).html
    assert tables.critical_table(tasks()).rows == 3
