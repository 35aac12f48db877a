"""What the health check shows: figures, tables and sentences say what the metric says, whole, escaped, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache

import pandas as pd
import plotly.graph_objects as go
import pytest
from drawings import texts
from histories import current, history

from pmo_lib.figures import health as charts, schedule as plots
from pmo_lib.figures.labels import NAME_WIDTH, Rows, framed, wrapped
from pmo_lib.metrics import baselines, cohorts, disclosure, health, milestones, plans, ratings, schedule, track_record
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.models import Organisation, Thresholds
from pmo_lib.sentences import health as words, schedule as notes
from pmo_lib.tables import health as tables, schedule as lists
from pmo_lib.tables.html import HtmlTable

NOW, THEN, FIRST = "2025-03", "2024-03", "2023-03"
LAST = Between("ROADS", NOW, THEN)
HOSTILE = 'Mill <b>bridge</b> & "<script>alert(1)</script>" with a name far longer than a narrow screen is wide'
NAMES = {"A": HOSTILE, "B": "Bypass", "C": "Crossing", "D": "Depot"}
LIMITS = Thresholds()

# A small portfolio in which everything that the health check shows happens once.
RATED = [
    ("A", THEN, "green", "SRO", "three-point"), ("A", NOW, "red", "SRO", "three-point"),
    ("B", THEN, "red", "SRO", "three-point"), ("B", NOW, "amber", "SRO", "three-point"),
    ("C", THEN, "amber", "IPA", "five-point"), ("C", NOW, "amber", "IPA", "three-point"),
    ("D", THEN, "green", "IPA", "three-point"), ("D", NOW, None, "IPA", "three-point"),
]  # fmt: skip
STATUS = history(
    "status",
    [
        dict(zip(("project_id", "period", "rating", "assessor_role", "rating_scale"), row, strict=True))
        | {"submitted_on": "2025-04-07" if row[0] == "A" else None}
        for row in RATED
    ],
)
FINISHES = {
    "A": ("2026-01-01", "2027-06-30"),
    "B": ("2026-01-01", "2025-12-01"),
    "C": ("2024-06-30", None),
    "D": (None, None),
}
PROJECTS = history(
    "projects",
    [
        {"project_id": key, "period": period, "name": NAMES[key], "finish_baseline_on": day, "finish_forecast_on": day}
        | {"whole_life_cost_baseline": 1e6, "whole_life_cost_forecast": 1.2e6}
        for key, days in FINISHES.items()
        for period, day in zip((THEN, NOW), days, strict=True)
    ],
)
STATES = history(
    "states",
    [
        {"period": NOW, "table_name": table, "row_key": key, "column_name": column}
        | {"state": "withheld", "reason": "<i>Section 43</i>"}
        for table, key, column in (
            ("status", "D|2025-03-31|IPA", "rating"),
            ("projects", "C", "finish_baseline_on"),
        )
    ],
)
POINTS = history(
    "milestones",
    [
        {"period": period, "project_id": "A", "milestone_id": f"M{place}", "name": f"Gate {place}: {HOSTILE}"}
        | {"baseline_on": "2025-05-01", "forecast_on": day, "critical": True}
        for place, days in enumerate((("2024-06-01", "2025-04-10"), ("2024-07-01", "2025-09-01")), start=1)
        for period, day in zip((THEN, NOW), days, strict=True)
    ],
)
DECISIONS = history(
    "decisions",
    [
        {
            "period": NOW,
            "decision_id": "D1",
            "project_id": "A",
            "ask": "Go <on>?",
            "amount": 2.5e6,
            "due_on": "2025-03-01",
        },
        {"period": NOW, "decision_id": "D2", "ask": "Wait?"},
    ],
)
BASELINES = current(
    "baselines",
    [
        {"project_id": "A", "version": version, "approved_on": day, "finish_on": finish, "budget": budget}
        for version, day, finish, budget in (
            ("1", "2020-01-01", "2025-01-01", 0.8e6),
            ("2", "2025-02-01", "2026-01-01", 1e6),
        )
    ],
)
TASKS = current(
    "tasks",
    [
        {"project_id": "A", "task_id": task, "name": HOSTILE, "duration_days": days, "cost": 1.0}
        | {"start_forecast_on": "2025-04-01", "finish_forecast_on": finish}
        for task, days, finish in (("M2", 5.0, "2025-04-07"), ("T2", 3.0, "2025-04-09"), ("T3", 20.0, None))
    ],
)
LINKS = current("links", [{"project_id": "A", "predecessor_id": "M2", "successor_id": "T2", "type": "fs"}])
NEEDS = current(
    "dependencies",
    [
        {"dependency_id": key, "provider_project_id": giver, "recipient_project_id": taker, "item": f"{key} <b>"}
        | {"needed_on": needed, "promised_on": promised, "agreed_by_provider": True, "agreed_by_recipient": key == "1"}
        for key, giver, taker, needed, promised in (
            ("1", "B", "A", "2025-05-01", "2025-05-31"), ("2", "A", "C", "2025-06-01", "2025-05-22"),
            ("3", "D", "C", None, "2025-05-22"),
        )
    ],
)  # fmt: skip


@cache
def metric(name: str) -> pd.DataFrame:
    """Return one metric table of the small portfolio, as the notebook computes it."""
    now = {"projects": PROJECTS, "between": LAST}
    compared = ratings.comparisons(STATUS, states=STATES, year_ago=None, **now)
    rated = ratings.ratings(STATUS, states=STATES, **now)
    moved = schedule.finishes(PROJECTS, status=STATUS, states=STATES, column="finish_baseline_on", between=LAST)
    judged = schedule.promises(PROJECTS, milestones=POINTS, status=STATUS, column="finish_forecast_on", between=LAST)
    slips = milestones.slips(POINTS, limits=LIMITS, **now)
    tracked = cohorts.tracks(PROJECTS, status=STATUS, column="finish_baseline_on", between=LAST)
    given = {"tasks": TASKS, "links": LINKS, "calendars": current("calendars", []), "dependencies": NEEDS}
    plan = plans.Plans(given | {"status": STATUS}, milestones=POINTS, settings=Organisation(id="o", name="O"), **now)
    told = {"milestones": POINTS, "status": STATUS, "settings": Organisation(id="o", name="O")}
    record = track_record.Record(**told, **now)
    made: dict[str, Callable[[], pd.DataFrame]] = {
        "beside": lambda: record.beside,
        "path": lambda: plan.critical,
        "tests": lambda: plan.tests,
        "needs": lambda: plan.needs,
        "decisions": lambda: health.decisions_sought(DECISIONS, **now),
        "changes": lambda: health.changes(
            {"ratings": rated, "computed ratings": rated.iloc[:0]}, finishes=moved, past=record.past, **now
        ),
        "movers": lambda: ratings.movers(compared),
        "flows": lambda: ratings.flows(compared),
        "incomparable": lambda: ratings.incomparable(compared),
        "counts": lambda: ratings.counts(STATUS, states=STATES, between=LAST),
        "kept": lambda: schedule.kept(judged),
        "broken": lambda: schedule.broken(judged),
        "variance": lambda: baselines.variance(BASELINES, projects=PROJECTS[PROJECTS["period"] == NOW]),
        "rebaselines": lambda: baselines.rebaselines(BASELINES, projects=PROJECTS, status=STATUS, limits=LIMITS),
        "spread": lambda: schedule.spread(moved),
        "finishes": lambda: moved,
        "due": lambda: milestones.due(slips),
        "trend": lambda: milestones.trend(POINTS, slipped=slips),
        "slipping": lambda: plan.slipping,
        "drift": lambda: disclosure.drift(STATES, **now),
        "cohorts": lambda: cohorts.trend(tracked),
        "stages": lambda: cohorts.slips_by_stage(tracked, least_reports=2),
        "rules": lambda: health.rules(Organisation(id="o", name="O")),
    }
    return made[name]()


FIGURES = {
    "movers": charts.movers_dots,
    "flows": charts.flows_heatmap,
    "counts": charts.counts_bars,
    "kept": charts.kept_bars,
    "drift": charts.drift_heatmap,
    "variance": plots.variance_ranges,
    "spread": plots.spread_bars,
    "finishes": plots.finishes_bars,
    "trend": plots.trend_lines,
    "cohorts": plots.cohort_lines,
    "stages": plots.stages_ranges,
    "path": plots.path_ranges,
    "tests": plots.tests_heatmap,
    "needs": plots.needs_bars,
}
TABLES = {
    "decisions": tables.decisions_table, "changes": tables.changes_table, "movers": tables.movers_table,
    "flows": tables.flows_table, "incomparable": tables.incomparable_table,
    "counts": tables.counts_table, "rules": tables.rules_table,
    "finishes": lists.finishes_table, "spread": lists.spread_table, "kept": lists.kept_table,
    "broken": lists.broken_table, "beside": lists.beside_table,
    "variance": lists.variance_table, "rebaselines": lists.rebaselines_table,
    "due": lists.due_table, "slipping": lists.slipping_table, "trend": lists.trend_table,
    "cohorts": lists.cohorts_table, "stages": lists.stages_table,
    "path": lists.path_table, "tests": lists.tests_table, "needs": lists.needs_table,
}  # fmt: skip
SENTENCES = {
    "decisions": "2 decisions sought, for £2.50m in all (1 without an amount); 1 past the deadline, first: "
    "Go <on>? (%s).",
    "changes": "Since Mar 2024, of 2 comparable ratings 1 got worse (%s (SRO: green to red)) "
    "and 1 better (Bypass (SRO: red to amber)). "
    "Of 2 comparable finish dates 1 moved later (%s (545 days)) and 1 earlier (Bypass (31 days)). "
    "The same projects are in both reports. Of 2 promises of all reports that came due, 0 came true (0%%).",
    "movers": "Since Mar 2024 1 worse and 1 better, by the same rater on the same scale.",
    "flows": "SRO: 0 of 2 the same since Mar 2024 (0%%).",
    "incomparable": "2 ratings cannot be compared: now withheld (1), scale changed (1).",
    "counts": "In Mar 2025 IPA: 0%% green, 0%% red (n = 1); SRO: 0%% green, 50%% red (n = 2). "
    "The scale of IPA changed on the way: rows on different scales are not one trend.",
    "kept": "Milestones due by Mar 2025: 2 moved later. Finish dates of projects due by Mar 2025: 1 no date any more.",
    "broken": "3 promises not met by the day; furthest off: Gate 2: %s of %s, 427 days.",
    "beside": "Past promises by kind. Finish date: too few that came due to say (n = 0); milestone: too few that came "
    "due to say (n = 2); whole-life cost: too few that came due to say (n = 0).",
    "variance": "Of 1 project 1 later than the original finish, 1 than the current one; 3 projects without a baseline.",
    "rebaselines": "1 re-baseline of 1 project; 1 to look at, 1 within one period of a breach.",
    "trend": "Of 1 milestone followed 1 stands later than first reported; furthest %s: Gate 2: %s: 427 days, from "
    "1 Jul 2024 to 1 Sep 2025.",
    "spread": "Of 4 projects 0 (0%%) kept the date; for 2 no movement can be computed.",
    "finishes": "The approved finish moved later since Mar 2024 in 1 of 2 projects that can be compared, "
    "by a median of 545 days; earlier in 1.",
    "cohorts": "Of the 3 projects first reported in 2024, half moved the approved finish by 0 days or more, and a "
    "fifth by +545 or more. 3 projects in 1 cohort are followed and none is ever dropped; for 1 the last known date "
    "is carried along.",
    "stages": "2 projects: P50 +545 days, P80 +545 days so far; 1 is later. No stage was returned, so all are one "
    "class. 2 projects cannot be followed yet. Too few for a class of their own: stage not stated.",
    "due": "1 milestone due soon, 0 overdue by their own forecast; next: Gate 1: %s of %s on 10 Apr 2025.",
    "path": "%s ends on 28 Apr 2025 by its network, 19 days after its forecast; 1 of 3 open tasks critical.",
    "tests": "%s does not meet 1 of 14 tests (Logic); 3 could not be made.",
    "needs": "3 open dependencies: 1 promised too late, 1 agreed by both sides. The latest, 1 <b> for %s, delays it by "
    "30 days and waits on Bypass.",
    "slipping": "0 missed and 1 at risk; the largest slip is 123 days (Gate 2: %s of %s). "
    "Receding as fast as time passes, or faster: 1.",
}
SAYING = {name: getattr(words, f"{name}_sentence", None) or getattr(notes, f"{name}_sentence") for name in SENTENCES}


def drawn(name: str) -> go.Figure:
    """Return the figure of a metric."""
    figure: go.Figure = FIGURES[name](metric(name))
    return figure


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_titled_and_as_high_as_its_rows(name: str) -> None:
    """A figure has a title, a height of its own and only traces of the four kinds that the page can draw."""
    document = json.loads(drawn(name).to_json())
    assert document["layout"]["title"]["text"]
    assert document["layout"]["height"] > 100
    assert {trace["type"] for trace in document["data"]} <= {"bar", "scatter", "heatmap", "waterfall"}


@pytest.mark.parametrize("name", FIGURES)
def test_data_cannot_become_markup_in_a_figure(name: str) -> None:
    """Plotly reads some tags in texts: those that stand in data are escaped, so that they are shown and not obeyed."""
    layout = json.loads(drawn(name).to_json())
    layout["layout"].pop("template")
    for text in texts(layout):
        assert not re.search(r"<(?!br>|extra></extra>|/extra>)", text), text


@pytest.mark.parametrize("name", ["movers", "finishes", "variance", "trend"])
def test_a_long_name_is_wrapped_and_never_cut(name: str) -> None:
    """A name stands whole in the figure, in lines that fit a narrow screen."""
    whole = "".join(texts(json.loads(drawn(name).to_json()))).replace("<br>", " ")
    assert "longer than a narrow screen is wide" in re.sub(r"\s+", " ", whole)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_every_row_and_escapes_data(name: str) -> None:
    """A table has the rows of its metric, a heading for each column, and no markup from data."""
    shown: HtmlTable = TABLES[name](metric(name))
    rows = metric(name)
    expected = int(rows["projects"].gt(0).sum()) if name == "flows" else len(rows)
    assert shown.rows == expected > 0
    assert shown.html.count("<tr>") == expected + 1
    assert not re.search(r"<(script|b|i|on|date)>", shown.html)


@pytest.mark.parametrize("name", TABLES)
def test_no_cell_is_empty_without_words(name: str) -> None:
    """Every null has its reason, or says that it is not given: no cell is blank where a number could stand."""
    shown: HtmlTable = TABLES[name](metric(name))
    assert '<td class="num"></td>' not in shown.html
    assert not re.search(r">(nan|NaN|NaT|None|&lt;NA&gt;)<", shown.html)


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_says_what_the_metric_says(name: str) -> None:
    """A sentence is written by rule: the same figures give the same words."""
    expected = SENTENCES[name]
    found = SAYING[name](metric(name))
    assert found == expected % ((HOSTILE,) * expected.count("%s"))


def test_every_sentence_has_its_case() -> None:
    """No sentence of the health check goes unread by these tests."""
    written = {name for module in (words, notes) for name in vars(module) if name.endswith("_sentence")}
    assert written == {f"{name}_sentence" for name in SENTENCES}


def test_every_figure_and_table_has_its_case() -> None:
    """No figure or table of the health check goes unseen by these tests."""
    shapes = {
        name
        for module in (charts, plots)
        for name in vars(module)
        if re.search(r"^[a-z]\w*_(dots|heatmap|bars|ranges|lines)$", name)
    }
    assert {function.__name__ for function in FIGURES.values()} == shapes
    written = {name for module in (tables, lists) for name in vars(module) if name.endswith("_table")} - {"html_table"}
    assert {function.__name__ for function in TABLES.values()} == written


def test_scales_and_raters_have_rows_of_their_own() -> None:
    """In the history of ratings a rater on another scale is another row, and the withheld part is hatched."""
    figure = drawn("counts")
    named = [note["text"] for note in figure.to_plotly_json()["layout"]["annotations"]]
    assert named == [
        "IPA, Mar 2024, five-point", "IPA, Mar 2024, three-point", "IPA, Mar 2025, three-point",
        "SRO, Mar 2024, three-point", "SRO, Mar 2025, three-point",
    ]  # fmt: skip
    hatched = [trace.name for trace in figure.data if trace.marker.pattern.shape == "/"]
    assert hatched == ["withheld"]


def test_bars_add_up_to_the_metric() -> None:
    """The segments of a stacked bar are the counts of its metric, none lost between the traces."""
    for name, column in (("counts", "projects"), ("kept", "promises"), ("spread", "projects")):
        assert sum(sum(trace.x) for trace in drawn(name).data) == metric(name)[column].sum()


def test_the_heat_map_shows_direction_and_count() -> None:
    """Towards red is on the warm side of the scale, towards green on the other; what did not occur is blank."""
    square = drawn("flows").data[0]
    cells = {
        (was, now): (text, depth)
        for was, texts_of, depths in zip(square.y, square.text, square.z, strict=True)
        for now, text, depth in zip(square.x, texts_of, depths, strict=True)
    }
    assert cells["green", "red"][0] == "1"
    assert cells["green", "red"][1] > 0 > cells["red", "amber"][1]
    assert cells["green", "green"][0] == ""
    assert pd.isna(cells["green", "green"][1])


def test_movements_stand_at_their_days() -> None:
    """A bar is as long as the movement, later to the right, and carries its number."""
    bars = drawn("finishes").data[0]
    assert list(bars.x) == [545.0, -31.0]
    assert list(bars.text) == ["+545", "−31"]


def test_a_portfolio_in_which_nothing_moved_is_drawn_at_zero() -> None:
    """Where no date moved the figure shows those that stood still, and is not empty."""
    still = metric("finishes").assign(moved_days=pd.array([0, 0, pd.NA, pd.NA], dtype="Int64"))
    bars = plots.finishes_bars(still).data[0]
    assert list(bars.text) == ["0", "0", "not comparable", "not comparable"]


def test_only_the_first_forty_are_drawn_and_said_to_be() -> None:
    """A large portfolio is drawn as far as a reader can follow, and the title says so; the table has all."""
    one = metric("finishes").head(1)
    many = pd.concat([one] * 45, ignore_index=True)
    figure = plots.finishes_bars(many)
    assert len(figure.data[0].x) == 40
    assert "the first 40" in figure.layout.title.text.replace("<br>", " ")
    assert lists.finishes_table(many).rows == 45
    movers = pd.concat([metric("movers").head(1)] * 45, ignore_index=True)
    assert "the first 40 of 45" in charts.movers_dots(movers).layout.title.text.replace("<br>", " ")


def test_without_any_met_promise_none_is_claimed() -> None:
    """Where no actual date is known the title does not count promises as broken by everyone."""
    assert "none is reported as met" in drawn("kept").layout.title.text.replace("<br>", " ")


def test_mixed_currencies_are_shown_and_not_added() -> None:
    """Decisions in two currencies keep both: each amount in its own, and a sum for each in the sentence."""
    mixed = metric("decisions").assign(currency=["GBP", "USD"], amount=[2e6, 3e6])
    html = tables.decisions_table(mixed).html
    assert [amount in html for amount in ("£2.00m", "$3.00m")] == [True, True]
    assert "£2.00m, $3.00m" in words.decisions_sentence(mixed)


def test_labels_fit_their_rows() -> None:
    """A row is as high as the longest name needs, marks lie inside their row, and each name above its mark."""
    rows = Rows.of(["Short", HOSTILE])
    assert max(len(line) for line in wrapped("word " * 40).split("<br>")) <= NAME_WIDTH
    assert rows.pitch > Rows.of(["Short"]).pitch
    for row, note in enumerate(rows.layout()["annotations"]):
        assert row - 0.5 < note["y"] < rows.place(row) < row + 0.5


def test_a_title_gets_the_room_that_it_needs() -> None:
    """A title of several lines pushes the plot down instead of being cut off."""
    short, long = framed("Short", inner=100), framed("word " * 30, inner=100)
    assert long["margin"]["t"] > short["margin"]["t"]
    assert long["height"] - short["height"] == long["margin"]["t"] - short["margin"]["t"]


def test_the_heads_of_movements_add_no_overlapping_intervals() -> None:
    """A rating may move since the last report and since last year: the two are counted apart, never added up."""
    since = ["2025-02", "2024-03", "2024-03"]
    moved = pd.DataFrame({"since": since, "movement": ["worse", "worse", "better"]})
    assert charts.movements_head(moved) == "Ratings: 1 worse, 0 better since Feb 2025; 1 worse, 1 better since Mar 2024"
    counts = pd.DataFrame({"since": since, "steps": [0, 0, 1], "projects": [4, 2, 3]})
    assert (
        charts.unmoved_head(counts) == "Unmoved ratings, on the diagonals: 4 of 4 since Feb 2025; 2 of 5 since Mar 2024"
    )


def test_nothing_is_said_of_no_unknown_movement() -> None:
    """Where every movement is known the sentence does not count those that are not."""
    counts = pd.DataFrame({"bin": ["unchanged", "later by up to 90 days"], "projects": [7, 5]})
    assert notes.spread_sentence(counts) == "Of 12 projects 7 (58%) kept the date."


def test_the_milestone_trend_is_told() -> None:
    """The sentence counts what stands later than at first, and names what went furthest with both dates."""
    rows = [(1, "A: Handed over", "2026-01-10"), (1, "A: Handed over", "2026-02-19"), (2, "B: Gate 4", "2026-03-01")]
    trend = pd.DataFrame(rows, columns=["rank", "label", "expected_on"]).astype({"expected_on": "datetime64[us]"})
    assert notes.trend_sentence(trend) == (
        "Of 2 milestones followed 1 stands later than first reported; furthest A: Handed over: 40 days, "
        "from 10 Jan 2026 to 19 Feb 2026."
    )
    assert notes.trend_sentence(trend[2:]) == "Of 1 milestone followed 0 stand later than first reported."
