"""The working calendar: where a day stands in its month, and the day that a month and a part of it reach.

Time is counted in months since January 1970: the month with number ``n`` covers what is above ``n``, up to ``n + 1``. A
day stands at the share of its month's working days that have passed with it, so that the last working day ends a month.
Public holidays come from the library ``holidays``: finish dates lie years ahead, and Easter and the days in lieu of
holidays on weekends are computed there; a list in the settings would end with the years that somebody typed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import holidays.groups  # noqa: F401 (the many calendars of one country: loaded once, before reports are forked)
import numpy as np
import pandas as pd
from holidays import country_holidays, list_supported_countries

from pmo_lib.errors import ParameterError

if TYPE_CHECKING:
    from pmo_lib.parameters.models import WorkingCalendar

FIRST_YEAR, LAST_YEAR = 1970, 2100
HORIZON = (LAST_YEAR - 1970 + 1) * 12
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A share that is a whole number of days must not become one day more by rounding.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Calendar:
    """Working days of an organisation, from 1970 to 2100."""

    days: np.busdaycalendar

    def time_of(self, days: pd.Series) -> pd.Series:
        """Return where days stand, in months since January 1970: ``float64``, null where the day is."""
        known = pd.to_datetime(days).dropna()
        stamps = known.to_numpy(dtype="datetime64[D]")
        months = stamps.astype("datetime64[M]")
        passed = np.busday_count(months.astype("datetime64[D]"), stamps + 1, busdaycal=self.days)
        times = months.astype("int64") + passed / self._working_days(months)
        return pd.Series(times, index=known.index, dtype="float64").reindex(days.index)

    def day_at(self, times: pd.Series) -> pd.Series:
        """Return the working day that a time reaches: ``datetime64[us]``, null beyond the calendar."""
        known = times[times.gt(0) & times.le(HORIZON)].astype("float64")
        numbers = np.ceil(known.to_numpy() - ROUNDING).astype("int64") - 1
        months = numbers.astype("datetime64[M]")
        wanted = np.ceil((known.to_numpy() - numbers - ROUNDING) * self._working_days(months)).astype("int64")
        firsts = months.astype("datetime64[D]")
        reached = np.busday_offset(firsts, np.maximum(wanted, 1) - 1, roll="forward", busdaycal=self.days)
        return pd.Series(reached.astype("datetime64[us]"), index=known.index).reindex(times.index)

    def _working_days(self, months: np.ndarray) -> np.ndarray:
        starts, ends = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")
        return np.maximum(np.busday_count(starts, ends, busdaycal=self.days), 1)


@lru_cache(maxsize=8)
def calendar_of(rules: WorkingCalendar) -> Calendar:
    """Return the working calendar that the settings describe.

    Raises
    ------
    ParameterError
        If the country or its part is not known.
    """
    off = list(rules.closed_on)
    if rules.country is not None:
        parts = list_supported_countries().get(rules.country)
        if parts is None or (rules.subdivision is not None and rules.subdivision not in parts):
            raise ParameterError(
                f"working_calendar: no public holidays are known for {rules.country} {rules.subdivision or ''}".strip(),
                fix="use an ISO 3166 code, such as country: GB and subdivision: ENG; or list the days in closed_on",
            )
        years = range(FIRST_YEAR, LAST_YEAR + 1)
        off.extend(sorted(country_holidays(rules.country, subdiv=rules.subdivision, years=years)))
    mask = [day in rules.working_days for day in WEEK]
    return Calendar(np.busdaycalendar(weekmask=mask, holidays=np.array(off, dtype="datetime64[D]")))


def month_numbers(periods: pd.Series) -> pd.Series:
    """Return months written ``YYYY-MM`` as months since January 1970: ``int64``."""
    places = {period: int(period[:4]) * 12 + int(period[5:7]) - 1 - FIRST_YEAR * 12 for period in periods.unique()}
    return periods.map(places).astype("int64")


def months_written(numbers: pd.Series) -> pd.Series:
    """Return months since January 1970 as ``YYYY-MM``."""
    return numbers.map({n: f"{FIRST_YEAR + n // 12:04d}-{n % 12 + 1:02d}" for n in numbers.unique()}).astype("str")
