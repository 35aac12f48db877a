"""What a period has published and what not, and why: the state that index, roll-up and the next run look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pmo_lib.batch.staging import LAST
from pmo_lib.results import STATE_FILE, owed_reports, read_failures, read_state, read_still
from pmo_lib.snapshots import canonical_json
from pmo_lib.store import digest_of_file, inside, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pmo_lib.results import Place
    from pmo_lib.runner.plan import Plan
    from pmo_lib.snapshots import Snapshot

RECORDED = {"as_of", "basis", "page_sha256", "published", "read", "results_sha256", "settings", "snapshot"}
FAILED, PUBLISHED, UNCHANGED = "failed", "published", "unchanged"


@dataclass(frozen=True)
class Done:
    """How one report ended.

    Attributes
    ----------
    portfolio, report
        Which one; no portfolio for the organisation's.
    status
        ``published``, ``unchanged`` (it was published before, and would be the same) or ``failed``.
    stage, cause
        How far it came and why it failed.
    as_of
        The period that a published page speaks of: an earlier one than was asked for where the portfolio returned
        nothing usable and the page shows what was last known.
    seconds, peak_mib, attempts
        What it took; 0 attempts if it was not run.
    made_from
        Id of the snapshot that an unchanged page was made from.
    """

    portfolio: str
    report: str
    status: str
    stage: str = ""
    cause: str = ""
    as_of: str = ""
    seconds: float = 0.0
    peak_mib: float = 0.0
    attempts: int = 0
    made_from: str = ""


def unpublished(folder: Path) -> set[tuple[str, str]] | None:
    """Return the reports of a period that failed or are missing; None where it was not run yet."""
    state = read_state(folder)
    if not state:
        return None
    rows = [row for row in state["reports"] if row["status"] in ("failed", "missing")]
    return {(row["portfolio_id"], row["report"]) for row in rows}


def write_state(folder: Path, *, planned: Plan, done: Iterable[Done]) -> None:
    """Write what is published of the period and what is not: the same words however the run was divided."""
    snapshot = planned.snapshot
    period = folder / snapshot.period
    made = {(one.portfolio, one.report): one for one in done}
    stand = [row for row in read_failures(period) if (row["portfolio_id"], row["report"]) not in made]
    failures = [*stand, *(_failure(one) for one in made.values() if one.status == FAILED)]
    still = _still(folder, snapshot=snapshot, made=made)
    pages = _pages(folder, planned=planned, made=made, still=still)
    owed = owed_reports(
        reports=planned.reports.of_portfolios,
        returns=snapshot.returns,
        done=pages,
        failures=failures,
    )
    whole = [_whole(report.name, period=period, failures=failures,
                    made_from=still.get((snapshot.period, "", report.name), snapshot.id))
             for report in planned.reports.reports if report.scope != "portfolio"]  # fmt: skip
    state = {
        "organisation": snapshot.kept["organisation"],
        "name": planned.settings[""].name,
        "period": snapshot.period,
        "snapshot": snapshot.id,
        "portfolios": snapshot.names,
        "reports": [*owed.astype(object).where(owed.notna(), None).to_dict("records"), *whole],
        "still": [
            {"portfolio_id": place[1], "report": place[2], "snapshot": of} for place, of in sorted(still.items())
        ],
    }
    write_atomically(period / STATE_FILE, content=canonical_json(state))


def _still(folder: Path, *, snapshot: Snapshot, made: Mapping[tuple[str, str], Done]) -> dict[Place, str]:
    """Return the pages that were made from an earlier snapshot of the period and stand under this one."""
    before = read_still(folder, snapshots={snapshot.period: snapshot.id})
    now = {
        (snapshot.period, *key): one.made_from
        for key, one in made.items()
        if one.status == UNCHANGED and one.made_from != snapshot.id
    }
    return {place: of for place, of in before.items() if place[1:] not in made} | now


def _pages(
    folder: Path, *, planned: Plan, made: Mapping[tuple[str, str], Done], still: Mapping[Place, str]
) -> dict[tuple[str, str], str]:
    """Return portfolio and report of every page that counts → the period that it speaks of.

    What was not run now is looked up in its record, without reading the results themselves: there may be thousands.
    """
    snapshot, pages = planned.snapshot, {}
    for key in ((one, report) for one in snapshot.reportable for report in planned.reports.of_portfolios):
        done = made.get(key)
        if done is not None and done.status != FAILED:
            pages[key] = done.as_of
        elif (record := read_record(folder, period=snapshot.period, portfolio=key[0], report=key[1])) is not None:
            counts = record["snapshot"] == still.get((snapshot.period, *key), snapshot.id)
            if counts and not altered(folder.joinpath(snapshot.period, *key), record=record):
                pages[key] = record["as_of"]
    return pages


def read_record(folder: Path, *, period: str, portfolio: str, report: str) -> dict[str, Any] | None:
    """Return what a published report was made of; None if none is published, or its record is none any more."""
    parts = filter(None, (LAST, period, portfolio, f"{report}.json"))
    path = inside(folder, parts=tuple(parts))
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) and record.keys() >= RECORDED else None


def altered(page: Path, *, record: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the files of a page (named without suffix), held against its record."""
    told = []
    for suffix, key in ((".html", "page_sha256"), (".json", "results_sha256")):
        path = page.with_name(page.name + suffix)
        if not path.is_file():
            told.append(f"{path.name} is missing")
        elif digest_of_file(path) != record[key]:
            told.append(f"{path.name} is not as it was published")
    return told


def _failure(one: Done) -> dict[str, str]:
    return {"portfolio_id": one.portfolio, "report": one.report, "stage": one.stage, "cause": one.cause}


def _whole(report: str, *, period: Path, failures: Iterable[Mapping[str, str]], made_from: str) -> dict[str, Any]:
    failed = [row for row in failures if row["report"] == report and not row["portfolio_id"]]
    path = period / f"{report}.json"
    fresh = path.exists() and json.loads(path.read_text(encoding="utf-8")).get("snapshot") == made_from
    status = FAILED if failed else PUBLISHED if fresh else "missing"
    stage, cause = (failed[0]["stage"], failed[0]["cause"]) if failed else (None, None)
    return {"portfolio_id": "", "report": report, "status": status, "stage": stage, "cause": cause}
