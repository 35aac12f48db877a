"""The fiscal year: twelve months that begin where the organisation says, and what of it a report looks at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pmo_lib.metrics.money import converted, rates_used
from pmo_lib.metrics.movement import Between, since_last_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from pmo_lib.parameters.models import Organisation, Rate

MONTHS_OF_YEAR = 12
WEEKS = (4, 4, 5) * 4


@dataclass(frozen=True, order=True)
class FiscalYear:
    """Twelve months; ``end`` is the last of them (``YYYY-MM``). A 4-4-5 period counts as the month in which it ends."""

    end: str

    @classmethod
    def of(cls, period: str, *, start_month: int) -> FiscalYear:
        """Return the fiscal year that holds a month; ``start_month`` is 4 in the UK's government, 10 in the US's."""
        ordinal = _ordinal(period)
        return cls(_written(ordinal + (start_month - 2 - ordinal) % MONTHS_OF_YEAR))

    def number(self, period: str) -> int:
        """Return which month of the year a month is, from 1 to 12; 0 or less before it, above 12 after it."""
        return _ordinal(period) - _ordinal(self.end) + MONTHS_OF_YEAR

    def month(self, number: int) -> str:
        """Return the month with that number: ``month(12) == end``."""
        return _written(_ordinal(self.end) - MONTHS_OF_YEAR + number)

    @property
    def before(self) -> FiscalYear:
        """The fiscal year before."""
        return FiscalYear(_written(_ordinal(self.end) - MONTHS_OF_YEAR))

    @property
    def label(self) -> str:
        """The year as people write it: ``2025/26``, or ``2025`` where it is the calendar year."""
        first, last = self.month(1)[:4], self.end[:4]
        return last if first == last else f"{first}/{last[2:]}"


@dataclass(frozen=True)
class View:
    """What a financial report looks at: a portfolio, its month, the month of the report before, and the calendar."""

    portfolio_id: str
    period: str
    since: str | None
    start_month: int
    currency: str = ""
    rates: Mapping[str, Rate] = field(default_factory=dict, hash=False)
    reorganised: frozenset[str] = frozenset()

    def after(self, lineage: pd.DataFrame) -> View:
        """Return the view that knows which projects were renamed, split or merged: under new ids they did not join."""
        rows = lineage[lineage["project_id"].isna() & lineage["kind"].isin(["renamed", "split", "merged"])]
        return replace(self, reorganised=frozenset(rows["from_id"]) | frozenset(rows["to_id"]))

    def converted(self, rows: pd.DataFrame, *, columns: Sequence[str]) -> pd.DataFrame:
        """Return rows in the organisation's currency; the rate of a currency is the same for every report."""
        return converted(rows, columns=columns, rates=self.rates, currency=self.currency)

    def rates_used(self, rows: pd.DataFrame) -> str:
        """Say at which rates amounts of these rows are converted; ``""`` where none is."""
        return rates_used(rows, rates=self.rates, currency=self.currency)

    @property
    def year(self) -> FiscalYear:
        """The fiscal year of the report."""
        return FiscalYear.of(self.period, start_month=self.start_month)

    @property
    def between(self) -> Between:
        """The two reports that are compared."""
        return Between(self.portfolio_id, self.period, self.since)


def view_of(projects_history: pd.DataFrame, *, portfolio_id: str, period: str, settings: Organisation) -> View:
    """Return what the report of a portfolio looks at; the report before is the last one in which it returned projects.

    See :func:`pmo_lib.metrics.movement.since_last_report`: a missing return is skipped, and never read as a fall.
    """
    since = since_last_report(projects_history, portfolio_id=portfolio_id, period=period).since
    start, currency, rates = settings.fiscal_year_start_month, settings.currency, settings.rates
    return View(portfolio_id, period, since, start, currency, rates)


def months_of_period(number: int) -> float:
    """Return how many months a period of a 4-4-5 calendar is worth: four weeks of 52 are 12 · 4 / 52 months."""
    return MONTHS_OF_YEAR * WEEKS[number - 1] / sum(WEEKS)


def numbers_of_year(periods: pd.Series, *, ends: pd.Series) -> pd.Series:
    """Return which month of its fiscal year each month is, as :meth:`FiscalYear.number`: ``int64``.

    Parameters
    ----------
    periods, ends
        Months (``YYYY-MM``), and the last months of the years that they are counted in.
    """
    return _ordinals(periods) - _ordinals(ends) + MONTHS_OF_YEAR


def _ordinals(periods: pd.Series) -> pd.Series:
    places = {period: _ordinal(period) for period in periods.unique()}
    return periods.map(places).astype("int64")


def _ordinal(period: str) -> int:
    return int(period[:4]) * MONTHS_OF_YEAR + int(period[5:7]) - 1


def _written(ordinal: int) -> str:
    return f"{ordinal // MONTHS_OF_YEAR:04d}-{ordinal % MONTHS_OF_YEAR + 1:02d}"
