"""The figures of the risk register, each with its definition, its rule and its own rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from pmo_lib.metrics.explained import COUNT, About, Given, Measured, NamedFigure, Rows, added
from pmo_lib.metrics.registers import PAST, Register
from pmo_lib.metrics.risk import compared_period
from pmo_lib.metrics.risk_summary import FLAG_FIGURES
from pmo_lib.parameters.models import GRADES
from pmo_lib.theme import month

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD = "PMI, Standard for Risk Management, 2019: expected monetary value"
CARE = "ISO 31000:2018, 6.5 and 6.6; HM Treasury, Orange Book, 2020"
EXPECTED = "a threat is positive (cost or delay), an opportunity negative"
RESERVE = "PMI, Standard for Risk Management, 2019: approved − drawn + returned; positive is still there"
OPEN = "open: neither closed nor occurred"
KINDS = {"threats": "threat", "opportunities": "opportunity", "net": ""}
UNITS = {"": ("money", "cost_impact_likely"), "_days": ("days", "days_impact_likely")}
FIRST, LATER = "no earlier register", "since the register of {}"
MOVES = {
    "new": "Risks that are open and were in no register of ours before",
    "closed": "Risks that were open in the register before and are closed now",
    "escalated": "Open risks that are escalated now and were not before",
    "re-opened": "Risks that are open and were closed or had occurred when they were last seen",
    "occurred": "Risks that were open in the register before and have occurred since",
    "dropped": "Risks that were open in the register before and are in none now, without having been closed",
}
FLAGS = {
    "risks_past_date": "Open risks whose day of striking is past",
    "risks_without_owner": "Open risks without an owner",
    "risks_without_response": "Open risks without a response",
    "risks_without_action": "Open risks that no action names and that are not simply accepted",
    "actions_overdue": "Actions on open risks that are past their due date and not done",
    "reviews_overdue": "Open risks whose last review is longer ago than the interval of reviews",
    "risks_above_appetite_not_escalated": "Open threats above the risk appetite that are not escalated",
}
NEEDS = ("risks",)
REGISTER_NEEDS = ("portfolios", "projects", "states", "reserves", "risks", "actions", "issues")
MOST = 6
SIGNS = {"approved": 1.0, "returned": 1.0, "drawn": -1.0}


@dataclass(frozen=True, eq=False)
class Risks(About):
    """What the figures of a risk register are about."""

    @cached_property
    def named(self) -> dict[str, NamedFigure]:
        """The figures by name."""
        parts = (self._counts(), self._exposures(), self._moves(), self._flags(), self._reserves())
        return {figure.name: figure for part in parts for figure in part}

    @cached_property
    def made(self) -> Register:
        """The register that made the figures, or the same made again."""
        if self.case is not None:
            return cast("Register", self.case)
        tables = {name: self.now(name).drop(columns="period") for name in REGISTER_NEEDS}
        return Register(tables, tuple(self.history(name) for name in PAST), self.settings, self.between.period)

    @property
    def scored(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.scored_risks`."""
        return self.made.scored

    @property
    def register(self) -> pd.DataFrame:
        """As :func:`pmo_lib.metrics.risk.risk_register`."""
        return self.made.rows

    @cached_property
    def compared(self) -> str:
        """The period of the register before; ``""`` where there is none."""
        return compared_period(self.scored, period=self.between.period) or ""

    def _at(self, rows: pd.DataFrame, *, table: str = "risks") -> pd.DataFrame:
        return self.rows_at(table, places=[(self.between.period, ref) for ref in rows["source_ref"]])

    def _counts(self) -> Iterator[NamedFigure]:
        texts = {
            "risks_open": f"Risks of the portfolio that are {OPEN}",
            "risks_unquantified": "Open risks without an expected value in money: they are in no sum",
            "risks_without_levels": "Open risks without a level of probability or of impact: they have no score",
            "risks_above_appetite": "Open risks whose grade is above the risk appetite; no opportunity is",
        }
        for name, definition in texts.items():
            rule = "count of " + definition[0].lower() + definition[1:].partition(":")[0]
            yield NamedFigure(
                name, definition, rule, COUNT, CARE if name != "risks_unquantified" else STANDARD, NEEDS,
                lambda name=name: {"risks": self._at(self._passing(name))},
                lambda rows, given, name=name: _counted(rows, given=given, name=name),
            )  # fmt: skip

    def _passing(self, name: str) -> pd.DataFrame:
        return self.register[COUNTED[name](self.register, self.given).fillna(False)]

    def _exposures(self) -> Iterator[NamedFigure]:
        for who, kind in KINDS.items():
            for ending, (unit, column) in UNITS.items():
                words = f"open {kind or 'risk'}s" if kind != "opportunity" else "open opportunities"
                yield NamedFigure(
                    f"exposure_{who}{ending}",
                    f"Expected {unit} of the {words}" + ("" if kind else ", threats less opportunities"),
                    f"sum of probability × most likely impact (column {column}) over the quantified {words}"
                    + ("" if kind else ", opportunities negative") + ": {expected values}",
                    EXPECTED, STANDARD, NEEDS,
                    lambda unit=unit, kind=kind: {"risks": self._at(_quantified(self.register, unit=unit, kind=kind))},
                    lambda rows, given, unit=unit, kind=kind: _expected(rows, given=given, unit=unit, kind=kind),
                )  # fmt: skip

    def _moves(self) -> Iterator[NamedFigure]:
        since = LATER.format(month(self.compared)) if self.compared else FIRST
        for kind, definition in MOVES.items():
            yield NamedFigure(
                f"risks_{kind.replace('-', '')}", f"{definition}; {since}", f"count of risks that are {kind}", COUNT,
                CARE, NEEDS, lambda kind=kind: {"risks": self._moved(kind)},
                lambda rows, given, kind=kind: _became(rows, given=given, kind=kind),
            )  # fmt: skip

    def _moved(self, kind: str) -> pd.DataFrame:
        """Return the rows of risks with a movement: now, in the register before, and where they were last seen."""
        ids = self.made.moves.loc[self.made.moves["what"].eq(kind), "risk_id"]
        ours = self.scored[self.scored["ours"] & self.scored["risk_id"].isin(ids)]
        now, before = (ours[ours["period"].eq(period)] for period in (self.between.period, self.compared))
        older = ours[ours["period"].lt(self.compared) & ~ours["risk_id"].isin(before["risk_id"])]
        parts = [now, before, older.drop_duplicates("risk_id", keep="last")]
        return pd.concat(parts)[self.history("risks").columns]

    def _flags(self) -> Iterator[NamedFigure]:
        apart = {"risks_without_action": _idle, "actions_overdue": _late}
        for name, definition in FLAGS.items():
            yield NamedFigure(
                name, definition, "count of " + definition[0].lower() + definition[1:], COUNT, CARE,
                ("risks", "actions") if name in apart else NEEDS,
                lambda name=name: self._flagged(name),
                apart.get(name, lambda rows, given, name=name: _counted(rows, given=given, name=name)),
            )  # fmt: skip

    def _flagged(self, name: str) -> Rows:
        flags = self.made.flags
        found = flags[flags["flag"].eq(FLAG_FIGURES[name]) & flags["risk_id"].notna()]
        if name != "actions_overdue":
            return {"risks": self._at(found)}
        held = self.register[self.register["risk_id"].isin(found["risk_id"])]
        return {"risks": self._at(held), "actions": self._at(found, table="actions")}

    def _reserves(self) -> Iterator[NamedFigure]:
        formula = "{approved} − {drawn} + {returned}"
        needs = ("reserves", "projects")
        yield NamedFigure(
            "contingency_left", "Contingency that is left, over the projects where it is known; no management reserve",
            formula, "positive is still there; below 0 is overdrawn", RESERVE, needs, self._held, _left,
        )  # fmt: skip
        yield NamedFigure(
            "exposure_ratio", "Net expected money of the open risks ÷ contingency left; above 1 is not covered",
            "{net exposure} ÷ {contingency left}", "above 1: the contingency does not cover the exposure", STANDARD,
            (*needs, "risks"),
            lambda: {**self._held(), "risks": self._at(_quantified(self.register, unit="money", kind=""))}, _ratio,
        )  # fmt: skip

    def _held(self) -> Rows:
        """Return the book of each project with contingency, and the project's row where that is what counts."""
        ids = self.made.cover.loc[self.made.cover["contingency_left"].notna(), "project_id"]
        book, projects = self.now("reserves"), self.now("projects")
        book = book[book["project_id"].isin(ids) & book["kind"].eq("contingency") & book["amount"].notna()]
        return {"reserves": book, "projects": projects[projects["project_id"].isin(ids)]}


Rule = Callable[[pd.DataFrame, Given], "pd.Series[Any]"]
COUNTED: dict[str, Rule] = {
    "risks_open": lambda risks, _: risks["open"],
    "risks_unquantified": lambda risks, _: risks["open"] & risks["expected_money"].isna(),
    "risks_without_levels": lambda risks, _: risks["open"] & risks["score"].isna(),
    "risks_above_appetite": lambda risks, _: risks["open"] & risks["above_appetite"].eq(True),
    "risks_past_date": lambda risks, _: risks["open"] & risks["proximity_on"].lt(risks["status_date"]),
    "risks_without_owner": lambda risks, _: risks["open"] & risks["owner"].isna(),
    "risks_without_response": lambda risks, _: risks["open"] & risks["response"].isna(),
    "reviews_overdue": lambda risks, given: (
        risks["open"]
        & (risks["status_date"] - risks["reviewed_on"]).dt.days.gt(given.settings.risk.review_interval_days)
    ),
    "risks_above_appetite_not_escalated": lambda risks, _: (
        risks["open"] & risks["above_appetite"].eq(True) & ~risks["escalated"]
    ),
}


def _risks(risks: pd.DataFrame, *, given: Given) -> pd.DataFrame:
    """Return our risks of each register with state, score, place against the appetite, and expected values.

    A second way to what :mod:`pmo_lib.metrics.risk` does, from the cells of each row alone.
    """
    rules, ours = given.settings.risk, risks["portfolio_id"].eq(given.between.portfolio_id)
    rows = risks[ours].sort_values(["period", "status_date"], kind="stable")
    rows = rows.drop_duplicates(["period", "risk_id"], keep="last")
    over = rows["status"].where(rows["status"].isin(["closed", "occurred"]))
    state = over.mask(rows["status"].isna() & rows["closed_on"].le(rows["status_date"]), "closed").fillna("open")
    levels = zip(rows["current_probability_level"], rows["current_impact_level"], strict=True)
    known = [None if pd.isna(p) or pd.isna(i) else (int(p), int(i)) for p, i in levels]
    grades = [None if place is None else rules.matrix[place[0] - 1][place[1] - 1] for place in known]
    above = [None if grade is None else GRADES.index(grade) > GRADES.index(rules.appetite) for grade in grades]
    sign = rows["kind"].map({"threat": 1.0, "opportunity": -1.0}).astype("float64")
    table = rows.assign(
        state=state, open=state.eq("open"), escalated=rows["status"].eq("escalated").fillna(False).astype(bool),
        score=pd.Series([None if place is None else place[0] * place[1] for place in known], rows.index, dtype="Int64"),
        above_appetite=pd.Series(above, index=rows.index, dtype="boolean").mask(rows["kind"].eq("opportunity"), False),
    )  # fmt: skip
    for unit, column in UNITS.values():
        table[f"expected_{unit}"] = sign * rows["probability"] * rows[column].where(rows[column].ge(0))
    return table


def _now(rows: Rows, *, given: Given) -> pd.DataFrame:
    return given.between.now(_risks(rows["risks"], given=given))


def _counted(rows: Rows, *, given: Given, name: str) -> Measured:
    n = int(COUNTED[name](_now(rows, given=given), given).fillna(False).sum())
    return Measured(float(n), n, {})


def _quantified(register: pd.DataFrame, *, unit: str, kind: str) -> pd.DataFrame:
    """Return the open risks of a kind (all, if none is named) with an expected value."""
    risks = register[register["open"] & register[f"expected_{unit}"].notna()]
    return risks[risks["kind"].eq(kind)] if kind else risks


def _expected(rows: Rows, *, given: Given, unit: str, kind: str) -> Measured:
    values = _quantified(_now(rows, given=given), unit=unit, kind=kind)[f"expected_{unit}"]
    told: Any = added(values) if len(values) <= MOST else f"Σ of {len(values)} values"
    return Measured(float(values.sum()) if len(values) else None, len(values), {"expected values": told})


def _became(rows: Rows, *, given: Given, kind: str) -> Measured:
    """Count the risks with a movement by their states now and when they were last seen before."""
    ours = _risks(rows["risks"], given=given)
    now = given.between.now(ours).set_index("risk_id")
    before = ours[ours["period"].lt(given.between.period)].drop_duplicates("risk_id", keep="last").set_index("risk_id")
    ids = now.index.union(before.index)
    state, was = now["state"].reindex(ids).fillna(""), before["state"].reindex(ids).fillna("")
    found = {
        "new": state.eq("open") & was.eq(""),
        "closed": state.eq("closed") & was.eq("open"),
        "occurred": state.eq("occurred") & was.eq("open"),
        "dropped": state.eq("") & was.eq("open"),
        "re-opened": state.eq("open") & was.isin(["closed", "occurred"]),
        "escalated": state.eq("open") & was.eq("open") & now["escalated"].reindex(ids).eq(True)
        & ~before["escalated"].reindex(ids).eq(True),
    }[kind]  # fmt: skip
    n = int(found.sum())
    return Measured(float(n), n, {})


def _idle(rows: Rows, *, given: Given) -> Measured:
    """Count the open risks that no action names and that are not simply accepted."""
    risks, actions = _now(rows, given=given), rows["actions"]
    served = actions.loc[actions["parent_kind"].eq("risk"), "parent_id"]
    n = int((risks["open"] & risks["response"].ne("accept") & ~risks["risk_id"].isin(served)).sum())
    return Measured(float(n), n, {})


def _late(rows: Rows, *, given: Given) -> Measured:
    """Count the actions on open risks that were due before the status date and are not done."""
    risks, actions = _now(rows, given=given), rows["actions"]
    served = actions[actions["parent_kind"].eq("risk") & actions["done_on"].isna()]
    held = risks.loc[risks["open"], ["risk_id", "status_date"]].merge(
        served[["parent_id", "due_on"]], left_on="risk_id", right_on="parent_id"
    )
    n = int(held["due_on"].lt(held["status_date"]).sum())
    return Measured(float(n), n, {})


def _left(rows: Rows, *, given: Given) -> Measured:
    """Add the books up, with the approved amount that a project states where its book approves none."""
    projects, book = rows["projects"], rows["reserves"]
    book = book[book["kind"].eq("contingency") & book["project_id"].isin(projects["project_id"])]
    told = set(book.loc[book["movement"].eq("approved"), "project_id"])
    stated = projects.loc[~projects["project_id"].isin(told), ["project_id", "contingency_approved"]].dropna()
    book = book[book["project_id"].isin(told | set(stated["project_id"]))]
    sums: dict[str, Any] = {name: float(book.loc[book["movement"].eq(name), "amount"].sum()) for name in SIGNS}
    sums["approved"] += float(stated["contingency_approved"].sum())
    value = sum(sign * sums[name] for name, sign in SIGNS.items())
    n = len(book) + len(projects)
    return Measured(value if len(projects) else None, n, sums)


def _ratio(rows: Rows, *, given: Given) -> Measured:
    left, net = _left(rows, given=given), _expected(rows, given=given, unit="money", kind="")
    terms = {"net exposure": net.value or 0.0, "contingency left": left.value or 0.0}
    usable = left.value and net.value is not None
    return Measured(terms["net exposure"] / terms["contingency left"] if usable else None, left.n + net.n, terms)
