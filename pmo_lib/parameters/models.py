"""What an organisation, a portfolio and a report may say: every threshold that colours a cell stands here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

# Ids become folder names: no path can be spelt with these.
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PERIOD_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])$"

# What must not stand in a file stands in the environment, and the file names the variable.
REFERENCE_PATTERN = r"^env:[A-Za-z_][A-Za-z0-9_]*$"

Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
PeriodText = Annotated[str, StringConstraints(pattern=PERIOD_PATTERN)]
Reference = Annotated[str, StringConstraints(pattern=REFERENCE_PATTERN)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=0)]


class Model(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def laid_under(self, others: Mapping[str, object]) -> Self:
        """Return the model with other values laid over its own; ValidationError if they do not fit."""
        return type(self).model_validate(self.model_dump() | dict(others))


class Thresholds(Model):
    """Limits that colour a cell or raise a flag; each is printed in the report that uses it."""

    cost_amber: Share = Field(0.05, description="Cost above baseline by more than this share is amber")
    cost_red: Share = Field(0.10, description="Cost above baseline by more than this share is red")
    slip_amber_days: Days = Field(30, description="Forecast finish later than baseline by more days is amber")
    slip_red_days: Days = Field(90, description="Forecast finish later than baseline by more days is red")
    in_year_tolerance: Share = Field(0.05, description="In-year outlook off plan by more than this share is flagged")
    underspend_flag: Share = Field(
        0.20,
        description="In-year underspend from this share on asks: did the end date move?",
    )
    milestone_horizon_days: Days = Field(90, description="Milestones due within these days are listed")
    submission_due_days: Days = Field(
        10,
        description="A return is due within these days after the status date; what comes in later is late",
    )
    quarantine_limit: Share = Field(0.20, description="A return with a larger share of unusable rows is refused")
    scope_amber: Share = Field(
        0.05, description="Changes outside the baseline above this share of its budget are amber"
    )
    scope_red: Share = Field(0.10, description="Changes outside the baseline above this share of its budget are red")
    change_amber_days: Days = Field(30, description="A change request undecided for more days is amber")
    change_red_days: Days = Field(60, description="A change request undecided for more days is red")
    benefits_amber: Share = Field(0.10, description="Benefits below those approved by more than this share are amber")
    benefits_red: Share = Field(0.20, description="Benefits below those approved by more than this share are red")
    exposure_amber: Share = Field(
        0.0, description="Exposure that contingency does not cover above this share of the budget is amber"
    )
    exposure_red: Share = Field(
        0.05, description="Exposure that contingency does not cover above this share of the budget is red"
    )
    resourcing_amber: int = Field(2, ge=0, description="An open resourcing issue of a higher severity is amber")
    resourcing_red: int = Field(3, ge=0, description="An open resourcing issue of a higher severity is red")
    gate_amber_days: Days = Field(0, description="A gate overdue by more days is amber")
    gate_red_days: Days = Field(60, description="A gate overdue by more days is red")
    artefacts_amber: Share = Field(0.10, description="Required artefacts not approved above this share are amber")
    artefacts_red: Share = Field(0.25, description="Required artefacts not approved above this share are red")
    data_amber: Share = Field(0.85, description="The weakest share of data quality below this is amber")
    data_red: Share = Field(0.60, description="The weakest share of data quality below this is red: not assured")

    @model_validator(mode="after")
    def _red_is_beyond_amber(self) -> Thresholds:
        pairs = [(name, name.replace("_amber", "_red")) for name in type(self).model_fields if "_amber" in name]
        swapped = [red for amber, red in pairs if getattr(self, red) < getattr(self, amber) and red != "data_red"]
        if swapped or self.data_red > self.data_amber:
            raise ValueError("red must not be reached before amber: raise the red limit or lower the amber one")
        return self


class RatingRules(Model):
    """By which rules and against which baseline ratings are computed, and how long an improvement has to last."""

    against: Literal["current", "original"] = Field(
        "current", description="Baseline that forecasts are held against: the approved one, or the first one"
    )
    rules: Literal["today", "last year"] = Field("today", description="Limits that are used; see last_year")
    last_year: dict[str, float] = Field(
        default_factory=dict, description="Limits of last year under thresholds, where they were others than today's"
    )
    hysteresis_days: Days = Field(56, description="A computed rating gets better once that has lasted for as many days")
    effect_days: Days = Field(90, description="What a decision or an action did is judged after as many days")

    @model_validator(mode="after")
    def _last_year_is_stated(self) -> RatingRules:
        if unknown := sorted(self.last_year.keys() - Thresholds.model_fields.keys()):
            raise ValueError(f"last_year: no threshold is named {', '.join(unknown)}: use the names under thresholds")
        if self.rules == "last year" and not self.last_year:
            raise ValueError("last year's limits are not stated: write those that were others under rating.last_year")
        return self


Levels = tuple[float, float, float, float, float]
Grade = Literal["low", "medium", "high", "severe"]
GRADES: tuple[Grade, ...] = ("low", "medium", "high", "severe")


class RiskRules(Model):
    """How risks are scored and when one is late."""

    matrix: tuple[tuple[Grade, Grade, Grade, Grade, Grade], ...] = Field(
        (
            ("low", "low", "low", "medium", "medium"),
            ("low", "low", "medium", "medium", "high"),
            ("low", "medium", "medium", "high", "high"),
            ("medium", "medium", "high", "high", "severe"),
            ("medium", "high", "high", "severe", "severe"),
        ),
        description="Grade by probability level (rows 1–5) and impact level (columns 1–5); total and monotone",
        min_length=5,
        max_length=5,
    )
    appetite: Grade = Field("medium", description="Highest grade that is carried without escalation")
    imminent_days: Days = Field(30, description="May strike within these days: imminent")
    near_days: Days = Field(90, description="May strike within these days: near")
    review_interval_days: Days = Field(90, description="A risk not reviewed for longer is overdue")
    top: int = Field(10, ge=1, description="Number of risks in the lists of the largest")
    bulk_review_risks: int = Field(
        5,
        ge=2,
        description="A day of review shared by as many open risks is listed as a bulk review",
    )
    unmoved_periods: int = Field(3, ge=2, description="A score unchanged over as many registers is listed")
    probability_scale: Levels = Field(
        (0.05, 0.2, 0.4, 0.6, 0.85),
        description="Probability that levels 1–5 stand for; default: middles of the PMBOK Guide's bands (2017, 11.1.3)",
    )
    impact_scale: Levels = Field(
        (0.05, 0.1, 0.2, 0.4, 0.8),
        description="Weight of impact levels 1–5, of which only the proportions count; default: the PMBOK Guide's",
    )
    blocker_severity: int = Field(4, ge=1, le=5, description="An open issue of this severity or more is a blocker")

    @field_validator("matrix", mode="before")
    @classmethod
    def _matrix_is_total(cls, matrix: object) -> object:
        rows = matrix if isinstance(matrix, list | tuple) else ()
        rows = [row if isinstance(row, list | tuple) else () for row in rows]
        cells = [(p, i, grade) for p, row in enumerate(rows, 1) for i, grade in enumerate(row, 1)]
        if holes := [f"probability {p} × impact {i}" for p, i, grade in cells if grade not in GRADES]:
            raise ValueError(
                f"the risk matrix is not total: no grade for {', '.join(holes)}; give each one of {', '.join(GRADES)}"
            )
        return matrix

    @model_validator(mode="after")
    def _matrix_is_monotone(self) -> RiskRules:
        rank = [[GRADES.index(grade) for grade in row] for row in self.matrix]
        rows_rise = all(a <= b for row in rank for a, b in pairwise(row))
        columns_rise = all(a <= b for up, down in pairwise(rank) for a, b in zip(up, down, strict=True))
        if not (rows_rise and columns_rise):
            raise ValueError("the risk matrix is not monotone: no grade may fall as probability or impact rises")
        return self

    @model_validator(mode="after")
    def _scales_rise(self) -> RiskRules:
        for name, scale in (("probability_scale", self.probability_scale), ("impact_scale", self.impact_scale)):
            if scale[0] <= 0 or any(low >= high for low, high in pairwise(scale)):
                raise ValueError(f"{name} must be above 0 and rise with the level")
        if self.probability_scale[-1] > 1:
            raise ValueError("probability_scale: a probability is at most 1")
        return self


class Rate(Model):
    """What one unit of a currency is worth in the organisation's own, on a day, by a source that others can check."""

    per_unit: Annotated[float, Field(gt=0)] = Field(description="Units of the organisation's currency for one unit")
    on: date = Field(description="Day of the rate")
    source: str = Field(min_length=1, description="Who published it")


class FinanceRules(Model):
    """Limits of the tests of financial returns and of contingency; each is printed in the report that uses it."""

    year_end_accrual: Share = Field(0.10, description="Month-12 accrual above this share of the year's cost is listed")
    year_end_reversal: Share = Field(
        0.50, description="Month 1 that takes back more than this share of the month-12 accrual is listed"
    )
    bunching_width: Share = Field(0.01, description="Overspend this little below the tolerance counts as just below it")
    bunching_projects: int = Field(3, ge=2, description="As many projects just below the tolerance are listed")
    optimism_share: Share = Field(0.10, description="A forecaster off by more than this share of the actuals is listed")
    optimism_forecasts: int = Field(6, ge=2, description="A forecaster is judged from as many monthly forecasts on")
    closure_grace_months: int = Field(1, ge=0, description="Actuals in more months after the closure are listed")
    flat_months: int = Field(4, ge=2, description="The same forecast in as many months to come is listed")
    capex_gap: Share = Field(
        0.10, description="Capital share of the outlook off that of the budget by more than this is listed"
    )
    burn_amber: float = Field(1.2, gt=0, description="Share of contingency used ÷ share complete above this is amber")
    burn_red: float = Field(1.5, gt=0, description="Share of contingency used ÷ share complete above this is red")

    @model_validator(mode="after")
    def _red_is_beyond_amber(self) -> FinanceRules:
        if self.burn_red < self.burn_amber:
            raise ValueError("red must not be reached before amber: raise burn_red or lower burn_amber")
        return self


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class WorkingCalendar(Model):
    """The days on which work is done: finish dates fall on them."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = Field(
        None, description="ISO 3166 code of the country whose public holidays are kept; none: weekends only"
    )
    subdivision: str | None = Field(None, description="Part of the country, such as ENG or NY")
    working_days: tuple[Weekday, ...] = Field(("mon", "tue", "wed", "thu", "fri"), min_length=1)
    closed_on: tuple[date, ...] = Field((), description="Further days without work")


class EarnedValueRules(Model):
    """Limits and weights of earned value and of its forecasts; each is printed in the report that uses it."""

    cpi_weight: Share = Field(0.8, description="Weight of CPI in the weighted estimate; SPI has the rest")
    recent_months: int = Field(3, ge=1, description="Months behind the recent CPI")
    low_confidence_share: Share = Field(0.10, description="Below this share complete, indices say little")
    recovery_limit: float = Field(1.10, ge=1, description="A to-complete index above this is seldom reached")
    management_gap: Share = Field(
        0.05, description="Management's estimate below the recent trend by more than this share is flagged"
    )
    backtest_projects: int = Field(
        10, ge=1, description="A rule is recommended from as many finished projects of our own on"
    )


class SimulationRules(Model):
    """How uncertainty is simulated; ranges and correlations that no return states are assumptions, printed as such."""

    seed: int = Field(1, description="Seed of all streams of draws")
    trials_least: int = Field(2_048, ge=256, description="Trials that are made in any case")
    trials_most: int = Field(16_384, ge=256, description="Trials after which it ends, converged or not")
    precision: Share = Field(
        0.005, description="It ends where half the 95 % interval of P80 is below this share of P80"
    )
    shape: Literal["pert", "triangular"] = Field("pert", description="Shape of what has three points")
    cost_low: Share = Field(0.10, description="Cost to go may be lower by this share, where no range is returned")
    cost_high: float = Field(
        0.25, ge=0, description="Cost to go may be higher by this share, where no range is returned"
    )
    days_low: Share = Field(0.10, description="Time to go may be shorter by this share, where there is no network")
    days_high: float = Field(
        0.30, ge=0, description="Time to go may be longer by this share, where there is no network"
    )
    time_share: Share = Field(
        0.25, description="Share of the cost to go that runs on with time: teams, site, supervision"
    )
    correlation_within: Share = Field(0.3, description="Correlation of two uncertain quantities of one project")
    correlation_between: Share = Field(0.2, description="Correlation of quantities of two projects")

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> SimulationRules:
        if self.trials_most < self.trials_least:
            raise ValueError("trials_most must not be below trials_least")
        if self.correlation_between > self.correlation_within:
            raise ValueError("quantities of two projects cannot be tied closer than those of one: lower the former")
        return self


PublishedClass = Literal[
    "standard buildings", "non-standard buildings", "roads", "fixed links", "information technology"
]


class ReferenceRules(Model):
    """Which published overruns stand in where too few projects of our own are finished (Flyvbjerg and COWI 2004)."""

    classes: dict[PublishedClass, Share] = Field(
        default_factory=dict, description="Published classes by their shares of the cost, which make 1"
    )
    managed_share: Share = Field(0.0, description="Share of the published optimism bias that is managed")

    @model_validator(mode="after")
    def _shares_make_one(self) -> ReferenceRules:
        if self.classes and abs(sum(self.classes.values()) - 1) > 1e-9:
            raise ValueError("shares of the classes must make 1")
        return self


class ScheduleRules(Model):
    """How schedule networks are computed and judged; each limit is printed in the report that uses it."""

    progress: Literal["retained logic", "override"] = Field(
        "retained logic", description="What open work does that began before the tasks it should wait for were done"
    )
    critical_days: float = Field(0.0, description="Total float up to which a task is critical, working days")
    near_critical_days: float = Field(5.0, description="Total float up to which it is near critical, working days")
    missing_logic: Share = Field(0.05, description="Open tasks without predecessor or successor, at most")
    lags: Share = Field(0.05, description="Links with a lag, at most")
    finish_to_start: Share = Field(0.90, description="Links from finish to start, at least")
    hard_constraints: Share = Field(0.05, description="Open tasks with a hard constraint, at most")
    high_float_days: Days = Field(44, description="Total float above this is high, working days")
    high_float: Share = Field(0.05, description="Open tasks with high float, at most")
    long_task_days: Days = Field(44, description="A task above this is long, working days")
    long_tasks: Share = Field(0.05, description="Open tasks that are long, at most")
    missed_tasks: Share = Field(0.05, description="Tasks due by the status date and not finished in time, at most")
    stress_days: Days = Field(600, description="Working days by which the critical path test lengthens a task")
    path_index: float = Field(0.95, gt=0, description="Critical path length index (CPLI), at least")
    execution_index: float = Field(0.95, gt=0, description="Baseline execution index (BEI), at least")


class Organisation(Model):
    """One organisation: a workspace with its own parameters, snapshot chain and outputs."""

    id: Identifier
    name: str = Field(min_length=1)
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field("GBP", description="ISO 4217")
    fiscal_year_start_month: int = Field(4, ge=1, le=12)
    cycle: Literal["monthly", "quarterly", "annual", "irregular"] = Field(
        "monthly", description="How often returns come"
    )
    mapping: str | None = Field(
        None,
        description="Mapping used where the command names none; none: our own layout",
    )
    root_unit: Identifier | None = Field(None, description="Id of the enterprise at the top of the hierarchy")
    baseline_is_latest_approved: bool = Field(
        False,
        description="Dates and costs are 'latest approved': a change is movement of the baseline, not slip",
    )
    rates: dict[Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")], Rate] = Field(
        default_factory=dict, description="Currencies beside the organisation's own; money in any other is a finding"
    )
    thresholds: Thresholds = Thresholds()
    rating: RatingRules = RatingRules()
    risk: RiskRules = RiskRules()
    finance: FinanceRules = FinanceRules()
    earned_value: EarnedValueRules = EarnedValueRules()
    simulation: SimulationRules = SimulationRules()
    schedule: ScheduleRules = ScheduleRules()
    reference: ReferenceRules = ReferenceRules()
    working_calendar: WorkingCalendar = WorkingCalendar()

    @model_validator(mode="after")
    def _last_year_is_in_order(self) -> Organisation:
        self.limits("last year")
        return self

    def limits(self, rules: Literal["today", "last year"]) -> Thresholds:
        """Return the thresholds of today, or those of last year."""
        return self.thresholds.laid_under(self.rating.last_year) if rules == "last year" else self.thresholds


class Exhibit(Model):
    """One exhibit of a report: what its caption states, and what to say where it cannot be shown."""

    id: Identifier
    question: str = Field(
        "", description="Its heading, where it is not the first exhibit under a question of the notebook"
    )
    needs: tuple[str, ...] = Field(description="Tables without which it is missing")
    caption: str = Field(description="Unit, sign rule and how to read it")
    supplier: str = Field(description="Who could supply what is missing, and where it goes")
    nothing: str = Field(
        "Nothing to show: the data is there and holds no such case.",
        description="Said when empty",
    )


class Section(Model):
    """A section that a portfolio adds to a report."""

    name: Identifier = Field(description="Its notebook: notebooks/sections/<name>.ipynb")
    report: Identifier = Field(description="Report that it stands in")
    slot: str = Field(description="Id of the cell of the report's notebook after which it stands")
    exhibits: tuple[Exhibit, ...] = Field(min_length=1, description="What it shows, in order")


class Portfolio(Model):
    """What differs for one portfolio; everything else is the organisation's."""

    id: Identifier
    name: str | None = None
    parent_id: Identifier | None = None
    owner: str | None = None
    thresholds: dict[str, float] = Field(default_factory=dict, description="Only the limits that differ")
    risk: dict[str, float | str] = Field(default_factory=dict, description="Only the rules that differ")
    reference: dict[str, dict[str, float] | float] = Field(
        default_factory=dict, description="Only the rules of reference classes that differ"
    )
    sections: tuple[Section, ...] = Field((), description="Sections of its own in a report")


class Report(Model):
    """One report: its notebook has the same name."""

    name: Identifier
    title: str
    question: str
    scope: Literal["portfolio", "organisation", "edition"] = "portfolio"
    needs: tuple[str, ...] = ("portfolios", "projects", "status")
    exhibits: tuple[Exhibit, ...]

    def exhibit(self, name: str) -> Exhibit:
        """Return the exhibit of that id; KeyError names those that exist."""
        for exhibit in self.exhibits:
            if exhibit.id == name:
                return exhibit
        raise KeyError(f"report {self.name} has no exhibit {name!r}; it has {[e.id for e in self.exhibits]}")


class Reports(Model):
    """All reports in reading order."""

    reports: tuple[Report, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in reading order."""
        return tuple(report.name for report in self.reports)

    @property
    def of_portfolios(self) -> tuple[str, ...]:
        """Names of the reports that every portfolio owes."""
        return tuple(report.name for report in self.reports if report.scope == "portfolio")

    def named(self, name: str) -> Report:
        """Return the report of that name; KeyError if there is none."""
        return next(report for report in self.reports if report.name == name)
