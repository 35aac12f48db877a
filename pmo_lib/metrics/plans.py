"""The plans of a portfolio as a health check asks of them: milestones beside networks, quality, and dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.metrics import milestones as points
from pmo_lib.metrics.calendar import calendar_of
from pmo_lib.metrics.critical_path import CRITICAL, NEAR, Rules, Schedule, schedule
from pmo_lib.metrics.dependencies import dependencies
from pmo_lib.metrics.movement import Between, names_of
from pmo_lib.metrics.network import network
from pmo_lib.metrics.schedule_quality import assessment
from pmo_lib.metrics.working_time import WorkingTime, calendars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.parameters.models import Organisation

NEEDED = ("tasks", "links", "calendars", "dependencies", "status")
PATH_TASKS = (
    "project_id", "name", "task_id", "task", "standing", "start_on", "finish_on", "forecast_on", "later_days",
    "total_float_days", "free_float_days", "followers", "open_tasks", "project_finish_on", "project_forecast_on",
    "reason", "source_ref",
)  # fmt: skip
MOST_NAMED = 6


@dataclass(frozen=True)
class Plans:
    """All that one report says of its plans.

    Parameters
    ----------
    tables
        The contract tables :data:`NEEDED`, of this period.
    milestones, projects
        Histories.
    """

    tables: Mapping[str, pd.DataFrame]
    milestones: pd.DataFrame
    settings: Organisation
    projects: pd.DataFrame
    between: Between

    @cached_property
    def slips(self) -> pd.DataFrame:
        """All milestones; see :func:`pmo_lib.metrics.milestones.slips`."""
        limits = self.settings.thresholds
        return points.slips(self.milestones, projects=self.projects, between=self.between, limits=limits)

    @property
    def due(self) -> pd.DataFrame:
        """Milestones overdue or due soon."""
        return points.due(self.slips)

    @property
    def trend(self) -> pd.DataFrame:
        """Reported dates of the milestones that slip most."""
        return points.trend(self.milestones, slipped=self.slips)

    @property
    def slipping(self) -> pd.DataFrame:
        """Missed and endangered milestones by slip, float and followers."""
        return points.ranked(points.slipping(self.slips), paths=self.computed.paths)

    @cached_property
    def status_on(self) -> pd.Timestamp:
        """The day that the tasks speak of."""
        return pd.Timestamp(self.tables["status"]["status_date"].max())

    @cached_property
    def rules(self) -> Rules:
        """How the networks are computed: open work goes on the day after the status date."""
        limits = self.settings.schedule
        return Rules(
            time=WorkingTime.of(calendar_of(self.settings.working_calendar)),
            calendars=calendars(self.tables["calendars"]),
            resumes_on=(self.status_on + pd.Timedelta(days=1)).date(),
            progress=limits.progress,
            critical_days=limits.critical_days,
            near_days=limits.near_critical_days,
        )

    @cached_property
    def computed(self) -> Schedule:
        """The networks, computed."""
        return schedule(network(self.tables["tasks"], links=self.tables["links"]), rules=self.rules)

    @property
    def critical(self) -> pd.DataFrame:
        """The open tasks that are critical or nearly so: :data:`PATH_TASKS`, by project and early start.

        ``later_days`` = computed finish − forecast finish of the return, calendar days. A network that cannot be
        computed has one row, with its ``reason``.
        """
        found = self.computed
        told = found.paths[found.paths["standing"].isin([CRITICAL, NEAR]) | found.paths["reason"].ne("")]
        told = told[told["reason"].eq("") | ~told.duplicated(["project_id", "reason"])]
        given = self.tables["tasks"].drop_duplicates(["project_id", "task_id"])
        given = given[["project_id", "task_id", "finish_forecast_on", "source_ref"]]
        ends = found.finishes[["project_id", "open_tasks", "finish_on"]].merge(
            given.groupby("project_id")["finish_forecast_on"].max().rename("project_forecast_on").reset_index(),
            on="project_id",
        )
        table = told.merge(given, on=["project_id", "task_id"]).merge(
            ends.rename(columns={"finish_on": "project_finish_on"}), on="project_id"
        )
        table = table.rename(
            columns={
                "name": "task", "start_early_on": "start_on", "finish_early_on": "finish_on",
                "finish_forecast_on": "forecast_on",
            }
        )  # fmt: skip
        table = table.assign(
            name=table["project_id"].map(names_of(self.projects)),
            later_days=(table["finish_on"] - table["forecast_on"]).dt.days.astype("Int64"),
        )
        return table.sort_values(["name", "start_on", "task_id"], kind="stable")[list(PATH_TASKS)].reset_index(
            drop=True
        )

    @property
    def tests(self) -> pd.DataFrame:
        """The fourteen tests of each network, with ``name`` of the project and the offenders in words (``named``)."""
        limits = self.settings.schedule
        found = assessment(
            self.tables["tasks"], links=self.tables["links"], rules=self.rules, limits=limits, status_on=self.status_on
        )
        by = ["project_id", "number"]
        named = found.offenders.assign(words=found.offenders["task_id"] + " (" + found.offenders["detail"] + ")")
        words = named.groupby(by)["words"].agg(_words).rename("named").reset_index()
        table = found.tests.merge(words, how="left", on=by).fillna({"named": ""})
        return table.assign(name=table["project_id"].map(names_of(self.projects)))

    @property
    def needs(self) -> pd.DataFrame:
        """Open dependencies between projects; see :func:`pmo_lib.metrics.dependencies.dependencies`."""
        return dependencies(self.tables["dependencies"], projects=self.projects)


def _words(details: pd.Series) -> str:
    """Join the first offenders, and say how many more there are."""
    more = len(details) - MOST_NAMED
    return "; ".join(details.head(MOST_NAMED)) + (f"; {more} more" if more > 0 else "")
