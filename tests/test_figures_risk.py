"""Risk figures, tables and sentences: what is drawn and said is what the metrics hold, whatever the return holds."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from registers import RULES, a_risk, few, risks, scored, table

from pmo_lib.figures import risk as figures, watch as shapes
from pmo_lib.metrics import (
    attention,
    blockers,
    coverage,
    drawdown,
    exposure,
    overlaps,
    responses,
    risk,
    risk_summary,
    risk_trend,
)
from pmo_lib.metrics.contingency import positions
from pmo_lib.parameters.models import Organisation, Thresholds
from pmo_lib.sentences import risk as says, watch as words
from pmo_lib.tables import risk as tables, watch as lists
from pmo_lib.theme import FALL, GRADE_LOOKS, INK, RISE

HOSTILE = "<img src=x onerror=alert(1)> & <b>bold</b> {0} %s"
DRAWN = {
    "headline": figures.headline_bars,
    "wanted": figures.wanted_dots,
    "cover": figures.cover_bars,
    "drawdown": figures.cover_bars,
    "bridge": figures.bridge_waterfall,
    "moves": figures.moves_arrows,
    "heat": figures.heat_matrix,
    "top": figures.top_bars,
    "timeline": figures.timeline_dots,
    "flags": figures.flags_bars,
    "trend": shapes.trend_lines,
    "burn": shapes.burn_lines,
    "responses": shapes.responses_ranges,
    "issues": shapes.issues_bars,
}
WRITTEN = {
    "headline": tables.headline_table,
    "wanted": tables.wanted_table,
    "spoken": tables.spoken_table,
    "cover": tables.cover_table,
    "drawdown": tables.drawdown_table,
    "bridge": tables.bridge_table,
    "moves": tables.moves_table,
    "heat": tables.heat_table,
    "register": tables.register_table,
    "top": tables.top_table,
    "gaps": tables.unquantified_table,
    "timeline": tables.timeline_table,
    "flags": tables.flags_table,
    "patterns": tables.patterns_table,
    "trend": lists.trend_table,
    "burn": lists.burn_table,
    "responses": lists.responses_table,
    "overlaps": lists.overlaps_table,
    "issues": lists.issues_table,
    "escalations": lists.escalations_table,
    "promises": lists.promises_table,
}
SAID = {
    "headline": says.headline_sentence,
    "wanted": says.wanted_sentence,
    "spoken": says.spoken_sentence,
    "cover": says.cover_sentence,
    "drawdown": says.cover_sentence,
    "bridge": says.bridge_sentence,
    "moves": says.moves_sentence,
    "heat": says.heat_sentence,
    "register": says.register_sentence,
    "top": says.top_sentence,
    "gaps": says.unquantified_sentence,
    "timeline": says.timeline_sentence,
    "flags": says.flags_sentence,
    "patterns": says.patterns_sentence,
    "trend": words.trend_sentence,
    "burn": words.burn_sentence,
    "responses": words.responses_sentence,
    "overlaps": words.overlaps_sentence,
    "issues": words.issues_sentence,
    "escalations": words.escalations_sentence,
    "promises": words.promises_sentence,
}


def metrics(
    now: list[dict[str, Any]], *, before: list[dict[str, Any]], name: str = "Bridge"
) -> dict[str, pd.DataFrame]:
    """Return every metric table of the report for two registers, as the notebook makes them."""
    no = {kind: table(kind, []) for kind in ("states", "actions", "issues", "risks")}
    rows = scored(p2026_08=before, p2026_09=now)
    register = risk.risk_register(rows, period="2026-09", states=no["states"], rules=RULES)
    moves = exposure.risk_movements(rows, period="2026-09")
    projects = table("projects", [
        {"portfolio_id": "HWY", "project_id": p, "name": f"{name} {p}", "currency": "GBP", "delivery_status": "active",
         "contingency_approved": 90_000 if p == "P1" else None, "source_ref": "r.xlsx, projects, row 2"}
        for p in ("P1", "P2", "P3")
    ])  # fmt: skip
    status = table("status", [
        {"portfolio_id": "HWY", "project_id": "P3", "status_date": "2026-09-30", "assessor_role": "SRO",
         "rating": "red", "rating_scale": "three-point", "narrative": f"The risk: {name}."}
    ])  # fmt: skip
    signs = coverage.warning_signs(
        projects, history=projects.assign(period="2026-09"), status=status, states=no["states"], thresholds=Thresholds()
    )
    wanted = coverage.registers_wanted(signs, register=register)
    book = table("reserves", [
        {"portfolio_id": "HWY", "project_id": "P1", "entry_id": f"E{n}", "kind": "contingency", "amount": 1e6 / 10**n,
         "movement": way, "currency": "GBP", "booked_on": "2026-06-30"}
        for n, way in enumerate(("approved", "drawn"), 1)
    ])  # fmt: skip
    held = positions(projects, reserves=book, status=status, risks=no["risks"], settings=Organisation(id="x", name="X"))
    cover = exposure.exposure_cover(register, contingency=exposure.contingency_left(projects, reserves=book))
    issues = table("issues", [
        {"portfolio_id": "HWY", "issue_id": f"I-{n}", "status_date": "2026-09-30", "title": f"Issue {name}",
         "risk_id": "R-1", "severity": n, "raised_on": "2026-09-05" if n > 1 else None, "owner": name,
         "due_on": "2026-09-20", "escalation_level": name, "source_ref": "r.xlsx, issues"} for n in (1, 5)
    ])  # fmt: skip
    found = blockers.open_issues(issues, actions=no["actions"], risks=no["risks"], rules=RULES)
    needs = table("dependencies", [
        {"portfolio_id": "HWY", "dependency_id": "D1", "status_date": "2026-09-30", "provider_project_id": "P1",
         "recipient_project_id": "P2", "item": name, "needed_on": "2026-10-01", "promised_on": "2026-11-01",
         "status": "open", "source_ref": "r.xlsx, dependencies"}
    ])  # fmt: skip
    past = projects.assign(period="2026-09")
    return {
        "trend": risk_trend.exposure_trend(
            rows, projects=past, reserves=book.assign(period="2026-09"), appetite_grades=("low", "medium")
        ),
        "burn": risk_trend.burn_down(rows, period="2026-09", rules=RULES),
        "responses": responses.responses(register, rules=RULES),
        "overlaps": overlaps.overlaps(register),
        "issues": found,
        "escalations": blockers.escalations(issues, found=found),
        "promises": blockers.dependencies_at_risk(needs, projects=past, portfolio="HWY"),
        "headline": risk_summary.exposure_headline(register, movements=moves),
        "wanted": wanted,
        "spoken": coverage.risk_sentences(wanted, narratives=table("narratives", []), status=status),
        "cover": cover,
        "drawdown": drawdown.drawdown(cover, positions=held, levels=pd.DataFrame(), register=register),
        "bridge": exposure.exposure_bridge(moves),
        "moves": moves,
        "heat": risk.heat_map(register, rules=RULES, movements=moves),
        "register": register,
        "top": risk.top_risks(register, rules=RULES),
        "gaps": risk.unquantified_risks(register),
        "timeline": attention.proximity_timeline(register, rules=RULES),
        "flags": attention.risk_flags(register, actions=no["actions"], issues=no["issues"], rules=RULES),
        "patterns": attention.register_patterns(rows, period="2026-09", issues=no["issues"], rules=RULES),
    }


NOW = [
    a_risk("R-1"),
    a_risk("R-2", kind="opportunity", probability=0.5, cost_impact_likely=30_000, project_id="P2"),
    a_risk("R-3", current_probability_level=5, current_impact_level=5, status="escalated", proximity_on="2026-09-01"),
    a_risk("R-4", cost_impact_likely=None, proximity_on=None, project_id=None),
    a_risk("R-5", status="closed"),
    a_risk("R-6", current_impact_level=None, probability=None),
]
BEFORE = [a_risk("R-1", probability=0.5), a_risk("R-3"), a_risk("R-5"), a_risk("R-7")]


@pytest.fixture(scope="module")
def shown() -> dict[str, pd.DataFrame]:
    """Every metric table of one small register."""
    return metrics(NOW, before=BEFORE)


def texts(figure: go.Figure) -> list[str]:
    """Return every word that a figure draws."""
    document = json.loads(figure.to_json())
    axes = [axis for name, axis in document["layout"].items() if "axis" in name]
    return [
        *(str(text) for trace in document["data"] for key in ("text", "hovertext") for text in trace.get(key) or []),
        *(str(text) for axis in axes for text in axis.get("ticktext", [])),
        document["layout"]["title"]["text"],
    ]


# --- every figure, table and sentence ---------------------------------------------------------------------------


@few
@given(risks(), risks())
def test_any_register_can_be_shown(now: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
    """Whatever is missing in a register, each exhibit with rows is drawn with known marks, written and said."""
    found = metrics(now, before=before)
    for name, metric in found.items():
        if metric.empty:
            continue
        if name in DRAWN:
            figure = DRAWN[name](metric)
            assert {trace.type for trace in figure.data} <= {"bar", "scatter", "heatmap", "waterfall"}
            assert figure.layout.title.text
        assert WRITTEN[name](metric).rows == len(metric) - (name == "headline") - 50 * (name == "heat")
        sentence = SAID[name](metric)
        assert sentence.endswith(".")
        assert "nan" not in sentence.lower().replace("maintenan", "").replace("financ", "")


@pytest.mark.parametrize("name", DRAWN)
def test_figure_is_the_same_twice(shown: dict[str, pd.DataFrame], name: str) -> None:
    """The same metric gives the same bytes: no id, no clock, no order of a set."""
    assert DRAWN[name](shown[name]).to_json() == DRAWN[name](shown[name].copy()).to_json()


@pytest.mark.parametrize("name", DRAWN)
def test_titles_fit_a_narrow_screen(shown: dict[str, pd.DataFrame], name: str) -> None:
    """No line of a title or a row's label is longer than a 400-pixel screen can hold."""
    figure = DRAWN[name](shown[name])
    assert max(map(len, figure.layout.title.text.split("<br>"))) <= 46
    assert all(len(line) <= 25 for label in figure.layout.yaxis.ticktext or () for line in label.split("<br>"))


def test_hostile_words_stay_words() -> None:
    """Markup in titles, names and texts is shown as it was written, in figures and in tables, and is never markup."""
    bad = {"title": HOSTILE, "owner": HOSTILE, "category": HOSTILE, "cause": HOSTILE, "source_ref": HOSTILE}
    found = metrics([{**row, **bad} for row in NOW], before=BEFORE, name=HOSTILE)
    for name, draw in DRAWN.items():
        drawn = [text for text in texts(draw(found[name])) if "<" in text]
        assert not [text for text in drawn if "<" in re.sub("</?br?>", "", text)], name
        assert not any("<b>bold" in text or "<img" in text for text in drawn), name
    for name, write in WRITTEN.items():
        written = write(found[name]).html
        assert "<img" not in written, name
        assert "<b>" not in written, name


@pytest.mark.parametrize("name", ["register", "top", "gaps", "timeline", "flags", "moves", "cover", "wanted", "spoken"])
def test_rows_lead_to_their_source(shown: dict[str, pd.DataFrame], name: str) -> None:
    """Every list of risks or projects has the file, sheet and row of each, for whoever doubts a figure."""
    found = WRITTEN[name](shown[name])
    assert found.columns[-1] == "source_ref"
    assert all(str(ref) in found.html for ref in shown[name]["source_ref"].dropna())


def test_null_cells_give_their_reason(shown: dict[str, pd.DataFrame]) -> None:
    """A risk without figures is shown with the reasons in their places, never as 0."""
    row = next(line for line in tables.register_table(shown["register"]).html.splitlines() if ">R-6<" in line)
    assert "no impact level" in row
    assert "no probability" in row


def test_opportunity_wears_no_badge_of_danger() -> None:
    """The grade of an opportunity is not coloured as a threat's is."""
    rows = [a_risk("R-1", kind="opportunity", current_probability_level=5, current_impact_level=5)]
    written = tables.register_table(metrics(rows, before=[])["register"]).html
    assert GRADE_LOOKS["severe"].colour not in written
    assert "opportunity</span>" in written


# --- single figures ---------------------------------------------------------------------------------------------


def test_headline_bars_draw_now_above_before(shown: dict[str, pd.DataFrame]) -> None:
    """Threats, opportunities and net stand at their amounts in thousands, with those of the last register beneath."""
    figure = figures.headline_bars(shown["headline"])
    assert [list(bars.x) for bars in figure.data] == [[80.0, -15.0, 65.0], [200.0, 0, 200.0]]
    assert list(figure.data[0].text) == ["80.0", "−15.0", "65.0"]


def test_headline_without_money_says_so() -> None:
    """A register without any amount draws no bar of length zero without a word."""
    found = metrics([a_risk("R-1", cost_impact_likely=None)], before=[])
    figure = figures.headline_bars(found["headline"])
    assert list(figure.data[0].text) == ["n/a: none of 1 open is quantified in money", "n/a: none is open",
                                         "n/a: none of 1 open is quantified in money"]  # fmt: skip
    assert len(figure.data) == 1


def test_waterfall_starts_and_ends_at_the_totals(shown: dict[str, pd.DataFrame]) -> None:
    """The first bar is exposure before, the last a total, and the steps between lead from one to the other."""
    steps = figures.bridge_waterfall(shown["bridge"]).data[0]
    assert (steps.measure[0], steps.measure[-1], set(steps.measure[1:-1])) == ("absolute", "total", {"relative"})
    assert sum(steps.x[:-1]) == pytest.approx(steps.x[-1])


def test_matrix_prints_all_its_grades_and_counts(shown: dict[str, pd.DataFrame]) -> None:
    """Each of the 25 cells has its letter, the placed threats add up, and opportunities stand apart."""
    tiles, letters, chances, counts, _, _, line = figures.heat_matrix(shown["heat"]).data
    assert [len(row) for row in tiles.z] == [5] * 5
    assert "".join(letters.text) == "".join(grade[0].upper() for row in RULES.matrix for grade in row)
    assert [text for text in counts.text if text] == ["<b>2</b>", "<b>1</b>"]
    assert [text for text in chances.text if text] == ["1 opp."]
    assert line.line.color == INK


def test_appetite_line_parts_the_grades_above_it(shown: dict[str, pd.DataFrame]) -> None:
    """Each piece of the line lies between a cell within appetite and one above it."""
    line = figures.heat_matrix(shown["heat"]).data[-1]
    over = {
        (p, i) for p, row in enumerate(RULES.matrix, 1) for i, grade in enumerate(row, 1) if grade in ("high", "severe")
    }
    pieces = [(line.x[n : n + 2], line.y[n : n + 2]) for n in range(0, len(line.x), 3)]
    assert pieces
    for (x, end), (y, top) in pieces:
        across = (y + 0.5, x + 0.5), (y + 0.5, x - 0.5)
        along = (y + 0.5, x + 0.5), (y - 0.5, x + 0.5)
        upper, lower = across if x == end else along
        assert (upper in over, lower in over) == (True, False), (x, end, y, top)


def test_what_went_neither_rose_nor_fell(shown: dict[str, pd.DataFrame]) -> None:
    """A risk that was closed is told as closed: what its score did last is no movement of the register."""
    moves = shown["moves"]
    closed = moves["what"].eq("closed")
    assert closed.any()
    assert says.moves_sentence(moves.assign(moved_score=moves["moved_score"].mask(closed, 4))) == says.moves_sentence(
        moves
    )


def test_an_opportunity_that_falls_is_worse(shown: dict[str, pd.DataFrame]) -> None:
    """Red is worse: the threat that rose is red, and as an opportunity the same rise is green."""
    moves = shown["moves"]
    colours = []
    for kind in ("threat", "opportunity"):
        _, _, end, _ = figures.moves_arrows(moves.assign(kind=kind)).data
        colours.append([each for each in end.marker.color if each in (RISE, FALL)])
    assert (colours[0].count(RISE), colours[1].count(FALL)) == (1, 1)


def test_arrows_show_where_a_risk_came_from(shown: dict[str, pd.DataFrame]) -> None:
    """A risk that rose has both points, a new one only its end, one that went only its start with what became of it."""
    _, start, end, words = figures.moves_arrows(shown["moves"]).data
    moved = shown["moves"].loc[shown["moves"]["what"].ne("kept") | shown["moves"]["moved_score"].fillna(0).ne(0)]
    places = {
        risk_id: place
        for place, risk_id in enumerate(moved.loc[moved["score"].notna() | moved["score_before"].notna(), "risk_id"])
    }
    assert (words.text[places["R-7"]].strip(), words.text[places["R-2"]].strip()) == ("dropped", "new")
    assert places["R-7"] not in end.y
    assert places["R-2"] not in start.y
    assert dict(zip(end.y, end.marker.color, strict=True))[places["R-3"]] == RISE


def test_top_bars_mark_where_the_orders_differ(shown: dict[str, pd.DataFrame]) -> None:
    """Both panels have a bar for each risk with its rank; a risk without money is n/a, not the shortest bar."""
    left, right = figures.top_bars(shown["top"]).data
    assert len(left.x) == len(right.x) == len(shown["top"])
    unknown = shown["top"]["expected_money"].isna().tolist()
    assert [text == "n/a" for text in right.text] == unknown
    assert right.xaxis == "x2"


def test_long_lists_say_how_much_is_drawn() -> None:
    """A chart of more than twenty rows draws the first twenty and says so; its table has all."""
    found = metrics([a_risk(f"R-{n}") for n in range(1, 31)], before=[])
    figure = figures.timeline_dots(found["timeline"])
    assert len(figure.data[0].x) == 20
    assert "the first 20 of 30 drawn" in figure.layout.title.text.replace("<br>", " ")
    assert tables.timeline_table(found["timeline"]).rows == 30


def test_timeline_draws_dated_risks_only(shown: dict[str, pd.DataFrame]) -> None:
    """A risk without a date has no mark; the status date and the two bands have their lines."""
    figure = figures.timeline_dots(shown["timeline"])
    assert len(figure.data[0].x) == shown["timeline"]["proximity_on"].notna().sum()
    assert [shape.x0 for shape in figure.layout.shapes] == ["2026-09-30", "2026-10-30", "2026-12-29"]


def test_flag_that_cannot_be_checked_is_no_bar_of_zero(shown: dict[str, pd.DataFrame]) -> None:
    """What could not be checked says why in the place of its number."""
    assert "n/a: no actions were returned" in figures.flags_bars(shown["flags"]).data[0].text


def test_unknown_sign_is_a_dash(shown: dict[str, pd.DataFrame]) -> None:
    """A sign that is given is a filled square, one that is not an empty one, one that cannot be known a dash."""
    marks = [list(trace.marker.symbol) for trace in figures.wanted_dots(shown["wanted"]).data]
    assert [column[0] for column in marks] == ["square", "square-open", "line-ew", "line-ew", "square"]


# --- sentences --------------------------------------------------------------------------------------------------


SENTENCES = {
    "headline": """
        5 risks open with a net exposure of £65.0k (£80.0k of threats less £15.0k of opportunities) and 5 days,
        added up risk by risk; −£135.0k since the last register. 2 risks without money are not in these sums.""",
    "wanted": """
        1 project without an open risk in the register; 1 carries a sign that calls for one, 1 of them rated red or
        amber/red. No single whole-life cost is stated there. Most wanted: Bridge P3.""",
    "cover": """
        Of 1 project with both figures, 0 have more exposure than contingency left. For 1 project no contingency is
        known.""",
    "bridge": """
        Net exposure moved by −£135.0k since Aug 2026, to £65.0k; largest causes: re-estimated (−£40.0k) and closed
        (−£40.0k).""",
    "moves": """
        Since Aug 2026: 3 new, 1 escalated, 1 closed, 1 dropped; 1 scored higher and 0 lower than before. Dropped
        without being closed: R-7 “Title R-7”.""",
    "heat": """
        3 of 3 threats in the matrix stand above the appetite line; 4 did before any response, 0 would at their targets.
        1 opportunity beside them. Not in the matrix: 1 without current levels.""",
    "register": """
        4 open threats: 1 severe, 2 high, 1 not graded; 1 opportunity. Half of them are older than 258 days. 1 more in
        the register are closed or have occurred.""",
    "gaps": "2 open risks without expected cost, 1 without score; the highest score among them is 12.",
    "timeline": """
        1 past the date and still open, 0 may strike by 30 Oct 2026, 3 more by 29 Dec 2026, 0 later, 1 without a date.
        The earliest is R-3 “Title R-3” (1 Sep 2026).""",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentence_says_what_the_figures_hold(shown: dict[str, pd.DataFrame], name: str) -> None:
    """The words follow from the figures by rule, with names where names help."""
    assert SAID[name](shown[name]) == " ".join(SENTENCES[name].split())


def test_sentence_of_a_register_without_money_gives_the_reason() -> None:
    """Where nothing is quantified the headline says so instead of naming a sum."""
    found = metrics([a_risk("R-1", cost_impact_likely=None)], before=[])
    assert says.headline_sentence(found["headline"]) == (
        "1 risk open; exposure in money is not known: none of 1 open is quantified in money."
    )
    assert says.top_sentence(found["top"]) == "By score R-1 “Title R-1” leads; none is quantified in money."


def test_sentence_on_a_register_that_is_over() -> None:
    """A register of closed risks is not called empty."""
    found = metrics([a_risk("R-1", status="closed")], before=[])
    assert says.register_sentence(found["register"]) == "No risk is open; 1 risk closed or occurred."
    assert says.flags_sentence(metrics([a_risk("R-1")], before=[])["flags"]).startswith("Above appetite")
