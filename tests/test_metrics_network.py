"""Schedule networks: published cases, conventions by hand, and networkx as a second way to compute."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from histories import current
from hypothesis import given, settings, strategies as st
from networks import GENERAL_FOUNDRY, RELIABLE_CONSTRUCTION, built, link, tables
from scipy import stats

from pmo_lib.metrics.calendar import calendar_of
from pmo_lib.metrics.crashing import crashing
from pmo_lib.metrics.critical_path import CRITICAL, DONE, Rules, Schedule, last_finish, schedule
from pmo_lib.metrics.network import Network, constraints_of, network, open_ends
from pmo_lib.metrics.pert import pert, three_points
from pmo_lib.metrics.working_time import WorkingTime, calendars, days_of, moment_of
from pmo_lib.parameters.models import WorkingCalendar

WEEK = WorkingTime.of(calendar_of(WorkingCalendar()))
EVERY_DAY = WorkingTime.on_days(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), exceptions={})
MONDAY = date(2026, 3, 2)
THREE_POINTS = {
    "A": (1, 2, 3), "B": (2, 3.5, 8), "C": (6, 9, 18), "D": (4, 5.5, 10), "E": (1, 4.5, 5), "F": (4, 4, 10),
    "G": (5, 6.5, 11), "H": (5, 8, 17), "I": (3, 7.5, 9), "J": (3, 9, 9), "K": (4, 4, 4), "L": (1, 5.5, 7),
    "M": (1, 2, 3), "N": (5, 5.5, 9),
}  # fmt: skip


def column(found: Schedule, name: str) -> dict[str, Any]:
    """Return one column of the paths by task."""
    return dict(zip(found.paths["task_id"], found.paths[name], strict=True))


def critical(found: Schedule) -> list[str]:
    """Return the critical tasks."""
    return found.paths.loc[found.paths["standing"].eq(CRITICAL), "task_id"].tolist()


def dated(net: Network, **rules: Any) -> Schedule:
    """Compute a network on Monday to Friday from Monday, 2 March 2026."""
    return schedule(net, rules=Rules(**{"time": WEEK, "resumes_on": MONDAY, **rules}))


def dates(found: Schedule, *, of: str) -> tuple[str, str]:
    """Return early start and finish of one task as ``03-02``."""
    row = found.paths.set_index("task_id").loc[of]
    return row["start_early_on"].strftime("%m-%d"), row["finish_early_on"].strftime("%m-%d")


# --- published cases --------------------------------------------------------------------------------------------


def test_worked_cpm_general_foundry() -> None:
    """General Foundry takes 15 weeks; all early and late dates and slack are as published (figures 13.3 to 13.5)."""
    found = schedule(built(GENERAL_FOUNDRY))
    expected = {
        "A": (0, 2, 0, 2, 0), "B": (0, 3, 1, 4, 1), "C": (2, 4, 2, 4, 0), "D": (3, 7, 4, 8, 1), "E": (4, 8, 4, 8, 0),
        "F": (4, 7, 10, 13, 6), "G": (8, 13, 8, 13, 0), "H": (13, 15, 13, 15, 0),
    }  # fmt: skip
    names = ["early_start", "early_finish", "late_start", "late_finish", "total_float_days"]
    rows = found.paths.set_index("task_id")[names]
    assert {task: tuple(row) for task, row in zip(rows.index, rows.to_numpy().tolist(), strict=True)} == expected
    assert critical(found) == ["A", "C", "E", "G", "H"]
    assert found.finishes["finish"].tolist() == [15]


def test_worked_cpm_reliable_construction() -> None:
    """Reliable Construction takes 44 weeks, with the published slack of every activity."""
    found = schedule(built(RELIABLE_CONSTRUCTION))
    slack = dict(zip("ABCDEFGHIJKLMN", (0, 0, 0, 4, 0, 0, 4, 4, 2, 0, 1, 0, 4, 0), strict=True))
    assert column(found, "total_float_days") == slack
    assert critical(found) == list("ABCEFJLN")
    assert found.finishes["finish"].tolist() == [44]


def three_point_network() -> Network:
    """Return Reliable Construction with its three estimates."""
    points = [{task: value[place] for task, value in THREE_POINTS.items()} for place in range(3)]
    shape = {task: (points[1][task], before) for task, (_, before) in RELIABLE_CONSTRUCTION.items()}
    return built(shape, duration_optimistic_days=points[0], duration_pessimistic_days=points[2])


def test_worked_pert_reliable_construction() -> None:
    """PERT gives Reliable Construction a mean of 44 weeks, variance 9 and a chance of 0.84 for 47 weeks."""
    row = pert(three_point_network(), deadline_days=47).iloc[0]
    assert (row["expected_days"], row["variance"]) == (pytest.approx(44), pytest.approx(9))
    assert row["chance"] == pytest.approx(0.8413447461, abs=1e-9)
    assert row["path"] == "A → B → C → E → F → J → L → N"


def estimated(points: dict[str, tuple[float, float, float]], before: dict[str, str]) -> pd.Series:
    """Return PERT of a few tasks."""
    shape = {task: (value[1], before.get(task, "")) for task, value in points.items()}
    low, high = ({task: value[place] for task, value in points.items()} for place in (0, 2))
    return pert(built(shape, duration_optimistic_days=low, duration_pessimistic_days=high)).iloc[0]


def test_worked_pmcontrols_pert_hand_001() -> None:
    """Two tasks in a row, (1, 2, 9) and (2, 3, 10), take 7 with a deviation of 1.8856 (pmcontrols, pert-hand-001)."""
    row = estimated({"X": (1, 2, 9), "Y": (2, 3, 10)}, {"Y": "X"})
    assert (row["expected_days"], row["sigma_days"]) == (pytest.approx(7), pytest.approx(1.8856180832))


def test_worked_pmcontrols_pert_series_003() -> None:
    """A, B and D in a row take 8 with a deviation of 0.8165; the shorter C beside B is left out (pert-series-003)."""
    points = {"A": (1, 2, 3), "B": (2, 4, 6), "C": (1, 3, 5), "D": (1, 2, 3)}
    row = estimated(points, {"B": "A", "C": "A", "D": "BC"})
    assert (row["expected_days"], row["sigma_days"]) == (pytest.approx(8), pytest.approx(0.8164965809))
    assert row["path"] == "A → B → D"


def test_worked_pert_schematex() -> None:
    """Four tasks in a row take 17.83 with a deviation of 1.69; B (5, 8, 14) takes 8.5 (schematex.js.org)."""
    points = {"A": (2, 3, 5), "B": (5, 8, 14), "C": (3, 4, 6), "D": (1, 2, 3)}
    row = estimated(points, {"B": "A", "C": "B", "D": "C"})
    assert row["expected_days"] == pytest.approx(17.83, abs=0.005)
    assert row["sigma_days"] == pytest.approx(1.69, abs=0.005)
    assert estimated({"B": (5, 8, 14)}, {})["expected_days"] == 8.5


def means(*points: tuple[float, float, float]) -> pd.DataFrame:
    """Return mean and variance of estimates."""
    names = ["duration_optimistic_days", "duration_days", "duration_pessimistic_days"]
    return three_points(pd.DataFrame(points, columns=names))


def test_worked_pert_reyes() -> None:
    """Means are 7, 6, 5.5 and 9.5, and the deviation of (3, 7, 11) is 1.33 (ReyesEvan, PERT.md)."""
    found = means((3, 7, 11), (2, 6, 10), (4, 5, 9), (7, 9, 14))
    assert found["expected_days"].tolist() == pytest.approx([7, 6, 5.5, 9.5])
    assert found["variance"][0] ** 0.5 == pytest.approx(1.33, abs=0.005)


def test_worked_pert_sarthaks() -> None:
    """Estimates from 4 to 10 have variance 1, whatever is most likely (sarthaks.com/2757731)."""
    assert means((4, 7, 10), (4, 5, 10))["variance"].tolist() == [1, 1]


def test_worked_betapert_sd_claim_bad() -> None:
    """PERT's deviation of (2, 3, 10) is 1.3333; that of the beta distribution is 1.3093, and is not claimed for it."""
    row = means((2, 3, 10)).iloc[0]
    alpha, beta = 1 + 4 * (3 - 2) / 8, 1 + 4 * (10 - 3) / 8
    assert row["expected_days"] == pytest.approx(stats.beta(alpha, beta, loc=2, scale=8).mean())
    assert row["variance"] ** 0.5 == pytest.approx(4 / 3)
    assert stats.beta(alpha, beta, loc=2, scale=8).std() == pytest.approx(1.309307341)


FOUNDRY_CRASH = {"A": 1, "B": 1, "C": 1, "D": 3, "E": 2, "F": 2, "G": 2, "H": 1}
FOUNDRY_COSTS = {"A": 1000, "B": 2000, "C": 1000, "D": 1000, "E": 1000, "F": 500, "G": 2000, "H": 3000}


def crashable(shape: dict[str, tuple[float, str]], *, crash: dict[str, float], costs: dict[str, float]) -> Network:
    """Return a network whose tasks can be shortened."""
    rows, links = tables(shape)
    rows = rows.assign(crash_days=rows["task_id"].map(crash), cost_per_day=rows["task_id"].map(costs))
    return network(rows, links=links)


def test_worked_crash_general_foundry() -> None:
    """One week less costs General Foundry 1,000 and two cost 3,000 (table 13.9)."""
    net = crashable(GENERAL_FOUNDRY, crash=FOUNDRY_CRASH, costs=FOUNDRY_COSTS)
    assert crashing(net, finish_days=14).cost == pytest.approx(1000)
    assert crashing(net, finish_days=13).cost == pytest.approx(3000)
    assert crashing(net, finish_days=15).cost == 0


# --- second ways to compute -------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn, *, tasks: int = 9) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw tasks and links of all kinds, with lags; links run forward, so that there is no loop."""
    count = draw(st.integers(1, tasks))
    names = [f"T{place}" for place in range(count)]
    days = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=2 * count, unique=True)) if pairs else []
    kinds = [(draw(st.sampled_from(("fs", "ss", "ff", "sf"))), draw(st.integers(-2, 4))) for _ in chosen]
    rows = current("tasks", [{"project_id": "P", "task_id": n, "duration_days": float(d)} for n, d in zip(names, days, strict=True)])  # fmt: skip  # noqa: E501
    linked = [link(names[a], names[b], kind, lag) for (a, b), (kind, lag) in zip(chosen, kinds, strict=True)]
    return rows, current("links", linked)


def by_networkx(rows: pd.DataFrame, links: pd.DataFrame) -> tuple[dict[str, float], float]:
    """Return start of each task and the end as longest ways in a graph of starts and finishes."""
    graph = nx.DiGraph()
    days = dict(zip(rows["task_id"], rows["duration_days"], strict=True))

    def edge(a: Any, b: Any, weight: float) -> None:
        graph.add_edge(a, b, weight=max(weight, graph.get_edge_data(a, b, {"weight": -np.inf})["weight"]))

    for task, length in days.items():
        edge("begin", (task, "s"), 0)
        edge((task, "s"), "end", length)
    for row in links.to_dict("records"):
        before, after, lag = row["predecessor_id"], row["successor_id"], row["lag_days"]
        gain = lag + (days[before] if row["type"] in ("fs", "ff") else 0)
        edge((before, "s"), (after, "s"), gain - (days[after] if row["type"] in ("ff", "sf") else 0))
    longest = {"begin": 0.0}
    for node in nx.topological_sort(graph):
        if node != "begin":
            longest[node] = max(longest[near] + graph[near][node]["weight"] for near in graph.predecessors(node))
    assert longest["end"] == nx.dag_longest_path_length(graph, weight="weight", default_weight=0)
    return {task: longest[task, "s"] for task in days}, longest["end"]


@settings(max_examples=25)
@given(networks())
def test_early_dates_are_longest_ways(drawn: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Early starts and the finish are the longest ways through the graph of starts and finishes, by networkx."""
    rows, links = drawn
    found = schedule(network(rows, links=links))
    starts, end = by_networkx(rows, links)
    assert column(found, "early_start") == starts
    assert found.finishes["finish"][0] == end


@settings(max_examples=15)
@given(networks(), st.data())
def test_float_is_what_a_task_may_lose(drawn: tuple[pd.DataFrame, pd.DataFrame], data: st.DataObject) -> None:
    """A task held up by its total float leaves the finish where it is, and by a day more moves it by that day."""
    rows, links = drawn
    found = schedule(network(rows, links=links))
    place = data.draw(st.integers(0, len(rows) - 1))
    row = found.paths.iloc[place]
    assert row["total_float_days"] >= 0
    assert row["free_float_days"] <= row["total_float_days"]
    assert (row["standing"] == CRITICAL) == (row["total_float_days"] == 0)

    def finish(late: float) -> float:
        holder = {"project_id": "P", "task_id": "hold", "duration_days": row["early_start"] + late}
        held = pd.concat([rows, current("tasks", [holder])], ignore_index=True)
        waits = pd.concat([links, current("links", [link("hold", row["task_id"])])], ignore_index=True)
        return float(schedule(network(held, links=waits)).finishes["finish"][0])

    end = found.finishes["finish"][0]
    assert finish(row["total_float_days"]) == end
    assert finish(row["total_float_days"] + 1) == end + 1


@settings(max_examples=15)
@given(networks())
def test_dates_are_the_plain_pass_on_the_calendar(drawn: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """On one calendar the dates are those of the plain numbers, counted in its working days."""
    rows, links = drawn
    plain, found = schedule(network(rows, links=links)).paths, dated(network(rows, links=links)).paths
    for name in ("early_start", "total_float_days", "free_float_days", "longest", "standing"):
        assert found[name].tolist() == plain[name].tolist()
    work = rows["duration_days"].gt(0)
    counted = np.busday_offset(np.datetime64(MONDAY), plain.loc[work, "early_start"].astype(int), roll="forward")
    assert found.loc[work, "start_early_on"].to_numpy().astype("datetime64[D]").tolist() == counted.tolist()


@settings(max_examples=8)
@given(networks())
def test_the_last_day_alone_is_that_of_the_whole_schedule(drawn: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """The last finish that is computed by itself is the one that the whole schedule ends on."""
    rows, links = drawn
    rules = Rules(WEEK)
    for net in (network(rows, links=links), network(rows.assign(remaining_days=0.0), links=links)):
        assert last_finish(net, rules=rules) == schedule(net, rules=rules).finishes["finish_on"].max()


@given(networks(tasks=3), st.data())
def test_crashing_is_the_cheapest_of_all_ways(drawn: tuple[pd.DataFrame, pd.DataFrame], data: st.DataObject) -> None:
    """The linear programme costs as little as the cheapest of all shortenings by whole days, tried one by one."""
    rows, links = drawn
    count = len(rows)
    less = [min(int(days), data.draw(st.integers(0, 2))) for days in rows["duration_days"]]
    costs = data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    rows = rows.assign(crash_days=rows["duration_days"] - less, cost_per_day=np.array(costs, dtype=float))
    deadline = float(schedule(network(rows, links=links)).finishes["finish"][0]) - data.draw(st.integers(0, 3))
    tried = []
    for cut in product(*(range(each + 1) for each in less)):
        shorter = rows.assign(duration_days=rows["duration_days"] - np.array(cut, dtype=float))
        if schedule(network(shorter, links=links)).finishes["finish"][0] <= deadline:
            tried.append(float(np.dot(cut, costs)))
    found = crashing(network(rows, links=links), finish_days=deadline)
    assert found.cost == (pytest.approx(min(tried)) if tried else None)
    assert bool(found.reason) == (not tried)


# --- conventions, by hand ---------------------------------------------------------------------------------------


def test_a_finish_is_the_evening_of_its_day() -> None:
    """A task of one day starts and finishes on the same day, and the next one starts on the next working day."""
    found = dated(built({"A": (1, ""), "B": (4, "A"), "C": (1, "B"), "M": (0, "B")}))
    assert dates(found, of="A") == ("03-02", "03-02")
    assert dates(found, of="B") == ("03-03", "03-06")
    assert dates(found, of="C") == ("03-09", "03-09")
    assert dates(found, of="M") == ("03-06", "03-06")


def test_links_of_all_kinds_with_lags() -> None:
    """A start or finish follows that of the task before by the lag, in working days of that task's calendar."""
    rows, _ = tables({"A": (5, ""), "B": (3, ""), "C": (3, ""), "D": (3, ""), "E": (3, ""), "F": (2, "")})
    joined = [
        link("A", "B", "fs", 2), link("A", "C", "ss", 2), link("A", "D", "ff", 1), link("A", "E", "sf", 4),
        link("A", "F", "fs", -2),
    ]  # fmt: skip
    found = dated(network(rows, links=current("links", joined)))
    # A: Monday 2 to Friday 6 March.
    assert dates(found, of="B") == ("03-11", "03-13")
    assert dates(found, of="C") == ("03-04", "03-06")
    assert dates(found, of="D") == ("03-05", "03-09")
    assert dates(found, of="E") == ("03-03", "03-05")
    assert dates(found, of="F") == ("03-05", "03-06")


def test_each_task_works_on_its_own_calendar() -> None:
    """A task on a calendar of seven days works at the weekend, and its float counts the days that it could work."""
    net = built({"A": (3, ""), "B": (4, "A"), "C": (1, "B")}, calendar={"B": "always"})
    found = dated(net, calendars={"always": EVERY_DAY})
    assert dates(found, of="B") == ("03-05", "03-08")  # Thursday to Sunday
    assert dates(found, of="C") == ("03-09", "03-09")
    slower = built({"A": (3, ""), "B": (2, "A"), "C": (1, "B"), "D": (5, "")}, calendar={"B": "always"})
    floats = column(dated(slower, calendars={"always": EVERY_DAY}), "total_float_days")
    # A ends on Wednesday and B on Friday; C begins on Monday: B could work on Saturday and Sunday instead.
    assert floats == {"A": 2, "B": 2, "C": 0, "D": 1}


def test_calendars_come_from_their_table() -> None:
    """A weekday that is listed is worked, unless a date says otherwise; a date may be worked on a day off."""
    rows = pd.DataFrame(
        {
            "calendar": ["four days"] * 7 + ["never"],
            "day": ["mon", "tue", "wed", "thu", "2026-03-03", "2026-03-07", "2026-02-30", "2026-03-03"],
            "works": [True, True, True, True, False, True, True, True],
        }
    )
    found = calendars(rows)
    assert list(found) == ["four days"]
    begins = [found["four days"].begins(found["four days"].worked(moment_of(MONDAY)) + days) for days in range(5)]
    assert days_of(begins, end=False).dt.day.tolist() == [2, 4, 5, 7, 9]


@settings(max_examples=50)
@given(st.floats(0, 40_000), st.sampled_from((WEEK, EVERY_DAY)))
def test_work_and_moments_agree(work: float, clock: WorkingTime) -> None:
    """The work done by the moment at which some work begins or ends is that work; it ends no later than it begins."""
    work = round(work, 3)
    begins, ends = clock.begins(work), clock.ends(work)
    assert ends <= begins
    assert clock.worked(begins) == pytest.approx(work, abs=1e-4)
    assert clock.worked(ends) == pytest.approx(work, abs=1e-4)


def test_a_constraint_holds_a_task_back() -> None:
    """Start and finish no earlier than a date hold a task back, and take no float from what comes before."""
    held = {"B": "snet 2026-03-11", "C": "Finish no earlier than 2026-03-20"}
    found = dated(built({"A": (2, ""), "B": (2, "A"), "C": (2, "A")}, constraint=held))
    assert dates(found, of="B") == ("03-11", "03-12")
    assert dates(found, of="C") == ("03-19", "03-20")
    assert column(found, "free_float_days")["A"] == 5  # A ends on Tuesday 3, B begins on Wednesday 11


def test_an_impossible_constraint_gives_negative_float_and_the_longest_path() -> None:
    """A date that logic cannot keep makes float negative on the way to it; critical is then the longest path."""
    shape = {"A": (5, ""), "B": (5, "A"), "C": (8, "A"), "D": (1, "BC")}
    found = dated(built(shape, constraint={"B": "fnlt 2026-03-11"}))
    # B ends on Friday 13, two working days after its date; C goes on to Wednesday 18.
    assert column(found, "total_float_days") == {"A": -2, "B": -2, "C": 0, "D": 0}
    assert critical(found) == ["A", "C", "D"]
    assert dates(found, of="B") == ("03-09", "03-13")  # logic is kept


def test_constraints_are_read_or_named() -> None:
    """A constraint is a short or long name with a date; what is no constraint is named, and nothing is guessed."""
    found, unread = constraints_of("MSO 2026-03-02; as late as possible; snet; fnlt 2026-02-30; soon; asap")
    assert [constraint.kind for constraint in found] == ["mso", "alap"]
    assert unread == ["snet", "fnlt 2026-02-30", "soon"]
    faults = dated(built({"A": (1, "")}, constraint={"A": "soon; alap"})).faults
    assert faults[["fault", "detail"]].to_numpy().tolist() == [
        ["as late as possible", "computed as soon as possible"],
        ["constraint not understood", "soon"],
    ]


def progressed(**rules: Any) -> Schedule:
    """Compute a network seen from Monday 16 March: A is done, B and C have begun, C out of sequence."""
    started = {"A": "2026-03-02", "B": "2026-03-09", "C": "2026-03-12"}
    stamps = {task: pd.Timestamp(day) for task, day in started.items()}
    net = built(
        {"A": (5, ""), "B": (10, "A"), "C": (4, "B"), "D": (2, "C")},
        start_actual_on=stamps, finish_actual_on={"A": pd.Timestamp("2026-03-06")},
        percent_complete={"B": 0.5, "C": 0.25},
    )  # fmt: skip
    return dated(net, resumes_on=date(2026, 3, 16), **rules)


def test_progress_by_retained_logic() -> None:
    """What is left of a task that began too early waits for the task before it; what is done has no float."""
    found = progressed()
    assert dates(found, of="A") == ("03-02", "03-06")
    assert dates(found, of="B") == ("03-09", "03-20")  # five days left, from Monday 16
    assert dates(found, of="C") == ("03-12", "03-25")  # three days left, after B
    assert dates(found, of="D") == ("03-26", "03-27")
    assert column(found, "standing") == {"A": DONE, "B": CRITICAL, "C": CRITICAL, "D": CRITICAL}
    assert np.isnan(column(found, "total_float_days")["A"])


def test_progress_by_override() -> None:
    """What is left of a task that began too early goes on at once, and what comes before it gains float."""
    found = progressed(progress="override")
    assert dates(found, of="C") == ("03-12", "03-18")
    assert dates(found, of="D") == ("03-19", "03-20")
    assert column(found, "total_float_days")["B"] == 0  # B itself ends on Friday 20, as the project does


def test_remaining_days_go_before_progress() -> None:
    """What is left is what the return says; where it says nothing, duration less progress."""
    rows, links = tables({"A": (10, ""), "B": (10, "")}, percent_complete={"A": 0.5, "B": 0.5})
    found = dated(network(rows.assign(remaining_days=[8.0, np.nan]), links=links))
    assert (dates(found, of="A")[1], dates(found, of="B")[1]) == ("03-11", "03-06")


def test_loops_are_named_and_leave_other_projects_alone() -> None:
    """Each loop is named with its tasks in order; its project is not computed, and says so, while others are."""
    rows, links = tables({"A": (1, "C"), "B": (1, "A"), "C": (1, "B"), "D": (1, "D")})
    sound = rows.assign(project_id="Q", task_id=rows["task_id"] + "2").head(1)
    net = network(pd.concat([rows, sound], ignore_index=True), links=links)
    assert net.faults["detail"].tolist() == ["A → B → C → A", "D → D"]
    found = schedule(net)
    told = found.paths.set_index("task_id")
    assert told.loc["B", "reason"] == "its network has a loop: A → B → C → A"
    assert np.isnan(told.loc["B", "early_start"])
    assert (told.loc["A2", "early_finish"], told.loc["A2", "reason"]) == (1, "")
    assert crashing(crashable({"A": (1, "A")}, crash={}, costs={}), finish_days=1).reason.startswith("its network has")
    assert pert(net)["reason"].tolist()[0].startswith("its network has a loop")


def test_what_cannot_be_computed_is_named() -> None:
    """A link that leads nowhere or to a summary, a task that stands twice and one without duration are faults."""
    rows, _ = tables({"A": (1, ""), "S": (1, ""), "B": (1, ""), "N": (1, "")}, is_summary={"S": True})
    rows.loc[rows["task_id"] == "N", "duration_days"] = np.nan
    rows = pd.concat([rows, rows.head(1)], ignore_index=True)
    net = network(rows, links=current("links", [link("A", "X"), link("S", "B")]))
    faults = dated(net).faults
    assert sorted(zip(faults["task_id"], faults["fault"], strict=True)) == [
        ("A", "task twice"), ("N", "no duration"), ("S", "link on a summary task"),
        ("X", "link to a task that is not there"),
    ]  # fmt: skip
    assert net.tasks["task_id"].tolist() == ["A", "B", "N"]


def test_open_ends_and_followers() -> None:
    """A task without predecessor or successor is an open end; followers are all tasks after it, near and far."""
    net = built({"A": (1, ""), "B": (1, "A"), "C": (1, "A"), "D": (1, "BC"), "E": (1, "")})
    ends = open_ends(net)
    assert list(zip(ends["task_id"], ends["missing"], strict=True)) == [
        ("A", "predecessor"), ("E", "predecessor"), ("D", "successor"), ("E", "successor"),
    ]  # fmt: skip
    assert net.followers() == [3, 1, 1, 0, 0]


def test_an_empty_network_is_computed() -> None:
    """A table without tasks gives tables without rows."""
    found = dated(network(current("tasks", []), links=current("links", [])))
    assert (len(found.paths), len(found.finishes), len(found.faults)) == (0, 0, 0)


def test_pert_says_what_it_cannot_tell() -> None:
    """Without three estimates there is no result; estimates out of order count as certain and are counted."""
    assert pert(built({"A": (1, "")})).iloc[0]["reason"] == "no task has three estimates"
    row = estimated({"A": (1, 2, 3), "B": (5, 4, 6)}, {"B": "A"})
    assert (row["expected_days"], row["uncertain_tasks"], row["certain_tasks"]) == (6, 1, 1)
    certain = built({"A": (2, "")}, duration_optimistic_days={"A": 2.0}, duration_pessimistic_days={"A": 2.0})
    assert [pert(certain, deadline_days=days).iloc[0]["chance"] for days in (1.9, 2.0)] == [0, 1]


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6))
def test_pert_of_a_row_adds_up(steps: list[tuple[int, int, int]]) -> None:
    """Of tasks in a row, PERT's mean and variance are the sums of the tasks' means and variances."""
    points = {chr(65 + place): (low, low + a, low + a + b) for place, (low, a, b) in enumerate(steps)}
    row = estimated(points, {name: chr(ord(name) - 1) for name in points if name != "A"})
    single = means(*points.values())
    assert row["expected_days"] == pytest.approx(single["expected_days"].sum())
    assert row["variance"] == pytest.approx(single["variance"].sum())


def test_crashing_says_why_it_cannot() -> None:
    """A deadline that not even the shortest durations keep has no programme, and says so."""
    net = crashable(GENERAL_FOUNDRY, crash=FOUNDRY_CRASH, costs=FOUNDRY_COSTS)
    found = crashing(net, finish_days=6.5)
    assert (found.cost, found.reason) == (None, "even at its shortest the network takes longer than 6.5 days")
    assert found.tasks["shortened_days"].isna().all()
    assert crashing(net, finish_days=7).cost is not None  # A, C, E, G and H at their shortest: 1 + 1 + 2 + 2 + 1


def test_a_day_is_a_day_across_a_change_of_year() -> None:
    """Work goes on over New Year, without the public holidays of the organisation's calendar."""
    kept = WorkingTime.of(calendar_of(WorkingCalendar(country="GB", subdivision="ENG")))
    found = dated(built({"A": (4, "")}), time=kept, resumes_on=date(2026, 12, 30))
    assert dates(found, of="A") == ("12-30", "01-05")  # 1 January is a holiday, 2 and 3 a weekend
    assert MONDAY + timedelta(days=5) == date(2026, 3, 7)
