"""One period's drafts → its checked return: rules applied, rows set aside, returns refused, books closed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from pmo_lib.contracts.findings import findings_table
from pmo_lib.contracts.returned import QUARANTINE_COLUMNS, RETURN_COLUMNS, Checked
from pmo_lib.contracts.rules import (
    Circumstances,
    Failure,
    cell_failures,
    group_failures,
    key_failures,
    reference_failures,
)
from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake import continuity, hierarchy
from pmo_lib.intake.books import Books, cell_accounts
from pmo_lib.intake.cells import Outcome
from pmo_lib.intake.drafts import Draft
from pmo_lib.intake.faults import About, Fault, Place
from pmo_lib.intake.stacks import Stack
from pmo_lib.intake.typed import in_key_order, typed_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.drafts import Batch
    from pmo_lib.intake.hierarchy import Rows
    from pmo_lib.intake.periods import Portion
    from pmo_lib.parameters.mapping import Mapping as SourceMapping
    from pmo_lib.parameters.models import Organisation

REFUSED = "return-refused"
ELSEWHERE = frozenset(("wrong-period", "no-status-date"))  # rows that are set aside unread: they speak of another day
UNITS = ("portfolios", "programmes", "lineage")
LINEAGE_KEY = TABLES["lineage"].key
REQUIRED = tuple(table.name for table in TABLES.values() if table.required)


@dataclass
class Settlement:
    """Settles one period.

    Parameters
    ----------
    portion
        What was read.
    mapping
        Names of portfolios, lineage.
    organisation
        Its limit of unusable rows.
    previous
        Tables ``projects`` and ``portfolios`` of the period before, if any, and ``earlier``: the projects of all.
    """

    portion: Portion
    mapping: SourceMapping
    organisation: Organisation
    previous: Mapping[str, pd.DataFrame] | None
    findings: list[Finding] = field(init=False)
    made: dict[str, Rows] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(init=False)
    books: Books = field(default_factory=Books)
    partial: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Enter what came in, as one stack of rows per table."""
        self.findings = list(self.portion.findings)
        self._leave_out_repeats()
        batches: dict[str, list[Batch]] = {}
        for batch in self.portion.batches:
            if len(batch):
                batches.setdefault(batch.table.name, []).append(batch)
        self.stacks = {name: Stack(TABLES[name], own) for name, own in batches.items()}
        self.books.enter(self.stacks.values(), left_out=self.portion.left_out)

    def settle(self) -> Checked | None:
        """Return the checked return; None if nothing of it can be used (:attr:`findings` say why)."""
        self._check_cells()
        self._check_keys()
        served = {client: draft for draft in reversed(self._live("projects")) if (client := draft.value("client_id"))}
        self.made["portfolios"], notices = hierarchy.declared_portfolios(
            self._first_drafts(), served=served, mapping=self.mapping
        )
        self.findings += notices
        self._check_references()
        self._check_limit()
        self._refuse()
        self._drop_unused_portfolios()
        self._look_back()
        lacking = [name for name in REQUIRED if not self._has(name)]
        if (
            any(map(len, self.portion.batches)) or not self.portion.whole
        ):  # else it is said already that there is nothing
            for name in lacking:
                self._lack(name)
        return None if lacking or self.portion.whole else self._checked()

    def _live(self, name: str) -> list[Draft]:
        return list(self.stacks[name].drafts()) if name in self.stacks else []

    def _has(self, name: str) -> bool:
        return bool(self.made.get(name)) or (name in self.stacks and not self.stacks[name].dead.all())

    def _first_drafts(self) -> dict[str, Draft]:
        """Return portfolio → the first row that is used of it."""
        first: dict[str, Draft] = {}
        for batch in self.portion.batches:
            stack = self.stacks.get(batch.table.name)
            unused = batch.rules if stack else {}
            for row, portfolio in enumerate(batch.portfolios):
                if portfolio and portfolio not in first and row not in unused:
                    first[portfolio] = Draft(batch, row)
        return first

    def _leave_out_repeats(self) -> None:
        """Leave out units that another return describes in the same words: each may bring the units above it."""
        files: dict[tuple[object, ...], str] = {}
        kept = []
        for batch in self.portion.batches:
            rows = range(len(batch))
            if batch.table.name in UNITS:
                file = batch.layout.grid.file
                words = [(batch.table.name, *draft.values.values()) for draft in batch.drafts()]
                rows = [row for row in rows if files.setdefault(words[row], file) == file]  # type: ignore[assignment]
                for row in set(range(len(batch))).difference(rows):
                    self.portion.left_out[batch.table.name, batch.portfolios[row]] += 1
            kept.append(batch.take(rows))
        self.portion.batches = kept

    def _refuse(self) -> None:
        """Set aside every row of a refused return; last, so that all that is wrong with it is said."""
        for stack in self.stacks.values() if self.portion.refused else ():
            refused = [n for n, portfolio in enumerate(stack.portfolios) if portfolio in self.portion.refused]
            stack.set_aside(refused, rule=REFUSED)

    def _checked_rows(self) -> dict[str, pd.DataFrame]:
        """Return the rows that rules look at: also those set aside, but not those that speak of another day."""
        rows = {}
        for name, stack in self.stacks.items():
            elsewhere = [label for label in stack.aside if not ELSEWHERE.isdisjoint(stack.at(label).rules)]
            rows[name] = stack.rows.drop(index=elsewhere) if elsewhere else stack.rows
        return rows

    def _check_cells(self) -> None:
        """Check cells and rows, also those of rows that are set aside: no fault hides another."""
        around = Circumstances(
            None if self.portion.status_date is None else pd.Timestamp(self.portion.status_date),
            frozenset((self.organisation.currency, *self.organisation.rates)),
        )
        for name, rows in self._checked_rows().items():
            for failure in cell_failures(name, rows=rows, around=around):
                self._apply(failure)
            self.stacks[name].settle()
        for failure in group_failures(self._checked_rows()):
            self._apply(failure)

    def _check_keys(self) -> None:
        for name, rows in self._checked_rows().items():
            stack = self.stacks[name]
            keyed = rows[rows[[c.name for c in TABLES[name].columns if c.need == "key"]].notna().all(axis=1)]
            for failure in key_failures(name, rows=keyed):
                labels = (failure.row, *failure.others)
                places = ", ".join(stack.at(label).source_ref for label in labels)
                for label in labels:
                    self._report(replace(failure, message=f"{failure.message}: {places}"), draft=stack.at(label))
                if sum(not stack.dead[label] for label in labels) > 1:
                    portfolio = stack.portfolios[failure.row]
                    self.portion.refused.setdefault(portfolio, f"duplicate key in {name}: {places}")

    def _check_references(self) -> None:
        """Set aside rows that name something that is not there, until no more do: each row may be another's anchor."""
        reported: set[Failure] = set()
        made = typed_table(
            TABLES["portfolios"], rows=self.made["portfolios"], index=range(-len(self.made["portfolios"]), 0)
        )
        while True:
            parents = {name: stack.live for name, stack in self.stacks.items()}
            if self.made["portfolios"]:
                parents["portfolios"] = made
            found = reference_failures(self._checked_rows(), parents=parents)
            failures = [failure for failure in found if failure not in reported]
            reported.update(failures)
            for failure in failures:
                self._apply(failure)
            if not any(failure.action == "quarantined" for failure in failures):
                return

    def _apply(self, failure: Failure) -> None:
        """Do what a rule demands: null the cell, or set the row aside; report it in any case."""
        stack = self.stacks[failure.table]
        draft = stack.at(failure.row)
        if failure.blank and (failure.column in draft.states or failure.column not in draft.batch.columns):
            return  # the return says why the cell is empty, or has no such column
        for label in (failure.row, *failure.others):
            self._report(failure, draft=stack.at(label))
        if stack.dead[failure.row]:
            return
        if failure.action == "quarantined":
            stack.set_aside([failure.row], rule=failure.rule)
        elif failure.action == "nulled":
            self._null(draft, label=failure.row, failure=failure)

    def _null(self, draft: Draft, *, label: int, failure: Failure) -> None:
        value = self.stacks[failure.table].empty(label, column=failure.column)
        outcome = Outcome("faulty", state="unreadable", reason=failure.message)
        draft.batch.state(draft.row, column=failure.column, outcome=outcome)
        if draft.table.column(failure.column).kind == "money" and value is not None:
            self.books.set_aside((failure.table, draft.portfolio_id), amount=value)
        index = draft.batch.columns.get(failure.column)
        if index is not None:
            self.portion.spoil(draft, index=index)

    def _report(self, failure: Failure, *, draft: Draft) -> None:
        fault = Fault(failure.rule, failure.severity, failure.message, failure.fix, failure.expected)
        about = draft.about(failure.column)
        self.findings.append(draft.place(failure.column).finding(fault, action=failure.action, about=about))

    def _check_limit(self) -> None:
        """Refuse a return of which too large a share cannot be used."""
        limit = self.organisation.thresholds.quarantine_limit
        rows, aside = Counter[str](), Counter[str]()
        for stack in self.stacks.values():
            rows.update(stack.portfolios)
            aside.update(stack.pick(stack.portfolios, labels=stack.aside))
        for name in sorted(rows):
            share = aside[name] / rows[name]
            if name and name not in self.portion.refused and share > limit:
                reason = f"{aside[name]} of {rows[name]} rows ({share:.0%}) cannot be used, more than {limit:.0%}"
                self.portion.refused[name] = reason
                fault = Fault(
                    "quarantine-limit", "error", reason, "correct the findings above and send the return again"
                )
                files = sorted({b.layout.grid.file for b in self.portion.batches if name in b.portfolios})
                self.findings.append(Place(files[0]).finding(fault, action="refused", about=About(portfolio_id=name)))

    def _drop_unused_portfolios(self) -> None:
        """Leave out made portfolios of which no row is used any more."""
        used = {name for stack in self.stacks.values() for name in stack.live["portfolio_id"].unique()}
        made = self.made["portfolios"]
        kept = {"enterprise", hierarchy.CLIENT}
        self.made["portfolios"] = [
            row for row in made if row["portfolio_id"] in used or kept & {row["level"], row["hierarchy"]}
        ]
        if not used:
            self.made["portfolios"] = []

    def _look_back(self) -> None:
        """Add lineage; notice what became of projects since the period before."""
        day = self.portion.status_date
        if day is None:
            return
        lineage = hierarchy.succession_rows(self.mapping, status_date=day)
        if self.previous is not None:
            before, projects = self.previous["projects"], self._live("projects")
            lineage += hierarchy.moved_rows(projects, previous=before, status_date=day)
            self.findings += hierarchy.identity_findings(projects, previous=before)
            self._look_further_back(projects, earlier=self.previous.get("earlier"))
        known = {tuple(draft.value(name) for name in LINEAGE_KEY) for draft in self._live("lineage")}
        self.made["lineage"] = [row for row in lineage if tuple(row[name] for name in LINEAGE_KEY) not in known]

    def _look_further_back(self, projects: list[Draft], *, earlier: pd.DataFrame | None) -> None:
        """Tell blank records from empty cells; compute published changes again."""
        if earlier is None:
            return
        silent = continuity.fallen_silent(projects, earlier=earlier)
        continuity.mark_silent(silent)
        self.partial = continuity.silence_reasons(silent, projects=projects)
        self.findings += continuity.silence_findings(silent, reasons=self.partial)
        checks, figures = continuity.change_checks(self.mapping), self.stacks.get("published_figures")
        if checks and figures is not None:
            drafts = list(figures.drafts())
            self.findings += continuity.recompute_changes(drafts, checks=checks, projects=projects, earlier=earlier)
            figures.rows["recomputed"] = pd.Series(figures.values("recomputed"), dtype="float64")

    def _lack(self, name: str) -> None:
        fault = Fault(
            "table-missing", "error", f"no usable row in the table {name}", "return it, or correct the findings"
        )
        files = ", ".join(source.name for source in self.portion.sources)
        self.findings.append(Place(files).finding(fault, action="refused", about=About(table=name)))

    def _checked(self) -> Checked:
        portion = self.portion
        if portion.status_date is None:
            raise AssertionError(f"period {portion.period} has rows and no day")
        tables = self._tables()
        made = Counter((name, row["portfolio_id"]) for name, rows in self.made.items() for row in rows)
        self.books.leave(self.stacks.values())
        self.books.use(tables, made=made)
        tables["states"] = self._states()
        if tables["states"].empty:
            del tables["states"]
        return Checked(
            period=portion.period,
            status_date=portion.status_date,
            tables=tables,
            findings=self.findings_table(),
            quarantined=self._quarantined(),
            accounting=self.books.closed(),
            cells=cell_accounts(portion.cells),
            returns=self._returns(portion.status_date),
            sources=tuple(sorted(portion.sources, key=lambda source: source.name)),
        )

    def findings_table(self) -> pd.DataFrame:
        """Return the findings, one per place and rule: a cell that fills several tables is reported once."""
        once: dict[tuple[object, ...], Finding] = {}
        for finding in self.findings:
            place = (finding.file, finding.sheet, finding.row, finding.cell, finding.rule)
            once.setdefault((*place, "" if finding.cell else (finding.message, finding.portfolio_id)), finding)
        return findings_table(once.values())

    def _tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables as they are handed on: money exact, sources named, rows in order of their keys."""
        tables = {}
        for name, table in TABLES.items():
            parts = [self._exact(name)] if name in self.stacks and not self.stacks[name].dead.all() else []
            if self.made.get(name):
                parts.append(typed_table(table, rows=self.made[name]))
            if parts:
                tables[name] = in_key_order(pd.concat(parts) if len(parts) > 1 else parts[0], table=table)
        return tables

    def _exact(self, name: str) -> pd.DataFrame:
        stack = self.stacks[name]
        exact = {column: pd.Series(stack.values(column), dtype=object) for column in stack.table.of_kind("money")}
        rows = stack.rows.assign(**exact, source_ref=pd.Series(stack.source_refs(), dtype="str"))
        return rows[~stack.dead]

    def _states(self) -> pd.DataFrame:
        rows = [
            {"portfolio_id": draft.portfolio_id, "table_name": draft.table.name, "row_key": draft.row_key,
             "column_name": column, "state": outcome.state, "reason": outcome.reason, "low": outcome.low or None,
             "mid": outcome.mid or None, "high": outcome.high or None, "source_ref": draft.source_ref}
            for batch in self.portion.batches
            for draft in (Draft(batch, row) for row in sorted(batch.states) if row not in batch.rules)
            for column, outcome in draft.states.items()
        ]  # fmt: skip
        return in_key_order(typed_table(TABLES["states"], rows=rows), table=TABLES["states"])

    def _quarantined(self) -> pd.DataFrame:
        rows = [
            (draft.portfolio_id, draft.table.name, draft.source_ref, draft.row_key,
             ", ".join(dict.fromkeys(draft.rules)), json.dumps(draft.raw_cells(), ensure_ascii=False))
            for batch in self.portion.batches
            for draft in (Draft(batch, row) for row in sorted(batch.rules))
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))

    def _returns(self, day: date) -> pd.DataFrame:
        ended = {s.before for s in self.mapping.lineage if date.fromisoformat(s.effective_on) <= day}
        rows = hierarchy.return_rows(
            self._returned(),
            refused=self.portion.refused,
            units=[*(draft.values for draft in self._live("portfolios")), *self.made.get("portfolios", [])],
            previous=None if self.previous is None else self.previous.get("portfolios"),
            ended=ended,
        )
        for row in rows:
            if row["state"] == "returned" and row["portfolio_id"] in self.partial:
                row |= {"state": "partial", "reason": self.partial[row["portfolio_id"]]}
        return pd.DataFrame(rows, columns=list(RETURN_COLUMNS))

    def _returned(self) -> dict[str, hierarchy.Returned]:
        """Return portfolio → what came in of it."""
        own: dict[str, hierarchy.Returned] = {}
        for batch in self.portion.batches:
            for portfolio in set(batch.portfolios) - {""}:
                own.setdefault(portfolio, hierarchy.Returned()).files.add(batch.layout.grid.file)
        for name, stack in self.stacks.items():
            is_fact = name not in ("portfolios", "lineage")
            for (portfolio, dead), number in Counter(zip(stack.portfolios, stack.dead.tolist(), strict=True)).items():
                if not portfolio:
                    continue
                own[portfolio].facts += number * is_fact
                own[portfolio].aside += number * dead
                own[portfolio].used |= {name} if is_fact and not dead else set()
        return own
