"""One period's drafts → its checked return: rules applied, rows set aside, returns refused, books closed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from pmo_lib.contracts.findings import findings_table
from pmo_lib.contracts.returned import QUARANTINE_COLUMNS, RETURN_COLUMNS, Checked
from pmo_lib.contracts.rules import Failure, cell_failures, key_failures, reference_failures
from pmo_lib.contracts.tables import TABLES
from pmo_lib.intake import hierarchy
from pmo_lib.intake.books import Books, cell_accounts, minor_units
from pmo_lib.intake.cells import Outcome
from pmo_lib.intake.faults import About, Fault, Place
from pmo_lib.intake.typed import in_key_order, typed_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pmo_lib.contracts.findings import Finding
    from pmo_lib.intake.drafts import Draft
    from pmo_lib.intake.hierarchy import Rows
    from pmo_lib.intake.periods import Portion
    from pmo_lib.parameters.mapping import Mapping as SourceMapping
    from pmo_lib.parameters.models import Organisation

REFUSED = "return-refused"
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
        Tables ``projects`` and ``portfolios`` of the period before, if any.
    """

    portion: Portion
    mapping: SourceMapping
    organisation: Organisation
    previous: Mapping[str, pd.DataFrame] | None
    findings: list[Finding] = field(init=False)
    made: dict[str, Rows] = field(default_factory=dict)
    live: dict[str, pd.DataFrame] = field(init=False)
    books: Books = field(default_factory=Books)
    _nulled: set[tuple[int, int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Enter what came in, as typed tables whose labels are the places of the rows among the drafts."""
        self.findings = list(self.portion.findings)
        self._leave_out_repeats()
        self.books.enter(self.portion.drafts, left_out=self.portion.left_out)
        labels: dict[str, list[int]] = {}
        for label, draft in enumerate(self.portion.drafts):
            if not draft.rules:
                labels.setdefault(draft.table.name, []).append(label)
        self.live = {
            name: typed_table(TABLES[name], rows=[self.portion.drafts[n].values for n in own], index=own, exact=False)
            for name, own in labels.items()
        }

    def settle(self) -> Checked | None:
        """Return the checked return; None if nothing of it can be used (:attr:`findings` say why)."""
        self._check_cells()
        self._check_keys()
        self.made["portfolios"], notices = hierarchy.declared_portfolios(self._live(), mapping=self.mapping)
        self.findings += notices
        self._check_references()
        self._check_limit()
        self._refuse()
        self._drop_unused_portfolios()
        self._look_back()
        lacking = [name for name in REQUIRED if not self._rows(name)]
        for name in lacking:
            self._lack(name)
        return None if lacking or self.portion.whole else self._checked()

    def _live(self, name: str = "") -> list[Draft]:
        return [d for d in self.portion.drafts if not d.rules and name in ("", d.table.name)]

    def _rows(self, name: str) -> list[Mapping[str, Any]]:
        return [*(draft.values for draft in self._live(name)), *self.made.get(name, [])]

    def _leave_out_repeats(self) -> None:
        """Leave out units that another return describes in the same words: each may bring the units above it."""
        files: dict[tuple[object, ...], str] = {}
        kept = []
        for draft in self.portion.drafts:
            words = (draft.table.name, *draft.values.values())
            file = files.setdefault(words, draft.layout.grid.file) if draft.table.name in UNITS else ""
            if file in ("", draft.layout.grid.file):
                kept.append(draft)
            else:
                self.portion.left_out[draft.table.name, draft.portfolio_id] += 1
        self.portion.drafts = kept

    def _refuse(self) -> None:
        """Set aside every row of a refused return; last, so that all that is wrong with it is said."""
        for label, draft in enumerate(self.portion.drafts):
            if draft.portfolio_id in self.portion.refused:
                self._set_aside(label, rule=REFUSED)

    def _set_aside(self, label: int, *, rule: str) -> None:
        draft = self.portion.drafts[label]
        if not draft.rules:
            self.live[draft.table.name] = self.live[draft.table.name].drop(index=label)
        draft.rules.append(rule)

    def _check_cells(self) -> None:
        for name, rows in list(self.live.items()):
            for failure in cell_failures(name, rows=rows):
                self._apply(failure)

    def _check_keys(self) -> None:
        for name, rows in self.live.items():
            for failure in key_failures(name, rows=rows):
                drafts = [self.portion.drafts[label] for label in (failure.row, *failure.others)]
                places = ", ".join(draft.source_ref for draft in drafts)
                for draft in drafts:
                    self._report(replace(failure, message=f"{failure.message}: {places}"), draft=draft)
                self.portion.refused.setdefault(drafts[0].portfolio_id, f"duplicate key in {name}: {places}")

    def _check_references(self) -> None:
        """Set aside rows that name something that is not there, until no more do: each row may be another's anchor."""
        reported: set[Failure] = set()
        made = typed_table(
            TABLES["portfolios"], rows=self.made["portfolios"], index=range(-len(self.made["portfolios"]), 0)
        )
        while True:
            tables = dict(self.live)
            if self.made["portfolios"]:
                tables["portfolios"] = made
            failures = [failure for failure in reference_failures(tables) if failure not in reported]
            reported.update(failures)
            for failure in failures:
                self._apply(failure)
            if not any(failure.action == "quarantined" for failure in failures):
                return

    def _apply(self, failure: Failure) -> None:
        """Do what a rule demands: null the cell, or set the row aside; report it in any case."""
        draft = self.portion.drafts[failure.row]
        self._report(failure, draft=draft)
        if failure.action == "quarantined":
            self._set_aside(failure.row, rule=failure.rule)
        elif failure.action == "nulled":
            self._null(failure.row, column=failure.column, reason=failure.message)

    def _null(self, label: int, *, column: str, reason: str) -> None:
        draft = self.portion.drafts[label]
        value = draft.values[column]
        draft.values[column] = None
        self.live[draft.table.name].loc[label, column] = None
        draft.states[column] = Outcome("faulty", state="unreadable", reason=reason)
        if draft.table.column(column).kind == "money" and value is not None:
            self.books.set_aside(draft, amount=minor_units(value))
        index = draft.columns.get(column)
        cell = (id(draft.layout), draft.record, -1 if index is None else index)
        if index is None or cell in self._nulled or (draft.record, index) in draft.layout.faulty:
            return
        self._nulled.add(cell)
        grid = draft.layout.grid
        self.portion.cells[grid.file, grid.sheet, "typed"] -= 1
        self.portion.cells[grid.file, grid.sheet, "faulty"] += 1

    def _report(self, failure: Failure, *, draft: Draft) -> None:
        fault = Fault(failure.rule, failure.severity, failure.message, failure.fix, failure.expected)
        about = draft.about(failure.column)
        self.findings.append(draft.place(failure.column).finding(fault, action=failure.action, about=about))

    def _check_limit(self) -> None:
        """Refuse a return of which too large a share cannot be used."""
        limit = self.organisation.thresholds.quarantine_limit
        rows, aside = Counter[str](), Counter[str]()
        for draft in self.portion.drafts:
            rows[draft.portfolio_id] += 1
            aside[draft.portfolio_id] += bool(draft.rules)
        for name in sorted(rows):
            share = aside[name] / rows[name]
            if name and name not in self.portion.refused and share > limit:
                reason = f"{aside[name]} of {rows[name]} rows ({share:.0%}) cannot be used, more than {limit:.0%}"
                self.portion.refused[name] = reason
                fault = Fault(
                    "quarantine-limit", "error", reason, "correct the findings above and send the return again"
                )
                files = sorted({d.layout.grid.file for d in self.portion.drafts if d.portfolio_id == name})
                self.findings.append(Place(files[0]).finding(fault, action="refused", about=About(portfolio_id=name)))

    def _drop_unused_portfolios(self) -> None:
        """Leave out made portfolios of which no row is used any more."""
        used = {draft.portfolio_id for draft in self._live()}
        made = self.made["portfolios"]
        self.made["portfolios"] = [row for row in made if row["portfolio_id"] in used or row["level"] == "enterprise"]
        if not used:
            self.made["portfolios"] = []

    def _look_back(self) -> None:
        """Add lineage; notice what became of projects since the period before."""
        day = self.portion.status_date
        if day is None:
            return
        projects = self._live("projects")
        lineage = hierarchy.succession_rows(self.mapping, status_date=day)
        if self.previous is not None:
            before = self.previous["projects"]
            lineage += hierarchy.moved_rows(projects, previous=before, status_date=day)
            self.findings += hierarchy.identity_findings(projects, previous=before)
        known = {tuple(draft.values[name] for name in LINEAGE_KEY) for draft in self._live("lineage")}
        self.made["lineage"] = [row for row in lineage if tuple(row[name] for name in LINEAGE_KEY) not in known]

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
        self.books.leave(portion.drafts)
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
            parts = [self._exact(self.live[name])] if name in self.live and not self.live[name].empty else []
            if self.made.get(name):
                parts.append(typed_table(table, rows=self.made[name]))
            if parts:
                tables[name] = in_key_order(pd.concat(parts) if len(parts) > 1 else parts[0], table=table)
        return tables

    def _exact(self, rows: pd.DataFrame) -> pd.DataFrame:
        drafts = [self.portion.drafts[label] for label in rows.index]
        money = {
            name: pd.Series([draft.values.get(name) for draft in drafts], index=rows.index, dtype=object)
            for name in drafts[0].table.of_kind("money")
        }
        refs = pd.Series([draft.source_ref for draft in drafts], index=rows.index, dtype="str")
        return rows.assign(**money, source_ref=refs)

    def _states(self) -> pd.DataFrame:
        rows = [
            {"portfolio_id": draft.portfolio_id, "table_name": draft.table.name, "row_key": draft.row_key,
             "column_name": column, "state": outcome.state, "reason": outcome.reason, "low": outcome.low or None,
             "mid": outcome.mid or None, "high": outcome.high or None, "source_ref": draft.source_ref}
            for draft in self._live()
            for column, outcome in draft.states.items()
        ]  # fmt: skip
        return in_key_order(typed_table(TABLES["states"], rows=rows), table=TABLES["states"])

    def _quarantined(self) -> pd.DataFrame:
        rows = [
            (draft.portfolio_id, draft.table.name, draft.source_ref, draft.row_key,
             ", ".join(dict.fromkeys(draft.rules)), json.dumps(draft.raw_cells(), ensure_ascii=False))
            for draft in self.portion.drafts
            if draft.rules
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))

    def _returns(self, day: date) -> pd.DataFrame:
        ended = {s.before for s in self.mapping.lineage if date.fromisoformat(s.effective_on) <= day}
        rows = hierarchy.return_rows(
            self.portion.drafts,
            refused=self.portion.refused,
            units=self._rows("portfolios"),
            previous=None if self.previous is None else self.previous.get("portfolios"),
            ended=ended,
        )
        return pd.DataFrame(rows, columns=list(RETURN_COLUMNS))
