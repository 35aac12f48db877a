"""How likely budgets and dates are: cost and finish of a portfolio simulated together, project by project.

Cost of a trial = spent + cost to go × (1 − time share) as drawn + burn rate × days to the finish as drawn + the risks
that strike; the burn rate is time share × cost to go ÷ days to go, so that what is late costs more (time-dependent
cost; GAO-20-195G, NASA's joint confidence level). Days come from the project's network where there is one, else from
one line to its forecast finish; a risk delays its task, or the finish where it names none. Costs to go and days share
a factor of their project and one of all: what is not returned as correlated is assumed to be, by the parameters. Risks
strike independently. Each driver is told by what P80 would be without it, in the very same trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from pmo_lib.errors import ReportError
from pmo_lib.metrics import simulation
from pmo_lib.metrics.calendar import calendar_of
from pmo_lib.metrics.distributions import quantiles
from pmo_lib.metrics.draws import Draws, Variable
from pmo_lib.metrics.simulation_cost import cost_lines, open_risks
from pmo_lib.metrics.simulation_schedule import Axis, Named, Network, Schedule, Step, days_left, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pmo_lib.parameters.models import Organisation, SimulationRules

NEEDS = ("projects", "states", "earned_value", "risks", "tasks", "links")
ALL, WHOLE = "all projects", "Whole portfolio"
PORTFOLIO, PROJECT, OWN = "portfolio", "project", "own"
LEVEL_COLUMNS = [
    "level", "project_id", "name", "spent", "forecast", "budget", "mean", "deviation", *simulation.SHARES, "sum_p80",
    "p80_above", "chance_of_budget", "budgeted", "risks", "risks_left_out", "finish_baseline_on", "finish_p50_on",
    "finish_p80_on", "chance_of_finish", "joint_confidence", "basis", "days_basis", "reason", "budget_reason",
    "finish_reason", "joint_reason", "trials", "seed", "half_width", "precision", "converged", "currency", "source_ref",
]  # fmt: skip
DRIVER_COLUMNS = [
    "driver", "kind", "project_id", "risk_id", "name", "moves_p80", "rank_correlation", "finish_p80_days", "p80",
    "trials", "currency", "reason", "source_ref",
]  # fmt: skip
TASK_COLUMNS = ["project_id", "task_id", "name", "low", "likely", "high", "criticality", "rank_correlation", "reason"]
NO_BUDGET, NO_FINISH = "no budget returned", "no finish to come is returned"
TO_GO, TIME, RISK = "cost to go", "time", "risk"
TOLD = ("project_id", "name", "spent", "forecast", "budget", "basis", "source_ref")
CRITICALITY_TRIALS = 2_048
FAN = {"p50_cumulative": 0.5, "p80_cumulative": 0.8}


@dataclass(frozen=True, eq=False)
class Unit:
    """A project, or the portfolio's own risks: what is certain of it, and what is drawn.

    ``costs`` and ``delays`` are the variables of risks by their place in the register.
    """

    row: dict[str, Any]
    to_go: Variable | None
    schedule: Schedule | None
    costs: tuple[tuple[int, Variable], ...]
    fixed_share: float
    note: str

    def finishes(self, draws: Draws) -> np.ndarray:
        """Return the working days to the finish in each trial; nought where none is known."""
        return np.zeros(len(draws.trials)) if self.schedule is None else self.schedule.finishes(draws)

    @property
    def burn(self) -> float:
        """Cost of a working day."""
        timed = self.schedule is not None and self.schedule.base > 0
        return (1 - self.fixed_share) * self.row["to_go"] / self.schedule.base if self.schedule and timed else 0.0

    def cost(self, draws: Draws, *, finishes: np.ndarray) -> np.ndarray:
        """Return the cost at completion in each trial."""
        cost = np.full(len(draws.trials), self.row["spent"])
        if self.to_go is not None:
            cost += draws.of(self.to_go) * (self.fixed_share if self.burn else 1.0)
        cost += self.burn * finishes
        for _, risk in self.costs:
            cost += draws.of(risk)
        return cost


@dataclass(frozen=True, eq=False)
class Chance:
    """All that a report says of uncertainty; ``tables`` holds :data:`NEEDS` of one portfolio.

    Everything is drawn by the seed of the settings, so that two reports say the same.
    """

    tables: Mapping[str, pd.DataFrame]
    settings: Organisation
    status_on: pd.Timestamp

    @property
    def rules(self) -> SimulationRules:
        """Assumptions and limits."""
        return self.settings.simulation

    @cached_property
    def axis(self) -> Axis:
        """Working days from the status date."""
        return Axis(self.status_on, calendar_of(self.settings.working_calendar).days)

    @cached_property
    def lines(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.simulation_cost.cost_lines`."""
        return cost_lines(self.tables, settings=self.settings, period=f"{self.status_on:%Y-%m}")

    @cached_property
    def risks(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.simulation_cost.open_risks`."""
        return open_risks(self.tables, settings=self.settings)

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.simulation_schedule.days_left`."""
        return days_left(self.tables["tasks"], axis=self.axis)

    def loads(self, project: str) -> tuple[tuple[str, float], ...]:
        """Return the factors that the variables of a project share, with their loadings."""
        within, between = self.rules.correlation_within, self.rules.correlation_between
        return ((ALL, sqrt(between)), (project, sqrt(within - between)))

    def factor(self, project: str) -> Variable:
        """Return a project's cost to go as a multiple of its most likely one, in the assumed range."""
        low, high = 1 - self.rules.cost_low, 1 + self.rules.cost_high
        shape = quantiles(self.rules.shape, low=low, likely=1.0, high=high)
        return Variable((project, TO_GO), shape, loads=self.loads(project))

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Projects with a forecast, by id; then the portfolio's own risks, if there are any."""
        known = self.lines[self.lines["reason"].eq("")]
        units = [self._unit(row) for row in known.to_dict("records")]
        own = self.struck.get(("", "cost"), ())
        if own and units:
            row = {"project_id": "", "name": "Risks of the portfolio as a whole", "spent": 0.0, "to_go": 0.0,
                   "forecast": 0.0, "budget": None, "basis": "", "source_ref": None}  # fmt: skip
            units.append(Unit(row, None, None, own, 1.0, ""))
        return tuple(units)

    def _unit(self, row: dict[Any, Any]) -> Unit:
        project = str(row["project_id"])
        shape = quantiles(self.rules.shape, low=row["low"], likely=row["likely"], high=row["high"])
        to_go = Variable((project, TO_GO), shape, loads=self.loads(project))
        planned, note = self._schedule(row)
        fixed = 1.0 - self.rules.time_share
        return Unit(row, to_go, planned, self.struck.get((project, "cost"), ()), fixed, note)

    def _schedule(self, row: dict[Any, Any]) -> tuple[Schedule | None, str]:
        """Return a project's network with what delays it; where there is none, one line to its forecast finish."""
        project = str(row["project_id"])
        named = Named((project,), self.loads(project))
        tasks = self.tasks[self.tasks["project_id"].eq(project)]
        links = self.tables["links"].loc[lambda rows: rows["project_id"].eq(project)]
        note = ""
        if tasks["done"].isna().any():
            try:
                built = schedule(tasks, links=links, kind=self.rules.shape, named=named)
            except ReportError as error:
                note = f"{error.what}; "
            else:
                return self._delayed(built, project=project), f"network of {len(tasks)} tasks"
        days = float(self.axis.until(pd.Series([row["finish_forecast_on"]])).iloc[0])
        if pd.isna(days) or days <= 0:
            return None, f"{note}{NO_FINISH}"
        low, high = days * (1 - self.rules.days_low), days * (1 + self.rules.days_high)
        line = Variable(
            (project, TIME), quantiles(self.rules.shape, low=low, likely=days, high=high), loads=named.loads
        )
        plain = Schedule(Network((Step(project),)), (line,), (days,))
        return self._delayed(plain, project=project), f"{note}one line to the forecast finish"

    def _delayed(self, planned: Schedule, *, project: str) -> Schedule:
        """Add the risks that delay a project: each its task, or the finish where it names none of the network."""
        places = {step.id: place for place, step in enumerate(planned.network.steps)}
        tasks = self.risks["task_id"]
        delays = tuple((places.get(str(tasks.at[at])), risk) for at, risk in self.delays(project))
        return Schedule(planned.network, planned.days, planned.likely, delays)

    def delays(self, project: str) -> tuple[tuple[int, Variable], ...]:
        """Return the variables of what delays a project, by the place of the risk in the register."""
        return self.struck.get((project, "days"), ())

    @cached_property
    def struck(self) -> dict[tuple[str, str], tuple[tuple[int, Variable], ...]]:
        """The variables of the risks by project and unit (cost, days), each with its place in the register."""
        found: dict[tuple[str, str], tuple[tuple[int, Variable], ...]] = {}
        for unit in ("cost", "days"):
            rows = self.risks[self.risks[f"{unit}_reason"].eq("")]
            for place, row in zip(rows.index, rows.to_dict("records"), strict=True):
                project = str(row["project_id"])
                low, likely, high = (row[f"{unit}_{name}"] for name in ("low", "likely", "high"))
                shape = quantiles(self.rules.shape, low=low, likely=likely, high=high)
                sign = 1.0 if row["kind"] == "threat" else -1.0
                name = (project, str(row["risk_id"]), unit)
                risk = Variable(name, shape.times(sign), float(row["probability"]))
                found[project, unit] = (*found.get((project, unit), ()), (int(place), risk))
        return found

    def _outcomes(self, trials: range) -> np.ndarray:
        """Return cost of the whole, cost of each unit, days to the finish of each unit."""
        draws = Draws(self.rules.seed, trials)
        finishes = [unit.finishes(draws) for unit in self.units]
        costs = [unit.cost(draws, finishes=days) for unit, days in zip(self.units, finishes, strict=True)]
        total = np.zeros(len(trials))
        for cost in costs:
            total += cost
        return np.array([total, *costs, *finishes])

    @cached_property
    def sample(self) -> simulation.Sample:
        """All trials; rows as the whole, the cost of each unit, the finish of each unit."""
        return simulation.sampled(self._outcomes, rules=self.rules)

    def cost_of(self, place: int) -> np.ndarray:
        """Return the costs of a unit by its place."""
        return np.asarray(self.sample.outcomes[1 + place])

    def finish_of(self, place: int) -> np.ndarray:
        """Return the days to the finish of a unit by its place."""
        return np.asarray(self.sample.outcomes[1 + len(self.units) + place])

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Percentiles and chances of the portfolio and of each project.

        Returns :data:`LEVEL_COLUMNS`: the portfolio, its projects by the P80 above their forecast, what could not be
        simulated with its ``reason``. ``p80_above`` = P80 − forecast; ``sum_p80`` (portfolio) adds up the projects'
        P80s, which is no percentile of anything. The portfolio's budget, and its chance, are those of the projects with
        a budget (``budgeted`` of them). ``half_width`` is half the 95 % interval of the portfolio's P80.
        """
        if not self.units:
            return pd.DataFrame(columns=LEVEL_COLUMNS)
        rows = [self._level(place) for place in range(len(self.units))]
        silent = self.lines[self.lines["reason"].ne("")]
        left = [{"level": PROJECT, **row} for row in silent.to_dict("records")]
        rows.sort(key=lambda row: (-row["p80_above"], row["project_id"]))
        table = pd.DataFrame([self._whole(rows), *rows, *left]).reindex(columns=LEVEL_COLUMNS)
        text = ["reason", "budget_reason", "finish_reason", "joint_reason", "basis", "days_basis"]
        table[text] = table[text].astype("object").fillna("").astype("str")
        for name in ("finish_baseline_on", "finish_p50_on", "finish_p80_on"):
            table[name] = pd.to_datetime(table[name])
        return table.assign(currency=self.settings.currency, **self.sample.told)

    def _level(self, place: int) -> dict[str, Any]:
        unit, costs = self.units[place], self.cost_of(place)
        row, told = unit.row, simulation.summary(costs)
        ours = self.risks[self.risks["project_id"].eq(row["project_id"])]
        budget = row["budget"] if pd.notna(row["budget"]) else None
        own = not row["project_id"]
        found = {
            **{name: row[name] for name in TOLD},
            **told, "level": OWN if own else PROJECT, "p80_above": told["p80"] - row["forecast"],
            "chance_of_budget": simulation.chance(costs, limit=budget), "budget_reason": "" if budget else NO_BUDGET,
            "risks": len(unit.costs), "risks_left_out": int(ours["cost_reason"].ne("").sum()), "days_basis": unit.note,
        }  # fmt: skip
        return found | self._dates(place, costs=costs, budget=budget)

    def _dates(self, place: int, *, costs: np.ndarray, budget: float | None) -> dict[str, Any]:
        """Return when a unit ends, and how likely its baseline finish is, alone and with the budget."""
        unit = self.units[place]
        if unit.schedule is None:
            return dict.fromkeys(("finish_reason", "joint_reason"), NO_FINISH if unit.row["project_id"] else "–")
        days, planned = self.finish_of(place), unit.row["finish_baseline_on"]
        limit = float(self.axis.until(pd.Series([planned])).iloc[0])
        reason = "" if pd.notna(limit) else "no baseline finish returned"
        both = budget is not None and not reason
        return {
            **{f"finish_{name}_on": self.axis.day(simulation.percentile(days, share=simulation.SHARES[name]))
               for name in ("p50", "p80")},
            "finish_baseline_on": planned, "chance_of_finish": simulation.chance(days, limit=limit),
            "joint_confidence": simulation.joint_confidence(costs, finishes=days, cost=budget, finish=limit)
            if budget is not None and both else None,
            "finish_reason": reason, "joint_reason": "" if both else reason or NO_BUDGET,
        }  # fmt: skip

    def _whole(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        total = self.sample.outcomes[0]
        told = simulation.summary(total)
        budgeted = [place for place, unit in enumerate(self.units) if pd.notna(unit.row["budget"])]
        costs = sum((self.cost_of(place) for place in budgeted), np.zeros(self.sample.trials))
        budget = sum(self.units[place].row["budget"] for place in budgeted) if budgeted else None
        forecast = sum(row["forecast"] for row in rows)
        return {
            "level": PORTFOLIO, "project_id": "", "name": WHOLE, "spent": sum(row["spent"] for row in rows),
            "forecast": forecast, "budget": budget, **told, "sum_p80": sum(row["p80"] for row in rows),
            "p80_above": told["p80"] - forecast, "chance_of_budget": simulation.chance(costs, limit=budget),
            "budgeted": len(budgeted), "budget_reason": "" if budgeted else NO_BUDGET,
            "risks": sum(row["risks"] for row in rows), "risks_left_out": int(self.risks["cost_reason"].ne("").sum()),
            **dict.fromkeys(("finish_reason", "joint_reason"), "by project"),
        }  # fmt: skip

    @cached_property
    def drivers(self) -> pd.DataFrame:
        """What drives the portfolio's P80: each project's cost to go and time, and each risk.

        Returns :data:`DRIVER_COLUMNS`, the largest movement first. ``moves_p80`` = P80 − P80 without the risk (its cost
        and that of its delay), or with cost to go or time as forecast; ``finish_p80_days`` the same for the P80 finish
        of a risk's own project, null without delay or finish. A risk that cannot be priced has a ``reason``.
        """
        if not self.units:
            return pd.DataFrame(columns=DRIVER_COLUMNS)
        draws = Draws(self.rules.seed, range(self.sample.trials))
        effects = [dict(self._effects(place, draws=draws)) for place in range(len(self.units))]
        known = [*self._parts(draws, effects=effects)]
        found = simulation.drivers(self.sample.outcomes[0], parts=[part for _, part in known])
        table = pd.DataFrame([row for row, _ in known]).join(found.drop(columns="place"), how="outer")
        late = self._late(effects)
        left = self.risks[self.risks["cost_reason"].ne("") & ~self.risks["risk_id"].isin(table.get("risk_id", ()))]
        silent = left.assign(driver=RISK, name=left["title"], reason=left["cost_reason"])
        parts = [part for part in (table.assign(reason=""), silent) if len(part)]
        if not parts:
            return pd.DataFrame(columns=DRIVER_COLUMNS)
        table = pd.concat(parts, ignore_index=True).reindex(columns=DRIVER_COLUMNS)
        keys = zip(table["project_id"], table["risk_id"].astype("object").fillna(""), strict=True)
        table["finish_p80_days"] = [late.get(key) for key in keys]
        table = table.astype({"finish_p80_days": "float64", "moves_p80": "float64"})
        order = table["moves_p80"].abs().fillna(-1.0).sort_values(ascending=False, kind="stable").index
        whole = {"p80": self.levels["p80"].iloc[0], "trials": self.sample.trials, "currency": self.settings.currency}
        return table.loc[order].assign(**whole).reset_index(drop=True)

    def _effects(self, place: int, *, draws: Draws) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each risk that delays a unit, by its place in the register, with the days that it adds to the finish.

        A delay of a task uses up its float first, so it is the finish less what it would be without the risk.
        """
        unit = self.units[place]
        if unit.schedule is None or not unit.schedule.delays:
            return
        days = unit.schedule.drawn(draws)
        for number, (at, _) in enumerate(self.delays(str(unit.row["project_id"]))):
            without = unit.schedule.delayed(days, draws=draws, without=number)[1]
            yield at, self.finish_of(place) - without

    def _parts(
        self, draws: Draws, *, effects: list[dict[int, np.ndarray]]
    ) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yield each driver with what it adds to the cost in each trial."""
        for place, unit in enumerate(self.units):
            row = {name: unit.row[name] for name in ("project_id", "name", "source_ref")}
            if unit.to_go is not None and unit.row["to_go"] > 0:
                share = unit.fixed_share if unit.burn else 1.0
                drawn = (draws.of(unit.to_go) - unit.row["likely"]) * share
                yield {"driver": TO_GO, "kind": TO_GO, **row}, drawn
            delays = effects[place] if unit.burn else {}
            if unit.schedule is not None and unit.burn:
                planned = [np.full(len(draws.trials), days) for days in unit.schedule.likely]
                as_planned = unit.schedule.delayed(planned, draws=draws)[1]
                yield {"driver": TIME, "kind": TIME, **row}, unit.burn * (self.finish_of(place) - as_planned)
            priced = {at: draws.of(risk) for at, risk in unit.costs}
            for at in sorted(priced.keys() | delays.keys()):
                told = self.risks.loc[at]
                name = {"risk_id": told["risk_id"], "name": told["title"], "source_ref": told["source_ref"]}
                drawn = priced.get(at, 0.0) + unit.burn * delays.get(at, np.zeros(len(draws.trials)))
                yield {"driver": RISK, "kind": told["kind"], **row, **name}, drawn

    def _late(self, effects: list[dict[int, np.ndarray]]) -> dict[tuple[str, str], float]:
        """Return by how many days each risk moves the P80 finish of its project."""
        found = {}
        for place, unit in enumerate(self.units):
            days = self.finish_of(place)
            p80 = simulation.percentile(days, share=simulation.WATCHED)
            for at, effect in effects[place].items():
                without = simulation.percentile(days - effect, share=simulation.WATCHED)
                found[str(unit.row["project_id"]), str(self.risks.at[at, "risk_id"])] = p80 - without
        return found

    @property
    def risk_drivers(self) -> pd.DataFrame:
        """The risks among :attr:`drivers`."""
        return self.drivers[self.drivers["driver"].eq(RISK)].reset_index(drop=True)

    @cached_property
    def critical_tasks(self) -> pd.DataFrame:
        """Which tasks drive the finish: :data:`TASK_COLUMNS` of those with days to go, the most critical first.

        ``criticality`` is the share of trials in which the task is on a path that drives the finish;
        ``rank_correlation`` that of its days and the finish (cruciality).
        """
        draws = Draws(self.rules.seed, range(min(CRITICALITY_TRIALS, self.rules.trials_most)))
        parts = [part for unit in self.units for part in self._critical(unit, draws=draws)]
        if not parts:
            return pd.DataFrame(columns=TASK_COLUMNS)
        table = pd.concat(parts, ignore_index=True)
        order = table.sort_values(["project_id", "criticality"], ascending=[True, False], kind="stable")
        return order[TASK_COLUMNS].reset_index(drop=True)

    def _critical(self, unit: Unit, *, draws: Draws) -> Iterator[pd.DataFrame]:
        if unit.schedule is None or len(unit.schedule.days) < 2:
            return
        passed, finishes = unit.schedule.passed(draws)
        shares = unit.schedule.network.critical(passed).mean(axis=1)
        ranks = [simulation.rank_correlation(days, other=finishes) for days in passed.durations]
        ids = [step.id for step in unit.schedule.network.steps]
        found = pd.DataFrame({"task_id": ids, "criticality": shares, "rank_correlation": ranks})
        rows = self.tasks[self.tasks["project_id"].eq(unit.row["project_id"]) & self.tasks["high"].gt(0)]
        yield rows.merge(found, on="task_id")

    def fan(self, year: Phased) -> pd.DataFrame:
        """Return a year by month with the P50 and P80 of its cumulative outlook, from the last closed month on.

        Returns
        -------
        DataFrame
            ``year.phased`` with ``p50_cumulative, p80_cumulative`` (null where nothing is to come) and ``fan_trials``.
            What each unit has still to spend is drawn as one multiple of its forecast, the same as of its whole cost to
            go. Risks are not in it: the register does not say in which month they cost.
        """
        phased, closed = year.phased, int(year.phased["closed"].sum())
        entries = year.entries
        coming = entries[entries["part"].eq("outlook") & entries["minor"].notna() & entries["number"].gt(closed)]
        if phased.empty or coming.empty:
            return phased.assign(**dict.fromkeys(FAN, float("nan")), fan_trials=0)
        units = coming["own_of"].astype("str") + coming["project_id"].astype("str")
        wide = coming.assign(unit=units).pivot_table(index="unit", columns="number", values="minor", aggfunc="sum")
        months = wide.reindex(columns=phased.loc[~phased["closed"], "number"]).astype("float64").fillna(0.0)
        months = months.cumsum(axis="columns") / 100
        draws = Draws(self.rules.seed, range(self.rules.trials_least))
        totals = np.zeros((months.shape[1], self.rules.trials_least))
        for unit, money in zip(months.index, months.to_numpy(), strict=True):
            totals += money[:, None] * draws.of(self.factor(str(unit)))[None, :]
        done = float(phased.loc[phased["closed"], "outlook"].sum())
        start = [float("nan")] * max(closed - 1, 0) + [done] * min(closed, 1)
        added = {name: [*start, *(done + np.quantile(totals, share, axis=1))] for name, share in FAN.items()}
        return phased.assign(**added, fan_trials=self.rules.trials_least)


class Phased(Protocol):
    """A fiscal year by month, and the entries behind it; see :class:`pmo_lib.metrics.outlook.Year`."""

    entries: pd.DataFrame

    @property
    def phased(self) -> pd.DataFrame:
        """By month."""
