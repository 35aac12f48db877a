"""Networks in all trials at once: against networkx, a published network, and every rule of progress."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from pmo_lib.errors import ReportError
from pmo_lib.metrics.distributions import quantiles
from pmo_lib.metrics.draws import Draws, Variable
from pmo_lib.metrics.simulation import percentile
from pmo_lib.metrics.simulation_schedule import Axis, Named, Schedule, days_left, network, schedule

# Reliable Construction Co. (Hillier and Lieberman, Introduction to Operations Research): o, m, p, predecessors.
RELIABLE: dict[str, tuple[float, float, float, str]] = {
    "A": (1, 2, 3, ""), "B": (2, 3.5, 8, "A"), "C": (6, 9, 18, "B"), "D": (4, 5.5, 10, "C"), "E": (1, 4.5, 5, "C"),
    "F": (4, 4, 10, "E"), "G": (5, 6.5, 11, "D"), "H": (5, 8, 17, "EG"), "I": (3, 7.5, 9, "C"), "J": (3, 9, 9, "FI"),
    "K": (4, 4, 4, "J"), "L": (1, 5.5, 7, "J"), "M": (1, 2, 3, "H"), "N": (5, 5.5, 9, "KL"),
}  # fmt: skip
NO_LINKS = pd.DataFrame({"predecessor_id": [], "successor_id": [], "type": [], "lag_days": []})
WEEKDAYS = np.busdaycalendar()


def tied(*links: tuple[str, str, str, float]) -> pd.DataFrame:
    """Return links: predecessor, successor, type, lag."""
    return pd.DataFrame(links, columns=["predecessor_id", "successor_id", "type", "lag_days"])


def tasks(three: dict[str, tuple[float, float, float]], **stood: dict[str, float]) -> pd.DataFrame:
    """Return tasks with three points; ``begun`` and ``done`` by task."""
    rows = [
        {"task_id": task, "low": low, "likely": likely, "high": high} for task, (low, likely, high) in three.items()
    ]
    table = pd.DataFrame(rows)
    return table.assign(**{name: table["task_id"].map(stood.get(name, {})) for name in ("begun", "done")})


def planned(three: dict[str, tuple[float, float, float]], links: pd.DataFrame, **stood: dict[str, float]) -> Schedule:
    """Return a schedule of Beta-PERT tasks."""
    return schedule(tasks(three, **stood), links=links, kind="pert", named=Named(("P",)))


def certain(**days: float) -> dict[str, tuple[float, float, float]]:
    """Return tasks without spread."""
    return {task: (length, length, length) for task, length in days.items()}


def reliable() -> Schedule:
    """Return the published network."""
    links = [(before, task, "fs", 0.0) for task, row in RELIABLE.items() for before in row[3]]
    return planned({task: row[:3] for task, row in RELIABLE.items()}, tied(*links))


def test_worked_ref_reliable_construction_mc() -> None:
    """Merge bias: the simulated mean is 44.33 and P(≤ 47) 0.816, where PERT along one path says 44 and 0.841."""
    finishes = reliable().finishes(Draws(1, range(40_000)))
    found = {"mean": finishes.mean(), **{f"p{p}": percentile(finishes, share=p / 100) for p in (50, 80, 90)}}
    assert found == pytest.approx({"mean": 44.331, "p50": 44.206, "p80": 46.812, "p90": 48.212}, abs=0.08)
    assert [(finishes <= limit).mean() for limit in (44, 47)] == pytest.approx([0.4725, 0.8159], abs=0.008)


def test_the_mean_is_not_before_the_finish_at_the_means() -> None:
    """The network's mean finish is at least its finish at the mean durations (Jensen)."""
    at_means = {task: ((low + 4 * likely + high) / 6,) * 3 for task, (low, likely, high, _) in RELIABLE.items()}
    links = tied(*[(before, task, "fs", 0.0) for task, row in RELIABLE.items() for before in row[3]])
    assert planned(at_means, links).base == pytest.approx(44.0)
    assert reliable().finishes(Draws(1, range(10_000))).mean() > 44.0


def test_criticality_is_the_share_of_trials_on_a_driving_path() -> None:
    """What every path passes is always critical, two branches share 1 between them, and M after H competes with N."""
    model = reliable()
    found = dict(zip((s.id for s in model.network.steps), model.criticality([Draws(1, range(4_000))]), strict=True))
    assert found["A"] == found["B"] == found["C"] == 1
    assert found["M"] + found["N"] == pytest.approx(1)
    assert found["F"] + found["I"] == pytest.approx(found["J"])
    assert found["K"] + found["L"] == pytest.approx(found["N"])
    # The means of the two ways to the end are 4 apart, their difference has a variance of about 10: Φ(−4 / √10).
    assert found["M"] == pytest.approx(0.103, abs=0.02)


def longest(three: dict[str, tuple[float, float, float]], links: pd.DataFrame) -> float:
    """Return the finish by networkx: the longest path over starts and finishes as nodes."""
    graph = nx.DiGraph()
    for task, (_, likely, _) in three.items():
        graph.add_edge("start", f"{task}<", weight=0.0)
        graph.add_edge(f"{task}<", f"{task}>", weight=likely)
    for row in links.to_dict("records"):
        first, then, lag = row["predecessor_id"], row["successor_id"], row["lag_days"]
        length = three[then][1]
        ends = {"fs": (">", 0), "ss": ("<", 0), "ff": (">", length), "sf": ("<", length)}[row["type"]]
        weight = max(lag - ends[1], graph.get_edge_data(f"{first}{ends[0]}", f"{then}<", {"weight": -1e9})["weight"])
        graph.add_edge(f"{first}{ends[0]}", f"{then}<", weight=weight)
    lengths = {"start": 0.0}
    for node in nx.topological_sort(graph):
        for _, after, data in graph.out_edges(node, data=True):
            lengths[after] = max(lengths.get(after, 0.0), lengths.get(node, 0.0) + data["weight"])
    return max(lengths.values())


@st.composite
def plans(draw: st.DrawFn) -> tuple[dict[str, tuple[float, float, float]], pd.DataFrame]:
    """Make up a network: any of the four links, leads and lags."""
    count = draw(st.integers(1, 8))
    names = [f"T{n}" for n in range(count)]
    three = certain(**{name: float(draw(st.integers(0, 20))) for name in names})
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    found = draw(st.lists(pairs, max_size=12, unique=True)) if count > 1 else []
    links = [
        (names[a], names[b], draw(st.sampled_from(["fs", "ss", "ff", "sf"])), float(draw(st.integers(-5, 5))))
        for a, b in found
    ]
    return three, tied(*links)


@given(plans())
@settings(max_examples=40, deadline=None)
def test_without_spread_it_is_the_critical_path(plan: tuple[Any, pd.DataFrame]) -> None:
    """Monte Carlo with zero spread is the critical path method: networkx's longest path over starts and finishes."""
    three, links = plan
    model = planned(three, links)
    assert model.base == pytest.approx(longest(three, links))
    assert model.finishes(Draws(1, range(3))) == pytest.approx(model.base)
    assert (model.criticality([Draws(1, range(2))]) > 0).any()


@pytest.mark.parametrize(
    ("kind", "lag", "finish"),
    [("fs", 0, 15), ("fs", 3, 18), ("fs", -2, 13), ("ss", 4, 10), ("ff", 2, 12), ("sf", 6, 10)],
)
def test_each_link_lets_the_next_task_begin_when_it_says(kind: str, lag: float, finish: float) -> None:
    """Ten days, then five: by hand for every kind of link."""
    assert planned(certain(A=10.0, B=5.0), tied(("A", "B", kind, lag))).base == finish


def test_a_loop_is_named() -> None:
    """Tasks that depend on themselves are refused, and named."""
    with pytest.raises(ReportError, match="loop among B, C"):
        network(
            tasks(certain(A=1, B=1, C=1)), links=tied(("A", "B", "fs", 0), ("B", "C", "fs", 0), ("C", "B", "ss", 0))
        )
    with pytest.raises(ReportError, match="no task"):
        network(tasks(certain(A=1))[:0], links=NO_LINKS)


def test_a_link_to_a_task_that_is_not_there_is_left_out() -> None:
    """A link of a summary, or of a task that was not returned, ties nothing."""
    assert planned(certain(A=3.0), tied(("X", "A", "fs", 5), ("A", "Y", "fs", 5))).base == 3


def test_what_is_done_and_begun_keeps_its_place() -> None:
    """Done work never moves; begun work waits for its predecessors and goes on (retained logic); starts stay starts."""
    links = tied(("A", "B", "fs", 5.0), ("B", "C", "ss", 2.0), ("D", "C", "fs", 0.0))
    days = {**certain(A=0.0, B=4.0, C=6.0), "D": (1.0, 3.0, 9.0)}
    model = planned(days, links, begun={"A": -20.0, "B": -10.0}, done={"A": -12.0})
    place = {step.id: at for at, step in enumerate(model.network.steps)}
    passed, finishes = model.passed(Draws(1, range(500)))
    assert (passed.finishes[place["A"]] == -12).all()
    assert (passed.finishes[place["B"]] == 4).all()
    assert np.array_equal(passed.resumes[place["C"]], passed.finishes[place["D"]])
    assert np.array_equal(finishes, passed.finishes[place["C"]])
    late = planned(days, tied(("D", "B", "fs", 0.0)), begun={"B": -10.0})
    assert late.base == 7


def test_risks_delay_the_task_or_the_finish() -> None:
    """A delay of a task off the critical path uses its float first; one of a task that is done is ignored."""
    links = tied(("A", "C", "fs", 0.0), ("B", "C", "fs", 0.0))
    model = planned(certain(A=10.0, B=4.0, C=2.0), links, done={})
    delay = Variable(("P", "R"), quantiles("pert", low=5.0, likely=5.0, high=5.0))
    place = {step.id: at for at, step in enumerate(model.network.steps)}

    def with_risk(at: int | None, of: Schedule) -> float:
        return float(Schedule(of.network, of.days, of.likely, ((at, delay),)).finishes(Draws(1, range(1)))[0])

    assert [with_risk(at, model) for at in (None, place["A"], place["B"])] == [17, 17, 12]
    over = planned(certain(A=0.0, B=4.0), NO_LINKS, begun={"A": -9.0}, done={"A": -1.0})
    at = [step.id for step in over.network.steps].index("A")
    assert with_risk(at, over) == 4


def test_an_opportunity_never_finishes_before_the_status_date() -> None:
    """A saving larger than what is left ends at the status date."""
    model = planned(certain(A=3.0), NO_LINKS)
    saving = Variable(("P", "R"), quantiles("pert", low=9.0, likely=9.0, high=9.0).times(-1.0))
    assert Schedule(model.network, model.days, model.likely, ((None, saving),)).finishes(
        Draws(1, range(2))
    ).tolist() == [0, 0]


def test_the_batch_of_trials_changes_no_digit() -> None:
    """A network simulated in batches makes the same bytes as in one."""
    model = reliable()
    parts = [model.finishes(Draws(1, range(start, start + 250))) for start in range(0, 1_000, 250)]
    assert np.concatenate(parts).tobytes() == model.finishes(Draws(1, range(1_000))).tobytes()


def returned(**columns: Any) -> pd.DataFrame:
    """Return one returned task."""
    row = {
        "project_id": "P", "task_id": "T", "name": "Task", "duration_days": 10.0, "duration_optimistic_days": 8.0,
        "duration_pessimistic_days": 16.0, "start_actual_on": None, "finish_actual_on": None, "percent_complete": None,
        "is_summary": False, "is_milestone": False,
    }  # fmt: skip
    table = pd.DataFrame([row | columns])
    for name in ("start_actual_on", "finish_actual_on"):
        table[name] = pd.to_datetime(table[name])
    return table.astype({"percent_complete": "float64", "is_summary": "boolean", "is_milestone": "boolean"})


def left(**columns: Any) -> dict[str, Any]:
    """Return what is left of it on Wednesday 30 September 2026."""
    rows = days_left(returned(**columns), axis=Axis(pd.Timestamp("2026-09-30"), WEEKDAYS))
    return rows.iloc[0].to_dict() if len(rows) else {}


def test_what_is_left_of_a_task() -> None:
    """Three points × (1 − share complete); what is done has none left; a start is the beginning of its day."""
    assert [left()[name] for name in ("low", "likely", "high")] == [8, 10, 16]
    begun = left(percent_complete=0.25, start_actual_on="2026-09-30")
    assert [begun[name] for name in ("low", "likely", "high", "begun")] == [6, 7.5, 12, -1]
    done = left(start_actual_on="2026-09-21", finish_actual_on="2026-09-28")
    assert [done[name] for name in ("high", "begun", "done", "reason")] == [0, -8, -2, ""]
    assert left(percent_complete=1.0)["done"] == 0
    assert left(is_summary=True) == {}


@pytest.mark.parametrize(
    ("given_points", "reason"),
    [
        ({"duration_optimistic_days": 11.0}, "low above most likely"),
        ({"duration_pessimistic_days": None}, "a point is missing"),
        ({"duration_days": None}, "no duration"),
    ],
)
def test_a_task_without_a_range_is_taken_as_certain_and_told(given_points: dict[str, Any], reason: str) -> None:
    """Where the three points are none, the most likely duration counts without spread, with the reason."""
    row = left(**given_points)
    assert row["reason"] == reason
    assert row["low"] == row["likely"] == row["high"]


def test_days_are_counted_on_the_working_calendar() -> None:
    """The status date is 0, the next working day 1; weekends and holidays are none; half a day is a day."""
    axis = Axis(pd.Timestamp("2026-10-02"), np.busdaycalendar(holidays=["2026-10-05"]))
    days = pd.Series(pd.to_datetime(["2026-10-02", "2026-10-06", "2026-10-01", None]))
    assert axis.until(days).tolist()[:3] == [0, 1, -1]
    assert axis.until(days).isna()[3]
    assert [axis.day(number) for number in (0, 0.2, 1, 2, None)] == [
        *pd.to_datetime(["2026-10-02", "2026-10-06", "2026-10-06", "2026-10-07"]), None,
    ]  # fmt: skip
