"""Working time as one line: what a task's calendar has worked by a moment, and the moment at which work is reached.

A moment is counted in days since 1 January 1970, so that day 20,000 begins at 20,000.0 and ends at 20,001.0. Work is
counted in working days. Non-working time has no length in work: Friday evening and Monday morning are the same work;
a task begins on the later of the two and ends on the earlier.
"""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from pmo_lib.metrics.calendar import FIRST_YEAR, LAST_YEAR, WEEK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pmo_lib.metrics.calendar import Calendar

# Work that is a whole number of days must not become one day more by rounding.
ROUNDING = 1e-6
DAYS = np.arange(np.datetime64(f"{FIRST_YEAR}-01-01"), np.datetime64(f"{LAST_YEAR + 1}-01-01"))


class Clock(Protocol):
    """A calendar between moments and work."""

    def worked(self, moment: float) -> float:
        """Return the work done by a moment."""

    def begins(self, work: float) -> float:
        """Return the moment at which the work after this much begins."""

    def ends(self, work: float) -> float:
        """Return the moment at which this much work is done."""


class PlainTime:
    """Every unit of time is worked: durations are plain numbers, without dates."""

    def worked(self, moment: float) -> float:
        """Return the moment itself."""
        return moment

    def begins(self, work: float) -> float:
        """Return the work itself."""
        return work

    def ends(self, work: float) -> float:
        """Return the work itself."""
        return work


class WorkingTime:
    """The working days of one calendar, from 1970 to 2100; before and after, every day counts as worked.

    Parameters
    ----------
    is_worked
        One truth value for each of :data:`DAYS`.
    """

    def __init__(self, is_worked: np.ndarray) -> None:
        self._is_worked: list[bool] = is_worked.tolist()
        self._passed: list[int] = np.concatenate([[0], np.cumsum(is_worked)]).tolist()
        self._days: list[int] = np.flatnonzero(is_worked).tolist()

    @classmethod
    def of(cls, calendar: Calendar) -> WorkingTime:
        """Return the working time of an organisation's calendar."""
        return cls(np.is_busday(DAYS, busdaycal=calendar.days))

    @classmethod
    def on_days(cls, weekdays: Iterable[str], *, exceptions: Mapping[date, bool]) -> WorkingTime:
        """Return the working time of some weekdays (``mon`` … ``sun``), with days that are worked or not after all."""
        chosen = set(weekdays)
        week = np.array([name in chosen for name in WEEK])
        is_worked = week[(np.arange(len(DAYS)) + 3) % 7]  # 1 January 1970 was a Thursday
        for day, works in exceptions.items():
            place = moment_of(day)
            if 0 <= place < len(DAYS):
                is_worked[int(place)] = works
        return cls(is_worked)

    def worked(self, moment: float) -> float:
        """Return the working days done by a moment, with the part of a day that has begun."""
        day = int(moment)
        if moment < 0 or day >= len(self._is_worked):
            return moment if moment < 0 else self._passed[-1] + moment - len(self._is_worked)
        return self._passed[day] + (moment - day if self._is_worked[day] else 0.0)

    def begins(self, work: float) -> float:
        """Return the moment at which the work after this much begins: the morning of the next working day."""
        whole = math.floor(work + ROUNDING)
        if whole < 0 or whole >= len(self._days):
            return self._outside(work)
        return self._days[whole] + max(work - whole, 0.0)

    def ends(self, work: float) -> float:
        """Return the moment at which this much work is done: the evening of the last working day."""
        whole = math.ceil(work - ROUNDING)
        if whole < 1 or whole > len(self._days):
            return self._outside(work)
        return self._days[whole - 1] + min(work - whole + 1, 1.0)

    def _outside(self, work: float) -> float:
        return work if work < len(self._days) else len(self._is_worked) + work - len(self._days)


def moment_of(day: date) -> float:
    """Return the moment at which a day begins."""
    return float(day.toordinal() - date(1970, 1, 1).toordinal())


def moments_of(days: pd.Series) -> list[float | None]:
    """Return the moments at which days begin; None where there is no day."""
    known = days.notna()
    numbers = pd.to_datetime(days).to_numpy(dtype="datetime64[D]").astype("int64")
    return [float(number) if is_known else None for number, is_known in zip(numbers, known, strict=True)]


def days_of(moments: Iterable[float | None], *, end: bool) -> pd.Series:
    """Return the day of each moment as ``datetime64[us]``: at midnight the day that begins, or the one that ends."""
    shift = ROUNDING if end else -ROUNDING
    numbers = [None if moment is None else math.floor(moment - shift) for moment in moments]
    stamps = [np.datetime64("NaT") if number is None else np.datetime64(number, "D") for number in numbers]
    return pd.Series(np.array(stamps, dtype="datetime64[D]").astype("datetime64[us]"))


def _date_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def calendars(rows: pd.DataFrame) -> dict[str, Clock]:
    """Return the working time of every calendar of a table: ``calendar, day, works``.

    ``day`` is a weekday (``mon`` … ``sun``) or a date (``2026-12-25``): a date goes before its weekday, and a weekday
    that is not listed is not worked. What is neither has no effect. A calendar without a working weekday is left out,
    since no work would ever end.
    """
    found: dict[str, Clock] = {}
    for name, days in rows.groupby("calendar", sort=True):
        told = dict(zip(days["day"], days["works"].fillna(False).astype(bool), strict=True))
        weekdays = [day for day in WEEK if told.get(day)]
        dates = {when: works for day, works in told.items() if (when := _date_of(day)) is not None}
        if weekdays:
            found[str(name)] = WorkingTime.on_days(weekdays, exceptions=dates)
    return found
