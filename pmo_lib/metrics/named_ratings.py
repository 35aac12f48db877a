"""The figures that computed ratings end in, each with its definition, its rule and its own rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics import assurance, measures
from pmo_lib.metrics.computed import COLOURS, COUNTS, WHOLE
from pmo_lib.metrics.exceptions import breaches
from pmo_lib.metrics.explained import COUNT, STATES, Given, Measured, NamedFigure, Rows, together
from pmo_lib.metrics.grounds import Grounds, size
from pmo_lib.metrics.judgement import OUTSIDE, Judgement
from pmo_lib.theme import number, share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Find = Callable[["Counted"], tuple[list[str], Rows]]

Told = tuple[list[str], Rows]
RATED = "National Audit Office, Delivering major projects in government, 2016: reliable and consistent measures"
TOLERANCE = "Axelos, Managing Successful Projects with PRINCE2, 2017: tolerance and exception"
QUALITY = "ISO/IEC 25012:2008, Data quality model; the weakest decides"
READ = tuple(dict.fromkeys(name for name in (*measures.NEEDED, *assurance.NEEDED, "overrides") if name != STATES))
MOST_TOLD = 8


@dataclass(frozen=True, eq=False)
class Counted:
    """What is counted in a judgement: in words, one for each thing, and the rows that it rests on."""

    case: Judgement
    known: dict[str, Told] = field(default_factory=dict)

    def told(self, name: str, *, find: Find) -> Told:
        """Return what a figure counts; it is looked for once."""
        if name not in self.known:
            self.known[name] = find(self)
        return self.known[name]

    @cached_property
    def grounds(self) -> Grounds:
        """What the ratings rest on."""
        return Grounds(self.case)

    @cached_property
    def whole(self) -> pd.DataFrame:
        """The overall ratings of this report, without overrides, with the figure that decides each; by name."""
        rows = self.case.rated[self.case.rated["period"].eq(self.case.between.period)]
        return rows[rows["dimension"].eq(WHOLE)].sort_values(["name", "project_id"], kind="stable")

    def coloured(self, colour: str | None) -> Told:
        """Return the projects of a colour; None: those without a rating."""
        ids = self._of_colour(colour)
        return self._named(ids), self._rows(ids)

    def red_inside(self) -> Told:
        """Return the projects that are computed red and reported green, with the rows that say so."""
        status = self.case.between.now(self.case.tables["status"])
        said = self.case.reported.loc[self.case.reported["rating"].eq(OUTSIDE), "source_ref"]
        green = status[status["rating"].eq(OUTSIDE) & status["source_ref"].isin(said)]
        red = self._of_colour(COLOURS[2])
        ids = red[red.isin(green["project_id"])]
        return self._named(ids), together(self._rows(ids), {"status": green[green["project_id"].isin(ids)]})

    def set_aside(self) -> Told:
        """Return the overrides that count, with all that the ratings of their projects rest on."""
        valid = self.case.overrides[self.case.overrides["counts"].eq(COUNTS)]
        if valid.empty:
            return [], {}
        given = self.case.tables["overrides"].sort_values("period", kind="stable")
        last = given.drop_duplicates(["project_id", "dimension"], keep="last")
        last = last[last["source_ref"].isin(valid["source_ref"]) & last["project_id"].isin(valid["project_id"])]
        pairs = self.grounds.read(self.grounds.of_all(valid["project_id"]))
        words = valid["name"] + ": " + valid["dimension"] + " from " + valid["computed"] + " to " + valid["rating_to"]
        return list(words), together(self.grounds.rows(pairs, ids=valid["project_id"]), {"overrides": last})

    def unassured(self) -> Told:
        """Return the projects with a computed rating that their data cannot carry, with what the data is judged by."""
        assured = self.case.assured.set_index("project_id")
        rated = self.whole[self.whole["rating"].notna()].join(assured[["assured", "weakest", "share"]], on="project_id")
        weak = rated[~rated["assured"].astype("bool")]
        if weak.empty:
            return [], {}
        words = weak["name"] + " (" + weak["weakest"] + " " + weak["share"].map(share) + ")"
        ids = weak["project_id"]
        return list(words), together(self._rows(ids), self.grounds.of_the_data(ids))

    def breached(self) -> Told:
        """Return the figures that are above their red limits, one for each project and dimension."""
        found = breaches(self.case.rated, period=self.case.between.period).sort_values("name", kind="stable")
        words = [_with_limit(row, limit=row["red"]) for row in found.to_dict("records")]
        return words, self.grounds.rows(self.grounds.of_exceptions, ids=found["project_id"])

    def _of_colour(self, colour: str | None) -> pd.Series:
        rating = self.whole["rating"]
        return self.whole.loc[rating.isna() if colour is None else rating.eq(colour), "project_id"]

    def _rows(self, ids: pd.Series) -> Rows:
        return self.grounds.rows(self.grounds.of_whole, ids=ids) if len(ids) else {}

    def _named(self, ids: pd.Series) -> list[str]:
        """Name projects, each with the figure that makes its rating."""
        rows = self.whole[self.whole["project_id"].isin(ids)].to_dict("records")
        return [
            _with_limit(row, limit=row[row["raw"]] if row["raw"] in COLOURS[1:] else None)
            + (" (held from an earlier report)" if row["raw"] != row["rating"] and row["rating"] in COLOURS[1:] else "")
            for row in rows
        ]


def named_ratings(case: Judgement) -> Iterator[NamedFigure]:
    """Yield the figures of a judgement."""
    by, weak = f"against {case.standard}", share(case.settings.thresholds.data_red)
    worst = "whose worst of time, cost, scope and benefits is computed"
    few = "Projects of which too little is known for a rating, and nothing that is known is amber or red"
    carried = "that their data cannot carry: the weakest of completeness, freshness and reconciliation is below"
    told: tuple[tuple[str, str, str, Find], ...] = (
        ("computed_green", f"Projects whose time, cost, scope and benefits are all computed green, {by}", RATED,
         lambda found: found.coloured("green")),
        ("computed_amber", f"Projects {worst} amber, {by}", RATED, lambda found: found.coloured("amber")),
        ("computed_red", f"Projects {worst} red, {by}", RATED, lambda found: found.coloured("red")),
        ("computed_unknown", f"{few}, {by}", RATED, lambda found: found.coloured(None)),
        ("green_outside_red_inside", f"Projects that a rater calls green and that are computed red, {by}", RATED,
         Counted.red_inside),
        ("overrides_in_force", "Overrides of computed ratings with a reason, evidence, an approver and an expiry",
         RATED, Counted.set_aside),
        ("ratings_not_assured", f"Projects with a computed rating {carried} {weak}", QUALITY, Counted.unassured),
        ("exceptions", f"Figures above their red limits, one for each project and dimension, {by}", TOLERANCE,
         Counted.breached),
    )  # fmt: skip
    found = Counted(case)
    for name, definition, source, find in told:
        formula = f"count of such {definition.split()[0].lower()}: {{names}}"
        yield NamedFigure(
            name,
            definition,
            formula,
            COUNT,
            source,
            READ,
            _select(found, name=name, find=find),
            _tally(name, find=find),
            by_itself if find is Counted.unassured else again,
        )


def _select(found: Counted, *, name: str, find: Find) -> Callable[[], Rows]:
    return lambda: found.told(name, find=find)[1]


def _tally(name: str, *, find: Find) -> Callable[..., Measured]:
    """Return a ``compute`` that counts what is found; n is the number of the rows that this rests on."""

    def compute(counted: Counted | None, *, given: Given) -> Measured:
        words, rows = counted.told(name, find=find) if counted else ([], {})
        return Measured(float(len(words)), size(rows), {"names": listed(words)})

    return compute


def again(rows: Rows, *, given: Given) -> Counted | None:
    """Judge again by these rows alone; None where no project is among them."""
    if rows["projects"].empty:
        return None
    return Counted(Judgement(rows, settings=given.settings, between=given.between, **given.numbers["intake"]))


def by_itself(rows: Rows, *, given: Given) -> Counted | None:
    """Judge again, apart from other figures: beside their rows those of a project would not be all that it returned."""
    return again(rows, given=given)


def listed(words: list[str]) -> str:
    """Join the first few, and say how many more there are."""
    more = len(words) - MOST_TOLD
    return "; ".join(words[:MOST_TOLD]) + (f"; and {more} more" if more > 0 else "") or "none"


def _with_limit(row: dict[Any, Any], *, limit: float | None) -> str:
    """Write a project with its figure and the limit that this is above."""
    if limit is None or pd.isna(row["value"]):
        return str(row["name"])
    return f"{row['name']} ({row['measure']} {_amount(row['value'], row=row)} > {_amount(limit, row=row)})"


def _amount(value: float, *, row: dict[Any, Any]) -> str:
    return share(value, decimals=1) if row["unit"] == "share" else f"{number(value, decimals=0)} {row['unit']}"
