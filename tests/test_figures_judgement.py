"""What the health check shows of computed ratings: figures, tables and sentences say what the metric says, whole."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from drawings import texts
from histories import history

from pmo_lib.figures import judgement as charts
from pmo_lib.metrics import judgement
from pmo_lib.metrics.movement import Between
from pmo_lib.parameters.models import Organisation, RatingRules
from pmo_lib.sentences import judgement as words
from pmo_lib.tables import judgement as tables
from pmo_lib.tables.html import HtmlTable

MONTHS = {"2026-06": "2026-06-30", "2026-07": "2026-07-31", "2026-08": "2026-08-31", "2026-09": "2026-09-30"}
NOW = "2026-09"
ORGANISATION = Organisation(id="o", name="O", rating=RatingRules(last_year={"slip_red_days": 200}))
HOSTILE = 'Mill <b>bridge</b> & "<script>alert(1)</script>" with a name far longer than a narrow screen is wide'
NAMES = {"A": HOSTILE, "B": "Bypass", "C": "Crossing", "D": "Depot"}
JANUARY = "2027-01-31"
MONEY = {"whole_life_cost_baseline": 1000.0, "whole_life_cost_forecast": 1000.0, "budget_at_completion": 1000.0,
         "benefits_baseline": 50.0, "benefits_forecast": 50.0}  # fmt: skip
# A is 100 days late since August, B as planned, C without a baseline; D was late in July and says it is not any more.
FINISHES = {
    "A": ([JANUARY] * 4, [JANUARY, JANUARY, "2027-05-11", "2027-05-11"]),
    "B": ([JANUARY] * 4, [JANUARY] * 4),
    "C": ([None] * 4, [JANUARY] * 4),
    "D": (["2026-08-31"] * 4, ["2026-08-31", "2026-12-31", "2026-08-31", "2026-08-31"]),
}
RATERS = (("A", "PM", "green"), ("B", "PM", "amber"), ("C", "IA", "red"), ("D", "PM", "green"))


def monthly(**told: Any) -> list[dict[str, Any]]:
    """Return a row in every month."""
    return [{"period": month, "status_date": day, **told} for month, day in MONTHS.items()]


def tables_of_the_case() -> dict[str, pd.DataFrame]:
    """Return the histories of a portfolio in which everything that computed health shows happens once."""
    projects = [
        {"period": month, "project_id": key, "name": NAMES[key], "stage": "build", "sponsor": "S. <i>Ponsor</i>",
         "delivery_status": "active", "finish_baseline_on": was, "finish_forecast_on": now} | MONEY
        for key, (baselines, forecasts) in FINISHES.items()
        for month, was, now in zip(MONTHS, baselines, forecasts, strict=True)
    ]  # fmt: skip
    late = {"A": "2026-10-05", "D": "2026-11-20"}
    status = [
        row | {"project_id": key, "assessor_role": rater, "rating": rating, "submitted_on": late.get(key, MONTHS[NOW])}
        for key, rater, rating in RATERS
        for row in monthly()
    ]
    actions = [
        row | {"project_id": "A", "action_id": name, "description": f"{name} <b>", "owner": "O", "due_on": due,
               "done_on": done if row["period"] == NOW else None}
        for name, due, done in (("Shift", "2026-09-20", None), ("Write", "2026-09-10", "2026-09-15"))
        for row in monthly()[2:]
    ]  # fmt: skip
    decision = {"period": NOW, "status_date": MONTHS[NOW], "project_id": "A", "decider": "Board"}
    decisions = [
        decision | {"decision_id": "D1", "ask": "More <on> time?", "due_on": "2026-10-10"},
        decision | {"decision_id": "D2", "ask": "Money?", "due_on": "2026-08-01", "decided_on": "2026-08-31"},
    ]
    gates = [
        {"gate": "Gate 2", "planned_on": "2026-09-20"}, {"gate": "Gate 3", "planned_on": "2026-10-20"},
        {"gate": "Gate 1", "planned_on": "2026-06-01", "held_on": "2026-06-02", "outcome": "amber", "conditions": 3,
         "conditions_open": 1},
        {"gate": "Gate <4>", "planned_on": "2027-12-30"}, {"gate": "Gate 5"},
    ]  # fmt: skip
    artefacts = [
        {"artefact": "case", "present": True, "approved_on": "2026-01-01", "review_due_on": "2026-09-01"},
        {"artefact": "plan <b>", "present": True},
        {"artefact": "list", "present": False},
    ]
    override = {
        "period": NOW, "status_date": MONTHS[NOW], "project_id": "A", "dimension": "cost", "rating_from": "green",
        "rating_to": "amber", "approver": "P", "reason_code": "quality", "evidence": "<b>", "expires_on": "2026-12-31",
    }  # fmt: skip
    doubtful = override | {"dimension": "time", "rating_from": "red", "evidence": None}
    kept = {
        "projects": projects, "status": status, "actions": actions, "decisions": decisions,
        "gates": [{"period": NOW, "project_id": "A"} | gate for gate in gates],
        "artefacts": [{"period": NOW, "project_id": "A", "required_by_stage": "build"} | row for row in artefacts],
        "overrides": [override, doubtful],
        "changes": [{"period": month, "project_id": "B", "change_id": "C", "decision": "rejected"} for month in MONTHS],
    }  # fmt: skip
    return {name: history(name, kept.get(name, [])) for name in judgement.NEEDED}


@cache
def case() -> judgement.Judgement:
    """Return the judgement of the small portfolio."""
    findings = pd.DataFrame({"rule": pd.Series(dtype="str"), "key": pd.Series(dtype="str")})
    return judgement.Judgement(
        tables_of_the_case(), findings=findings, settings=ORGANISATION, between=Between("ROADS", NOW, "2026-08")
    )


@cache
def metric(name: str) -> pd.DataFrame:
    """Return one metric table of the small portfolio, as the notebook computes it."""
    table: pd.DataFrame = getattr(case(), {"breaches": "exceptions"}.get(name, name))
    return table


FIGURES = {
    "ratings": charts.ratings_matrix, "rerated": charts.rerated_bars, "breaches": charts.breach_ranges,
    "steps": charts.steps_bars, "gates": charts.gates_calendar, "ready": charts.ready_bars,
}  # fmt: skip
TABLES = {
    "ratings": tables.ratings_table, "outside_green": tables.outside_green_table, "rerated": tables.rerated_table,
    "overrides": tables.overrides_table, "breaches": tables.breaches_table, "actions": tables.actions_table,
    "steps": tables.steps_table, "gates": tables.gates_table, "ready": tables.ready_table,
}  # fmt: skip
SENTENCES = {
    "ratings": "Computed against the current baseline by today's rules, of 4 projects: 2 red, 1 green, 1 not "
    "computable. First stands Depot: held red from an earlier report, forecast finish 0 days by this one. 1 overall "
    "rating got better too recently to count. Not assured by their data: Depot. Not computable: risk (exposure not "
    "covered: no risk register was returned); resources (worst resourcing issue: no issue log was returned).",
    "outside_green": "Green outside, red inside: 2 projects (Depot; %s).",
    "overrides": "2 overrides, 1 in force. Not in force: 1 no evidence.",
    "rerated": "In force: against the current baseline by today's rules. Against the current baseline by last year's "
    "rules: 2 ratings would differ; against the original baseline by today's rules: 0 ratings would differ; against "
    "the original baseline by last year's rules: 2 ratings would differ.",
    "breaches": "2 tolerances breached in 1 project (quality 1, time 1). The oldest: %s, time, from Aug 2026 on.",
    "actions": "1 action open, 1 overdue; 1 done. Since they were first reported the figure is no different in 2.",
    "steps": "Of 2 decisions 1 were taken and 0 done; 1 late. Of 2 actions 1 done; afterwards the figure was too "
    "early to tell in 1; 2 late.",
    "gates": "1 gate overdue (%s, Gate 2); 1 due soon, next %s, Gate 3 on 20 Oct 2026; 1 condition open, the oldest "
    "for 120 days.",
    "ready": "1 of 3 required artefacts approved (33%%), 1 missing, 1 overdue for review. Least ready: %s, 1 of 3.",
}
SAYING = {name: getattr(words, f"{name}_sentence", None) or getattr(words, name) for name in SENTENCES}


def drawn(name: str) -> go.Figure:
    """Return the figure of a metric."""
    figure: go.Figure = FIGURES[name](metric(name))
    return figure


# --- every figure, table and sentence -------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_titled_and_data_cannot_become_markup(name: str) -> None:
    """A figure has a title, a height and traces that the page can draw; tags in data are shown and not obeyed."""
    document = json.loads(drawn(name).to_json())
    assert document["layout"]["title"]["text"]
    assert document["layout"]["height"] > 100
    assert {trace["type"] for trace in document["data"]} <= {"bar", "scatter"}
    document["layout"].pop("template")
    for text in texts(document):
        assert not re.search(r"<(?!br>|extra></extra>|/extra>)", text), text


@pytest.mark.parametrize("name", ["ratings", "breaches", "gates", "ready"])
def test_a_long_name_is_wrapped_and_never_cut(name: str) -> None:
    """A name stands whole in the figure, in lines that fit a narrow screen."""
    whole = "".join(texts(json.loads(drawn(name).to_json()))).replace("<br>", " ")
    assert "longer than a narrow screen is wide" in re.sub(r"\s+", " ", whole)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_every_row_and_escapes_data(name: str) -> None:
    """A table has the rows of its metric, no markup from data, and no null without words."""
    shown: HtmlTable = TABLES[name](metric(name))
    rows = metric(name)
    if name == "ratings":  # what nobody can be rated in is said by the sentence
        rows = rows[~rows["dimension"].isin(["risk", "resources"])]
    assert shown.rows == len(rows) > 0
    assert shown.html.count("<tr>") == len(rows) + 1
    assert not re.search(r"<(script|b|i|on|4)>", shown.html)
    assert '<td class="num"></td>' not in shown.html
    assert not re.search(r">(nan|NaN|NaT|None|&lt;NA&gt;)<", shown.html)


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_says_what_the_metric_says(name: str) -> None:
    """A sentence is written by rule: the same figures give the same words."""
    expected = SENTENCES[name]
    assert SAYING[name](metric(name)) == expected % ((HOSTILE,) * expected.count("%s"))


def test_every_figure_table_and_sentence_has_its_case() -> None:
    """None of them goes unseen by these tests."""
    shapes = {name for name in vars(charts) if re.search(r"^[a-z]\w*_(matrix|bars|ranges|calendar)$", name)}
    assert {function.__name__ for function in FIGURES.values()} == shapes
    assert {function.__name__ for function in TABLES.values()} == {
        name for name in vars(tables) if name.endswith("_table")
    } - {"html_table"}
    said = {name.removesuffix("_sentence") for name, one in vars(words).items()
            if callable(one) and not name.startswith("_") and one.__module__ == words.__name__}  # fmt: skip
    assert set(SENTENCES) == said


# --- ratings --------------------------------------------------------------------------------------------------


def cells(figure: go.Figure) -> dict[tuple[int, str], tuple[str, str]]:
    """Return letter and pattern of each rating that is drawn, by row from the top and column."""
    (bars,) = figure.data
    columns = [label.replace("<br>", " ") for label in figure.layout.xaxis.ticktext]
    rows = {place: row for row, place in enumerate(sorted(set(bars.y)))}
    return {
        (rows[y], columns[int(at)]): (letter, shape)
        for at, y, letter, shape in zip(bars.base, bars.y, bars.text, bars.marker.pattern.shape, strict=True)
    }


def test_the_matrix_shows_reported_beside_computed_and_hatches_what_is_not_assured() -> None:
    """Raters stand left of what is computed; each colour has its letter, and what nobody has no column."""
    found = cells(drawn("ratings"))
    shown = [label.replace("<br>", " ") for label in drawn("ratings").layout.xaxis.ticktext]
    assert shown == ["IA", "PM", "overall", "time", "cost", "scope", "benefits", "gates", "quality", "data"]
    assert found[0, "PM"] == ("G", "")  # the manager's word is not hatched: a judgement needs no data
    assert found[0, "overall"] == ("R", "/")
    doubted = {
        shape for (row, column), (letter, shape) in found.items() if row == 0 and column != "PM" and letter != "–"
    }
    assert doubted == {"/"}
    assert found[1, "overall"] == ("R", "")
    unknown = [letter for (row, column), (letter, _) in found.items() if column == "overall" and row >= 2]
    assert sorted(unknown) == ["G", "–"]


def test_the_matrix_says_how_many_it_draws() -> None:
    """Of a large portfolio the first 25 are drawn, the title says so and still counts all that are red."""
    one = metric("ratings")
    many = pd.concat([one.assign(project_id=one["project_id"] + str(n)) for n in range(10)], ignore_index=True)
    figure = charts.ratings_matrix(many)
    head = figure.layout.title.text.replace("<br>", " ")
    assert head == "20 projects of 40 computed red (the first 25 are drawn) (hatched: not assured)"
    assert len(set(figure.data[0].y)) == 25


def test_ratings_that_nobody_computed_leave_the_raters_alone() -> None:
    """Where no rating can be computed the matrix holds the raters, and no empty columns beside them."""
    alone = metric("ratings").assign(rating=lambda rows: rows["rating"].where(rows["kind"].eq("rated by")))
    figure = charts.ratings_matrix(alone)
    assert list(figure.layout.xaxis.ticktext) == ["IA", "PM"]
    assert figure.layout.title.text.startswith("Reported ratings")
    assert words.ratings_sentence(alone).startswith("Of 4 projects none can be rated")


def test_the_bars_of_a_standard_are_its_projects() -> None:
    """By each standard red, amber, green and not computable add up to all projects; what is not stated has no bar."""
    sums = [sum(counts) for counts in zip(*(trace.x for trace in drawn("rerated").data), strict=True)]
    assert sums == [4] * 4
    silent = metric("rerated").assign(red=pd.array([2, None, 2, None], dtype="Int64"))
    assert len(charts.rerated_bars(silent).data[0].x) == 2
    assert "All standards agree" in charts.rerated_bars(metric("rerated").assign(differ=0)).layout.title.text


def test_a_rating_carries_its_figure_and_limits_or_its_reason() -> None:
    """The row of a rating shows figure, both limits and the rating before hysteresis; a judgement has none of them."""
    rows = re.findall(r"<tr>(.*?)</tr>", tables.ratings_table(metric("ratings")).html, re.DOTALL)
    late = next(row for row in rows if "Mill" in row and ">time<" in row)
    assert "forecast finish 100 days" in late
    assert "30 days · 90 days" in late
    said = next(row for row in rows if "rated by PM" in row)
    assert "a judgement" in said
    aside = next(row for row in rows if "Mill" in row and ">cost<" in row)
    assert ">yes<" in aside


# --- exceptions, actions, decisions ---------------------------------------------------------------------------


def test_a_breach_is_drawn_from_its_first_report_to_now() -> None:
    """The line begins on the day of the first report in breach; one that never saw it begin has another mark."""
    lines, marks = drawn("breaches").data
    days = [pd.Timestamp(day).strftime("%Y-%m-%d") for day in lines.x if day is not None]
    assert days == ["2026-08-31", "2026-09-30", "2026-09-30", "2026-09-30"]
    assert list(marks.marker.symbol) == ["circle", "triangle-left"]


def test_the_loop_counts_what_came_at_least_so_far() -> None:
    """Asked ≥ taken ≥ done ≥ helped: two decisions of which one was taken, two actions of which one was done."""
    assert list(drawn("steps").data[0].x) == [2, 1, 0, 0, 2, 2, 1, 0]
    helped = metric("steps").assign(step="helped", helped="better")
    assert list(charts.steps_bars(helped).data[0].x) == [2, 2, 2, 2, 2, 2, 2, 2]
    assert "better in 2" in words.steps_sentence(helped)


def test_a_breach_without_decision_or_action_is_named() -> None:
    """Where nothing is asked for and nothing is done the sentence names the project, and the table its sponsor."""
    lost = metric("breaches").assign(ask=None, actions_open=0)
    assert f"Neither decision nor open action: {HOSTILE}" in words.breaches(lost)
    assert "1 of 1 project without a decision asked for" in words.breaches(lost)
    assert "no decision is asked for (sponsor: S. &lt;i&gt;Ponsor&lt;/i&gt;)" in tables.breaches_table(lost).html


# --- gates and artefacts --------------------------------------------------------------------------------------


def test_gates_stand_at_their_days_and_those_with_open_conditions_at_the_day_they_were_held() -> None:
    """Each state has its own mark; a gate without a day is not drawn but stands in the table."""
    found = {trace.name: [pd.Timestamp(day).strftime("%Y-%m-%d") for day in trace.x] for trace in drawn("gates").data}
    assert found == {
        "overdue": ["2026-09-20"], "due": ["2026-10-20"], "conditions open": ["2026-06-02"], "later": ["2027-12-30"],
    }  # fmt: skip
    assert len({trace.marker.symbol for trace in drawn("gates").data}) == 4
    assert "no day planned" in tables.gates_table(metric("gates")).html


def test_the_artefacts_of_a_bar_are_those_that_are_required() -> None:
    """Approved, overdue for review, not approved and not there add up to what the stage requires."""
    parts = {trace.name: list(trace.x) for trace in drawn("ready").data}
    assert parts == {"approved": [0], "review overdue": [1], "present, not approved": [1], "not there": [1]}
    assert sum(sum(counts) for counts in parts.values()) == metric("ready")["required"].sum()


def test_overrides_are_told_beside_what_is_computed() -> None:
    """Sentence and head count what is computed, and say beside it what stands once overrides are in force."""
    rows = metric("ratings").copy()
    depot = rows["kind"].eq("computed") & rows["dimension"].eq("overall") & rows["name"].eq("Depot")
    rows.loc[depot, ["rating", "overridden"]] = ["amber", True]
    said = words.ratings_sentence(rows)
    assert "2 red, 1 green, 1 not computable. With overrides in force: 1 red, 1 amber, 1 green, 1 not comp" in said
    assert "2 projects of 4 computed red, 1 with<br>overrides" in str(charts.ratings_matrix(rows).layout.title.text)
