"""Finance and earned value of a project, in whole pennies: plan, budget, actual, accrual, commitment, forecast.

What holds to the penny: the year's plan is the rise of the planned value of the baseline that was in force when the
year began; actuals of all years and the accrual are the actual cost; these and the forecast are the whole-life
cost forecast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmo_lib.demo.belief import WITHHELD, Row
from pmo_lib.demo.catalogue import CURRENCY, LAST
from pmo_lib.demo.months import fiscal_year_name, fiscal_year_start, month_of, period_of
from pmo_lib.demo.truth import smooth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pmo_lib.demo.belief import View
    from pmo_lib.demo.truth import Project, Version

PLAN_STEP = 10_000  # plans and forecasts are made in hundreds of pounds
_SECRET: Row = {"states": {"amount": WITHHELD}}
CATEGORIES = {"works": "Construction", "digital": "Software and services", "service": "Contract payments"}


def pounds_and_pence(pennies: int) -> float:
    """Return pennies as pounds."""
    return pennies / 100


def finance_rows(view: View) -> Iterator[Row]:
    """Yield the finance rows of one project at the end of a month; a proposed project has none.

    The current fiscal year is monthly; closed years and years to come have one row each.
    """
    if view.state == "proposed":
        return
    for measure, period, pennies, more in (*_planned(view), *_posted(view), *_ahead(view)):
        yield {
            "project_id": view.project.id,
            "period": period,
            "period_kind": "month",
            "measure": measure,
            "cost_type": view.project.reference.cost_type,
            "category": CATEGORIES[view.project.reference.domain],
            "currency": CURRENCY,
            **(_SECRET if measure == "forecast" and view.confidential else {"amount": pounds_and_pence(pennies)}),
            **more,
        }


Amount = tuple[str, str, int, Row]


def planned_value(project: Project, *, version: Version, month: int) -> int:
    """Return the cumulative planned value of a baseline at the end of a month, in pennies."""
    share = project.planned_share(version, age=max(month - project.starts + 1, 0))
    return version.budget if share >= 1.0 else round(version.budget * share / PLAN_STEP) * PLAN_STEP


def _planned(view: View) -> Iterator[Amount]:
    """Yield plan (frozen when the year began) and budget (with the changes approved since) of the fiscal year."""
    project, year = view.project, fiscal_year_start(view.month)
    frozen = project.version_at(project.age(year - 1))
    for month in range(year, year + 12):
        in_force = _governing(view, month=month)
        name = fiscal_year_name(view.month)
        for measure, version, label in (("plan", frozen, "plan"), ("budget", in_force, "budget")):
            rise = planned_value(project, version=version, month=month)
            rise -= planned_value(project, version=version, month=month - 1)
            if rise:
                yield measure, period_of(month), rise, {"plan_version": f"{name} {label}, baseline {version.name}"}


def _governing(view: View, *, month: int) -> Version:
    """Return the baseline by which a month is budgeted: a re-baseline governs the months after its approval."""
    age = month - view.project.starts + 1
    return view.project.version_at(min(age - 1, view.age))


def cost_in(project: Project, *, month: int) -> int:
    """Return the pennies of work done in a month, paid or not."""
    return project.spent[project.age(month)] - project.spent[project.age(month - 1)]


def accrual_at(project: Project, *, month: int) -> int:
    """Return the pennies received and not yet posted at the end of a month; the books are closed in March."""
    if month == fiscal_year_start(month) + 11 or project.age(month) == 0:
        return 0
    share = project.shares("accruals", count=project.lasts + 1)[project.age(month)]
    return int(cost_in(project, month=month) * 0.35 * share)


def _posted(view: View) -> Iterator[Amount]:
    project, year = view.project, fiscal_year_start(view.month)
    for start in range(fiscal_year_start(project.starts), year, 12):
        closed = project.spent[project.age(start + 11)] - project.spent[project.age(start - 1)]
        yield "actual", period_of(start + 11), closed, {"period_kind": "year", "actual_basis": "with accruals"}
    for month in range(max(year, project.starts), view.month + 1):
        reversal = accrual_at(project, month=month - 1)
        posted = cost_in(project, month=month) - accrual_at(project, month=month) + reversal
        yield "actual", period_of(month), posted, {"actual_basis": "without accruals"}
    yield "accrual", period_of(view.month), accrual_at(project, month=view.month), {}


def _ahead(view: View) -> Iterator[Amount]:
    """Yield the open commitment, and the forecast of what is left: by month in this year, by year beyond."""
    left = view.cost - view.spent
    if left <= 0:
        return
    ordered = 0.2 + 0.3 * view.project.shares("commitments", count=view.project.lasts + 1)[view.age]
    yield "commitment", period_of(view.month), int(left * ordered / 100) * 100, {}
    year_end = fiscal_year_start(view.month) + 11
    beyond: dict[int, int] = {}
    for month, pennies in forecast_by_month(view).items():
        if month > year_end:
            end = fiscal_year_start(month) + 11
            beyond[end] = beyond.get(end, 0) + pennies
        elif pennies:
            yield "forecast", period_of(month), pennies, {}
    for end, pennies in beyond.items():
        yield "forecast", period_of(end), pennies, {"period_kind": "year"}


def forecast_by_month(view: View) -> dict[int, int]:
    """Return the pennies forecast for each month to come; a flat-lined forecast is the same every month."""
    left, last = view.cost - view.spent, max(month_of(view.finish_on), view.month + 1)
    count = last - view.month
    way = view.project.way[view.age]
    spent, months = 0, {}
    for step in range(1, count + 1):
        share = step / count
        if not view.project.flat:
            share = (smooth(way + (1.0 - way) * share) - smooth(way)) / (1.0 - smooth(way))
        upto = left if step == count else round(left * share / PLAN_STEP) * PLAN_STEP
        months[view.month + step], spent = upto - spent, upto
    return months


def transfer_rows(views: Sequence[View]) -> Iterator[Row]:
    """Yield a transfer of budget between two projects of a portfolio, both sides, two months before the last period."""
    by_id = {view.project.id: view for view in views}
    for view in views:
        works = view.project.home.works
        giver, taker = (f"{view.project.home.code}-{works[at].split(' ', 1)[0]}" for at in (1, 3) if at < len(works))
        booked = LAST - 2
        both = giver in by_id and taker in by_id
        if not both or view.project.id not in (giver, taker) or view.month < booked:
            continue
        pennies = 100 * int(by_id[taker].project.draws("transfer").integers(20, 90)) * 1000
        yield {
            "project_id": view.project.id,
            "period": period_of(booked),
            "period_kind": "month",
            "measure": "transfer",
            "amount": pounds_and_pence(pennies if view.project.id == taker else -pennies),
            "currency": CURRENCY,
            "counterparty": giver if view.project.id == taker else taker,
        }


def earned_value_rows(view: View) -> Iterator[Row]:
    """Yield planned value to the end of each baseline; earned value and actual cost while it was in force."""
    if view.state == "proposed":
        return
    project = view.project
    for version in project.versions:
        if version.number > view.version.number:
            break
        held = [age for age in range(1, view.age + 1) if project.version_at(age) is version]
        for age in range(1, max([version.months, *held]) + 1):
            month = project.starts + age - 1
            yield {
                "project_id": project.id,
                "month": period_of(month),
                "baseline_version": version.name,
                "planned_value": pounds_and_pence(planned_value(project, version=version, month=month)),
                "earned_value": pounds_and_pence(earned(version, done=project.done[age])) if age in held else None,
                "actual_cost": pounds_and_pence(project.spent[age]) if age in held else None,
                "currency": CURRENCY,
            }


def earned(version: Version, *, done: float) -> int:
    """Return the earned value in pennies of a share of the work (three decimals); budgets are whole thousands."""
    return round(done * 1000) * (version.budget // 1000)
