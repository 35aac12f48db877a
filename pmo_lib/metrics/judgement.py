"""How the projects stand by their figures, beside what their raters say: ratings, exceptions, actions, gates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.metrics import (
    assurance as data,
    baselines as versions,
    cohorts,
    computed as rules,
    exceptions as beyond,
    gates as stages,
    health,
    measures as evidence,
    ratings as judges,
)
from pmo_lib.metrics.computed import COLOURS, COUNTS, WHOLE, Standard
from pmo_lib.metrics.measures import CURRENT, FLAGS, ORIGINAL, OVERALL
from pmo_lib.metrics.movement import names_of, status_dates
from pmo_lib.metrics.schedule import finish_column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.metrics.movement import Between
    from pmo_lib.parameters.models import Organisation

NEEDED = tuple(dict.fromkeys((*evidence.NEEDED, "actions", "decisions", "overrides", *data.NEEDED)))
COMPUTED, SCALE = "computed", "three-point"
OUTSIDE, INSIDE = "green", "red"
RATED_BY = "rated by"
SHOWN = (WHOLE, *OVERALL, *FLAGS, data.DATA)
RATING_COLUMNS = (
    "project_id", "name", "kind", "dimension", "rating", "shown", "raw", "computed", "measure", "value", "unit",
    "amber", "red", "scale", "overridden", "assured", "reason", "against", "source_ref",
)  # fmt: skip
OUTSIDE_COLUMNS = (
    "project_id", "name", "assessor_role", "rating_scale", "rating", "computed", "raw", "rating_now", "dimension",
    "measure", "value", "unit", "red", "assured", "source_ref",
)  # fmt: skip
PUBLISHED_COLUMNS = (
    "project_id", "name", "computed", "raw", "rating", "overridden", "assured", "reason", *OVERALL, *FLAGS, data.DATA,
    "against", "rules",
)  # fmt: skip
PUBLISHED_EXCEPTION = ("project_id", "name", "dimension", "measure", "value", "unit", "red", "first_period", "ask")


@dataclass(frozen=True, eq=False)
class Judgement:
    """All that one report says of ratings, exceptions, actions, gates and artefacts.

    Parameters
    ----------
    tables
        Histories of :data:`NEEDED`.
    findings
        Intake's findings about this return.
    settings
        Limits, rules of rating, working calendar, rates.
    between
        The two reports.
    year_ago
        Period of the same month last year, if there is one.
    fresh
        Whether the figures are those of the period that was asked for.
    """

    tables: Mapping[str, pd.DataFrame]
    findings: pd.DataFrame
    settings: Organisation
    between: Between
    year_ago: str | None = None
    fresh: bool = True

    @cached_property
    def status_on(self) -> pd.Timestamp:
        """The day that this report speaks of."""
        end = pd.Period(self.between.period, freq="M").end_time.normalize()
        return pd.Timestamp(status_dates(self.tables["status"]).get(self.between.period, end))

    @property
    def projects(self) -> pd.DataFrame:
        """History of the projects."""
        return self.tables["projects"]

    @cached_property
    def now(self) -> pd.DataFrame:
        """Our projects in this report, by id."""
        return self.between.now(self.projects).drop_duplicates("project_id").set_index("project_id", drop=False)

    # --- reported -------------------------------------------------------------------------------------------

    @cached_property
    def reported(self) -> pd.DataFrame:
        """What the raters said; see :func:`pmo_lib.metrics.ratings.ratings`."""
        return judges.ratings(
            self.tables["status"], projects=self.projects, states=self.tables["states"], between=self.between
        )

    def _comparisons(self, status: pd.DataFrame) -> pd.DataFrame:
        return judges.comparisons(
            status,
            projects=self.projects,
            states=self.tables["states"],
            between=self.between,
            year_ago=self.year_ago,
        )

    @cached_property
    def compared(self) -> pd.DataFrame:
        """What raters said, against the last report and a year ago; see :func:`pmo_lib.metrics.ratings.comparisons`."""
        return self._comparisons(self.tables["status"])

    @property
    def movers(self) -> pd.DataFrame:
        """Ratings that got better or worse, by the same rater."""
        return judges.movers(self.compared)

    @property
    def flows(self) -> pd.DataFrame:
        """Transitions by the same rater, and of what is computed."""
        parts = [judges.flows(self.compared), judges.flows(self._comparisons(self.as_status))]
        return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)

    @property
    def apart(self) -> pd.DataFrame:
        """Ratings that have no like before them."""
        return judges.incomparable(self.compared)

    @property
    def tally(self) -> pd.DataFrame:
        """Ratings by rater and report; see :func:`pmo_lib.metrics.ratings.counts`."""
        return judges.counts(self.tables["status"], states=self.tables["states"], between=self.between)

    # --- computed -------------------------------------------------------------------------------------------

    @cached_property
    def standard(self) -> Standard:
        """Baseline and limits in force."""
        return Standard.in_force(self.settings)

    @cached_property
    def earned(self) -> pd.DataFrame:
        """What earned value said in every report; see :func:`pmo_lib.metrics.measures.estimates`."""
        return evidence.estimates(self.tables, settings=self.settings, between=self.between)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """What the figures say in every report, held against the current baseline; see :func:`measures.measures`."""
        return self._measured(CURRENT)

    @cached_property
    def from_the_start(self) -> pd.DataFrame:
        """The measures that a baseline is part of, against the original one."""
        return self._measured(ORIGINAL)

    def _measured(self, against: str) -> pd.DataFrame:
        return evidence.measures(
            self.tables, settings=self.settings, between=self.between, against=against, earned=self.earned
        )

    @cached_property
    def rated(self) -> pd.DataFrame:
        """Ratings in every report, by the standard in force."""
        return self._rated(self.standard)

    @cached_property
    def by_standard(self) -> dict[Standard, pd.DataFrame]:
        """Ratings in every report, by each standard that the parameters state."""
        stated = [each for each in rules.STANDARDS if each.rules == "today" or self.settings.rating.last_year]
        return {each: self.rated if each == self.standard else self._rated(each) for each in stated}

    @property
    def ranked(self) -> pd.DataFrame:
        """Every measure in every report beside its limits; see :func:`pmo_lib.metrics.computed.ranked`."""
        return rules.ranked(self._held_against(self.standard.against), limits=self.settings.limits(self.standard.rules))

    def _held_against(self, baseline: str) -> pd.DataFrame:
        """Return the measures against a baseline, with those that no baseline is part of."""
        if baseline == CURRENT:
            return self.measured
        flags = self.measured[self.measured["dimension"].isin(FLAGS)]
        return pd.concat([self.from_the_start, flags], ignore_index=True)

    def _rated(self, standard: Standard) -> pd.DataFrame:
        rows, days = self._held_against(standard.against), self.settings.rating.hysteresis_days
        table = rules.rated(rows, limits=self.settings.limits(standard.rules), hysteresis_days=days)
        return table.assign(name=table["project_id"].map(names_of(self.projects)))

    @property
    def as_status(self) -> pd.DataFrame:
        """The computed overall ratings as a rater's: rows of a history of ``status``."""
        whole = self.rated[self.rated["dimension"].eq(WHOLE)]
        status = self.tables["status"]
        rows = whole.rename(columns={"status_on": "status_date"})[["period", "project_id", "status_date", "rating"]]
        rows = rows.assign(
            portfolio_id=self.between.portfolio_id, assessor_role=COMPUTED, rating_scale=SCALE,
            source_ref=rows["project_id"].map(self.now["source_ref"]),
        )  # fmt: skip
        return rows.reindex(columns=status.columns).astype(status.dtypes.to_dict())

    @cached_property
    def assured(self) -> pd.DataFrame:
        """Data quality by project; see :func:`pmo_lib.metrics.assurance.assurance`."""
        tables = {name: self.between.now(self.tables[name]) for name in data.NEEDED} | {"findings": self.findings}
        limits = self.settings.limits(self.standard.rules)
        return data.assurance(tables, projects=self.projects, between=self.between, limits=limits, fresh=self.fresh)

    @cached_property
    def overrides(self) -> pd.DataFrame:
        """Ratings set aside; see :func:`pmo_lib.metrics.computed.overrides`."""
        given = self.tables["overrides"]
        return rules.overrides(given, computed=self.rated, projects=self.projects, period=self.between.period)

    @cached_property
    def present(self) -> pd.DataFrame:
        """The computed ratings of this report, with the overrides that count, and the data rating as a dimension."""
        own = self.rated[self.rated["period"].eq(self.between.period)]
        rows = rules.with_overrides(own, given=self.overrides)
        quality = self.assured.assign(
            dimension=data.DATA, raw=self.assured["rating"], computed=self.assured["rating"], overridden=False,
            measure=self.assured["weakest"], value=self.assured["share"], unit="share",
            amber=self.settings.thresholds.data_amber, red=self.settings.thresholds.data_red,
        )  # fmt: skip
        columns = [*rows.columns.drop(["period", "status_on", "name"])]
        table = pd.concat([rows[columns], quality.reindex(columns=columns)], ignore_index=True)
        return table.join(self.assured.set_index("project_id")["assured"], on="project_id")

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """Reported against computed, worst first.

        Returns
        -------
        DataFrame
            :data:`RATING_COLUMNS`: per project a row for each rater (``kind`` rated by, ``dimension`` the rater) and
            one for each dimension, the whole first (``kind`` computed). ``shown`` is the rating as it is drawn: with
            ``, not assured`` where the data cannot carry it. ``raw`` is what this report's figures say, before
            hysteresis; ``computed`` is without overrides.
        """
        table = self.present.assign(kind=COMPUTED, scale=SCALE)
        told = self.reported[self.reported["assessor_role"].notna()]
        raters = pd.DataFrame(
            {
                "project_id": told["project_id"], "kind": RATED_BY, "dimension": told["assessor_role"],
                "rating": told["rating"].astype("object"), "scale": told["rating_scale"],
                "reason": told["rating_reason"], "assured": True, "overridden": False,
            }
        )  # fmt: skip
        table = pd.concat([part.astype(object) for part in (raters, table) if len(part)], ignore_index=True)
        hatched = table["kind"].eq(COMPUTED) & table["rating"].notna() & table["assured"].eq(False)
        table = table.assign(
            name=table["project_id"].map(self.now["name"]), source_ref=table["project_id"].map(self.now["source_ref"]),
            shown=table["rating"].mask(hatched, table["rating"].astype("str") + f", {data.NOT_ASSURED}"),
            against=str(self.standard),
        )  # fmt: skip
        return self._worst_first(table)[list(RATING_COLUMNS)]

    def _worst_first(self, table: pd.DataFrame) -> pd.DataFrame:
        """Sort by the computed rating, then by the number of red and amber dimensions, then by the worst rater's."""
        marks = table.assign(mark=rules.ranks(table["computed"]))
        whole = marks[marks["dimension"].eq(WHOLE) & marks["kind"].eq(COMPUTED)].set_index("project_id")["mark"]
        sums = marks[marks["dimension"].isin(OVERALL)].groupby("project_id")["mark"].sum()
        place = {rating: at for at, rating in enumerate(RATINGS)}
        said = table.loc[table["kind"].eq(RATED_BY)].assign(mark=lambda rows: rows["rating"].map(place))
        worst = said.assign(mark=said["mark"].astype("float64")).groupby("project_id")["mark"].max()
        ids = table["project_id"]
        keyed = table.assign(
            a=ids.map(whole).astype("float64").fillna(-1.0), b=ids.map(sums).astype("float64").fillna(-1.0),
            c=ids.map(worst).astype("float64").fillna(-1.0), d=table["kind"].eq(COMPUTED),
            e=table["dimension"].map({name: at for at, name in enumerate(SHOWN)}).fillna(-1),
        )  # fmt: skip
        order = keyed.sort_values(
            ["a", "b", "c", "name", "project_id", "d", "e"], ascending=[False, False, False, True, True, True, True],
            kind="stable",
        )  # fmt: skip
        return order.reset_index(drop=True)

    @cached_property
    def outside_green(self) -> pd.DataFrame:
        """Green outside, red inside: ratings reported green whose project is computed red, by name.

        Returns
        -------
        DataFrame
            :data:`OUTSIDE_COLUMNS`, with the figure that makes it red; ``raw`` is what this report's figures alone
            say, ``rating_now`` the rating with overrides.
        """
        whole = self.present[self.present["dimension"].eq(WHOLE)]
        red = whole[whole["computed"].eq(INSIDE)].drop(columns=["dimension"]).rename(columns={"rating": "rating_now"})
        four = self.present[self.present["dimension"].isin(OVERALL)]
        worst = four[four["computed"].eq(INSIDE)].drop_duplicates("project_id")[["project_id", "dimension"]]
        green = self.reported[self.reported["rating"].eq(OUTSIDE)]
        columns = ["project_id", "name", "assessor_role", "rating_scale", "rating", "source_ref"]
        table = green[columns].merge(red.drop(columns=["reason"]), on="project_id").merge(worst, on="project_id")
        order = table.sort_values(["name", "assessor_role"], kind="stable")
        return order.reindex(columns=list(OUTSIDE_COLUMNS)).reset_index(drop=True)

    @property
    def rerated(self) -> pd.DataFrame:
        """How many ratings would differ by another standard; see :func:`pmo_lib.metrics.computed.compare`.

        Empty where no rating can be computed by any of them.
        """
        table = rules.compare(self.by_standard, in_force=self.standard, period=self.between.period)
        return table if table[list(COLOURS)].fillna(0).to_numpy().sum() else table.iloc[:0]

    # --- what is done about it ------------------------------------------------------------------------------

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """Decisions sought; see :func:`pmo_lib.metrics.health.decisions_sought`."""
        known = {"projects": self.projects, "states": self.tables["states"]}
        return health.decisions_sought(self.tables["decisions"], between=self.between, **known)

    @cached_property
    def exceptions(self) -> pd.DataFrame:
        """Tolerances breached; see :func:`pmo_lib.metrics.exceptions.exceptions`."""
        return beyond.exceptions(self.rated, tables=self.tables, between=self.between, status_on=self.status_on)

    @property
    def actions(self) -> pd.DataFrame:
        """Corrective actions; see :func:`pmo_lib.metrics.exceptions.corrective_actions`."""
        return beyond.corrective_actions(
            self.exceptions,
            actions=self.tables["actions"],
            measured=self._held_against(ORIGINAL),
            between=self.between,
            status_on=self.status_on,
        )

    @cached_property
    def steps(self) -> pd.DataFrame:
        """From asked to helped; see :func:`pmo_lib.metrics.exceptions.loop`."""
        return beyond.loop(
            self.tables,
            measured=self.from_the_start,
            between=self.between,
            status_on=self.status_on,
            effect_days=self.settings.rating.effect_days,
        )

    @cached_property
    def ready(self) -> pd.DataFrame:
        """Artefacts; see :func:`pmo_lib.metrics.gates.readiness`."""
        artefacts = self.tables["artefacts"]
        return stages.readiness(artefacts, projects=self.projects, between=self.between, status_on=self.status_on)

    @cached_property
    def gates(self) -> pd.DataFrame:
        """Gates; see :func:`pmo_lib.metrics.gates.calendar`."""
        until = self.status_on + pd.Timedelta(days=self.settings.thresholds.milestone_horizon_days)
        return stages.calendar(
            self.tables["gates"],
            ready=self.ready,
            projects=self.projects,
            between=self.between,
            window=(self.status_on, until),
        )

    # --- all of it ------------------------------------------------------------------------------------------

    @property
    def gap(self) -> pd.DataFrame:
        """How far projects are from their baselines; see :func:`pmo_lib.metrics.baselines.variance`."""
        return versions.variance(self.between.now(self.tables["baselines"]), projects=self.between.now(self.projects))

    @property
    def rebaselined(self) -> pd.DataFrame:
        """Every re-baseline; see :func:`pmo_lib.metrics.baselines.rebaselines`."""
        return versions.rebaselines(
            self.between.now(self.tables["baselines"]),
            projects=self.projects,
            status=self.tables["status"],
            limits=self.settings.thresholds,
        )

    @cached_property
    def ends(self) -> cohorts.Finishes:
        """How finish dates moved."""
        return cohorts.Finishes(
            status=self.tables["status"],
            states=self.tables["states"],
            column=finish_column(self.settings),
            projects=self.projects,
            between=self.between,
        )

    def changes(self, past: pd.DataFrame) -> pd.DataFrame:
        """What changed, and what ``past`` promises were worth; see :func:`pmo_lib.metrics.health.changes`."""
        own = judges.ratings(self.as_status, projects=self.projects, states=self.tables["states"], between=self.between)
        return health.changes(
            {"ratings": self.reported, "computed ratings": own},
            finishes=self.ends.moved,
            past=past,
            projects=self.projects,
            between=self.between,
        )

    @cached_property
    def figures(self) -> pd.DataFrame:
        """Return the named figures of the health check; see :func:`pmo_lib.metrics.health.headline`."""
        table = health.headline(
            self.reported,
            finishes=self.ends.moved,
            projects=self.projects,
            decisions=self.tables["decisions"],
            between=self.between,
        )
        return health.in_order(pd.concat([table, self._own_figures()], ignore_index=True))

    def _own_figures(self) -> pd.DataFrame:
        """Count the computed ratings and what follows from them; null where no rating can be computed."""
        whole = self.present[self.present["dimension"].eq(WHOLE)]
        none = None if whole["computed"].notna().any() else "no rating can be computed"
        counts = {f"computed_{colour}": int(whole["computed"].eq(colour).sum()) for colour in COLOURS}
        counts |= {
            "computed_unknown": int(whole["computed"].isna().sum()),
            "green_outside_red_inside": self.outside_green["project_id"].nunique(),
            "overrides_in_force": int(self.overrides["counts"].eq(COUNTS).sum()),
            "ratings_not_assured": int((~whole["assured"].astype("bool") & whole["computed"].notna()).sum()),
        }
        judged = self.present["raw"].notna() & self.present["dimension"].isin(beyond.TOLERANCES)
        rows = [(name, None if none else count, "projects", none) for name, count in counts.items()]
        unknown = None if judged.any() else "no tolerance can be checked"
        rows.append(("exceptions", None if unknown else len(self.exceptions), "exceptions", unknown))
        return pd.DataFrame(rows, columns=["name", "value", "unit", "reason"]).astype({"value": "float64"})

    @property
    def published(self) -> dict[str, pd.DataFrame]:
        """Return the tables that the roll-up reads; see :func:`pmo_lib.metrics.health.published`."""
        told = health.published(
            self.reported,
            finishes=self.ends.moved,
            decisions=self.decisions,
            projects=self.projects,
            between=self.between,
        )
        wide = self.present.pivot(index="project_id", columns="dimension", values="computed")
        whole = self.present[self.present["dimension"].eq(WHOLE)].set_index("project_id")
        table = whole.join(wide.reindex(columns=[*OVERALL, *FLAGS, data.DATA])).reset_index()
        table = table.assign(
            name=table["project_id"].map(self.now["name"]), against=self.standard.against, rules=self.standard.rules
        )
        return told | {
            "computed_ratings": table[list(PUBLISHED_COLUMNS)],
            "exceptions": self.exceptions[list(PUBLISHED_EXCEPTION)],
        }
