"""The fiscal year: twelve months that begin where the organisation says, and what of it a report looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmo_lib.metrics.movement import Between, since_last_report

if TYPE_CHECKING:
    import pandas as pd

    from pmo_lib.parameters.models import Organisation

MONTHS_OF_YEAR = 12


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
    between = since_last_report(projects_history, portfolio_id=portfolio_id, period=period)
    return View(portfolio_id, period, between.since, settings.fiscal_year_start_month)


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
