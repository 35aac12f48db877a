"""How things stand as their managers write it: portfolios, programmes, projects, status and narratives."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from pmo_lib.contracts.tables import RATINGS
from pmo_lib.demo.belief import HONESTY, WITHHELD, View, three_points
from pmo_lib.demo.catalogue import ABOVE, CURRENCY, LATE_RETURNS, Unit
from pmo_lib.demo.issues import management_reserve
from pmo_lib.demo.money import pounds_and_pence
from pmo_lib.demo.months import long_date, month_of, period_of, working_day
from pmo_lib.demo.planning import contingency, gate_rows, milestone_rows, stage_name, undecided
from pmo_lib.demo.risks import risks_of
from pmo_lib.demo.truth import PENNIES_PER_THOUSAND, PROJECTS_KEPT, Project, stream
from pmo_lib.demo.untruths import untruth
from pmo_lib.demo.wording import COST_CAUSES, METHODS, OBJECTIVES, SLIP_CAUSES, SPONSORS, at, choice, person, pounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pmo_lib.demo.belief import Row

LATE_BY_DAYS = 24
PROGRAMME_SIZE = 4
QUARTER = 3
PROGRAMME_WITH_BUDGET = "highways"
HOSTILE_PROJECT = "HWY-10"
HOSTILE_NARRATIVE = (
    '=HYPERLINK("http://example.org","see plan") <img src=x onerror=alert(1)> – pasted from the contractor\'s mail. '
)


def unit_rows(unit: Unit) -> Iterator[Row]:
    """Yield the portfolio and the units above it, up to the enterprise: every return says where it belongs."""
    place: tuple[str, str | None, str, str] = (unit.name, unit.parent_id, "portfolio", unit.owner)
    unit_id: str | None = unit.id
    while unit_id is not None:
        name, parent_id, level, owner = place
        yield {
            "portfolio_id": unit_id,
            "name": name,
            "parent_id": parent_id,
            "level": level,
            "hierarchy": "delivery",
            "owner": owner,
            "currency": CURRENCY,
        }
        unit_id, place = parent_id, ABOVE.get(parent_id or "", place)


def programme_row(unit: Unit, *, seed: int) -> Row:
    """Return the portfolio's programme; one holds a budget beside those of its projects."""
    thousands = 50 * int(stream(seed, unit.id, "programme").integers(8, 25))
    return {
        "programme_id": unit.programme_id,
        "name": unit.programme,
        "owner": person(stream(seed, unit.id, "programme manager")),
        "budget": pounds_and_pence(thousands * PENNIES_PER_THOUSAND) if unit.id == PROGRAMME_WITH_BUDGET else None,
        "currency": CURRENCY,
    }


def in_programme(project: Project) -> bool:
    """Return whether a project belongs to its portfolio's programme: the first four do."""
    return project.name in [work.split(" ", 2)[2] for work in project.home.works[:PROGRAMME_SIZE]]


def benefits(view: View) -> tuple[int, int]:
    """Return monetised benefits, approved and as now forecast, in pennies: part of what erodes is admitted."""
    size, erosion = view.project.shares("benefits", count=2)
    approved = round(view.project.versions[0].budget * (0.9 + 1.6 * size) / 1e7) * 10_000_000
    eroded = 0.3 * erosion * view.learned
    return approved, round(approved * (1.0 - eroded) / PENNIES_PER_THOUSAND) * PENNIES_PER_THOUSAND


def project_row(view: View, *, programme_id: str | None) -> Row:
    """Return the project as it is returned: a proposed one has forecast dates, but no baseline and no money yet."""
    project = view.project
    return {
        "project_id": project.id,
        "name": project.name,
        "programme_id": programme_id,
        "description": f"{project.name}: {project.reference.name.lower()} project of {project.home.name}",
        "category": project.reference.name,
        "method": METHODS[project.reference.domain],
        "stage": stage_name(view),
        "delivery_status": view.state,
        **_people(project),
        "start_forecast_on": project.start_on,
        "finish_forecast_on": project.versions[0].finish_on if view.state == "proposed" else view.finish_on,
        "currency": CURRENCY,
        "price_base": "nominal",
        "audience": "public" if project.reference.domain == "works" else "internal",
        **(_outlined(view) if view.state == "proposed" else _approved(view)),
    }


@lru_cache(maxsize=PROJECTS_KEPT)
def _people(project: Project) -> Row:
    """Return who answers for a project, and what it serves."""
    rng = project.draws("people")
    return {
        "sponsor": choice(rng, of=SPONSORS[project.home.parent_id]),
        "manager": person(rng),
        "objective": choice(rng, of=OBJECTIVES[project.home.parent_id]),
        "priority": int(rng.integers(1, 5)),
    }


def _outlined(view: View) -> Row:
    """Return what a proposed project says of its money: no budget yet, and a range from its outline business case."""
    budget, (least, most) = view.project.versions[0].budget, view.project.reference.cost_bounds
    ends = (budget * (1.0 + share) for share in (-least, 0.0, most))
    low, mid, high = (f"{round(end / PENNIES_PER_THOUSAND) * 1000}.00" for end in ends)
    words = f"Low: {low}, Mid: {mid}, High: {high}"
    return {
        "states": {
            "budget_at_completion": {"state": "not set", "reason": "business case in preparation"},
            "whole_life_cost_forecast": {"state": "range", "reason": words, "low": low, "mid": mid, "high": high},
        }
    }


def _approved(view: View) -> Row:
    approved_benefits, forecast_benefits = benefits(view)
    return {
        "start_baseline_on": view.project.start_on,
        "start_actual_on": view.project.start_on,
        "finish_baseline_on": view.version.finish_on,
        "finish_actual_on": view.project.finish_on if view.state == "closed" else None,
        "budget_at_completion": pounds_and_pence(view.version.budget),
        "management_reserve": pounds_and_pence(management_reserve(view.project)),
        "contingency_approved": pounds_and_pence(contingency(view.project)),
        "whole_life_cost_baseline": pounds_and_pence(view.version.budget),
        **(
            {"states": {"whole_life_cost_forecast": WITHHELD}}
            if view.confidential
            else {"whole_life_cost_forecast": pounds_and_pence(view.cost)}
        ),
        "benefits_baseline": pounds_and_pence(approved_benefits),
        "benefits_forecast": pounds_and_pence(forecast_benefits),
    }


def submitted_on(portfolio: str, *, month: int, status_on: date, seed: int) -> date:
    """Return the day on which a portfolio's return came in: within nine days, or long after where it is late."""
    days = 3 + int(stream(seed, portfolio, "submitted", period_of(month)).integers(0, 5))
    late = LATE_BY_DAYS if (portfolio, month) in LATE_RETURNS else 0
    return working_day(status_on + timedelta(days=days + late))


def dimension_ratings(view: View) -> Row:
    """Return the manager's rating of each dimension."""
    time, cost = view.ratings
    approved, forecast = benefits(view)
    gap = (1.0 - forecast / approved) * HONESTY[view.project.candour]
    open_risks = [
        risk for risk in risks_of(view.project) if risk.raised_on <= view.status_on and not risk.ended(view.month)
    ]
    worst = max((p * i for p, i in (risk.current(view.month) for risk in open_risks)), default=0)
    quarter = view.project.share(f"resources|{view.month // 3}")
    missed = any(gate["held_on"] is None and gate["planned_on"] < view.status_on for gate in gate_rows(view))  # type: ignore[operator]
    return {
        "rating_time": time,
        "rating_cost": cost,
        "rating_scope": "amber" if view.age and undecided(view) else "green",
        "rating_benefits": three_points(gap, amber=0.08, red=0.2),
        "rating_risk": three_points(worst, amber=9, red=19),
        "rating_resources": "red" if quarter < 0.05 else "amber" if quarter < 0.3 else "green",
        "rating_governance": "amber" if missed else "green",
    }


def overall(rated: Row) -> str:
    """Return the manager's overall rating: the worst of the four."""
    parts = [str(rated[f"rating_{name}"]) for name in ("time", "cost", "scope", "benefits")]
    return max(parts, key=RATINGS.index)


def status_rows(view: View, *, submitted: date) -> Iterator[Row]:
    """Yield what the project manager says, and for large projects what independent assurance says beside it."""
    rated = dimension_ratings(view)
    rating = overall(rated)
    false = untruth(view, rating=rating)
    done, coming = _milestones(view)
    yield {
        "project_id": view.project.id,
        "status_date": view.status_on,
        "assessor_role": "PM",
        "rating": rating,
        "rating_scale": "three-point",
        **rated,
        "percent_complete": view.done,
        "narrative": f"{narrative(view)} {false.words}" if false else narrative(view),
        "submitted_on": submitted,
        "achievements": done,
        "next_steps": coming,
    }
    if view.large and view.state != "proposed":
        yield {
            "project_id": view.project.id,
            "status_date": view.status_on,
            "assessor_role": "IA",
            "rating": view.assured_rating,
            "rating_scale": "five-point",
            "narrative": f"Desk review of the {long_date(view.status_on)} return: delivery confidence is "
            f"{view.assured_rating}. The work is {round(view.truth()[0])} days behind the approved baseline.",
            "submitted_on": submitted,
        }


def _milestones(view: View) -> tuple[str, str]:
    """Return what was reached in this month and what comes next, in words."""
    rows = list(milestone_rows(view))
    reached = [
        str(row["name"]) for row in rows if isinstance(day := row["actual_on"], date) and month_of(day) == view.month
    ]
    coming = [row for row in rows if row["actual_on"] is None]
    following = coming[0] if coming else None
    when = following["forecast_on"] if following else None
    ahead = (
        f"{following['name']} by {long_date(when)}." if following and isinstance(when, date) else "Close the accounts."
    )
    return "; ".join(reached) + "." if reached else "Work continues; no milestone was due.", ahead


def narrative(view: View) -> str:
    """Return the manager's commentary, true so far; every number in it is one that the cells hold as well."""
    if view.state in ("proposed", "closed", "paused"):
        return {
            "proposed": "In the pipeline; business case in preparation.",
            "closed": f"Finished on {long_date(view.project.finish_on)} at {pounds(view.cost)}. Final account agreed.",
            "paused": "Paused by the board until funding is confirmed.",
        }[view.state]
    opening = HOSTILE_NARRATIVE if view.project.id == HOSTILE_PROJECT else ""
    return f"{opening}{_schedule_words(view)} {_cost_words(view)}"


def _schedule_words(view: View) -> str:
    finish = long_date(view.finish_on)
    if view.slip_days <= 10:
        return f"On course to finish on {finish}; {view.done:.1%} of the work is done."
    cause = at(view.project.share("slip cause"), of=SLIP_CAUSES[view.project.reference.domain])
    return f"Finish is now forecast for {finish}, {view.slip_days} days after the baseline, because {cause}."


def _cost_words(view: View) -> str:
    if view.confidential:
        return "The forecast of cost is withheld while bids are evaluated."
    over = view.cost - view.version.budget
    if abs(over) * 50 < view.version.budget:
        return f"The forecast of {pounds(view.cost)} is in line with the budget."
    cause = at(view.project.share("cost cause"), of=COST_CAUSES[view.project.reference.domain])
    side = f"above the budget, mainly {cause}" if over > 0 else "below the budget"
    return f"The forecast of {pounds(view.cost)} is {pounds(over)} {side}."


def published_rows(view: View) -> Iterator[Row]:
    """Yield the overspend that a large project's own dashboard shows: one in eight still shows last quarter's."""
    if view.state != "active" or not view.large or view.confidential:
        return
    stale = view.project.share("dashboard") < 0.125 and view.age > QUARTER
    told = View(view.project, view.month - QUARTER) if stale else view
    yield {
        "project_id": view.project.id,
        "status_date": view.status_on,
        "figure": "whole-life cost variance",
        "published": round(told.cost / told.version.budget - 1.0, 3),
        "sign_rule": "signed",
    }


def narrative_rows(view: View) -> Iterator[Row]:
    """Yield a text on schedule and on cost for each large project at work."""
    if view.large and view.state == "active":
        for subject, text in (("schedule", _schedule_words(view)), ("whole-life cost", _cost_words(view))):
            yield {
                "project_id": view.project.id,
                "status_date": view.status_on,
                "subject": subject,
                "narrative": text,
            }
