"""What a project's manager believes and reports at the end of a month: later than the truth, and kinder.

A forecast moves from the baseline towards the truth as the work proceeds; it is revised every so many months, or not at
all where it is flat-lined. A hopeful manager goes part of the way; under a "watermelon" (green outside, red inside) the
forecast hardly moves until the date itself forces it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from pmo_lib.demo.catalogue import LAST
from pmo_lib.demo.months import MEAN_MONTH_DAYS, between, first_day, last_day, working_day
from pmo_lib.demo.truth import PAUSE_MONTHS, PENNIES_PER_THOUSAND, Project, Version
from pmo_lib.parameters.models import Thresholds

Row = dict[str, object]

WITHHELD: Row = {"state": "withheld", "reason": "commercially confidential while bids are evaluated"}
HONESTY = {"candid": 1.0, "hopeful": 0.6, "watermelon": 0.1}
FASTEST = 0.55  # nobody promises to do the remaining work in less than this share of its planned time
CHEAPEST = 0.85  # … or for less than this share of its budget
LIMITS = Thresholds()
FIVE_POINTS = ((0.5, "green"), (1.0, "amber/green"), (2.0, "amber"), (3.0, "amber/red"))


@dataclass(frozen=True)
class View:
    """One project as seen at the end of a month."""

    project: Project
    month: int

    @cached_property
    def status_on(self) -> date:
        """Last day of the month."""
        return last_day(self.month)

    @cached_property
    def age(self) -> int:
        """Months of work done."""
        return self.project.age(self.month)

    @cached_property
    def state(self) -> str:
        """Delivery status: proposed, active, paused or closed."""
        pause = self.project.story.paused_from
        if self.age == 0:
            return "proposed"
        if self.month >= self.project.closes:
            return "closed"
        return "paused" if pause is not None and 0 <= self.month - LAST - pause < PAUSE_MONTHS else "active"

    @property
    def confidential(self) -> bool:
        """Whether its forecasts are withheld while bids are evaluated, as half of the contract awards do."""
        tendering = 0.3 <= self.project.way[self.age] < 0.6 and self.project.reference.domain == "service"
        return tendering and self.state == "active" and self.project.share("confidential") < 0.5

    @property
    def large(self) -> bool:
        """Whether independent assurance rates it as well: from £5m."""
        return self.project.versions[0].budget >= 5_000 * PENNIES_PER_THOUSAND

    @cached_property
    def version(self) -> Version:
        """Baseline in force."""
        return self.project.version_at(self.age)

    @property
    def done(self) -> float:
        """Share of the work done, three decimals."""
        return self.project.done[self.age]

    @property
    def spent(self) -> int:
        """Pennies spent so far, with accruals."""
        return self.project.spent[self.age]

    @cached_property
    def told(self) -> int:
        """Age at which the forecast was last revised."""
        project, since = self.project, self.version.since
        if project.flat and project.way[self.age] < 0.9:
            return since
        return max(self.age - self.age % project.lag, since)

    @cached_property
    def learned(self) -> float:
        """Share of the gap between baseline and truth that the manager admits (0–1)."""
        return min(max((self.project.way[self.told] - 0.1) / 0.6, 0.0), 1.0) * HONESTY[self.project.candour]

    @cached_property
    def finish_on(self) -> date:
        """Finish as it happened, or as forecast: never in the past.

        Work that has stalled is forecast as late as it is then; what it makes up for later is a recovery.
        """
        if self.state == "closed":
            return self.project.finish_on
        baseline = self.version.finish_on
        late_days = self.project.delay_months(self.told) * MEAN_MONTH_DAYS * HONESTY[self.project.candour]
        slip_days = max((self.project.finish_on - baseline).days * self.learned, late_days)
        believed = baseline + timedelta(days=int(slip_days))
        left_days = (1.0 - self.project.way[self.age]) * self.version.months * MEAN_MONTH_DAYS
        earliest = self.status_on + timedelta(days=max(10, int(left_days * FASTEST)))
        return working_day(max(believed, earliest))

    @cached_property
    def cost(self) -> int:
        """Final cost in pennies as it is now forecast; never less than what is spent."""
        if self.state == "closed":
            return self.project.cost
        budget = self.version.budget
        believed = budget + int((self.project.cost - budget) * self.learned)
        least = self.spent + int(round((1.0 - self.done) * 1000) * budget / 1000 * CHEAPEST)
        return -(-max(believed, least) // PENNIES_PER_THOUSAND) * PENNIES_PER_THOUSAND

    @property
    def slip_days(self) -> int:
        """Forecast finish after the baseline in force; negative is earlier."""
        return (self.finish_on - self.version.finish_on).days

    def baseline_on(self, way: float) -> date:
        """Return the day at which the baseline in force passes a share of the way."""
        version, project = self.version, self.project
        passed = project.way[version.since]
        if version.number == 1 or way <= passed:
            return between(project.start_on, later=project.versions[0].finish_on, share=way)
        return between(version.approved_on, later=version.finish_on, share=(way - passed) / (1.0 - passed))

    def reached_on(self, way: float) -> date | None:
        """Return the day at which a share of the way was really passed; None if it is still to come."""
        project = self.project
        if self.age == 0 or project.way[self.age] < way:
            return None
        if way >= 1.0:
            return project.finish_on
        age = next(age for age in range(1, self.age + 1) if project.way[age] >= way)
        before, after = project.way[age - 1], project.way[age]
        month = project.starts + age - 1
        day = between(first_day(month), later=last_day(month), share=(way - before) / (after - before))
        return min(max(day, project.start_on), project.finish_on)

    def forecast_on(self, way: float) -> date:
        """Return the day at which a share of the way was passed, or is forecast to be: then after the status date."""
        reached = self.reached_on(way)
        if reached is not None:
            return reached
        left = (way - self.project.way[self.age]) / (1.0 - self.project.way[self.age])
        return max(between(self.status_on, later=self.finish_on, share=left), next_working_day(self.status_on))

    def truth(self, *, lag: int = 0) -> tuple[float, float]:
        """Return delay in days and overspend as a share of the work done, as they were ``lag`` months ago."""
        age = max(self.age - lag, self.version.since)
        earned = self.project.done[age] * self.version.budget
        over = self.project.spent[age] / earned - 1.0 if self.project.done[age] > 0.03 else 0.0
        return self.project.delay_months(age) * MEAN_MONTH_DAYS, over

    @cached_property
    def ratings(self) -> tuple[str, str]:
        """Time and cost as the manager rates them on three points: late, and as kind as the manager is."""
        if self.state == "proposed":
            return "green", "green"
        honesty = HONESTY[self.project.candour]
        late_days, over = self.truth(lag=self.project.lag)
        told_over = self.cost / self.version.budget - 1.0
        return (
            three_points(
                max(late_days, self.slip_days) * honesty, amber=LIMITS.slip_amber_days, red=LIMITS.slip_red_days
            ),
            three_points(max(over, told_over) * honesty, amber=LIMITS.cost_amber, red=LIMITS.cost_red),
        )

    @property
    def assured_rating(self) -> str:
        """Overall rating by independent assurance on five points: the truth of the month."""
        late_days, over = self.truth()
        severity = max(late_days / LIMITS.slip_amber_days, over / LIMITS.cost_amber)
        return next((rating for limit, rating in FIVE_POINTS if severity <= limit), "red")


def three_points(value: float, *, amber: float, red: float) -> str:
    """Return green, amber or red for a value that is worse the larger it is."""
    return "red" if value > red else "amber" if value > amber else "green"


def next_working_day(day: date) -> date:
    """Return the first Monday to Friday after a day."""
    return day + timedelta(days=(1, 1, 1, 1, 3, 2, 1)[day.weekday()])
