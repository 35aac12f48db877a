"""The returns: what each portfolio hands in for each period, as typed tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from pmo_lib.contracts.tables import TABLES
from pmo_lib.demo.belief import View
from pmo_lib.demo.boards import decision_rows, dependency_rows, override_rows
from pmo_lib.demo.catalogue import LAST, MISSING_RETURNS, NO_RISK_REGISTER, UNITS, Unit
from pmo_lib.demo.issues import action_rows, issue_rows, reserve_rows
from pmo_lib.demo.money import earned_value_rows, finance_rows, transfer_rows
from pmo_lib.demo.months import first_day, last_day, period_of
from pmo_lib.demo.network import calendar_rows, link_rows, task_rows, tasks_at_risk
from pmo_lib.demo.planning import artefact_rows, baseline_rows, change_rows, gate_rows, milestone_rows
from pmo_lib.demo.risks import portfolio_risks, risk_rows, risks_of
from pmo_lib.demo.standing import (
    dimension_ratings,
    in_programme,
    narrative_rows,
    overall,
    programme_row,
    project_row,
    published_rows,
    status_rows,
    submitted_on,
    unit_rows,
)
from pmo_lib.demo.truth import Project, project_of
from pmo_lib.demo.untruths import untruth
from pmo_lib.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pmo_lib.contracts.columns import Column
    from pmo_lib.demo.belief import Row

SEED = 20260930
DEEPEST = 60
LARGEST = max(len(unit.works) for unit in UNITS)
TEXT: Any = pd.StringDtype(na_value=np.nan)  # the dtype "str", looked up once
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Size:
    """How much of the invented organisation there is; the whole of it unless told.

    Parameters
    ----------
    periods
        How many months, up to and including 2026-09; more of them only add earlier ones.
    portfolios
        How many portfolios, in the order of the catalogue (at most 12); more of them change no other.
    projects
        At most so many projects in each portfolio, in the order of the catalogue.
    seed
        Another seed, another organisation of the same names.

    Raises
    ------
    ParameterError
        For a size that the organisation does not have.
    """

    periods: int = 18
    portfolios: int = len(UNITS)
    projects: int = LARGEST
    seed: int = SEED

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        for name, most in (("periods", DEEPEST), ("portfolios", len(UNITS)), ("projects", LARGEST)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ParameterError(
                    f"demo organisation, {name}: out of range: {value}",
                    fix=f"give a whole number from 1 to {most}",
                    problems=[],
                )

    @property
    def months(self) -> range:
        """Its months."""
        return range(LAST - self.periods + 1, LAST + 1)

    def returning(self, month: int) -> list[Unit]:
        """Return the portfolios that send a return for a month."""
        return [unit for unit in UNITS[: self.portfolios] if (unit.id, month) not in MISSING_RETURNS]


WHOLE = Size()


def organisation_tables(size: Size = WHOLE) -> dict[tuple[str, str], Tables]:
    """Return the returns of the invented organisation as typed tables, without a fault.

    Returns
    -------
    dict
        ``(period, portfolio_id)`` → table name → table with the contract's columns and dtypes, by period and in the
        order of the catalogue. A return that was never sent is missing, and so is a table that a portfolio never
        returns; one that holds nothing this month is there without rows.
    """
    return {
        (period_of(month), unit.id): return_tables(unit, month=month, size=size)
        for month in size.months
        for unit in size.returning(month)
    }


def planted_untruths(size: Size = WHOLE) -> pd.DataFrame:
    """Return the key of the false sentences in commentaries; no finding of intake speaks of them.

    Returns
    -------
    DataFrame
        ``kind`` (amount, day, colour, unchanged), ``period, portfolio_id, project_id, column_name, words``.
    """
    rows = [
        (false.kind, period_of(month), unit.id, view.project.id, false.column, false.words)
        for month in size.months
        for unit in size.returning(month)
        for view in _Return(unit, month, _everything_of(size), size.seed).views
        if (false := untruth(view, rating=overall(dimension_ratings(view))))
    ]
    columns = ["kind", "period", "portfolio_id", "project_id", "column_name", "words"]
    return pd.DataFrame(rows, columns=columns)


def return_tables(unit: Unit, *, month: int, size: Size = WHOLE) -> Tables:
    """Return what one portfolio returns for one month."""
    return _Return(unit, month, _everything_of(size), size.seed).tables()


def _everything_of(size: Size) -> tuple[Project, ...]:
    return _everything(size.portfolios, projects=size.projects, seed=size.seed)


@lru_cache(maxsize=8)
def _everything(portfolios: int, *, projects: int, seed: int) -> tuple[Project, ...]:
    units = UNITS[:portfolios]
    return tuple(project_of(work, unit=unit, seed=seed) for unit in units for work in unit.works[:projects])


@dataclass(frozen=True)
class _Return:
    """One portfolio at the end of one month, with the projects that it holds then."""

    unit: Unit
    month: int
    everything: tuple[Project, ...]
    seed: int

    @cached_property
    def views(self) -> list[View]:
        """Projects in this return, in the order of the catalogue."""
        return [
            View(project, self.month)
            for project in self.everything
            if project.returned_in(self.month) and project.holder(self.month) == self.unit.id
        ]

    @property
    def with_risks(self) -> bool:
        return self.unit.id not in NO_RISK_REGISTER

    def tables(self) -> Tables:
        """Return all tables of the return."""
        rows = {name: list(rows) for name, rows in self._rows().items()}
        rows["states"] = list(_states(rows))
        return {name: _typed(name, rows=own, portfolio=self.unit.id) for name, own in rows.items()}

    def _rows(self) -> dict[str, Iterable[Row]]:
        submitted = submitted_on(self.unit.id, month=self.month, status_on=last_day(self.month), seed=self.seed)
        with_risks = self.with_risks
        return {
            "portfolios": unit_rows(self.unit),
            "lineage": self._lineage(),
            "programmes": [programme_row(self.unit, seed=self.seed)],
            "projects": [project_row(view, programme_id=self._programme(view)) for view in self.views],
            "status": self._each(lambda view: status_rows(view, submitted=submitted)),
            "narratives": self._each(narrative_rows),
            "published_figures": self._each(published_rows),
            "overrides": self._each(override_rows),
            "decisions": self._each(decision_rows),
            "finance": [*self._each(finance_rows), *transfer_rows(self.views)],
            "earned_value": self._each(earned_value_rows),
            "baselines": self._each(baseline_rows),
            "milestones": self._each(milestone_rows),
            "tasks": self._each(task_rows),
            "links": self._each(link_rows),
            "calendars": self._each(calendar_rows),
            **({"risks": self._risks()} if with_risks else {}),
            "issues": self._each(issue_rows),
            "actions": self._each(lambda view: action_rows(view, with_risks=with_risks)),
            "dependencies": dependency_rows(self.views),
            "gates": self._each(gate_rows),
            "artefacts": self._each(artefact_rows),
            "changes": self._each(change_rows),
            "reserves": self._each(lambda view: reserve_rows(view, with_risks=with_risks)),
        }

    def _each(self, rows: Callable[[View], Iterable[Row]]) -> list[Row]:
        return [row for view in self.views for row in rows(view)]

    def _programme(self, view: View) -> str | None:
        home = view.project.home
        return home.programme_id if home == self.unit and in_programme(view.project) else None

    def _risks(self) -> list[Row]:
        own = portfolio_risks(self.unit.id, seed=self.seed, ends=LAST)
        rows = list(risk_rows(own, month=self.month, project_id=None))
        return rows + self._each(
            lambda view: risk_rows(
                risks_of(view.project), month=self.month, project_id=view.project.id, tasks=tasks_at_risk(view)
            )
        )

    def _lineage(self) -> list[Row]:
        """Return the projects that came or went in this month; both portfolios say so."""
        moved = [
            project
            for project in self.everything
            if project.returned_in(self.month) and project.holder(self.month) != project.holder(self.month - 1)
        ]
        return [
            {
                "from_id": project.holder(self.month - 1),
                "to_id": project.holder(self.month),
                "project_id": project.id,
                "effective_on": first_day(self.month),
                "kind": "transferred",
                "share_moved": 1.0,
            }
            for project in moved
            if self.unit.id in (project.holder(self.month - 1), project.holder(self.month))
        ]


def _states(tables: Mapping[str, list[Row]]) -> Iterator[Row]:
    """Yield why cells have no plain value: rows that have such cells say so under ``states``."""
    for name, rows in tables.items():
        key = [part for part in TABLES[name].key if part != "portfolio_id"]
        for row in (row for row in rows if "states" in row):
            words = ["" if row.get(part) is None else str(row[part]) for part in key]  # a day is written as ISO
            for column, state in cast("dict[str, Row]", row["states"]).items():
                yield {"table_name": name, "row_key": "|".join(words), "column_name": column, **state}


def _typed(name: str, *, rows: list[Row], portfolio: str) -> pd.DataFrame:
    """Return rows as a contract table, of one portfolio unless a row names another; what no row gives is empty."""
    arrays = {
        column.name: _array(column, values=[row.get(column.name) for row in rows]) for column in TABLES[name].columns
    }
    owners: list[Any] = [row.get("portfolio_id", portfolio) for row in rows]
    return pd.DataFrame({**arrays, "portfolio_id": pd.array(owners, dtype=TEXT)}, copy=False)


def _array(column: Column, *, values: list[Any]) -> Any:
    """Return the values of a column in its dtype; None is null."""
    if column.dtype == "float64":
        return np.array([np.nan if value is None else value for value in values], dtype="float64")
    if column.kind == "date":
        return np.array(values, dtype="datetime64[us]")
    dtype: Any = TEXT if column.dtype == "str" else column.dtype
    return pd.array(values, dtype=dtype)
