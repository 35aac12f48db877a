"""Months as whole numbers, so that adding and comparing them is arithmetic: month number = 12 × year + month − 1."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

FISCAL_START = 3  # April: the first month of the fiscal year, as month number modulo 12
MEAN_MONTH_DAYS = 30.4375
FRIDAY = 4
CHRISTMAS = ((12, 25), (12, 26))


def month_number(period: str) -> int:
    """Return the number of a month written ``YYYY-MM``."""
    year, month = period.split("-")
    return 12 * int(year) + int(month) - 1


def period_of(month: int) -> str:
    """Return a month number as ``YYYY-MM``."""
    return f"{month // 12}-{month % 12 + 1:02d}"


def first_day(month: int) -> date:
    """Return the first day of a month."""
    return date(month // 12, month % 12 + 1, 1)


def last_day(month: int) -> date:
    """Return the last day of a month."""
    return date(month // 12, month % 12 + 1, monthrange(month // 12, month % 12 + 1)[1])


def month_of(day: date) -> int:
    """Return the number of the month that holds a day."""
    return 12 * day.year + day.month - 1


def fiscal_year_start(month: int) -> int:
    """Return the first month (April) of the fiscal year that holds a month."""
    return month - (month - FISCAL_START) % 12


def fiscal_year_name(month: int) -> str:
    """Return the fiscal year that holds a month, as ``2026/27``."""
    year = fiscal_year_start(month) // 12
    return f"{year}/{(year + 1) % 100:02d}"


def between(earlier: date, *, later: date, share: float) -> date:
    """Return the working day at a share (0–1) of the way from one day to another; never before the earlier one."""
    return max(working_day(earlier + timedelta(days=int((later - earlier).days * share))), earlier)


def working_day(day: date) -> date:
    """Return the day, or the last working day before it if it falls on a weekend or on Christmas."""
    while day.weekday() > FRIDAY or (day.month, day.day) in CHRISTMAS:
        day -= timedelta(days=1)
    return day


def long_date(day: date) -> str:
    """Return a day as people write it: ``4 March 2027``, in English whatever the locale."""
    return f"{day.day} {MONTH_NAMES[day.month - 1]} {day.year}"


MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
