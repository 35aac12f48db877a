"""The figures of the health check, each with its definition, its rule and its own rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.metrics.explained import COUNT, OWN_RULE, About, Given, Measured, NamedFigure, Rows, counted
from pmo_lib.metrics.health import decisions_sought
from pmo_lib.metrics.judgement import NEEDED, Judgement
from pmo_lib.metrics.movement import JOINED, LEFT, MOVED_IN, MOVED_OUT, membership, paired
from pmo_lib.metrics.named_ratings import named_ratings
from pmo_lib.metrics.ratings import BETTER, NOT_COMPARABLE, SAME, SCALES, WORSE, ratings
from pmo_lib.metrics.schedule import finish_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATING_SOURCE = "National Audit Office, Delivering major projects in government, 2016"
SCALE_SOURCE = "Infrastructure and Projects Authority, Annual Report on Major Projects: scales of ratings"
LATER = "calendar days; positive is later"
ALIKE = "same project, same rater, same scale, in this report and in the one before"
MOVEMENTS = {
    WORSE: f"Ratings that went towards red: {ALIKE}",
    BETTER: f"Ratings that went towards green: {ALIKE}",
    SAME: f"Ratings that stayed as they were: {ALIKE}",
    NOT_COMPARABLE: "Ratings of projects that were reported before, without a like before them: another rater or "
    "scale, or one side is silent",
}
MEMBERS = {
    JOINED: "Projects of this report that stood in nobody's report before",
    LEFT: "Projects of the report before that stand in nobody's report now; whether they finished is not said",
    MOVED_IN: "Projects of this report that stood in another portfolio's report before",
    MOVED_OUT: "Projects of the report before that stand in another portfolio's report now",
}
FINISHES = {
    "finishes_later": ("Projects whose finish moved later since the report before", "finish now − finish before > 0"),
    "finishes_earlier": ("Projects whose finish moved earlier since the report before",
        "finish now − finish before < 0"),
    "finishes_compared": ("Projects with a finish date in this report and in the one before", "both dates are known"),
}  # fmt: skip
DAYS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "finishes_later": lambda days: days > 0,
    "finishes_earlier": lambda days: days < 0,
    "finishes_compared": lambda days: days.notna(),
}


@dataclass(frozen=True, eq=False)
class Health(About):
    """What the figures of a health check are about."""

    @cached_property
    def named(self) -> dict[str, NamedFigure]:
        """The figures by name."""
        parts = (self._counts(), self._ratings(), self._members(), self._finishes(), self._by_rater(),
                 named_ratings(self.judgement))  # fmt: skip
        return {figure.name: figure for part in parts for figure in part}

    @cached_property
    def judgement(self) -> Judgement:
        """The judgement that made the figures, or the same made again."""
        return self.case or Judgement({name: self.history(name) for name in NEEDED}, **self.terms)

    @cached_property
    def given(self) -> Given:
        """What the figures may know besides rows."""
        intake = {"findings": self.judgement.findings, "fresh": self.judgement.fresh}
        return Given(self.between, self.settings, self.status_on, {"intake": intake})

    @cached_property
    def rated(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.ratings.ratings`."""
        return self.judgement.reported

    @cached_property
    def moved(self) -> pd.DataFrame:
        """Projects with both finish dates, and by how many days they lie apart."""
        return _moved(self.history("projects"), given=self.given)

    @cached_property
    def members(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.movement.membership`."""
        return _members(self.history("projects"), given=self.given)

    def _counts(self) -> Iterator[NamedFigure]:
        here, table = "projects", "decisions"
        yield NamedFigure(
            "projects", "Projects of the portfolio in this report", "count of projects", COUNT, OWN_RULE, (here,),
            lambda: {here: self.now(here).drop_duplicates("project_id")}, counted(here, of="project_id"),
        )  # fmt: skip
        yield NamedFigure(
            "decisions_open", "Decisions that are asked for and not taken at the status date",
            "count of decisions without a day of decision up to the status date", COUNT, OWN_RULE, (table,),
            lambda: {table: self._asked(overdue=False)}, counted(table, where=_open),
        )  # fmt: skip
        yield NamedFigure(
            "decisions_overdue", "Open decisions whose deadline is past at the status date",
            "count of open decisions that were due before the status date", COUNT, OWN_RULE, (table,),
            lambda: {table: self._asked(overdue=True)}, counted(table, where=_overdue),
        )  # fmt: skip

    def _asked(self, *, overdue: bool) -> pd.DataFrame:
        sought = decisions_sought(self.history("decisions"), projects=self.history("projects"), between=self.between)
        chosen = sought[sought["days_left"].lt(0)] if overdue else sought
        return self.rows_at("decisions", places=[(self.between.period, ref) for ref in chosen["source_ref"]])

    def _ratings(self) -> Iterator[NamedFigure]:
        for kind, definition in MOVEMENTS.items():
            comparable = kind != NOT_COMPARABLE
            yield NamedFigure(
                f"ratings_{kind.replace(' ', '_')}", definition, f"count of ratings that are {kind}", COUNT,
                RATING_SOURCE, ("status", "projects"),
                lambda kind=kind, pick=self._pairs if comparable else self._apart: pick(kind),
                lambda rows, given, kind=kind: _judged(rows, given=given, kind=kind),
            )  # fmt: skip

    def _pairs(self, kind: str) -> Rows:
        """Return the status rows, now and before, of the ratings with a movement."""
        chosen = self.rated[self.rated["movement"].eq(kind)]
        before = self.between.before(self.history("status"))
        before = before.sort_values("status_date", ascending=False, kind="stable")
        before = before.drop_duplicates(["project_id", "assessor_role"])
        raters = pd.MultiIndex.from_frame(chosen[["project_id", "assessor_role"]])
        before = before[pd.MultiIndex.from_frame(before[["project_id", "assessor_role"]]).isin(raters)]
        return {"status": pd.concat([self._status_of(chosen), before])}

    def _apart(self, kind: str) -> Rows:
        """Return the rows of ratings without a like before, and those that show that the projects were there before."""
        chosen = self.rated[self.rated["movement"].eq(kind)]
        projects = self.history("projects")
        before = self.between.before(projects).drop_duplicates("project_id")
        silent = chosen[chosen["rating_reason"].eq("no status returned")]
        now = self.between.now(projects).drop_duplicates("project_id")
        parts = [
            before[before["project_id"].isin(chosen["project_id"])],
            now[now["project_id"].isin(silent["project_id"])],
        ]
        return {"status": self._status_of(chosen.drop(silent.index)), "projects": pd.concat(parts)}

    def _status_of(self, rated: pd.DataFrame) -> pd.DataFrame:
        return self.rows_at("status", places=[(self.between.period, ref) for ref in rated["source_ref"]])

    def _members(self) -> Iterator[NamedFigure]:
        for kind, definition in MEMBERS.items():
            yield NamedFigure(
                f"projects_{kind.replace(' ', '_')}", definition, f"count of projects that {kind}", COUNT, OWN_RULE,
                ("projects",), lambda kind=kind: {"projects": self._places(kind)},
                lambda rows, given, kind=kind: _tally(_members(rows["projects"], given=given)["movement"], kind=kind),
            )  # fmt: skip

    def _places(self, kind: str) -> pd.DataFrame:
        ids = self.members.loc[self.members["movement"].eq(kind), "project_id"]
        return self._both(ids)

    def _both(self, ids: pd.Series) -> pd.DataFrame:
        """Return the rows of projects in the two reports, one of each."""
        projects = self.history("projects")
        sides = [side.drop_duplicates("project_id") for side in (self.between.here(projects),
                                                                 self.between.before(projects))]  # fmt: skip
        return pd.concat([side[side["project_id"].isin(ids)] for side in sides])

    def _finishes(self) -> Iterator[NamedFigure]:
        needs = ("projects",)
        for name, (definition, rule) in FINISHES.items():
            yield NamedFigure(
                name, f"{definition} ({self._column})", f"count of projects where {rule}", COUNT, OWN_RULE, needs,
                lambda name=name: {"projects": self._both(self._later(name)["project_id"])},
                lambda rows, given, name=name: _counted_days(rows, given=given, name=name),
            )  # fmt: skip
        yield NamedFigure(
            "finish_later_median_days",
            f"How far the finish dates that moved later moved, in the middle ({self._column})",
            "median of finish now − finish before, where it is above 0: {days}", LATER, OWN_RULE, needs,
            lambda: {"projects": self._both(self._later("finishes_later")["project_id"])}, _median,
        )  # fmt: skip

    @property
    def _column(self) -> str:
        return f"projects, column {finish_column(self.settings)}"

    def _later(self, name: str) -> pd.DataFrame:
        return self.moved[DAYS[name](self.moved["days"])]

    def _by_rater(self) -> Iterator[NamedFigure]:
        """Yield the figures that are named by the raters of the data: ``sro_rated, sro_green …``."""
        for role in sorted(self.rated["assessor_role"].dropna().unique()):
            own = self.rated[self.rated["assessor_role"].eq(role)]
            stem = re.sub(r"[^a-z0-9]+", "_", str(role).lower()).strip("_")
            scales = sorted(own["rating_scale"].dropna().unique())
            ratings_used = dict.fromkeys(rating for scale in scales for rating in SCALES[scale])
            for rating in ("", *ratings_used):
                words = f"Projects that {role} rates {rating}" if rating else f"Projects that {role} rates at all"
                yield NamedFigure(
                    f"{stem}_{rating.replace('/', '_') or 'rated'}", words, "count of " + words[0].lower() + words[1:],
                    COUNT, SCALE_SOURCE, ("status",),
                    lambda own=own, rating=rating: {"status": self._status_of(own[_given(own, rating=rating)])},
                    counted("status", where=_by(str(role), rating=rating), of="project_id"),
                    label=f"{role} {rating or 'rated'}",
                )  # fmt: skip


def _given(rows: pd.DataFrame, *, rating: str) -> pd.Series:
    return rows["rating"].eq(rating) if rating else rows["rating"].notna()


def _by(role: str, *, rating: str) -> Callable[..., pd.Series]:
    return lambda rows, given: rows["assessor_role"].eq(role) & _given(rows, rating=rating)


def _open(rows: pd.DataFrame, *, given: Given) -> pd.Series:
    return rows["decided_on"].isna() | rows["decided_on"].gt(rows["status_date"])


def _overdue(rows: pd.DataFrame, *, given: Given) -> pd.Series:
    return _open(rows, given=given) & rows["due_on"].lt(rows["status_date"])


def _judged(rows: Rows, *, given: Given, kind: str) -> Measured:
    known = {name: rows[name] for name in ("projects", "states")}
    found = ratings(rows["status"], between=given.between, **known)
    return _tally(found["movement"], kind=kind)


def _tally(kinds: pd.Series, *, kind: str) -> Measured:
    n = int(kinds.eq(kind).sum())
    return Measured(float(n), n, {})


def _members(projects: pd.DataFrame, *, given: Given) -> pd.DataFrame:
    between = given.between
    return membership(projects, portfolio_id=between.portfolio_id, period=between.period, since=between.since)


def _moved(projects: pd.DataFrame, *, given: Given) -> pd.DataFrame:
    pairs = paired(projects, column=finish_column(given.settings), between=given.between)
    pairs = pairs[~pairs["movement"].isin([LEFT, MOVED_OUT])]
    days = (pd.to_datetime(pairs["now"]) - pd.to_datetime(pairs["before"])).dt.days
    return pairs.assign(days=days.astype("float64"))


def _counted_days(rows: Rows, *, given: Given, name: str) -> Measured:
    n = int(DAYS[name](_moved(rows["projects"], given=given)["days"]).sum())
    return Measured(float(n), n, {})


def _median(rows: Rows, *, given: Given) -> Measured:
    days = _moved(rows["projects"], given=given)["days"]
    later = days[days > 0].sort_values()
    told: Any = ", ".join(f"{value:.0f}" for value in later) if len(later) <= 12 else (
        f"{len(later)} values from {later.min():.0f} to {later.max():.0f}")  # fmt: skip
    return Measured(float(later.median()) if len(later) else None, len(later), {"days": told})
