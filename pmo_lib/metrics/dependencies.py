"""What projects need of each other: one network over the portfolio, its float, and what breaks.

A dependency has float = the day on which it is needed − the day on which it is promised, in calendar days. What is
promised too late delays the recipient by as much, and that delay is passed on to what the recipient has promised to
others, less the float of each promise (a forward pass over projects instead of tasks, Kelley and Walker 1959). What a
recipient could catch up inside its own plan is not known here, so a delay is the longest that follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import networkx as nx
import pandas as pd

from pmo_lib.metrics.movement import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH, PROVIDER, RECIPIENT, NEITHER = "both sides", "provider only", "recipient only", "neither side"
CLOSED = ("met", "withdrawn")
DEPENDENCY_COLUMNS = (
    "dependency_id", "item", "provider", "recipient", "status", "agreement", "needed_on", "promised_on", "float_days",
    "float_reason", "recipient_days", "reach", "breaks", "source_ref",
)  # fmt: skip


class Edge(NamedTuple):
    """A live dependency between two projects, with its float in days."""

    provider: str
    recipient: str
    spare: float


def dependencies(rows: pd.DataFrame, *, projects: pd.DataFrame) -> pd.DataFrame:
    """Return the open dependencies of one report: :data:`DEPENDENCY_COLUMNS`, least float first.

    Parameters
    ----------
    rows
        The contract's table, of one period.
    projects
        History, for names.

    Returns
    -------
    DataFrame
        ``recipient_days`` is the delay of the recipient if all are provided as promised; ``breaks`` names the projects
        that this one delays, joined by ``; ``; ``reach`` counts those that wait for it, directly or through others.
        Null with ``float_reason`` where a date is missing, or the projects wait for each other in a circle.
    """
    live = rows[~rows["status"].isin(CLOSED)].reset_index(drop=True)
    names = names_of(projects)
    spare = (live["needed_on"] - live["promised_on"]).dt.days.astype("float64")
    ends = live[["provider_project_id", "recipient_project_id"]].astype("object").fillna("").to_numpy().tolist()
    edges = [Edge(str(pair[0]), str(pair[1]), days) for pair, days in zip(ends, spare, strict=True)]
    graph = nx.MultiDiGraph()
    graph.add_edges_from((edge.provider, edge.recipient, {"spare": edge.spare}) for edge in edges)
    circles = {project: _circle(graph, knot=knot, names=names) for knot in _knots(graph) for project in knot}
    delays = _delays(graph, circles=circles)
    reason = pd.Series("", index=live.index, dtype="str").mask(spare.isna(), "needed or promised day not stated")
    for place, edge in enumerate(edges):
        if edge.provider in circles and edge.recipient in circles:
            reason[place] = circles[edge.provider]
    broken = [
        None if why else _broken(edge, graph=graph, delays=delays, circles=circles)
        for edge, why in zip(edges, reason, strict=True)
    ]
    days = [
        None if found is None else found.get(edge.recipient, 0.0) for edge, found in zip(edges, broken, strict=True)
    ]
    table = live.assign(
        provider=[_named(edge.provider, names=names) for edge in edges],
        recipient=[_named(edge.recipient, names=names) for edge in edges],
        agreement=_agreements(live),
        float_days=spare.where(reason.eq("")).astype("Int64"),
        float_reason=reason,
        recipient_days=pd.Series(days, dtype="Float64").astype("Int64"),
        reach=[len({edge.recipient} | nx.descendants(graph, edge.recipient)) for edge in edges],
        breaks=["; ".join(_named(each, names=names) for each in sorted(found or ())) for found in broken],
    )
    order = table.assign(size=spare).sort_values(["size", "dependency_id"], kind="stable")
    return order[list(DEPENDENCY_COLUMNS)].reset_index(drop=True)


def _named(project: str, *, names: pd.Series) -> str:
    return str(names.get(project, project)) or "not stated"


def _agreements(rows: pd.DataFrame) -> pd.Series:
    """Say who agreed; a side that says nothing has not."""
    gives, takes = (rows[f"agreed_by_{side}"].fillna(False).astype(bool) for side in ("provider", "recipient"))
    agreed = pd.Series(NEITHER, index=rows.index, dtype="str").mask(gives, PROVIDER).mask(takes, RECIPIENT)
    return agreed.mask(gives & takes, BOTH)


def _knots(graph: nx.MultiDiGraph) -> Iterator[list[str]]:
    """Yield the projects of each circle."""
    for knot in sorted(sorted(each) for each in nx.strongly_connected_components(graph)):
        if len(knot) > 1 or graph.has_edge(knot[0], knot[0]):
            yield knot


def _circle(graph: nx.MultiDiGraph, *, knot: list[str], names: pd.Series) -> str:
    circle = [edge[0] for edge in nx.find_cycle(graph.subgraph(knot), source=knot[0])]
    told = " → ".join(_named(each, names=names) for each in (*circle, circle[0]))
    return f"they wait for each other: {told}"


def _delays(graph: nx.MultiDiGraph, *, circles: dict[str, str]) -> dict[str, float]:
    """Return by how many days each project is delayed by those that it waits for; circles pass nothing on."""
    delays: dict[str, float] = {}
    sound = graph.subgraph([each for each in graph if each not in circles])
    for project in nx.lexicographical_topological_sort(sound):
        coming = [
            delays[before] - data["spare"]
            for before, _, data in sound.in_edges(project, data=True)
            if not pd.isna(data["spare"])
        ]
        delays[project] = max(0.0, *coming) if coming else 0.0
    return delays


def _broken(
    edge: Edge, *, graph: nx.MultiDiGraph, delays: dict[str, float], circles: dict[str, str]
) -> dict[str, float]:
    """Return the projects that one dependency delays, each with the days that come through it."""
    found: dict[str, float] = {}
    ahead = [(edge.recipient, delays.get(edge.provider, 0.0) - edge.spare)]
    while ahead:
        project, days = ahead.pop()
        if days > found.get(project, 0.0):
            found[project] = days
            nexts = graph.out_edges(project, data=True) if project not in circles else ()
            ahead += [(after, days - data["spare"]) for _, after, data in nexts if not pd.isna(data["spare"])]
    return found
