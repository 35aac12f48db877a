"""A schedule network as a graph: tasks and links that can be computed, in order, and what is wrong with the rest.

The tasks of the network are those of the table ``tasks`` that are no summaries. Tasks of several projects may stand in
one table; a link joins two tasks of one project.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("fs", "ss", "ff", "sf")
FAULT_COLUMNS = ("project_id", "task_id", "fault", "detail")
LOOP, UNKNOWN_TASK, ON_SUMMARY, NO_DURATION, UNREADABLE_CONSTRAINT, LATE_AS_POSSIBLE, TWICE = (
    "loop", "link to a task that is not there", "link on a summary task", "no duration", "constraint not understood",
    "as late as possible", "task twice",
)  # fmt: skip
CONSTRAINTS = {
    "mso": "must start on",
    "mfo": "must finish on",
    "snet": "start no earlier than",
    "snlt": "start no later than",
    "fnet": "finish no earlier than",
    "fnlt": "finish no later than",
}
HARD = ("mso", "mfo", "snlt", "fnlt")
WITHOUT_DATE = {"asap": "as soon as possible", "alap": "as late as possible"}
ALIASES = {alias: kind for kind, name in (CONSTRAINTS | WITHOUT_DATE).items() for alias in (kind, name)}
_CONSTRAINT = re.compile(r"(?P<words>[a-z ]+?)[ :]*(?P<day>\d{4}-\d{2}-\d{2})?", re.IGNORECASE)


class Link(NamedTuple):
    """A link between two tasks by their places in the network; ``lag`` in working days, negative is a lead."""

    before: int
    after: int
    kind: str
    lag: float


class Constraint(NamedTuple):
    """A date constraint: a key of :data:`CONSTRAINTS`, or ``alap``."""

    kind: str
    day: date | None


@dataclass(frozen=True)
class Network:
    """What can be computed of a table of tasks.

    Attributes
    ----------
    tasks
        Rows without summaries, each task once, in the order of the table; a task is known by its place here.
    links
        Links between them.
    order
        Places of the tasks, every task after those before it; a project with a loop is left out.
    faults
        :data:`FAULT_COLUMNS`: what is wrong, and with which task. Nothing is left out in silence.
    """

    tasks: pd.DataFrame
    links: tuple[Link, ...]
    order: tuple[int, ...]
    faults: pd.DataFrame

    @property
    def looped(self) -> dict[str, str]:
        """The loop of each project that has one, as ``A → B → A``."""
        loops = self.faults[self.faults["fault"] == LOOP].drop_duplicates("project_id")
        return dict(zip(loops["project_id"], loops["detail"], strict=True))

    def neighbours(self) -> tuple[list[list[Link]], list[list[Link]]]:
        """Return the links into each task, and those out of each."""
        into: list[list[Link]] = [[] for _ in range(len(self.tasks))]
        out: list[list[Link]] = [[] for _ in range(len(self.tasks))]
        for link in self.links:
            into[link.after].append(link)
            out[link.before].append(link)
        return into, out

    def followers(self) -> list[int]:
        """Return how many tasks come after each one, directly or through others; 0 in a project with a loop."""
        reached = [0] * len(self.tasks)
        _, out = self.neighbours()
        for place in reversed(self.order):
            for link in out[place]:
                reached[place] |= reached[link.after] | 1 << link.after
        return [tasks.bit_count() for tasks in reached]


def network(tasks: pd.DataFrame, *, links: pd.DataFrame) -> Network:
    """Return the graph of the contract's tables ``tasks`` and ``links``.

    Only ``project_id``, ``task_id`` and, of links, ``predecessor_id, successor_id, type`` (empty: fs) and ``lag_days``
    (empty: 0) are needed. Loops, links that lead nowhere and tasks that stand twice are named in ``faults``.
    """
    summary = tasks["is_summary"].fillna(False).astype(bool) if "is_summary" in tasks else pd.Series(False, tasks.index)
    twice = tasks.duplicated(["project_id", "task_id"])
    kept = tasks[~summary & ~twice].reset_index(drop=True)
    places = {key: place for place, key in enumerate(keys_of(kept))}
    faults = [(project, task, TWICE, "the first row is used") for project, task in keys_of(tasks[twice])]
    summaries = set(keys_of(tasks[summary]))
    known: list[Link] = []
    for row in _links(links):
        ends = (row["project_id"], row["predecessor_id"]), (row["project_id"], row["successor_id"])
        missing = [end for end in ends if end not in places]
        if missing:
            what = ON_SUMMARY if missing[0] in summaries else UNKNOWN_TASK
            faults.append((*missing[0], what, f"{row['predecessor_id']} → {row['successor_id']}"))
        else:
            known.append(Link(places[ends[0]], places[ends[1]], row["type"], row["lag_days"]))
    projects, names = kept["project_id"].tolist(), kept["task_id"].tolist()
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(kept)))
    graph.add_edges_from((link.before, link.after) for link in known)
    for loop in _loops(graph):
        told = " → ".join(names[place] for place in (*loop, loop[0]))
        faults.append((projects[loop[0]], names[loop[0]], LOOP, told))
    looped = {project for project, _, fault, _ in faults if fault == LOOP}
    graph.remove_nodes_from([place for place, project in enumerate(projects) if project in looped])
    table = pd.DataFrame(faults, columns=list(FAULT_COLUMNS)).astype("str")
    return Network(kept, tuple(known), tuple(nx.topological_sort(graph)), table)


def constraints_of(text: Any) -> tuple[list[Constraint], list[str]]:
    """Return the constraints that a cell holds, and the parts of it that cannot be understood.

    Several are separated by ``;``, each a short or long name with a date: ``snet 2026-03-01``.

    >>> constraints_of("start no earlier than 2026-03-01; soon")
    ([Constraint(kind='snet', day=datetime.date(2026, 3, 1))], ['soon'])
    """
    found, unread = [], []
    for part in str(text).split(";") if isinstance(text, str) else ():
        match = _CONSTRAINT.fullmatch(part.strip())
        kind = ALIASES.get(" ".join(match["words"].lower().split())) if match else None
        day = _day(match["day"]) if match and match["day"] else None
        if kind is not None and (day is not None or kind in WITHOUT_DATE):
            found.extend([Constraint(kind, day)] if kind != "asap" else [])
        elif part.strip():
            unread.append(part.strip())
    return found, unread


def keys_of(tasks: pd.DataFrame) -> list[tuple[str, str]]:
    """Return project and task of each row."""
    return list(zip(tasks["project_id"].tolist(), tasks["task_id"].tolist(), strict=True))


def open_ends(net: Network) -> pd.DataFrame:
    """Return the tasks without a predecessor or without a successor: ``project_id, task_id, name, missing``."""
    into, out = net.neighbours()
    rows = [
        (place, missing)
        for missing, links in (("predecessor", into), ("successor", out))
        for place, found in enumerate(links)
        if not found
    ]
    table = net.tasks.iloc[[place for place, _ in rows]][["project_id", "task_id", "name"]].reset_index(drop=True)
    return table.assign(missing=pd.Series([missing for _, missing in rows], dtype="str"))


def _links(links: pd.DataFrame) -> Iterator[dict[str, Any]]:
    kind = links["type"].fillna("fs").str.lower() if "type" in links else "fs"
    lag = links["lag_days"].fillna(0.0).astype("float64") if "lag_days" in links else 0.0
    table = links[["project_id", "predecessor_id", "successor_id"]].assign(type=kind, lag_days=lag)
    for row in table.to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def _loops(graph: nx.DiGraph[int]) -> Iterator[list[int]]:
    """Yield one loop of every knot of tasks that wait for each other, from its first task on."""
    knots = [sorted(knot) for knot in nx.strongly_connected_components(graph)]
    for knot in sorted(knots):
        if len(knot) > 1 or graph.has_edge(knot[0], knot[0]):
            edges = nx.find_cycle(graph.subgraph(knot), source=knot[0])
            loop = [edge[0] for edge in edges]
            first = loop.index(min(loop))
            yield loop[first:] + loop[:first]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
