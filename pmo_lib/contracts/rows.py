"""What the cells of one row say of each other, of the day of the return, and of the rates that there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import pandas as pd

from pmo_lib.contracts.failures import Circumstances
from pmo_lib.contracts.findings import Action, Severity
from pmo_lib.contracts.tables import TABLES

ISO_CURRENCY = r"[A-Z]{3}"
FIVE_POINT_ONLY = ("amber/green", "amber/red")
OVER = ("closed", "cancelled")  # states in which nothing of a project is ahead
TOTAL = r"(?:(?:grand|sub|overall|portfolio|programme)[\s_-]*)?totals?[\s:.]*|sum"
# Days on which something happened: none of them can be after the day that the return speaks of.
FACTS = ("start_actual_on", "finish_actual_on", "actual_on", "raised_on", "reviewed_on", "closed_on", "resolved_on",
         "done_on", "decided_on", "held_on", "approved_on", "booked_on")  # fmt: skip
# Where a total row shows itself: in the key, or in the first words of the row.
_TOTALLED = {"projects": ("project_id", "name"), "finance": ("project_id", "category"), "earned_value": ("project_id",),
             "risks": ("risk_id", "title"), "reserves": ("project_id", "entry_id"), "tasks": ("task_id",)}  # fmt: skip
# Forecast → the actual that takes its place.
_AHEAD = {
    "projects": (("start_forecast_on", "start_actual_on"), ("finish_forecast_on", "finish_actual_on")),
    "tasks": (("start_forecast_on", "start_actual_on"), ("finish_forecast_on", "finish_actual_on")),
    "milestones": (("forecast_on", "actual_on"),),
}
_SPANS = {
    "projects": tuple((f"start_{kind}_on", f"finish_{kind}_on") for kind in ("baseline", "forecast", "actual")),
    "tasks": tuple((f"start_{kind}_on", f"finish_{kind}_on") for kind in ("baseline", "forecast", "actual")),
    "baselines": (("start_on", "finish_on"),),
}
_MET = {"milestones": ("actual_on", "baseline_on"), "projects": ("finish_actual_on", "finish_baseline_on")}


class Keeps(Protocol):
    """Returns a boolean per row: whether it keeps the rule, True also where the rule does not apply."""

    def __call__(self, rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
        """Hold the rows against the rule."""


class RowRule(NamedTuple):
    """A rule over the cells of one row.

    ``blank``: the fault is an empty cell, and none where the return says why it is empty. ``on_empty``: the rule looks
    at rows also where the whole column is empty.
    """

    table: str
    name: str
    column: str
    keeps: Keeps
    action: Action
    message: str
    fix: str
    severity: Severity = "warning"
    blank: bool = False
    on_empty: bool = False


def in_order(*names: str) -> Keeps:
    """Return a rule: the values of these columns rise, where they are filled."""

    def keeps(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
        good = pd.Series(True, index=rows.index)
        for earlier, later in [(a, b) for n, a in enumerate(names) for b in names[n + 1 :]]:
            good &= ~(rows[earlier] > rows[later])
        return good

    return keeps


def _on_scale(column: str) -> Keeps:
    return lambda rows, around: (rows["rating_scale"] != "three-point") | ~rows[column].isin(FIVE_POINT_ONLY)


def _no_total(column: str) -> Keeps:
    return lambda rows, around: ~spelt(rows[column], pattern=TOTAL)


def _not_ahead(column: str, *, where: Callable[[pd.DataFrame], pd.Series] | None = None) -> Keeps:
    """Return a rule: the day is not after the status date."""

    def keeps(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
        if around.status_date is None:
            return _always(rows)
        ahead = rows[column] > around.status_date
        return ~(ahead if where is None else ahead & where(rows))

    return keeps


def _month_not_ahead(column: str, *, applies: Callable[[pd.DataFrame], pd.Series]) -> Keeps:
    """Return a rule: the month, where the rule applies, is not after that of the status date."""

    def keeps(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
        if around.status_date is None:
            return _always(rows)
        return ~(_true(rows[column] > f"{around.status_date:%Y-%m}") & applies(rows))

    return keeps


def _still_ahead(forecast: str, *, actual: str) -> Keeps:
    """Return a rule: what has not happened is not forecast for a day before the status date."""

    def keeps(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
        if around.status_date is None:
            return _always(rows)
        late = (rows[forecast] < around.status_date) & rows[actual].isna()
        return ~(late & ~rows["delivery_status"].isin(OVER)) if "delivery_status" in rows else ~late

    return keeps


def _forecast_month_ahead(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
    if around.status_date is None:
        return _always(rows)
    return ~(rows["measure"].eq("forecast") & _true(rows["period"] < f"{around.status_date:%Y-%m}"))


def _not_expired(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
    return _always(rows) if around.status_date is None else ~(rows["expires_on"] < around.status_date)


def _has_rate(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
    known = rows["currency"].isin(around.currencies) | ~spelt(rows["currency"], pattern=ISO_CURRENCY)
    return known if around.currencies else _always(rows)


def _filled_where(column: str, *, applies: Callable[[pd.DataFrame], pd.Series]) -> Keeps:
    """Return a rule: the cell is filled, where the rule applies."""
    return lambda rows, around: rows[column].notna() | ~applies(rows)


def _unless(applies: Callable[[pd.DataFrame], pd.Series]) -> Keeps:
    return lambda rows, around: ~applies(rows)


def _has_money(table: str) -> Callable[[pd.DataFrame], pd.Series]:
    money = list(TABLES[table].of_kind("money"))
    return lambda rows: rows[money].notna().any(axis=1)


def spelt(cells: pd.Series, *, pattern: str) -> pd.Series:
    """Tell of each text whether all of it fits a pattern; equal texts are looked at once, case only if it is stated."""
    flags = 0 if pattern == ISO_CURRENCY else re.IGNORECASE
    return cells.isin([text for text in cells.dropna().unique() if re.fullmatch(pattern, text, flags)])


def _is_filled(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows[column].notna()


def _always(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=rows.index)


def _true(answers: pd.Series) -> pd.Series:
    """Return a column of answers as plain booleans; no answer is no."""
    return answers.fillna(False).astype(bool)


def _names_something(rows: pd.DataFrame, *, around: Circumstances) -> pd.Series:
    return rows["project_id"].notna() | rows["programme_id"].notna()


def _totals() -> Iterator[RowRule]:
    """A total among the rows would be counted twice."""
    for table, columns in _TOTALLED.items():
        for column in columns:
            yield RowRule(
                table, "total-row", column, _no_total(column), "quarantined",
                f"{column} says that the row is a total", "delete the row: totals are computed", "error",
            )  # fmt: skip


def _times() -> Iterator[RowRule]:
    """What has not happened lies ahead; what has happened lies behind."""
    for table, pairs in _AHEAD.items():
        for forecast, actual in pairs:
            yield RowRule(
                table, "forecast-in-past", forecast, _still_ahead(forecast, actual=actual), "kept",
                f"{forecast} is before the status date, and there is no {actual}",
                f"enter {actual}, or forecast it anew",
            )  # fmt: skip
    yield RowRule(
        "finance", "forecast-in-past", "period", _forecast_month_ahead, "kept",
        "a forecast for a period that is over", "enter the actual, or move the forecast",
    )  # fmt: skip
    for each in TABLES.values():
        for column in (name for name in each.names if name in FACTS):
            yield RowRule(
                each.name, "fact-in-future", column, _not_ahead(column), "kept",
                f"{column} is after the status date", "correct the date; what is to come is a forecast",
            )  # fmt: skip
    yield RowRule(
        "finance", "fact-in-future", "period",
        _month_not_ahead("period", applies=lambda rows: rows["measure"].eq("actual") & ~rows["period_kind"].eq("year")),
        "kept", "an actual for a month after the status date", "correct the month; what is to come is a forecast",
    )  # fmt: skip
    for column in ("earned_value", "actual_cost"):
        yield RowRule(
            "earned_value", "fact-in-future", column,
            _month_not_ahead("month", applies=_is_filled(column)), "kept",
            f"{column} for a month after the status date", "leave it blank until the month is over",
        )  # fmt: skip
    yield RowRule(
        "overrides", "override-expired", "expires_on", _not_expired, "kept",
        "the override ran out before the status date", "renew it, or delete it",
    )  # fmt: skip


def _orders() -> Iterator[RowRule]:
    """What begins before it ends, and what is a least, a likely and a most."""
    for table, pairs in _SPANS.items():
        for start, finish in pairs:
            yield RowRule(
                table, "start-after-finish", finish, in_order(start, finish), "kept",
                f"{finish} is before {start}", "correct one of the two",
            )  # fmt: skip
    for table, end in (("risks", "closed_on"), ("issues", "resolved_on"), ("changes", "decided_on")):
        yield RowRule(
            table, "ended-before-raised", end, in_order("raised_on", end), "kept",
            f"{end} is before raised_on", "correct one of the two",
        )  # fmt: skip
    points = [("risks", [f"{stem}_{point}" for point in ("low", "likely", "high")]) for stem in
              ("cost_impact", "days_impact")]  # fmt: skip
    points.append(("tasks", ["duration_optimistic_days", "duration_days", "duration_pessimistic_days"]))
    for table, names in points:
        yield RowRule(
            table, "points-out-of-order", names[1], in_order(*names), "kept",
            f"{', '.join(names)} do not rise", "put them in order",
        )  # fmt: skip


def _states_of_things() -> Iterator[RowRule]:
    """What is over has its day, and what has its day is over."""
    risk_is_over = "closed_on is filled in and the risk is still open"
    yield RowRule(
        "risks", "closed-without-date", "closed_on",
        _filled_where("closed_on", applies=lambda rows: rows["status"].eq("closed")), "kept",
        "the risk is closed and has no closed_on", "enter the day on which it was closed", blank=True,
    )  # fmt: skip
    yield RowRule(
        "risks", "date-without-closure", "status",
        _unless(lambda rows: rows["closed_on"].notna() & rows["status"].isin(("open", "escalated"))), "kept",
        risk_is_over, "close it, or delete the date",
    )  # fmt: skip
    yield RowRule(
        "risks", "risk-without-owner", "owner",
        _filled_where("owner", applies=lambda rows: ~rows["status"].isin(("closed", "occurred"))), "kept",
        "the risk has no owner", "name who answers for it", blank=True,
    )  # fmt: skip
    yield RowRule(
        "projects", "closed-without-date", "finish_actual_on",
        _filled_where("finish_actual_on", applies=lambda rows: rows["delivery_status"].eq("closed")), "kept",
        "the project is closed and has no finish_actual_on", "enter the day on which it finished", blank=True,
    )  # fmt: skip
    for table, (actual, baseline) in _MET.items():
        yield RowRule(
            table, "actual-without-baseline", baseline,
            _filled_where(baseline, applies=_is_filled(actual)), "kept",
            f"{actual} is filled in and there is no {baseline} to compare it with", f"enter {baseline}", blank=True,
        )  # fmt: skip


def _money() -> Iterator[RowRule]:
    """Money has a currency, and one that can be converted."""
    for table in TABLES.values():
        if "currency" not in table.names:
            continue
        yield RowRule(
            table.name, "no-rate", "currency", _has_rate, "kept",
            "the organisation has no rate for this currency", "add the rate to organisation.yml, under rates",
        )  # fmt: skip
        if table.column("currency").need == "":
            yield RowRule(
                table.name, "money-without-currency", "currency",
                _filled_where("currency", applies=_has_money(table.name)), "kept",
                "the row has an amount and no currency", "enter its code, such as GBP", blank=True,
            )  # fmt: skip


ROW_RULES: tuple[RowRule, ...] = (
    *(
        RowRule(
            "status", "rating-off-scale", column, _on_scale(column), "nulled",
            f"{column} is not on the three-point scale that the row states",
            "rate it green, amber or red, or correct the scale", "error",
        )
        for column in TABLES["status"].names if column.startswith("rating") and column != "rating_scale"
    ),
    RowRule(
        "finance", "no-owner", "project_id", _names_something, "quarantined",
        "the row names neither a project nor a programme", "fill in project_id or programme_id", "error", on_empty=True,
    ),
    *_totals(), *_times(), *_orders(), *_states_of_things(), *_money(),
)  # fmt: skip
