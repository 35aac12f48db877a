"""Why a report would be run again, or that it need not be: what it was made of is held against what is there now.

A report's record says what it read: settings by name, parts of snapshots, results of others. Only these count. A part
of a snapshot is compared by the digest of its table first and by its rows only where that differs, against the
snapshot that the page was made from, which the archive still has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pmo_lib.errors import StoreError
from pmo_lib.parameters.traced import picked
from pmo_lib.results import digests, read_failures
from pmo_lib.runner.state import altered, read_record
from pmo_lib.snapshots import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from pmo_lib.runner.plan import Plan
    from pmo_lib.snapshots import Snapshot

BASIS = {
    "code": "the library's code changed",
    "lock": "the packages that it runs on, or Python, changed",
    "notebook": "its notebook changed",
    "report": "what the parameters say of the report changed",
    "entered": "what the archive holds of the period changed",
}


OF_DATA = ("rows of ", "what intake told of ", "the returns", "the snapshot of ")


def of_data(reason: str) -> bool:
    """Say whether a reason to run a report again is that what was returned changed."""
    return reason.startswith(OF_DATA)


@dataclass(frozen=True)
class Unchanged:
    """Holds published reports of one organisation and period against a plan.

    Attributes
    ----------
    folder
        Outputs of the organisation.
    planned
        What is to be published now.
    """

    folder: Path
    planned: Plan
    _compared: dict[str, Compared] = field(default_factory=dict)

    def record(self, portfolio: str, *, report: str) -> dict[str, Any] | None:
        """Return what the published report was made of; None if none is published."""
        return read_record(self.folder, period=self.planned.snapshot.period, portfolio=portfolio, report=report)

    def reasons(self, portfolio: str, *, report: str) -> list[str]:
        """Return why a report would be run; nothing if it is published and would be the same."""
        record = self.record(portfolio, report=report)
        if record is None:
            failed = (portfolio, report) in self._failed
            return ["it failed when it was last run" if failed else "it has not been published yet"]
        return self.differences(record, portfolio=portfolio, report=report)

    def differences(self, record: Mapping[str, Any], *, portfolio: str, report: str) -> list[str]:
        """Return in what a published report would not be the same, held against its record."""
        parts = filter(None, (self.planned.snapshot.period, portfolio, report))
        return [
            *altered(self.folder.joinpath(*parts), record=record),
            *self._basis(record, portfolio=portfolio, report=report),
            *self._settings(record, portfolio=portfolio),
            *self._data(record),
            *self._others(record),
        ]

    @cached_property
    def _failed(self) -> set[tuple[str, str]]:
        rows = read_failures(self.folder / self.planned.snapshot.period)
        return {(row["portfolio_id"], row["report"]) for row in rows}

    def _basis(self, record: Mapping[str, Any], *, portfolio: str, report: str) -> Iterator[str]:
        before, now = record["basis"], self.planned.basis(portfolio, report=report)
        yield from (reason for name, reason in BASIS.items() if before.get(name) != now.get(name))
        if before.get("overrides") != now["overrides"]:
            yield f"settings of the run were {_told(before.get('overrides'))}, are {_told(now['overrides'])}"

    def _settings(self, record: Mapping[str, Any], *, portfolio: str) -> Iterator[str]:
        now = picked(self.planned.dumped[portfolio], names=record["settings"])
        for name, before in record["settings"].items():
            if before != now[name]:
                yield f"{name} was {_told(before)}, is {_told(now[name])}"

    def _data(self, record: Mapping[str, Any]) -> Iterator[str]:
        snapshot = self.planned.snapshot
        if record["snapshot"] == snapshot.id:
            return
        try:
            yield from self._compare(record["snapshot"]).differences(record["read"])
        except StoreError as error:
            yield f"the snapshot that it was made from cannot be compared: {error.what}"

    def _compare(self, made_from: str) -> Compared:
        if made_from not in self._compared:
            now = self.planned.snapshot
            before = open_snapshot(now.archive, period=now.period, snapshot=made_from)
            self._compared[made_from] = Compared(before, now)
        return self._compared[made_from]

    def _others(self, record: Mapping[str, Any]) -> Iterator[str]:
        read = record["published"]
        for period in sorted(read):
            if read[period] != self._published(period):
                yield f"what the portfolios published of {period} changed"

    def _published(self, period: str) -> str:
        return digests(self.folder, periods=[period])[period]


def _told(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class Compared:
    """Two snapshots of one period, each with the earlier ones through it."""

    before: Snapshot
    now: Snapshot

    def differences(self, reads: Sequence[Sequence[str]]) -> list[str]:
        """Return what of these parts is not the same in both; see :data:`pmo_lib.snapshots.Read`."""
        if [one.status_date for one in self._old.values()] != [one.status_date for one in self._new.values()]:
            return ["the periods before it, or their status dates, changed"]
        found = (self._difference(read) for read in reads)
        return list(dict.fromkeys(reason for reason in found if reason))

    @cached_property
    def _old(self) -> dict[str, Snapshot]:
        return {one.period: one for one in self.before.chain()}

    @cached_property
    def _new(self) -> dict[str, Snapshot]:
        return {one.period: one for one in self.now.chain()}

    def _difference(self, read: Sequence[str]) -> str:
        kind, period, name, portfolio, *projects = [*read, *[""] * (4 - len(read))]
        old, new = self._old.get(period), self._new.get(period)
        if old is None or new is None:
            return f"{period} is a period no more, or a new one"
        if old.id == new.id:
            return ""
        whose, of = portfolio or None, f" of {portfolio}" if portfolio else ""
        match kind:
            case "rows":
                others = {portfolio: projects} if projects else None
                same = _same_rows(old, now=new, name=name, portfolio="" if projects else whose, others=others)
                what = f"rows of {name}{of} in {period}"
            case "intake":
                same = _same_table(*(one.intake_table(name, portfolio=whose) for one in (old, new)))
                what = f"what intake told of {name}{of} in {period}"
            case "standing":
                same = _same_table(*(_own(one.standing(), portfolio=portfolio) for one in (old, new)))
                what = f"the returns{of} up to {period}"
            case _:
                same, what = False, f"the snapshot of {period}"
        return "" if same else f"{what} changed"


def _same_rows(
    before: Snapshot, *, now: Snapshot, name: str, portfolio: str | None, others: Mapping[str, list[str]] | None
) -> bool:
    if before.kept["tables"].get(name) == now.kept["tables"].get(name):
        return True
    old, new = (one.rows(name, portfolio=portfolio, others=others) for one in (before, now))
    return old is new if old is None or new is None else bool(old.equals(new))


def _own(returns: pd.DataFrame, *, portfolio: str) -> pd.DataFrame:
    return returns[returns["portfolio_id"].eq(portfolio)] if portfolio else returns


def _same_table(*both: pd.DataFrame) -> bool:
    before, now = (rows.reset_index(drop=True) for rows in both)
    return before.equals(now)
